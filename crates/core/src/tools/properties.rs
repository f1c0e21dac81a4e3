//! Jitter and pauses over every small value: `property!` says how a prover takes them further.

use std::time::Duration;

use leasehold_base::property;
use leasehold_base::time::Moment;

use super::dice::{Dice, around, number, pause};

const STEPS: u32 = 16;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn draw(step: u32) -> f64 {
    f64::from(step) / f64::from(STEPS)
}

property! {
    /// A pause is never longer than the most, and at most a tenth shorter than it would be without a draw.
    fn a_pause_is_within_its_bounds(tries: u32 in 0..=40, first: u64 in 1..=20, most: u64 in 1..=80, step: u32 in 0..=STEPS) {
        let most = secs(most).max(secs(first));
        let whole = secs(first).saturating_mul(1 << tries.saturating_sub(1).min(16)).min(most);
        let pause = pause(tries, secs(first), most, draw(step));
        assert!(pause <= whole && pause + Duration::from_nanos(1) >= whole * 9 / 10, "{pause:?} of {whole:?}");
    }

    /// A request that has failed more often waits as long or longer, by the same draw.
    fn a_pause_grows_with_the_tries(tries: u32 in 0..=40, first: u64 in 1..=30, most: u64 in 1..=80, step: u32 in 0..=STEPS) {
        let pause = |tries| pause(tries, secs(first), secs(most), draw(step));
        assert!(pause(tries) <= pause(tries + 1));
    }

    /// A moment is moved by a tenth either way, and no further.
    fn jitter_is_a_tenth_either_way(middle: u64 in 0..=40_000, step: u32 in 0..=STEPS) {
        let (middle, spare) = (Duration::from_millis(middle), Duration::from_nanos(1));
        let moved = around(middle, draw(step));
        assert!(moved + spare >= middle * 9 / 10 && moved <= middle * 11 / 10 + spare, "{moved:?} of {middle:?}");
    }

    /// A draw is never 1, so that nothing is put off past its bound.
    fn a_draw_is_below_one(seed: u64 in 0..=600, name: u64 in 0..=30, count: u64 in 0..=30) {
        let draw = Dice::new(seed).draw(name, count);
        assert!((0.0..1.0).contains(&draw), "{draw}");
    }

    /// What is drawn between two bounds is between them, also where they are the wrong way round.
    fn a_draw_between_two_bounds_is_between_them(least: u64 in 0..=60, most: u64 in 0..=60, seed: u64 in 0..=60) {
        let drawn = Dice::new(seed).between(secs(least), secs(most), number("a"), 1);
        assert!(drawn >= secs(least) && drawn <= secs(least.max(most)), "{drawn:?}");
    }

    /// A beat comes within one period. A process that wakes at it or after it finds the next one a period later.
    fn a_beat_comes_once_in_each_period(now: u64 in 0..=240, period: u64 in 1..=60, seed: u64 in 0..=12) {
        let (now, period) = (Moment::new(secs(now)), secs(period));
        let beat = |now| Dice::new(seed).beat(now, period, 7);
        let next = beat(now);
        assert!(next >= now && now.until(next) < period, "{next:?}");
        assert_eq!(beat(next), next);
        assert_eq!(beat(next.after(Duration::from_nanos(1))), next.after(period));
    }
}
