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

/// Returns the days from 1970-01-01 to a day of the Gregorian calendar. `month` and `day` count from 1.
#[must_use]
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March have their leap day at the end.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(any(test, kani))]
mod properties {
    use super::*;
    use crate::property;

    /// Returns one of the durations that are tried: values at both ends of what a duration holds, and between the two.
    fn span(step: u64) -> Duration {
        let whole = if step < 16 { step } else { u64::MAX - (32 - step) };
        Duration::new(whole, if step.is_multiple_of(2) { 0 } else { 999_999_999 })
    }

    property! {
        /// Checks that time neither wraps nor goes back, however late the moment is and however long the wait.
        fn no_wait_leads_into_the_past(moment: u64 in 0..=32, wait: u64 in 0..=32) {
            let (moment, wait) = (Moment::new(span(moment)), span(wait));
            let (later, earlier) = (moment.after(wait), moment.before(wait));
            assert!(earlier <= moment && moment <= later);
            assert_eq!(later.until(moment).min(moment.until(later)), Duration::ZERO);
            assert!(moment.until(later) <= wait && earlier.until(moment) <= wait);
        }

        /// Checks that the calendar counts one day after the other, in every month of four centuries and their
        /// neighbours.
        fn each_day_of_the_calendar_follows_the_one_before(year: i64 in 1590..=2010, month: i64 in 1..=12) {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let long = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let first = days(year, month, 1);
            let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
            assert_eq!(next - first, long, "{year}-{month}");
            assert_eq!(days(year, month, long), next - 1);
            // The pattern is that of four centuries.
            assert_eq!(days(year + 400, month, 1) - first, 146_097);
        }
    }
}
