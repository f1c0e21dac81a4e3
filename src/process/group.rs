//! Who is left of a process group, and when nobody is.
//!
//! The kernel tells the end of our own child only. What that child started below it is looked for
//! in `/proc`, and its ends are told by pidfds, so that nothing is polled where the kernel has them.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{signal, table};

/// How soon to look again for what is left of a group, without pidfds.
const LOOK: Duration = Duration::from_millis(50);

/// Those of the group who have not ended. Where `/proc` cannot be read, nobody is seen.
pub(super) fn members(group: Pid) -> Vec<Pid> {
    let number = group.as_raw_nonzero().get();
    let processes = table::all().unwrap_or_default();
    let living = processes.into_iter().filter(|one| one.group == number && !one.dead);
    living.map(|one| one.pid).collect()
}

/// Returns once nobody of the group is left. To be called while the group's number cannot be
/// another's: just after its leader has ended.
pub(super) async fn gone(group: Pid) {
    // Whoever was started meanwhile is seen in the next round.
    while let Some(one) = members(group).first() {
        match pidfd_open(*one, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => ended(descriptor).await,
            // It has ended since.
            Err(Errno::SRCH) => {}
            // Without pidfds there is nothing to wait by but to look again.
            Err(why) if signal::is_missing(why) => tokio::time::sleep(LOOK).await,
            // Nothing is known of it, and the next process is not held up.
            Err(_) => return,
        }
    }
}

/// A pidfd is readable once its process has ended.
async fn ended(descriptor: OwnedFd) {
    // The constructor that replaces this one is `unsafe`, for the sake of types whose descriptor may
    // change under tokio's feet. An `OwnedFd` keeps what it asks for by itself.
    #[expect(deprecated, reason = "its replacement is unsafe, and an OwnedFd cannot break its promise")]
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE);
    if let Ok(descriptor) = descriptor {
        // It fails only where the runtime ends.
        let _at_the_end = descriptor.readable().await;
    }
}
