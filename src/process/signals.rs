//! In `exec` mode: the signals that come to us and are meant for the process.
//!
//! They are blocked and read from a descriptor, not caught: only then does the kernel say which process sent them.
//! What a person typed on a terminal reaches the process from the kernel already, and must not reach it twice.

use std::fs;
use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The signals that are not passed on: those that cannot be caught, our own faults, and those about our own children,
/// memory and output.
const OURS: [Signal; 14] = [
    Signal::SIGKILL,
    Signal::SIGSTOP,
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGILL,
    Signal::SIGFPE,
    Signal::SIGTRAP,
    Signal::SIGABRT,
    Signal::SIGSYS,
    Signal::SIGCHLD,
    Signal::SIGPIPE,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGPROF,
];
/// On a terminal these signals stop the whole job, including us, until it is continued.
const OF_JOBS: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
/// The codes of siginfo above this one are the kernel's own.
const BY_USER: i32 = 0;

/// Signals held back for the process, from here on.
#[derive(Debug)]
pub(crate) struct Held {
    /// What was blocked before, which is what the process starts with.
    pub(crate) found: SigSet,
    set: SigSet,
}

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
    /// Whether the kernel sent it, as it does for what is typed on a terminal.
    pub(crate) by_kernel: bool,
}

/// Holds signals back. To be called while there is one thread: others inherit it.
///
/// The signals that we were started to ignore (`nohup`) stay ignored, by the process as well. Only the signal that
/// stops is ours even if it was ignored.
///
/// # Errors
/// The system's.
pub(crate) fn hold(on_terminal: bool) -> io::Result<Held> {
    let mut set = SigSet::all();
    OURS.iter().for_each(|signal| set.remove(*signal));
    if on_terminal {
        OF_JOBS.iter().for_each(|signal| set.remove(*signal));
    }
    let ignored = ignored();
    let spare = |signal: &Signal| *signal != Signal::SIGTERM && ignored & bit(*signal) != 0;
    Signal::iterator().filter(spare).for_each(|signal| set.remove(signal));
    let found = SigSet::thread_get_mask()?;
    set.thread_block()?;
    Ok(Held { found, set })
}

/// Returns the signals that this process ignores, one bit each; none if `/proc` does not say.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as i32 - 1)
}

/// The held signals, as they come.
#[derive(Debug)]
pub(crate) struct Signals(AsyncFd<SignalFd>);

impl Signals {
    /// Opens a descriptor that reports the held signals. This function must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's error, if it has no descriptor left.
    pub(crate) fn new(held: &Held) -> io::Result<Self> {
        let descriptor = SignalFd::with_flags(&held.set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        // The constructor that replaces this one is `unsafe`, for the sake of types whose descriptor may change under
        // tokio's feet. A `SignalFd` keeps its own.
        #[expect(deprecated, reason = "its replacement is unsafe, and a SignalFd cannot break its promise")]
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        Ok(Self(descriptor))
    }

    /// Returns the next signal. The future can be dropped and called again without losing one.
    ///
    /// # Errors
    /// The system's.
    pub(crate) async fn next(&self) -> io::Result<Arrived> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = ready.try_io(|fd| {
                let info = fd.get_ref().read_signal()?;
                info.ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            if let Ok(info) = read {
                let info = info?;
                let number = i32::try_from(info.ssi_signo).unwrap_or_default();
                return Ok(Arrived { number, by_kernel: info.ssi_code > BY_USER });
            }
        }
    }
}
