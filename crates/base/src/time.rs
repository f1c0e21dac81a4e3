//! Points in time. The core gets one with every event, and never reads a clock.

use std::time::Duration;

/// A point in time on the machine's boot clock (`CLOCK_BOOTTIME`), which counts suspend and never jumps.
/// Leases are measured on it: a machine that was suspended for two hours finds them expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// Makes the moment `since_boot` after the machine started.
    #[must_use]
    pub const fn new(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// Returns the time since the machine started.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// Returns a number for this moment that hardly any other moment has, as a name for what happens then.
    #[must_use]
    pub fn name(self) -> u64 {
        self.0.as_secs().rotate_left(32) ^ u64::from(self.0.subsec_nanos())
    }

    /// Returns the moment `wait` later, or the last one that can be expressed.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// Returns the moment `span` earlier, or the machine's start if that is later.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// Returns the time until `later`; zero if that is in the past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// The time of an event on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The boot clock: for every decision.
    pub moment: Moment,
    /// The wall clock, in seconds since 1970: for the dates of certificates only, because this clock jumps.
    pub wall: i64,
}
