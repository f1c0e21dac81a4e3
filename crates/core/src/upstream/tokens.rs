//! The life of a token after it was granted: its renewals, its end and its death, and what these mean for its leases.

use crate::engine::Engine;
use crate::interface::action::{Action, Level};
use crate::interface::event::Granted;
use crate::interface::ids::{SecretId, TokenId};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Op, Step};
use crate::secrets::lease::{self, Lease};
use crate::secrets::namespace;
use crate::secrets::retire::Way;
use crate::tools::dice::number;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::Standing;
use crate::upstream::pauses::told_to_wait;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// After this many renewals of the token in a row that brought no answer of the server, while it answers other requests,
/// another login follows in time.
const UNHEARD: u32 = 3;

impl Engine {
    /// Plans what happens next to a token, and sets the timer for its end.
    pub(crate) fn plan_token(&mut self, id: TokenId) {
        let Some(login) = self.upstream.session.logins.get(&id) else { return };
        // The draw is the same in the next run, so that a restart does not move the renewal.
        let draw = self.dice.draw(number("token"), login.expires.map_or(0, Moment::name));
        match login.expires {
            Some(end) => self.timers.set(Timer::TokenEnd(id), end),
            None => self.timers.clear(&Timer::TokenEnd(id)),
        }
        match login.next(draw) {
            Some((_, at)) if self.upstream.session.current == Some(id) => {
                self.timers.set(Timer::Token(id), at)
            }
            _ => self.timers.clear(&Timer::Token(id)),
        }
    }

    /// Renews the token or logs in anew, as is due. Does both if its renewals go on failing.
    pub(crate) fn token_due(&mut self, id: TokenId) {
        if self.upstream.session.current != Some(id) {
            return;
        }
        let now = self.now.moment;
        match self.upstream.session.login().and_then(|login| login.next(0.0)) {
            Some((NextAction::Renew, _)) if !self.is_renewal_unjudged() => {
                self.work.add(Job::RenewToken(id), now);
                if self.upstream.session.login().is_some_and(|login| login.wants_successor(now)) {
                    self.want_login(true);
                }
            }
            Some(_) => self.want_login(true),
            None => {}
        }
    }

    pub(crate) fn token_renewed(&mut self, id: TokenId, sent: Moment, result: Result<Granted, Failure>) {
        self.work.finish(&Job::RenewToken(id), self.now.moment);
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        match result {
            Ok(granted) => {
                self.upstream.breaker.succeeded();
                let failed = std::mem::take(&mut login.unrenewed);
                login.renewed(sent, granted);
                let clamped = login.clamped;
                self.go_on_with(id);
                if failed && self.upstream.session.planned && self.upstream.session.current == Some(id) {
                    self.forgo_login();
                    self.upstream.session.settled();
                }
                let level = if clamped { Level::Info } else { Level::Debug };
                let what = if clamped { ", up to its max_ttl: logging in anew before" } else { "" };
                self.say(level, format!("renewed the token{what}"));
                self.proven(id, sent);
                self.plan_token(id);
                self.keep(true);
            }
            Err(failure) if failure.kind == FailureKind::Denied => {
                self.note_failure(&failure);
                self.not_renewed(id);
                self.renewal_denied(id);
            }
            Err(failure) => self.token_renewal_failed(id, &failure),
        }
        self.spend(id);
    }

    /// Goes on with a token whose renewal is answered after the token's end, for instance because the machine slept
    /// meanwhile, if no other login has taken over.
    fn go_on_with(&mut self, id: TokenId) {
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        let lives = login.expires.is_some_and(|end| end > self.now.moment);
        let revoked = self.work.is_under_way(&Job::RevokeToken(id));
        let over = login.state == Standing::Leaving && !login.stray && !revoked;
        if !(lives && over) || self.upstream.session.current.is_some() || self.upstream.judge.heir.is_some() {
            return;
        }
        login.state = Standing::Good;
        self.upstream.session.current = Some(id);
        self.forgo_login();
        self.upstream.session.settled();
        self.keep_leases_of(id);
        self.mark_sinks();
        self.touch_waiting();
    }

    /// Keeps the leases of a login that was about to leave and stays. The leases that live are not read anew.
    pub(crate) fn keep_leases_of(&mut self, id: TokenId) {
        self.timers.clear(&Timer::Leaving(id));
        // The revocation may have waited for the server, or for the handoff, since the token was thought to be over.
        self.work.remove(&Job::RevokeToken(id));
        for lease in self.retirees.of(id) {
            if self.retirees.get(&lease).is_some_and(|one| one.way == Way::WithToken) {
                self.retiree_due(&lease);
            }
        }
        for secret in self.graph.ids() {
            let waits = !self.work.is_under_way(&Job::Read(secret));
            let lease =
                self.graph.get(secret).and_then(|node| node.lease()).filter(|lease| lease.token == id);
            if waits && lease.is_some_and(|lease| lease.expires > self.now.moment) {
                self.plan(secret);
            }
        }
    }

    /// Records that the server refused to renew a token: it keeps the token no longer than it would have without
    /// that.
    fn not_renewed(&mut self, id: TokenId) {
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        login.not_renewed();
        if let (Standing::Leaving, Some(latest)) = (login.state, login.latest) {
            self.timers.set(Timer::TokenEnd(id), latest.max(self.now.moment));
        }
    }

    /// Retries until the token's real end. Retries may never succeed where the server gives another answer, as it
    /// does to a client certificate other than the login's. So another login follows in time.
    fn token_renewal_failed(&mut self, id: TokenId, failure: &Failure) {
        let away = self.note_failure(failure);
        let (now, draw) = (self.now.moment, self.session_draw());
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        login.tries = login.tries.saturating_add(1);
        // No probe has failed where only this request is answered by a proxy, or told to wait.
        let late = login.tries >= UNHEARD || login.last_call().is_some_and(|call| call <= now);
        login.unrenewed |= !away || (late && !self.upstream.breaker.is_confirmed());
        let due = login.wants_successor(now);
        let call = login.last_call().filter(|call| login.unrenewed && *call > now);
        let (first, end) = (login.tries == 1, login.expires.unwrap_or(now));
        if first && (!away || failure.kind == FailureKind::Intercepted) {
            self.say(Level::Warn, format!("could not renew the token: {}", failure.why));
        }
        if matches!(failure.kind, FailureKind::Rejected | FailureKind::Missing) {
            self.not_renewed(id);
            self.not_renewable(id);
        } else if self.upstream.session.current == Some(id) {
            let at = self.token_may_come(id, lease::retry(now, end, draw), failure);
            if let Some(login) = self.upstream.session.logins.get_mut(&id) {
                login.paused = at;
            }
            let told = told_to_wait("could not renew the token", failure, now.until(at));
            if let (true, Some((level, text))) = (first, told) {
                self.say(level, text);
            }
            self.timers.set(Timer::Token(id), call.map_or(at, |call| call.min(at)));
            if due {
                self.want_login(true);
            }
        }
    }

    /// Records that the token lives and cannot be renewed: another login follows it in time.
    pub(crate) fn not_renewable(&mut self, id: TokenId) {
        if let Some(login) = self.upstream.session.logins.get_mut(&id) {
            login.renewable = false;
        }
        self.plan_token(id);
    }

    /// Handles a token that is past its end, and with it whatever it made.
    pub(crate) fn token_ended(&mut self, id: TokenId) {
        let current = self.upstream.session.current == Some(id);
        let Some(login) = self.upstream.session.logins.get(&id) else { return };
        let latest = login.latest.filter(|_| login.may_live(self.now.moment));
        if current {
            self.say(Level::Warn, "the token has reached its end".to_owned());
        }
        match latest {
            // The answer to a renewal was lost, so the server may still keep the token and its leases.
            Some(latest) => {
                self.timers.set(Timer::TokenEnd(id), latest);
                self.upstream.session.current =
                    self.upstream.session.current.filter(|current| *current != id);
                self.leave(id);
            }
            None => self.bury(id),
        }
        if current {
            self.want_login(false);
        }
    }

    /// Marks a lease whose login is over and forgotten.
    pub(crate) fn login_was_over(&self, lease: &mut Lease) {
        if lease.outlives(&self.upstream.session.home) {
            lease.orphaned(self.now.moment);
        } else {
            lease.died(self.now.moment);
        }
    }

    /// Forgets a dead token. Its leases are dead as well, and are minted anew; nothing else is.
    pub(crate) fn bury(&mut self, id: TokenId) {
        let now = self.now.moment;
        let mut lost: Vec<SecretId> = Vec::new();
        let home =
            self.upstream.session.logins.get(&id).map(|login| namespace::of(&login.accessor).to_owned());
        let end = |lease: &mut Lease| match &home {
            // The lease may live on, and has to be revoked on its own.
            Some(home) if lease.outlives(home) => lease.orphaned(now),
            _ => lease.died(now),
        };
        for (secret, node) in self.graph.iter_mut() {
            if let Some(lease) = node.lease_mut().filter(|lease| lease.token == id) {
                end(lease);
                lost.push(secret);
            }
        }
        for lease in self.retirees.of(id) {
            match self.retirees.get_mut(&lease) {
                // Files on disk still depend on it, and must show that it is past its end.
                Some(one) if one.way == Way::Used => end(&mut one.lease),
                Some(one) if home.as_deref().is_some_and(|home| one.lease.outlives(home)) => {
                    end(&mut one.lease);
                }
                _ => self.lease_over(&lease),
            }
        }
        self.remint(&lost);
        self.forget_login(id);
    }

    /// Reads these secrets again, unless that is under way.
    pub(crate) fn remint(&mut self, secrets: &[SecretId]) {
        for id in secrets {
            let busy = self.graph.get(*id).is_some_and(|node| node.step == Step::Busy(Op::Read));
            if !busy {
                self.upstream.judge.forget(*id);
                self.set_step(*id, Step::Busy(Op::Read));
            }
        }
    }

    /// Removes a login from memory.
    pub(crate) fn forget_login(&mut self, id: TokenId) {
        if self.upstream.session.logins.remove(&id).is_none() {
            return;
        }
        if self.upstream.session.current == Some(id) {
            self.upstream.session.current = None;
        }
        self.timers.clear(&Timer::Token(id));
        self.timers.clear(&Timer::TokenEnd(id));
        self.timers.clear(&Timer::Proof(id));
        self.timers.clear(&Timer::Leaving(id));
        self.sinks.forget(id);
        for job in [Job::LookUp(id), Job::RenewToken(id), Job::RevokeToken(id)] {
            self.work.remove(&job);
        }
        if self.upstream.judge.asked == Some(id) {
            self.upstream.judge.asked = None;
            self.timers.clear(&Timer::LookUp);
            self.login_follows();
        }
        if self.upstream.judge.heir == Some(id) {
            self.upstream.judge.heir = None;
            self.want_login(false);
        }
        self.out.push(Action::DropToken(id));
        self.heir_follows();
        self.keep(true);
    }

    /// Returns the logins in this state.
    pub(crate) fn standing(&self, standing: Standing) -> Vec<TokenId> {
        let which = self.upstream.session.logins.iter().filter(|(_, login)| login.state == standing);
        which.map(|(id, _)| *id).collect()
    }

    /// Returns whether the token's last use is spent.
    pub(crate) fn is_spent(&self, id: TokenId) -> bool {
        self.upstream.session.logins.get(&id).is_some_and(|login| login.uses == Some(0))
    }

    /// Handles that a request with this token is answered: a token whose uses are counted dies with its last one.
    pub(crate) fn spend(&mut self, id: TokenId) {
        if self.is_spent(id) && !self.work.uses(id) {
            self.bury(id);
            if self.upstream.judge.has_suspects() {
                // A request that was denied beside the last use waits for a token, and nothing else may be due for
                // long.
                self.want_login(false);
            }
        }
    }

    /// Refuses an answer that took the token's last use. The server revokes its lease at once, so there is nothing to
    /// keep.
    pub(crate) fn refuse_last_use(&mut self, id: SecretId, why: &str) {
        let why = format!("it took the token's last use: {why}; set token_num_uses to 0 for the role");
        self.trouble(id, Op::Read, &Failure::new(FailureKind::Denied, why), true);
        // Nothing may be rendered with what the answer brought.
        if let Some(request) = self.graph.get(id).and_then(|node| node.request.clone()) {
            self.out.push(Action::Forget(request));
        }
        self.lose(id);
    }

    /// Returns the next draw for the session, from 0 to 1.
    pub(crate) fn session_draw(&mut self) -> f64 {
        self.upstream.session.draws += 1;
        self.dice.draw(number("session"), self.upstream.session.draws)
    }
}
