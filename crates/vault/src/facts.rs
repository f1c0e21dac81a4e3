//! What the core needs of an answer, without the answer.

use std::time::Duration;

use leasehold_base::response::{Auth, Response};
use leasehold_base::tree::Tree;
use leasehold_core::event::{Granted, LeaseFacts, Life, ReadFacts, TokenFacts};
use leasehold_core::ids::LeaseId;

/// What a read brought. `before` is what the same secret held until now.
#[must_use]
pub fn read(response: &Response, before: Option<&Response>) -> ReadFacts {
    let lease = (!response.lease_id.is_empty()).then(|| LeaseFacts {
        id: LeaseId(response.lease_id.clone()),
        ttl: Duration::from_secs(response.lease_duration),
        renewable: response.renewable,
    });
    ReadFacts {
        lease,
        life: life(&response.data),
        version: version(&response.data),
        changed: before.is_none_or(|before| before.data != response.data),
    }
}

/// What a login, or a renewal of its token, brought.
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

/// What a lease's renewal brought.
#[must_use]
pub fn granted(response: &Response) -> Granted {
    Granted { ttl: Duration::from_secs(response.lease_duration), renewable: response.renewable }
}

/// The token in the answer to a look-up of itself, as a login would have described it.
///
/// A look-up tells a token without an end by `expire_time`; a login by a duration of 0. So the last
/// second of a token that has an end counts as one, never as none.
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
        num_uses: seconds(data, "num_uses").map_or(0, |uses| uses.as_secs()),
        metadata: data.get("meta").cloned().unwrap_or_default(),
    }
}

/// KV v2 puts the version beside the data.
fn version(data: &Tree) -> Option<u64> {
    data.get("data")?;
    match data.get("metadata")?.get("version")? {
        Tree::Number(spelling) => spelling.expose_str()?.parse().ok(),
        _ => None,
    }
}

/// What data without a lease says of its own end. Each field counts only beside the one that
/// shows which engine wrote it: a KV v1 secret may have a field of any name.
fn life(data: &Tree) -> Life {
    let has = |name| data.get(name).is_some();
    if has("certificate")
        && let Some(end) = data.get("expiration").and_then(Tree::as_f64)
    {
        // Seconds since 1970 fit a float exactly.
        return Life::Until(end as i64);
    }
    let next = if has("rotation_period") || has("rotation_schedule") {
        seconds(data, "ttl")
    } else if has("secret_id") {
        seconds(data, "secret_id_ttl").filter(|ttl| !ttl.is_zero())
    } else {
        None
    };
    next.map_or(Life::Unknown, Life::RotatesIn)
}

/// Whole seconds; OpenBao sends floats. `None` for what is not a count of seconds.
fn seconds(data: &Tree, name: &str) -> Option<Duration> {
    let value = data.get(name)?.as_f64()?;
    let most = Duration::from_secs(leasehold_base::response::LONGEST);
    Duration::try_from_secs_f64(value.floor().min(most.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (json, expected) in [
            (r#"{"certificate":"x","expiration":1700000000}"#, Life::Until(1_700_000_000)),
            (r#"{"expiration":1700000000}"#, Life::Unknown),
            (r#"{"ttl":29.0,"rotation_period":60.0}"#, rotates(29)),
            (r#"{"ttl":0,"rotation_period":60}"#, rotates(0)),
            (r#"{"ttl":29,"rotation_schedule":"* * * * *"}"#, rotates(29)),
            (r#"{"ttl":29}"#, Life::Unknown),
            (r#"{"ttl":-1,"rotation_period":60}"#, Life::Unknown),
            (r#"{"secret_id":"x","secret_id_ttl":600}"#, rotates(600)),
            (r#"{"secret_id":"x","secret_id_ttl":0}"#, Life::Unknown),
            (r#"{"password":"x"}"#, Life::Unknown),
        ] {
            assert_eq!(life(json), expected, "{json}");
        }
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
