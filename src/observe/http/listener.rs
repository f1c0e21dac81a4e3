//! A socket to listen on, TCP or Unix.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::gate::Origin;
use super::route::Peer;
use super::socket::{self, SocketFile};
use crate::config::plan::Listen;
use crate::exit::{Cause, Ending};

/// Connections that the kernel keeps for us while as many as we serve at once are busy.
const BACKLOG: u32 = 1024;
/// How often binding a Unix socket whose file is gone is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// A bound socket.
#[derive(Debug)]
pub(super) enum Listener {
    /// A TCP listener.
    Tcp(TcpListener),
    /// A listener on a Unix socket.
    Unix {
        /// The socket.
        listener: UnixListener,
        /// The file of the socket.
        file: SocketFile,
        /// True if the file is gone, and could not be made again so far.
        lost: bool,
    },
}

impl Listener {
    pub(super) fn bind(listen: &Listen) -> Result<Self, Ending> {
        let bound = match listen {
            Listen::Tcp(address) => tcp(*address),
            Listen::Unix(path) => {
                socket::bind(path).map(|(listener, file)| Self::Unix { listener, file, lost: false })
            }
        };
        bound.map_err(|why| unbound(&name(listen), &why))
    }

    pub(super) fn address(&self) -> Listen {
        match self {
            Self::Tcp(listener) => Listen::Tcp(listener.local_addr().expect("a bound socket has an address")),
            Self::Unix { file, .. } => Listen::Unix(file.path().to_owned()),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer, Origin)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                let peer = Peer::of(address);
                let local = peer == Peer::Loopback;
                let origin = if local { Origin::Local } else { Origin::elsewhere(address.ip()) };
                Ok((Box::new(stream), peer, origin))
            }
            Self::Unix { listener, .. } => {
                let (stream, _unnamed) = listener.accept().await?;
                Ok((Box::new(stream), Peer::UnixSocket, Origin::Local))
            }
        }
    }

    /// Ends when the file of a Unix socket is gone, or it is time to make it once more. TCP has none.
    pub(super) async fn is_lost(&self) {
        match self {
            Self::Tcp(_) => std::future::pending().await,
            Self::Unix { lost: true, .. } => tokio::time::sleep(AGAIN).await,
            Self::Unix { file, .. } => file.gone().await,
        }
    }

    /// Binds the Unix socket again if its file is gone. Without the file, no client reaches the daemon, and the
    /// probes of a pod would have a process killed that does its work.
    pub(super) fn restore(&mut self) {
        let listen = self.address();
        let Self::Unix { lost, .. } = self else { return };
        match Self::bind(&listen) {
            Ok(bound) => {
                tracing::warn!("the socket {} was removed: it is there again", name(&listen));
                *self = bound;
            }
            Err(why) if !*lost => {
                *lost = true;
                tracing::error!(
                    "the socket was removed, and is tried again every 5 seconds: {}",
                    why.words()
                );
            }
            Err(_said_already) => {}
        }
    }
}

/// Returns a listener as the configuration writes it.
fn name(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

/// Returns why an address cannot be had, and what to do about it.
fn unbound(name: &str, why: &io::Error) -> Ending {
    let (words, hint) = match why.kind() {
        io::ErrorKind::AddrInUse => {
            ("another process listens there".to_owned(), "stop it, or change `listen`")
        }
        io::ErrorKind::AddrNotAvailable => {
            ("this machine has no such address".to_owned(), "change `listen`; 127.0.0.1 is always there")
        }
        io::ErrorKind::NotFound => {
            ("its folder does not exist".to_owned(), "create the folder, or change `listen`")
        }
        io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "use a port from 1024 on, or a folder that Leasehold may write")
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

/// An accepted connection of either kind.
pub(super) type Stream = Box<dyn Duplex + Send>;

/// A stream that can be read and written.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(ending.what.ends_with(&format!("{address}: another process listens there")), "{ending}");
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_and_an_address_of_another_machine_are_told_in_words() {
        // The second address is one of those that belong to no machine.
        let elsewhere = Listen::Tcp(([192, 0, 2, 1], 0).into());
        for (listen, what, hint) in [
            (Listen::Unix("/no/such/socket".into()), "its folder does not exist", "create the folder"),
            (elsewhere, "this machine has no such address", "127.0.0.1"),
        ] {
            let ending = Listener::bind(&listen).expect_err("it cannot be had");
            assert!(ending.what.ends_with(what) && ending.hint.contains(hint), "{ending}");
        }
    }
}
