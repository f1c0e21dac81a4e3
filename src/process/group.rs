//! Finds what is left of a process group, and waits until nothing is.
//!
//! The kernel reports the end of our own child only. What that child started is searched for in `/proc`, and pidfds
//! report its end. So nothing is polled where the kernel has pidfds.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{signal, table};

/// The pause between searches for what is left of a group, without pidfds.
const LOOK: Duration = Duration::from_millis(50);

/// Returns the processes of the group that have not ended; none if `/proc` cannot be read.
pub(super) fn members(group: Pid) -> Vec<Pid> {
    let number = group.as_raw_nonzero().get();
    let processes = table::all().unwrap_or_default();
    let living = processes.into_iter().filter(|one| one.group == number && !one.dead);
    living.map(|one| one.pid).collect()
}

/// Returns once no process of the group is left. To be called while the group's number cannot be another's: just
/// after its leader has ended.
pub(super) async fn gone(group: Pid) {
    // A process that was started meanwhile is found in the next round.
    while let Some(one) = members(group).first() {
        match pidfd_open(*one, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => ended(descriptor).await,
            // It has ended since the search.
            Err(Errno::SRCH) => {}
            // Without pidfds the only way to wait is to search again.
            Err(why) if signal::is_missing(why) => tokio::time::sleep(LOOK).await,
            // Nothing is known of this process, and the next one must not be held up.
            Err(_) => return,
        }
    }
}

/// Waits until the process of a pidfd has ended. The pidfd is readable from then on.
async fn ended(descriptor: OwnedFd) {
    // The constructor that replaces this one is `unsafe`, for the sake of types whose descriptor may change under
    // tokio's feet. An `OwnedFd` keeps its descriptor.
    #[expect(deprecated, reason = "its replacement is unsafe, and an OwnedFd cannot break its promise")]
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE);
    if let Ok(descriptor) = descriptor {
        // It fails only if the runtime ends.
        let _at_the_end = descriptor.readable().await;
    }
}
