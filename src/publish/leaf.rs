//! One file in an open folder: written, compared, carried over. The bytes pass through one small
//! buffer that is wiped; nothing is held longer than that.

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

/// The bits of a mode that a file of secrets can have: there is nothing to execute as somebody
/// else, and the kernel drops these bits when the owner changes.
const MODE: u32 = 0o1777;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits; setuid and setgid are left out.
    pub mode: u32,
    /// The owner; ours where there is none.
    pub uid: Option<u32>,
    /// The group. Where there is none: of a member the volume's, where we may set it; else what
    /// the kernel gives, which is ours, or the folder's where that is setgid.
    pub gid: Option<u32>,
}

/// Where a new file is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Beside files of others. It is locked, which tells another process's sweep that this is no leftover, as
    /// long as the file is open.
    Shared,
    /// In a new generation's folder, whose lock is its own too. The group of the volume is tried where the file
    /// has none of its own.
    Generation {
        /// The volume's.
        group: u32,
    },
}

/// Where the bytes of a new file come from.
pub(super) enum Source<'a> {
    /// From here.
    Bytes(&'a Secret),
    /// From another file.
    File(File),
}

impl Attributes {
    /// Whether a file with these attributes may go on in the next generation as it is, under a second name for a moment:
    /// where only we can write to it. To a file that another user can write to, that user may hold an open
    /// descriptor, and each generation gets one of its own.
    pub(super) fn may_go_on(self) -> bool {
        self.mode & 0o022 == 0 && self.uid.is_none_or(|uid| uid == handle::own().0)
    }

    /// The bytes to remember once they are written: of a file that goes to another owner. Without
    /// CAP_DAC_OVERRIDE we cannot read it back to compare it, nor carry it over.
    pub(super) fn remembers(self, bytes: &Secret) -> Option<Secret> {
        self.uid.is_some_and(|uid| uid != handle::own().0).then(|| bytes.clone())
    }
}

/// The stamp of the file `name` where it is there with these bytes (any, where there are none) and
/// attributes, under no other name. Where we may not read it, `known` is what we know of it. A `thorough` comparison reads the
/// bytes although the stamp vouches for them: a write through a shared memory map changes no stamp.
pub(super) fn same(
    dir: &Dir,
    name: &OsStr,
    bytes: Option<&Secret>,
    attributes: &Attributes,
    known: Option<&Known>,
    thorough: bool,
) -> Result<Option<Stamp>, PublishError> {
    // Before the bytes: a change behind the comparison must not go with the stamp of before.
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
        // A second name is somebody else's way to the file; a new one breaks the tie.
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

/// The stamp of an open file.
pub(super) fn stamp(dir: &Dir, name: &OsStr, file: &File) -> Result<Stamp, PublishError> {
    let stat =
        rustix::fs::fstat(file).map_err(|errno| PublishError::from_errno(&dir.at(name), "look at", errno))?;
    Ok(Stamp::of(&stat))
}

fn holds(mut file: File, mut expected: &[u8]) -> std::io::Result<bool> {
    // One more than there should be: to see the end, and to wipe no more than that.
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

/// Room for the bytes of a file of that length, or for a part of it.
fn buffer(length: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; length.clamp(1, 8192)])
}

/// Writes the new file `name`, complete and on the disk when this returns, with its stamp where that is known already. On
/// an error nothing of it is left.
///
/// Bytes first, then mode, then owner: until it is complete nobody else can open it, and whoever
/// has CAP_CHOWN alone could not change the mode of a file that is no longer his.
pub(super) fn write_new(
    dir: &Dir,
    name: &OsStr,
    source: Source<'_>,
    attributes: &Attributes,
    place: Place,
) -> Result<(File, Option<Stamp>), PublishError> {
    let mut file = dir.create_file(name)?;
    let claimed = match place {
        Place::Shared => lock(&file, &dir.at(name)),
        Place::Generation { .. } => Ok(()),
    };
    let whole = claimed
        .and_then(|()| fill(dir, name, &mut file, source, attributes))
        .and_then(|()| match (attributes.gid, place) {
            (None, Place::Generation { group }) => offer_group(&file, &dir.at(name), group),
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
            // The error says what is wrong; if the removal fails too, the next sweep finds it.
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
        // EINVAL: a number that this user namespace does not know.
        Err(Errno::PERM | Errno::INVAL) => Err(PublishError::new(dir.at(name), Problem::Owner)),
        Err(other) => Err(errno(other)),
    }
}

fn io_error(dir: &Dir, name: &OsStr, doing: &'static str, error: &std::io::Error) -> PublishError {
    // Every error of a read or write carries the kernel's number, save a write of no bytes.
    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    PublishError::from_errno(&dir.at(name), doing, errno)
}
