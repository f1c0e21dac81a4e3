//! A token in doubt: the server denies what was asked with it, and its look-up of itself, too.
//!
//! The token may be dead. It may be alive and not allowed to look itself up. Or something in front of the server
//! denies everything for a while, in the server's own words.
//!
//! So the engine asks for another login, and keeps looking the token up, which costs no lockout. If the look-up is
//! granted again, everything goes on with the token as if nothing had happened. Nothing is minted anew while that is
//! possible.

use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::action::Level;
use crate::interface::event::TokenFacts;
use crate::interface::ids::TokenId;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::Standing;
use crate::upstream::session::Entry;
use leasehold_base::time::Moment;

/// The longest pause between look-ups of a token in doubt, and the longest after [`OFTEN`] of them.
const FEW_SECONDS: Duration = Duration::from_secs(5);
const SELDOM: Duration = Duration::from_secs(30);
/// This many look-ups, about five minutes of them, are a few seconds apart. A fleet whose role was deleted must not
/// ask at this rate for as long as its tokens were meant to live.
const OFTEN: u32 = 60;

impl Engine {
    /// Returns whether this token is in doubt.
    pub(crate) fn is_doubtful(&self, token: TokenId) -> bool {
        self.upstream.session.logins.get(&token).is_some_and(|login| login.state == Standing::Doubtful)
    }

    /// Returns whether this token has reached its end, as far as we know, and no other took its place. The look-up
    /// before the login was granted: so a renewal of the token was granted whose answer was lost.
    pub(crate) fn is_left_without_heir(&self, token: TokenId) -> bool {
        let login = self.upstream.session.logins.get(&token);
        login.is_some_and(|login| login.state == Standing::Leaving && !login.stray)
            && self.upstream.session.current.is_none()
            && self.upstream.judge.heir.is_none()
            && !self.work.is_under_way(&Job::RevokeToken(token))
    }

    /// Puts a token in doubt, which may be dead, or blind, or denied by something in between. Asks for another login,
    /// and goes on looking the token up.
    pub(crate) fn doubt(&mut self, token: TokenId) {
        if let Some(login) = self.upstream.session.logins.get_mut(&token) {
            login.state = Standing::Doubtful;
        }
        self.upstream.session.current = None;
        self.timers.clear(&Timer::Token(token));
        self.timers.clear(&Timer::Proof(token));
        self.want_login(false);
        if self.doubtful().is_some() {
            self.upstream.judge.asked = Some(token);
            self.upstream.judge.tries = 0;
            self.ask_doubtful_later();
        }
        self.keep(false);
    }

    fn ask_doubtful_later(&mut self) {
        let most = if self.upstream.judge.tries < OFTEN { FEW_SECONDS } else { SELDOM };
        self.look_up_later(most);
    }

    /// Returns the newest token in doubt, if it may be looked up. A token whose uses are counted may not, for each
    /// look-up is a use.
    fn doubtful(&self) -> Option<TokenId> {
        let counted =
            |id: &TokenId| self.upstream.session.logins.get(id).is_some_and(|login| login.uses.is_some());
        let blind = self.upstream.judge.can_look_up == Some(false);
        self.standing(Standing::Doubtful).pop().filter(|id| !blind && !counted(id))
    }

    /// Looks the token in doubt up now. Returns false if there is none that may be looked up.
    fn ask_doubtful(&mut self) -> bool {
        let Some(token) = self.doubtful() else { return false };
        if self.upstream.judge.asked != Some(token) {
            self.upstream.judge.asked = Some(token);
            self.upstream.judge.tries = 0;
        }
        self.timers.clear(&Timer::LookUp);
        self.work.add(Job::LookUp(token), self.now.moment);
        true
    }

    /// Looks the token in doubt up before a login that is due. Returns whether the login waits for that.
    pub(crate) fn ask_doubtful_first(&mut self) -> bool {
        self.upstream.judge.login_follows =
            self.upstream.judge.paused <= self.now.moment && self.ask_doubtful();
        self.upstream.judge.login_follows
    }

    /// Looks the token in doubt up for the last time after a login was granted, for whatever denied it may just have
    /// ended. Until the answer nothing is minted with `heir`.
    pub(crate) fn doubtful_has_last_word(&mut self, heir: TokenId) -> bool {
        for old in self.standing(Standing::Doubtful) {
            self.adopt_if_same(old, heir);
        }
        if self.upstream.session.current.is_some() || !self.ask_doubtful() {
            return false;
        }
        self.upstream.judge.heir = Some(heir);
        self.plan_token(heir);
        true
    }

    /// Handles one more denied look-up of the token in doubt.
    pub(crate) fn still_denied(&mut self, token: TokenId) {
        if let Some(heir) = self.upstream.judge.heir.take() {
            let dead = self.upstream.judge.can_look_up == Some(true);
            if dead {
                self.bury(token);
            }
            self.take_over(heir);
            self.keep(true);
            return;
        }
        self.ask_doubtful_later();
        self.login_follows();
    }

    /// Lets the heir take over when the token in doubt has ended before its last look-up was answered. What becomes
    /// of older tokens in doubt depends on the heir.
    pub(crate) fn heir_follows(&mut self) {
        let over = self.upstream.session.current.is_none() && self.upstream.judge.asked.is_none();
        if !over || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        if let Some(heir) = self.upstream.judge.heir.take() {
            self.take_over(heir);
        }
    }

    /// Handles a look-up of the token in doubt that brought nothing: the server as a whole is `away`, or answered
    /// with an error.
    pub(crate) fn doubtful_unheard(&mut self, away: bool) {
        if away {
            return;
        }
        if let Some(heir) = self.upstream.judge.heir.take() {
            // The token may live, and so may its leases. They all move to the heir, and then the token is revoked.
            for old in self.standing(Standing::Doubtful) {
                self.leave(old);
            }
            self.take_over(heir);
            self.keep(true);
        } else {
            self.login_follows();
        }
    }

    /// Starts the login that waited for the look-up of the token in doubt.
    pub(crate) fn login_follows(&mut self) {
        if std::mem::take(&mut self.upstream.judge.login_follows)
            && self.upstream.session.entry == Entry::Resting
        {
            self.log_in_at(self.now.moment);
        }
    }

    /// Takes the token in doubt back when its look-up is granted: it was alive all the time, and so are its leases.
    pub(crate) fn take_back(&mut self, token: TokenId, sent: Moment, facts: TokenFacts) {
        self.upstream.breaker.succeeded();
        self.say(Level::Info, "the server takes the token again: going on with it".to_owned());
        let mut left = false;
        if let Some(login) = self.upstream.session.logins.get_mut(&token) {
            left = login.state == Standing::Leaving;
            login.state = Standing::Good;
            login.looked_up(sent, facts);
        }
        self.upstream.session.current = Some(token);
        if left {
            self.keep_leases_of(token);
        }
        self.upstream.judge.can_look_up = Some(true);
        self.upstream.judge.login_follows = false;
        let heir = self.upstream.judge.heir.take();
        self.forgo_login();
        self.upstream.session.settled();
        if !self.policy.locks_out {
            self.upstream.session.refusals = None;
        }
        // An older token was denied a look-up that this one is granted: it is dead.
        for older in self.standing(Standing::Doubtful) {
            self.bury(older);
        }
        let suspects = std::mem::take(&mut self.upstream.judge.suspects);
        self.acquit();
        self.upstream.judge.alive = Some(sent);
        self.proven(token, sent);
        for (id, (op, _)) in suspects {
            self.set_step(id, crate::secrets::graph::Step::Busy(op));
        }
        if let Some(heir) = heir {
            self.leave(heir);
        }
        // A sink whose wrapping came while the token was in doubt waits for a login, and this is that login.
        self.mark_sinks();
        self.touch_waiting();
        self.plan_token(token);
        self.keep(true);
    }

    /// Judges the tokens in doubt after `new` has taken over. If `new` may look itself up, the others were denied
    /// that because they are dead.
    pub(crate) fn judge_doubtful(&mut self, new: TokenId) {
        for old in self.standing(Standing::Doubtful) {
            self.adopt_if_same(old, new);
        }
        if !self.standing(Standing::Doubtful).is_empty() {
            self.look_up(Some(new));
        }
    }
}
