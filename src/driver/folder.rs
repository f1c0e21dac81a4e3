//! Notices at a probe that something was done to the shared folder, without a look at each file in it: a name in it is
//! gone, or the folder itself is another.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use leasehold_base::time::Moment;

/// A stamp this young may be that of two changes. The kernel takes the time of a change from its tick, which is 10 ms
/// long at most, so what happens within a tick after a look leaves the stamp as it was.
const TICK: Duration = Duration::from_millis(50);

/// The folder's device and inode, and when a name in it last changed.
type Stamp = (u64, u64, i64, i64);

/// The folder of the set, as it was at the last look.
#[derive(Default)]
pub(super) struct Folder {
    path: Option<PathBuf>,
    seen: Option<Stamp>,
    /// When this stamp was first seen.
    since: Moment,
    /// The stamp had not changed for a [`TICK`] at the last look, so that look has missed nothing.
    settled: bool,
}

impl Folder {
    pub(super) fn new(path: Option<&Path>, now: Moment) -> Self {
        let path = path.map(ToOwned::to_owned);
        let seen = path.as_deref().and_then(stamp);
        Self { path, seen, since: now, settled: false }
    }

    /// Returns whether the folder may have changed since the last call. Our own publishes change it, too. A folder that
    /// was replaced by another one is logged, because applications that opened the old one keep on reading old files.
    pub(super) fn has_changed(&mut self, now: Moment) -> bool {
        let Some(path) = &self.path else { return false };
        let found = stamp(path);
        let before = std::mem::replace(&mut self.seen, found);
        if before == found {
            let trusted = self.settled;
            self.settled = self.since.until(now) >= TICK;
            return !trusted;
        }
        (self.since, self.settled) = (now, false);
        if let (Some(before), Some(found)) = (before, found)
            && (before.0, before.1) != (found.0, found.1)
        {
            tracing::warn!(
                folder = %path.display(),
                "the folder was replaced, or something was mounted over it: publishing into the one that is there now; what has \
                 the old one open or mounted does not see these files, so start it again"
            );
        }
        true
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

    /// Returns the moment that is so many milliseconds after the start.
    fn at(millis: u64) -> Moment {
        Moment::default().after(Duration::from_millis(millis))
    }

    fn folder(space: &Path) -> PathBuf {
        let path = space.join("secrets");
        fs::create_dir(&path).expect("made");
        fs::write(path.join("password"), "x").expect("written");
        path
    }

    #[test]
    fn a_name_that_goes_and_another_folder_are_noticed_until_a_later_look_finds_the_same() {
        let space = tempfile::tempdir().expect("a folder");
        let path = folder(space.path());
        let mut folder = Folder::new(Some(&path), at(0));
        let mut millis = 0;
        let mut noticed_and_then_quiet = |folder: &mut Folder| {
            millis += 1000;
            assert!(folder.has_changed(at(millis)), "the change");
            assert!(folder.has_changed(at(millis + 60)), "whatever may have happened within its tick");
            assert!(!folder.has_changed(at(millis + 61)), "nothing more");
        };
        assert!(folder.has_changed(at(60)));
        assert!(!folder.has_changed(at(61)));
        fs::remove_file(path.join("password")).expect("removed");
        noticed_and_then_quiet(&mut folder);
        fs::rename(&path, space.path().join("old")).expect("renamed");
        noticed_and_then_quiet(&mut folder);
        fs::create_dir(&path).expect("made");
        noticed_and_then_quiet(&mut folder);
        assert!(!Folder::default().has_changed(at(0)));
    }

    #[test]
    fn what_happens_within_the_tick_of_the_last_look_is_noticed_although_the_stamp_is_the_same() {
        let space = tempfile::tempdir().expect("a folder");
        let path = folder(space.path());
        let mut folder = Folder::new(Some(&path), at(0));
        for millis in 1..10 {
            assert!(folder.has_changed(at(millis)), "{millis} ms after it was first seen");
        }
    }
}
