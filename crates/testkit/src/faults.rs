//! The faults that Leasehold is to survive, and what a run of the tests shows of each. The test of a fault writes a row
//! when it has passed, and `examples/faults.rs` makes docs/FAULTS.md from the rows.

#![allow(clippy::disallowed_methods, reason = "a row of the table is no secret")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

/// Where a fault is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the simulator: the pure core, virtual time, every invariant checked after every step.
    Simulated,
    /// On a real OpenBao server, by the built binary or the client in it.
    Server,
    /// Against a server that misbehaves as a script tells it to.
    Wire,
    /// On real files, mounts and processes.
    Machine,
}

impl Place {
    /// Returns the name of the place, as docs/FAULTS.md has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::Server => "real server",
            Self::Wire => "hostile server",
            Self::Machine => "real files and processes",
        }
    }
}

/// A fault, and where it can be produced and therefore has to be shown.
#[derive(Debug)]
pub struct Fault {
    /// Its number, from 1 on.
    pub number: usize,
    /// What happens.
    pub what: &'static str,
    /// The page is made only if there is a row from each of these places.
    pub needs: &'static [Place],
}

const fn fault(number: usize, what: &'static str, needs: &'static [Place]) -> Fault {
    Fault { number, what, needs }
}

use Place::{Machine, Server, Simulated, Wire};

/// All of them, in the order of their numbers.
pub const FAULTS: [Fault; 79] = [
    fault(1, "the server is down for ten minutes, the lease lives an hour", &[Simulated, Server]),
    fault(2, "the server is down until what is on disk has expired", &[Simulated, Server]),
    fault(3, "the server is down while init runs", &[Simulated, Server]),
    fault(4, "the server is sealed, then unsealed", &[Simulated, Server]),
    fault(5, "another node becomes leader", &[Simulated, Server]),
    fault(6, "a renewal is answered \"lease not found\"", &[Simulated, Server]),
    fault(7, "renewals fail for ever", &[Simulated, Server]),
    fault(8, "the token is revoked", &[Simulated, Server]),
    fault(9, "the token's longest life is shorter than the lease's", &[Simulated, Server]),
    fault(10, "max_ttl cuts the lease", &[Simulated, Server]),
    fault(11, "the token is a batch token", &[Simulated, Server]),
    fault(12, "the token has no use left after the first lease", &[Simulated, Server]),
    fault(13, "the policy denies one path of many", &[Simulated, Server]),
    fault(14, "a standby does not know the new token yet", &[Simulated, Server]),
    fault(15, "429, with and without Retry-After", &[Simulated, Server, Wire]),
    fault(16, "a thousand sidecars restart together", &[Simulated]),
    fault(17, "the connection hangs after the headers", &[Wire]),
    fault(18, "the connection breaks off in the body, or the JSON does", &[Wire]),
    fault(19, "a body of a gibibyte, or one that unpacks to that", &[Wire]),
    fault(20, "JSON 100,000 deep, NUL, bytes that are not UTF-8", &[Wire]),
    fault(21, "redirects: a loop, another host, from https to http", &[Wire]),
    fault(22, "the authority is changed on disk", &[Server]),
    fault(23, "the wall clock jumps a day", &[Simulated]),
    fault(24, "the machine sleeps for two hours", &[Simulated]),
    fault(25, "the tmpfs is full", &[Simulated, Machine]),
    fault(26, "SIGKILL at every step of a write", &[Machine]),
    fault(27, "a link, a FIFO or a folder waits where a file is to go", &[Machine]),
    fault(28, "the JWT is swapped while it is used, or has expired", &[Simulated, Server]),
    fault(29, "the application ignores the signal, has ended, or its pid is another's", &[Simulated]),
    fault(30, "init hands over; the handoff is lost, broken or worthless", &[Simulated, Server]),
    fault(
        31,
        "a proxy answers for the server: pages with a status of 4xx or 5xx",
        &[Simulated, Server, Wire],
    ),
    fault(32, "a read or a list is answered 200 or 204, without data", &[Simulated, Wire]),
    fault(33, "Retry-After of an hour, on one path or on a maintenance page", &[Simulated, Wire]),
    fault(
        34,
        "logins are refused for a while: their reviewer is away, or the role comes late",
        &[Simulated, Server],
    ),
    fault(35, "everything is answered 403 for a while, and the token lives", &[Simulated, Wire]),
    fault(36, "the token cannot be renewed any more, and all else is well", &[Simulated, Server]),
    fault(37, "good credentials follow bad ones, over a restart", &[Server]),
    fault(38, "the process is killed while it revokes", &[Simulated, Wire]),
    fault(39, "the configuration changes while the process is dead", &[Server]),
    fault(40, "leases are in another namespace than the login", &[Server]),
    fault(41, "a wrapping token was opened by an earlier run of the same pod", &[Server]),
    fault(42, "the handoff was written under another clock", &[Machine]),
    fault(43, "published files are removed or changed, or their folder is replaced", &[Machine]),
    fault(44, "two runs have the same secrets_dir", &[Machine]),
    fault(45, "a file or a sink leaves the configuration", &[Server]),
    fault(46, "another user may write the pid file", &[Machine]),
    fault(47, "the kernel or the runtime refuses pidfd, timerfd, signalfd or statfs", &[Machine]),
    fault(48, "the environment of exec grows too large, or a child leaves its process group", &[Machine]),
    fault(49, "nothing reads the log", &[Machine]),
    fault(50, "peers open connections to the listener and send nothing", &[Machine]),
    fault(51, "a redirect to another path, and a server_name that is another address", &[Wire]),
    fault(52, "durations in an answer are at the limits of what a number holds", &[Wire]),
    fault(53, "a server returns to 10,000 sidecars, or 1,000 pods are made at once", &[Simulated]),
    fault(
        54,
        "certificates: the authority or the client's is replaced, has ended, or names another server",
        &[Wire],
    ),
    fault(55, "a KV mount is upgraded, replaced by another version or gone", &[Simulated, Server]),
    fault(56, "webhook: the API server is away at its start, or while it runs", &[Server]),
    fault(57, "webhook: its certificate ends while no replica runs", &[Server]),
    fault(58, "webhook: the Secret of its certificates is deleted, or is garbage", &[Server]),
    fault(59, "webhook: its clock is ahead of the API server's", &[Wire]),
    fault(60, "webhook: two replicas replace certificates at once", &[Server]),
    fault(61, "webhook: the leader is killed in the middle of a rotation", &[Server]),
    fault(62, "webhook: the author of a pod is hostile", &[Server]),
    fault(63, "store: one of several is down for an hour", &[Simulated]),
    fault(64, "store: it asks for a later retry: 429, ThrottlingException", &[Wire]),
    fault(65, "store: a secret is deleted, disabled, or about to be deleted", &[Server, Wire]),
    fault(66, "store: a vault asks for a token for something else, or redirects", &[Wire]),
    fault(67, "store: the metadata service is none, or redirects", &[Wire]),
    fault(68, "store: the federated token has expired", &[Wire]),
    fault(69, "store: the clock is further off than a signature may be old", &[Wire]),
    fault(70, "login by a cloud: the cloud gives no proof, or the server does not take it", &[Server]),
    fault(71, "sync: the leader is killed at any of its writes", &[Server]),
    fault(72, "sync: the API server is away, or answers 409, 429, 500, 503 or 504", &[Server]),
    fault(73, "sync: its watches are cut, or their history is gone", &[Server]),
    fault(74, "sync: the Vault is away or sealed, or a proxy answers for it", &[Server]),
    fault(75, "sync: definitions are deleted while no controller runs", &[Server]),
    fault(76, "sync: the clocks of replicas differ", &[Server]),
    fault(77, "sync: etcd is restored from an older state", &[Server]),
    fault(78, "sync: two controllers run at once", &[Server]),
    fault(79, "sync: a new leader takes over", &[Server]),
];

/// What a test shows of a fault, gathered while it runs.
#[must_use = "the row is written by `holds`, at the end of the test"]
#[derive(Debug)]
pub struct Evidence {
    number: usize,
    place: Place,
    file: &'static str,
    test: &'static str,
    seen: Vec<String>,
}

/// Makes the evidence of the test that calls it, for example `evidence!(8, Server)`.
#[macro_export]
macro_rules! evidence {
    ($number:literal, $place:ident) => {
        $crate::faults::Evidence::new($number, $crate::faults::Place::$place, file!(), || {})
    };
}

impl Evidence {
    /// Makes evidence for [`evidence!`], which knows the file. `_here` is a closure of the test's own, which carries
    /// its name.
    pub fn new<F>(number: usize, place: Place, file: &'static str, _here: F) -> Self {
        assert!(FAULTS.iter().any(|fault| fault.number == number), "there is no fault {number}");
        // krate::module::test::{{closure}}
        let path = std::any::type_name::<F>();
        let test = path.trim_end_matches("::{{closure}}").rsplit("::").next().expect("a path has an end");
        Self { number, place, file, test, seen: Vec::new() }
    }

    /// Checks that the program ended with this exit code, and records that.
    #[track_caller]
    pub fn exit(&mut self, code: Option<i32>, expected: i32) {
        assert_eq!(code, Some(expected), "the exit code");
        self.saw(format!("exit {expected}"));
    }

    /// Checks that `/metrics` has this line, and records that.
    #[track_caller]
    pub fn metric(&mut self, metrics: &str, line: &str) {
        assert!(metrics.lines().any(|one| one == line), "no {line} in\n{metrics}");
        self.saw(format!("`{line}`"));
    }

    /// Writes what the test has shown as a row of the table, after the test has passed.
    pub fn holds(self, what: &str) {
        let Self { number, place, file, test, seen } = self;
        let row = json!({
            "fault": number, "place": place.name(), "holds": what, "seen": seen, "file": file, "test": test,
        });
        fs::create_dir_all(rows()).expect("the build's folder takes folders");
        let name = format!("{number:02}-{}-{test}.json", file.replace('/', "-"));
        fs::write(rows().join(name), row.to_string()).expect("the build's folder takes files");
    }

    fn saw(&mut self, what: String) {
        if !self.seen.contains(&what) {
            self.seen.push(what);
        }
    }
}

/// Returns the folder in which the rows are kept until the page is made.
pub fn rows() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/faults")
}
