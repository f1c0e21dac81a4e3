//! One view of whether the server is there.
//!
//! While it is not, nothing is sent but one probe at a time, 1 s to 5 s apart and after half a minute 2 s to
//! 10 s, however many secrets wait. The first probe goes at once: where a single path hangs or resets and the
//! server is well, that costs the others one short question.

use std::time::Duration;

use super::dice::{Dice, pause};
use super::time::Moment;
use super::view::BreakerView;
use crate::vault::failure::{Failure, FailureKind};

/// Probes are never closer than this.
const LEAST_GAP: Duration = Duration::from_secs(1);
/// And, while the server is down, never further apart than this.
const MOST_GAP: Duration = Duration::from_secs(5);
/// An outage of so long is none that ends at any moment: all who use the server knock half as often from then on,
/// and are not back all at once.
const LONG: Duration = Duration::from_secs(30);
/// The gaps between probes then.
const LONG_GAPS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// Open: nothing passes. Closed: all does.
#[derive(Debug)]
pub(super) struct Breaker {
    dice: Dice,
    name: u64,
    draws: u64,
    open: Option<Open>,
    last_probe: Option<Moment>,
    /// Times in a row that the server asked for a pause without telling how long.
    overloads: u32,
}

#[derive(Debug)]
struct Open {
    since: Moment,
    last: Failure,
    /// A probe failed too: it is the server, not one path.
    confirmed: bool,
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    At(Moment),
    UnderWay,
}

/// What a good probe means for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The server was away: everybody waited for it.
    AfterOutage,
    /// It answered the first probe: whoever failed did so by himself.
    FalseAlarm,
}

impl Breaker {
    pub(super) fn new(dice: Dice) -> Self {
        let name = super::dice::number("breaker");
        Self { dice, name, draws: 0, open: None, last_probe: None, overloads: 0 }
    }

    /// Whether requests may pass.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Whether requests go one at a time: the server asked for fewer, and has not yet shown that
    /// it takes any.
    pub(super) fn is_narrow(&self) -> bool {
        self.overloads > 0
    }

    /// Since when the server is away, and the last failure; none while it is not known to be.
    pub(super) fn outage(&self) -> Option<(Moment, &Failure)> {
        self.open.as_ref().map(|open| (open.since, &open.last))
    }

    /// Whether a probe has failed in this outage.
    pub(super) fn is_confirmed(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.confirmed)
    }

    /// For those who look from outside.
    pub(super) fn view(&self) -> BreakerView {
        match (self.is_closed(), self.is_narrow()) {
            (false, _) => BreakerView::Open,
            (true, true) => BreakerView::Narrow,
            (true, false) => BreakerView::Closed,
        }
    }

    /// When the next probe goes; none while closed or one is under way.
    pub(super) fn probe_at(&self) -> Option<Moment> {
        match self.open.as_ref()?.probe {
            Probe::At(at) => Some(at),
            Probe::UnderWay => None,
        }
    }

    /// A request failed in a way that says the server is away.
    pub(super) fn trip(&mut self, failure: &Failure, now: Moment) {
        let wait = match failure.kind {
            FailureKind::Overloaded(asked) => Some(self.overload(asked)),
            _ => None,
        };
        let earliest = self.last_probe.map_or(now, |last| last.after(LEAST_GAP).max(now));
        let at = wait.map_or(earliest, |wait| now.after(wait).max(earliest));
        match &mut self.open {
            Some(open) => {
                open.last.clone_from(failure);
                // A server that names a time is taken at its word, also by a probe already set.
                if let (Probe::At(set), true) = (open.probe, wait.is_some()) {
                    open.probe = Probe::At(set.max(at));
                }
            }
            None => {
                let last = failure.clone();
                self.open = Some(Open { since: now, last, confirmed: false, probe: Probe::At(at) });
            }
        }
    }

    /// The probe is sent.
    pub(super) fn probing(&mut self, now: Moment) {
        self.last_probe = Some(now);
        if let Some(open) = &mut self.open {
            open.probe = Probe::UnderWay;
        }
    }

    /// The probe is answered. Some when that closes the breaker.
    pub(super) fn probed(&mut self, result: Result<(), Failure>, now: Moment) -> Option<Closed> {
        let gap = self.gap(now);
        let open = self.open.as_mut()?;
        match result {
            Ok(()) => {
                let after = if open.confirmed { Closed::AfterOutage } else { Closed::FalseAlarm };
                self.open = None;
                Some(after)
            }
            Err(failure) => {
                open.confirmed = true;
                open.probe = Probe::At(match failure.kind {
                    FailureKind::Overloaded(Some(wait)) => now.after(wait.max(gap)),
                    _ => now.after(gap),
                });
                open.last = failure;
                None
            }
        }
    }

    /// A request succeeded: a pause that the server asks for later starts small again.
    pub(super) fn succeeded(&mut self) {
        self.overloads = 0;
    }

    /// How long to keep away. Health answers are not counted against quotas, so only the pause
    /// itself protects a server that is overloaded.
    fn overload(&mut self, asked: Option<Duration>) -> Duration {
        self.overloads = self.overloads.saturating_add(1);
        let draw = self.draw();
        // A little later than asked, and not all at the same moment.
        asked.map_or_else(
            || pause(self.overloads, LEAST_GAP, MOST_GAP, draw),
            |wait| wait + LEAST_GAP.mul_f64(draw),
        )
    }

    fn gap(&mut self, now: Moment) -> Duration {
        self.draws += 1;
        let long = self.open.as_ref().is_some_and(|open| open.since.until(now) >= LONG);
        let (least, most) = if long { LONG_GAPS } else { (LEAST_GAP, MOST_GAP) };
        self.dice.between(least, most, self.name, self.draws)
    }

    fn draw(&mut self) -> f64 {
        self.draws += 1;
        self.dice.draw(self.name, self.draws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "connection refused")
    }

    fn tripped() -> Breaker {
        let mut breaker = Breaker::new(Dice::new(1));
        breaker.trip(&failure(FailureKind::Unreachable), at(0));
        breaker
    }

    #[test]
    fn the_first_probe_goes_at_once_and_a_good_one_shows_a_false_alarm() {
        let mut breaker = tripped();
        assert!(!breaker.is_closed());
        assert_eq!(breaker.probe_at(), Some(at(0)));
        breaker.probing(at(0));
        assert_eq!(breaker.probe_at(), None, "one at a time");
        assert_eq!(breaker.probed(Ok(()), at(10)), Some(Closed::FalseAlarm));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_path_that_always_resets_costs_at_most_one_probe_a_second() {
        let mut breaker = tripped();
        breaker.probing(at(0));
        breaker.probed(Ok(()), at(10));
        breaker.trip(&failure(FailureKind::Unreachable), at(20));
        assert_eq!(breaker.probe_at(), Some(at(1000)));
    }

    #[test]
    fn while_the_server_is_down_probes_are_a_second_to_ten_apart_until_one_is_good() {
        let mut breaker = tripped();
        let mut now = at(0);
        for _ in 0..100 {
            let next = breaker.probe_at().expect("one is set");
            assert!(now.until(next) <= if now < at(30_000) { MOST_GAP } else { LONG_GAPS.1 });
            breaker.probing(next);
            assert_eq!(breaker.probed(Err(failure(FailureKind::Unreachable)), next), None);
            let gap = next.until(breaker.probe_at().expect("one is set"));
            assert!(gap >= LEAST_GAP, "{gap:?}");
            now = next;
        }
        breaker.probing(now);
        assert_eq!(breaker.probed(Ok(()), now), Some(Closed::AfterOutage));
    }

    #[test]
    fn probes_are_five_seconds_apart_at_the_most_for_half_a_minute_and_ten_from_then_on() {
        let mut breaker = Breaker::new(Dice::new(1));
        breaker.trip(&failure(FailureKind::Unreachable), at(0));
        let (mut now, mut early, mut late) = (at(0), Vec::new(), Vec::new());
        while now < at(600_000) {
            breaker.probing(now);
            breaker.probed(Err(failure(FailureKind::Unreachable)), now);
            let next = breaker.probe_at().expect("one is set");
            if now < at(30_000) { &mut early } else { &mut late }.push(now.until(next).as_millis());
            now = next;
        }
        assert!(early.iter().all(|gap| (1000..=5000).contains(gap)), "{early:?}");
        assert!(late.iter().all(|gap| (2000..=10_000).contains(gap)), "{late:?}");
        assert!(late.len() < 140, "six seconds on the average: {}", late.len());
    }

    #[test]
    fn a_server_that_names_a_time_is_left_alone_until_then() {
        let mut breaker = Breaker::new(Dice::new(1));
        breaker.trip(&failure(FailureKind::Overloaded(Some(Duration::from_secs(30)))), at(0));
        let probe = breaker.probe_at().expect("one is set");
        assert!(probe >= at(30_000) && probe < at(31_000), "{probe:?}");
    }

    #[test]
    fn a_server_that_only_says_too_many_is_asked_less_and_less_often() {
        let mut breaker = Breaker::new(Dice::new(1));
        let mut now = at(0);
        let mut pauses = Vec::new();
        for _ in 0..4 {
            breaker.trip(&failure(FailureKind::Overloaded(None)), now);
            let probe = breaker.probe_at().expect("one is set");
            pauses.push(now.until(probe).as_secs_f64().round() as u64);
            breaker.probing(probe);
            breaker.probed(Ok(()), probe);
            assert!(breaker.is_narrow(), "one request at a time finds out");
            now = probe;
        }
        assert_eq!(pauses, [1, 2, 4, 5]);
        breaker.succeeded();
        assert!(!breaker.is_narrow());
    }
}
