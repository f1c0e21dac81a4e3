//! The server goes away and comes back: what the breaker's changes mean for the rest of the engine.

use crate::engine::{Engine, Phase};
use crate::interface::action::{Action, Level, Question};
use crate::secrets::graph::Step;
use crate::secrets::schedule::in_time;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::breaker::Closed;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;
use std::time::Duration;

/// The longest pause at the end of a run, whatever the server asks for: there are ten seconds for everything.
pub(crate) const IN_A_HURRY: Duration = Duration::from_secs(1);

impl Engine {
    pub(crate) fn probe(&mut self) {
        self.upstream.breaker.probing(self.now.moment);
        self.timers.clear(&Timer::Probe);
        self.counters.requests += 1;
        self.out.push(Action::Ask(Question::Probe));
    }

    pub(crate) fn probed(&mut self, result: Result<(), Failure>) {
        if let Some(sent) = self.upstream.breaker.probe_sent() {
            self.work.pace.answered(sent, self.now.moment);
        }
        let down = self.upstream.breaker.outage().map(|(since, _)| since);
        let known = self.upstream.breaker.is_confirmed();
        let why = result.as_ref().err().map(|failure| match failure.kind {
            FailureKind::Overloaded(Some(asked)) => {
                format!("{}, asked to come back in {} s", failure.why, asked.as_secs())
            }
            _ => failure.why.clone(),
        });
        let patience = self.patience();
        match self.upstream.breaker.probed(result, patience, self.now.moment) {
            Some(Closed::AfterOutage) => self.back(down),
            Some(Closed::FalseAlarm) => self.tell_pages(),
            None => {
                if let (false, Some(why)) = (known, why) {
                    let kept = if self.has_served() { "keeping what is there and " } else { "" };
                    let text = format!("the server is away: {why}; {kept}asking again");
                    self.say(Level::Warn, text);
                }
            }
        }
        self.touch_waiting();
    }

    fn back(&mut self, down: Option<Moment>) {
        let away = down.map_or(0, |since| since.until(self.now.moment).as_secs());
        self.say(Level::Info, format!("the server is back after {away} s"));
        // At the end of a run no more secrets are read. What is to be revoked is queued already.
        if !matches!(self.phase, Phase::Leaving(_)) {
            self.release();
        }
    }

    /// Ends the outage when a request has shown what probes did not: the server is there.
    pub(crate) fn note_recovery(&mut self) {
        if let Some(since) = self.upstream.breaker.recovered() {
            self.back(Some(since));
            self.touch_waiting();
        }
    }

    /// Logs once for each path that something answers for the server on this path alone, while the server is well.
    fn tell_pages(&mut self) {
        for id in self.stranded.clone() {
            let Some(trouble) = self.graph.get_mut(id).and_then(|node| node.trouble.as_mut()) else {
                continue;
            };
            if trouble.kind == FailureKind::Intercepted && !std::mem::replace(&mut trouble.told, true) {
                let text = trouble.text.clone();
                self.say_of(id, Level::Warn, text);
            }
        }
    }

    /// Starts the waiting work after an outage. The login goes at once. All other work is spread, since all agents of
    /// this server waited for the same moment. What ends soonest goes first.
    fn release(&mut self) {
        self.release_login();
        self.spread_token();
        let mut waiting = self.work.take_secrets();
        waiting.extend(std::mem::take(&mut self.stranded));
        for id in waiting {
            let Some(node) = self.graph.get(id) else { continue };
            let (Step::Busy(op) | Step::Waiting { op, .. }) = node.step else { continue };
            // Another request about this secret, whose answer no longer matters, is no reason to wait.
            if !self.is_under_way(&Self::job(id, op)) {
                self.spread(id, op);
            }
        }
    }

    /// Spreads the renewal of a token that lives on for a while.
    fn spread_token(&mut self) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let (Some(id), Some(login)) = (self.upstream.session.current, self.upstream.session.login()) else {
            return;
        };
        let due = login.tries > 0 || self.work.has(&Job::RenewToken(id));
        let Some(end) = login.expires.filter(|_| due && !login.is_nearly_over(now)) else { return };
        let at = now.after(in_time(now, end).mul_f64(draw)).max(login.paused);
        self.work.remove(&Job::RenewToken(id));
        self.timers.set(Timer::Token(id), at);
    }

    fn is_under_way(&self, wanted: &Job) -> bool {
        self.work.under_way(|job| job == wanted)
    }

    /// Records a failed request. Opens the breaker if the failure says that the server is away. Sends a probe if
    /// something else may have answered. Returns whether the failure says nothing about what was asked.
    pub(crate) fn note_failure(&mut self, failure: &Failure) -> bool {
        use FailureKind as K;
        self.counters.failures += 1;
        let now = self.now.moment;
        // At the end of a run there is nothing that a needless pause could hold up, and little time: no request goes
        // before a probe.
        let leaving = matches!(self.phase, Phase::Leaving(_));
        match failure.kind {
            K::Unreachable | K::Unheard | K::Unavailable => self.upstream.breaker.trip(failure, now),
            K::Intercepted if leaving => self.upstream.breaker.trip(failure, now),
            K::Overloaded(asked) if leaving => {
                let kind = K::Overloaded(asked.map(|asked| asked.min(IN_A_HURRY)));
                self.upstream.breaker.trip(&Failure { kind, ..failure.clone() }, now);
            }
            K::Intercepted | K::Overloaded(_) | K::Nonsense => self.upstream.breaker.doubt(failure, now),
            K::Redirected | K::Local | K::Unusable => {}
            K::Fault | K::NotYet | K::Denied | K::Refused | K::Missing | K::Rejected => {
                self.upstream.breaker.succeeded()
            }
        }
        if !self.upstream.breaker.is_closed() {
            self.touch_waiting();
        }
        failure.kind.is_outage()
    }
}
