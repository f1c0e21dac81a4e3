//! Removes what is no longer used: the generation that was replaced, and what a crash left.
//!
//! We may remove everything whose name begins with `..leasehold_`, except the generation that `..data` leads to, and
//! what another process has locked because it is writing it now.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};

use rustix::fs::FileType;

use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::generation::Current;
use super::handle::lock;
use super::names;

/// A folder that is deeper than this is not ours: a path has 4096 bytes.
const MAX_DEPTH: usize = 128;

/// Removes all leftovers in `root`. Returns the first failure after trying the others.
pub(super) fn leftovers(root: &Dir) -> Result<(), PublishError> {
    let current = root.link_target(OsStr::new(names::DATA))?;
    let mut result = Ok(());
    for name in root.names()?.iter().filter(|name| names::is_ours(name)) {
        if Some(name) != current.as_ref() {
            let removed = match leftover(root, name) {
                Err(PublishError { problem: Problem::Busy, .. }) => Ok(()),
                removed => removed,
            };
            result = result.and(removed);
        }
    }
    result
}

/// Removes one leftover, whatever it is; does nothing if it is not there.
///
/// # Errors
/// `Busy` if another process is writing it.
pub(super) fn leftover(root: &Dir, name: &OsStr) -> Result<(), PublishError> {
    let Some(stat) = root.stat_of(name)? else { return Ok(()) };
    let busy = || Err(PublishError::new(root.at(name), Problem::Busy));
    let removed = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => folder(root, name),
        FileType::RegularFile if in_use(root, name) => busy(),
        FileType::Symlink if generation_in_use(root, name) => busy(),
        _ => root.remove_file(name),
    };
    match removed {
        Err(PublishError { problem: Problem::Busy, .. }) => removed,
        // Another user's, who chose our prefix: nothing of ours is in it.
        Err(_) if stat.st_uid != rustix::process::geteuid().as_raw() => Ok(()),
        result => result,
    }
}

/// Returns whether a process is writing the file. A file that cannot be opened any more is complete.
fn in_use(root: &Dir, name: &OsStr) -> bool {
    let Ok(Some(file)) = root.read_file(name) else { return false };
    matches!(lock(&file, &root.at(name)), Err(PublishError { problem: Problem::Busy, .. }))
}

/// Returns whether a process is about to put this link into place: it holds the generation's lock.
fn generation_in_use(root: &Dir, link: &OsStr) -> bool {
    let Some(generation) = names::generation_of_link(link) else { return false };
    let Ok(folder) = root.child(generation) else { return false };
    matches!(folder.lock(), Err(PublishError { problem: Problem::Busy, .. }))
}

/// Removes the folder `name` and everything in it, unless a process is writing it or has made it the current
/// generation since our check: only the holder of its lock can do that.
fn folder(root: &Dir, name: &OsStr) -> Result<(), PublishError> {
    let child = root.child(name)?;
    child.lock()?;
    if root.link_target(OsStr::new(names::DATA))?.as_deref() == Some(name) {
        return Ok(());
    }
    remove(root, name, &child)
}

/// Removes the generation that was just replaced. No process writes it any more, so a reader that holds a lock on it
/// does not keep it there.
pub(super) fn replaced(root: &Dir, generation: &Current) -> Result<(), PublishError> {
    remove(root, OsStr::new(&names::generation(generation.number)), &generation.dir)
}

fn remove(root: &Dir, name: &OsStr, dir: &Dir) -> Result<(), PublishError> {
    empty(dir, MAX_DEPTH)?;
    root.remove_folder(name)
}

fn empty(dir: &Dir, depth: usize) -> Result<(), PublishError> {
    if depth == 0 {
        return Err(PublishError::in_the_way(dir.path(), FileType::Directory));
    }
    // The folder's mode may deny its owner to write: readers do not write, but we have to now.
    dir.open_to_owner()?;
    for (name, kind) in dir.entries()? {
        if kind == FileType::Directory {
            let child = dir.child(&name)?;
            empty(&child, depth - 1)?;
            dir.remove_folder(&name)?;
        } else {
            dir.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Removes the visible links of members that are gone: links of exactly the form that we make, whose name is not in
/// `kept`.
pub(super) fn stale_links(root: &Dir, kept: &[OsString]) -> Result<(), PublishError> {
    let mut result = Ok(());
    let kept: HashSet<&OsString> = kept.iter().collect();
    for name in root.names()?.iter().filter(|name| !kept.contains(name)) {
        if root.link_target(name)? == Some(names::link_target(name)) {
            result = result.and(root.remove_file(name));
        }
    }
    result
}
