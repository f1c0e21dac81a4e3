//! Files: where each goes, whose it is, and when it is looked at and published.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileSource, Wait};

/// One file to render.
#[derive(Debug, Clone)]
pub struct FilePlan {
    /// As configured, for messages.
    pub name: String,
    /// Where it goes.
    pub target: Target,
    /// What it holds.
    pub source: FileSource,
    /// Permission bits, at most 0o7777.
    pub mode: u32,
    /// Owner, by number; names were looked up in /etc/passwd.
    pub uid: Option<u32>,
    /// Group, by number.
    pub gid: Option<u32>,
    /// How often to poll what has no end of its own.
    pub refresh: Duration,
    /// Quiescence before a publish.
    pub wait: Option<Wait>,
    /// Whom to tell: indices into [`Plan::notifiers`](super::Plan::notifiers), each once.
    pub notify: Vec<usize>,
    /// Whether the process of `leasehold exec` is told too.
    pub tells_child: bool,
}

/// Where a file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the set: a relative path of normal components.
    Member(PathBuf),
    /// By itself: an absolute path of normal components.
    Alone(PathBuf),
}

impl Target {
    /// Whether what is published there is thrown away: a template that only calls `writeToFile` goes there.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        matches!(self, Self::Alone(path) if path == Path::new("/dev/null"))
    }

    /// The folder of an absolute file that is published.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Alone(path) if !self.is_nowhere() => path.parent(),
            Self::Alone(_) | Self::Member(_) => None,
        }
    }
}
