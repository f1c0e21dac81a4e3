//! The set of relative files: one generation, one link, one instant at which it changes.
//!
//! # What a reader finds
//!
//! ```text
//! db.env          -> ..data/db.env         visible links, one for each first component
//! tls             -> ..data/tls
//! ..data          -> ..leasehold_42        the only link that changes
//! ..leasehold_42/                          the generation: dir_mode, the volume's group
//!     db.env
//!     tls/server.pem
//! ```
//!
//! This is kubelet's layout for its own volumes (`pkg/volume/util/atomic_writer.go`). A reader that
//! opens the folder `..data` and both files in it sees one generation; one that opens them by
//! their visible names does so unless a publish happens in between.
//!
//! # How a generation is published
//!
//! 1. Open the folder, check that it is tmpfs if it must be, and check all names.
//! 2. Open the generation that `..data` leads to, if there is one and we can trust it.
//! 3. Compare every member with what is there. If nothing differs, put back visible links, and that is all.
//! 4. Refuse if something that is no link of ours has a name that we need.
//! 5. Create the new generation's folder, 0700, under a number not taken yet, and lock it.
//! 6. Write every member that differs: O_EXCL, bytes, mode, owner, fsync. A member that is there as it should be, and
//!    that only we can write to, is linked: the new generation has the same file under the same name. It must still
//!    be the file that was compared. If it cannot be linked, it is written, or copied from the old generation.
//! 7. Give each folder its mode, deepest first, and fsync it.
//! 8. Create the visible links of new members. They lead nowhere yet, which to a reader is the same as not being
//!    there. fsync the folder.
//! 9. Create the new `..data` under another name, and rename it over the old one. **This is the instant.** fsync the
//!    folder.
//! 10. Remove visible links of members that are gone, the old generation, and leftovers.
//!
//! So a publish costs as much as what has changed, and needs room only for that. A file has two names from step 6 to
//! step 10, or to the next start if the process is killed in between. At any other time, a second name is another
//! process's way to the file, and the file is written anew.
//!
//! An error up to step 9 removes what was made and leaves the old generation as it is. If the process is killed
//! there, it leaves a folder that no other user can open, and that the next start removes. Step 10 cannot fail the
//! publish, which has happened by then. The next publish tries again, and this one reports, what could not be
//! removed.
//!
//! Unlike kubelet, we create the visible links before the instant and not after: there is no moment at which a reader
//! finds new content under an old name and nothing under a new one.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::dir::{self, Dir};
use super::error::PublishError;
use super::generation::{Current, Staged};
use super::leaf::{Attributes, Source};
use super::published::Published;
use super::resolve::Create;
use super::stamp::{Identity, Known, Stamp};
use super::{links, names, sweep};
use crate::secret::Secret;

/// The folder of a set. Holds no descriptor: the folder may be replaced between two publishes.
#[derive(Debug)]
pub struct Set {
    pub(super) path: PathBuf,
    pub(super) dir_mode: u32,
    require_tmpfs: bool,
    /// What this run published last, by member.
    pub(super) known: BTreeMap<PathBuf, Known>,
    /// The generation of that publish: its number and its folder.
    pub(super) last: Option<(u64, Identity)>,
    /// The folder that contains everything.
    pub(super) folder: Option<Identity>,
    /// When the next publish begins, in seconds since 1970, if that was set.
    wall: Option<i64>,
}

/// One file of a set.
#[derive(Debug, Clone)]
pub struct Member {
    /// The path: relative, of normal components, the first of which does not begin with `..`.
    pub path: PathBuf,
    /// Its bytes.
    pub content: Content,
    /// Its owner, group and mode.
    pub attributes: Attributes,
}

/// The bytes of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These.
    Bytes(Secret),
    /// What is published now, carried over: the last good bytes of a file that cannot be rendered at the moment. The
    /// member is left out if nothing is there.
    Keep,
}

/// What a publish is about to do: the findings of step 3.
struct Difference<'a> {
    /// The members that there will be, with their index; without those to keep that are not there.
    wanted: Vec<(usize, &'a Member)>,
    /// Their visible names.
    visible: Vec<OsString>,
    /// The indices of the members that differ from what is there.
    changed: Vec<usize>,
    /// Whether a new generation is needed, if only because a member is gone.
    any: bool,
    /// What is known of the members that do not differ.
    known: BTreeMap<PathBuf, Known>,
}

/// What a publish has made so far.
#[derive(Default)]
struct Made {
    /// Visible links under names that were free, to be undone if the publish fails.
    visible: Vec<OsString>,
    /// What is known of the new generation.
    known: BTreeMap<PathBuf, Known>,
    /// The members that are the files of the old generation.
    linked: Vec<PathBuf>,
}

impl Set {
    /// Makes the set in the folder `path`, which is created with `dir_mode` if it is missing. Removes what a crash
    /// left there; what is published stays as it is.
    ///
    /// # Errors
    /// If the folder cannot be opened or created, or is not on tmpfs or ramfs although `require_tmpfs` is set.
    pub fn open(path: &Path, dir_mode: u32, require_tmpfs: bool) -> Result<Self, PublishError> {
        let (known, last, folder, wall) = (BTreeMap::new(), None, None, None);
        let set = Self { path: path.to_owned(), dir_mode, require_tmpfs, known, last, folder, wall };
        let root = set.root()?;
        let folder = Some(Identity::of(&root.stat()?));
        let visible = Current::open(&root)?.map_or(Ok(Vec::new()), |current| current.dir.names())?;
        // The next publish tries again, and reports, what cannot be removed now.
        let _ = sweep::leftovers(&root).and(sweep::stale_links(&root, &visible));
        Ok(Self { folder, ..set })
    }

    /// Sets when the next publish begins, in seconds since 1970. What that publish compares, a later one need not
    /// read again.
    pub fn at(&mut self, wall: i64) -> &mut Self {
        self.wall = Some(wall);
        self
    }

    /// Returns the members that are published now, by path, sorted.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn existing(&self) -> Result<Vec<PathBuf>, PublishError> {
        Current::open(&self.root()?)?.map_or(Ok(Vec::new()), |current| current.files())
    }

    /// Publishes exactly `members`: any other file that is published now disappears.
    ///
    /// # Errors
    /// Nothing has changed for any reader, and nothing of the new generation is left behind.
    pub fn publish(&mut self, members: &[Member]) -> Result<Published, PublishError> {
        self.publish_in_folder(members).map_err(|error| dir::explain(error, &self.path, self.folder))
    }

    fn publish_in_folder(&mut self, members: &[Member]) -> Result<Published, PublishError> {
        // Steps 1 and 2.
        let root = self.root()?;
        names::distinct(members.iter().map(|member| member.path.as_path()))?;
        let current = match Current::open(&root)? {
            None => self.recover(&root)?,
            current => current,
        };
        let folder = Some(Identity::of(&root.stat()?));
        // Step 3.
        let before = self.last.map_or(0, |(number, _)| number);
        let number = current.as_ref().map_or(before, |current| current.number);
        let difference = self.difference(current.as_ref(), members)?;
        if let (false, Some(current)) = (difference.any, &current) {
            links::mend(&root, &difference.visible, number)?;
            self.last = Some((number, Identity::of(&current.dir.stat()?)));
            self.known = difference.known;
            self.folder = folder;
            return Ok(Published { generation: number, changed: Vec::new(), aftermath: None });
        }
        // Step 4.
        let lacking = links::lacking(&root, &difference.visible)?;
        // Step 5.
        let staged = Staged::create(&root, number)?;
        let generation = staged.number;
        let mut made = Made::default();
        match self.commit(&root, current.as_ref(), &difference, &lacking, &staged, &mut made) {
            Ok(()) => {}
            Err(error) => {
                // The first error says why. What cannot be undone, the next sweep finds.
                for name in made.visible {
                    let _ = root.remove_file(&name);
                }
                let _ = staged.discard(&root);
                return Err(error);
            }
        };
        // The instant is past: nothing from here on can take it back.
        let synced = root.sync();
        (self.known, self.last, self.folder) = (made.known, Some((generation, staged.identity)), folder);
        // Step 10.
        let unlinked = sweep::stale_links(&root, &difference.visible);
        let removed = current.map_or(Ok(()), |old| sweep::replaced(&root, &old));
        let swept = sweep::leftovers(&root);
        if removed.is_ok() {
            self.forget_second_names(&root, &made.linked);
        }
        let aftermath = synced.and(unlinked).and(removed).and(swept).err();
        Ok(Published { generation, changed: difference.changed, aftermath })
    }

    /// Puts the generation that this run published last back behind `..data`, which was removed or leads elsewhere:
    /// it may have the only copy of a member that cannot be rendered now.
    fn recover(&self, root: &Dir) -> Result<Option<Current>, PublishError> {
        let Some((number, identity)) = self.last else { return Ok(None) };
        let name = OsString::from(names::generation(number));
        match root.stat_of(&name)? {
            Some(stat) if Identity::of(&stat) == identity => {
                links::point(root, OsStr::new(names::DATA), &name, number)?;
                Current::open(root)
            }
            _ => Ok(None),
        }
    }

    /// Does the part of step 1 that opens the folder, and checks that it is tmpfs if it must be.
    fn root(&self) -> Result<Dir, PublishError> {
        let create = Create { mode: self.dir_mode, in_memory: self.require_tmpfs };
        let mut root = Dir::open(&self.path, Some(create))?;
        if self.require_tmpfs {
            root.require_memory()?;
        }
        Ok(root)
    }

    /// Does step 3: compares every member with what is there.
    fn difference<'a>(
        &self,
        current: Option<&Current>,
        members: &'a [Member],
    ) -> Result<Difference<'a>, PublishError> {
        let there = current.map_or(Ok(Vec::new()), Current::files)?;
        let mut wanted = Vec::new();
        let mut changed = Vec::new();
        let mut known = BTreeMap::new();
        for (index, member) in members.iter().enumerate() {
            if member.content == Content::Keep && there.binary_search(&member.path).is_err() {
                continue;
            }
            wanted.push((index, member));
            let before = self.known.get(&member.path);
            match current.map_or(Ok(None), |current| current.holds(member, before, false))? {
                Some(stamp) => {
                    drop(known.insert(member.path.clone(), member.found(stamp, before, self.wall)))
                }
                None => changed.push(index),
            }
        }
        let paths: Vec<&Path> = wanted.iter().map(|(_, member)| member.path.as_path()).collect();
        let stay: HashSet<&Path> = paths.iter().copied().collect();
        let gone = there.iter().any(|path| !stay.contains(path.as_path()));
        let mode = current.map_or(Ok(true), |current| current.has_mode(self.dir_mode))?;
        Ok(Difference {
            visible: links::visible(&paths),
            any: !changed.is_empty() || gone || !mode,
            wanted,
            changed,
            known,
        })
    }

    /// Records that the old generation is gone, and with it the second names of these members. The folder's time of
    /// change, as the kernel says it now, is not earlier than that.
    fn forget_second_names(&mut self, root: &Dir, linked: &[PathBuf]) {
        let until = root.stat().ok().map(|stat| Stamp::of(&stat).changed());
        for path in linked {
            if let Some(known) = self.known.get_mut(path) {
                known.had_two_names(until);
            }
        }
    }

    /// Steps 6 to 9.
    fn commit(
        &self,
        root: &Dir,
        current: Option<&Current>,
        difference: &Difference<'_>,
        lacking: &[OsString],
        staged: &Staged,
        made: &mut Made,
    ) -> Result<(), PublishError> {
        // Step 6.
        for (_, member) in &difference.wanted {
            let same = difference.known.get(&member.path).filter(|_| member.attributes.may_go_on());
            if let (Some(current), Some(same)) = (current, same)
                && let Some(stamp) = staged.link(current, &member.path, same.stamp())?
            {
                made.known.insert(member.path.clone(), same.linked(stamp));
                made.linked.push(member.path.clone());
                continue;
            }
            let source = match (&member.content, current) {
                (Content::Bytes(bytes), _) => Source::Bytes(bytes),
                (Content::Keep, Some(current)) => {
                    current.source(&member.path, self.known.get(&member.path))?
                }
                (Content::Keep, None) => continue,
            };
            let stamp = staged.write(&member.path, source, &member.attributes)?;
            let before = self.known.get(&member.path);
            made.known.insert(member.path.clone(), member.known(stamp, before));
        }
        // Step 7.
        staged.finish(self.dir_mode)?;
        // Step 8.
        links::create_missing(root, lacking, staged.number, &mut made.visible)?;
        root.sync()?;
        // Step 9.
        let generation = names::generation(staged.number);
        links::point(root, OsStr::new(names::DATA), OsStr::new(&generation), staged.number)
    }
}

impl Member {
    /// Returns what is known of the member now, after it was found to be right with this stamp after `wall`, in
    /// seconds since 1970, and `before` was known.
    fn found(&self, stamp: Stamp, before: Option<&Known>, wall: Option<i64>) -> Known {
        match (&self.content, before) {
            (Content::Keep, Some(before)) => before.found(stamp),
            (Content::Bytes(bytes), Some(before)) if before.has_bytes(bytes) => match wall {
                // Its bytes were compared, so the next change of the set need not read it again.
                Some(wall) if !before.vouches(&stamp) => {
                    let mut compared = before.clone();
                    compared.confirm(stamp, wall);
                    compared
                }
                _ => before.found(stamp),
            },
            _ => self.known(stamp, before),
        }
    }

    /// Returns what is known of the member now, when it has this stamp and `before` was known.
    fn known(&self, stamp: Stamp, before: Option<&Known>) -> Known {
        let (published, handed_over) = match &self.content {
            Content::Bytes(bytes) => (Some(bytes.clone()), self.attributes.remembers(bytes)),
            Content::Keep => {
                let handed_over = before.and_then(|before| before.handed_over.clone());
                (before.and_then(Known::published), handed_over)
            }
        };
        Known::new(stamp, handed_over).of(published)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;

    /// A change of one file among thousands reads the others once, and not for every change after that.
    #[test]
    fn what_a_publish_has_compared_is_not_read_for_the_next_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(dir.path().join("a")).expect("made");
        let stamp = Stamp::of(&rustix::fs::fstat(&file).expect("open"));
        let written = i64::try_from(stamp.changed().0).expect("a time of today");
        let bytes = Secret::from("value".to_owned());
        let member = Member {
            path: PathBuf::from("a"),
            content: Content::Bytes(bytes.clone()),
            attributes: Attributes { mode: 0o640, uid: None, gid: None },
        };
        let new = Known::new(stamp, None).of(Some(bytes));
        assert!(!member.found(stamp, Some(&new), Some(written + 1)).vouches(&stamp), "its tick is not over");
        let compared = member.found(stamp, Some(&new), Some(written + 10));
        assert!(compared.vouches(&stamp));
        assert!(member.found(stamp, Some(&compared), Some(written + 1)).vouches(&stamp));
    }
}
