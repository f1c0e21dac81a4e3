//! Opens a pid file, and finds out which users can have chosen the number in it.
//!
//! Leasehold may be root, and the application that writes the file is often not. Without this check, a user who may
//! write the file, or who may rename or link something into its place, could have root's Leasehold signal any process
//! of the machine.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The number of links that the kernel itself follows.
const MAX_LINKS: usize = 40;
/// The bits that let the group and others write.
const OTHERS_WRITE: u32 = 0o022;
/// In a folder with this bit, only the owner of an entry, and that of the folder, may replace the entry.
const STICKY: u32 = 0o1000;

/// A pid file that is open, and the users whose processes it may name.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) stat: Stat,
    pub(super) bound: Bound,
}

/// The users whose processes a pid file may name: all users if only root and we can have written it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// The other users who can have chosen the number, each with the reason. A process has to belong to all of them.
    pub(super) users: Vec<(u32, String)>,
    /// Why no process may be named at all.
    pub(super) refused: Option<String>,
}

impl Bound {
    /// Returns the first of these users to whom a process of `user` does not belong, and why that one can have chosen
    /// the number.
    pub(super) fn broken_by(&self, user: u32) -> Option<&(u32, String)> {
        self.users.iter().find(|(bound, _)| *bound != user)
    }
}

/// Opens the pid file at `path` component by component. Each folder and link on the way is checked on the descriptor
/// that the next step goes on from: a rename between the check and the step changes nothing.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let mut way = Way { at: folder(CWD, OsStr::new("."))?, walked: PathBuf::new(), bound: Bound::default() };
    let mut doubt = None;
    let mut rest: VecDeque<OsString> = split(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == "/" {
            (way.at, way.walked) = (folder(CWD, OsStr::new("/"))?, PathBuf::from("/"));
            continue;
        }
        doubt = way.doubt()?.or(doubt);
        let here = way.walked.join(&name);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = rustix::fs::openat(&way.at, &name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&next)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => (way.at, way.walked) = (next, here),
            FileType::Symlink if links >= MAX_LINKS => return Err(Errno::LOOP.into()),
            FileType::Symlink => {
                links += 1;
                way.link(&here, stat.st_uid);
                // A link of /proc leads elsewhere than its text says (`/proc/PID/root`).
                if rustix::fs::fstatfs(&next).is_ok_and(|on| on.f_type == PROC_SUPER_MAGIC) {
                    (way.at, way.walked) = (folder(&way.at, &name)?, here);
                    continue;
                }
                let target = rustix::fs::readlinkat(&next, "", Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                for component in split(&target).collect::<Vec<_>>().into_iter().rev() {
                    rest.push_front(component);
                }
            }
            FileType::RegularFile if rest.is_empty() => return way.end(&name, doubt),
            FileType::RegularFile => return Err(Errno::NOTDIR.into()),
            _ => return Err(no_file()),
        }
    }
    Err(no_file())
}

fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn folder(at: impl std::os::fd::AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(at, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn split(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter(|part| *part != Component::CurDir).map(|part| part.as_os_str().to_owned())
}

fn is_trusted(user: u32) -> bool {
    user == 0 || user == geteuid().as_raw()
}

/// How far the walk has come.
struct Way {
    at: OwnedFd,
    walked: PathBuf,
    bound: Bound,
}

impl Way {
    /// Returns why users other than root and we may put something else in the place of an entry of this folder.
    fn doubt(&self) -> io::Result<Option<String>> {
        let stat = rustix::fs::fstat(&self.at)?;
        let shown = self.walked.display();
        Ok(if !is_trusted(stat.st_uid) {
            Some(format!("its folder {shown} belongs to uid {}", stat.st_uid))
        } else if stat.st_mode & OTHERS_WRITE != 0 && stat.st_mode & STICKY == 0 {
            Some(format!("others may write in {shown} (mode {:04o})", stat.st_mode & 0o7777))
        } else {
            None
        })
    }

    /// Records a link, which leads wherever its owner wants.
    fn link(&mut self, path: &Path, owner: u32) {
        if !is_trusted(owner) {
            self.bound.users.push((owner, format!("the link {} belongs to uid {owner}", path.display())));
        }
    }

    /// Opens the file itself; `doubt` says why something else may have been put in its place.
    fn end(mut self, name: &OsStr, doubt: Option<String>) -> io::Result<Opened> {
        // What was a file a moment ago may be a FIFO now, on a volume that the application writes. That must not stop
        // us, and the check that counts is the one of the open descriptor.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.at, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(no_file());
        }
        let (owner, mode) = (stat.st_uid, stat.st_mode & 0o7777);
        let by_others = mode & 0o002 != 0 || mode & 0o020 != 0 && stat.st_gid != 0;
        if owner == 0 && by_others {
            self.bound.refused = Some(format!(
                "it belongs to root and others may write it (mode {mode:04o}), and so choose any process of root's"
            ));
        }
        let doubt = match doubt {
            _ if !is_trusted(owner) => Some(format!("it belongs to uid {owner}")),
            _ if mode & OTHERS_WRITE != 0 => Some(format!("others may write it (mode {mode:04o})")),
            doubt => doubt,
        };
        self.bound.users.extend(doubt.map(|why| (owner, why)));
        Ok(Opened { file: file.into(), stat, bound: self.bound })
    }
}
