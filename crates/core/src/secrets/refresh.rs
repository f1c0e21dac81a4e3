//! When to poll a secret without a lease: pure arithmetic, as in [`lease`](crate::secrets::lease).

use std::time::Duration;

use crate::interface::event::Life;
use crate::interface::view::NextAction;
use crate::tools::dice::{around, pause};
use leasehold_base::time::{Moment, Now};

/// How long after the server's own rotation a role is read, since the server may be a little late.
const AFTER_ROTATION: Duration = Duration::from_secs(1);

/// The part of its life after which a value that names its own end is replaced.
const REPLACE_AT: f64 = 2.0 / 3.0;

/// The dates of a certificate, which are on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Its end, in seconds since 1970.
    until: i64,
    /// How long it had to live when it was issued, by our clock.
    life: Duration,
}

impl Certificate {
    /// Makes a certificate that ends `until` and is issued now.
    pub(crate) fn issued(until: i64, now: Now) -> Self {
        Self { until, life: left(until, now) }
    }

    /// Makes a certificate from an earlier run, issued at `read`.
    pub(crate) fn adopted(until: i64, read: Moment, now: Now) -> Self {
        Self { until, life: left(until, now).saturating_add(read.until(now.moment)) }
    }

    /// Returns a number for its end, like [`Moment::name`].
    pub(crate) fn name(self) -> u64 {
        self.until.unsigned_abs()
    }

    /// Returns its end on the boot clock, as the wall clock stands now.
    pub(crate) fn expires(self, now: Now) -> Moment {
        now.moment.after(left(self.until, now))
    }

    /// Returns when to issue its successor, as the wall clock stands now: at two thirds of its life, ±10 %.
    ///
    /// If the clock has jumped past that, the successor is issued soon, but spread over a tenth of the life (at most
    /// a minute), since all certificates see the same jump.
    ///
    /// A certificate that had ended when it came shows that our clock or the server's is wrong. Asking at once again
    /// would never end, so that waits for the refresh interval.
    pub(crate) fn next(self, read: Moment, refresh: Duration, now: Now, draw: f64) -> Moment {
        if self.life.is_zero() {
            return read.after(around(refresh, draw));
        }
        let rest = self.life.saturating_sub(around(self.life.mul_f64(REPLACE_AT), draw));
        let left = left(self.until, now);
        if left > rest {
            now.moment.after(left - rest)
        } else {
            now.moment.after((self.life / 10).min(Duration::from_secs(60)).mul_f64(draw))
        }
    }
}

/// Notices when the wall clock jumps, that is, when its distance to the boot clock changes.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    /// Wall clock minus boot clock, in seconds.
    apart: Option<i64>,
}

impl ClockWatch {
    /// A smaller change is a clock being slewed, or two readings at different instants.
    const JUMP: u64 = 3;

    /// Returns whether the wall clock has jumped since the last call.
    pub(crate) fn has_jumped(&mut self, now: Now) -> bool {
        let boot = i64::try_from(now.moment.since_boot().as_secs()).unwrap_or(i64::MAX);
        let apart = now.wall.saturating_sub(boot);
        match self.apart {
            Some(before) if before.abs_diff(apart) < Self::JUMP => false,
            before => {
                self.apart = Some(apart);
                before.is_some()
            }
        }
    }
}

fn left(until: i64, now: Now) -> Duration {
    Duration::from_secs(u64::try_from(until.saturating_sub(now.wall)).unwrap_or(0))
}

/// Returns when to read again what was read at `read`.
///
/// - A value that every read makes anew is read before it ends.
/// - All else is read at the pod's own `beat` of `refresh`. So one pod polls everything together, and the pods of a
///   fleet never do so together.
/// - A value that the server rotates is also read after its rotation.
///
/// `outstanding` counts the answers in a row that left a rotation outstanding, and `draw` from 0 to 1 spreads the
/// next read.
pub(crate) fn next(
    life: Life,
    read: Moment,
    (refresh, beat): (Duration, Moment),
    outstanding: u32,
    draw: f64,
) -> (NextAction, Moment) {
    let wait = match life {
        Life::Unknown | Life::Until(_) => return (NextAction::Read, beat),
        Life::EndsIn(ttl) => {
            let wait = around(ttl.mul_f64(REPLACE_AT), draw).max(AFTER_ROTATION / 2);
            return (NextAction::Replace, read.after(wait));
        }
        Life::RotatesIn(_) if outstanding > 0 => {
            pause(outstanding, AFTER_ROTATION, refresh.max(AFTER_ROTATION), draw).max(AFTER_ROTATION)
        }
        Life::RotatesIn(ttl) => {
            let late = AFTER_ROTATION + (ttl / 10).min(AFTER_ROTATION).mul_f64(draw);
            ttl.saturating_add(late)
        }
    };
    // A person may have rotated it by hand, long before its time.
    (NextAction::Read, read.after(wait).min(beat))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now(seconds: u64, wall: i64) -> Now {
        Now { moment: Moment::new(Duration::from_secs(seconds)), wall }
    }

    fn at(seconds: u64) -> Moment {
        now(seconds, 0).moment
    }

    /// No beat: what follows does not go by it.
    const NEVER: (Duration, Moment) = (HOUR, Moment::new(Duration::MAX));

    #[test]
    fn what_says_nothing_of_itself_is_looked_at_at_the_beat() {
        assert_eq!(next(Life::Unknown, at(100), (HOUR, at(110)), 0, 1.0), (NextAction::Read, at(110)));
    }

    #[test]
    fn a_rotating_password_is_read_a_second_after_its_rotation() {
        let life = Life::RotatesIn(Duration::from_secs(60));
        assert_eq!(next(life, at(100), NEVER, 0, 0.0).1, at(161));
        assert_eq!(next(life, at(100), NEVER, 0, 1.0).1, at(162));
    }

    #[test]
    fn a_rotating_password_is_looked_at_at_the_beat_as_well() {
        let month = Life::RotatesIn(Duration::from_secs(30 * 86_400));
        assert_eq!(next(month, at(100), (HOUR, at(110)), 0, 1.0), (NextAction::Read, at(110)));
    }

    #[test]
    fn a_rotation_that_left_the_password_as_it_was_is_asked_about_again_soon_and_then_less_often() {
        let wait = |outstanding| at(0).until(next(Life::RotatesIn(HOUR), at(0), NEVER, outstanding, 0.0).1);
        assert_eq!(wait(1), Duration::from_secs(1));
        assert!(wait(4) > wait(3) && wait(3) > wait(2) && wait(2) > wait(1));
        assert!(wait(0) > HOUR);
    }

    #[test]
    fn what_each_read_mints_is_replaced_at_two_thirds_of_its_life_and_never_at_the_beat() {
        let day = Life::EndsIn(Duration::from_secs(86_400));
        assert_eq!(next(day, at(0), (HOUR, at(10)), 0, 0.5), (NextAction::Replace, at(57_600)));
        let (_, soonest) = next(Life::EndsIn(Duration::from_nanos(1)), at(0), NEVER, 0, 0.0);
        assert!(at(0).until(soonest) >= Duration::from_millis(500), "no hot loop");
    }

    #[test]
    fn a_rotation_that_is_always_now_is_asked_less_and_less_often() {
        let wait = |outstanding| {
            at(0).until(next(Life::RotatesIn(Duration::ZERO), at(0), NEVER, outstanding, 0.0).1)
        };
        assert_eq!(wait(1), Duration::from_secs(1));
        assert!(wait(4) > Duration::from_secs(7));
        assert!(wait(40) <= HOUR);
    }

    #[test]
    fn a_certificate_is_issued_anew_at_two_thirds_and_never_by_the_refresh_interval() {
        let cert = Certificate::issued(10_000 + 900, now(100, 10_000));
        assert_eq!(cert.next(at(100), Duration::from_secs(5), now(100, 10_000), 0.5), at(700));
        assert_eq!(cert.expires(now(100, 10_000)), at(1000));
    }

    #[test]
    fn a_wall_clock_that_jumps_a_day_moves_certificates_without_a_burst() {
        let cert = Certificate::issued(10_000 + 3600, now(100, 10_000));
        let jumped = now(110, 10_010 + 86_400);
        let first = cert.next(at(100), HOUR, jumped, 0.0);
        let last = cert.next(at(100), HOUR, jumped, 0.999);
        assert_eq!(first, at(110));
        assert!(first.until(last) > Duration::from_secs(59), "spread over a minute");
        let back = cert.next(at(100), HOUR, now(110, 10_010 - 86_400), 0.5);
        assert_eq!(at(110).until(back), Duration::from_secs(86_400 + 2400 - 10));
    }

    #[test]
    fn a_certificate_that_is_over_on_arrival_waits_for_the_refresh_interval() {
        let cert = Certificate::issued(5_000, now(100, 10_000));
        assert_eq!(cert.next(at(100), HOUR, now(100, 10_000), 0.5), at(3700));
    }
}
