//! What a rendering reaches of the world, and only through here.
//!
//! The template room is pure: whoever renders brings a [`Host`] that answers from what it already
//! has. What is not there yet is noted and answered with nothing; the rendering goes on to find
//! what else it needs, and its output is thrown away.

use std::fmt;
use std::net::IpAddr;

use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;

/// The world of one rendering.
pub trait Host {
    /// The server's answer to `request`; `None` while it is not there, which the host notes.
    ///
    /// # Errors
    /// [`HostError`] where there will be no answer: the rendering ends.
    fn ask(&mut self, request: &Request) -> Result<Option<Response>, HostError>;

    /// A variable of the environment; `None` where it is not set.
    fn env(&mut self, name: &str) -> Option<Secret>;

    /// The content of a file; `None` while it is not read, which the host notes.
    ///
    /// # Errors
    /// [`HostError`] where it cannot be read.
    fn file(&mut self, path: &str) -> Result<Option<Secret>, HostError>;

    /// The time: the same throughout one rendering.
    fn now(&mut self) -> WallTime;

    /// The table (`tzfile(5)`) of a time zone by its name, such as `Europe/Berlin`, or of the machine's
    /// own, `Local`; `None` where the machine has none.
    fn zone(&mut self, name: &str) -> Option<Vec<u8>>;

    /// The machine's network interfaces: the same throughout one rendering.
    ///
    /// # Errors
    /// [`HostError`] where the system does not tell.
    fn network(&mut self) -> Result<Network, HostError>;

    /// Fills `bytes` with random ones.
    fn random(&mut self, bytes: &mut [u8]);

    /// Takes a file that the template wrote (`writeToFile`). It counts only if this pass is the one
    /// that is published.
    ///
    /// # Errors
    /// [`HostError`] where the configuration does not allow it.
    fn write(&mut self, file: WrittenFile) -> Result<(), HostError>;
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// Interfaces in the system's order, and which of them leads everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Each once.
    pub interfaces: Vec<Interface>,
    /// The interface of the default route, where there is one.
    pub default: Option<String>,
}

/// A network interface with its addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// The system's number for it, from 1.
    pub index: u32,
    /// The largest packet, bytes; 0 where the system does not say.
    pub mtu: u32,
    /// Its name.
    pub name: String,
    /// The hardware address; empty where it has none.
    pub hardware: Vec<u8>,
    /// Go's bits: 1 up, 2 broadcast, 4 loopback, 8 point-to-point, 16 multicast, 32 running.
    pub flags: u32,
    /// Its addresses, each with the length of its network's prefix in bits.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// A file that `writeToFile` asks for, as the template said it.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    /// Where to.
    pub path: String,
    /// The owner: a name or a number; empty for our own.
    pub user: String,
    /// The group: a name or a number; empty for our own.
    pub group: String,
    /// The mode, such as `0644`.
    pub mode: String,
    /// Whether to add to what earlier calls wrote (`append`).
    pub append: bool,
    /// The content, with a newline added where the template asked for one (`newline`).
    pub content: Secret,
}

/// Why the world has no answer: text for people, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError(pub String);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

impl From<HostError> for super::function::FunctionError {
    fn from(error: HostError) -> Self {
        Self::new(error.0)
    }
}

/// A world with nothing in it: no server, no files, no environment, the year 1970.
#[derive(Debug, Default, Clone, Copy)]
pub struct Nowhere;

impl Host for Nowhere {
    fn ask(&mut self, _: &Request) -> Result<Option<Response>, HostError> {
        Ok(None)
    }

    fn env(&mut self, _: &str) -> Option<Secret> {
        None
    }

    fn file(&mut self, _: &str) -> Result<Option<Secret>, HostError> {
        Ok(None)
    }

    fn now(&mut self) -> WallTime {
        WallTime { seconds: 0, nanoseconds: 0 }
    }

    fn zone(&mut self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn network(&mut self) -> Result<Network, HostError> {
        Ok(Network::default())
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn write(&mut self, _: WrittenFile) -> Result<(), HostError> {
        Err(HostError("nothing can be written here".to_owned()))
    }
}
