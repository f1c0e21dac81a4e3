//! Operations on an open file or folder alike. `path` is its name in messages.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, Gid, Stat};
use rustix::io::Errno;

use super::error::{Problem, PublishError};

const TMPFS_MAGIC: u32 = 0x0102_1994;
const RAMFS_MAGIC: u32 = 0x8584_58f6;

/// Marks `file` at `path` as in use by this process until the descriptor is closed.
///
/// # Errors
/// `Busy` if another process uses it. File systems without locks know no other process, either.
pub(super) fn lock(file: impl AsFd, path: &Path) -> Result<(), PublishError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(PublishError::new(path, Problem::Busy)),
        // EPERM is not the kernel's answer, but that of a container runtime that refuses the call. NFS wants a
        // descriptor that is open for writing, which a folder's never is: EBADF.
        Ok(()) | Err(Errno::NOSYS | Errno::PERM | Errno::OPNOTSUPP | Errno::NOLCK | Errno::BADF) => Ok(()),
        Err(errno) => Err(PublishError::from_errno(path, "lock", errno)),
    }
}

/// Returns our user and group, which stay the same: if they were asked for at each of ten thousand files, the
/// kernel's answers would take a part of a publish's time.
pub(super) fn own() -> (u32, u32) {
    static OWN: OnceLock<(u32, u32)> = OnceLock::new();
    *OWN.get_or_init(|| (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()))
}

/// Gives `file` at `path` the group `gid` if we may; if not, our own group is as good as any. Returns its facts if
/// nothing had to be done.
///
/// # Errors
/// If the kernel fails for another cause than permission.
pub(super) fn offer_group(file: impl AsFd, path: &Path, gid: u32) -> Result<Option<Stat>, PublishError> {
    let fail = |errno| PublishError::from_errno(path, "set the group of", errno);
    let stat = rustix::fs::fstat(&file).map_err(fail)?;
    if stat.st_gid == gid {
        return Ok(Some(stat));
    }
    match rustix::fs::fchown(&file, None, Some(Gid::from_raw(gid))) {
        Ok(()) | Err(Errno::PERM | Errno::INVAL) => Ok(None),
        Err(errno) => Err(fail(errno)),
    }
}

/// Refuses a place that is not on tmpfs or ramfs.
pub(super) fn in_memory(fd: impl AsFd, path: &Path) -> Result<(), PublishError> {
    let stat = rustix::fs::fstatfs(fd).map_err(|errno| match errno {
        Errno::NOSYS | Errno::PERM => PublishError::new(path, Problem::Unknown),
        errno => PublishError::from_errno(path, "look at", errno),
    })?;
    // The magic number is 32 bits wide; the field that carries it differs in width and sign between machines.
    match stat.f_type as u32 {
        TMPFS_MAGIC | RAMFS_MAGIC => Ok(()),
        _ => Err(PublishError::new(path, Problem::NotMemory)),
    }
}
