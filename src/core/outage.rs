//! The server goes and comes back: what the breaker's changes mean for everybody else.

use super::action::{Action, Level};
use super::agent::Agent;
use super::breaker::Closed;
use super::graph::Step;
use super::schedule::in_time;
use super::timers::Timer;
use super::work::Job;
use crate::vault::failure::Failure;

impl Agent {
    pub(super) fn probe(&mut self) {
        self.breaker.probing(self.now.moment);
        self.timers.clear(&Timer::Probe);
        self.counters.requests += 1;
        self.out.push(Action::Probe);
    }

    pub(super) fn probed(&mut self, result: Result<(), Failure>) {
        let down = self.breaker.outage().map(|(since, _)| since);
        let known = self.breaker.is_confirmed();
        let why = result.as_ref().err().map(|failure| failure.why.clone());
        match self.breaker.probed(result, self.now.moment) {
            Some(Closed::AfterOutage) => {
                let away = down.map_or(0, |since| since.until(self.now.moment).as_secs());
                self.say(Level::Info, format!("the server is back after {away} s"));
                self.release();
            }
            Some(Closed::FalseAlarm) => {}
            None => {
                if let (false, Some(why)) = (known, why) {
                    let text = format!("the server is away: {why}; keeping what is there and asking again");
                    self.say(Level::Warn, text);
                }
            }
        }
        self.touch_waiting();
    }

    /// The server is back. The login goes at once; everybody else who waited is spread, since all
    /// who use this server were waiting for the same moment. What ends soonest goes first.
    fn release(&mut self) {
        self.release_login();
        self.spread_token();
        let mut waiting = self.work.take_secrets();
        waiting.extend(std::mem::take(&mut self.stranded));
        for id in waiting {
            let Some(node) = self.graph.get(id) else { continue };
            let (Step::Busy(op) | Step::Waiting { op, .. }) = node.step else { continue };
            // Another request about it, of which nothing follows any more, is no reason to wait.
            if !self.is_under_way(&Self::job(id, op)) {
                self.spread(id, op);
            }
        }
    }

    /// The renewal of a token that lives on for a while waits its turn.
    fn spread_token(&mut self) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let (Some(id), Some(login)) = (self.session.current, self.session.login()) else { return };
        let due = login.tries > 0 || self.work.has(&Job::RenewToken(id));
        let Some(end) = login.expires.filter(|_| due && !login.is_nearly_over(now)) else { return };
        self.work.remove(&Job::RenewToken(id));
        self.timers.set(Timer::Token(id), now.after(in_time(now, end).mul_f64(draw)));
    }

    fn is_under_way(&self, wanted: &Job) -> bool {
        self.work.under_way(|job| job == wanted)
    }

    /// A request failed: opens the breaker where that says that the server is away.
    pub(super) fn note_failure(&mut self, failure: &Failure) -> bool {
        self.counters.failures += 1;
        let away = failure.kind.is_outage();
        if away {
            self.breaker.trip(failure, self.now.moment);
            self.touch_waiting();
        } else {
            self.breaker.succeeded();
        }
        away
    }
}
