//! Logging in, and in again: one at a time, and what follows for those who wait.

use std::time::Duration;

use super::action::Level;
use super::agent::{Agent, Phase};
use super::dice::pause;
use super::event::TokenFacts;
use super::ids::TokenId;
use super::session::{Entry, Login, MOST_REFUSALS, Standing};
use super::time::Moment;
use super::timers::Timer;
use super::work::Job;
use crate::vault::failure::{Failure, FailureKind};

/// The kubelet may be late with the credentials: so many tries, a second apart, before init fails.
pub(super) const MOST_UNFOUND: u32 = 5;

impl Agent {
    /// Asks for a login, at once or when one may be tried; `planned` where it replaces one that
    /// still lives.
    pub(super) fn want_login(&mut self, planned: bool) {
        if self.session.entry != Entry::Quiet || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        let (now, draw) = (self.now.moment, self.session_draw());
        self.session.planned = planned;
        let at = self.session.earliest(now, planned, draw);
        self.log_in_at(at);
    }

    fn log_in_at(&mut self, at: Moment) {
        if at <= self.now.moment {
            self.session.entry = Entry::Asked;
            self.timers.clear(&Timer::LogIn);
            self.work.add(Job::LogIn, self.now.moment);
        } else {
            self.session.entry = Entry::Resting;
            self.timers.set(Timer::LogIn, at);
        }
    }

    /// A login that was put off is due.
    pub(super) fn login_due(&mut self) {
        if self.session.entry == Entry::Resting {
            self.log_in_at(self.now.moment);
        }
    }

    /// The server is back: a login that failed for its absence goes first.
    pub(super) fn release_login(&mut self) {
        let away = self.session.trouble.as_ref().is_some_and(|failure| failure.kind.is_outage());
        if self.session.entry == Entry::Resting && away && self.session.refusals.is_none() {
            self.log_in_at(self.now.moment);
        }
        if self.judge.asked.is_some() {
            self.look_up_due();
        }
        if let Some(id) = self.session.current
            && self.session.login().is_some_and(|login| login.tries > 0)
        {
            self.timers.set(Timer::Token(id), self.now.moment);
        }
    }

    /// Work waits that needs a login, and there is none: its last one was used up.
    pub(super) fn want_login_for_work(&mut self) {
        let none = match self.session.login() {
            None => true,
            Some(login) => login.is_nearly_over(self.now.moment) && !login.renewable,
        };
        if none && self.session.entry == Entry::Quiet && self.work.wants_token() {
            self.want_login(self.session.current.is_some());
        }
    }

    /// Nothing is minted on a login that is nearly over while its renewal or successor is awaited, nor
    /// on one of which nobody knows yet how nearly over it is: it would die with it.
    pub(super) fn is_login_awaited(&self) -> bool {
        let (Some(id), Some(login)) = (self.session.current, self.session.login()) else { return false };
        let coming = || self.work.has(&Job::LogIn) || self.work.has(&Job::RenewToken(id));
        login.undated || (login.is_nearly_over(self.now.moment) && coming())
    }

    pub(super) fn logged_in(&mut self, token: TokenId, sent: Moment, result: Result<TokenFacts, Failure>) {
        if !self.work.finish(&Job::LogIn) {
            return;
        }
        match result {
            Ok(facts) => self.login_granted(token, sent, facts),
            Err(failure) => self.login_failed(failure),
        }
    }

    fn login_granted(&mut self, token: TokenId, sent: Moment, facts: TokenFacts) {
        self.breaker.succeeded();
        self.counters.logins += 1;
        if let Some(uses) = facts.uses {
            let text = format!(
                "the login's token can be used {uses} times only, and takes its leases with it: set token_num_uses to 0 for the role"
            );
            self.say(Level::Warn, text);
        }
        self.say(Level::Info, format!("logged in, accessor {}", name_of(&facts.accessor)));
        let planned = self.session.planned;
        self.session.granted(self.now.moment, planned);
        let before = self.session.current.replace(token);
        self.session.logins.insert(token, Login::new(facts, sent));
        self.acquit();
        self.mark_sinks();
        if let Some(before) = before {
            self.succeed(before, token);
        }
        for old in self.standing(Standing::Doubtful) {
            self.adopt_if_same(old, token);
        }
        if !self.standing(Standing::Doubtful).is_empty() {
            self.look_up(Some(token));
        }
        self.plan_token(token);
        self.keep(true);
    }

    /// `new` takes over from `old`, which still lives.
    fn succeed(&mut self, old: TokenId, new: TokenId) {
        if !self.adopt_if_same(old, new) {
            self.leave(old);
        }
    }

    /// Where the "new" login is the same token (a file that has not changed), everything moves to
    /// its new number and nothing is read again.
    fn adopt_if_same(&mut self, old: TokenId, new: TokenId) -> bool {
        let accessor = |id| self.session.logins.get(&id).map(|login| login.accessor.clone());
        let same = accessor(old).is_some_and(|name| !name.is_empty() && Some(name) == accessor(new));
        if same {
            for (_, node) in self.graph.iter_mut() {
                if let Some(lease) = node.lease_mut().filter(|lease| lease.token == old) {
                    lease.token = new;
                }
            }
            for one in self.retirees.iter_mut().filter(|one| one.lease.token == old) {
                one.lease.token = new;
            }
            self.sinks.rename(old, new);
            self.forget_login(old);
        }
        same
    }

    fn login_failed(&mut self, failure: Failure) {
        self.counters.failed_logins += 1;
        self.setback = true;
        let away = self.note_failure(&failure);
        if self.counts_as_refused(failure.kind) {
            self.login_refused(failure);
            return;
        }
        let known = self.session.trouble.as_ref().is_some_and(|before| before.kind == failure.kind);
        let (now, draw) = (self.now.moment, self.session_draw());
        let wait = match failure.kind {
            FailureKind::Local => {
                self.session.unfound += 1;
                let early = self.session.unfound <= MOST_UNFOUND;
                let tries = if early { 1 } else { self.session.unfound - MOST_UNFOUND };
                pause(tries, Duration::from_secs(1), Duration::from_secs(60), draw)
            }
            _ => {
                self.session.tries = self.session.tries.saturating_add(1);
                pause(self.session.tries, Duration::from_secs(1), Duration::from_secs(30), draw)
            }
        };
        if !known && !away {
            self.say(Level::Warn, format!("could not log in: {}", failure.why));
        }
        self.session.trouble = Some(failure);
        self.log_in_at(now.after(wait));
    }

    /// Whether a login that failed so was refused, or may have been as the one before it was.
    pub(super) fn counts_as_refused(&self, kind: FailureKind) -> bool {
        match kind {
            FailureKind::Refused | FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected => true,
            FailureKind::Unheard => self.session.refusals.is_some(),
            _ => false,
        }
    }

    /// Wrong credentials do not become right by trying: few tries, one message.
    fn login_refused(&mut self, failure: Failure) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let count = self.session.refused(now);
        // At a start it is why we end.
        if count == MOST_REFUSALS && !self.is_starting() {
            let what =
                if failure.kind == FailureKind::Unheard { "refused, or not answered" } else { "refused" };
            let text = format!("the login is {what}: {}; not asking again for a while", failure.why);
            self.say(Level::Error, text);
        }
        self.session.trouble = Some(failure);
        let at = self.session.earliest(now, true, draw);
        self.log_in_at(at);
        self.keep(true);
    }

    /// The credentials of the login changed: worth a try where one is wanted.
    pub(super) fn credentials_changed(&mut self) {
        self.session.credentials_changed(self.now.moment);
        if self.session.entry == Entry::Resting {
            let (now, draw) = (self.now.moment, self.session_draw());
            let at = self.session.earliest(now, true, draw);
            self.log_in_at(at);
        }
    }
}

fn name_of(accessor: &str) -> &str {
    if accessor.is_empty() { "none (a batch token)" } else { accessor }
}
