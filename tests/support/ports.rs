//! Loopback ports that no other test is given, in this process or in any other.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::Mutex;

/// Below the ports that the kernel hands out by itself (from 32,768): what is bound to port 0, and the near
/// end of every connection, would otherwise take a port between our look and the server's bind.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// What this process has reserved. An abstract socket is the lock: the kernel lets one process at a time bind
/// its name, whoever its user is, and frees the name when the process ends.
static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of loopback on which nothing listens, reserved for as long as this process lives. So a server that
/// is stopped can come back on its port.
pub fn free_port() -> u16 {
    let offset = std::process::id().wrapping_mul(97) % u32::from(RANGE.end - RANGE.start);
    let first = RANGE.start + u16::try_from(offset).expect("less than the range");
    (first..RANGE.end)
        .chain(RANGE.start..first)
        .find(|port| reserve(*port))
        .expect("one of 12,000 ports of loopback is free")
}

/// An address of loopback on which nothing listens; see [`free_port`].
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

fn reserve(port: u16) -> bool {
    let name = UnixAddress::from_abstract_name(format!("leasehold-test-port-{port}")).expect("a short name");
    let Ok(lock) = UnixListener::bind_addr(&name) else {
        return false;
    };
    // A program that is no test of ours may listen there.
    if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        return false;
    }
    RESERVED.lock().expect("no test panics while it reserves").push(lock);
    true
}
