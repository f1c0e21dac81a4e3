//! What is remembered of a file that we published, so that a later look takes one stat and no read.
//!
//! A stamp consists of the kernel's facts of an inode that change with every write, rename, or change of mode or
//! owner. It holds nothing of the content: no digest is kept, so none can leak.

use rustix::fs::Stat;

use crate::secret::Secret;

/// The ticks in which a file system counts times last up to two seconds. Two changes within one tick have the same
/// stamp, so a stamp says nothing for certain before its tick is over.
const TICK: i64 = 2;

/// The identity of a file, and when it last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    place: Identity,
    size: i128,
    mode: u32,
    owner: (u32, u32),
    modified: (i128, i128),
    changed: Time,
}

/// A time of the file system: seconds since 1970, and nanoseconds.
type Time = (i128, i128);

/// The identity of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            modified: (i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
            changed: (i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
        }
    }

    /// Returns whether a change from `wall` on, in seconds since 1970, would give it another stamp.
    fn is_past(&self, wall: i64) -> bool {
        self.changed.0 + i128::from(TICK) < i128::from(wall)
    }

    /// Returns whether nothing differs from `other` but the time of the last change, which a second name moves on.
    pub(super) fn same_but_changed(&self, other: &Self) -> bool {
        Self { changed: other.changed, ..*self } == *other
    }

    /// Returns when it changed last.
    pub(super) fn changed(&self) -> Time {
        self.changed
    }

    /// Returns whether the bytes are those of `other`: mode and owner may differ.
    pub(super) fn same_bytes(&self, other: &Self) -> bool {
        (self.place, self.size, self.modified) == (other.place, other.size, other.modified)
    }
}

/// What is known of one published file.
#[derive(Debug, Clone)]
pub(super) struct Known {
    stamp: Stamp,
    /// The bytes were right after the stamp's tick was over, so the stamp alone vouches for them.
    settled: bool,
    /// The last time at which our own hard link may have moved the file's change time. A stamp that differs only by a
    /// change time up to then still proves the bytes.
    ours_until: Option<Time>,
    /// What we have published in it. In memory these bytes are shared with the rendering.
    published: Option<Secret>,
    /// Its content if it belongs to another owner: we may not read it back, so we keep a copy for comparison.
    pub(super) handed_over: Option<Secret>,
}

impl Known {
    /// Returns its inode.
    pub(super) fn inode(&self) -> Option<u64> {
        u64::try_from(self.stamp.place.inode).ok()
    }

    /// Makes what is known of a file that was just written, or found to be right.
    pub(super) fn new(stamp: Stamp, handed_over: Option<Secret>) -> Self {
        Self { stamp, settled: false, ours_until: None, published: None, handed_over }
    }

    /// Adds the bytes that the file holds.
    pub(super) fn of(self, published: Option<Secret>) -> Self {
        Self { published, ..self }
    }

    /// Records that its bytes were compared at `wall`, and that `stamp` was taken before.
    pub(super) fn confirm(&mut self, stamp: Stamp, wall: i64) {
        (self.stamp, self.settled, self.ours_until) = (stamp, stamp.is_past(wall), None);
    }

    /// Records that its bytes are others, whatever the stamp says.
    pub(super) fn doubt(&mut self) {
        (self.settled, self.ours_until) = (false, None);
    }

    /// Returns what is known after it was found unchanged, with this stamp, which may be a later one.
    pub(super) fn found(&self, stamp: Stamp) -> Self {
        let settled = self.vouches(&stamp);
        Self { stamp, settled, ours_until: None, ..self.clone() }
    }

    /// Returns its stamp.
    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Returns what is known after it got a second name, and with that this stamp.
    pub(super) fn linked(&self, stamp: Stamp) -> Self {
        Self { stamp, ours_until: None, ..self.clone() }
    }

    /// Records that it had a second name, which was removed by `until`.
    pub(super) fn had_two_names(&mut self, until: Option<Time>) {
        self.ours_until = until;
    }

    /// Returns whether we have published these bytes in it.
    pub(super) fn has_bytes(&self, bytes: &Secret) -> bool {
        self.published.as_ref() == Some(bytes)
    }

    /// Returns what we have published in it.
    pub(super) fn published(&self) -> Option<Secret> {
        self.published.clone()
    }

    /// Returns whether it had this stamp when it was last published or compared.
    pub(super) fn has(&self, stamp: &Stamp) -> bool {
        self.stamp == *stamp
    }

    /// Returns whether `stamp` alone shows that nothing has changed.
    pub(super) fn vouches(&self, stamp: &Stamp) -> bool {
        let as_it_was = self.stamp == *stamp;
        let as_we_left_it = || {
            self.ours_until.is_some_and(|until| stamp.changed <= until) && self.stamp.same_but_changed(stamp)
        };
        self.settled && (as_it_was || as_we_left_it())
    }

    /// Returns the bytes of a file with this stamp that we may not read, if they are still ours.
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

    #[test]
    fn a_second_name_moves_the_time_of_change_on_and_nothing_else() {
        let stamp = stamp(100);
        let mut known = Known::new(stamp, None);
        known.confirm(stamp, 103);
        let linked = Stamp { changed: (200, 5), ..stamp };
        assert!(!known.vouches(&linked));
        known.had_two_names(Some((200, 7)));
        assert!(known.vouches(&linked) && known.vouches(&stamp));
        assert!(!known.vouches(&Stamp { changed: (200, 8), ..stamp }), "another process's change");
        assert!(!known.vouches(&Stamp { modified: (200, 5), ..linked }), "a write");
        assert!(!known.vouches(&Stamp { mode: 0o100_666, ..linked }), "another mode");
        let found = known.found(linked);
        assert!(found.vouches(&linked) && !found.vouches(&stamp));
    }
}
