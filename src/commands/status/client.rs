//! Sends one request, over a blocking socket.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::absent::Publisher;
use super::{Daemon, tls};
use crate::config::plan::Listen;

/// The time for a connection, which stays on this machine.
const CONNECT: Duration = Duration::from_secs(2);
/// The time without a byte after which the process behind the socket is looked at: a stopped process will not
/// answer.
const GLANCE: Duration = Duration::from_secs(2);
/// The number of glances that make one wait for a piece of an answer. It is longer than the daemon waits for its
/// own main loop.
const GLANCES: u32 = 4;
/// The longest answer that is read; a status of 10,000 files has about 5 MiB.
const MAX_ANSWER: u64 = 64 << 20;

/// The daemon's answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) struct DaemonReply {
    /// The HTTP status.
    pub(in crate::commands) status: u16,
    /// The body.
    pub(in crate::commands) body: String,
}

/// Asks for `path`; why there is no answer is in words for a person.
pub(in crate::commands) fn get(daemon: &Daemon, path: &str) -> io::Result<DaemonReply> {
    ask(daemon, "GET", path)
}

/// Asks for something to be done, as [`get`] asks.
pub(in crate::commands) fn post(daemon: &Daemon, path: &str) -> io::Result<DaemonReply> {
    ask(daemon, "POST", path)
}

fn ask(daemon: &Daemon, method: &str, path: &str) -> io::Result<DaemonReply> {
    converse(daemon, method, path).map_err(|why| {
        let words = match why.kind() {
            io::ErrorKind::ConnectionRefused => "nobody listens there",
            io::ErrorKind::NotFound => "there is no such socket",
            io::ErrorKind::PermissionDenied => "permission denied",
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "it does not answer in time",
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => "the connection was closed",
            _ => return why,
        };
        io::Error::new(why.kind(), words)
    })
}

fn converse(daemon: &Daemon, method: &str, path: &str) -> io::Result<DaemonReply> {
    match &daemon.listen {
        Listen::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), CONNECT)?;
            stream.set_read_timeout(Some(GLANCE))?;
            stream.set_write_timeout(Some(GLANCE))?;
            let stream = Patient { stream, daemon };
            match &daemon.tls {
                Some(files) => exchange(tls::over(stream, files)?, method, path),
                None => exchange(stream, method, path),
            }
        }
        Listen::Unix(socket) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(GLANCE))?;
            stream.set_write_timeout(Some(GLANCE))?;
            exchange(Patient { stream, daemon }, method, path)
        }
    }
}

/// A stream whose answer is waited for, unless the process behind it is stopped.
struct Patient<'d, S> {
    stream: S,
    daemon: &'d Daemon,
}

impl<S: Read> Read for Patient<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..GLANCES {
            match self.stream.read(buffer) {
                Err(why) if matches!(why.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                    if Publisher::of(self.daemon).is_some_and(|one| one.is_stopped()) {
                        return Err(why);
                    }
                }
                read => return read,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

impl<S: Write> Write for Patient<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Returns the address by which a daemon that listens on all addresses can be reached from here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str) -> io::Result<DaemonReply> {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not whole"))
}

/// Reads what our own daemon writes: a length, and no chunks.
fn parse(bytes: &[u8]) -> Option<DaemonReply> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (header, body) = text.split_once("\r\n\r\n")?;
    let mut lines = header.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    (length == Some(body.len())).then(|| DaemonReply { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_when_it_is_whole() {
        let answer = parse(b"HTTP/1.1 503 Service Unavailable\r\nX: y\r\nContent-Length: 3\r\n\r\nno\n");
        assert_eq!(answer, Some(DaemonReply { status: 503, body: "no\n".into() }));
        for cut in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nno",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno\n",
            b"HTTP/1.1 200 OK\r\n\r\nno",
            b"HTTP/1.1 2\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xff",
        ] {
            assert_eq!(parse(cut), None, "{cut:?}");
        }
    }

    #[test]
    fn a_daemon_on_all_addresses_is_asked_on_loopback() {
        let asked = |address: &str| reachable(address.parse().expect("an address")).to_string();
        assert_eq!(asked("0.0.0.0:9110"), "127.0.0.1:9110");
        assert_eq!(asked("[::]:9110"), "[::1]:9110");
        assert_eq!(asked("10.0.0.1:9110"), "10.0.0.1:9110");
    }
}
