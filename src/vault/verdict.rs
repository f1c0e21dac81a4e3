//! What an answer means: a response, or a failure of the right kind.

use std::time::Duration;

use http::StatusCode;
use http::header::{DATE, HeaderMap, RETRY_AFTER};
use zeroize::Zeroizing;

use super::failure::{Failure, FailureKind};
use super::message;
use super::response::Response;
use crate::tree::Tree;

pub use super::message::Unspoken;

/// The longest `Retry-After` that is believed. A mistyped one must not stop renewals for a day.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a TLS listener says to plain HTTP: Go's own, and nginx in front of it.
const NOT_TLS: [&[u8]; 2] =
    [b"Client sent an HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port"];

/// OpenBao and Vault answer 500 with this on a standby while nobody leads.
const NO_LEADER: &str = "local node not active but active cluster node not found";

/// All that the server says to most refusals.
const DENIED: &str = "permission denied";

/// What it may mean by that on a login: that there is no such mount, too, or that the Kubernetes
/// API server, which reviews the credential, did not answer.
const LOGIN_HINT: &str =
    "check auth.mount, that the credential is in date, and that the server can have it reviewed";

/// What the server answered, whatever its status.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Zeroizing<Vec<u8>>,
}

/// What was asked, as far as the meaning of a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A login: 400 and 403 refuse the credentials.
    Login,
    /// A list: 404 is how the server says that there is nothing in it.
    List,
    /// The health of the server: its statuses are its own.
    Health,
    /// All else.
    Other,
}

/// The response in `answer`, or what its status means.
///
/// # Errors
/// Every answer but a success, and a success that is not what the API promises.
pub fn judge(answer: &Answer, asked: Asked, unspoken: &Unspoken<'_>) -> Result<Response, Failure> {
    if answer.status.is_success() {
        return parse(&answer.body);
    }
    let body = Tree::from_json(&answer.body).ok();
    let said = message::of(body.as_ref(), unspoken);
    // With a word about it (no such mount, a path that is none) it is a mistake, not an empty list.
    if asked == Asked::List && answer.status == StatusCode::NOT_FOUND && body.is_some() && said.is_none() {
        return Ok(Response { data: Tree::map([("keys", Tree::list([]))]), ..Response::default() });
    }
    let (kind, meaning) = meaning(answer, asked, body.as_ref(), said.as_deref());
    // The server's own words where it has any that say more than the status.
    let why = match said {
        Some(said) if said == DENIED && asked == Asked::Login => format!("{meaning}: {said}; {LOGIN_HINT}"),
        Some(said) if said != meaning => format!("{meaning}: {said}"),
        _ => meaning.to_owned(),
    };
    Err(Failure::new(kind, format!("{why} ({})", answer.status.as_u16())))
}

fn parse(body: &[u8]) -> Result<Response, Failure> {
    // 204: done, and nothing to tell.
    if body.is_empty() {
        return Ok(Response::default());
    }
    let nonsense = |why: String| Failure::new(FailureKind::Nonsense, format!("the server's answer is {why}"));
    let tree = Tree::from_json(body).map_err(|error| nonsense(error.to_string()))?;
    Response::from_tree(&tree).map_err(|error| nonsense(format!("not what the API promises: {error}")))
}

fn meaning(
    answer: &Answer,
    asked: Asked,
    body: Option<&Tree>,
    said: Option<&str>,
) -> (FailureKind, &'static str) {
    use FailureKind as K;
    match answer.status.as_u16() {
        300..=399 => (K::Redirected, "a redirect that is not followed"),
        400 if speaks_tls(&answer.body) => {
            (K::Unreachable, "the server speaks TLS: vault.address needs https://")
        }
        400 | 401 | 403 | 404 | 405 if asked == Asked::Login => (K::Refused, "login refused"),
        // A proxy may have lost the server's refusal.
        408 | 502 | 504 if asked == Asked::Login => (K::Unheard, "a proxy on the way has no answer"),
        403 => (K::Denied, DENIED),
        404 => (K::Missing, gone(body)),
        408 => (K::Unavailable, "a proxy on the way gave up"),
        412 => (K::NotYet, "a standby has not caught up yet"),
        429 => (K::Overloaded(retry_after(&answer.headers)), "too many requests"),
        472 => (K::Unavailable, "a disaster recovery standby does not serve this"),
        473 => (K::Unavailable, "a performance standby does not serve this"),
        400..=499 => (K::Rejected, "the server does not take this request"),
        500 if said.is_some_and(|said| said.contains(NO_LEADER)) => {
            (K::Unavailable, "the cluster has no leader")
        }
        501 if asked == Asked::Health => (K::Unavailable, "the server is not initialised"),
        503 if answer.headers.contains_key(RETRY_AFTER) => {
            (K::Overloaded(retry_after(&answer.headers)), "the server asks to come later")
        }
        503 if is_sealed(body) => (K::Unavailable, "the server is sealed"),
        502..=504 => (K::Unavailable, "the server is not available"),
        500..=599 => (K::Fault, "the server failed at it"),
        _ => (K::Nonsense, "a status that the API does not have"),
    }
}

fn speaks_tls(body: &[u8]) -> bool {
    NOT_TLS.iter().any(|words| body.windows(words.len()).any(|part| part == *words))
}

/// A version of KV v2 that is deleted or destroyed still has its metadata.
fn gone(body: Option<&Tree>) -> &'static str {
    let metadata = body.and_then(|body| body.get("data")?.get("metadata"));
    let destroyed = metadata.and_then(|metadata| metadata.get("destroyed")?.as_bool());
    match (metadata, destroyed) {
        (Some(_), Some(true)) => "this version is destroyed",
        (Some(_), _) => "this version is deleted",
        (None, _) => "nothing there",
    }
}

/// As `sys/health` says it; other paths say it in words.
fn is_sealed(body: Option<&Tree>) -> bool {
    body.and_then(|body| body.get("sealed")?.as_bool()) == Some(true)
}

/// Seconds, or a date. A date counts from the answer's own `Date`: the two come from one clock,
/// while ours may be off.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(value).ok()?;
            let from = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
            until.duration_since(from).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn answer(status: u16, body: &str, headers: &[(HeaderName, &'static str)]) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: headers.iter().map(|(k, v)| (k.clone(), HeaderValue::from_static(v))).collect(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
        }
    }

    fn failure(status: u16, body: &str, asked: Asked) -> Failure {
        judge(&answer(status, body, &[]), asked, &Unspoken(Vec::new())).expect_err("a failure")
    }

    #[test]
    fn each_status_has_its_kind() {
        use FailureKind as K;
        for (status, kind) in [
            (307, K::Redirected),
            (400, K::Rejected),
            (403, K::Denied),
            (404, K::Missing),
            (405, K::Rejected),
            (412, K::NotYet),
            (429, K::Overloaded(None)),
            (472, K::Unavailable),
            (473, K::Unavailable),
            (500, K::Fault),
            (502, K::Unavailable),
            (503, K::Unavailable),
            (504, K::Unavailable),
        ] {
            for body in ["", "<html>", r#"{"errors":["x"]}"#] {
                assert_eq!(failure(status, body, Asked::Other).kind, kind, "{status} {body}");
            }
        }
        for status in [400, 403] {
            assert_eq!(failure(status, r#"{"errors":["bad role"]}"#, Asked::Login).kind, K::Refused);
        }
        assert_eq!(failure(501, "", Asked::Health).kind, K::Unavailable);
    }

    #[test]
    fn a_failure_carries_the_servers_words_and_never_another_body() {
        let denied =
            failure(403, r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#, Asked::Other);
        assert_eq!(denied.why, "permission denied (403)");
        let page = failure(502, "<html>hunter2</html>", Asked::Other);
        assert_eq!(page.why, "the server is not available (502)");
    }

    #[test]
    fn a_standby_without_a_leader_is_the_whole_server() {
        let body = format!(r#"{{"errors":["{NO_LEADER}"]}}"#);
        assert_eq!(failure(500, &body, Asked::Other).kind, FailureKind::Unavailable);
    }

    #[test]
    fn a_deleted_version_is_told_from_a_missing_path() {
        for (body, why) in [
            (r#"{"errors":[]}"#, "nothing there (404)"),
            (r#"{"data":{"data":null,"metadata":{"destroyed":false}}}"#, "this version is deleted (404)"),
            (r#"{"data":{"data":null,"metadata":{"destroyed":true}}}"#, "this version is destroyed (404)"),
        ] {
            assert_eq!(failure(404, body, Asked::Other).why, why);
        }
    }

    #[test]
    fn a_list_of_nothing_is_empty_and_one_of_no_mount_is_missing() {
        let list = |body| judge(&answer(404, body, &[]), Asked::List, &Unspoken(Vec::new()));
        let keys = list(r#"{"errors":[]}"#).expect("a list").data.get("keys").cloned();
        assert_eq!(keys, Some(Tree::list([])));
        for body in [r#"{"errors":["no handler for route"]}"#, "404 page not found", ""] {
            assert_eq!(list(body).map_err(|failure| failure.kind), Err(FailureKind::Missing), "{body}");
        }
    }

    #[test]
    fn plain_http_to_a_tls_port_is_explained() {
        for body in [
            "Client sent an HTTP request to an HTTPS server.\n",
            "<html><title>400 The plain HTTP request was sent to HTTPS port</title>",
        ] {
            let failure = failure(400, body, Asked::Login);
            assert_eq!(failure.kind, FailureKind::Unreachable);
            assert!(failure.why.contains("https://"), "{failure}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        const EIGHT: &str = "Sun, 06 Nov 1994 08:00:00 GMT";
        const NINE: &str = "Sun, 06 Nov 1994 08:00:09 GMT";
        let wait = |status, headers: &[_]| {
            let answer = answer(status, "", headers);
            judge(&answer, Asked::Other, &Unspoken(Vec::new())).expect_err("a failure").kind
        };
        let asked = |seconds| FailureKind::Overloaded(Some(Duration::from_secs(seconds)));
        assert_eq!(wait(429, &[(RETRY_AFTER, "7")]), asked(7));
        assert_eq!(wait(503, &[(RETRY_AFTER, "7")]), asked(7));
        assert_eq!(wait(429, &[(RETRY_AFTER, NINE), (DATE, EIGHT)]), asked(9));
        assert_eq!(wait(429, &[(RETRY_AFTER, EIGHT), (DATE, NINE)]), asked(0));
        assert_eq!(wait(429, &[(RETRY_AFTER, NINE)]), FailureKind::Overloaded(None));
        assert_eq!(wait(429, &[(RETRY_AFTER, "soon")]), FailureKind::Overloaded(None));
        assert_eq!(wait(429, &[(RETRY_AFTER, "999999999999")]), asked(3600));
    }

    #[test]
    fn what_is_not_the_apis_json_is_nonsense() {
        let deep = "[".repeat(100_000);
        for body in ["<html>", r#"{"lease_id":"a"#, "\u{0}", "[]", r#"{"lease_duration":"x"}"#, &deep] {
            let failure = judge(&answer(200, body, &[]), Asked::Other, &Unspoken(Vec::new()));
            assert_eq!(failure.expect_err("nonsense").kind, FailureKind::Nonsense);
        }
        assert!(judge(&answer(204, "", &[]), Asked::Other, &Unspoken(Vec::new())).is_ok());
    }
}
