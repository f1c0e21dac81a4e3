//! Jitter without chance: a hash of the pod's seed, a name and a count.
//!
//! It is stable for one pod, so that a restart does not move the pod's schedule. It differs between pods, so that a
//! thousand of them do not ask in the same second. It is repeatable, so that a simulation is.

use std::time::Duration;

use leasehold_base::time::Moment;

/// The draws of one pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice {
    seed: u64,
}

/// Returns the number of a name, for [`Dice`]: FNV-1a, which is stable across versions of the compiler.
pub(crate) fn number(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Returns the `count`th draw of `name`, from 0 up to but not including 1.
    pub(crate) fn draw(self, name: u64, count: u64) -> f64 {
        let mut x = self.seed ^ name.rotate_left(32) ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The finalizer of splitmix64: each bit of the input changes half of the bits of the output.
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        // 32 bits fit a double without loss.
        f64::from(u32::try_from(x >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
    }

    /// Returns a draw from `least` up to `most`.
    pub(crate) fn between(self, least: Duration, most: Duration, name: u64, count: u64) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.draw(name, count))
    }

    /// Returns the first moment from `now` on of this pod's own beat, which comes once every `period`. It spreads
    /// pods that do something together over a whole period. It depends on the clock and not on the start, so that a
    /// pod that is started again and again reaches its beat all the same.
    pub(crate) fn beat(self, now: Moment, period: Duration, name: u64) -> Moment {
        let phase = period.mul_f64(self.draw(name, 0)).as_nanos();
        let period = period.as_nanos().max(1);
        let wait = (phase + period - now.since_boot().as_nanos() % period) % period;
        now.after(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }
}

/// Returns `middle` moved by up to ten per cent either way, by a `draw` from 0 to 1.
pub(crate) fn around(middle: Duration, draw: f64) -> Duration {
    middle.mul_f64(0.9 + 0.2 * draw)
}

/// Returns the pause before the next try after `tries` failures in a row (from 1): `first`, doubled each time, and at
/// most `most`. It is shortened by up to a tenth, so that many who failed together part.
pub(crate) fn pause(tries: u32, first: Duration, most: Duration, draw: f64) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    let whole = first.saturating_mul(1 << doublings).min(most.max(first));
    whole.mul_f64(0.9 + 0.1 * draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_draw_is_stable_for_a_pod_and_differs_between_pods() {
        let (one, other) = (Dice::new(1), Dice::new(2));
        let name = number("database/creds/web");
        assert!((one.draw(name, 0) - Dice::new(1).draw(name, 0)).abs() < f64::EPSILON);
        assert!((one.draw(name, 0) - other.draw(name, 0)).abs() > 1e-6);
        assert!((one.draw(name, 0) - one.draw(name, 1)).abs() > 1e-6);
    }

    #[test]
    fn a_beat_is_within_one_period_stays_over_restarts_and_spreads_pods_evenly() {
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        let mut buckets = [0_u32; 10];
        for seed in 0..10_000 {
            let beat = |now| Dice::new(seed).beat(now, 60 * SECOND, number("a"));
            let next = beat(at(1000));
            let wait = at(1000).until(next);
            assert!(next >= at(1000) && wait < 60 * SECOND, "{wait:?}");
            assert_eq!(beat(next), next);
            assert_eq!(beat(next.after(SECOND)), next.after(60 * SECOND));
            buckets[usize::try_from(wait.as_secs() / 6).expect("below ten")] += 1;
        }
        assert!(buckets.iter().all(|&n| (850..1150).contains(&n)), "{buckets:?}");
        assert_eq!(Dice::new(1).beat(at(7), Duration::ZERO, 0), at(7), "no period, no wait");
    }

    #[test]
    fn draws_fill_the_whole_range_evenly() {
        let mut buckets = [0_u32; 10];
        for seed in 0..10_000 {
            let draw = Dice::new(seed).draw(number("a"), 7);
            buckets[(draw * 10.0) as usize] += 1;
        }
        assert!(buckets.iter().all(|&n| (850..1150).contains(&n)), "{buckets:?}");
    }

    #[test]
    fn a_pause_doubles_up_to_its_most_and_is_never_nothing() {
        let pauses: Vec<_> = (1..9).map(|n| pause(n, SECOND, 60 * SECOND, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(0, SECOND, 60 * SECOND, 0.0), SECOND.mul_f64(0.9));
        assert_eq!(pause(u32::MAX, SECOND, 60 * SECOND, 1.0), 60 * SECOND);
    }
}
