//! Checks what was published: is it still there, as it was written?
//!
//! A look takes a stat for each file (and one readlink for each visible name). It reads nothing as long as the
//! kernel's facts of a file are the same as when its bytes were last compared. Only if they differ are bytes, mode
//! and owner compared. A write through a shared memory map is the one change that tmpfs does not date; a `thorough`
//! look, which reads everything, finds that, too.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::ffi::OsStr;

use rustix::fs::FileType;

use super::SingleFile;
use super::dir::{self, Dir};
use super::error::{Problem, PublishError};
use super::generation::Current;
use super::leaf::{self, Attributes};
use super::names;
use super::set::{Member, Set};
use super::stamp::{Known, Stamp};
use crate::secret::Secret;

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Seconds since 1970.
    pub wall: i64,
    /// Whether to compare the bytes of every file, whatever the kernel's facts are.
    pub thorough: bool,
}

/// What became of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A reader does not find it.
    Gone,
    /// It has other bytes, another mode or another owner.
    Changed,
}

impl Set {
    /// Returns the indices of the `members` that are not there as published. For a member whose content is
    /// [`Content::Keep`](super::Content::Keep) any bytes will do.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn inspect(&mut self, members: &[Member], look: Look) -> Result<Vec<(usize, Loss)>, PublishError> {
        self.inspect_folder(members, look).map_err(|error| dir::explain(error, &self.path, self.folder))
    }

    fn inspect_folder(&mut self, members: &[Member], look: Look) -> Result<Vec<(usize, Loss)>, PublishError> {
        let all = |loss| members.iter().enumerate().map(|(index, _)| (index, loss)).collect();
        let Some(root) = there(Dir::open(&self.path, None))? else { return Ok(all(Loss::Gone)) };
        let Some(current) = Current::open(&root)? else { return Ok(all(Loss::Gone)) };
        if !current.has_mode(self.dir_mode)? {
            return Ok(all(Loss::Changed));
        }
        let hidden = hidden(&root, members)?;
        let mut losses = Vec::new();
        for (index, member) in members.iter().enumerate() {
            let first = member.path.iter().next().unwrap_or_default();
            let loss = match hidden.contains(first) {
                true => Some(Loss::Gone),
                false => self.inspect_member(&current, member, look)?,
            };
            losses.extend(loss.map(|loss| (index, loss)));
        }
        Ok(losses)
    }

    fn inspect_member(
        &mut self,
        current: &Current,
        member: &Member,
        look: Look,
    ) -> Result<Option<Loss>, PublishError> {
        let known = self.known.get(&member.path);
        let stat = match current.dir.stat_of(member.path.as_os_str()) {
            Err(error @ PublishError { problem: Problem::Denied, .. }) => return Err(error),
            // A folder on the way has become something else.
            Err(_) => None,
            Ok(stat) => stat,
        };
        let stamp = match stat {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Stamp::of(&stat),
            _ => return Ok(Some(Loss::Gone)),
        };
        if !look.thorough && known.is_some_and(|known| known.vouches(&stamp)) {
            return Ok(None);
        }
        let same = current.holds(member, known, look.thorough)?;
        Ok(confirm(self.known.get_mut(&member.path), same, look))
    }
}

/// Returns the visible names that do not lead where they should.
fn hidden<'a>(root: &Dir, members: &'a [Member]) -> Result<BTreeSet<&'a OsStr>, PublishError> {
    let names: BTreeSet<&OsStr> = members.iter().filter_map(|member| member.path.iter().next()).gather();
    let mut hidden = BTreeSet::new();
    for name in names {
        if root.link_target(name)? != Some(names::link_target(name)) {
            hidden.insert(name);
        }
    }
    Ok(hidden)
}

impl SingleFile {
    /// Returns what became of the file, if it is not there as published. Without `bytes` any content will do.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn inspect(
        &mut self,
        bytes: Option<&Secret>,
        attributes: &Attributes,
        look: Look,
    ) -> Result<Option<Loss>, PublishError> {
        let (folder, name) = self.parts()?;
        let dir = there(Dir::open(folder, None)).map_err(|error| self.explain(error))?;
        let Some(dir) = dir else { return Ok(Some(Loss::Gone)) };
        let stamp = match dir.stat_of(name)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Stamp::of(&stat),
            _ => return Ok(Some(Loss::Gone)),
        };
        if bytes.is_none()
            || (!look.thorough && self.known.as_ref().is_some_and(|known| known.vouches(&stamp)))
        {
            return Ok(None);
        }
        let same = leaf::same(&dir, name, bytes, attributes, self.known.as_ref(), look.thorough)?;
        Ok(confirm(self.known.as_mut(), same, look))
    }
}

/// Returns the folder, if it is there.
pub(super) fn there(opened: Result<Dir, PublishError>) -> Result<Option<Dir>, PublishError> {
    match opened {
        Err(PublishError { problem: Problem::System { errno, .. }, .. })
            if errno == rustix::io::Errno::NOENT.raw_os_error() =>
        {
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

/// Records the outcome of a comparison. If it found the `same`, later looks need not compare again. If not, the stamp
/// vouches for nothing, and the publish that puts the file back compares again.
fn confirm(known: Option<&mut Known>, same: Option<Stamp>, look: Look) -> Option<Loss> {
    match (known, same) {
        (Some(known), Some(stamp)) => known.confirm(stamp, look.wall),
        (Some(known), None) => known.doubt(),
        (None, _) => {}
    }
    same.is_none().then_some(Loss::Changed)
}
