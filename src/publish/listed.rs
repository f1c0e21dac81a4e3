//! What is remembered of a published absolute file for the next run, which may no longer name it.
//!
//! The list stands in the handoff, which only we can write. It is believed only as far as this: a listed file is
//! removed only if it is still the same inode with the same bytes, in a folder that has a lock file of ours (see
//! [`alone`](super::alone)). So a run that was compromised cannot have the next one remove files from folders that
//! the first was not allowed to write.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::SingleFile;
use super::alone::LOCK;
use super::dir::Dir;
use super::error::PublishError;
use super::inspect::there;
use crate::secret::Secret;

/// A published absolute file, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// Its inode.
    pub inode: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
}

/// How a listed file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is not there.
    Gone,
    /// It is as it was published.
    Unchanged,
    /// Another process has changed or replaced it.
    Changed,
    /// Nothing shows that a run of our user has published in its folder.
    Elsewhere,
}

impl Listed {
    /// Checks what has the name. Nothing is created, and no link is followed.
    ///
    /// # Errors
    /// Its folder or the file itself cannot be read.
    pub fn find(&self) -> Result<Found, PublishError> {
        Ok(self.look()?.1)
    }

    /// Removes the file if it is unchanged. Returns how it was found.
    ///
    /// # Errors
    /// As [`find`](Self::find), or it cannot be removed.
    pub fn remove(&self) -> Result<Found, PublishError> {
        let (dir, found) = self.look()?;
        if let (Some(dir), Some(name), Found::Unchanged) = (dir, self.path.file_name(), found) {
            dir.remove_file(name)?;
            dir.sync()?;
        }
        Ok(found)
    }

    fn look(&self) -> Result<(Option<Dir>, Found), PublishError> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok((None, Found::Elsewhere));
        };
        if !folder.is_absolute() {
            return Ok((None, Found::Elsewhere));
        }
        let Some(dir) = there(Dir::open(folder, None))? else { return Ok((None, Found::Gone)) };
        let Some(stat) = dir.stat_of(name)? else { return Ok((Some(dir), Found::Gone)) };
        let found = if !has_lock_of_ours(&dir)? {
            Found::Elsewhere
        } else if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_ino == self.inode
            && self.has_bytes(&dir, name)?
        {
            Found::Unchanged
        } else {
            Found::Changed
        };
        Ok((Some(dir), found))
    }

    fn has_bytes(&self, dir: &Dir, name: &OsStr) -> Result<bool, PublishError> {
        let Some(mut file) = dir.read_file(name)? else { return Ok(false) };
        let (mut hash, mut buffer) = (Sha256::new(), Zeroizing::new([0; 8192]));
        loop {
            match file.read(&mut buffer[..]) {
                Ok(0) => return Ok(hex(hash) == self.digest),
                Ok(count) => hash.update(&buffer[..count]),
                Err(error) => {
                    let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO);
                    return Err(PublishError::from_errno(&dir.at(name), "read", errno));
                }
            }
        }
    }
}

impl SingleFile {
    /// Returns how the next run can recognise the file, if this run has published `bytes` in it.
    #[must_use]
    pub fn listed(&self, path: &Path, bytes: &Secret) -> Option<Listed> {
        let inode = self.known.as_ref()?.inode()?;
        let mut hash = Sha256::new();
        hash.update(bytes.expose());
        Some(Listed { path: path.to_owned(), inode, digest: hex(hash) })
    }
}

fn has_lock_of_ours(dir: &Dir) -> Result<bool, PublishError> {
    let lock = dir.stat_of(OsStr::new(LOCK))?;
    Ok(lock.is_some_and(|stat| {
        stat.st_uid == rustix::process::geteuid().as_raw()
            && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
    }))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "another process's files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::publish::{Attributes, Claims, Wanted};

    const PRIVATE: Attributes = Attributes { mode: 0o600, uid: None, gid: None };

    fn published(path: &Path) -> Listed {
        let wanted = Wanted { alone: vec![path], dir_mode: 0o750, ..Wanted::default() };
        Claims::default().hold(&wanted).expect("free");
        let mut file = SingleFile::open(path, 0o750, false).expect("a place");
        let bytes = Secret::from("hunter2");
        file.publish(&bytes, &PRIVATE).expect("published");
        file.listed(path, &bytes).expect("it was published here")
    }

    #[test]
    fn an_unchanged_file_is_removed_and_one_that_is_gone_is_no_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("sub/a");
        let listed = published(&path);
        assert!(!format!("{listed:?}").contains("hunter2"));
        assert_eq!(listed.remove(), Ok(Found::Unchanged));
        assert!(!path.exists());
        assert_eq!(listed.remove(), Ok(Found::Gone));
        fs::remove_dir_all(dir.path().join("sub")).expect("removed");
        assert_eq!(listed.remove(), Ok(Found::Gone));
    }

    #[test]
    fn a_file_that_another_process_changed_or_replaced_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a");
        type Change = fn(&Path);
        let changes: [Change; 4] = [
            |path| fs::write(path, "hunter3").expect("ours"),
            |path| {
                // With the same bytes, but another file.
                fs::copy(path, path.with_extension("b")).expect("copied");
                fs::rename(path.with_extension("b"), path).expect("renamed");
            },
            |path| {
                fs::rename(path, path.with_extension("b")).expect("renamed");
                symlink(path.with_extension("b"), path).expect("linked");
            },
            |path| {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("made");
            },
        ];
        for change in changes {
            let listed = published(&path);
            change(&path);
            assert_eq!(listed.remove(), Ok(Found::Changed));
            assert!(path.symlink_metadata().is_ok(), "it stays");
            let _ = fs::remove_file(&path);
        }
    }

    #[test]
    fn nothing_is_removed_from_a_folder_that_no_run_of_ours_has_published_in() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a");
        let listed = published(&path);
        fs::remove_file(dir.path().join(LOCK)).expect("removed");
        assert_eq!(listed.remove(), Ok(Found::Elsewhere));
        assert!(path.exists());
        let relative = Listed { path: "a".into(), ..listed };
        assert_eq!(relative.remove(), Ok(Found::Elsewhere));
    }
}
