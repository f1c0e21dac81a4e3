//! How many requests go at once, and over how long returning work is spread: fewer, and longer, while answers take
//! long.
//!
//! A flooded server says so with 429 only where a quota is set. Otherwise its answers come later and later, since
//! they wait in a queue, and further requests only fill it. So the number of requests under way is halved when an
//! answer took long and none came quickly meanwhile. It grows by one as soon as that many answers have come quickly
//! again. One slow path beside quick ones says nothing about the server, and two requests may always be under way, so
//! a slow path holds nothing up.

use std::time::Duration;

use leasehold_base::time::Moment;

/// An answer that takes longer than this has waited. Some engines take a second or two to make a user, and a start
/// with many such secrets must not take longer for that.
const SLOW: Duration = Duration::from_secs(3);
/// An answer that takes no longer than this says nothing.
const USUAL: Duration = Duration::from_secs(1);
/// The limit is never lower than this, whatever the answers take.
const FEWEST: usize = 2;
/// Returning work is spread over this many times what the last answer took beyond `USUAL`, on top of the usual time.
const TIMES: u32 = 5;
/// The most that is added to the usual time.
const MOST: Duration = Duration::from_secs(27);

/// The pace at which a server takes requests.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    limit: usize,
    /// How many quick answers came since the limit changed.
    run: usize,
    /// When the limit was last lowered.
    lowered: Moment,
    /// When an answer last came quickly.
    quick: Moment,
    /// How long the last answer took.
    took: Duration,
}

impl Pace {
    pub(crate) fn new(most: usize) -> Self {
        let never = Moment::default();
        Self { most, limit: most, run: 0, lowered: never, quick: never, took: Duration::ZERO }
    }

    /// Returns how many requests may be under way.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Records the answer to a request that was sent at `sent`.
    pub(crate) fn answered(&mut self, sent: Moment, now: Moment) {
        self.took = sent.until(now);
        if self.took < SLOW {
            self.quick = now;
            self.run += 1;
            if self.run >= self.limit && self.limit < self.most {
                (self.limit, self.run) = (self.limit + 1, 0);
            }
        } else if self.quick <= sent && self.lowered <= sent {
            (self.limit, self.run) = ((self.limit / 2).max(FEWEST.min(self.most)), 0);
            self.lowered = now;
        }
    }

    /// Returns the time over which to spread what is usually spread over `usual`.
    pub(crate) fn stretched(&self, usual: Duration) -> Duration {
        usual + self.took.saturating_sub(USUAL).saturating_mul(TIMES).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    #[test]
    fn slow_answers_halve_what_goes_at_once_and_quick_ones_bring_it_back_one_by_one() {
        let mut pace = Pace::new(8);
        pace.answered(at(1), at(4000));
        assert_eq!(pace.limit(), 4);
        pace.answered(at(100), at(4100));
        assert_eq!(pace.limit(), 4, "once for all that were under way");
        pace.answered(at(4000), at(8000));
        pace.answered(at(8000), at(12_000));
        assert_eq!(pace.limit(), 2, "no fewer");
        for quick in 0..2 {
            pace.answered(at(13_000 + quick), at(13_010 + quick));
        }
        assert_eq!(pace.limit(), 3);
        for quick in 0..100 {
            pace.answered(at(14_000 + quick), at(16_000 + quick));
        }
        assert_eq!(pace.limit(), 8, "and no more than ever");
    }

    #[test]
    fn one_slow_path_beside_quick_ones_says_nothing_of_the_server() {
        let mut pace = Pace::new(8);
        pace.answered(at(500), at(510));
        pace.answered(at(0), at(9000));
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn where_one_goes_at_a_time_anyhow_it_stays_so() {
        let mut pace = Pace::new(1);
        pace.answered(at(1), at(4000));
        assert_eq!(pace.limit(), 1);
    }

    #[test]
    fn what_returns_is_spread_the_longer_the_longer_the_last_answer_took() {
        let mut pace = Pace::new(8);
        let usual = Duration::from_secs(3);
        pace.answered(at(0), at(10));
        assert_eq!(pace.stretched(usual), usual);
        pace.answered(at(0), at(2000));
        assert_eq!(pace.stretched(usual), Duration::from_secs(8));
        pace.answered(at(0), at(15_000));
        assert_eq!(pace.stretched(usual), Duration::from_secs(30));
    }
}
