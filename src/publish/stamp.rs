//! What is remembered of a file that we published, so that a later look takes one stat and no read.
//!
//! A stamp is what the kernel says of an inode that changes with every write, rename, or change of
//! mode or owner. It holds nothing of the content: no digest is kept, so none can leak.

use rustix::fs::Stat;

use crate::secret::Secret;

/// A file system counts times in ticks, of up to two seconds. Two changes within one tick have the
/// same stamp, so a stamp says nothing for certain before its tick is over.
const TICK: i64 = 2;

/// Which file it is, and when it last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    place: Identity,
    size: i128,
    modified: (i128, i128),
    changed: (i128, i128),
}

/// Which file or folder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: i128,
    inode: i128,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { device: i128::from(stat.st_dev), inode: i128::from(stat.st_ino) }
    }
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            place: Identity::of(stat),
            size: i128::from(stat.st_size),
            modified: (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
            changed: (i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
        }
    }

    /// Whether a change from `wall` on, in seconds since 1970, makes another stamp of it.
    fn is_past(&self, wall: i64) -> bool {
        self.changed.0 + i128::from(TICK) < i128::from(wall)
    }

    /// Whether the bytes are those of `other`: mode and owner may differ.
    pub(super) fn same_bytes(&self, other: &Self) -> bool {
        (self.place, self.size, self.modified) == (other.place, other.size, other.modified)
    }
}

/// What is known of one published file.
#[derive(Debug, Clone)]
pub(super) struct Known {
    stamp: Stamp,
    /// The bytes were right when the stamp's tick was over: the stamp alone vouches for them.
    settled: bool,
    /// What is in it where it belongs to another owner, so that it can be compared although we may
    /// not read it.
    pub(super) handed_over: Option<Secret>,
}

impl Known {
    /// Its inode.
    pub(super) fn inode(&self) -> Option<u64> {
        u64::try_from(self.stamp.place.inode).ok()
    }

    /// It was just written, or found to be right.
    pub(super) fn new(stamp: Stamp, handed_over: Option<Secret>) -> Self {
        Self { stamp, settled: false, handed_over }
    }

    /// Its bytes were compared at `wall`, and `stamp` taken before.
    pub(super) fn confirm(&mut self, stamp: Stamp, wall: i64) {
        *self = Self { stamp, settled: stamp.is_past(wall), handed_over: self.handed_over.take() };
    }

    /// Whether it had this stamp when it was published or compared last.
    pub(super) fn has(&self, stamp: &Stamp) -> bool {
        self.stamp == *stamp
    }

    /// Whether `stamp` alone says that nothing has changed.
    pub(super) fn vouches(&self, stamp: &Stamp) -> bool {
        self.settled && self.stamp == *stamp
    }

    /// The bytes of a file with this stamp that we may not read, where they are still ours.
    pub(super) fn unread(&self, stamp: &Stamp) -> Option<&Secret> {
        self.handed_over.as_ref().filter(|_| self.stamp.same_bytes(stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(changed: i64) -> Stamp {
        let dir = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(dir.path().join("a")).expect("made");
        let stat = rustix::fs::fstat(&file).expect("open");
        Stamp { changed: (i128::from(changed), 0), ..Stamp::of(&stat) }
    }

    #[test]
    fn a_stamp_vouches_for_bytes_only_once_its_tick_is_over() {
        let stamp = stamp(100);
        let mut known = Known::new(stamp, None);
        assert!(!known.vouches(&stamp), "written just now");
        known.confirm(stamp, 102);
        assert!(!known.vouches(&stamp), "another write may have the same time");
        known.confirm(stamp, 103);
        assert!(known.vouches(&stamp));
        known.confirm(Stamp { changed: (200, 0), ..stamp }, 150);
        assert!(!known.vouches(&stamp), "a clock that was set back says nothing");
    }
}
