//! What an answer means: a response, or a failure of the right kind.
//!
//! The first question is whose answer it is. What stands between us and the server (an ingress, a mesh, a load
//! balancer) answers for it on a bad day, with any status. Such an answer proves nothing about a credential, a token,
//! a lease or a path. `body` tells the API's own answers from all others, `rules` has the table of failures, and
//! `success` says what a success has to bring.

use std::time::Duration;

use http::StatusCode;
use http::header::{DATE, HeaderMap, RETRY_AFTER};
use zeroize::Zeroizing;

use super::message;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::tree::Tree;

mod body;
mod rules;
mod success;

use body::Body;
use rules::{DENIED, PROXIED};

pub use super::message::Unspoken;
pub use rules::{RULES, Rule, Sign};

/// The longest `Retry-After` that is believed. The core waits for much less.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What to check after "permission denied" on a login, which may also mean that there is no such mount. Further
/// advice depends on the method ([`AuthPlan::advice_where_denied`](crate::settings::AuthPlan::advice_where_denied)).
pub(super) const LOGIN_HINT: &str = "check auth.mount, and that the credential is in date";

/// What to do about a proxy that answers.
pub const PROXY_HINT: &str = "check what is in front of the server, and vault.address";

/// What the server answered, whatever its status.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of its body.
    pub body: Zeroizing<Vec<u8>>,
}

/// The question, as far as the meaning of an answer depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A login: 400 and 403 refuse the credentials.
    Login,
    /// The content of a wrapping token, or what made it: refused as a login is.
    Unwrap,
    /// A secret.
    Read,
    /// A list: 404 is how the server says that there is nothing in it.
    List,
    /// A write by a template: "no content" is an answer.
    Write,
    /// The engine behind a path.
    Mounts,
    /// The wrapping of a token.
    Wrap,
    /// The renewal of a lease.
    Renew,
    /// The renewal of the token.
    RenewSelf,
    /// The look-up of the token.
    LookUp,
    /// The revocation of a lease or a token.
    Revoke,
    /// The health of the server: its statuses are its own.
    Health,
}

impl Asked {
    /// All kinds of questions.
    pub const ALL: [Self; 12] = [
        Self::Login,
        Self::Unwrap,
        Self::Read,
        Self::List,
        Self::Write,
        Self::Mounts,
        Self::Wrap,
        Self::Renew,
        Self::RenewSelf,
        Self::LookUp,
        Self::Revoke,
        Self::Health,
    ];

    /// Returns its name in a message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "a login",
            Self::Unwrap => "an unwrapping",
            Self::Read => "a read",
            Self::List => "a list",
            Self::Write => "a write",
            Self::Mounts => "a question about a mount",
            Self::Wrap => "a wrapping",
            Self::Renew => "a lease's renewal",
            Self::RenewSelf => "a token's renewal",
            Self::LookUp => "a token's look-up",
            Self::Revoke => "a revocation",
            Self::Health => "a question about the server's health",
        }
    }
}

/// Returns the response in `answer`, or what its status means.
///
/// # Errors
/// Every answer but a success, and a success that is not what the API promises.
pub fn judge(answer: &Answer, asked: Asked, unspoken: &Unspoken<'_>) -> Result<Response, Failure> {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return success::read(status, &answer.body, asked);
    }
    let tree = Tree::from_json(&answer.body).ok();
    let body = Body::of(&answer.body, tree.as_ref(), asked);
    let later = answer.headers.contains_key(RETRY_AFTER);
    let Some(rule) = rules::find(status, asked, later, &body) else {
        let why = format!("a status that the API does not have ({status})");
        return Err(Failure::new(FailureKind::Nonsense, why));
    };
    let kind = match rule.means {
        None => return Ok(Response { data: Tree::map([("keys", Tree::list([]))]), ..Response::default() }),
        Some(FailureKind::Overloaded(_)) => FailureKind::Overloaded(retry_after(&answer.headers)),
        Some(kind) => kind,
    };
    // A redirect has a page in any case, and a listener's words about TLS say what to do.
    if !body.is_own() && status >= 400 && body != Body::Tls {
        return Err(page(kind, status, body));
    }
    let said = body.is_own().then(|| message::of(tree.as_ref(), unspoken)).flatten();
    let (meaning, mend) = rule.why.split_once("; ").unwrap_or((rule.why, ""));
    // "Permission denied" on a login may mean more than it says.
    let unclear = asked == Asked::Login && said.as_deref() == Some(DENIED);
    let what = format!("{} ({status})", in_words(meaning, said));
    Err(match if unclear { LOGIN_HINT } else { mend } {
        "" => Failure::new(kind, what),
        mend => Failure::advised(kind, format!("{what}; {mend}")),
    })
}

/// Makes the failure for an answer that something else gave. Nothing of it is quoted.
fn page(kind: FailureKind, status: u16, body: Body) -> Failure {
    Failure::advised(kind, proxied(status, body.name()))
}

fn proxied(status: u16, body: &str) -> String {
    format!("{PROXIED}: {status} with {body}; {PROXY_HINT}")
}

/// Returns the server's own words if they say more than the status.
fn in_words(meaning: &str, said: Option<String>) -> String {
    match said {
        Some(said) if said != meaning => format!("{meaning}: {said}"),
        _ => meaning.to_owned(),
    }
}

/// Returns the pause of a `Retry-After`, which is in seconds, or a date. A date counts from the answer's own `Date`:
/// both come from one clock, while ours may be off.
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

    /// Answers of what stands in front of a server, and JSON that looks like the API's but is not.
    const PAGES: [&str; 12] = [
        "",
        "<html><title>404 Not Found</title>",
        "default backend - 404",
        "RBAC: access denied",
        "{\"errors\":[",
        "{}",
        "null",
        "[]",
        r#"{"message":"no Route matched with those values"}"#,
        r#"{"errors":"x"}"#,
        r#"{"success":false,"errors":[{"code":1020,"message":"x"}]}"#,
        r#"{"initialized":"x","sealed":true}"#,
    ];

    #[test]
    fn each_status_of_the_api_has_its_kind() {
        use FailureKind as K;
        for (status, kind) in [
            (307, K::Redirected),
            (400, K::Rejected),
            (403, K::Denied),
            (404, K::Missing),
            (405, K::Rejected),
            (408, K::Unavailable),
            (412, K::NotYet),
            (413, K::Rejected),
            (429, K::Overloaded(None)),
            (472, K::Unavailable),
            (473, K::Unavailable),
            (500, K::Fault),
            (502, K::Unavailable),
            (503, K::Unavailable),
            (504, K::Unavailable),
        ] {
            let envelope = r#"{"request_id":"1","data":null,"warnings":["x"]}"#;
            for body in [r#"{"errors":["x"]}"#, r#"{"errors":[]}"#, envelope] {
                assert_eq!(failure(status, body, Asked::Read).kind, kind, "{status} {body}");
            }
        }
        for (status, asked) in [(400, Asked::Login), (403, Asked::Login), (400, Asked::Unwrap)] {
            assert_eq!(failure(status, r#"{"errors":["bad role"]}"#, asked).kind, K::Refused);
        }
        let health = r#"{"initialized":true,"sealed":true}"#;
        for status in [429, 472, 473, 501, 503] {
            assert!(failure(status, health, Asked::Health).kind.is_outage(), "{status}");
        }
        assert_eq!(failure(503, health, Asked::Health).why, "the server is sealed (503); unseal it");
        assert_eq!(
            failure(503, r#"{"errors":["Vault is sealed"]}"#, Asked::Read).why,
            "the server is sealed: Vault is sealed (503); unseal it"
        );
    }

    #[test]
    fn a_page_is_an_outage_whatever_its_status_and_whatever_was_asked() {
        for status in (400..600).filter(|status| *status != 429) {
            for (body, asked) in PAGES.iter().flat_map(|body| Asked::ALL.map(|asked| (body, asked))) {
                let failure = failure(status, body, asked);
                let lost = matches!(asked, Asked::Login | Asked::Unwrap) && [408, 502, 504].contains(&status);
                let kind = if lost { FailureKind::Unheard } else { FailureKind::Intercepted };
                assert_eq!(failure.kind, kind, "{status} {body} {asked:?}");
                let head = format!("a proxy answered for Vault: {status} with ");
                assert!(failure.why.starts_with(&head) && failure.advised, "{failure}");
                assert!(!failure.why.contains("denied") && !failure.why.contains("1020"), "{failure}");
            }
        }
        assert_eq!(failure(429, "<html>", Asked::Read).kind, FailureKind::Overloaded(None));
    }

    #[test]
    fn a_success_has_to_bring_what_was_asked_for() {
        let health = r#"{"initialized":true,"sealed":false}"#;
        for asked in Asked::ALL {
            for body in PAGES.iter().chain(&[r#"{"data":null}"#, r#"{"sealed":true}"#]) {
                let failure = failure(200, body, asked);
                let revokes = asked == Asked::Revoke;
                let kind = if revokes { FailureKind::Intercepted } else { FailureKind::Nonsense };
                assert_eq!(failure.kind, kind, "{body} {asked:?}");
                assert!(!failure.why.contains("access denied"), "{failure}");
            }
            let nothing = judge(&answer(204, "", &[]), asked, &Unspoken(Vec::new()));
            assert_eq!(nothing.is_ok(), matches!(asked, Asked::Write | Asked::Revoke), "{asked:?}");
            let health = judge(&answer(200, health, &[]), asked, &Unspoken(Vec::new()));
            assert_eq!(health.is_ok(), asked == Asked::Health, "{asked:?}");
        }
        for (asked, body) in [
            (Asked::Login, r#"{"auth":{"client_token":"s.x"}}"#),
            (Asked::Login, r#"{"wrap_info":{"token":"s.x"}}"#),
            (Asked::Unwrap, r#"{"data":{"secret_id":"x"}}"#),
            (Asked::Read, r#"{"data":{}}"#),
            (Asked::List, r#"{"data":{"keys":[]}}"#),
            (Asked::Write, r#"{"request_id":"1","data":null}"#),
            (Asked::Write, r#"{"data":{"a":1}}"#),
            (Asked::Mounts, r#"{"data":{"path":"secret/"}}"#),
            (Asked::Wrap, r#"{"wrap_info":{"token":"s.x"}}"#),
            (Asked::Renew, r#"{"lease_id":"a","lease_duration":0,"data":null}"#),
            (Asked::RenewSelf, r#"{"auth":{"lease_duration":60}}"#),
            (Asked::LookUp, r#"{"data":{"ttl":0}}"#),
            (Asked::Revoke, r#"{"request_id":"1"}"#),
        ] {
            let response = judge(&answer(200, body, &[]), asked, &Unspoken(Vec::new()));
            assert!(response.is_ok(), "{asked:?} {body}");
        }
    }

    #[test]
    fn a_server_that_is_sealed_says_so_with_any_status() {
        let failure = failure(200, r#"{"initialized":true,"sealed":true}"#, Asked::Health);
        assert_eq!(
            (failure.kind, failure.why.as_str()),
            (FailureKind::Unavailable, "the server is sealed (200)")
        );
    }

    #[test]
    fn fields_of_nothing_are_a_deleted_version() {
        let body = r#"{"data":{"data":null,"metadata":{"version":2,"created_time":"2026-01-01T00:00:00Z"}}}"#;
        assert_eq!(failure(200, body, Asked::Read).kind, FailureKind::Missing);
        let empty = body.replace("null", "{}");
        assert!(judge(&answer(200, &empty, &[]), Asked::Read, &Unspoken(Vec::new())).is_ok());
    }

    #[test]
    fn a_failure_carries_the_servers_words_and_never_another_body() {
        let denied =
            failure(403, r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#, Asked::Read);
        assert_eq!(denied.why, "permission denied (403)");
        for (body, what) in [
            ("<html>hunter2</html>", "an HTML page"),
            ("", "no body"),
            ("hunter2", "a text"),
            (r#"{"errors":["hunter2",{"a":"hunter2"}]}"#, "JSON that is not the API's"),
        ] {
            let page = failure(502, body, Asked::Read).why;
            let hint = "check what is in front of the server, and vault.address";
            assert_eq!(page, format!("a proxy answered for Vault: 502 with {what}; {hint}"));
        }
    }

    #[test]
    fn a_standby_without_a_leader_is_the_whole_server() {
        let body = r#"{"errors":["local node not active but active cluster node not found"]}"#;
        assert_eq!(failure(500, body, Asked::Read).kind, FailureKind::Unavailable);
    }

    #[test]
    fn a_deleted_version_is_told_from_a_missing_path() {
        for (body, why) in [
            (r#"{"errors":[]}"#, "nothing there (404)"),
            (
                r#"{"data":{"data":null,"metadata":{"destroyed":false}}}"#,
                "this version is deleted (404); restore it (bao kv undelete), or write a new one",
            ),
            (
                r#"{"data":{"data":null,"metadata":{"destroyed":true}}}"#,
                "this version is destroyed (404); write a new one",
            ),
        ] {
            assert_eq!(failure(404, body, Asked::Read).why, why);
        }
    }

    #[test]
    fn a_list_of_nothing_is_empty_and_one_of_no_mount_is_missing() {
        let list = |body| judge(&answer(404, body, &[]), Asked::List, &Unspoken(Vec::new()));
        let keys = list(r#"{"errors":[]}"#).expect("a list").data.get("keys").cloned();
        assert_eq!(keys, Some(Tree::list([])));
        let kind = |body| list(body).map_err(|failure| failure.kind);
        assert_eq!(kind(r#"{"errors":["no handler for route"]}"#), Err(FailureKind::Missing));
        for body in ["404 page not found", ""] {
            assert_eq!(kind(body), Err(FailureKind::Intercepted), "{body}");
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
            judge(&answer, Asked::Read, &Unspoken(Vec::new())).expect_err("a failure").kind
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
            assert_eq!(failure(200, body, Asked::Read).kind, FailureKind::Nonsense);
        }
    }
}
