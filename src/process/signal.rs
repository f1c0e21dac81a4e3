//! A signal to exactly the process that was found.

use std::io;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::NotifyError;
use super::find::Found;
use super::table::Process;

/// The signal of this number.
pub(super) fn from_number(number: i32) -> Result<Signal, NotifyError> {
    Signal::from_named_raw(number).ok_or(NotifyError::NoSuchSignal(number))
}

/// Signals everyone who was found and is still there. Those who cannot be signalled do not keep
/// the others from it.
///
/// Returns how many were signalled; at least one, otherwise nobody was left to tell.
pub(super) fn send(found: &Found, signal: Signal) -> Result<usize, NotifyError> {
    let mut signalled = 0;
    let mut refused = None;
    for process in &found.processes {
        match send_one(process, found, signal) {
            Ok(true) => signalled += 1,
            Ok(false) => {}
            Err(why) => refused = Some((process.pid.as_raw_nonzero().get(), why)),
        }
    }
    match refused {
        Some((pid, Errno::PERM)) => Err(NotifyError::NotPermitted { pid, signalled }),
        Some((pid, why)) => Err(NotifyError::Signal { pid, why: io::Error::from(why) }),
        None if signalled == 0 => Err(NotifyError::NoProcess { target: found.target.clone() }),
        None => Ok(signalled),
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
