//! A signal to exactly the process that was found.

use std::io;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix_libc_wrappers::process::SignalExt as _;

use super::NotifyError;
use super::find::Found;
use super::table::Process;

/// The signal of this number.
pub(crate) fn from_number(number: i32) -> Result<Signal, NotifyError> {
    Signal::from_raw(number).ok_or(NotifyError::NoSuchSignal(number))
}

/// Signals everyone who was found and is still there, and returns how many; at least one.
///
/// Where some are signalled and others cannot be, that is a warning and not an error: an error
/// would be tried again, and each time those who can be would be made to reload once more.
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
        tracing::warn!(told = signalled, "one of several processes was not told: {failure}");
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

/// Signals one process; false where it is gone, or its number is another's.
fn send_one(process: &Process, found: &Found, signal: Signal) -> Result<bool, Errno> {
    // From here on the descriptor means one process for ever, whoever gets its number next. It is
    // known to be the right one only after looking again: between the search and the open the
    // number may have changed hands, or the process may have become another program.
    let descriptor = match pidfd_open(process.pid, PidfdFlags::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::SRCH) => return Ok(false),
        Err(why) => return Err(why),
    };
    let still_it = Process::read(process.pid)
        .is_some_and(|now| !now.dead && now.start == process.start && found.matcher.matches(&now));
    if !still_it {
        return Ok(false);
    }
    match pidfd_send_signal(&descriptor, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(why) => Err(why),
    }
}
