//! From a path to a folder, whichever other users write on the way.
//!
//! 1. `openat2` with RESOLVE_NO_SYMLINKS: one call, no link on the way.
//! 2. If that meets a link or a file, or is missing (ENOSYS before Linux 5.6, EPERM under an old container runtime's
//!    seccomp), or if a folder has to be created: component by component, each opened O_PATH and O_NOFOLLOW in the one
//!    before. The result is the same, except that a link is followed if only root can have put it there (`/var/run` is
//!    one everywhere): it is owned by root, in a folder of root's that no other user may write.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::dir::{Dir, FOLDER};
use super::error::{Problem, PublishError};
use super::handle::in_memory;

/// As many links as the kernel itself follows.
const MAX_LINKS: usize = 40;

/// How missing folders of a path are created.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Create {
    /// Their mode.
    pub(crate) mode: u32,
    /// Refuse to create one outside tmpfs and ramfs.
    pub(crate) in_memory: bool,
}

/// Returns a descriptor that names the folder at `path`, and creates what is missing of it if `create` says so.
pub(super) fn place(path: &Path, create: Option<Create>) -> Result<OwnedFd, PublishError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve) {
        Ok(place) => Ok(place),
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NOSYS | Errno::PERM) => walk(path, create),
        Err(Errno::NOENT) if create.is_some() => walk(path, create),
        Err(errno) => Err(PublishError::from_errno(path, "open", errno)),
    }
}

/// Resolves `path` component by component: the module's second step.
fn walk(path: &Path, create: Option<Create>) -> Result<OwnedFd, PublishError> {
    let fail = |at: &Path, errno| PublishError::from_errno(at, "open", errno);
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = |start: &Path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, start, flags, Mode::empty()).map_err(|errno| fail(start, errno))
    };
    let mut at = root(Path::new("."))?;
    let mut walked = PathBuf::new();
    let mut rest: VecDeque<OsString> = split(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == "/" {
            (at, walked) = (root(Path::new("/"))?, PathBuf::from("/"));
            continue;
        }
        let here = walked.join(&name);
        let next = match rustix::fs::openat(&at, &name, flags, Mode::empty()) {
            Err(Errno::NOENT) if create.is_some() => create_folder(&at, &name, &here, create)?,
            result => result.map_err(|errno| fail(&here, errno))?,
        };
        let facts = |fd| rustix::fs::fstat(fd).map_err(|errno| fail(&here, errno));
        let stat = facts(&next)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => (at, walked) = (next, here),
            FileType::Symlink if links < MAX_LINKS && only_root_could_link(&facts(&at)?, &stat) => {
                links += 1;
                let target =
                    rustix::fs::readlinkat(&next, "", Vec::new()).map_err(|errno| fail(&here, errno))?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                for component in split(&target).collect::<Vec<_>>().into_iter().rev() {
                    rest.push_front(component);
                }
            }
            FileType::Symlink => return Err(PublishError::new(here, Problem::Link)),
            kind => return Err(PublishError::in_the_way(here, kind)),
        }
    }
    Ok(at)
}

fn split(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned())
}

/// Returns whether only root can have put `link` into `folder`.
pub(super) fn only_root_could_link(folder: &Stat, link: &Stat) -> bool {
    link.st_uid == 0 && folder.st_uid == 0 && folder.st_mode & 0o022 == 0
}

fn create_folder(
    at: &OwnedFd,
    name: &OsStr,
    path: &Path,
    create: Option<Create>,
) -> Result<OwnedFd, PublishError> {
    let fail = |errno| PublishError::from_errno(path, "create", errno);
    let Some(create) = create else { return Err(fail(Errno::NOENT)) };
    if create.in_memory {
        in_memory(at, path)?;
    }
    rustix::fs::mkdirat(at, name, Mode::RWXU).map_err(fail)?;
    let fd = rustix::fs::openat(at, name, FOLDER, Mode::empty()).map_err(fail)?;
    let made = Dir::from_fd(fd, path);
    made.require_own()?;
    made.set_mode(create.mode)?;
    Ok(made.into())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests set the modes of their own files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn inode(place: &OwnedFd) -> u64 {
        rustix::fs::fstat(place).expect("an open folder").st_ino
    }

    #[test]
    fn both_ways_lead_to_the_same_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("a/b")).expect("made");
        for path in [dir.path().join("a/b"), dir.path().join("a/./b/../b")] {
            let walked = walk(&path, None).expect("walked");
            assert_eq!(inode(&walked), inode(&place(&path, None).expect("opened")), "{path:?}");
        }
    }

    #[test]
    fn a_walk_makes_what_is_missing_and_nothing_where_it_must_not() {
        let dir = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs");
        let path = dir.path().join("a/b");
        assert!(walk(&path, None).is_err());
        let made = walk(&path, Some(Create { mode: 0o710, in_memory: true })).expect("made");
        assert_eq!(inode(&made), fs::metadata(&path).expect("there").ino());
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o710);
    }

    #[test]
    fn a_walk_stops_at_links_in_folders_that_others_may_write_and_at_circles() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        symlink("/", dir.path().join("out")).expect("linked");
        symlink("circle", dir.path().join("circle")).expect("linked");
        for name in ["out", "circle"] {
            let error = walk(&dir.path().join(name).join("x"), None).expect_err("a link");
            assert_eq!((error.path, error.problem), (dir.path().join(name), Problem::Link));
        }
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let error = walk(&dir.path().join("circle/x"), None).expect_err("a circle");
        assert_eq!(error.problem, Problem::Link);
    }
}
