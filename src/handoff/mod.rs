//! What init leaves for the sidecar, and a sidecar for its restart: one login, one lease.
//!
//! The file holds the token, so it stands on a tmpfs of its own that the application does not
//! mount, mode 0600. Whoever runs holds the lock on the file `NAME.lock` beside it for as long as
//! it lives: two processes that renew and replace the same leases would pull them from under each
//! other. The state is rewritten after every change, as a whole and in one step (see
//! [`SingleFile`]), and deleted only after what it names is revoked.
//!
//! Whatever is wrong with it costs a fresh login and nothing else: it is believed only where it
//! parses completely, was written for this configuration and pod, and nobody else could have
//! written it. Where only the configuration or the version of the format is another, its logins and leases are
//! given back after the new files are published.

mod binding;
mod format;
mod published;
mod strays;
#[cfg(test)]
mod tests;

pub use binding::{Binding, owner, server};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::Snapshot;
use crate::exit::{Cause, Ending};
use crate::publish::{Attributes, Listed, Problem, PublishError, SingleFile};
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::mounts::Mount;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::Moment;

/// The largest state that is written or read. Each response is capped far below by the client.
const MAX_BYTES: u64 = 64 << 20;

/// The mode of its folder, where it is created: for us alone.
pub const FOLDER_MODE: u32 = 0o700;

/// Nobody else's business.
const PRIVATE: Attributes = Attributes { mode: 0o600, uid: None, gid: None };

/// The handoff of this process, locked until it is dropped.
#[derive(Debug)]
pub struct Handoff {
    file: SingleFile,
    path: PathBuf,
    /// Held open for its lock.
    _lock: File,
}

/// What is handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// What the core knows.
    pub snapshot: Snapshot,
    /// The tokens of the snapshot's logins.
    pub tokens: BTreeMap<TokenId, Secret>,
    /// The tokens that templates have made, by the names that the snapshot has for them as leases.
    pub children: BTreeMap<LeaseId, Secret>,
    /// The answers to the snapshot's requests, as the server keeps them.
    pub responses: BTreeMap<Request, Response>,
    /// The mounts that are known, so that the next run asks about none of them.
    pub mounts: Vec<Mount>,
    /// How the files of the credentials were when the last login was sent, where it was refused: as a digest of
    /// their device, inode, length and time.
    pub refused_with: Option<String>,
    /// A digest of the wrapping token that was opened for the login
    /// (the `vault` room makes it): it cannot be opened again, and nobody has stolen it.
    pub opened: Option<String>,
    /// The absolute files, sinks among them, that this run has published, or an earlier one.
    pub published: Vec<Listed>,
}

/// What was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// An earlier run's state, bound to us.
    Found {
        /// The state.
        kept: Box<Kept>,
        /// Whether its times are on our clock. Where not, only the server knows what is left of token and
        /// leases.
        same_clock: bool,
    },
    /// An earlier run's state that cannot be gone on from, and that is ours to give back; of another server's only the
    /// list of files.
    Strays {
        /// The logins and leases.
        kept: Box<Kept>,
        /// As above.
        same_clock: bool,
        /// Why nobody goes on from it.
        why: Unusable,
    },
    /// Nothing is there.
    Absent,
    /// Something is there that cannot be used: a fresh login is needed. Worth a line in the log.
    Unusable(Unusable),
}

/// Why a handoff cannot be used. Never what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It cannot be read.
    Unreadable(PublishError),
    /// It belongs to somebody else, or others may read or write it.
    Exposed,
    /// It is larger than any state of ours.
    TooLarge,
    /// It is not what we write: cut off or damaged.
    Corrupt(String),
    /// It was written for another configuration.
    OtherConfiguration,
    /// It was written in another version of the format.
    OtherVersion,
    /// It was written for another configuration, and for another server or namespace: its tokens must not be sent to
    /// this one.
    OtherServer,
    /// It was written by another pod or on another machine.
    OtherPod,
}

impl Kept {
    /// The state as it is kept for `binding`: what [`Loaded::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self, binding: &Binding) -> Zeroizing<Vec<u8>> {
        format::write(self, binding)
    }
}

impl Loaded {
    /// What `bytes` mean to `binding` at `now`. Never panics, whatever they are.
    #[must_use]
    pub fn parse(bytes: &[u8], binding: &Binding, now: Moment) -> Self {
        format::parse(bytes, binding, now).unwrap_or_else(Self::Unusable)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::Exposed => f.write_str("it is not ours alone to read and write"),
            Self::TooLarge => write!(f, "it is larger than {MAX_BYTES} bytes"),
            Self::Corrupt(why) => write!(f, "it is damaged: {why}"),
            Self::OtherConfiguration => f.write_str("it was written for another configuration"),
            Self::OtherVersion => f.write_str("it was written in another version of the format"),
            Self::OtherServer => f.write_str(
                "it was written for another configuration and another server or namespace; what it names there ends by itself",
            ),
            Self::OtherPod => f.write_str("it was written by another pod or machine"),
        }
    }
}

/// Why the handoff cannot be had or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandoffError {
    /// Another process has it.
    Locked(PathBuf),
    /// Its place cannot be written.
    Place(PublishError),
    /// There is more to keep than is ever read.
    TooLarge(PathBuf),
}

impl fmt::Display for HandoffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => write!(f, "another leasehold holds the handoff {}", path.display()),
            Self::Place(error) => write!(f, "handoff: {error}"),
            Self::TooLarge(path) => {
                write!(f, "the state for the handoff {} is larger than {MAX_BYTES} bytes", path.display())
            }
        }
    }
}

impl std::error::Error for HandoffError {}

impl From<PublishError> for HandoffError {
    fn from(error: PublishError) -> Self {
        Self::Place(error)
    }
}

impl From<HandoffError> for Ending {
    fn from(error: HandoffError) -> Self {
        let hint = match &error {
            HandoffError::Locked(_) => "stop it first, or give this one a handoff of its own",
            HandoffError::Place(error) => error.hint(),
            HandoffError::TooLarge(_) => "read smaller secrets, or run without a handoff",
        };
        Self::new(Cause::Destination, error.to_string(), hint)
    }
}

impl Handoff {
    /// Takes the handoff at `path` for this process. Its folder is created, for us alone, where it
    /// is missing.
    ///
    /// # Errors
    /// Another process has it, or its folder cannot be written or is not on tmpfs or ramfs and
    /// `require_tmpfs`.
    pub fn open(path: &Path, require_tmpfs: bool) -> Result<Self, HandoffError> {
        // The lock comes first: opening the file sweeps what a crash left, and only the holder of
        // the lock may say that it is a crash's.
        let mut beside = OsString::from(path);
        beside.push(".lock");
        let lock =
            SingleFile::lock(Path::new(&beside), FOLDER_MODE, require_tmpfs).map_err(|error| match error
                .problem
            {
                Problem::Busy => HandoffError::Locked(path.to_owned()),
                _ => error.into(),
            })?;
        let file = SingleFile::open(path, FOLDER_MODE, require_tmpfs)?;
        Ok(Self { file, path: path.to_owned(), _lock: lock })
    }

    /// What an earlier run left for `binding`, read at `now`.
    #[must_use]
    pub fn load(&self, binding: &Binding, now: Moment) -> Loaded {
        match self.read() {
            Ok(Some(bytes)) => Loaded::parse(&bytes, binding, now),
            Ok(None) => Loaded::Absent,
            Err(why) => Loaded::Unusable(why),
        }
    }

    /// The absolute files that an earlier run of `pod` has published. Takes no lock and removes nothing: it is for
    /// the time before the sandbox is up, which has to know their folders.
    #[must_use]
    pub fn published(path: &Path, pod: &str) -> Vec<Listed> {
        let bytes = SingleFile::peek(path).ok().flatten().and_then(|opened| whole(opened).ok());
        let tree = bytes.and_then(|bytes| Tree::from_json(&bytes).ok());
        let ours = tree.filter(|tree| tree.get("pod").and_then(Tree::as_str) == Some(pod));
        ours.map(|tree| published::of(&tree)).unwrap_or_default()
    }

    fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Unusable> {
        self.file.read().map_err(Unusable::Unreadable)?.map(whole).transpose()
    }

    /// Replaces the state in one step.
    ///
    /// # Errors
    /// What was there before is there still.
    pub fn store(&mut self, binding: &Binding, kept: &Kept) -> Result<(), HandoffError> {
        let mut bytes = kept.to_bytes(binding);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(HandoffError::TooLarge(self.path.clone()));
        }
        self.file.publish(&Secret::new(std::mem::take(&mut *bytes)), &PRIVATE)?;
        Ok(())
    }

    /// Deletes the state: what it names is revoked. The lock stays with us.
    ///
    /// # Errors
    /// It is there still.
    pub fn remove(&mut self) -> Result<(), HandoffError> {
        Ok(self.file.remove()?)
    }
}

/// All of an open state, where nobody else could have written it.
fn whole((mut file, stat): (File, rustix::fs::Stat)) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
        return Err(Unusable::Exposed);
    }
    let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= MAX_BYTES);
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(Unusable::TooLarge)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut bytes).map_err(|error| Unusable::Corrupt(error.kind().to_string()))?;
    Ok(bytes)
}
