//! Why something could not be published: which path, which rule, what to do. It never shows the content.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::names;
use crate::exit::{Cause, Ending, in_a_pod};

const DEVICE: &str = "a device";

/// A destination that cannot be written. What was published before is intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishError {
    /// The path.
    pub path: PathBuf,
    /// The problem.
    pub problem: Problem,
}

/// What may be wrong with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The name may not be used; the text says which rule it breaks.
    Name(&'static str),
    /// It is not on tmpfs or ramfs, and must be.
    NotMemory,
    /// It must be on tmpfs or ramfs, and the kernel refuses to say what it is on.
    Unknown,
    /// A component of the path is a symbolic link that users other than root could have put there.
    Link,
    /// Something that we did not put there has the name; the text says what it is.
    InTheWay(&'static str),
    /// A single file is mounted there (subPath, bind mount): a rename cannot replace it.
    MountPoint,
    /// The volume is full.
    Full,
    /// Owner or group cannot be set without CAP_CHOWN.
    Owner,
    /// We may not write there.
    Denied,
    /// The folder is not the one that this run began with, and we may not write in it.
    Replaced,
    /// The volume is mounted read-only.
    ReadOnly,
    /// Another process publishes there at this moment.
    Busy,
    /// Another run publishes in the folder for as long as it lives: this process, if it can be seen.
    Claimed(Option<i32>),
    /// Another run publishes this absolute file for as long as it lives: this process, if it can be seen.
    Taken(Option<i32>),
    /// What was published before cannot be read back, so it cannot be carried over.
    Unreadable,
    /// The file is too large to be appended to.
    TooLarge,
    /// A process's arguments and environment take more than the kernel has room for.
    Environment {
        /// The bytes that they take.
        needed: usize,
        /// The bytes that there is room for.
        limit: usize,
    },
    /// Any other refusal of the kernel.
    System {
        /// What was tried, as an infinitive.
        doing: &'static str,
        /// The kernel's answer.
        errno: i32,
    },
}

impl PublishError {
    pub(crate) fn new(path: impl Into<PathBuf>, problem: Problem) -> Self {
        Self { path: path.into(), problem }
    }

    /// Makes the error for a kernel that refused `doing` at `path`. The errno is put in the user's words if they say
    /// more.
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

    /// Makes the error for something of `kind` that has the name of `path`.
    pub(crate) fn in_the_way(path: impl Into<PathBuf>, kind: FileType) -> Self {
        Self::new(
            path,
            Problem::InTheWay(match kind {
                FileType::Directory => "a directory",
                FileType::RegularFile => "a file",
                FileType::Symlink => "a symbolic link",
                FileType::Fifo => "a FIFO",
                FileType::Socket => "a socket",
                FileType::CharacterDevice | FileType::BlockDevice => DEVICE,
                _ => "something",
            }),
        )
    }

    /// Returns whether another run publishes there.
    pub(crate) fn is_held_elsewhere(&self) -> bool {
        matches!(self.problem, Problem::Claimed(_) | Problem::Taken(_))
    }

    /// Returns whether a device has the name.
    #[must_use]
    pub fn is_a_device(&self) -> bool {
        self.problem == Problem::InTheWay(DEVICE)
    }

    /// Returns the same error about `destination`, the path that was configured, if the error's path is a temporary
    /// one of ours. Our names within the path are left out: they say nothing to a reader.
    #[must_use]
    pub fn named(mut self, destination: &Path) -> Self {
        let is_ours = |part: &Component<'_>| part.as_os_str().as_bytes().starts_with(names::OURS.as_bytes());
        let ours = self.path.components().filter(is_ours).count();
        if ours > 0 && self.path.components().next_back().is_some_and(|last| is_ours(&last)) {
            self.path = destination.to_owned();
        } else if ours > 0 {
            self.path = self.path.components().filter(|part| !is_ours(part)).collect();
        }
        self
    }

    /// Returns what to do about it, here.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.hint_in(in_a_pod())
    }

    /// Returns what to do about it, in a pod or on a machine.
    fn hint_in(&self, pod: bool) -> &'static str {
        match self.problem {
            Problem::Name(_) => "choose another path",
            Problem::NotMemory if pod => {
                "mount a tmpfs there (emptyDir with medium: Memory), or set require_tmpfs: false if secrets may be written to a disk"
            }
            Problem::NotMemory => {
                "use a folder on a tmpfs (`findmnt -t tmpfs` lists them), or set require_tmpfs: false if secrets may be written to a disk"
            }
            Problem::Unknown if pod => {
                "allow statfs and fstatfs in the container's seccomp profile, or set require_tmpfs: false if secrets may be written to a disk"
            }
            Problem::Unknown => {
                "allow statfs and fstatfs in the unit's SystemCallFilter=, or set require_tmpfs: false if secrets may be written to a disk"
            }
            Problem::Link => "give the path that the link leads to",
            Problem::InTheWay(DEVICE) => "choose another path",
            Problem::InTheWay(_) => "remove it, or choose another path",
            Problem::MountPoint if pod => "mount the folder instead of the single file (subPath)",
            Problem::MountPoint => "mount the folder instead of the single file",
            Problem::Full if pod => "raise the volume's sizeLimit: what changes is there twice for a moment",
            Problem::Full => "make room there: what changes is there twice for a moment",
            Problem::Owner if pod => "use fsGroup, or grant CAP_CHOWN",
            Problem::Owner => "run as root, or grant CAP_CHOWN",
            Problem::Denied if pod => "let that uid write the folder (fsGroup), and check the volume's mode",
            Problem::Denied => "let that uid write the folder, or run Leasehold as its owner",
            Problem::Replaced => {
                "restart leasehold, whose sandbox reaches the folders of its start only; if that does not help, let the user that Leasehold runs as write the folder"
            }
            Problem::ReadOnly if pod => "mount the volume read-write in Leasehold's container",
            Problem::ReadOnly => "mount it read-write, or under systemd name the folder in ReadWritePaths=",
            Problem::Busy => "stop the other leasehold, or give it a folder of its own",
            Problem::Claimed(_) => "stop it first, or give this one a `secrets_dir` of its own",
            Problem::Taken(_) => "stop it first, or give this one another `path`",
            Problem::Unreadable => "run init and sidecar as the same user, or grant CAP_DAC_READ_SEARCH",
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
                "cannot find out whether {path} is on a tmpfs: this kernel, or a filter of system calls, refuses fstatfs"
            ),
            Problem::Link => write!(f, "{path} is or crosses a symbolic link, which is not followed"),
            Problem::InTheWay(kind) => write!(f, "cannot publish {path}: {kind} is in the way"),
            Problem::MountPoint => write!(f, "cannot publish {path}: it is a mount point"),
            Problem::Full => write!(f, "cannot write {path}: no space left on the volume"),
            Problem::Owner => {
                let user = rustix::process::geteuid().as_raw();
                write!(f, "cannot set owner or group of {path}: not permitted to uid {user}")
            }
            Problem::Denied => {
                let user = rustix::process::geteuid().as_raw();
                let folder = self.path.parent().unwrap_or(Path::new("/"));
                let (owner, folder) = (owner_of(folder), folder.display());
                write!(
                    f,
                    "cannot write {path}: permission denied to uid {user} in the folder {folder}{owner}"
                )
            }
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
                write!(f, "cannot publish in {path}: a process that we cannot see has locked it")
            }
            Problem::Taken(Some(pid)) => {
                write!(f, "cannot publish {path}: another leasehold does, process {pid}")
            }
            Problem::Taken(None) => {
                write!(f, "cannot publish {path}: a leasehold outside of this container does")
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

/// Returns the owner of a folder, in brackets; nothing if we may not read that.
fn owner_of(folder: &Path) -> String {
    std::fs::metadata(folder).map_or_else(
        |_| String::new(),
        |meta| format!(" (it belongs to {}:{}, mode {:04o})", meta.uid(), meta.gid(), meta.mode() & 0o7777),
    )
}

impl std::error::Error for PublishError {}

impl From<PublishError> for Ending {
    fn from(error: PublishError) -> Self {
        Self::new(Cause::Destination, error.to_string(), error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_destination_and_never_a_name_of_ours() {
        let named = |path: &str, destination: &str| {
            PublishError::new(path, Problem::Full).named(Path::new(destination)).to_string()
        };
        for (path, destination, says) in [
            ("/srv/..leasehold_7db9.tmp", "/srv/app.env", "/srv/app.env"),
            ("/run/s/..leasehold_4/sub/db.env", "/run/s", "/run/s/sub/db.env"),
            ("/run/s/..leasehold_4", "/run/s", "/run/s"),
            ("/run/s/..leasehold_4.link", "/run/s", "/run/s"),
            ("/srv/app.env", "/other", "/srv/app.env"),
        ] {
            assert_eq!(named(path, destination), format!("cannot write {says}: no space left on the volume"));
        }
        let denied = PublishError::new("/srv/app.env", Problem::Denied).to_string();
        assert!(denied.starts_with("cannot write /srv/app.env: permission denied to uid "), "{denied}");
        assert!(denied.contains(" in the folder /srv (it belongs to 0:0, mode "), "{denied}");
    }

    #[test]
    fn advice_fits_the_place() {
        for problem in [
            Problem::NotMemory,
            Problem::Unknown,
            Problem::MountPoint,
            Problem::Full,
            Problem::Owner,
            Problem::Denied,
            Problem::ReadOnly,
        ] {
            let error = PublishError::new("/srv/app.env", problem);
            let (pod, machine) = (error.hint_in(true), error.hint_in(false));
            assert_ne!(pod, machine);
            for word in ["fsGroup", "emptyDir", "sizeLimit", "subPath", "container"] {
                assert!(!machine.contains(word), "{machine}");
            }
        }
        for pod in [true, false] {
            let device = PublishError::in_the_way("/dev/null", FileType::CharacterDevice);
            assert_eq!(device.hint_in(pod), "choose another path");
        }
    }
}
