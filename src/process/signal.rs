//! Sends a signal to exactly the process that was found.

use std::io;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use rustix_libc_wrappers::process::SignalExt as _;

use super::NotifyError;
use super::find::Found;
use super::table::Process;

/// Returns the signal of this number.
pub(crate) fn from_number(number: i32) -> Result<Signal, NotifyError> {
    Signal::from_raw(number).ok_or(NotifyError::NoSuchSignal(number))
}

/// Signals every process that was found and is still there. Returns how many; at least one.
///
/// If some are signalled and others cannot be, that is a warning and not an error: an error would be retried, and
/// each retry would make the first ones reload once more.
pub(super) fn send(found: &Found, signal: Signal) -> Result<usize, NotifyError> {
    let mut signalled = 0;
    let mut failures = Vec::new();
    for process in &found.processes {
        match send_one(process, found, signal) {
            Ok(true) => signalled += 1,
            Ok(false) => {}
            Err(why) => failures.push(failure(process, why)),
        }
    }
    if signalled == 0 {
        return Err(failures
            .pop()
            .unwrap_or_else(|| NotifyError::NoProcess { target: found.target.clone() }));
    }
    for failure in failures {
        tracing::warn!(told = signalled, "one of several processes was not signalled: {failure}");
    }
    Ok(signalled)
}

fn failure(process: &Process, why: Errno) -> NotifyError {
    let pid = process.pid.as_raw_nonzero().get();
    match why {
        Errno::PERM => NotifyError::NotPermitted { pid },
        why => NotifyError::Signal { pid, why: io::Error::from(why) },
    }
}

/// Signals one process. Returns false if it is gone, or its number is another's.
fn send_one(process: &Process, found: &Found, signal: Signal) -> Result<bool, Errno> {
    // From here on the descriptor means one process for ever, even if its number is used again. Only another look at
    // the process shows that it is the right one: between the search and the open, the number may have changed hands,
    // or the process may have become another program.
    let descriptor = match pidfd_open(process.pid, PidfdFlags::empty()) {
        Ok(descriptor) => Some(descriptor),
        Err(Errno::SRCH) => return Ok(false),
        Err(why) if is_missing(why) => None,
        Err(why) => return Err(why),
    };
    if !is_still(process, found) {
        return Ok(false);
    }
    let sent = match descriptor.map(|descriptor| pidfd_send_signal(&descriptor, signal)) {
        Some(Err(why)) if is_missing(why) => by_number(process, found, signal),
        Some(result) => result,
        None => kill_process(process.pid, signal),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(why) => Err(why),
    }
}

/// Returns whether pidfds are missing: the kernel is older than they are (Linux 5.3; gVisor), the container runtime's
/// list of system calls is, or no descriptor is left. EPERM may also mean that the process is another user's: kill(2)
/// says so then, too.
pub(super) fn is_missing(why: Errno) -> bool {
    matches!(why, Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::MFILE | Errno::NFILE)
}

/// Looks once more at the process, and signals by its number. Only in that moment could the number change hands,
/// which happens only after the kernel has used up all the others.
fn by_number(process: &Process, found: &Found, signal: Signal) -> Result<(), Errno> {
    if is_still(process, found) { kill_process(process.pid, signal) } else { Err(Errno::SRCH) }
}

fn is_still(process: &Process, found: &Found) -> bool {
    Process::read(process.pid)
        .is_some_and(|now| !now.dead && now.start == process.start && found.matcher.matches(&now))
}
