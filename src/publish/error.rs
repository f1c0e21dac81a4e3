//! Why something could not be published: which path, which rule, what to do. Never the content.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::exit::{Cause, Ending};

/// A destination that cannot be written. What was published before is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishError {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub problem: Problem,
}

/// What may be wrong with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The name may not be used; says which rule it breaks.
    Name(&'static str),
    /// It is not on tmpfs or ramfs, and must be.
    NotMemory,
    /// It must be on tmpfs or ramfs, and the kernel refuses to say on what it is.
    Unknown,
    /// A component of the path is a symbolic link that others than root could have put there.
    Link,
    /// Something that we did not put there has the name; says what it is.
    InTheWay(&'static str),
    /// A single file is mounted there (subPath, bind mount): a rename cannot replace it.
    MountPoint,
    /// The volume is full.
    Full,
    /// Owner or group cannot be set without CAP_CHOWN.
    Owner,
    /// We may not write there.
    Denied,
    /// The folder is another than the one that this run began with, and we may not write in it.
    Replaced,
    /// The volume is mounted read-only.
    ReadOnly,
    /// Another process publishes there at this moment.
    Busy,
    /// Another run publishes in the folder for as long as it lives: this process, where it can be seen.
    Claimed(Option<i32>),
    /// What was published before cannot be read back, so it cannot be carried over.
    Unreadable,
    /// What is there already is more than can be added to.
    TooLarge,
    /// A process's arguments and environment take more than the kernel has room for.
    Environment {
        /// The bytes that they take.
        needed: usize,
        /// The bytes that there are.
        limit: usize,
    },
    /// Any other refusal of the kernel.
    System {
        /// What was tried, an infinitive.
        doing: &'static str,
        /// The kernel's answer.
        errno: i32,
    },
}

impl PublishError {
    pub(crate) fn new(path: impl Into<PathBuf>, problem: Problem) -> Self {
        Self { path: path.into(), problem }
    }

    /// The kernel refused `doing` at `path`: the errno in the user's words where they say more.
    pub(crate) fn from_errno(path: &Path, doing: &'static str, errno: Errno) -> Self {
        let problem = match errno {
            Errno::NOSPC | Errno::DQUOT => Problem::Full,
            Errno::ROFS => Problem::ReadOnly,
            Errno::ACCESS | Errno::PERM => Problem::Denied,
            Errno::LOOP => Problem::Link,
            Errno::BUSY => Problem::MountPoint,
            Errno::NAMETOOLONG => Problem::Name("is too long"),
            _ => Problem::System { doing, errno: errno.raw_os_error() },
        };
        Self::new(path, problem)
    }

    /// Something of `kind` has the name of `path`.
    pub(crate) fn in_the_way(path: impl Into<PathBuf>, kind: FileType) -> Self {
        Self::new(
            path,
            Problem::InTheWay(match kind {
                FileType::Directory => "a directory",
                FileType::RegularFile => "a file",
                FileType::Symlink => "a symbolic link",
                FileType::Fifo => "a FIFO",
                FileType::Socket => "a socket",
                FileType::CharacterDevice | FileType::BlockDevice => "a device",
                _ => "something",
            }),
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.problem {
            Problem::Name(_) => "choose another path",
            Problem::NotMemory => {
                "mount a tmpfs there (emptyDir with medium: Memory), or set require_tmpfs: false"
            }
            Problem::Unknown => {
                "allow statfs and fstatfs in the container's seccomp profile, or set require_tmpfs: false"
            }
            Problem::Link => "give the path that the link leads to",
            Problem::InTheWay(_) => "remove it, or choose another path",
            Problem::MountPoint => "mount the folder instead of the single file (subPath or bind mount)",
            Problem::Full => "raise the volume's sizeLimit: the old and the new files are there together",
            Problem::Owner => "use fsGroup, or grant CAP_CHOWN",
            Problem::Denied => "let our user write the folder (fsGroup), and check the volume's mode",
            Problem::Replaced => {
                "restart leasehold, whose sandbox reaches the folders of its start only; if that does not help, let our user write the folder"
            }
            Problem::ReadOnly => "mount the volume read-write in our container",
            Problem::Busy => "stop the other leasehold, or give it a folder of its own",
            Problem::Claimed(_) => "stop it first, or give this one a `secrets_dir` of its own",
            Problem::Unreadable => {
                "let us read it: the same user in init and sidecar, or CAP_DAC_READ_SEARCH"
            }
            Problem::TooLarge => "write it anew instead of adding to it",
            Problem::Environment { .. } => {
                "give large values to the process as files, or raise the limit of its stack (ulimit -s)"
            }
            Problem::System { .. } => "check the volume",
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.problem {
            Problem::Name(rule) => write!(f, "cannot publish {path:?}: the name {rule}", path = self.path),
            Problem::NotMemory => write!(f, "{path} is not on tmpfs or ramfs"),
            Problem::Unknown => write!(
                f,
                "cannot find out whether {path} is on a tmpfs: this kernel, or the container runtime, refuses fstatfs"
            ),
            Problem::Link => write!(f, "{path} is or crosses a symbolic link, which is not followed"),
            Problem::InTheWay(kind) => write!(f, "cannot publish {path}: {kind} is in the way"),
            Problem::MountPoint => write!(f, "cannot publish {path}: it is a mount point"),
            Problem::Full => write!(f, "cannot write {path}: no space left on the volume"),
            Problem::Owner => write!(f, "cannot set owner or group of {path}: not permitted"),
            Problem::Denied => write!(f, "cannot write {path}: permission denied"),
            Problem::Replaced => {
                write!(
                    f,
                    "cannot write {path}: the folder was removed or replaced since leasehold started, and this run may not write the new one"
                )
            }
            Problem::ReadOnly => write!(f, "cannot write {path}: the volume is read-only"),
            Problem::Busy => write!(f, "cannot write {path}: another process is writing it"),
            Problem::Claimed(Some(pid)) => {
                write!(f, "cannot publish in {path}: another leasehold does, process {pid}")
            }
            Problem::Claimed(None) => {
                write!(f, "cannot publish in {path}: a process outside of this container has locked it")
            }
            Problem::Unreadable => write!(f, "cannot carry over {path}: it cannot be read back"),
            Problem::TooLarge => write!(f, "cannot add to {path}: it is larger than 8 MiB"),
            Problem::Environment { needed, limit } => write!(
                f,
                "arguments and environment of the process take {needed} bytes, and the kernel has room for {limit}"
            ),
            Problem::System { doing, errno } => {
                write!(f, "cannot {doing} {path}: {}", Errno::from_raw_os_error(errno))
            }
        }
    }
}

impl std::error::Error for PublishError {}

impl From<PublishError> for Ending {
    fn from(error: PublishError) -> Self {
        Self::new(Cause::Destination, error.to_string(), error.hint())
    }
}
