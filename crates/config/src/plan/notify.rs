//! The notifiers of a plan.

use std::path::PathBuf;
use std::time::Duration;

use super::OnInit;

/// A notifier: something that is notified of a new generation.
#[derive(Debug, Clone)]
pub struct NotifierPlan {
    /// The name in the configuration.
    pub name: String,
    /// The kind of its notification.
    pub how: Notifier,
    /// True if it is notified of the first generation, before which there was none.
    pub on_first: bool,
    /// Says whether `init` notifies it, too. `None` if the configuration does not say, which means no.
    pub on_init: Option<OnInit>,
}

/// The kind of a notification.
#[derive(Debug, Clone)]
pub enum Notifier {
    /// A signal to a process, found afresh each time.
    Signal {
        /// The signal's number.
        signal: i32,
        /// The process that gets it.
        target: ProcessTarget,
        /// The longest random delay before, to spread many pods.
        splay: Duration,
    },
    /// A command without a shell, in a clean environment.
    Command {
        /// The program and its arguments, at least one word.
        command: Vec<String>,
        /// It is killed after this.
        timeout: Duration,
        /// The longest random delay before, as above.
        splay: Duration,
    },
    /// An HTTP POST; any 2xx is success.
    Http {
        /// The URL to post to.
        url: url::Url,
        /// The time limit of the whole exchange.
        timeout: Duration,
        /// The longest random delay before, as above.
        splay: Duration,
    },
}

impl Notifier {
    /// Returns the longest random delay before a notification.
    #[must_use]
    pub fn splay(&self) -> Duration {
        match self {
            Self::Signal { splay, .. } | Self::Command { splay, .. } | Self::Http { splay, .. } => *splay,
        }
    }
}

/// The way in which a process is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessTarget {
    /// By its name: the last component of the command's path, or the kernel's `comm` (cut at 15 bytes).
    Name(String),
    /// By the number in a file.
    PidFile(PathBuf),
    /// By a regular expression over the command line, arguments joined by one space.
    CommandLine(String),
}
