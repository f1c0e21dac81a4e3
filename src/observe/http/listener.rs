//! A socket to listen on, TCP or Unix.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::process::umask;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::route::Peer;
use crate::config::plan::Listen;
use crate::exit::{Cause, Ending};

/// A Unix socket is for its owner and the volume's group.
const SOCKET_MODE: u32 = 0o660;
/// Connections that the kernel keeps for us while as many as we serve at once are busy.
const BACKLOG: u32 = 1024;

/// A bound socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener, SocketFile),
}

/// The file of our socket, removed with it.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Left behind it would be replaced at the next start.
        let _left_behind = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(super) fn bind(listen: &Listen) -> Result<Self, Ending> {
        let (bound, name) = match listen {
            Listen::Tcp(address) => (tcp(*address), address.to_string()),
            Listen::Unix(path) => (unix(path), format!("unix:{}", path.display())),
        };
        bound.map_err(|why| unbound(&name, &why))
    }

    pub(super) fn address(&self) -> Listen {
        match self {
            Self::Tcp(listener) => Listen::Tcp(listener.local_addr().expect("a bound socket has an address")),
            Self::Unix(_, file) => Listen::Unix(file.0.clone()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Box::new(stream), Peer::of(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok((Box::new(stream), Peer::UnixSocket))
            }
        }
    }
}

/// Why an address cannot be had, and what to do about that.
fn unbound(name: &str, why: &io::Error) -> Ending {
    let (words, hint) = match why.kind() {
        io::ErrorKind::AddrInUse => {
            ("it is taken already".to_owned(), "stop who listens there, or change `listen`")
        }
        io::ErrorKind::AddrNotAvailable => {
            ("this machine has no such address".to_owned(), "change `listen`; 127.0.0.1 is always there")
        }
        io::ErrorKind::NotFound => {
            ("its folder is not there".to_owned(), "create or mount the folder, or change `listen`")
        }
        io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "take a port from 1024 on, or a folder that we may write")
        }
        _ => (why.to_string(), "change `listen`"),
    };
    Ending::new(Cause::Destination, format!("cannot listen on {name}: {words}"), hint)
}

fn tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart need not wait for the old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG).map(Listener::Tcp)
}

fn unix(path: &Path) -> io::Result<Listener> {
    let listener = match bind_private(path) {
        Err(why) if why.kind() == io::ErrorKind::AddrInUse && is_dead_socket(path) => {
            std::fs::remove_file(path)?;
            bind_private(path)?
        }
        bound => bound?,
    };
    Ok(Listener::Unix(listener, SocketFile(path.to_owned())))
}

/// Binds with the mode that the socket is to have. To set it afterwards, by name, would set that of
/// whatever somebody else who may write the folder has put there meanwhile, through a link too.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_raw_mode(0o777 & !SOCKET_MODE));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// Whether the file is a socket that nobody listens on: left by a run that was killed.
fn is_dead_socket(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    let refused = |why: io::Error| why.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
}

/// An accepted connection of either kind.
pub(super) type Stream = Box<dyn Duplex + Send>;

/// Read and written.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_socket_of_a_killed_run_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let listen = Listen::Unix(folder.path().join("status"));
        let path = folder.path().join("status");
        // Dropped without removing its file, as by a kill.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        let listener = Listener::bind(&listen).expect("replaces the dead one");
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        let ending = Listener::bind(&listen).expect_err("somebody listens");
        assert_eq!(ending.cause, Cause::Destination);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        std::fs::File::create(&path).expect("created");
        assert!(Listener::bind(&Listen::Unix(path.clone())).is_err());
        assert!(path.is_file());
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_in_the_error() {
        let first = Listener::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).expect("a free port");
        let Listen::Tcp(address) = first.address() else { panic!("TCP stays TCP") };
        let ending = Listener::bind(&Listen::Tcp(address)).expect_err("in use");
        assert!(ending.what.ends_with(&format!("{address}: it is taken already")), "{ending}");
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_and_an_address_of_another_machine_are_told_in_words() {
        // The second address is one of those that belong to no machine.
        let elsewhere = Listen::Tcp(([192, 0, 2, 1], 0).into());
        for (listen, what, hint) in [
            (Listen::Unix("/no/such/socket".into()), "its folder is not there", "create or mount the folder"),
            (elsewhere, "this machine has no such address", "127.0.0.1"),
        ] {
            let ending = Listener::bind(&listen).expect_err("it cannot be had");
            assert!(ending.what.ends_with(what) && ending.hint.contains(hint), "{ending}");
        }
    }
}
