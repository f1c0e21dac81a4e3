//! The files of a plan: where each goes, which user owns it, and when it is polled and published.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileSource, Wait};

/// A file to render.
#[derive(Debug, Clone)]
pub struct FilePlan {
    /// The path as it was configured, for messages.
    pub name: String,
    /// The place that it goes to.
    pub target: Target,
    /// The content.
    pub source: FileSource,
    /// The permission bits, at most 0o7777.
    pub mode: u32,
    /// The owner, by number. Names were looked up in /etc/passwd.
    pub uid: Option<u32>,
    /// The group, by number.
    pub gid: Option<u32>,
    /// How often to poll a secret that has no lease.
    pub refresh: Duration,
    /// How long the file must be quiet before it is published.
    pub wait: Option<Wait>,
    /// The notifiers to notify: indices into [`Plan::notifiers`](super::Plan::notifiers), each once.
    pub notify: Vec<usize>,
    /// True if the process of `leasehold exec` is notified, too.
    pub tells_child: bool,
}

/// The place that a file goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A member of the set: a relative path of normal components.
    Member(PathBuf),
    /// A file by itself: an absolute path of normal components.
    Alone(PathBuf),
}

impl Target {
    /// Returns whether what is published there is thrown away. A template that only calls `writeToFile` goes there.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        matches!(self, Self::Alone(path) if path == Path::new("/dev/null"))
    }

    /// Returns the folder of an absolute file that is published.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Alone(path) if !self.is_nowhere() => path.parent(),
            Self::Alone(_) | Self::Member(_) => None,
        }
    }
}
