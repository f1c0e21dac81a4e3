//! The world's clocks: its own time, the machine's boot clock, and the wall clocks here and at the server.

use std::time::Duration;

use leasehold_base::time::{Moment, Now};

use super::faults::Fault;
use super::world::World;

/// The world's time at its beginning.
pub const BEGIN: Duration = Duration::from_secs(1000);
/// What the wall clock says at that time.
pub const EPOCH: i64 = 1_800_000_000;

/// One boot of the machine. Its clock has nothing to do with the clock of another boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Boot {
    /// How far the boot clock is ahead of the world's time.
    pub ahead: Duration,
}

impl Boot {
    /// Returns what the boot clock says at this time of the world.
    pub fn moment(self, at: Duration) -> Moment {
        Moment::new(at + self.ahead)
    }

    /// Returns the time of the world at which the boot clock says `moment`.
    pub fn time(self, moment: Moment) -> Duration {
        moment.since_boot().saturating_sub(self.ahead)
    }
}

impl World {
    /// Returns how long the world has existed.
    pub fn age(&self) -> Duration {
        self.now - BEGIN
    }

    pub fn advance(&mut self, to: Duration) {
        let before = self.now.as_secs();
        self.now = self.now.max(to);
        self.wall += i64::try_from(self.now.as_secs() - before).expect("small");
    }

    /// Returns what this machine's clocks say.
    pub fn clock(&self) -> Now {
        Now { moment: self.boot.moment(self.now), wall: self.wall }
    }

    /// Returns the moment that is `at` after the beginning.
    pub fn moment(&self, at: Duration) -> Moment {
        self.boot.moment(BEGIN + at)
    }

    /// Returns what the server's clock says.
    pub fn true_wall(&self) -> i64 {
        EPOCH + i64::try_from((self.now - BEGIN).as_secs()).expect("small")
    }

    /// Returns whether nothing is going wrong: no fault is on, the process runs, and the machine is awake.
    pub fn is_calm(&self) -> bool {
        self.faults.is_empty() && self.process.is_some() && self.asleep <= self.now
    }

    /// Returns for how long nothing has gone wrong.
    pub fn calm_for(&self) -> Duration {
        if self.is_calm() { self.now - self.calm } else { Duration::ZERO }
    }

    /// Records that something went wrong at this time, or was mended.
    pub(super) fn disturbed(&mut self, at: Duration) {
        self.calm = at;
        self.calm_beside = at;
    }

    /// Returns for how long nothing has gone wrong, except that stores fail.
    pub fn calm_beside_stores(&self) -> Duration {
        let calm = self.faults.iter().all(Fault::is_of_stores) && self.process.is_some();
        if calm && self.asleep <= self.now {
            self.now.saturating_sub(self.calm_beside)
        } else {
            Duration::ZERO
        }
    }

    /// Adds the current time to the text of a broken promise, counted in two ways. A trace counts from the beginning of
    /// the world, and promises do not.
    pub(super) fn dated(&self, why: &str) -> String {
        format!("{why}; it is {:?} now, {:?} in the trace", self.now, self.now - BEGIN)
    }

    #[allow(clippy::print_stdout, reason = "only where a person asked for a trace")]
    pub fn log(&self, text: impl FnOnce() -> String) {
        if self.trace {
            let at = self.now - BEGIN;
            println!("{:>10.3} {}", at.as_secs_f64(), text());
        }
    }
}
