//! One file in an open folder: written, compared, carried over. The bytes pass through one small buffer that is
//! wiped, and are held no longer than that.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::handle::{self, lock, offer_group};
use super::stamp::{Known, Stamp};
use crate::secret::Secret;

/// The mode bits that a file of secrets can have. It has nothing to execute as another user, and the kernel drops the
/// other bits when the owner changes.
const MODE: u32 = 0o1777;

/// The owner, group and mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// The permission bits; setuid and setgid are left out.
    pub mode: u32,
    /// The owner; ours if there is none.
    pub uid: Option<u32>,
    /// The group. If there is none, a member gets the volume's group, if we may set it. Any other file gets what the
    /// kernel gives: our group, or the folder's if that is setgid.
    pub gid: Option<u32>,
}

/// The kind of folder that a new file is written to.
#[derive(Debug, Clone, Copy)]
pub(super) enum FolderKind {
    /// Beside other programs' files. The file is locked as long as it is open, which shows the sweep of another
    /// process that it is no leftover.
    Shared,
    /// In a new generation's folder, whose lock covers the file, too. The group of the volume is tried if the file
    /// has none of its own.
    Generation {
        /// The volume's.
        group: u32,
    },
}

/// The source of a new file's bytes.
pub(super) enum Source<'a> {
    /// From here.
    Bytes(&'a Secret),
    /// From another file.
    File(File),
}

impl Attributes {
    /// Returns whether a file with these attributes may go on in the next generation as it is, under a second name
    /// for a moment: only if no other user can write to it. Another user who can may hold an open descriptor, so each
    /// generation gets a file of its own.
    pub(super) fn may_go_on(self) -> bool {
        self.mode & 0o022 == 0 && self.uid.is_none_or(|uid| uid == handle::own().0)
    }

    /// Returns the bytes to remember once they are written, if the file goes to another owner. Without
    /// CAP_DAC_OVERRIDE we cannot read it back, neither to compare it nor to carry it over.
    pub(super) fn remembers(self, bytes: &Secret) -> Option<Secret> {
        self.uid.is_some_and(|uid| uid != handle::own().0).then(|| bytes.clone())
    }
}

/// Returns the stamp of the file `name` if it is there with these bytes (any, if there are none) and attributes, and
/// under no other name. If we may not read it, `known` is what we know of it. A `thorough` comparison reads the bytes
/// although the stamp vouches for them: a write through a shared memory map changes no stamp.
pub(super) fn same(
    dir: &Dir,
    name: &OsStr,
    bytes: Option<&Secret>,
    attributes: &Attributes,
    known: Option<&Known>,
    thorough: bool,
) -> Result<Option<Stamp>, PublishError> {
    // The stamp is taken before the bytes: a change after the comparison must not go with an earlier stamp.
    let Some(stat) = dir.stat_of(name)? else { return Ok(None) };
    let stamp = Stamp::of(&stat);
    let is_default_group = || -> Result<bool, PublishError> {
        Ok(stat.st_gid == handle::own().1 || stat.st_gid == dir.stat()?.st_gid)
    };
    let group_is_right = match attributes.gid {
        Some(gid) => stat.st_gid == gid,
        None => is_default_group()?,
    };
    let owner = attributes.uid.unwrap_or_else(|| handle::own().0);
    if stat.st_mode & 0o7777 != attributes.mode & MODE
        || stat.st_uid != owner
        || !group_is_right
        // A second name is another program's way to the file. A new file breaks that tie.
        || stat.st_nlink != 1
    {
        return Ok(None);
    }
    let vouched = known.filter(|known| !thorough && known.vouches(&stamp));
    if vouched.is_some_and(|known| bytes.is_none_or(|bytes| known.has_bytes(bytes))) {
        return Ok(Some(stamp));
    }
    let file = match dir.read_file(name) {
        Ok(Some(file)) => file,
        Ok(None) | Err(PublishError { problem: Problem::InTheWay(_), .. }) => return Ok(None),
        Err(PublishError { problem: Problem::Denied, .. }) => {
            let unread = known.and_then(|known| known.unread(&stamp));
            let same = unread.is_some_and(|unread| bytes.is_none_or(|bytes| bytes == unread));
            return Ok(same.then_some(stamp));
        }
        Err(error) => return Err(error),
    };
    let same = match bytes {
        None => true,
        Some(bytes) if u64::try_from(stat.st_size) != Ok(bytes.len() as u64) => false,
        Some(bytes) => holds(file, bytes.expose()).map_err(|error| io_error(dir, name, "read", &error))?,
    };
    Ok(same.then_some(stamp))
}

/// Returns the stamp of an open file.
pub(super) fn stamp(dir: &Dir, name: &OsStr, file: &File) -> Result<Stamp, PublishError> {
    let stat =
        rustix::fs::fstat(file).map_err(|errno| PublishError::from_errno(&dir.at(name), "look at", errno))?;
    Ok(Stamp::of(&stat))
}

fn holds(mut file: File, mut expected: &[u8]) -> std::io::Result<bool> {
    // One byte more than there should be: to see the end, and to wipe no more than that.
    let mut buffer = buffer(expected.len() + 1);
    loop {
        let read = file.read(&mut buffer)?;
        match expected.split_at_checked(read) {
            Some((head, tail)) if *head == buffer[..read] => expected = tail,
            _ => return Ok(false),
        }
        if read == 0 {
            return Ok(expected.is_empty());
        }
    }
}

/// Returns a buffer for the bytes of a file of that length, or for a part of it.
fn buffer(length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; length.clamp(1, 8192)])
}

/// Writes the new file `name`. It is complete and on the disk when this returns, with its stamp if that is known
/// already. On an error nothing of it is left.
///
/// The bytes come first, then the mode, then the owner. Until the file is complete no other user can open it. A
/// process with CAP_CHOWN alone could not change the mode of a file after giving it away.
pub(super) fn write_new(
    dir: &Dir,
    name: &OsStr,
    source: Source<'_>,
    attributes: &Attributes,
    folder: FolderKind,
) -> Result<(File, Option<Stamp>), PublishError> {
    let mut file = dir.create_file(name)?;
    let claimed = match folder {
        FolderKind::Shared => lock(&file, &dir.at(name)),
        FolderKind::Generation { .. } => Ok(()),
    };
    let whole = claimed
        .and_then(|()| fill(dir, name, &mut file, source, attributes))
        .and_then(|()| match (attributes.gid, folder) {
            (None, FolderKind::Generation { group }) => offer_group(&file, &dir.at(name), group),
            _ => Ok(None),
        })
        .and_then(|stat| {
            let doing = |errno| PublishError::from_errno(&dir.at(name), "sync", errno);
            if !dir.is_in_memory() {
                rustix::fs::fsync(&file).map_err(doing)?;
            }
            Ok(stat.map(|stat| Stamp::of(&stat)))
        });
    match whole {
        Ok(stamp) => Ok((file, stamp)),
        Err(error) => {
            // The error says what is wrong. If the removal fails, too, the next sweep finds the file.
            let _ = dir.remove_file(name);
            Err(error)
        }
    }
}

fn fill(
    dir: &Dir,
    name: &OsStr,
    file: &mut File,
    source: Source<'_>,
    attributes: &Attributes,
) -> Result<(), PublishError> {
    match source {
        Source::Bytes(bytes) => file.write_all(bytes.expose()),
        Source::File(old) => copy(old, file),
    }
    .map_err(|error| io_error(dir, name, "write", &error))?;
    rustix::fs::fchmod(&*file, Mode::from_raw_mode(attributes.mode & MODE))
        .map_err(|errno| PublishError::from_errno(&dir.at(name), "set the mode of", errno))?;
    set_owner(dir, name, file, attributes)
}

fn copy(mut from: File, to: &mut File) -> std::io::Result<()> {
    let mut buffer = buffer(usize::MAX);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(&buffer[..read])?,
        }
    }
}

fn set_owner(dir: &Dir, name: &OsStr, file: &File, attributes: &Attributes) -> Result<(), PublishError> {
    if attributes.uid.is_none() && attributes.gid.is_none() {
        return Ok(());
    }
    let errno = |errno| PublishError::from_errno(&dir.at(name), "look at", errno);
    let stat = rustix::fs::fstat(file).map_err(errno)?;
    let uid = attributes.uid.filter(|uid| *uid != stat.st_uid).map(Uid::from_raw);
    let gid = attributes.gid.filter(|gid| *gid != stat.st_gid).map(Gid::from_raw);
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    match rustix::fs::fchown(file, uid, gid) {
        Ok(()) => Ok(()),
        // EINVAL: the number is unknown in this user namespace.
        Err(Errno::PERM | Errno::INVAL) => Err(PublishError::new(dir.at(name), Problem::Owner)),
        Err(other) => Err(errno(other)),
    }
}

fn io_error(dir: &Dir, name: &OsStr, doing: &'static str, error: &std::io::Error) -> PublishError {
    // Every error of a read or write carries the kernel's number, except for a write of no bytes.
    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    PublishError::from_errno(&dir.at(name), doing, errno)
}
