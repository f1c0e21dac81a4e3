//! Notices whether the files that a login is made from have changed. A refused login is worth another try then, and
//! only then.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

/// The files of a login, and their state at the last look.
#[derive(Debug)]
pub(super) struct Credentials {
    files: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
}

/// Device, inode, length, and the time of the last change. A swapped `..data` shows in the inode, a file written in
/// place in the time.
type Stamp = (u64, u64, u64, i64, i64);

impl Credentials {
    /// Looks at `files` for the first time.
    pub(super) fn new(files: Vec<PathBuf>) -> Self {
        let stamps = stamps(&files);
        Self { files, stamps }
    }

    /// Returns the files, to be watched.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns whether a file has changed since the last look.
    pub(super) fn look(&mut self) -> bool {
        let stamps = stamps(&self.files);
        let changed = stamps != self.stamps;
        self.stamps = stamps;
        changed
    }

    /// Returns a digest of the files' state, for another process to compare.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for stamp in stamps(&self.files) {
            let (dev, inode, length, seconds, nanos) = stamp.unwrap_or_default();
            hash.update([u8::from(stamp.is_some())]);
            for number in [dev, inode, length] {
                hash.update(number.to_le_bytes());
            }
            for number in [seconds, nanos] {
                hash.update(number.to_le_bytes());
            }
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |file: &PathBuf| {
        let stat = std::fs::metadata(file).ok()?;
        Some((stat.dev(), stat.ino(), stat.len(), stat.ctime(), stat.ctime_nsec()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_projected_token_changes_when_its_link_is_swapped() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        for (folder, token) in [("1", "old"), ("2", "new")] {
            std::fs::create_dir(path(folder)).expect("a folder");
            std::fs::File::create(path(folder).join("token"))
                .and_then(|mut file| std::io::Write::write_all(&mut file, token.as_bytes()))
                .expect("a file");
        }
        symlink("1", path("..data")).expect("a link");
        let mut credentials = Credentials::new(vec![path("..data/token"), path("absent")]);
        assert!(!credentials.look());
        let before = credentials.digest();
        assert_eq!(before, credentials.digest());
        symlink("2", path("..tmp")).expect("a link");
        std::fs::rename(path("..tmp"), path("..data")).expect("a swap");
        assert_ne!(before, credentials.digest());
        assert!(credentials.look());
        assert!(!credentials.look());
    }
}
