//! A limit of how many requests go in a second: a token bucket (`rate_limit`).

use std::time::Duration;

use crate::time::Moment;

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once after a rest.
    pub burst: u32,
}

/// A bucket, kept as the moment when it would be full again (GCRA: one number, no timer).
#[derive(Debug)]
pub struct Pace {
    /// The time between two requests in the long run.
    every: Duration,
    /// How far ahead of that pace a burst may be.
    ahead: Duration,
    full: Moment,
}

impl Pace {
    /// Makes a full bucket.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        // A very low rate means a wait that no duration holds, and must not cause a panic.
        let every = Duration::try_from_secs_f64(limit.per_second.recip()).unwrap_or(Duration::MAX);
        Self { every, ahead: every.saturating_mul(limit.burst.saturating_sub(1)), full: Moment::default() }
    }

    /// Takes one request out of the bucket. Returns how long the request must wait.
    pub fn take(&mut self, now: Moment) -> Duration {
        let turn = self.full.max(now);
        self.full = turn.after(self.every);
        now.until(turn).saturating_sub(self.ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_secs(1000) + Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_long_pace() {
        let mut pace = Pace::new(RateLimit { per_second: 10.0, burst: 3 });
        let waits: Vec<u128> = (0..5).map(|_| pace.take(at(0)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        // A second later the bucket has filled up, and not beyond its size.
        let waits: Vec<u128> = (0..4).map(|_| pace.take(at(1500)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }

    #[test]
    fn a_rate_next_to_nothing_waits_and_does_not_panic() {
        let mut pace = Pace::new(RateLimit { per_second: 1e-300, burst: 1 });
        assert_eq!(pace.take(at(0)), Duration::ZERO);
        assert!(pace.take(at(1)) > Duration::from_secs(u64::from(u32::MAX)));
    }
}
