//! What a rendering reaches of the world: the [`Host`] trait, and nothing else.
//!
//! A template that calls `secret`, `env`, `file` or `timestamp` asks its host. The crate itself reads no file, no clock and
//! no environment, and opens no connection, so the same template, data and host give the same bytes.
//!
//! A host need not have every answer at once. It can return `None` for what it has not fetched yet, record the question, and
//! discard the output of this pass. The rendering goes on with nil, so that one pass finds as many questions as it can. When
//! the answers are there, the caller renders again.

use std::fmt;
use std::net::IpAddr;

pub use leasehold_base::request::{BadPath, Request, Verb};
pub use leasehold_base::response::{Auth, Response, WrapInfo, WrongType};

use crate::Secret;

/// The world of one rendering.
///
/// [`now`](Host::now) and [`random`](Host::random) have no default: a wrong time or predictable random bytes would go
/// unnoticed. Every other method defaults to an empty world: what has an error to return fails, and variables, time zones and
/// network interfaces do not exist.
///
/// ```
/// use leasehold_template::host::{Host, WallTime};
/// use leasehold_template::value::Value;
/// use leasehold_template::{Limits, MissingKey, Secret, Template, functions};
///
/// struct Home;
///
/// impl Host for Home {
///     fn env(&mut self, name: &str) -> Option<Secret> {
///         (name == "HOME").then(|| "/root".into())
///     }
///
///     fn now(&mut self) -> WallTime {
///         WallTime { seconds: 1_700_000_000, nanoseconds: 0 }
///     }
///
///     fn random(&mut self, _bytes: &mut [u8]) {
///         unimplemented!("ask the operating system here")
///     }
/// }
///
/// let text = br#"{{ env "HOME" }}/.config {{ timestamp "2006-01-02" }}"#;
/// let template = Template::parse("t", text, None, functions::all())?;
/// let bytes = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Home)?;
/// assert_eq!(bytes.expose(), b"/root/.config 2023-11-14");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Host {
    /// Returns the server's answer to `request`: what `secret`, `secrets` and `pkiCert` ask for. `None` stands for an answer
    /// that has not been fetched yet, and is nil to the template. The path is the one that the template wrote, so the host
    /// decides what `data/` of a KV version 2 mount means.
    ///
    /// # Errors
    /// [`HostError`] if there will be no answer. The rendering ends with it.
    fn ask(&mut self, request: &Request) -> Result<Option<Response>, HostError> {
        let _ = request;
        Err(HostError("there is no server to ask".to_owned()))
    }

    /// Returns a variable of the environment, or `None` if it is not set.
    fn env(&mut self, name: &str) -> Option<Secret> {
        let _ = name;
        None
    }

    /// Returns the content of a file. `None` stands for a file that has not been read yet, and is an empty text to the
    /// template.
    ///
    /// # Errors
    /// [`HostError`] if the file cannot be read. The rendering ends with it.
    fn file(&mut self, path: &str) -> Result<Option<Secret>, HostError> {
        let _ = path;
        Err(HostError("no file can be read here".to_owned()))
    }

    /// Returns the time. It must be the same throughout one rendering.
    fn now(&mut self) -> WallTime;

    /// Returns the table (`tzfile(5)`) of a time zone by its name, such as `Europe/Berlin`, or of the machine's own zone,
    /// `Local`. `None` means that the machine has no such table.
    fn zone(&mut self, name: &str) -> Option<Vec<u8>> {
        let _ = name;
        None
    }

    /// Returns the machine's network interfaces, for `sockaddr`. They must be the same throughout one rendering.
    ///
    /// # Errors
    /// [`HostError`] if the system does not list them.
    fn network(&mut self) -> Result<Network, HostError> {
        Ok(Network::default())
    }

    /// Fills `bytes` with random bytes fit for keys: `uuidv4`, `randBytes` and `htpasswd` use them.
    fn random(&mut self, bytes: &mut [u8]);

    /// Takes a file that the template wrote with `writeToFile`. The template may yet fail, or be rendered again, so a host
    /// collects these files and writes them when it uses the output.
    ///
    /// # Errors
    /// [`HostError`] if the host does not allow this file.
    fn write(&mut self, file: WrittenFile) -> Result<(), HostError> {
        let _ = file;
        Err(HostError("nothing can be written here".to_owned()))
    }
}

/// A point in time on the wall clock, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// The machine's network interfaces, in the system's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// The interfaces, each once.
    pub interfaces: Vec<Interface>,
    /// The name of the interface that the default route uses, if there is one.
    pub default: Option<String>,
}

/// A network interface with its addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// The system's number for it, from 1.
    pub index: u32,
    /// The largest packet, in bytes; 0 if the system does not say.
    pub mtu: u32,
    /// The name, such as `eth0`.
    pub name: String,
    /// The hardware address, in bytes; empty if it has none.
    pub hardware: Vec<u8>,
    /// Go's bits: 1 up, 2 broadcast, 4 loopback, 8 point-to-point, 16 multicast, 32 running.
    pub flags: u32,
    /// The addresses, each with the length of its network's prefix in bits.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// A file that `writeToFile` asks for, in the template's words. Nothing in it has been checked.
#[derive(Debug, Clone)]
pub struct WrittenFile {
    /// The path.
    pub path: String,
    /// The owner: a name or a number. Empty for the user of this process.
    pub user: String,
    /// The group: a name or a number. Empty for the group of this process.
    pub group: String,
    /// The mode in octal, such as `0644`.
    pub mode: String,
    /// Whether to append to what earlier calls wrote (the flag `append`).
    pub append: bool,
    /// The content, with a newline at the end if the template asked for one (the flag `newline`).
    pub content: Secret,
}

/// Why a host has no answer: a text for people, which ends up in the [`ExecError`](crate::ExecError). It must not hold a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError(pub String);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

/// A world with nothing in it, for templates that use their data alone.
///
/// The time is 1970-01-01, random bytes are zeros, and every question to a server or for a file is answered with `None`, as
/// if it had not been fetched yet.
#[derive(Debug, Default, Clone, Copy)]
pub struct Nowhere;

impl Host for Nowhere {
    fn ask(&mut self, _: &Request) -> Result<Option<Response>, HostError> {
        Ok(None)
    }

    fn file(&mut self, _: &str) -> Result<Option<Secret>, HostError> {
        Ok(None)
    }

    fn now(&mut self) -> WallTime {
        WallTime { seconds: 0, nanoseconds: 0 }
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}
