//! The built binary, as a user runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::child::Child;
use super::workspace::Workspace;

/// No command of a test takes longer, also on a machine where every core is busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// Refuses the system calls in its first argument and becomes the program in the others. Of the filter each
/// instruction is a code, two jumps and a number: the call's number is loaded, compared, answered.
const REFUSE: &str = "
import ctypes, os, struct, sys
load, equal, answer, errno = 0x20, 0x15, 0x06, 0x50000
code = struct.pack('HBBI', load, 0, 0, 0)
for pair in sys.argv[1].split(','):
    call, error = map(int, pair.split(':'))
    code += struct.pack('HBBI', equal, 0, 1, call) + struct.pack('HBBI', answer, 0, 0, errno | error)
code += struct.pack('HBBI', answer, 0, 0, 0x7fff0000)
held = ctypes.create_string_buffer(code)
program = struct.pack('HP', len(code) // 8, ctypes.addressof(held))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.create_string_buffer(program)):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
";

/// A way to run the binary: its folder and environment. Nothing of the test's own environment gets through
/// but PATH.
#[derive(Debug, Clone)]
pub struct Leasehold {
    dir: PathBuf,
    cwd: PathBuf,
    env: BTreeMap<String, String>,
    /// What becomes it, and is given it with its arguments.
    before: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

/// A sidecar that runs; killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    since: Instant,
}

impl Leasehold {
    /// Runs in `space`, where its output is kept too.
    pub fn new(space: &Workspace) -> Self {
        let env = std::env::var("PATH").map(|path| ("PATH".to_owned(), path));
        let (dir, cwd) = (space.path().to_owned(), space.path().to_owned());
        Self { dir, cwd, env: env.into_iter().collect(), before: Vec::new() }
    }

    /// The binary under test.
    pub fn binary() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_leasehold"))
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Its environment, for a program that starts it in another way.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// In another working directory.
    #[must_use]
    pub fn within(mut self, dir: &Path) -> Self {
        self.cwd = dir.to_owned();
        self
    }

    /// As if the machine had been started anew: the kernel's name for this run of it is `boot`, in a mount
    /// namespace of its own. Needs root.
    #[must_use]
    pub fn on_another_boot(mut self, boot: &Path) -> Self {
        let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
        let boot = boot.to_string_lossy();
        self.before = ["unshare", "-m", "sh", "-c", script, &*boot].map(str::to_owned).into();
        self
    }

    /// As nobody, the user, who is not root. Needs root.
    #[must_use]
    pub fn run_by_nobody(mut self) -> Self {
        let become_it = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        self.before = become_it.map(str::to_owned).into();
        self
    }

    /// With its standard error going to `path`, such as a pipe of the test's own.
    #[must_use]
    pub fn with_stderr(mut self, path: &Path) -> Self {
        let path = path.to_string_lossy();
        self.before = ["sh", "-c", "exec \"$@\" 2>\"$0\"", &*path].map(str::to_owned).into();
        self
    }

    /// On a kernel that answers these system calls, by their numbers, with these errors: as an old one does, or
    /// a container runtime that does not know them. By seccomp, for everything that is started.
    #[must_use]
    pub fn without(mut self, calls: &[(i64, i32)]) -> Self {
        let refused: Vec<String> = calls.iter().map(|(call, error)| format!("{call}:{error}")).collect();
        self.before = ["python3", "-c", REFUSE, &refused.join(",")].map(str::to_owned).into();
        self
    }

    /// Under a boot clock that is ahead by so many seconds. Needs root. A signal reaches `unshare`, whose end by force
    /// ends the command as well.
    #[must_use]
    pub fn with_a_clock_ahead(mut self, seconds: u64) -> Self {
        let ahead = seconds.to_string();
        self.before =
            ["unshare", "--time", "--boottime", &*ahead, "--fork", "--kill-child"].map(str::to_owned).into();
        self
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<str>>(&self, arguments: &[A]) -> Finished {
        self.spawn(arguments).wait(DEADLINE)
    }

    /// Starts a command that stays.
    pub fn spawn<A: AsRef<str>>(&self, arguments: &[A]) -> Running {
        // Each run keeps its own output.
        let number = (0..).find(|n| !self.dir.join(format!("run-{n}.out")).exists()).unwrap_or(0);
        let since = Instant::now();
        let words = self.before.iter().map(Path::new).chain([Self::binary()]);
        let mut words = words.collect::<Vec<_>>().into_iter();
        let program = words.next().expect("at least the binary");
        let child = Child::start(program, &format!("run-{number}"), &self.dir, |command| {
            command
                .args(words)
                .args(arguments.iter().map(AsRef::as_ref))
                .env_clear()
                .envs(&self.env)
                .current_dir(&self.cwd);
        });
        Running { child, since }
    }
}

impl Finished {
    /// The last line on standard error, which names the cause and what to do: as it is, or the message of a line
    /// of JSON.
    pub fn last_line(&self) -> String {
        let line = self.stderr.lines().last().unwrap_or_default();
        match serde_json::from_str::<Value>(line) {
            Ok(entry) => entry["message"].as_str().unwrap_or_default().to_owned(),
            Err(_) => line.to_owned(),
        }
    }

    /// Its standard error, where every line is one of a log of JSON.
    #[track_caller]
    pub fn log(&self) -> Vec<Value> {
        let entry = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        self.stderr.lines().map(entry).collect()
    }

    /// Itself where the code is `code`; panics with the output otherwise.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Panics where `secret` is in any output.
    #[track_caller]
    pub fn assert_silent_about(&self, secret: &str) {
        assert!(!self.stdout.contains(secret), "standard output shows a secret");
        assert!(!self.stderr.contains(secret), "standard error shows a secret");
    }
}

impl Running {
    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its number.
    pub fn pid(&self) -> nix::unistd::Pid {
        self.child.pid()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.child.stderr()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.ended().is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(self) -> Finished {
        self.signal(Signal::SIGTERM);
        self.wait(DEADLINE)
    }

    /// Waits for the end.
    pub fn wait(mut self, deadline: Duration) -> Finished {
        let status = self.child.wait(deadline);
        let took = self.since.elapsed();
        Finished { code: status.code(), stdout: self.child.stdout(), stderr: self.child.stderr(), took }
    }
}
