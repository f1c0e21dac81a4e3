//! The clocks, and the wall clock as templates see it.

use rustix::time::{ClockId, clock_gettime};

pub use leasehold_base::clock::{boot_id, moment, monotonic, now};

use crate::template;

/// The wall clock as templates see it.
#[must_use]
pub fn wall() -> template::host::WallTime {
    let time = clock_gettime(ClockId::Realtime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    template::host::WallTime { seconds: time.tv_sec, nanoseconds }
}
