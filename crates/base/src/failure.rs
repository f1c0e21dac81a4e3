//! What went wrong with a request, in the few classes that the core decides by.

use std::fmt;
use std::time::Duration;

/// What is said of a path that does not exist.
pub const NOTHING: &str = "nothing there";

/// Why a request failed. The kind is for the core, the text for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class of the failure.
    pub kind: FailureKind,
    /// One lowercase line that fits behind "could not read secret/web: ". It has the
    /// server's own message if there is one, and never a value, a token or a body.
    pub why: String,
    /// True if `why` ends with what to do about it, as the texts about connections do ("it refuses the connection; is the
    /// server up, and is the port right?"). A second, general hint would not fit then.
    pub advised: bool,
    /// True if it is about our own credentials, so that it says nothing of the store that they are for.
    pub by_us: bool,
}

/// The classes of failure, by Vault's documented status codes and by what servers really do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The request did not reach the server: connection refused, no route, TLS not trusted.
    Unreachable,
    /// The request may have reached the server, and no answer came: connection broken, timeout.
    Unheard,
    /// The server's own 503 and its equivalents: sealed, no leader, a standby that does not serve.
    Unavailable,
    /// A proxy or something else on the way answered in the server's place. The answer says nothing about the server.
    Intercepted,
    /// 429, or 503 with `Retry-After`: the server asks for a later retry, and may say when.
    Overloaded(Option<Duration>),
    /// 500 and its equivalents: a fault of this path or plugin, not of the whole server.
    Fault,
    /// 412: a standby that has not caught up. The request is retried with the usual backoff.
    NotYet,
    /// 403: the token is dead, or a policy denies the path. Leasehold finds out which.
    Denied,
    /// 400 or 403 on a login: the credentials or the role are refused.
    Refused,
    /// 404, or a KV v2 version that is deleted or destroyed.
    Missing,
    /// 400 elsewhere: "lease not found" on a renewal, or a request that the secrets engine refuses.
    Rejected,
    /// An answer that breaks the API: truncated, too large, too deep, wrong types.
    Nonsense,
    /// A redirect to a host or a scheme that is not allowed.
    Redirected,
    /// A fault on our own side: a JWT file that is missing or empty, which may come, or a path that must not be sent.
    Local,
    /// Our own side: credentials that are there and cannot be used, such as a file that we may not read. Waiting does
    /// not help.
    Unusable,
}

impl FailureKind {
    /// Returns whether the failure means that the server as a whole is unavailable.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Unheard | Self::Unavailable | Self::Intercepted | Self::Overloaded(_)
        )
    }

    /// Returns one word for the class, for metrics and status.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Unheard => "unreachable",
            Self::Unavailable | Self::Intercepted => "unavailable",
            Self::Overloaded(_) => "overloaded",
            Self::Fault => "fault",
            Self::NotYet => "not_yet",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Rejected => "rejected",
            Self::Nonsense => "nonsense",
            Self::Redirected => "redirected",
            Self::Local | Self::Unusable => "local",
        }
    }
}

impl Failure {
    /// Makes a failure of `kind` with the text `why`.
    pub fn new(kind: FailureKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), advised: false, by_us: false }
    }

    /// Makes a failure of `kind` whose text `why` also says what to do about it.
    pub fn advised(kind: FailureKind, why: impl Into<String>) -> Self {
        Self { advised: true, ..Self::new(kind, why) }
    }

    /// Returns the hint for a person: `general`, or nothing if the text itself has a more specific one.
    #[must_use]
    pub fn hint(&self, general: &'static str) -> &'static str {
        if self.advised { "" } else { general }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failure {}
