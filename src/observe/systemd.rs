//! Talks to a service manager (`Type=notify`, `WatchdogSec=`).
//!
//! The code is our own. The crate for it (sd-notify) takes an abstract socket (`@…`, which containers and user
//! managers hand out) for the name of a file, and may block on a manager that does not read.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::clock;

/// The time that a message may hold up the main loop if no other message follows.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager that started us, if there is one. Without one, everything here does nothing.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Returns the manager that `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` name in this environment.
    ///
    /// # Errors
    /// If `NOTIFY_SOCKET` is set but cannot be used: the manager would wait for us in vain.
    pub fn from_env(env: impl Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let Some(name) = env("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = UnixDatagram::unbound()?;
        // Rather lose a message than stand still: a lost watchdog message is followed by another.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address(&name)?)?;
        let number = |name| env(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
        let for_us =
            env("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(std::process::id().into());
        let watchdog =
            number("WATCHDOG_USEC").filter(|&limit| for_us && limit > 0).map(Duration::from_micros);
        Ok(Self { socket: Some(socket), watchdog })
    }

    /// Returns whether there is a service manager, which waits for [`Self::ready`].
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Says that every file is published.
    ///
    /// # Errors
    /// If the manager does not listen, as for all the others.
    pub fn ready(&self) -> io::Result<()> {
        self.send_surely("READY=1")
    }

    /// Sends the line that `systemctl status` shows.
    ///
    /// # Errors
    /// As above.
    pub fn status(&self, line: &str) -> io::Result<()> {
        let line: String = line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        self.send(&format!("STATUS={line}"))
    }

    /// Says that a reload begins. [`Self::ready`] ends it.
    ///
    /// # Errors
    /// As above.
    pub fn reloading(&self) -> io::Result<()> {
        // Type=notify-reload tells this message from an older one by its time.
        self.send_surely(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic().as_micros()))
    }

    /// Says that the process is going to end.
    ///
    /// # Errors
    /// As above.
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1")
    }

    /// Says that the main loop is alive. It has to be sent every [`Self::watchdog_interval`].
    ///
    /// # Errors
    /// As above.
    pub fn alive(&self) -> io::Result<()> {
        self.send("WATCHDOG=1")
    }

    /// Returns how often to say that the process is alive: twice as often as the manager insists on. `None` if it
    /// does not insist.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Sends a message, and waits a little if the manager is behind, as at a boot that starts everything. The
    /// manager ends a unit of whose readiness it never heard, when its time to start is over.
    fn send_surely(&self, message: &str) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nonblocking(false)?;
        // With a time-out the kernel does not go on by itself after a signal.
        let interrupted =
            |sent: &io::Result<()>| sent.as_ref().is_err_and(|why| why.kind() == io::ErrorKind::Interrupted);
        let mut sent = self.send(message);
        while interrupted(&sent) {
            sent = self.send(message);
        }
        socket.set_nonblocking(true)?;
        sent
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), |socket| socket.send(message.as_bytes()).map(drop))
    }
}

/// Reads `/path` or `@abstract`. An address of vsock and the like is not known.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::Unsupported, "neither a path nor an abstract socket")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(variables: &[(&str, &str)]) -> io::Result<ServiceManager> {
        ServiceManager::from_env(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn tell_everything(manager: &ServiceManager, socket: &UnixDatagram) {
        manager.ready().expect("sent");
        assert_eq!(heard(socket), "READY=1");
        manager.status("3 files\nREADY=0").expect("sent");
        assert_eq!(heard(socket), "STATUS=3 files READY=0", "a status cannot forge another field");
        manager.stopping().expect("sent");
        assert_eq!(heard(socket), "STOPPING=1");
        manager.alive().expect("sent");
        assert_eq!(heard(socket), "WATCHDOG=1");
        let before = clock::monotonic().as_micros();
        manager.reloading().expect("sent");
        let message = heard(socket);
        let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("with its time");
        assert!((before..=clock::monotonic().as_micros()).contains(&time.parse().expect("microseconds")));
    }

    #[test]
    fn it_speaks_to_a_socket_in_the_file_system() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))]).expect("connects");
        tell_everything(&manager, &socket);
        assert_eq!(manager.watchdog_interval(), None);
    }

    #[test]
    fn it_speaks_to_an_abstract_socket() {
        let name = format!("leasehold-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        tell_everything(&manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).expect("connects"), &socket);
    }

    #[test]
    fn readiness_waits_for_a_manager_that_is_behind_and_a_watchdog_s_word_does_not() {
        let name = format!("leasehold-test-behind-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("bound");
        let manager = manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).expect("connects");
        while manager.alive().is_ok() {}
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| tell.send(manager.ready()).expect("heard"));
            let early = told.recv_timeout(Duration::from_millis(100));
            assert!(early.is_err(), "it waits: {early:?}");
            while heard(&socket) != "READY=1" {}
            told.recv().expect("told").expect("sent");
        });
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        for variables in [&[][..], &[("NOTIFY_SOCKET", "")], &[("WATCHDOG_USEC", "1000000")]] {
            let manager = manager(variables).expect("nobody");
            manager.ready().expect("nothing sent");
            assert_eq!(manager.watchdog_interval(), None);
        }
    }

    #[test]
    fn a_socket_that_is_not_there_or_not_known_is_an_error() {
        for name in ["/nonexistent/notify", "vsock:2:1234", "relative"] {
            assert!(manager(&[("NOTIFY_SOCKET", name)]).is_err(), "{name}");
        }
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_and_only_where_it_is_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).expect("bound");
        let socket = ("NOTIFY_SOCKET", path.to_str().expect("UTF-8"));
        let us = std::process::id().to_string();
        let interval = |variables: &[(&str, &str)]| manager(variables).expect("connects").watchdog_interval();
        let half = Some(Duration::from_secs(5));
        assert_eq!(interval(&[socket, ("WATCHDOG_USEC", "10000000")]), half);
        assert_eq!(interval(&[socket, ("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", &us)]), half);
        assert_eq!(interval(&[socket, ("WATCHDOG_USEC", "10000000"), ("WATCHDOG_PID", "1")]), None);
        assert_eq!(interval(&[socket, ("WATCHDOG_USEC", "0")]), None);
        assert_eq!(interval(&[socket, ("WATCHDOG_USEC", "soon")]), None);
    }

    #[test]
    fn a_manager_that_does_not_read_is_an_error_and_not_a_stop() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let _socket = UnixDatagram::bind(&path).expect("bound");
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))]).expect("connects");
        let full = (0..100_000).find_map(|_| manager.alive().err()).expect("its queue is full at last");
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
