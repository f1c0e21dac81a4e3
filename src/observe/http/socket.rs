//! The file of a Unix socket: with the mode that it is to have, ours to remove, and noticed when it is gone.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::umask;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixListener;

/// A Unix socket is for its owner and the volume's group.
const SOCKET_MODE: u32 = 0o660;
/// How often the file is looked at if the folder cannot be watched.
const LOOK: Duration = Duration::from_secs(10);

/// The file of our socket, removed with it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// The device and the inode. The kernel keeps the inode of a bound socket, so that no other file gets its
    /// number.
    id: Option<(u64, u64)>,
    /// Hears what is removed from its folder.
    watch: Option<AsyncFd<OwnedFd>>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_there() {
            // Left behind it would be replaced at the next start.
            let _left_behind = std::fs::remove_file(&self.path);
        }
    }
}

impl SocketFile {
    fn of(path: &Path) -> Self {
        // Watched first: what is removed from here on is heard.
        let watch = watch(path).ok();
        Self { path: path.to_owned(), id: id(path), watch }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn is_there(&self) -> bool {
        self.id.is_some() && id(&self.path) == self.id
    }

    /// Ends when the file is removed, renamed or replaced.
    pub(super) async fn gone(&self) {
        while self.is_there() {
            match &self.watch {
                Some(watch) => heard(watch).await,
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }
}

fn id(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|about| (about.dev(), about.ino()))
}

/// Watches the folder: a watch on the file itself says nothing of a socket that is still open.
fn watch(path: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let gone = WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    inotify::add_watch(&inotify, folder, gone | WatchFlags::ONLYDIR)?;
    // The constructor that replaces this one is `unsafe`, because the descriptor of some types may change under
    // tokio's feet. An `OwnedFd` keeps what it asks for by itself.
    #[expect(deprecated, reason = "its replacement is unsafe, and an OwnedFd cannot break its promise")]
    AsyncFd::with_interest(inotify, Interest::READABLE)
}

/// Ends when something has happened in the folder.
async fn heard(watch: &AsyncFd<OwnedFd>) {
    // It fails only when the runtime ends.
    let Ok(mut ready) = watch.readable().await else { return std::future::pending().await };
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(watch.get_ref(), &mut buffer);
    while events.next().is_ok() {}
    ready.clear_ready();
}

/// Binds the socket. The file of a socket on which no process listens any more is replaced.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match bind_private(path) {
        Err(why) if why.kind() == io::ErrorKind::AddrInUse && is_dead_socket(path) => {
            std::fs::remove_file(path)?;
            bind_private(path)?
        }
        bound => bound?,
    };
    Ok((listener, SocketFile::of(path)))
}

/// Binds the socket with the mode that it is to have. Setting the mode afterwards, by name, would set that of
/// whatever another user who may write the folder has put there meanwhile, even through a link.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_raw_mode(0o777 & !SOCKET_MODE));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// Returns whether the file is a socket on which no process listens: a killed run left it.
fn is_dead_socket(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    let refused = |why: io::Error| why.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_socket_of_a_killed_run_is_replaced_and_has_its_mode_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        // Dropped without removing its file, as by a kill.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        let bound = bind(&path).expect("replaces the dead one");
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        assert_eq!(bind(&path).expect_err("somebody listens").kind(), io::ErrorKind::AddrInUse);
        drop(bound);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_removed_renamed_or_replaced_is_noticed_and_one_of_another_s_is_not_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, aside, other] = ["status", "aside", "other"].map(|name| folder.path().join(name));
        let ways: [&dyn Fn(); 3] = [
            &|| std::fs::remove_file(&path).expect("removed"),
            &|| std::fs::rename(&path, &aside).expect("renamed"),
            &|| {
                std::fs::File::create(&other).expect("created");
                std::fs::rename(&other, &path).expect("replaced");
            },
        ];
        for gone in ways {
            let (_listener, file) = bind(&path).expect("a free name");
            assert!(file.watch.is_some());
            std::fs::File::create(&other).expect("created");
            std::fs::remove_file(&other).expect("removed");
            let waits = tokio::time::timeout(Duration::from_millis(20), file.gone()).await;
            assert!(waits.is_err(), "only something else was removed");
            gone();
            tokio::time::timeout(LOOK / 2, file.gone()).await.expect("heard at once");
        }
        assert!(path.exists(), "it is not ours to remove");
    }
}
