//! What `init` leaves for the sidecar, and a sidecar for its restart: one login, one lease.
//!
//! The file holds the token, so it stands on a tmpfs of its own that the application does not mount, mode 0600. The
//! process that runs holds the lock on the file `NAME.lock` beside it for as long as it lives: two processes that
//! renew and replace the same leases would pull them from under each other. Every change is written before it is
//! relied on. A small state is rewritten as a whole and in one step (see [`SingleFile`]); a large one is continued by
//! a journal. It is deleted only after what it names is revoked.
//!
//! Whatever is wrong with it costs a fresh login and nothing else. It is believed only if it parses completely, was
//! written for this configuration and pod, and no other user could have written it. If only the configuration or the
//! version of the format is another, its logins and leases are revoked after the new files are published.

mod binding;
mod format;
mod journal;
mod published;
mod strays;
#[cfg(test)]
mod tests;
mod write;

pub use binding::{Binding, owner, server};
pub use write::{Beside, Line, Whole};

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
use crate::publish::{Attributes, LineFile, Listed, Problem, PublishError, SingleFile};
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::mounts::Mount;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::Moment;

/// The largest state that is written or read. The client caps each response far below this.
const MAX_BYTES: u64 = 64 << 20;

/// A state of this many bytes takes several times as much of the heap while it is written.
const LARGE: u64 = 1 << 20;

/// The mode of its folder, if we create it: for us alone.
pub const FOLDER_MODE: u32 = 0o700;

/// The attributes of the handoff, which is for us alone.
const PRIVATE: Attributes = Attributes { mode: 0o600, uid: None, gid: None };

/// The handoff of this process, locked until it is dropped.
#[derive(Debug)]
pub struct Handoff {
    file: SingleFile,
    path: PathBuf,
    require_tmpfs: bool,
    /// What this run wrote last, if a journal may go on from it.
    base: Option<Base>,
    /// A journal may exist.
    has_journal: bool,
    /// Held open for its lock.
    _lock: File,
}

/// A state as a whole, and the journal that goes on from it.
struct Base {
    /// The first line of the journal.
    header: Vec<u8>,
    /// The journal, once it has a line.
    journal: Option<LineFile>,
    /// The lines that could not be written. The next write begins with them, since later ones go on from them.
    owed: Zeroizing<Vec<u8>>,
    /// What a line may leave out, because it has not changed.
    noted: write::Noted,
    /// The length of the journal, in bytes, at which the state is to be written as a whole again.
    most: u64,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("journal", &self.journal)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
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
    /// A digest of the credential files (their device, inode, length and time) when the last login was sent, if that
    /// was refused.
    pub refused_with: Option<String>,
    /// A digest of the wrapping token that was opened for the login (the `vault` room makes it): it cannot be opened
    /// again, and it was not stolen.
    pub opened: Option<String>,
    /// The absolute files, sinks among them, that this run or an earlier one has published.
    pub published: Vec<Listed>,
}

/// What was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// An earlier run's state that is bound to us.
    Found {
        /// The state.
        kept: Box<Kept>,
        /// Whether its times are on our clock. If not, only the server knows how long the token and the leases still
        /// live.
        same_clock: bool,
    },
    /// An earlier run's state that no run can go on from, and that is ours to revoke. If it is for another server, it
    /// has only the list of files.
    Strays {
        /// The logins and leases.
        kept: Box<Kept>,
        /// Whether its times are on our clock.
        same_clock: bool,
        /// Why no run goes on from it.
        why: Unusable,
    },
    /// Nothing is there.
    Absent,
    /// There is something that cannot be used: a fresh login is needed. It is logged.
    Unusable(Unusable),
}

/// Why a handoff cannot be used. The text never shows what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It cannot be read.
    Unreadable(PublishError),
    /// It belongs to another user, or others may read or write it.
    Exposed,
    /// It is larger than any state of ours.
    TooLarge,
    /// It is not in the form that we write: cut off or damaged.
    Corrupt(String),
    /// It was written for another configuration.
    OtherConfiguration,
    /// It was written in another version of the format.
    OtherVersion,
    /// It was written for another configuration, and for another server or namespace: its tokens must not be sent to
    /// this server.
    OtherServer,
    /// It was written by another pod or on another machine.
    OtherPod,
}

impl Kept {
    /// Returns the state as it is kept for `binding`: the form that [`Loaded::parse`] reads.
    #[must_use]
    pub fn to_bytes(&self, binding: &Binding) -> Zeroizing<Vec<u8>> {
        write::whole(&self.borrowed(), binding, true).0
    }

    fn borrowed(&self) -> Whole<'_> {
        let beside = Beside {
            tokens: &self.tokens,
            mounts: &self.mounts,
            refused_with: self.refused_with.as_deref(),
            opened: self.opened.as_deref(),
        };
        let responses = self.responses.iter().collect();
        let (snapshot, children) = (&self.snapshot, &self.children);
        Whole { snapshot, beside, children, responses, published: &self.published }
    }
}

impl Loaded {
    /// Returns what `bytes` mean to `binding` at `now`. Never panics, whatever they are.
    #[must_use]
    pub fn parse(bytes: &[u8], binding: &Binding, now: Moment) -> Self {
        Self::parse_with(bytes, &[], binding, now)
    }

    /// Does the same with the journal that goes on from `bytes`.
    #[must_use]
    pub fn parse_with(bytes: &[u8], journal: &[u8], binding: &Binding, now: Moment) -> Self {
        format::parse((bytes, journal), None, binding, now).unwrap_or_else(Self::Unusable)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::Exposed => f.write_str("others than Leasehold's user may read or write it"),
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

/// Why the handoff cannot be opened or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandoffError {
    /// Another process holds it.
    Locked(PathBuf),
    /// Its place cannot be written.
    Place(PublishError),
    /// The state is larger than any that is read.
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
    /// Takes the handoff at `path` for this process. Creates its folder, for us alone, if it is missing.
    ///
    /// # Errors
    /// If another process holds it, or its folder cannot be written, or is not on tmpfs or ramfs although
    /// `require_tmpfs` is set.
    pub fn open(path: &Path, require_tmpfs: bool) -> Result<Self, HandoffError> {
        // The lock comes first. Opening the file sweeps what a crash left, and only the holder of the lock knows that
        // it was a crash.
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
        Ok(Self { file, path: path.to_owned(), require_tmpfs, base: None, has_journal: true, _lock: lock })
    }

    /// Returns what an earlier run left for `binding`, read at `now`.
    #[must_use]
    pub fn load(&self, binding: &Binding, now: Moment) -> Loaded {
        let bytes =
            match self.file.read().map_err(Unusable::Unreadable).and_then(|read| read.map(whole).transpose())
            {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Loaded::Absent,
                Err(why) => return Loaded::Unusable(why),
            };
        let (journal, distrust) = match peek(&journal::path(&self.path)) {
            Ok(journal) => (journal, None),
            Err(why) => (Zeroizing::default(), Some(why)),
        };
        format::parse((&bytes, &journal), distrust, binding, now).unwrap_or_else(Loaded::Unusable)
    }

    /// Returns the absolute files that an earlier run of `pod` has published. Takes no lock and removes nothing: it
    /// is for the time before the sandbox is up, which has to know their folders.
    #[must_use]
    pub fn published(path: &Path, pod: &str) -> Vec<Listed> {
        let read = |path: &Path| peek(path).ok();
        let tree = read(path).and_then(|bytes| {
            let journal = read(&journal::path(path)).unwrap_or_default();
            Some(journal::replay(format::tree(&bytes).ok()?, &bytes, &journal).0)
        });
        let ours = tree.filter(|tree| tree.get("pod").and_then(Tree::as_str) == Some(pod));
        ours.map(|tree| published::of(&tree)).unwrap_or_default()
    }

    /// Replaces the state in one step by one that every build can read.
    ///
    /// # Errors
    /// What was there before is still there.
    pub fn store(&mut self, binding: &Binding, kept: &Kept) -> Result<(), HandoffError> {
        self.replace(binding, &kept.borrowed(), true)
    }

    /// Replaces the state in one step. Unless it is the `last` one of this run, or a small one,
    /// [`append`](Self::append) can go on from it.
    ///
    /// # Errors
    /// What was there before is still there.
    pub fn replace(&mut self, binding: &Binding, whole: &Whole<'_>, last: bool) -> Result<(), HandoffError> {
        let (mut bytes, open) = write::whole(whole, binding, last);
        let length = bytes.len() as u64;
        if length > MAX_BYTES {
            return Err(HandoffError::TooLarge(self.path.clone()));
        }
        let header = if open { journal::header(&bytes) } else { Vec::new() };
        self.file.publish(&Secret::new(std::mem::take(&mut *bytes)), &PRIVATE)?;
        // The next state differs from this one, so these bytes are not worth keeping.
        self.file.forget_bytes();
        if self.has_journal {
            // The journal belongs to another state, and counts for nothing whether it is there or not.
            self.has_journal = LineFile::remove(&journal::path(&self.path)).is_err();
        }
        let noted = write::Noted::of(whole.snapshot, whole.beside);
        self.base =
            open.then_some(Base { header, journal: None, owed: Zeroizing::default(), noted, most: length });
        Ok(())
    }

    /// Returns whether the state is so large that writing it takes much memory.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.most >= LARGE)
    }

    /// Returns whether a line can go on from what is on the disk: this run wrote that, and it is still there.
    #[must_use]
    pub fn can_append(&self) -> bool {
        let is_there = |base: &Base| base.journal.as_ref().is_none_or(LineFile::is_there);
        self.base.as_ref().is_some_and(is_there) && self.file.is_as_published()
    }

    /// Returns whether the state should be replaced as a whole: because it has to be, or because its journal has
    /// become as long as the state.
    #[must_use]
    pub fn wants_whole(&self) -> bool {
        let is_long = |base: &Base| base.journal.as_ref().is_some_and(|lines| lines.length() >= base.most);
        !self.can_append() || self.base.as_ref().is_none_or(is_long)
    }

    /// Writes down what has changed since the last write.
    ///
    /// # Errors
    /// It is not written down. What was there before is still there, and the next line brings this one along.
    pub fn append(&mut self, line: &Line<'_>) -> Result<(), HandoffError> {
        let too_large = HandoffError::TooLarge(self.path.clone());
        let Some(mut base) = self.base.take() else { return Err(too_large) };
        let bytes = write::line(line, &mut base.noted);
        leasehold_base::tree::append(&bytes, &mut base.owed);
        let length = base.journal.as_ref().map_or(0, LineFile::length);
        if length + base.owed.len() as u64 > MAX_BYTES {
            return Err(too_large);
        }
        if let Err(why) = self.write_owed(&mut base) {
            // Once that much is owed, a whole state is no longer, and no later line goes on from what is there.
            self.base = Some(base).filter(|base| (base.owed.len() as u64) < base.most);
            return Err(why.into());
        }
        base.owed = Zeroizing::default();
        if length >= base.most {
            // The state could not be replaced when that was due, for instance because there is no room for another
            // one. That must not be tried again with each line.
            base.most = length.saturating_mul(2);
        }
        self.base = Some(base);
        Ok(())
    }

    /// Writes the lines that are owed behind those of the journal. A failure may leave a part of them there, and the
    /// next try is written over that part. It begins with the same bytes, so wherever it is cut off, the file ends with
    /// a part of these lines and nothing else.
    fn write_owed(&mut self, base: &mut Base) -> Result<(), PublishError> {
        if let Some(journal) = &mut base.journal {
            return journal.append(&base.owed);
        }
        self.has_journal = true;
        let mut first = Zeroizing::new(Vec::with_capacity(base.header.len() + base.owed.len()));
        first.extend_from_slice(&base.header);
        first.extend_from_slice(&base.owed);
        let path = journal::path(&self.path);
        base.journal = Some(LineFile::create(&path, FOLDER_MODE, self.require_tmpfs, &first)?);
        Ok(())
    }

    /// Lets the next write replace the state, since it is not about what was written before.
    pub fn begin_anew(&mut self) {
        self.base = None;
    }

    /// Deletes the state, since what it names is revoked. The lock stays with us.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove(&mut self) -> Result<(), HandoffError> {
        self.base = None;
        self.file.remove()?;
        // Without the state the journal counts for nothing. In the other order, there would be a state for a moment
        // that does not say what has been revoked.
        Ok(LineFile::remove(&journal::path(&self.path))?)
    }
}

/// Returns all of the file at `path`, if no other user could have written it; nothing if the file is not there.
fn peek(path: &Path) -> Result<Zeroizing<Vec<u8>>, Unusable> {
    let opened = SingleFile::peek(path).map_err(Unusable::Unreadable)?;
    opened.map_or_else(|| Ok(Zeroizing::default()), whole)
}

/// Returns all of an open state, if no other user could have written it.
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
