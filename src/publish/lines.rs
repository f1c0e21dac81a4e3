//! A file that grows by whole lines, beside a file that is replaced as a whole.
//!
//! It is created anew and never continued: what an earlier run left may end in the middle of a line. Each line is in
//! the file when [`append`](LineFile::append) returns. If the process is killed before that, at most a part of the
//! line is left, at the end of the file.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::SingleFile;
use super::dir::Dir;
use super::error::PublishError;
use super::stamp::Identity;

/// The open file.
#[derive(Debug)]
pub(crate) struct LineFile {
    path: PathBuf,
    file: File,
    identity: Identity,
    length: u64,
}

impl LineFile {
    /// Creates the file at `path` with its first lines, for us alone. Removes what had the name before.
    ///
    /// # Errors
    /// Nothing of the file is left.
    pub(crate) fn create(
        path: &Path,
        dir_mode: u32,
        require_tmpfs: bool,
        first: &[u8],
    ) -> Result<Self, PublishError> {
        let single = SingleFile::new(path, dir_mode, require_tmpfs);
        let (dir, name) = single.place()?;
        dir.remove_file(name)?;
        let file = dir.create_file(name)?;
        let created = Self::filled(path, file, first).and_then(|lines| dir.sync().map(|()| lines));
        created.inspect_err(|_| {
            // The error says why. Without its first line, the file counts for nothing.
            let _ = dir.remove_file(name);
        })
    }

    fn filled(path: &Path, file: File, first: &[u8]) -> Result<Self, PublishError> {
        let stat = rustix::fs::fstat(&file).map_err(|why| PublishError::from_errno(path, "look at", why))?;
        let mut lines = Self { path: path.to_owned(), file, identity: Identity::of(&stat), length: 0 };
        lines.append(first)?;
        Ok(lines)
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// The file is as it was before. If it cannot be cut again, it ends with a part of these lines, and the next ones
    /// are written over that part.
    pub(crate) fn append(&mut self, lines: &[u8]) -> Result<(), PublishError> {
        let written = self.file.write_all_at(lines, self.length);
        let failed = |doing, errno| PublishError::from_errno(&self.path, doing, errno);
        let whole = written
            .map_err(|why| failed("write", why.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)))
            .and_then(|()| rustix::fs::fsync(&self.file).map_err(|errno| failed("sync", errno)));
        match whole {
            Ok(()) => {
                self.length += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                let _ = rustix::fs::ftruncate(&self.file, self.length);
                Err(error)
            }
        }
    }

    /// Writes to another file from now on, such as one without room. Returns the one before.
    #[cfg(test)]
    pub(crate) fn swap(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Returns the length of the file, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns whether the file still has its name: no later run finds lines in a file that another process has
    /// removed or replaced.
    pub(crate) fn is_there(&self) -> bool {
        rustix::fs::lstat(&self.path).is_ok_and(|stat| Identity::of(&stat) == self.identity)
    }

    /// Removes the file of this kind at `path`, whichever run has left it.
    ///
    /// # Errors
    /// It is still there.
    pub(crate) fn remove(path: &Path) -> Result<(), PublishError> {
        let single = SingleFile::new(path, 0, false);
        let (folder, name) = single.parts()?;
        Dir::open(folder, None)?.remove_file(name)
    }
}
