//! A test's own folder, on a tmpfs, gone with the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder on a tmpfs: secrets_dir and handoff are refused anywhere else.
#[derive(Debug)]
pub struct Workspace {
    dir: TempDir,
}

impl Workspace {
    /// A fresh folder below /dev/shm, which every Linux with glibc mounts as a tmpfs.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("leasehold-test-")
            .tempdir_in("/dev/shm")
            .expect("/dev/shm is a tmpfs that everybody may write to");
        Self { dir }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it, which need not exist.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Makes a folder in it.
    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.join(name);
        fs::create_dir_all(&dir).expect("the test's own folder takes folders");
        dir
    }

    /// Writes a file in it, with mode 0600.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::write(&path, content).expect("the test's own folder takes files");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        path
    }

    /// A file's text, or nothing where it is not there.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.join(name)).ok()
    }
}
