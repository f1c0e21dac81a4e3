//! What went wrong with a request, in the few classes the core decides by.

use std::fmt;
use std::time::Duration;

/// What is said of a path that does not exist.
pub const NOTHING: &str = "nothing there";

/// Why a request brought nothing. The kind is for the core, the text for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it means.
    pub kind: FailureKind,
    /// One line, lowercase, that fits behind "could not read secret/web: ". It carries the
    /// server's own message where there is one, never a value, a token or a body.
    pub why: String,
    /// `why` ends with what to do about it, as those about connections do ("it refuses the connection; is the
    /// server up, and is the port right?"): of two hints only one fits.
    pub advised: bool,
}

/// The classes of failure, from Vault's documented status codes and what servers really do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It never got there: refused, no route, TLS not trusted.
    Unreachable,
    /// It may have got there, and no answer came: broken off, timed out.
    Unheard,
    /// The server's own 503 and what it stands for: sealed, no leader, a standby that does not serve.
    Unavailable,
    /// A proxy, or whatever else is in between, answered for the server: proof of nothing but that.
    Intercepted,
    /// 429, or 503 with `Retry-After`: asked to come later, and when.
    Overloaded(Option<Duration>),
    /// 500 and what it stands for: a fault of this path or plugin, not of the whole server.
    Fault,
    /// 412: a standby that has not caught up; asked again with the usual backoff.
    NotYet,
    /// 403: a dead token or a policy; the core finds out which.
    Denied,
    /// 400 and 403 on a login: the credentials or the role are refused.
    Refused,
    /// 404, or a KV v2 version that is deleted or destroyed.
    Missing,
    /// 400 elsewhere: on renewal "lease not found", or a request the engine does not take.
    Rejected,
    /// An answer that is not what the API promises: truncated, too large, too deep, wrong types.
    Nonsense,
    /// A redirect to a host or a scheme that is not allowed.
    Redirected,
    /// Our own side: a JWT file that is missing or empty, which may come, or a path that must not be sent.
    Local,
    /// Our own side: credentials that are there and cannot be used, such as a file that we may not read. Waiting does
    /// not help.
    Unusable,
}

impl FailureKind {
    /// Whether it says that the server as a whole is away.
    #[must_use]
    pub fn is_outage(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Unheard | Self::Unavailable | Self::Intercepted | Self::Overloaded(_)
        )
    }

    /// One word for it, for metrics and status.
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
    /// A failure of `kind`, told by `why`.
    pub fn new(kind: FailureKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), advised: false }
    }

    /// A failure of `kind`, told by `why`, which says what to do about it too.
    pub fn advised(kind: FailureKind, why: impl Into<String>) -> Self {
        Self { advised: true, ..Self::new(kind, why) }
    }

    /// The hint for a person: `general`, where the reason itself has none that is closer.
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
