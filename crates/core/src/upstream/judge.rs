//! A 403 is ambiguous: the token is dead, or the policy says no. One look-up of the token by
//! itself tells, however many requests were denied.
//!
//! Three things blur that. Just after a login a standby may not know the token yet. A token
//! without the default policy may not look itself up, which is found out when a token that is
//! certainly alive, since it has just logged in, is denied its look-up. And a denial may be older
//! than the login that has meanwhile taken over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::Level;
use crate::interface::event::TokenFacts;
use crate::interface::ids::{SecretId, TokenId};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Op, Step};
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::{Login, Standing};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// How long "the token is alive" answers the first denials of secrets.
const VERDICT: Duration = Duration::from_secs(5);
/// The same for a secret that had been denied before the look-up. An earlier look-up proves nothing to a
/// secret that is denied a second time: the token may have died in between.
const KNOWN_VERDICT: Duration = Duration::from_secs(60);
/// How often a denial just after the login is put down to a standby that lags: after one, two and
/// three seconds more.
pub(crate) const LAG_TRIES: u32 = 3;
/// A denial just after the login is final in a daemon when it is repeated after this, while the token is known
/// to be alive.
const ONCE_MORE: Duration = Duration::from_millis(1500);
/// What is denied for so long, for whatever reason, holds back no other file of a daemon.
pub(crate) const HELD_BACK: Duration = Duration::from_secs(2);
/// So many look-ups without an answer, while requests go through, and nothing waits for one any more.
const UNANSWERED: u32 = 3;
/// Where the token may not look itself up, a login is a guess: not more often than this, then less.
const GUESS: Duration = Duration::from_secs(60);
/// The longest time between such logins.
const MOST_GUESS: Duration = Duration::from_secs(15 * 60);

/// What is known and being asked about denials.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) suspects: BTreeMap<SecretId, (Op, Failure)>,
    /// The renewal of the token itself was denied.
    pub(crate) renewal: bool,
    /// Whether a token may look itself up; none while that is not known.
    pub(crate) can_look_up: Option<bool>,
    /// That it may not was concluded from one token of this run alone, which somebody may have revoked as soon as it had
    /// logged in. The next login is asked about the same.
    unconfirmed: bool,
    /// When the token was last known to be alive.
    pub(crate) alive: Option<Moment>,
    /// The token that a look-up is asked about, or will be.
    pub(crate) asked: Option<TokenId>,
    pub(crate) tries: u32,
    /// The next look-up was asked to come no sooner.
    pub(crate) paused: Moment,
    /// When an adopted token has to have shown that it lives.
    pub(crate) proof_by: Moment,
    /// The token is to be looked up by the next run if this one does not come to it.
    pub(crate) unsure: bool,
    /// A login that was granted while the one before was in doubt: it takes over if that is denied once more.
    pub(crate) heir: Option<TokenId>,
    /// A login is due as soon as the token in doubt was denied once more.
    pub(crate) login_follows: bool,
    /// What we have is being given back: the next run must not take it for good.
    pub(crate) ending: bool,
    guesses: u32,
    guessed: Option<Moment>,
}

impl Judge {
    /// Knows nothing yet, but that a token which is never seen cannot be looked up.
    pub(crate) fn new(sees_token: bool) -> Self {
        Self { can_look_up: (!sees_token).then_some(false), ..Self::default() }
    }

    /// The secret no longer exists.
    pub(crate) fn forget(&mut self, id: SecretId) {
        self.suspects.remove(&id);
    }

    /// Whether denials wait to be judged.
    pub(crate) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    fn guess_at(&self, draw: f64) -> Option<Moment> {
        Some(self.guessed?.after(pause(self.guesses, GUESS, MOST_GUESS, draw)))
    }
}

impl Engine {
    /// A request about a secret was denied.
    pub(crate) fn denied(&mut self, id: SecretId, op: Op, token: Option<TokenId>, failure: Failure) {
        let current = self.upstream.session.current;
        if token != current || current.is_none() {
            // Another login has taken over since, or will: that one is to be asked.
            let op = if op == Op::Renew { Op::Read } else { op };
            self.set_step(id, Step::Busy(op));
            return;
        }
        let now = self.now.moment;
        let Some(node) = self.graph.get_mut(id) else { return };
        let known = node.denied.is_some();
        let since = *node.denied.get_or_insert(now);
        node.denial = Some(Box::new(failure.clone()));
        if !known {
            self.timers.set(Timer::Denied(id), now.after(HELD_BACK));
        }
        if self.upstream.judge.can_look_up == Some(false) {
            self.guess(id, op, since, failure);
            return;
        }
        let lives = |alive: Moment| match known {
            true => alive >= since && alive.until(now) < KNOWN_VERDICT,
            false => alive.until(now) < VERDICT,
        };
        if self.upstream.judge.alive.is_some_and(lives) {
            self.by_policy(id, op, &failure);
            return;
        }
        self.upstream.judge.suspects.insert(id, (op, failure));
        self.set_step(id, Step::Suspect(op));
        self.look_up(token);
    }

    /// The renewal of the token was denied.
    pub(crate) fn renewal_denied(&mut self, token: TokenId) {
        if self.upstream.session.current != Some(token) {
            return;
        }
        if self.upstream.judge.can_look_up == Some(false) {
            self.not_renewable(token);
        } else {
            self.upstream.judge.renewal = true;
            self.look_up(Some(token));
            self.follow_unjudged(token);
        }
    }

    /// The verdict may take as long as a standby lags, and a short life may not last until then: the token
    /// is followed in time whatever is found. A verdict that comes before plans anew.
    fn follow_unjudged(&mut self, token: TokenId) {
        if let Some(at) = self.upstream.session.logins.get(&token).and_then(Login::last_call) {
            self.timers.set(Timer::Token(token), at.max(self.now.moment));
        }
    }

    /// Whether the current token's renewal was denied, and nobody knows yet why.
    pub(crate) fn is_renewal_unjudged(&self) -> bool {
        self.upstream.judge.renewal
    }

    /// Whether the next run is to ask about the current token before it relies on it. How often a
    /// counted one can still be used only the server knows.
    pub(crate) fn is_token_unsure(&self) -> bool {
        let counted = self.upstream.session.login().is_some_and(|login| login.uses.is_some());
        let doubted = !self.standing(Standing::Doubtful).is_empty();
        // One that was good until it was denied is the one that the next run finds.
        let denied = self.upstream.session.current.is_none() && !self.upstream.session.logins.is_empty();
        counted
            || doubted
            || denied
            || self.upstream.judge.unsure
            || self.upstream.judge.renewal
            || self.upstream.judge.has_suspects()
    }

    /// Whether the next run may find the current token revoked, with all it leased, by us.
    pub(crate) fn is_token_ending(&self) -> bool {
        self.upstream.judge.ending
            || self.upstream.session.logins.values().any(|login| login.doubted.is_some())
    }

    /// Asks the server about a token, unless that is being asked.
    pub(crate) fn look_up(&mut self, token: Option<TokenId>) {
        let Some(token) = token else { return };
        if self.upstream.judge.asked != Some(token) {
            self.upstream.judge.asked = Some(token);
            self.upstream.judge.tries = 0;
            self.work.add(Job::LookUp(token), self.now.moment);
        }
    }

    /// A look-up that was put off is due.
    pub(crate) fn look_up_due(&mut self) {
        if let Some(token) = self.upstream.judge.asked {
            self.work.add(Job::LookUp(token), self.now.moment);
        }
    }

    pub(crate) fn looked_up(&mut self, token: TokenId, sent: Moment, result: Result<TokenFacts, Failure>) {
        self.work.finish(&Job::LookUp(token), self.now.moment);
        if self.upstream.judge.asked != Some(token) || !self.upstream.session.is_alive(token) {
            return;
        }
        match result {
            Ok(facts) if self.is_doubtful(token) || self.is_left_without_heir(token) => {
                self.take_back(token, sent, facts);
            }
            Ok(facts) => self.alive(token, sent, facts),
            Err(failure) if matches!(failure.kind, FailureKind::Denied | FailureKind::Refused) => {
                self.note_failure(&failure);
                self.look_up_denied(token);
            }
            Err(failure) => {
                let away = self.note_failure(&failure);
                self.doubtful_unheard(away);
                // The server does not answer this question, or a proxy answers it in its place. Renewals must not wait
                // for that until their leases are over: the first that is granted proves the token as well.
                // Nor for as long as a server, or whatever else, asks that it be left alone.
                let put_off = matches!(failure.kind, FailureKind::Overloaded(Some(_)));
                if !away || put_off || self.upstream.judge.tries >= UNANSWERED {
                    self.go_on_unanswered(token);
                }
                self.look_up_again(token, &failure);
            }
        }
        self.spend(token);
    }

    /// Nobody tells whether this token lives, and for how long. Work goes on with it. Where it comes from another boot,
    /// its renewal tells as well, or another login follows it: until then nothing that it made is called good.
    fn go_on_unanswered(&mut self, token: TokenId) {
        let Some(login) = self.upstream.session.logins.get_mut(&token) else { return };
        login.unanswered = true;
        if login.undated {
            self.token_due(token);
        }
    }

    /// The look-up brought nothing: once more after a pause, which is as long as was asked for.
    fn look_up_again(&mut self, token: TokenId, failure: &Failure) {
        self.look_up_later(Duration::from_secs(30));
        // A login that was granted waits for this one answer, and everything for that.
        if let (Some(at), None) = (self.timers.at(&Timer::LookUp), self.upstream.judge.heir) {
            let at = self.token_may_come(token, at, failure);
            self.upstream.judge.paused = at;
            self.timers.set(Timer::LookUp, at);
        }
    }

    pub(crate) fn look_up_later(&mut self, most: Duration) {
        self.upstream.judge.tries = self.upstream.judge.tries.saturating_add(1);
        let draw = self.session_draw();
        let at = self.now.moment.after(pause(self.upstream.judge.tries, Duration::from_secs(1), most, draw));
        self.timers.set(Timer::LookUp, at);
    }

    /// The token lives: what was denied was denied by policy.
    fn alive(&mut self, token: TokenId, sent: Moment, facts: TokenFacts) {
        self.upstream.breaker.succeeded();
        self.upstream.judge.asked = None;
        self.upstream.judge.can_look_up = Some(true);
        self.upstream.judge.alive = Some(sent);
        self.upstream.judge.unsure = false;
        self.proven(token, sent);
        if let Some(login) = self.upstream.session.logins.get_mut(&token) {
            login.looked_up(sent, facts);
        }
        if std::mem::take(&mut self.upstream.judge.renewal) {
            self.not_renewable(token);
        } else {
            self.plan_token(token);
        }
        // Those that were denied their look-up were denied because they were dead.
        for doubtful in self.standing(Standing::Doubtful) {
            self.bury(doubtful);
        }
        for (id, (op, failure)) in std::mem::take(&mut self.upstream.judge.suspects) {
            self.by_policy(id, op, &failure);
        }
        self.login_follows();
        self.keep(false);
    }

    fn look_up_denied(&mut self, token: TokenId) {
        if self.is_doubtful(token) {
            self.still_denied(token);
            return;
        }
        let fresh =
            self.upstream.session.logins.get(&token).is_some_and(|login| login.is_fresh(self.now.moment));
        if fresh && self.upstream.judge.tries < LAG_TRIES {
            self.look_up_later(Duration::from_secs(4));
            return;
        }
        self.upstream.judge.asked = None;
        self.upstream.judge.renewal = false;
        if fresh {
            self.blind();
        } else {
            self.doubt(token);
        }
    }

    /// A token that has just logged in may not look itself up: policy, not death. So those that
    /// were doubted for the same reason may be alive, and are replaced with an overlap.
    fn blind(&mut self) {
        let before = self.upstream.judge.can_look_up.replace(false);
        self.upstream.judge.unconfirmed = before != Some(false);
        for doubtful in self.standing(Standing::Doubtful) {
            self.leave(doubtful);
        }
        for (id, (op, failure)) in std::mem::take(&mut self.upstream.judge.suspects) {
            self.by_policy(id, op, &failure);
        }
    }

    /// Another login has taken over: whether it may look itself up says whether that was concluded rightly.
    pub(crate) fn confirm_blindness(&mut self, token: TokenId) {
        if self.upstream.judge.unconfirmed && self.upstream.judge.asked.is_none() {
            self.look_up(Some(token));
        }
    }

    /// Where tokens may not look themselves up, another login shows whether it was the token, unless this one
    /// is the answer to that question: it is newer than the denial, or something was granted to it since. Not for ever,
    /// for it may have died while the policy went on denying.
    fn guess(&mut self, id: SecretId, op: Op, denied: Moment, failure: Failure) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let lived = self.upstream.session.login().and_then(|login| login.since.max(login.used));
        let answered = lived.is_some_and(|at| at >= denied && at.until(now) < MOST_GUESS);
        let too_soon = self.upstream.judge.guess_at(draw).is_some_and(|at| now < at);
        if answered || too_soon {
            self.by_policy(id, op, &failure);
            return;
        }
        self.upstream.judge.guessed = Some(now);
        self.upstream.judge.guesses = self.upstream.judge.guesses.saturating_add(1);
        self.upstream.judge.suspects.insert(id, (op, failure));
        self.set_step(id, Step::Suspect(op));
        self.want_login(true);
    }

    /// The policy denies it, or a standby does that does not know the fresh token yet.
    fn by_policy(&mut self, id: SecretId, op: Op, failure: &Failure) {
        let (now, draw) = (self.now.moment, self.draw(id));
        let fresh = self.upstream.session.login().is_some_and(|login| login.is_fresh(now));
        // Nothing else waits at a start, which would fail on it; a daemon publishes the rest meanwhile.
        let patient = self.is_starting() || self.upstream.judge.can_look_up != Some(true);
        let most = if patient { LAG_TRIES } else { 1 };
        let Some(node) = self.graph.get_mut(id) else { return };
        if fresh && node.lag < most {
            let news = (patient && node.lag == 0).then(|| node.path().to_owned());
            node.lag += 1;
            let at = now.after(if patient { Duration::from_secs(1) * node.lag } else { ONCE_MORE });
            self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
            if let Some(path) = news {
                let text = format!("could not read {path}: {}; asking again for 6 s", failure.why);
                self.say_of(id, Level::Warn, text);
            }
            return;
        }
        if op == Op::Renew {
            node.cannot_renew = true;
            if let Some(lease) = node.lease_mut() {
                lease.renewable = false;
            }
            self.trouble(id, op, failure, false);
            self.plan(id);
            return;
        }
        node.tries = node.tries.saturating_add(1);
        let wait = pause(node.tries, Duration::from_secs(2), Duration::from_secs(60), draw);
        self.trouble(id, op, failure, true);
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at: now.after(wait), op });
    }

    /// A new login is here: all that was denied is asked again with it.
    pub(crate) fn acquit(&mut self) {
        for (id, (op, _)) in std::mem::take(&mut self.upstream.judge.suspects) {
            let op = if op == Op::Renew { Op::Read } else { op };
            self.set_step(id, Step::Busy(op));
        }
        self.upstream.judge.alive = None;
        self.upstream.judge.asked = None;
        self.upstream.judge.unsure = false;
        self.upstream.judge.renewal = false;
        self.timers.clear(&Timer::LookUp);
    }
}
