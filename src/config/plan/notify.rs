//! Whom to tell of a change, and how.

use std::path::PathBuf;
use std::time::Duration;

use super::OnInit;

/// Someone to tell of a new generation.
#[derive(Debug, Clone)]
pub struct NotifierPlan {
    /// Its name in the configuration.
    pub name: String,
    /// How it is told.
    pub how: Notifier,
    /// Whether it is notified of the first generation, which nothing was before.
    pub on_first: bool,
    /// Whether `init` notifies it, too; none where the configuration does not say, which means no.
    pub on_init: Option<OnInit>,
}

/// How someone is told.
#[derive(Debug, Clone)]
pub enum Notifier {
    /// A signal to a process, found afresh each time.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Who gets it.
        target: ProcessTarget,
        /// The longest random delay before, to spread many pods.
        splay: Duration,
    },
    /// A command without a shell, in a clean environment.
    Command {
        /// Program and arguments, at least one.
        command: Vec<String>,
        /// It is killed after this.
        timeout: Duration,
        /// As above.
        splay: Duration,
    },
    /// An HTTP POST; any 2xx is success.
    Http {
        /// Where to.
        url: url::Url,
        /// For the whole exchange.
        timeout: Duration,
        /// As above.
        splay: Duration,
    },
}

impl Notifier {
    /// The longest random delay before telling.
    #[must_use]
    pub fn splay(&self) -> Duration {
        match self {
            Self::Signal { splay, .. } | Self::Command { splay, .. } | Self::Http { splay, .. } => *splay,
        }
    }
}

/// How a process is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessTarget {
    /// By name: the command's last path component, or the kernel's `comm` (cut at 15 bytes).
    Name(String),
    /// By the number in a file.
    PidFile(PathBuf),
    /// By a regular expression over the command line, arguments joined by one space.
    CommandLine(String),
}
