//! What is between the client and a real server: it counts connections, and may die without a word.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Passes bytes on in both directions.
pub(crate) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    /// Connections up to this one bring nothing any more.
    dead: AtomicUsize,
    stopping: AtomicBool,
    /// Both ends of each, to be closed.
    open: Mutex<Vec<TcpStream>>,
}

impl Link {
    /// To the server on this loopback port.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if inside.stopping.load(Ordering::SeqCst) {
                    break;
                }
                // A server that is gone closes the connection, which is what the client is to see.
                let _ = inside.join(near, port);
            }
        });
        Self { address, shared }
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// How many connections came in.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// From now on nothing comes through what is open, and nobody is told, as where a firewall forgets a
    /// connection.
    pub(crate) fn die(&self) {
        self.shared.dead.store(self.connections(), Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor is blocked in accept until somebody comes.
        let _ = TcpStream::connect(self.address);
        for end in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn join(self: &Arc<Self>, near: TcpStream, port: u16) -> io::Result<()> {
        let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let far = TcpStream::connect(("127.0.0.1", port))?;
        let ends = [near.try_clone()?, far.try_clone()?];
        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pass(number, from, to));
        }
        Ok(())
    }

    fn pass(&self, number: usize, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let dead = number <= self.dead.load(Ordering::SeqCst);
            if !dead && to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
