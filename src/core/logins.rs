//! Logging in, renewing the token, logging in again: one at a time, and what follows for leases.

use std::time::Duration;

use super::action::{Action, Level};
use super::agent::{Agent, Phase};
use super::breaker::is_outage;
use super::dice::{number, pause};
use super::event::{Granted, TokenFacts};
use super::graph::{Op, Step};
use super::ids::{SecretId, TokenId};
use super::lease;
use super::retire::Way;
use super::session::{Entry, Login, MOST_REFUSALS, Standing};
use super::time::Moment;
use super::timers::Timer;
use super::view::NextAction;
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
        let away = self.session.trouble.as_ref().is_some_and(|failure| is_outage(failure.kind));
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

    /// Nothing is minted on a login that is nearly over while its renewal or successor is awaited:
    /// it would die with it.
    pub(super) fn is_login_awaited(&self) -> bool {
        let Some(id) = self.session.current else { return false };
        self.session.login().is_some_and(|login| login.is_nearly_over(self.now.moment))
            && (self.work.has(&Job::LogIn) || self.work.has(&Job::RenewToken(id)))
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
            self.forget_login(old);
        }
        same
    }

    fn login_failed(&mut self, failure: Failure) {
        self.counters.failed_logins += 1;
        let away = self.note_failure(&failure);
        if away && self.session.refusals.is_some() {
            // Its answer may be lost, and it refused as the one before.
            self.login_refused(failure);
            return;
        }
        let known = self.session.trouble.as_ref().is_some_and(|before| before.kind == failure.kind);
        let (now, draw) = (self.now.moment, self.session_draw());
        let wait = match failure.kind {
            FailureKind::Refused | FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected => {
                self.login_refused(failure);
                return;
            }
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

    /// Wrong credentials do not become right by trying: few tries, one message.
    fn login_refused(&mut self, failure: Failure) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let count = self.session.refused(now);
        if count == MOST_REFUSALS {
            let text = format!("the login is refused: {}; not asking again for a while", failure.why);
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
            self.log_in_at(self.now.moment);
        }
    }

    /// Plans what happens next to a token, and notes its end.
    pub(super) fn plan_token(&mut self, id: TokenId) {
        let draw = self.session_draw();
        let Some(login) = self.session.logins.get(&id) else { return };
        match login.expires {
            Some(end) => self.timers.set(Timer::TokenEnd(id), end),
            None => self.timers.clear(&Timer::TokenEnd(id)),
        }
        match login.next(draw) {
            Some((_, at)) if self.session.current == Some(id) => self.timers.set(Timer::Token(id), at),
            _ => self.timers.clear(&Timer::Token(id)),
        }
    }

    /// The token wants its renewal or its successor.
    pub(super) fn token_due(&mut self, id: TokenId) {
        if self.session.current != Some(id) {
            return;
        }
        match self.session.login().and_then(|login| login.next(0.0)) {
            Some((NextAction::Renew, _)) => self.work.add(Job::RenewToken(id), self.now.moment),
            Some(_) => self.want_login(true),
            None => {}
        }
    }

    pub(super) fn token_renewed(&mut self, id: TokenId, sent: Moment, result: Result<Granted, Failure>) {
        self.work.finish(&Job::RenewToken(id));
        let Some(login) = self.session.logins.get_mut(&id) else { return };
        match result {
            Ok(granted) => {
                self.breaker.succeeded();
                login.renewed(sent, granted);
                let clamped = login.clamped;
                let level = if clamped { Level::Info } else { Level::Debug };
                let what = if clamped { ", up to its max_ttl: logging in anew before" } else { "" };
                self.say(level, format!("renewed the token{what}"));
                self.plan_token(id);
                self.keep(true);
            }
            Err(failure) if failure.kind == FailureKind::Denied => {
                self.note_failure(&failure);
                self.renewal_denied(id);
            }
            Err(failure) => self.token_renewal_failed(id, &failure),
        }
        self.spend(id);
    }

    /// Keeps trying until the token's real end.
    fn token_renewal_failed(&mut self, id: TokenId, failure: &Failure) {
        let away = self.note_failure(failure);
        let (now, draw) = (self.now.moment, self.session_draw());
        let Some(login) = self.session.logins.get_mut(&id) else { return };
        login.tries = login.tries.saturating_add(1);
        let (first, end) = (login.tries == 1, login.expires.unwrap_or(now));
        if first && !away {
            self.say(Level::Warn, format!("could not renew the token: {}", failure.why));
        }
        if matches!(failure.kind, FailureKind::Rejected | FailureKind::Missing) {
            self.not_renewable(id);
        } else if self.session.current == Some(id) {
            self.timers.set(Timer::Token(id), lease::retry(now, end, draw));
        }
    }

    /// The token lives and cannot be renewed: another login follows it in time.
    pub(super) fn not_renewable(&mut self, id: TokenId) {
        if let Some(login) = self.session.logins.get_mut(&id) {
            login.renewable = false;
        }
        self.plan_token(id);
    }

    /// The token is past its end, and with it whatever it made.
    pub(super) fn token_ended(&mut self, id: TokenId) {
        let current = self.session.current == Some(id);
        self.say(Level::Warn, "the token has reached its end".to_owned());
        self.bury(id);
        if current {
            self.want_login(false);
        }
    }

    /// A token is dead: so are its leases, which are minted anew; nothing else is.
    pub(super) fn bury(&mut self, id: TokenId) {
        let now = self.now.moment;
        let mut lost: Vec<SecretId> = Vec::new();
        for (secret, node) in self.graph.iter_mut() {
            if let Some(lease) = node.lease_mut().filter(|lease| lease.token == id) {
                lease.expires = lease.expires.min(now);
                lost.push(secret);
            }
        }
        for lease in self.retirees.of(id) {
            match self.retirees.get_mut(&lease) {
                // Files on disk are still made of it: that they are past their end must show.
                Some(one) if one.way == Way::Used => one.lease.expires = one.lease.expires.min(now),
                _ => self.lease_over(&lease),
            }
        }
        self.remint(&lost);
        self.forget_login(id);
    }

    /// Reads these again, unless that is under way.
    pub(super) fn remint(&mut self, secrets: &[SecretId]) {
        for id in secrets {
            let busy = self.graph.get(*id).is_some_and(|node| node.step == Step::Busy(Op::Read));
            if !busy {
                self.judge.forget(*id);
                self.set_step(*id, Step::Busy(Op::Read));
            }
        }
    }

    /// Removes a login from memory.
    pub(super) fn forget_login(&mut self, id: TokenId) {
        if self.session.logins.remove(&id).is_none() {
            return;
        }
        if self.session.current == Some(id) {
            self.session.current = None;
        }
        self.timers.clear(&Timer::Token(id));
        self.timers.clear(&Timer::TokenEnd(id));
        self.timers.clear(&Timer::Leaving(id));
        for job in [Job::LookUp(id), Job::RenewToken(id), Job::RevokeToken(id)] {
            self.work.remove(&job);
        }
        if self.judge.asked == Some(id) {
            self.judge.asked = None;
        }
        self.out.push(Action::DropToken(id));
        self.keep(true);
    }

    /// The logins that stand so.
    pub(super) fn standing(&self, standing: Standing) -> Vec<TokenId> {
        let which = self.session.logins.iter().filter(|(_, login)| login.state == standing);
        which.map(|(id, _)| *id).collect()
    }

    /// Whether the token's last use is spent.
    pub(super) fn is_spent(&self, id: TokenId) -> bool {
        self.session.logins.get(&id).is_some_and(|login| login.uses == Some(0))
    }

    /// A request with this token is answered: a token whose uses are counted dies of its last.
    pub(super) fn spend(&mut self, id: TokenId) {
        if self.is_spent(id) && !self.work.uses(id) {
            self.bury(id);
        }
    }

    /// The server revokes at once what the last use of a token fetched: there is nothing to keep.
    pub(super) fn refuse_last_use(&mut self, id: SecretId) {
        let why = "the token's last use fetched its lease, which dies with it: set token_num_uses to 0 for the role";
        self.trouble(id, Op::Read, &Failure::new(FailureKind::Denied, why), true);
        self.retry(id, Op::Read);
    }

    /// The next draw, from 0 to 1, for the session.
    pub(super) fn session_draw(&mut self) -> f64 {
        self.session.draws += 1;
        self.dice.draw(number("session"), self.session.draws)
    }
}

fn name_of(accessor: &str) -> &str {
    if accessor.is_empty() { "none (a batch token)" } else { accessor }
}
