//! What a JWT that the server refused says about itself: its audience, and from when to when it is good. Neither is a
//! secret, and a person would have to decode the token to see it.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// The length that is shown, enough for two names; a token may have any number of them.
const LONGEST: usize = 200;

/// Adds to the refusal of a login what `jwt` says about the reason. `now` is the time of this machine's clock.
pub(crate) fn explain(failure: Failure, jwt: &Secret, now: i64) -> Failure {
    if !matches!(failure.kind, FailureKind::Refused | FailureKind::Denied) {
        return failure;
    }
    let Some(fact) = Claims::of(jwt).and_then(|claims| claims.about(&failure.why, now)) else {
        return failure;
    };
    let why = match failure.why.split_once("; ").filter(|_| failure.advised) {
        Some((what, advice)) => format!("{what}, {fact}; {advice}"),
        None => format!("{}, {fact}", failure.why),
    };
    Failure { why, ..failure }
}

/// The claims of a token that may be shown.
struct Claims {
    audiences: Vec<String>,
    start: Option<i64>,
    end: Option<i64>,
}

impl Claims {
    fn of(jwt: &Secret) -> Option<Self> {
        let claims = jwt.expose().split(|byte| *byte == b'.').nth(1)?;
        let json = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?);
        let claims = Tree::from_json(&json).ok()?;
        let audiences = match claims.get("aud") {
            Some(Tree::List(list)) => list.iter().filter_map(Tree::as_str).map(shown).collect(),
            other => other.and_then(Tree::as_str).map(shown).into_iter().collect(),
        };
        let number = |name| match claims.get(name)? {
            Tree::Number(number) => number.expose_str()?.split(['.', 'e', 'E']).next()?.parse().ok(),
            _ => None,
        };
        // Some issuers set the one, some the other.
        let start: Option<i64> = number("nbf").max(number("iat"));
        Some(Self { audiences, start, end: number("exp") })
    }

    /// Returns the claim that is worth a word when the server said `why`.
    fn about(&self, why: &str, now: i64) -> Option<String> {
        let ours = |now| format!("this machine's clock says {}", utc(now));
        let of_time = ["(exp)", "(nbf)", "(iat)", "expired", "not valid yet"];
        match (self.start, self.end) {
            (_, Some(end)) if end <= now => {
                Some(format!("the token ended at {}, and {}", utc(end), ours(now)))
            }
            (Some(start), _) if start > now => {
                Some(format!("the token begins at {}, and {}: compare the clocks", utc(start), ours(now)))
            }
            (Some(start), Some(end)) if of_time.iter().any(|word| why.contains(word)) => Some(format!(
                "the token is good from {} to {}, and {}: compare it with the server's",
                utc(start),
                utc(end),
                ours(now)
            )),
            _ if why.contains("audience") && !self.audiences.is_empty() => {
                Some(format!("the token is for `{}`", cut(self.audiences.join("`, `"))))
            }
            _ => None,
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).collect()
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Returns a time as logs write it. Years beyond 9999 have no such spelling.
fn utc(seconds: i64) -> String {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn why(claims: &str, kind: FailureKind, why: &str) -> String {
        let jwt = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims));
        explain(Failure::new(kind, why), &Secret::from(jwt), NOW).why
    }

    fn refused(claims: &str, said: &str) -> String {
        why(claims, FailureKind::Refused, said)
    }

    #[test]
    fn the_audience_of_a_refused_token_is_shown() {
        let said = "login refused: invalid audience (aud) claim (400)";
        assert_eq!(
            refused(r#"{"aud":["a","b"],"exp":1800000000}"#, said),
            format!("{said}, the token is for `a`, `b`")
        );
        assert_eq!(refused(r#"{"aud":"a\u001b[31m"}"#, said), format!("{said}, the token is for `a[31m`"));
        assert_eq!(refused(r#"{"aud":"a"}"#, "no such role"), "no such role");
        let long = refused(&format!(r#"{{"aud":"{}"}}"#, "x".repeat(9000)), said);
        assert!(long.len() < 400, "{}", long.len());
    }

    #[test]
    fn both_times_of_a_clock_that_is_off_are_shown() {
        assert_eq!(
            refused(r#"{"exp":1699999000}"#, "permission denied"),
            "permission denied, the token ended at 2023-11-14T21:56:40Z, and this machine's clock says 2023-11-14T22:13:20Z"
        );
        assert_eq!(
            refused(r#"{"nbf":1700003600.5,"exp":1700007200}"#, "no"),
            "no, the token begins at 2023-11-14T23:13:20Z, and this machine's clock says 2023-11-14T22:13:20Z: compare the clocks"
        );
        assert_eq!(
            refused(r#"{"iat":1699999990,"exp":1700007200}"#, "token is not valid yet (nbf)"),
            "token is not valid yet (nbf), the token is good from 2023-11-14T22:13:10Z to 2023-11-15T00:13:20Z, and this machine's clock says 2023-11-14T22:13:20Z: compare it with the server's"
        );
    }

    #[test]
    fn what_is_no_refusal_or_no_token_is_left_as_it_is() {
        assert_eq!(why(r#"{"exp":1}"#, FailureKind::Unreachable, "away"), "away");
        for jwt in ["", "a", "a.b.c", "a.e30.c", "a.W10.c", "a.\u{ff}.c"] {
            let failure = Failure::new(FailureKind::Refused, "expired");
            assert_eq!(explain(failure, &Secret::from(jwt), NOW).why, "expired", "{jwt:?}");
        }
    }

    #[test]
    fn advice_stays_at_the_end() {
        let jwt = format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1}"#));
        let failure = Failure::advised(FailureKind::Refused, "permission denied (403); check auth.mount");
        let why = explain(failure, &Secret::from(jwt), 2).why;
        assert!(
            why.starts_with("permission denied (403), the token ended at 1970-01-01T00:00:01Z, and"),
            "{why}"
        );
        assert!(why.ends_with("; check auth.mount"), "{why}");
    }
}
