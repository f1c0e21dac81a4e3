//! One generation's folder: the current one to compare with, the next one to write.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;

use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::handle::offer_group;
use super::leaf::{self, Attributes, FolderKind, Source};
use super::set::{Content, Member};
use super::stamp::{Identity, Known, Stamp};
use super::{names, sweep};

/// How many taken numbers to pass over before giving up: only another program can take them.
const ATTEMPTS: u64 = 64;

/// The generation that `..data` leads to.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) number: u64,
    pub(super) dir: Dir,
}

impl Current {
    /// Returns the current generation of the set in `root`.
    ///
    /// `None` if `..data` is not there, leads elsewhere, or leads to a folder that neither we nor root made: what
    /// another user put there is not carried over into the next generation.
    pub(super) fn open(root: &Dir) -> Result<Option<Self>, PublishError> {
        let data = OsStr::new(names::DATA);
        match root.kind_of(data)? {
            None => return Ok(None),
            Some(FileType::Symlink) => {}
            Some(_) => return Err(root.taken(data)),
        }
        let Some(target) = root.link_target(data)? else { return Ok(None) };
        let Some(number) = names::generation_number(&target) else { return Ok(None) };
        let Some(stat) = root.stat_of(&target)? else { return Ok(None) };
        let trusted = [0, rustix::process::geteuid().as_raw()].contains(&stat.st_uid);
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory || !trusted {
            return Ok(None);
        }
        Ok(Some(Self { number, dir: root.child(&target)? }))
    }

    /// Returns whether its folder has the mode; the setgid bit is the volume's own affair.
    pub(super) fn has_mode(&self, dir_mode: u32) -> Result<bool, PublishError> {
        Ok((self.dir.stat()?.st_mode ^ dir_mode) & 0o1777 == 0)
    }

    /// Returns everything in it that is not a folder, sorted.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, PublishError> {
        let mut files = Vec::new();
        list(&self.dir, Path::new(""), &mut files)?;
        files.sort_unstable();
        Ok(files)
    }

    /// Returns the stamp of `member` if it is there as it should be. `known` is what we know of a file that we may
    /// not read; a `thorough` comparison reads the files that we may.
    pub(super) fn holds(
        &self,
        member: &Member,
        known: Option<&Known>,
        thorough: bool,
    ) -> Result<Option<Stamp>, PublishError> {
        let bytes = match &member.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Keep => None,
        };
        self.within(&member.path, |dir, name| {
            leaf::same(dir, name, bytes, &member.attributes, known, thorough)
        })
        .map(Option::flatten)
    }

    /// Returns the bytes of the file at `path`, to be carried over.
    pub(super) fn source<'a>(
        &self,
        path: &Path,
        known: Option<&'a Known>,
    ) -> Result<Source<'a>, PublishError> {
        let unreadable = || PublishError::new(self.dir.at(path), Problem::Unreadable);
        match self.within(path, |dir, name| dir.read_file(name)) {
            Ok(file) => file.flatten().map(Source::File).ok_or_else(unreadable),
            Err(PublishError { problem: Problem::Denied, .. }) => {
                known.and_then(|known| known.handed_over.as_ref()).map(Source::Bytes).ok_or_else(unreadable)
            }
            Err(error) => Err(error),
        }
    }

    /// Calls `act` with the folder and the name of `path`; returns `None` if the folder is not there.
    pub(super) fn within<T>(
        &self,
        path: &Path,
        act: impl FnOnce(&Dir, &OsStr) -> Result<T, PublishError>,
    ) -> Result<Option<T>, PublishError> {
        let mut names = names::components(path)?;
        let name = names.pop().unwrap_or_default();
        let mut folder: Option<Dir> = None;
        for step in names {
            let above = folder.as_ref().unwrap_or(&self.dir);
            if above.kind_of(step)? != Some(FileType::Directory) {
                return Ok(None);
            }
            folder = Some(above.child(step)?);
        }
        act(folder.as_ref().unwrap_or(&self.dir), name).map(Some)
    }
}

fn list(dir: &Dir, prefix: &Path, files: &mut Vec<PathBuf>) -> Result<(), PublishError> {
    for (name, kind) in dir.entries()? {
        let path = prefix.join(&name);
        match kind {
            FileType::Directory => list(&dir.child(&name)?, &path, files)?,
            _ => files.push(path),
        }
    }
    Ok(())
}

/// A generation that no reader sees yet.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) number: u64,
    dir: Dir,
    /// The group of the volume, for files and folders without a group of their own.
    gid: u32,
    pub(super) identity: Identity,
}

impl Staged {
    /// Creates the folder of the first free number after `last`, closed to others, and locks it.
    pub(super) fn create(root: &Dir, last: u64) -> Result<Self, PublishError> {
        let gid = root.stat()?.st_gid;
        let mut taken = PublishError::in_the_way(root.at(names::OURS), FileType::Directory);
        for number in last.saturating_add(1)..=last.saturating_add(ATTEMPTS) {
            let name = OsString::from(names::generation(number));
            match root.create_child(&name) {
                Ok(dir) => {
                    let identity = Identity::of(&dir.stat()?);
                    let staged = Self { number, dir, gid, identity };
                    if let Err(error) = staged.claim() {
                        let _ = staged.discard(root);
                        return Err(error);
                    }
                    return Ok(staged);
                }
                Err(error) if matches!(error.problem, Problem::InTheWay(_)) => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    fn claim(&self) -> Result<(), PublishError> {
        self.dir.lock()?;
        offer_group(&self.dir, self.dir.path(), self.gid).map(drop)
    }

    /// Writes one file, and returns its stamp.
    pub(super) fn write(
        &self,
        path: &Path,
        source: Source<'_>,
        attributes: &Attributes,
    ) -> Result<Stamp, PublishError> {
        self.within(path, |folder, name| {
            let kind = FolderKind::Generation { group: self.gid };
            let (file, stamp) = leaf::write_new(folder, name, source, attributes, kind)?;
            stamp.map_or_else(|| leaf::stamp(folder, name, &file), Ok)
        })
    }

    /// Gives a file of the `current` generation its name here, too, if it still has this stamp, and returns its new
    /// stamp. `None` if that is not possible, and the file has to be written.
    pub(super) fn link(
        &self,
        current: &Current,
        path: &Path,
        was: &Stamp,
    ) -> Result<Option<Stamp>, PublishError> {
        let linked = current.within(path, |old, name| {
            self.within(path, |folder, name_here| {
                debug_assert_eq!(name, name_here);
                if !folder.link(name, old)? {
                    return Ok(None);
                }
                // Another process may have put another file there since the comparison.
                let stat = folder.stat_of(name)?.filter(|stat| stat.st_nlink == 2);
                match stat.map(|stat| Stamp::of(&stat)).filter(|stamp| stamp.same_but_changed(was)) {
                    Some(stamp) => Ok(Some(stamp)),
                    None => folder.remove_file(name).map(|()| None),
                }
            })
        });
        linked.map(Option::flatten)
    }

    /// Calls `act` with the folder and the name of `path`, and creates the folder if it is missing.
    fn within<T>(
        &self,
        path: &Path,
        act: impl FnOnce(&Dir, &OsStr) -> Result<T, PublishError>,
    ) -> Result<T, PublishError> {
        let mut names = names::components(path)?;
        let name = names.pop().unwrap_or_default();
        let mut folder: Option<Dir> = None;
        for step in names {
            let above = folder.as_ref().unwrap_or(&self.dir);
            let next = match above.stat_of(step)? {
                Some(_) => above.child(step)?,
                None => {
                    let made = above.create_child(step)?;
                    offer_group(&made, made.path(), self.gid)?;
                    made
                }
            };
            folder = Some(next);
        }
        act(folder.as_ref().unwrap_or(&self.dir), name)
    }

    /// Opens it to others: mode and fsync, deepest folder first.
    pub(super) fn finish(&self, dir_mode: u32) -> Result<(), PublishError> {
        finish(&self.dir, dir_mode)
    }

    /// Removes it.
    pub(super) fn discard(self, root: &Dir) -> Result<(), PublishError> {
        let name = OsString::from(names::generation(self.number));
        // Closing it gives up the lock, which the removal asks for.
        drop(self.dir);
        sweep::leftover(root, &names::link_in_progress(self.number)).and(sweep::leftover(root, &name))
    }
}

fn finish(dir: &Dir, mode: u32) -> Result<(), PublishError> {
    for (name, kind) in dir.entries()? {
        if kind == FileType::Directory {
            finish(&dir.child(&name)?, mode)?;
        }
    }
    dir.set_mode(mode)?;
    dir.sync()
}
