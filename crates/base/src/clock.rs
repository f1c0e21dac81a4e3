//! The only place that reads clocks.

use std::io;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::time::{Moment, Now};

/// Returns the time on both clocks.
#[must_use]
pub fn now() -> Now {
    Now { moment: moment(), wall: clock_gettime(ClockId::Realtime).tv_sec }
}

/// Returns the time on the boot clock, which counts suspend and never jumps.
#[must_use]
pub fn moment() -> Moment {
    Moment::new(duration(clock_gettime(ClockId::Boottime)))
}

/// Returns the time on `CLOCK_MONOTONIC`, for systemd, which compares it with its own.
#[must_use]
pub fn monotonic() -> Duration {
    duration(clock_gettime(ClockId::Monotonic))
}

/// Returns a name for the boot clock: the id of this boot, and in a time namespace also the offset of its clock. A [`Moment`]
/// of another clock means nothing here.
///
/// # Errors
/// Fails if `/proc` is not mounted.
pub fn boot_id() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    // Kernels without time namespaces (before 5.6) have no such file.
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    Ok(match offset(&offsets) {
        Some(offset) => format!("{} ahead by {offset}", text.trim()),
        None => text.trim().to_owned(),
    })
}

/// Returns the offset of the boot clock in `/proc/self/timens_offsets`, in seconds; `None` if there is no offset.
fn offset(offsets: &str) -> Option<String> {
    let mut lines = offsets.lines().map(str::split_whitespace);
    // Kernels write the clock's name or its number.
    let mut boot = lines.find_map(|mut words| {
        let name = words.next()?;
        (name == "boottime" || name == "7").then_some(words)
    })?;
    let (seconds, nanoseconds) = (boot.next()?, boot.next()?);
    ((seconds, nanoseconds) != ("0", "0")).then(|| format!("{seconds}.{nanoseconds:0>9} s"))
}

fn duration(time: Timespec) -> Duration {
    // Neither of the two clocks that count from the boot is ever negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_on_and_is_not_behind_the_monotonic_one() {
        let monotonic = monotonic();
        let first = moment();
        let second = moment();
        assert!(first <= second);
        assert!(first.since_boot() >= monotonic, "suspend only adds");
    }

    #[test]
    fn the_wall_clock_counts_from_1970() {
        assert!(now().wall > 1_700_000_000);
    }

    #[test]
    fn a_time_namespace_has_another_boot_clock() {
        assert_eq!(offset("monotonic           0         0\nboottime            0         0\n"), None);
        assert_eq!(offset(""), None);
        let ahead = offset("monotonic 0 0\nboottime 5000000 7\n");
        assert_eq!(ahead.as_deref(), Some("5000000.000000007 s"));
        assert_eq!(offset("1 0 0\n7 -60 0\n").as_deref(), Some("-60.000000000 s"));
    }

    #[test]
    fn the_boot_has_a_name_without_white_space() {
        let id = boot_id().expect("/proc is mounted");
        assert_eq!(id.len(), 36);
        assert_eq!(id, boot_id().expect("/proc is mounted"));
    }
}
