//! Notices at a probe that something was done to the shared folder, without a look at each file in it: a name in it is
//! gone, or the folder itself is another.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The folder's device and inode, and when a name in it last changed.
type Stamp = (u64, u64, i64, i64);

/// The folder of the set, as it was at the last look.
#[derive(Default)]
pub(super) struct Folder {
    path: Option<PathBuf>,
    seen: Option<Stamp>,
}

impl Folder {
    pub(super) fn new(path: Option<&Path>) -> Self {
        let path = path.map(ToOwned::to_owned);
        let seen = path.as_deref().and_then(stamp);
        Self { path, seen }
    }

    /// Returns whether the folder has changed since the last call, by whatever hand: our own publish changes it, too.
    /// Where it is another folder, this logs it: whoever has the old one open or mounted goes on with old files.
    pub(super) fn has_changed(&mut self) -> bool {
        let Some(path) = &self.path else { return false };
        let now = stamp(path);
        let before = std::mem::replace(&mut self.seen, now);
        if let (Some(before), Some(now)) = (before, now)
            && (before.0, before.1) != (now.0, now.1)
        {
            tracing::warn!(
                folder = %path.display(),
                "the folder was replaced, or something was mounted over it: publishing into the one that is there now; what has \
                 the old one open or mounted does not see these files, so start it again"
            );
        }
        before != now
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let stat = std::fs::metadata(path).ok()?;
    Some((stat.dev(), stat.ino(), stat.ctime(), stat.ctime_nsec()))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_name_that_goes_and_another_folder_are_noticed_once() {
        let space = tempfile::tempdir().expect("a folder");
        let path = space.path().join("secrets");
        fs::create_dir(&path).expect("made");
        fs::write(path.join("password"), "x").expect("written");
        let mut folder = Folder::new(Some(&path));
        assert!(!folder.has_changed());
        fs::remove_file(path.join("password")).expect("removed");
        assert!(folder.has_changed());
        assert!(!folder.has_changed());
        fs::rename(&path, space.path().join("old")).expect("renamed");
        assert!(folder.has_changed());
        assert!(!folder.has_changed());
        fs::create_dir(&path).expect("made");
        assert!(folder.has_changed());
        assert!(!Folder::default().has_changed());
    }
}
