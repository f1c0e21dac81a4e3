//! The table of failures: what a status means, depending on whose answer it is and what was asked.

use Asked::{List, Login, Unwrap};

use super::Asked;
use super::body::Body;
use leasehold_base::failure::{FailureKind as K, NOTHING};

/// The server's whole answer to most refusals.
pub(super) const DENIED: &str = "permission denied";

/// The head of every message about a page.
pub(super) const PROXIED: &str = "a proxy answered for Vault";

/// One line of the table. The first line that fits decides.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// From the first status to the last.
    pub statuses: (u16, u16),
    /// What the answer has to look like.
    pub sign: Sign,
    /// The questions that it holds for; for all if there are none.
    pub asked: &'static [Asked],
    /// What it means; `None` if it is a good answer after all.
    pub means: Option<K>,
    /// The same in words.
    pub why: &'static str,
}

/// What a rule checks besides the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Nothing.
    Any,
    /// The body is what a TLS listener says to plain HTTP.
    Tls,
    /// The body is not the API's.
    Page,
    /// There is a `Retry-After`.
    Later,
    /// The API's, which says that there is no leader.
    NoLeader,
    /// The API's, which says that the server is sealed.
    Sealed,
    /// The metadata of a KV v2 version that is deleted.
    Deleted,
    /// The metadata of a KV v2 version that is destroyed.
    Destroyed,
    /// The API's, without a word.
    Silent,
}

impl Sign {
    /// Returns its words in the documentation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "whatever it is",
            Self::Tls => "\"HTTP request to an HTTPS server\"",
            Self::Page => "not the API's: a page, a text, other JSON, nothing",
            Self::Later => "whatever it is, with `Retry-After`",
            Self::NoLeader => "the API's: no active node",
            Self::Sealed => "the API's: sealed",
            Self::Deleted => "the metadata of a deleted version",
            Self::Destroyed => "the metadata of a destroyed version",
            Self::Silent => "the API's: `{\"errors\":[]}`",
        }
    }

    fn is_on(self, later: bool, body: &Body) -> bool {
        match self {
            Self::Any => true,
            Self::Tls => *body == Body::Tls,
            Self::Page => !body.is_own(),
            Self::Later => later,
            Self::NoLeader => *body == Body::NoLeader,
            Self::Sealed => *body == Body::Sealed,
            Self::Deleted => *body == Body::Deleted,
            Self::Destroyed => *body == Body::Destroyed,
            Self::Silent => *body == Body::Silent,
        }
    }
}

const fn rule(
    statuses: (u16, u16),
    sign: Sign,
    asked: &'static [Asked],
    means: Option<K>,
    why: &'static str,
) -> Rule {
    Rule { statuses, sign, asked, means, why }
}

const fn one(status: u16) -> (u16, u16) {
    (status, status)
}

/// The questions whose credentials, or wrapping token, may be refused.
const CREDENTIALS: &[Asked] = &[Login, Unwrap];

/// A proxy may have lost the server's refusal, or the wrapping that it opened.
const UNHEARD: Option<K> = Some(K::Unheard);

/// All rules. Every status of HTTP from 300 on is in one.
pub const RULES: &[Rule] = &[
    rule((300, 399), Sign::Any, &[], Some(K::Redirected), "a redirect that is not followed"),
    rule(
        one(400),
        Sign::Tls,
        &[],
        Some(K::Unreachable),
        "the server speaks TLS; write https:// in vault.address",
    ),
    rule(one(408), Sign::Any, CREDENTIALS, UNHEARD, "a proxy on the way has no answer"),
    rule(one(502), Sign::Any, CREDENTIALS, UNHEARD, "a proxy on the way has no answer"),
    rule(one(504), Sign::Any, CREDENTIALS, UNHEARD, "a proxy on the way has no answer"),
    rule(one(429), Sign::Any, &[], Some(K::Overloaded(None)), "too many requests"),
    rule(one(503), Sign::Later, &[], Some(K::Overloaded(None)), "the server asks to come later"),
    // From here on, only the API's own answers are left.
    rule((400, 599), Sign::Page, &[], Some(K::Intercepted), PROXIED),
    rule((400, 401), Sign::Any, CREDENTIALS, Some(K::Refused), "login refused"),
    rule((403, 405), Sign::Any, CREDENTIALS, Some(K::Refused), "login refused"),
    rule(one(403), Sign::Any, &[], Some(K::Denied), DENIED),
    rule(one(404), Sign::Silent, &[List], None, "nothing in it"),
    rule(one(404), Sign::Destroyed, &[], Some(K::Missing), "this version is destroyed; write a new one"),
    rule(
        one(404),
        Sign::Deleted,
        &[],
        Some(K::Missing),
        "this version is deleted; restore it (bao kv undelete), or write a new one",
    ),
    rule(one(404), Sign::Any, &[], Some(K::Missing), NOTHING),
    rule(one(408), Sign::Any, &[], Some(K::Unavailable), "a proxy on the way gave up"),
    rule(one(412), Sign::Any, &[], Some(K::NotYet), "a standby has not caught up yet"),
    rule(one(472), Sign::Any, &[], Some(K::Unavailable), "a disaster recovery standby does not serve this"),
    rule(one(473), Sign::Any, &[], Some(K::Unavailable), "a performance standby does not serve this"),
    rule((400, 499), Sign::Any, &[], Some(K::Rejected), "the server does not take this request"),
    rule(one(500), Sign::NoLeader, &[], Some(K::Unavailable), "the cluster has no leader"),
    rule(
        one(501),
        Sign::Any,
        &[Asked::Health],
        Some(K::Unavailable),
        "the server is not initialised; check vault.address, or initialise it (bao operator init)",
    ),
    rule(one(503), Sign::Sealed, &[], Some(K::Unavailable), "the server is sealed; unseal it"),
    rule((502, 504), Sign::Any, &[], Some(K::Unavailable), "the server is not available"),
    rule((500, 599), Sign::Any, &[], Some(K::Fault), "the server failed at it"),
];

/// Returns the rule for an answer; `None` for a status that the API does not have.
pub(super) fn find(status: u16, asked: Asked, later: bool, body: &Body) -> Option<&'static Rule> {
    RULES.iter().find(|rule| {
        (rule.statuses.0..=rule.statuses.1).contains(&status)
            && (rule.asked.is_empty() || rule.asked.contains(&asked))
            && rule.sign.is_on(later, body)
    })
}
