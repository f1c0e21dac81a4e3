//! An open folder, and everything that is done in it by name.
//!
//! All writing goes through a directory descriptor and single names. So nothing that happens to the path afterwards
//! (a folder renamed, a link put in its place) can lead a write elsewhere. No call follows a symbolic link in the
//! last component, and none blocks: what is not a regular file or a folder is never opened.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::error::{Problem, PublishError};
use super::handle;
use super::resolve::{self, Create};
use super::stamp::Identity;

/// How a folder is opened to be listed and written.
pub(super) const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    /// For messages only; never opened again.
    path: PathBuf,
    /// The folder is known to be in memory.
    in_memory: bool,
}

/// What has a name in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A link that leads there.
    Link(OsString),
    /// Nothing.
    Nothing,
    /// Something other than a link.
    Other,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    /// Opens the folder at `path`, and creates what is missing of it if `create` says so.
    pub(crate) fn open(path: &Path, create: Option<Create>) -> Result<Self, PublishError> {
        let place = resolve::place(path, create)?;
        // This goes from a descriptor that only names the folder to one that lists and syncs it.
        let fd = rustix::fs::openat(&place, ".", FOLDER, Mode::empty())
            .map_err(|errno| PublishError::from_errno(path, "open", errno))?;
        Ok(Self::from_fd(fd, path))
    }

    /// Makes the folder that `fd` is open for; `path` is its name in messages.
    pub(super) fn from_fd(fd: OwnedFd, path: &Path) -> Self {
        Self { fd, path: path.to_owned(), in_memory: false }
    }

    /// Returns the path of `name` in this folder, for messages.
    pub(crate) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the path of this folder, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn error<'a>(
        &'a self,
        name: impl AsRef<Path> + 'a,
        doing: &'static str,
    ) -> impl FnOnce(Errno) -> PublishError + 'a {
        move |errno| PublishError::from_errno(&self.at(name), doing, errno)
    }

    /// Refuses a folder that is not in memory.
    pub(crate) fn require_memory(&mut self) -> Result<(), PublishError> {
        handle::in_memory(&self.fd, &self.path)?;
        self.in_memory = true;
        Ok(())
    }

    /// Returns whether the folder is known to be in memory, where nothing is written to a disk.
    pub(super) fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    /// Returns the folder's own facts.
    pub(crate) fn stat(&self) -> Result<Stat, PublishError> {
        rustix::fs::fstat(&self.fd).map_err(self.error("", "look at"))
    }

    /// Returns the facts of `name` itself, not of what a link leads to; `None` if it is not there.
    pub(crate) fn stat_of(&self, name: &OsStr) -> Result<Option<Stat>, PublishError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error(name, "look at")(errno)),
        }
    }

    /// Returns the kind of `name` itself; `None` if it is not there.
    pub(crate) fn kind_of(&self, name: &OsStr) -> Result<Option<FileType>, PublishError> {
        Ok(self.stat_of(name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
    }

    /// Returns whether something is mounted on `name`. Kernels before 5.8 do not say: then it is false, and the
    /// rename itself is refused with EBUSY.
    pub(crate) fn is_mount_point(&self, name: &OsStr) -> bool {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        rustix::fs::statx(&self.fd, name, flags, StatxFlags::TYPE)
            .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }

    /// Opens the folder `name`, not through a link and not into another mount.
    pub(crate) fn child(&self, name: &OsStr) -> Result<Self, PublishError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let fd = match rustix::fs::openat2(&self.fd, name, FOLDER, Mode::empty(), resolve) {
            // The name is a single one, so O_NOFOLLOW alone keeps us beneath.
            Err(Errno::NOSYS | Errno::PERM) => rustix::fs::openat(&self.fd, name, FOLDER, Mode::empty()),
            result => result,
        };
        // The child is on the same file system.
        let (path, in_memory) = (self.at(name), self.in_memory);
        Ok(Self { fd: fd.map_err(self.error(name, "open"))?, path, in_memory })
    }

    /// Creates the folder `name`, closed to all other users until its mode is set, and opens it.
    pub(crate) fn create_child(&self, name: &OsStr) -> Result<Self, PublishError> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Err(Errno::EXIST) => return Err(self.taken(name)),
            result => result.map_err(self.error(name, "create"))?,
        }
        let child = self.child(name)?;
        child.require_own()?;
        Ok(child)
    }

    /// Checks that this is the folder that we just made: a user who may write the folder above could have put another
    /// in its place before it was opened.
    pub(super) fn require_own(&self) -> Result<(), PublishError> {
        let stat = self.stat()?;
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o077 != 0 {
            return Err(PublishError::in_the_way(&self.path, FileType::Directory));
        }
        Ok(())
    }

    /// Opens the regular file `name` for reading; `None` if it is not there. Anything but a regular file is in the
    /// way and not opened: a FIFO would block, a device might act.
    pub(crate) fn read_file(&self, name: &OsStr) -> Result<Option<std::fs::File>, PublishError> {
        self.open_file(name, OFlags::RDONLY)
    }

    /// Opens it in the same way for another access.
    pub(super) fn open_file(
        &self,
        name: &OsStr,
        access: OFlags,
    ) -> Result<Option<std::fs::File>, PublishError> {
        match self.stat_of(name)? {
            None => return Ok(None),
            Some(stat) => self.require_file(name, &stat)?,
        }
        // O_NONBLOCK and the second check are needed, since the file could have been swapped in between.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            result => result.map_err(self.error(name, "open"))?,
        };
        let stat = rustix::fs::fstat(&fd).map_err(self.error(name, "look at"))?;
        self.require_file(name, &stat)?;
        Ok(Some(fd.into()))
    }

    fn require_file(&self, name: &OsStr, stat: &Stat) -> Result<(), PublishError> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(()),
            kind => Err(PublishError::in_the_way(self.at(name), kind)),
        }
    }

    /// Creates the regular file `name` for writing, which no other user can read yet. Fails if the name is taken,
    /// even by a link that leads nowhere.
    pub(crate) fn create_file(&self, name: &OsStr) -> Result<std::fs::File, PublishError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(fd.into()),
            Err(Errno::EXIST) => Err(self.taken(name)),
            Err(errno) => Err(self.error(name, "create")(errno)),
        }
    }

    /// Opens the regular file `name`, and creates it empty and private if it is missing.
    pub(crate) fn open_or_create(&self, name: &OsStr) -> Result<std::fs::File, PublishError> {
        if let Some(file) = self.read_file(name)? {
            return Ok(file);
        }
        match self.create_file(name) {
            // Another process was quicker.
            Err(PublishError { problem: Problem::InTheWay(_), .. }) => {
                self.read_file(name)?.ok_or_else(|| self.taken(name))
            }
            result => result,
        }
    }

    /// Returns the error that says that `name` is taken, and by what.
    pub(crate) fn taken(&self, name: &OsStr) -> PublishError {
        match self.kind_of(name) {
            Ok(kind) => PublishError::in_the_way(self.at(name), kind.unwrap_or(FileType::Unknown)),
            Err(error) => error,
        }
    }

    /// Returns where the link `name` leads; `None` if it is not there or not a link.
    pub(crate) fn link_target(&self, name: &OsStr) -> Result<Option<OsString>, PublishError> {
        Ok(match self.named(name)? {
            Named::Link(target) => Some(target),
            Named::Nothing | Named::Other => None,
        })
    }

    /// Returns what has this name, which mostly is a link or nothing.
    pub(super) fn named(&self, name: &OsStr) -> Result<Named, PublishError> {
        match rustix::fs::readlinkat(&self.fd, name, Vec::new()) {
            Ok(target) => Ok(Named::Link(OsString::from_vec(target.into_bytes()))),
            Err(Errno::NOENT) => Ok(Named::Nothing),
            Err(Errno::INVAL) => Ok(Named::Other),
            Err(errno) => Err(self.error(name, "look at")(errno)),
        }
    }

    /// Creates the link `name`, which leads to `target`.
    pub(crate) fn create_link(&self, name: &OsStr, target: &OsStr) -> Result<(), PublishError> {
        if self.create_free_link(name, target)? { Ok(()) } else { Err(self.taken(name)) }
    }

    /// Creates the link `name`, which leads to `target`. Returns false if the name is taken.
    pub(super) fn create_free_link(&self, name: &OsStr, target: &OsStr) -> Result<bool, PublishError> {
        match rustix::fs::symlinkat(target, &self.fd, name) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(self.error(name, "create")(errno)),
        }
    }

    /// Gives what is at `old` the name `new`, and replaces a file or link of that name in one step.
    pub(crate) fn rename(&self, old: &OsStr, new: &OsStr) -> Result<(), PublishError> {
        match rustix::fs::renameat(&self.fd, old, &self.fd, new) {
            Err(Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY) => Err(self.taken(new)),
            result => result.map_err(self.error(new, "rename to")),
        }
    }

    /// Removes the file or link `name`; does nothing if it is not there.
    pub(crate) fn remove_file(&self, name: &OsStr) -> Result<(), PublishError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error(name, "remove")(errno)),
        }
    }

    /// Removes the empty folder `name`; does nothing if it is not there.
    pub(crate) fn remove_folder(&self, name: &OsStr) -> Result<(), PublishError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error(name, "remove")(errno)),
        }
    }

    /// Returns the names in this folder, sorted, without `.` and `..`.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, PublishError> {
        Ok(self.entries()?.into_iter().map(|(name, _)| name).collect())
    }

    /// Returns the [`names`](Self::names), with the kind of each. That costs a stat for each if the file system does
    /// not give the kind in the list.
    pub(super) fn entries(&self) -> Result<Vec<(OsString, FileType)>, PublishError> {
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd).map_err(self.error("", "list"))? {
            let entry = entry.map_err(self.error("", "list"))?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsStr::from_bytes(name).to_owned();
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind_of(&name)?,
                kind => Some(kind),
            };
            entries.extend(kind.map(|kind| (name, kind)));
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(entries)
    }

    /// Gives the file `name` of the folder `from` the same name here, too. Returns whether the file system and the
    /// kernel's rules allow that: some file systems know no second names, and a file of another user may get none
    /// from us.
    ///
    /// # Errors
    /// There is no room for another name.
    pub(super) fn link(&self, name: &OsStr, from: &Dir) -> Result<bool, PublishError> {
        match rustix::fs::linkat(&from.fd, name, &self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(errno @ (Errno::NOSPC | Errno::DQUOT)) => Err(self.error(name, "link")(errno)),
            Err(_) => Ok(false),
        }
    }

    /// Sets the folder's mode. The setgid bit that it inherited from the volume stays, since it gives files the group
    /// of fsGroup.
    pub(crate) fn set_mode(&self, mode: u32) -> Result<(), PublishError> {
        let inherited = self.stat()?.st_mode & 0o2000;
        rustix::fs::fchmod(&self.fd, Mode::from_raw_mode((mode & 0o3777) | inherited))
            .map_err(self.error("", "set the mode of"))
    }

    /// Lets the owner change the folder, if that is us and the mode did not allow it.
    pub(crate) fn open_to_owner(&self) -> Result<(), PublishError> {
        let stat = self.stat()?;
        let ours = stat.st_uid == rustix::process::geteuid().as_raw();
        if ours && stat.st_mode & 0o700 != 0o700 { self.set_mode(0o700) } else { Ok(()) }
    }

    /// Returns whether `link` is in this folder because root wants it so: no other user could have put it there.
    pub(super) fn only_root_could_link(&self, link: &Stat) -> Result<bool, PublishError> {
        Ok(resolve::only_root_could_link(&self.stat()?, link))
    }

    /// Waits until names that were made here are on the disk. In memory there is nothing to wait for.
    pub(crate) fn sync(&self) -> Result<(), PublishError> {
        if self.in_memory {
            return Ok(());
        }
        match rustix::fs::fsync(&self.fd) {
            // Some file systems cannot sync a folder and say so, and nothing is lost by that.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(self.error("", "sync")(errno)),
        }
    }

    /// Marks the folder as in use by this process until the descriptor is closed.
    pub(crate) fn lock(&self) -> Result<(), PublishError> {
        handle::lock(&self.fd, &self.path)
    }
}

/// Explains the `error` of a write in `folder`. If the folder is no longer the one that it `was`, a refusal follows
/// from that and from the sandbox, whose rules hold for folders and not for paths.
pub(super) fn explain(error: PublishError, folder: &Path, was: Option<Identity>) -> PublishError {
    let Some(was) = was.filter(|_| error.problem == Problem::Denied) else { return error };
    // Neither call needs a right in the folder itself, and no sandbox governs them.
    let is = resolve::place(folder, None).ok().and_then(|place| rustix::fs::fstat(&place).ok());
    if is.is_some_and(|stat| Identity::of(&stat) == was) {
        return error;
    }
    PublishError::new(folder, Problem::Replaced)
}

impl From<Dir> for OwnedFd {
    fn from(dir: Dir) -> Self {
        dir.fd
    }
}
