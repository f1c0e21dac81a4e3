//! What the core needs to know of an answer, without the answer itself.

use std::time::Duration;

use super::life::{self, seconds};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::{Auth, Response};
use leasehold_base::tree::Tree;
use leasehold_core::event::{Granted, LeaseFacts, ReadFacts, TokenFacts};
use leasehold_core::ids::LeaseId;

/// Returns what a read brought. `before` is what the same secret held until now.
#[must_use]
pub fn read(response: &Response, before: Option<&Response>) -> ReadFacts {
    let lease = (!response.lease_id.is_empty()).then(|| LeaseFacts {
        id: LeaseId(response.lease_id.clone()),
        ttl: Duration::from_secs(response.lease_duration),
        renewable: response.renewable,
        orphan: false,
    });
    let life = life::of(response);
    let news = before.map_or((true, true), |before| life::differs(life, &before.data, &response.data));
    let (changed, rotated) = news;
    let changed = changed || before.is_some_and(|before| before.auth != response.auth);
    ReadFacts { lease, life, version: version(&response.data), version_id: None, changed, rotated }
}

/// Checks that the answer to a write brings something where the one `before` it did.
///
/// A write may have nothing to say, and a server then answers 204. So may whatever answers in the server's place. A path
/// that has brought data, a lease or a token does not stop doing so by itself. The exceptions are the look-ups below
/// `identity/lookup/`, where 204 says that nothing is found.
///
/// # Errors
/// Says that it brings nothing.
pub fn brings_something(path: &str, response: &Response, before: Option<&Response>) -> Result<(), Failure> {
    let brought = before.is_some_and(|before| !before.is_nothing());
    if response.is_nothing() && brought && !path.starts_with("identity/lookup/") {
        let why = "no content, where there was some before; check that nothing in between answers for Vault";
        return Err(Failure::advised(FailureKind::Nonsense, why));
    }
    Ok(())
}

/// Returns what a login, or a renewal of its token, brought.
#[must_use]
pub fn token(auth: &Auth) -> TokenFacts {
    TokenFacts {
        accessor: auth.accessor.clone(),
        ttl: (auth.lease_duration > 0).then(|| Duration::from_secs(auth.lease_duration)),
        renewable: auth.renewable,
        batch: auth.token_type == "batch",
        uses: (auth.num_uses > 0).then_some(auth.num_uses),
    }
}

/// Returns what the renewal of a lease brought.
#[must_use]
pub fn granted(response: &Response) -> Granted {
    Granted { ttl: Duration::from_secs(response.lease_duration), renewable: response.renewable }
}

/// Returns the token in the answer to its look-up, as a login would have described it.
///
/// A look-up marks a token without an end by `expire_time`, a login by a duration of 0. So the last second of a token
/// that has an end counts as one second, never as 0.
#[must_use]
pub fn looked_up(data: &Tree) -> Auth {
    let text = |name| data.get(name).and_then(Tree::as_str).unwrap_or_default().to_owned();
    let ends = data.get("expire_time").is_some_and(|time| *time != Tree::Null);
    let ttl = seconds(data, "ttl").map_or(0, |ttl| ttl.as_secs());
    let policies = data.get("policies").and_then(Tree::as_list).unwrap_or_default();
    Auth {
        client_token: data.get("id").and_then(Tree::as_text).cloned().unwrap_or_default(),
        accessor: text("accessor"),
        policies: policies.iter().filter_map(Tree::as_str).map(str::to_owned).collect(),
        lease_duration: if ends { ttl.max(1) } else { ttl },
        renewable: data.get("renewable").and_then(Tree::as_bool).unwrap_or(false),
        token_type: text("type"),
        orphan: data.get("orphan").and_then(Tree::as_bool).unwrap_or(false),
        num_uses: seconds(data, "num_uses").map_or(0, |uses| uses.as_secs()),
        metadata: data.get("meta").cloned().unwrap_or_default(),
    }
}

/// Returns the version, which KV v2 puts beside the data.
fn version(data: &Tree) -> Option<u64> {
    data.get("data")?;
    match data.get("metadata")?.get("version")? {
        Tree::Number(spelling) => spelling.expose_str()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_base::response::LONGEST;
    use leasehold_core::event::Life;

    fn data(json: &str) -> Tree {
        Tree::from_json(json.as_bytes()).expect("valid JSON")
    }

    fn answer(json: &str) -> Response {
        Response { data: data(json), ..Response::default() }
    }

    #[test]
    fn a_lease_is_there_only_with_its_name() {
        let leased = Response { lease_id: "a/b".into(), lease_duration: 60, ..answer("{}") };
        let lease = read(&leased, None).lease.expect("a lease");
        assert_eq!((lease.ttl, lease.renewable), (Duration::from_secs(60), false));
        // KV v1 sends a duration without a lease.
        assert_eq!(read(&Response { lease_duration: 60, ..answer("{}") }, None).lease, None);
    }

    #[test]
    fn an_answer_that_brings_nothing_counts_where_none_before_it_brought_anything() {
        let (nothing, full) = (Response::default(), answer(r#"{"k":"v"}"#));
        let bare = Response { request_id: "1".into(), ..Response::default() };
        let (made, found) = ("pki/issue/web", "identity/lookup/entity");
        for (path, now, before, good) in [
            (made, &nothing, None, true),
            (made, &nothing, Some(&nothing), true),
            (made, &nothing, Some(&full), false),
            (made, &bare, Some(&full), true),
            (made, &full, Some(&nothing), true),
            (found, &nothing, Some(&full), true),
        ] {
            assert_eq!(brings_something(path, now, before).is_ok(), good, "{path}: {now:?} after {before:?}");
        }
    }

    #[test]
    fn a_version_is_that_of_kv_v2_only() {
        let version = |json| read(&answer(json), None).version;
        assert_eq!(version(r#"{"data":{"a":1},"metadata":{"version":7}}"#), Some(7));
        assert_eq!(version(r#"{"metadata":{"version":7}}"#), None);
        assert_eq!(version(r#"{"data":{},"metadata":{"version":"7"}}"#), None);
    }

    #[test]
    fn the_data_tells_its_own_end() {
        let life = |json| read(&answer(json), None).life;
        let rotates = |seconds| Life::RotatesIn(Duration::from_secs(seconds));
        let ends = |seconds| Life::EndsIn(Duration::from_secs(seconds));
        for (json, expected) in [
            (r#"{"certificate":"x","expiration":1700000000}"#, Life::Until(1_700_000_000)),
            (r#"{"expiration":1700000000}"#, Life::Unknown),
            (r#"{"ttl":29.0,"rotation_period":60.0}"#, rotates(29)),
            (r#"{"ttl":0,"rotation_period":60}"#, rotates(0)),
            (r#"{"ttl":29,"rotation_schedule":"* * * * *"}"#, rotates(29)),
            (r#"{"ttl":29}"#, Life::Unknown),
            (r#"{"ttl":-1,"rotation_period":60}"#, Life::Unknown),
            (r#"{"secret_id":"x","secret_id_ttl":600}"#, ends(600)),
            (r#"{"secret_id":"x","secret_id_ttl":0}"#, ends(LONGEST)),
            (r#"{"secret_id":"x"}"#, Life::Unknown),
            (r#"{"token":"x","client_id":"c","ttl":600}"#, ends(600)),
            (r#"{"token":"x","client_id":"c","ttl":600.9}"#, ends(600)),
            (r#"{"token":"x","client_id":"c","ttl":"600"}"#, ends(600)),
            (r#"{"token":"x","client_id":"c","ttl":1e300}"#, ends(LONGEST)),
            (r#"{"token":"x","client_id":"c","ttl":"1h"}"#, Life::Unknown),
            (r#"{"token":"x","client_id":"c","ttl":"NaN"}"#, Life::Unknown),
            (r#"{"token":"x","client_id":"c","ttl":0}"#, Life::Unknown),
            (r#"{"token":"x","client_id":"c","ttl":-600}"#, Life::Unknown),
            (r#"{"token":"x","client_id":"c"}"#, Life::Unknown),
            (r#"{"token":"x","ttl":600}"#, Life::Unknown),
            (r#"{"token":"x","token_ttl":3599,"expires_at_seconds":1700000000}"#, ends(3599)),
            (r#"{"signed_key":"ssh-rsa AAAA","serial_number":"1"}"#, Life::Unknown),
            (r#"{"certificate":"x","expiration":"1700000000"}"#, Life::Until(1_700_000_000)),
            (r#"{"certificate":"x","expiration":"soon"}"#, Life::Unknown),
            (r#"{"certificate":"x","expiration":-5}"#, Life::Unknown),
            (r#"{"certificate":"x","expiration":9e30}"#, Life::Until(253_402_300_799)),
            (r#"{"ttl":"29","rotation_period":"60"}"#, rotates(29)),
            (r#"{"ttl":"soon","rotation_period":60}"#, Life::Unknown),
            (r#"{"rotation_period":60}"#, Life::Unknown),
            (r#"{"password":"x"}"#, Life::Unknown),
        ] {
            assert_eq!(life(json), expected, "{json}");
        }
    }

    #[test]
    fn fields_of_a_kv1_secret_are_only_fields() {
        for json in [
            r#"{"token":"x","client_id":"c","ttl":600}"#,
            r#"{"certificate":"x","expiration":1700000000}"#,
            r#"{"password":"x","rotation_period":"30d","ttl":600}"#,
        ] {
            let kept = Response { lease_duration: 2_764_800, ..answer(json) };
            assert_eq!(read(&kept, None).life, Life::Unknown, "{json}");
        }
    }

    #[test]
    fn a_countdown_is_no_news_and_a_time_of_rotation_is_no_rotation() {
        let role = |ttl: u32, at: &str, password: &str| {
            answer(&format!(
                r#"{{"ttl":{ttl},"rotation_period":60,"last_vault_rotation":"{at}","password":"{password}"}}"#
            ))
        };
        let news = |now: &Response| {
            let facts = read(now, Some(&role(30, "10:00", "a")));
            (facts.changed, facts.rotated)
        };
        assert_eq!(news(&role(20, "10:00", "a")), (false, false));
        assert_eq!(news(&role(60, "10:01", "a")), (true, false));
        assert_eq!(news(&role(60, "10:01", "b")), (true, true));
        let more =
            answer(r#"{"ttl":20,"rotation_period":60,"last_vault_rotation":"10:00","password":"a","n":1}"#);
        assert_eq!(news(&more), (true, true));
        // A secret of any other kind may call a field so.
        assert!(read(&answer(r#"{"ttl":1}"#), Some(&answer(r#"{"ttl":2}"#))).changed);
    }

    #[test]
    fn the_same_data_under_another_request_id_is_unchanged() {
        let (old, new) = (answer(r#"{"a":1}"#), Response { request_id: "2".into(), ..answer(r#"{"a":1}"#) });
        assert!(!read(&new, Some(&old)).changed);
        assert!(read(&new, Some(&answer(r#"{"a":2}"#))).changed);
        assert!(read(&new, None).changed);
    }

    #[test]
    fn a_token_that_is_about_to_end_is_not_one_without_an_end() {
        let ending = looked_up(&data(r#"{"id":"s.x","ttl":0,"expire_time":"2026-01-01T00:00:00Z"}"#));
        assert_eq!(token(&ending).ttl, Some(Duration::from_secs(1)));
        let root = looked_up(&data(r#"{"id":"s.x","ttl":0,"expire_time":null,"num_uses":-1}"#));
        assert_eq!((token(&root).ttl, token(&root).uses), (None, None));
    }
}
