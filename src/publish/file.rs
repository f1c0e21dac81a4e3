//! A file of an absolute path: published alone, replaced in one step.
//!
//! # How it is published
//!
//! 1. Open its folder (created if it is missing), and check that it is tmpfs if it must be.
//! 2. Check what has the name. A file or a link is replaced, never followed. Refused are: a file that is a mount
//!    point, which no rename can replace; a link that only root can have made, since it is there on purpose
//!    (`/dev/stdout`); anything else.
//! 3. Compare bytes, mode and owner with what is there. If nothing differs, that is all.
//! 4. Create a temporary file in the same folder: O_EXCL, 0600; lock, bytes, mode, owner, fsync.
//! 5. Rename it over the name. **This is the instant.**
//! 6. fsync the folder.
//!
//! An error up to step 5 removes the temporary file and leaves the old one as it is. If the process is killed there,
//! it leaves the temporary file, which the next start removes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};
use zeroize::Zeroizing;

use super::dir::{self, Dir};
use super::error::{Problem, PublishError};
use super::leaf::{self, Attributes, FolderKind, Source};
use super::published::Published;
use super::resolve::Create;
use super::stamp::{Identity, Known, Stamp};
use super::{handle, names, sweep};
use crate::secret::Secret;

/// The largest file that [`SingleFile::content`] reads, in bytes.
const LARGEST: u64 = 8 << 20;

/// A file that is published alone. Holds no descriptor: its folder may be replaced between two
/// publishes.
#[derive(Debug)]
pub struct SingleFile {
    path: PathBuf,
    dir_mode: u32,
    require_tmpfs: bool,
    generation: u64,
    /// What this run published last, if it published anything.
    pub(super) known: Option<Known>,
    /// The folder that the file was in then.
    pub(super) folder: Option<Identity>,
}

impl SingleFile {
    /// Makes the file at `path`, whose folder is created with `dir_mode` if it is missing. Removes what a crash left
    /// there; what is published stays as it is.
    ///
    /// # Errors
    /// If the folder cannot be opened or created, or is not on tmpfs or ramfs although `require_tmpfs` is set, or if
    /// what has the name cannot be replaced by a file.
    pub fn open(path: &Path, dir_mode: u32, require_tmpfs: bool) -> Result<Self, PublishError> {
        let file = Self::new(path, dir_mode, require_tmpfs);
        let (dir, name) = file.place()?;
        let there = replaceable(&dir, name)?;
        // What cannot be removed now is in the way of the publish, which reports it.
        let _ = sweep::leftover(&dir, &names::temporary(name));
        let generation = u64::from(there == Some(FileType::RegularFile));
        let folder = Some(Identity::of(&dir.stat()?));
        Ok(Self { generation, folder, ..file })
    }

    pub(super) fn new(path: &Path, dir_mode: u32, require_tmpfs: bool) -> Self {
        Self { path: path.to_owned(), dir_mode, require_tmpfs, generation: 0, known: None, folder: None }
    }

    /// Returns whether there is a file.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn exists(&self) -> Result<bool, PublishError> {
        let (dir, name) = self.place()?;
        Ok(dir.kind_of(name)? == Some(FileType::RegularFile))
    }

    /// Publishes `bytes`.
    ///
    /// # Errors
    /// Nothing has changed for any reader, and nothing of the new file is left behind.
    pub fn publish(&mut self, bytes: &Secret, attributes: &Attributes) -> Result<Published, PublishError> {
        self.publish_at_place(bytes, attributes).map_err(|error| self.explain(error))
    }

    fn publish_at_place(
        &mut self,
        bytes: &Secret,
        attributes: &Attributes,
    ) -> Result<Published, PublishError> {
        // Steps 1 to 3.
        let (dir, name) = self.place()?;
        let there = replaceable(&dir, name)?;
        let folder = Some(Identity::of(&dir.stat()?));
        let known = self.known.as_ref();
        let same =
            there.map_or(Ok(None), |_| leaf::same(&dir, name, Some(bytes), attributes, known, false))?;
        if let Some(stamp) = same {
            let vouched =
                self.known.take().filter(|known| known.has_bytes(bytes)).map(|known| known.found(stamp));
            self.known =
                Some(vouched.unwrap_or_else(|| {
                    Known::new(stamp, attributes.remembers(bytes)).of(Some(bytes.clone()))
                }));
            self.folder = folder;
            return Ok(Published { generation: self.generation, changed: Vec::new(), aftermath: None });
        }
        // Step 4. The returned file holds the lock until the temporary name is gone.
        let temporary = names::temporary(name);
        let write =
            || leaf::write_new(&dir, &temporary, Source::Bytes(bytes), attributes, FolderKind::Shared);
        let (written, _) = match write() {
            // A crash left this name, or another process is writing it.
            Err(PublishError { problem: Problem::InTheWay(_), .. }) => {
                sweep::leftover(&dir, &temporary)?;
                write()?
            }
            written => written?,
        };
        // Step 5.
        dir.rename(&temporary, name).inspect_err(|_| {
            // The error says why. What cannot be removed now, the next start removes.
            let _ = dir.remove_file(&temporary);
        })?;
        // Step 6. The instant is past: an error from here on cannot take it back.
        let aftermath = dir.sync().err();
        // The rename counts as a change, too. Without a stamp the next look compares the bytes.
        let stamp = leaf::stamp(&dir, &temporary, &written).ok();
        let published = Some(bytes.clone());
        self.known = stamp.map(|stamp| Known::new(stamp, attributes.remembers(bytes)).of(published));
        self.folder = folder;
        self.generation += 1;
        Ok(Published { generation: self.generation, changed: vec![0], aftermath })
    }

    /// Drops the bytes from memory, since they will not be compared with others.
    pub(crate) fn forget_bytes(&mut self) {
        self.known = self.known.take().map(|known| known.of(None));
    }

    /// Returns whether the kernel's facts of the file are the same as when this run published it last.
    pub(crate) fn is_as_published(&self) -> bool {
        let stamp = rustix::fs::lstat(&self.path).map(|stat| Stamp::of(&stat));
        stamp.is_ok_and(|stamp| self.known.as_ref().is_some_and(|known| known.has(&stamp)))
    }

    /// Returns the content; `None` if the file is not there. For a file that we may not read, it is what we wrote.
    ///
    /// # Errors
    /// It cannot be read, or is larger than 8 MiB.
    pub fn content(&self) -> Result<Option<Secret>, PublishError> {
        let (file, stat) = match self.read() {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(error @ PublishError { problem: Problem::Denied, .. }) => {
                let handed_over = self.known.as_ref().and_then(|known| known.handed_over.clone());
                return handed_over.map(Some).ok_or(error);
            }
            Err(error) => return Err(error),
        };
        let too_large = || PublishError::new(&self.path, Problem::TooLarge);
        let size = u64::try_from(stat.st_size).ok().filter(|size| *size <= LARGEST).ok_or_else(too_large)?;
        // The buffer has room for all of it, and for one more byte to see the end, so it does not move.
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(usize::try_from(size + 1).map_err(|_| too_large())?));
        file.take(size).read_to_end(&mut bytes).map_err(|error| {
            let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO);
            PublishError::from_errno(&self.path, "read", errno)
        })?;
        Ok(Some(Secret::new(std::mem::take(&mut *bytes))))
    }

    /// Opens it for reading, and returns its facts; `None` if it is not there.
    pub(crate) fn read(&self) -> Result<Option<(File, Stat)>, PublishError> {
        let (dir, name) = self.place()?;
        self.read_in(&dir, name)
    }

    fn read_in(&self, dir: &Dir, name: &OsStr) -> Result<Option<(File, Stat)>, PublishError> {
        let Some(file) = dir.read_file(name)? else { return Ok(None) };
        let stat = rustix::fs::fstat(&file)
            .map_err(|errno| PublishError::from_errno(&self.path, "look at", errno))?;
        Ok(Some((file, stat)))
    }

    /// Opens the file at `path` in the same way, for nothing else: nothing is created and nothing is swept.
    pub(crate) fn peek(path: &Path) -> Result<Option<(File, Stat)>, PublishError> {
        let single = Self::new(path, 0, false);
        let (folder, name) = single.parts()?;
        let dir = Dir::open(folder, None)?;
        single.read_in(&dir, name)
    }

    /// Removes the file; does nothing if it is not there.
    pub(crate) fn remove(&mut self) -> Result<(), PublishError> {
        let (dir, name) = self.place()?;
        dir.remove_file(name)?;
        dir.sync()
    }

    /// Takes the lock on the file `path`, which is created empty if it is missing, and is never removed: a process
    /// that waits for a lock whose file has lost its name would hold another lock than the next process.
    ///
    /// # Errors
    /// `Busy` if another process holds it.
    pub(crate) fn lock(path: &Path, dir_mode: u32, require_tmpfs: bool) -> Result<File, PublishError> {
        let file = Self::new(path, dir_mode, require_tmpfs);
        let (dir, name) = file.place()?;
        let opened = dir.open_or_create(name)?;
        handle::lock(&opened, &file.path)?;
        Ok(opened)
    }

    /// Explains an error: if the folder is no longer the one that it was, the error says so.
    pub(super) fn explain(&self, error: PublishError) -> PublishError {
        let folder = self.path.parent().unwrap_or(&self.path);
        dir::explain(error, folder, self.folder)
    }

    pub(super) fn place(&self) -> Result<(Dir, &OsStr), PublishError> {
        let (folder, name) = self.parts()?;
        let create = Create { mode: self.dir_mode, in_memory: self.require_tmpfs };
        let mut dir = Dir::open(folder, Some(create))?;
        if self.require_tmpfs {
            dir.require_memory()?;
        }
        Ok((dir, name))
    }

    /// Returns its folder, and its name there.
    pub(super) fn parts(&self) -> Result<(&Path, &OsStr), PublishError> {
        let refuse = |rule| move || PublishError::new(&self.path, Problem::Name(rule));
        if names::has_control(self.path.as_os_str()) {
            return Err(refuse(names::CONTROL)());
        }
        let not_a_file = refuse("is not an absolute path of a file");
        let name = self.path.file_name().ok_or_else(not_a_file)?;
        let folder = self.path.parent().filter(|folder| folder.is_absolute()).ok_or_else(not_a_file)?;
        Ok((folder, name))
    }
}

/// Does step 2: checks that what has the name may be replaced. Returns its type, or `None` if nothing has the name.
pub(super) fn replaceable(dir: &Dir, name: &OsStr) -> Result<Option<FileType>, PublishError> {
    let Some(stat) = dir.stat_of(name)? else { return Ok(None) };
    let refuse = |problem| Err(PublishError::new(dir.at(name), problem));
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if dir.is_mount_point(name) => refuse(Problem::MountPoint),
        FileType::Symlink if dir.only_root_could_link(&stat)? => refuse(Problem::Link),
        kind @ (FileType::RegularFile | FileType::Symlink) => Ok(Some(kind)),
        kind => Err(PublishError::in_the_way(dir.at(name), kind)),
    }
}
