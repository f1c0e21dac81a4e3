//! One run for each absolute file.
//!
//! Two runs that publish the same absolute file replace each other's content for as long as both live. A lock on the
//! folder would keep out runs that publish other files in it, and a descriptor for each file would meet the limit of
//! open files. So each folder has one empty file, [`LOCK`], and a run locks one byte of it for each of its files: the
//! byte whose number is a hash of the file's name.
//!
//! These are the locks of POSIX, since only for them the kernel names the holder. They belong to the process, and
//! closing *any* of its descriptors for the lock file gives up all of them. So a descriptor is opened once and kept.
//!
//! The lock is a safeguard against two configurations that name one file, and none against an attacker. It is left
//! out if the lock file cannot be opened, or belongs to another user, who could lock us out with it.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{FileType, OFlags};
use sha2::{Digest as _, Sha256};

use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::file::replaceable;
use super::resolve::Create;
use super::stamp::Identity;

/// The file beside absolute files whose bytes stand for their names. Programs that read all files of a folder (such
/// as Spring's `configtree`) leave out names that begin with two dots, as they do for the kubelet's names. The file
/// is not swept, and never removed: a run that holds a lock on a file without a name would not keep out the next one.
pub(super) const LOCK: &str = "..leasehold.lock";

/// Returns whether this is the path of a lock file. A process that publishes must not open one for anything else: when
/// that descriptor is closed, the kernel gives up all locks of the process on it.
#[must_use]
pub fn is_lock(path: &Path) -> bool {
    path.file_name() == Some(OsStr::new(LOCK))
}

/// The absolute files that this process publishes.
#[derive(Debug, Default)]
pub(super) struct Locks {
    /// The locks of each file, in the order in which they were taken: the file's folder may have been replaced.
    held: BTreeMap<PathBuf, Vec<Held>>,
    /// The lock files, each open as long as a lock on it is held. There is more than one descriptor of a file if the
    /// file was opened before it was known.
    open: Vec<(Identity, File)>,
}

/// The folder of the file that was locked last. Thousands of files may be in one folder.
#[derive(Debug)]
pub(super) struct Last {
    dir: Dir,
    /// Its lock file, once that is open.
    lock: Option<Identity>,
}

/// One lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    /// The lock file.
    lock: Identity,
    byte: i64,
}

impl Locks {
    /// Locks the absolute file `path`; does nothing, and asks the kernel nothing, if it is locked already. `last` is the
    /// folder of the file that was locked before this one.
    ///
    /// # Errors
    /// `Taken`: another run publishes it. Or its folder cannot be opened or created.
    pub(super) fn take(
        &mut self,
        path: &Path,
        create: Create,
        last: &mut Option<Last>,
    ) -> Result<(), PublishError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let Last { dir, lock } = match last.take().filter(|last| last.dir.path() == folder) {
            Some(of_folder) => last.insert(of_folder),
            None => {
                let dir = Dir::open(folder, Some(create))?;
                let there = dir.stat_of(OsStr::new(LOCK))?.as_ref().map(Identity::of);
                let lock = there.filter(|there| self.open.iter().any(|(identity, _)| identity == there));
                last.insert(Last { dir, lock })
            }
        };
        let byte = byte_of(name);
        if lock.is_some_and(|lock| self.holds(path, Held { lock, byte })) {
            return Ok(());
        }
        // A file that cannot be replaced is refused when it is opened, and needs no lock: a device has a folder of
        // its own.
        if replaceable(dir, name).is_err() {
            return Ok(());
        }
        if lock.is_none() {
            *lock = self.lock_file(dir)?;
        }
        let Some(lock) = *lock else {
            tracing::debug!("{} is published without a lock", path.display());
            return Ok(());
        };
        let held = Held { lock, byte };
        if self.holds(path, held) {
            return Ok(());
        }
        let Some((_, file)) = self.open.iter().find(|(identity, _)| *identity == lock) else { return Ok(()) };
        if !set(file, byte, libc::F_WRLCK) {
            return Err(PublishError::new(path, Problem::Taken(holder(file, byte))));
        }
        self.held.entry(path.to_owned()).or_default().push(held);
        Ok(())
    }

    fn holds(&self, path: &Path, lock: Held) -> bool {
        self.held.get(path).is_some_and(|all| all.contains(&lock))
    }

    /// Gives up all but the last lock on each of these files.
    pub(super) fn keep_only(&mut self, paths: &[&Path]) {
        let mut given_up = std::mem::take(&mut self.held);
        for path in paths {
            if let Some((path, last)) = given_up.get_mut(*path).and_then(Vec::pop).map(|last| (*path, last)) {
                self.held.insert(path.to_owned(), vec![last]);
            }
        }
        // Two paths may lead to one file.
        let kept: BTreeSet<Held> = self.held.values().flatten().copied().gather();
        for gone in given_up.into_values().flatten().filter(|gone| !kept.contains(gone)) {
            let file = self.open.iter().find(|(identity, _)| *identity == gone.lock);
            file.map(|(_, file)| set(file, gone.byte, libc::F_UNLCK));
        }
        let locks: BTreeSet<Identity> = kept.iter().map(|held| held.lock).gather();
        self.open.retain(|(lock, _)| locks.contains(lock));
    }

    /// Returns the lock file of a folder, which stays open from then on; `None` if it cannot be used.
    fn lock_file(&mut self, dir: &Dir) -> Result<Option<Identity>, PublishError> {
        let name = OsStr::new(LOCK);
        let there = dir.stat_of(name)?;
        // It is not opened once more: closing that descriptor would give up our locks.
        if let Some(known) = there.as_ref().map(Identity::of)
            && self.open.iter().any(|(identity, _)| *identity == known)
        {
            return Ok(Some(known));
        }
        let file = match there {
            None => dir.create_file(name),
            Some(_) => dir.open_file(name, OFlags::RDWR).and_then(|file| file.ok_or_else(|| dir.taken(name))),
        };
        // Another run may have been quicker to create it.
        let file = match file {
            Err(PublishError { problem: Problem::InTheWay(_), .. }) if there.is_none() => {
                dir.open_file(name, OFlags::RDWR).ok().flatten()
            }
            file => file.ok(),
        };
        let Some(file) = file else { return Ok(None) };
        let Ok(stat) = rustix::fs::fstat(&file) else { return Ok(None) };
        let ours = stat.st_uid == rustix::process::geteuid().as_raw()
            && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !ours {
            return Ok(None);
        }
        let identity = Identity::of(&stat);
        self.open.push((identity, file));
        Ok(Some(identity))
    }
}

/// Returns the process that publishes the absolute file `path`. To be called only by a process that publishes nothing
/// itself: closing the descriptor would give up its locks.
pub(super) fn publisher(path: &Path) -> Option<i32> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    let file = options.open(path.parent()?.join(LOCK)).ok()?;
    holder(&file, byte_of(path.file_name()?))
}

/// Returns the byte that stands for a name. Two names with one byte are as unlikely as two equal hashes of 62 bits.
fn byte_of(name: &OsStr) -> i64 {
    let digest = Sha256::digest(name.as_bytes());
    let eight: [u8; 8] = digest[..8].try_into().expect("a SHA-256 has more than 8 bytes");
    i64::from_be_bytes(eight) & (i64::MAX >> 1)
}

fn range(byte: i64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

/// Locks or unlocks a byte. Returns whether no other process holds it. On file systems without locks no other process
/// does.
fn set(file: &File, byte: i64, kind: libc::c_int) -> bool {
    use nix::errno::Errno;
    let refused = fcntl(file, FcntlArg::F_SETLK(&range(byte, kind))).err();
    !matches!(refused, Some(Errno::EAGAIN | Errno::EACCES))
}

/// Returns the process that holds a byte; `None` if it is in another container.
fn holder(file: &File, byte: i64) -> Option<i32> {
    let mut range = range(byte, libc::F_WRLCK);
    fcntl(file, FcntlArg::F_GETLK(&mut range)).ok()?;
    let locked = i32::from(range.l_type) != libc::F_UNLCK;
    (locked && range.l_pid > 0).then_some(range.l_pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: Create = Create { mode: 0o750, in_memory: false };

    fn count(locks: &Locks) -> usize {
        locks.held.values().map(Vec::len).sum()
    }

    #[test]
    fn a_file_is_locked_once_and_its_folder_has_one_descriptor() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut locks = Locks::default();
        let (one, two) = (dir.path().join("sub/one"), dir.path().join("sub/two"));
        for path in [&one, &two, &one] {
            locks.take(path, CREATE, &mut None).expect("free");
        }
        assert_eq!((count(&locks), locks.open.len()), (2, 1));
        locks.keep_only(&[&two]);
        assert_eq!((count(&locks), locks.open.len()), (1, 1));
        locks.keep_only(&[]);
        assert_eq!((count(&locks), locks.open.len()), (0, 0));
    }

    #[test]
    fn a_folder_in_place_of_the_one_before_is_locked_too() {
        let dir = tempfile::tempdir().expect("a folder");
        let (folder, mut locks) = (dir.path().join("sub"), Locks::default());
        locks.take(&folder.join("one"), CREATE, &mut None).expect("free");
        std::fs::rename(&folder, dir.path().join("old")).expect("moved");
        locks.take(&folder.join("one"), CREATE, &mut None).expect("free");
        assert_eq!((count(&locks), locks.open.len()), (2, 2));
        locks.keep_only(&[&folder.join("one")]);
        assert_eq!((count(&locks), locks.open.len()), (1, 1));
        assert_eq!(locks.held[&folder.join("one")][0].lock, locks.open[0].0);
    }

    #[test]
    fn what_cannot_be_locked_or_replaced_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut locks = Locks::default();
        std::fs::create_dir(dir.path().join(LOCK)).expect("made");
        locks.take(&dir.path().join("one"), CREATE, &mut None).expect("published without a lock");
        let device = Path::new("/dev/null");
        locks.take(device, CREATE, &mut None).expect("a device is not ours");
        assert!(locks.held.is_empty() && !Path::new("/dev").join(LOCK).exists());
    }

    /// Returns whether our process has one lock on this file. A list that is read while other tests lock may lack a lock
    /// or have it twice, so it is read more than once.
    fn has_one_lock(file: &Path) -> bool {
        let stat = rustix::fs::stat(file).expect("it is there");
        let (us, major, minor) =
            (std::process::id().to_string(), rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        let place = format!("{major:02x}:{minor:02x}:{}", stat.st_ino);
        let is_ours = |line: &&str| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            matches!(words[..], [_, "POSIX", _, _, pid, at, ..] if pid == us && at == place)
        };
        let count = || crate::publish::claim::locks().expect("readable").lines().filter(is_ours).count();
        (0..50).any(|_| count() == 1)
    }

    #[test]
    fn no_publish_opens_the_lock_file_under_another_name_since_closing_it_would_give_up_the_locks() {
        use crate::publish::{Attributes, Look, SingleFile};
        let dir = tempfile::tempdir().expect("a folder");
        let (path, lock, mut locks) = (dir.path().join("one"), dir.path().join(LOCK), Locks::default());
        locks.take(&path, CREATE, &mut None).expect("free");
        assert!(has_one_lock(&lock));
        let attributes = Attributes { mode: 0o600, uid: None, gid: None };
        let again = dir.path().join("again");
        std::os::unix::fs::symlink(dir.path(), &again).expect("linked");
        for path in [&path, &again.join("one")] {
            std::fs::hard_link(&lock, path).expect("linked");
            let mut file = SingleFile::open(path, 0o750, false).expect("a place");
            for bytes in ["", "1"] {
                let (bytes, look) = (bytes.into(), Look { wall: 0, thorough: true });
                file.publish(&bytes, &attributes).expect("published");
                file.inspect(Some(&bytes), &attributes, look).expect("readable");
            }
            locks.take(path, CREATE, &mut None).expect("ours");
            std::fs::remove_file(path).expect("removed");
        }
        assert!(has_one_lock(&lock), "it was given up");
    }

    #[test]
    fn names_have_bytes_of_their_own() {
        let bytes: std::collections::BTreeSet<_> =
            ["a", "b", "ab", ""].map(|name| byte_of(OsStr::new(name))).into();
        assert!(bytes.len() == 4 && bytes.iter().all(|byte| *byte >= 0 && *byte < i64::MAX));
    }
}
