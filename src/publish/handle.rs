//! What is done to an open file or folder alike. `path` is what messages call it.

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
/// `Busy` where another process has it. File systems without locks know no other process either.
pub(super) fn lock(file: impl AsFd, path: &Path) -> Result<(), PublishError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(PublishError::new(path, Problem::Busy)),
        // EPERM is no answer of the kernel's, but one of a container runtime that refuses the call.
        // NFS wants a descriptor that is open for writing, which a folder's never is: EBADF.
        Ok(()) | Err(Errno::NOSYS | Errno::PERM | Errno::OPNOTSUPP | Errno::NOLCK | Errno::BADF) => Ok(()),
        Err(errno) => Err(PublishError::from_errno(path, "lock", errno)),
    }
}

/// Our user and group, which stay the same: asked for each of ten thousand files, the kernel's answer would take a part of
/// the time of a publish.
pub(super) fn own() -> (u32, u32) {
    static OWN: OnceLock<(u32, u32)> = OnceLock::new();
    *OWN.get_or_init(|| (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()))
}

/// Gives `file` at `path` the group `gid` where we may; where not, ours is as good as any. Returns its facts where nothing
/// had to be done.
///
/// # Errors
/// Where the kernel fails for another cause than permission.
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

/// Refuses what is not on tmpfs or ramfs.
pub(super) fn in_memory(fd: impl AsFd, path: &Path) -> Result<(), PublishError> {
    let stat = rustix::fs::fstatfs(fd).map_err(|errno| match errno {
        Errno::NOSYS | Errno::PERM => PublishError::new(path, Problem::Unknown),
        errno => PublishError::from_errno(path, "look at", errno),
    })?;
    // The magic is 32 bits wide; the field that carries it differs in width and sign by machine.
    match stat.f_type as u32 {
        TMPFS_MAGIC | RAMFS_MAGIC => Ok(()),
        _ => Err(PublishError::new(path, Problem::NotMemory)),
    }
}
