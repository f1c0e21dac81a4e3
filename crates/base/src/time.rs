//! Time as the core sees it: handed in with every event, never read.

use std::time::Duration;

/// A point on the machine's boot clock (`CLOCK_BOOTTIME`), which counts suspend and never jumps.
/// Leases are measured on it: a pod that slept two hours finds them expired on waking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment `since_boot` after the machine started.
    #[must_use]
    pub const fn new(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// How long after the machine started.
    #[must_use]
    pub const fn since_boot(self) -> Duration {
        self.0
    }

    /// A number for this moment that hardly another has: a name for what happens then.
    #[must_use]
    pub fn name(self) -> u64 {
        self.0.as_secs().rotate_left(32) ^ u64::from(self.0.subsec_nanos())
    }

    /// This much later; the far end of time where it does not fit.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// This much earlier; the machine's start where that is too far.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }

    /// How long until `later`; nothing where it is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// When an event happened, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The boot clock, for everything.
    pub moment: Moment,
    /// Seconds since 1970, for certificate dates only: this clock jumps.
    pub wall: i64,
}
