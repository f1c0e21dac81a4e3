//! One view of whether the server is there.
//!
//! A request that got no answer, or an answer in which the server itself says that it is away, opens the breaker at
//! once. An answer that a proxy gave in the server's place, or nonsense, is a doubt: requests go on while one probe
//! finds out, so that a proxy that answers for one path holds no other path up.
//!
//! While the breaker is open, only probes are sent, one at a time, however many secrets wait. They are 1 s to 5 s
//! apart, and 2 s to 10 s after half a minute. The first probe goes at once: where a single path hangs or resets and
//! the server is well, the other paths wait for one short question only.

use std::time::Duration;

use crate::interface::view::BreakerView;
use crate::tools::dice::{Dice, pause};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// Probes are never closer than this.
const LEAST_GAP: Duration = Duration::from_secs(1);
/// Probes are never further apart than this while the server is down.
const MOST_GAP: Duration = Duration::from_secs(5);
/// The same, where the server asks for a longer pause. Files are current within a minute of its return: a login, the
/// reads and the rendering take the rest of that minute.
const MOST_WAIT: Duration = Duration::from_secs(50);
/// An outage of this length will not end at any moment. From then on all agents probe half as often, so that they do
/// not all come back at once.
const LONG: Duration = Duration::from_secs(30);
/// The gaps between probes in a long outage.
const LONG_GAPS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// The breaker. While it is open, no request passes; while it is closed, all requests pass.
#[derive(Debug)]
pub(crate) struct Breaker {
    dice: Dice,
    name: u64,
    draws: u64,
    open: Option<Open>,
    /// The doubt that a probe is to clear up, while the breaker is closed.
    doubt: Option<Doubt>,
    /// Set when a trial was granted what it asked for: the moment since which the server was away.
    recovered: Option<Moment>,
    last_probe: Option<Moment>,
    /// How many times in a row the server asked for a pause.
    overloads: u32,
}

#[derive(Debug)]
struct Open {
    since: Moment,
    last: Failure,
    /// A probe failed, too: the whole server is away, not one path.
    confirmed: bool,
    probe: Probe,
    trial: Trial,
}

#[derive(Debug)]
struct Doubt {
    since: Moment,
    probe: Probe,
}

/// Something may stand in front of `sys/health` alone, where probes are answered, but not as a healthy server answers
/// them. So one request may pass after each such probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trial {
    None,
    Due,
    UnderWay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    At(Moment),
    UnderWay,
}

/// What a good probe means for the requests that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The server was away, and every request waited for it.
    AfterOutage,
    /// The server answered the first probe: each failed request failed for a reason of its own.
    FalseAlarm,
}

impl Breaker {
    pub(crate) fn new(dice: Dice) -> Self {
        let name = crate::tools::dice::number("breaker");
        Self {
            dice,
            name,
            draws: 0,
            open: None,
            doubt: None,
            recovered: None,
            last_probe: None,
            overloads: 0,
        }
    }

    /// Returns whether requests may pass.
    pub(crate) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Returns whether requests go one at a time: the server asked for fewer, and has not shown yet that it takes
    /// any.
    pub(crate) fn is_narrow(&self) -> bool {
        self.overloads > 0
    }

    /// Returns since when the server is away, and the last failure; `None` while the breaker is closed.
    pub(crate) fn outage(&self) -> Option<(Moment, &Failure)> {
        self.open.as_ref().map(|open| (open.since, &open.last))
    }

    /// Returns whether a probe has failed in this outage.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.confirmed)
    }

    /// Returns the state of the breaker, to be shown.
    pub(crate) fn view(&self, paused: bool) -> BreakerView {
        match (self.is_closed(), self.is_narrow() || paused) {
            (false, _) => BreakerView::Open,
            (true, true) => BreakerView::Narrow,
            (true, false) => BreakerView::Closed,
        }
    }

    /// Returns when the next probe goes; `None` while no probe is needed or one is under way.
    pub(crate) fn probe_at(&self) -> Option<Moment> {
        let probe = match (&self.open, &self.doubt) {
            (Some(open), _) => open.probe,
            (None, doubt) => doubt.as_ref()?.probe,
        };
        match probe {
            Probe::At(at) => Some(at),
            Probe::UnderWay => None,
        }
    }

    /// Returns whether a probe is under way.
    pub(crate) fn is_probing(&self) -> bool {
        let open = self.open.as_ref().map(|open| open.probe);
        open.or(self.doubt.as_ref().map(|doubt| doubt.probe)) == Some(Probe::UnderWay)
    }

    /// Returns when the probe that is under way was sent.
    pub(crate) fn probe_sent(&self) -> Option<Moment> {
        self.last_probe.filter(|_| self.is_probing())
    }

    /// Returns whether one request may pass, to find out what probes cannot.
    pub(crate) fn takes_trial(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.trial == Trial::Due)
    }

    /// Records that a request is sent.
    pub(crate) fn sending(&mut self) {
        if let Some(open) = &mut self.open {
            open.trial = Trial::UnderWay;
        }
    }

    /// Returns since when the server was away, once a trial has shown that it is back.
    pub(crate) fn recovered(&mut self) -> Option<Moment> {
        self.recovered.take()
    }

    /// Records an answer that says nothing about the server: one probe finds out, and requests go on.
    pub(crate) fn doubt(&mut self, failure: &Failure, now: Moment) {
        // A request that is counted is mostly refused by the server itself. Then the first probe goes at once, but
        // not one each second for as long as that lasts.
        let gap = if matches!(failure.kind, FailureKind::Overloaded(_)) { MOST_GAP } else { LEAST_GAP };
        let earliest = self.last_probe.map_or(now, |last| last.after(gap).max(now));
        match (&mut self.open, &self.doubt) {
            (Some(open), _) => {
                open.last.clone_from(failure);
                if open.trial == Trial::UnderWay {
                    open.trial = Trial::None;
                }
            }
            (None, Some(_)) => {}
            (None, None) => self.doubt = Some(Doubt { since: now, probe: Probe::At(earliest) }),
        }
    }

    /// Records a request that failed in a way that says that the server is away.
    pub(crate) fn trip(&mut self, failure: &Failure, now: Moment) {
        let wait = match failure.kind {
            FailureKind::Overloaded(asked) => Some(self.overload(asked)),
            _ => None,
        };
        let earliest = self.last_probe.map_or(now, |last| last.after(LEAST_GAP).max(now));
        let at = wait.map_or(earliest, |wait| now.after(wait).max(earliest));
        match &mut self.open {
            Some(open) => {
                open.last.clone_from(failure);
                open.trial = Trial::None;
                // A pause that the server asks for holds for a probe that is already set, too.
                if let (Probe::At(set), true) = (open.probe, wait.is_some()) {
                    open.probe = Probe::At(set.max(at));
                }
            }
            None => {
                let last = failure.clone();
                let probe = match self.doubt.take() {
                    Some(Doubt { probe: Probe::UnderWay, .. }) => Probe::UnderWay,
                    _ => Probe::At(at),
                };
                self.open = Some(Open { since: now, last, confirmed: false, probe, trial: Trial::None });
            }
        }
    }

    /// Records that the probe is sent.
    pub(crate) fn probing(&mut self, now: Moment) {
        self.last_probe = Some(now);
        if let Some(open) = &mut self.open {
            open.probe = Probe::UnderWay;
        } else if let Some(doubt) = &mut self.doubt {
            doubt.probe = Probe::UnderWay;
        }
    }

    /// Records the outcome of the probe, and sets the next one within `patience`. Returns `Some` if the outcome
    /// closes the breaker or ends a doubt.
    pub(crate) fn probed(
        &mut self,
        result: Result<(), Failure>,
        patience: Duration,
        now: Moment,
    ) -> Option<Closed> {
        let gap = self.gap(now);
        if let (Some(doubt), None) = (self.doubt.take(), &self.open) {
            let last = match &result {
                Ok(()) => return Some(Closed::FalseAlarm),
                Err(failure) => failure.clone(),
            };
            let (since, probe) = (doubt.since, Probe::UnderWay);
            self.open = Some(Open { since, last, confirmed: false, probe, trial: Trial::None });
        }
        let open = self.open.as_mut()?;
        match result {
            Ok(()) => {
                let after = if open.confirmed { Closed::AfterOutage } else { Closed::FalseAlarm };
                self.open = None;
                Some(after)
            }
            Err(failure) => {
                open.confirmed = true;
                let wait = match failure.kind {
                    FailureKind::Overloaded(Some(wait)) => wait.min(MOST_WAIT).min(patience).max(gap),
                    _ => gap,
                };
                open.probe = Probe::At(now.after(wait));
                if answered(failure.kind) {
                    open.trial = Trial::Due;
                }
                open.last = failure;
                None
            }
        }
    }

    /// Records that the server itself answered a request. The next pause that it asks for starts small again. If the
    /// request was a trial, the server is there although probes fail, and the breaker closes.
    pub(crate) fn succeeded(&mut self) {
        self.overloads = 0;
        if let Some(open) = self.open.take_if(|open| open.trial == Trial::UnderWay) {
            self.recovered = Some(open.since);
            if open.probe == Probe::UnderWay {
                // The probe's answer is still to come, and no other probe goes before that.
                self.doubt = Some(Doubt { since: open.since, probe: open.probe });
            }
        }
    }

    /// Returns how long to send nothing. The server does not count health requests against quotas, so only this pause
    /// protects an overloaded server.
    fn overload(&mut self, asked: Option<Duration>) -> Duration {
        self.overloads = self.overloads.saturating_add(1);
        let draw = self.draw();
        // A little later than the server asked, and not all agents at the same moment.
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

/// Returns whether something answered a probe that failed in this way, be it the server or not.
fn answered(kind: FailureKind) -> bool {
    use FailureKind as K;
    matches!(
        kind,
        K::Intercepted
            | K::Nonsense
            | K::Overloaded(_)
            | K::Denied
            | K::Missing
            | K::Rejected
            | K::Redirected
    )
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
        assert_eq!(breaker.probed(Ok(()), Duration::MAX, at(10)), Some(Closed::FalseAlarm));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_path_that_always_resets_costs_at_most_one_probe_a_second() {
        let mut breaker = tripped();
        breaker.probing(at(0));
        breaker.probed(Ok(()), Duration::MAX, at(10));
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
            assert_eq!(breaker.probed(Err(failure(FailureKind::Unreachable)), Duration::MAX, next), None);
            let gap = next.until(breaker.probe_at().expect("one is set"));
            assert!(gap >= LEAST_GAP, "{gap:?}");
            now = next;
        }
        breaker.probing(now);
        assert_eq!(breaker.probed(Ok(()), Duration::MAX, now), Some(Closed::AfterOutage));
    }

    #[test]
    fn probes_are_five_seconds_apart_at_the_most_for_half_a_minute_and_ten_from_then_on() {
        let mut breaker = Breaker::new(Dice::new(1));
        breaker.trip(&failure(FailureKind::Unreachable), at(0));
        let (mut now, mut early, mut late) = (at(0), Vec::new(), Vec::new());
        while now < at(600_000) {
            breaker.probing(now);
            breaker.probed(Err(failure(FailureKind::Unreachable)), Duration::MAX, now);
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
            breaker.probed(Ok(()), Duration::MAX, probe);
            assert!(breaker.is_narrow(), "one request at a time finds out");
            now = probe;
        }
        assert_eq!(pauses, [1, 2, 4, 5]);
        breaker.succeeded();
        assert!(!breaker.is_narrow());
    }

    #[test]
    fn a_page_is_a_doubt_that_holds_nothing_up_and_costs_a_probe_a_second_at_most() {
        let mut breaker = Breaker::new(Dice::new(1));
        let page = failure(FailureKind::Intercepted);
        breaker.doubt(&page, at(0));
        assert!(breaker.is_closed());
        assert_eq!(breaker.probe_at(), Some(at(0)));
        breaker.probing(at(0));
        breaker.doubt(&page, at(5));
        assert!(breaker.is_probing() && breaker.probe_at().is_none(), "one at a time");
        assert_eq!(breaker.probed(Ok(()), Duration::MAX, at(10)), Some(Closed::FalseAlarm));
        breaker.doubt(&page, at(20));
        assert_eq!(breaker.probe_at(), Some(at(1000)));
    }

    #[test]
    fn a_server_that_takes_too_many_for_an_answer_is_not_probed_every_second() {
        let mut breaker = Breaker::new(Dice::new(1));
        let busy = failure(FailureKind::Overloaded(None));
        breaker.doubt(&busy, at(0));
        assert_eq!(breaker.probe_at(), Some(at(0)), "the first goes at once");
        breaker.probing(at(0));
        breaker.probed(Ok(()), Duration::MAX, at(10));
        breaker.doubt(&busy, at(20));
        assert_eq!(breaker.probe_at(), Some(at(5000)));
    }

    #[test]
    fn pages_for_the_probe_too_are_an_outage_in_which_one_request_passes_after_each_probe() {
        let mut breaker = Breaker::new(Dice::new(1));
        let page = || failure(FailureKind::Intercepted);
        breaker.doubt(&page(), at(0));
        breaker.probing(at(0));
        assert_eq!(breaker.probed(Err(page()), Duration::MAX, at(10)), None);
        assert!(!breaker.is_closed() && breaker.is_confirmed() && breaker.takes_trial());
        breaker.sending();
        assert!(!breaker.takes_trial(), "one");
        breaker.doubt(&page(), at(20));
        assert!(!breaker.takes_trial(), "not before the next probe");
        let next = breaker.probe_at().expect("one is set");
        breaker.probing(next);
        breaker.probed(Err(page()), Duration::MAX, next);
        assert!(breaker.takes_trial());
        breaker.sending();
        breaker.succeeded();
        assert!(breaker.is_closed());
        assert_eq!(breaker.recovered(), Some(at(0)), "only the way to sys/health is blocked");
    }

    #[test]
    fn a_server_that_asks_for_an_hour_is_asked_within_a_minute_or_when_a_lease_needs_it() {
        for (patience, most) in [(Duration::MAX, 50), (Duration::from_secs(8), 8)] {
            let mut breaker = tripped();
            breaker.probing(at(0));
            let hour = FailureKind::Overloaded(Some(Duration::from_secs(3600)));
            breaker.probed(Err(failure(hour)), patience, at(0));
            assert_eq!(breaker.probe_at(), Some(at(most * 1000)));
        }
    }
}
