//! Exit codes (sysexits) and the last line on standard error: what, where, why, what to do.

use std::fmt;
use std::process::ExitCode;

/// Returns whether we run in a pod. The kubelet gives every container the address of the API server, and this function
/// checks for it. The advice about a folder or a process is not the same in a pod as on a machine.
#[must_use]
pub fn in_a_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Why a command ends. Each cause has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// 64: the command line.
    Usage,
    /// 65: a template failed on its data.
    Template,
    /// 66: a path does not exist, or has no such key.
    Missing,
    /// 69: Vault unreachable, sealed, overloaded or redirecting elsewhere until the deadline.
    Unavailable,
    /// 70: a bug in Leasehold.
    Bug,
    /// 71: the kernel or the container runtime refuses what every run needs.
    System,
    /// 73: a destination cannot be written, or is not tmpfs where it must be.
    Destination,
    /// 75: the deadline was reached for another cause.
    Deadline,
    /// 77: login refused, or a path denied.
    Denied,
    /// 78: configuration or template syntax.
    Config,
    /// 126: the process of `exec` cannot be run.
    NotExecutable,
    /// 127: there is no such program.
    NotFound,
}

impl Cause {
    /// Every cause, in the order of the codes.
    pub const ALL: [Self; 12] = [
        Self::Usage,
        Self::Template,
        Self::Missing,
        Self::Unavailable,
        Self::Bug,
        Self::System,
        Self::Destination,
        Self::Deadline,
        Self::Denied,
        Self::Config,
        Self::NotExecutable,
        Self::NotFound,
    ];

    /// Returns what the exit code means, for the help and the reference.
    #[must_use]
    pub const fn means(self) -> &'static str {
        match self {
            Self::Usage => "the command line",
            Self::Template => "a template failed on its data",
            Self::Missing => "a path or key does not exist",
            Self::Unavailable => {
                "Vault unreachable, sealed or overloaded until the deadline; or no daemon answers"
            }
            Self::Bug => "a bug in Leasehold",
            Self::System => "the kernel or the container runtime refuses what every run needs",
            Self::Destination => "a destination cannot be written, or is not on a tmpfs",
            Self::Deadline => "the deadline was reached for another cause",
            Self::Denied => "login refused, or a path denied",
            Self::Config => "configuration or template syntax",
            Self::NotExecutable => "`exec`: the program cannot be run",
            Self::NotFound => "`exec`: there is no such program",
        }
    }

    /// Returns the exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Template => 65,
            Self::Missing => 66,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::System => 71,
            Self::Destination => 73,
            Self::Deadline => 75,
            Self::Denied => 77,
            Self::Config => 78,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }

    /// Returns one word for the cause, for metrics and status.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Template => "template",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
            Self::Bug => "bug",
            Self::System => "system",
            Self::Destination => "destination",
            Self::Deadline => "deadline",
            Self::Denied => "denied",
            Self::Config => "config",
            Self::NotExecutable => "not_executable",
            Self::NotFound => "not_found",
        }
    }
}

/// The end of a command that failed. It is the last line on standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The cause, which gives the exit code.
    pub cause: Cause,
    /// What failed and where: one lowercase line that names the file or the path, and never a value.
    pub what: String,
    /// What to do about it, in the imperative; empty if `what` says it already.
    pub hint: String,
}

impl Ending {
    /// Makes an ending for `cause`.
    pub fn new(cause: Cause, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { cause, what: what.into(), hint: hint.into() }
    }

    /// Returns what failed and what to do about it, in one line.
    #[must_use]
    pub fn words(&self) -> String {
        if self.hint.is_empty() { self.what.clone() } else { format!("{}; {}", self.what, self.hint) }
    }

    /// Returns the exit code of the process.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.cause.code())
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leasehold: {}", self.words())
    }
}

impl std::error::Error for Ending {}
