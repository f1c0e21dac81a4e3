//! The system calls that every run needs, and how a refusal of them is reported.
//!
//! A call can be missing because the kernel is old or is not Linux itself (gVisor). The container runtime's list of
//! system calls can refuse it. Both look like a bug if only the error number is shown.

use std::io;
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, getrlimit};
use rustix::io::Errno;

use crate::exit::{Cause, Ending};

/// Tries the calls at whose refusal a library would panic. To be called before anything else.
///
/// # Errors
/// 71 that names the call.
pub(crate) fn check() -> Result<(), Ending> {
    getrlimit(Resource::RLIMIT_CORE).map_err(|why| refused("prlimit64", &why.into()))?;
    UnixStream::pair().map_err(|why| refused("socketpair", &why))?;
    Ok(())
}

/// Checks that one more thread can be made: neither the container runtime nor the limit of processes forbids it.
///
/// # Errors
/// The system's.
pub(crate) fn thread() -> io::Result<()> {
    let made = std::thread::Builder::new().spawn(|| ())?;
    made.join().map_err(|_| io::Error::other("it ended by a panic"))
}

/// Makes the ending of a run for which `call` did not work.
pub(crate) fn refused(call: &str, why: &io::Error) -> Ending {
    match Errno::from_io_error(why) {
        Some(Errno::NOSYS | Errno::PERM | Errno::ACCESS) => Ending::new(
            Cause::System,
            format!("this kernel, or the container runtime, refuses the system call {call}: {why}"),
            "allow it in the seccomp profile, or run on a kernel that has it (docs/guides/vm.md lists them)",
        ),
        Some(Errno::MFILE | Errno::NFILE) => Ending::new(
            Cause::System,
            format!("{call} gets no file descriptor: {why}"),
            "raise the limit of open files (ulimit -n, LimitNOFILE)",
        ),
        _ => {
            Ending::new(Cause::System, format!("{call} failed: {why}"), "look at the limits of this process")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_and_what_is_used_up_are_told_apart() {
        check().expect("this kernel has them");
        for (errno, part) in [
            (Errno::NOSYS, "allow it in the seccomp profile"),
            (Errno::PERM, "allow it in the seccomp profile"),
            (Errno::MFILE, "ulimit -n"),
            (Errno::NOMEM, "the limits of this process"),
        ] {
            let ending = refused("timerfd_create", &errno.into());
            assert_eq!(ending.cause, Cause::System);
            assert!(ending.what.contains("timerfd_create") && ending.hint.contains(part), "{ending}");
        }
    }
}
