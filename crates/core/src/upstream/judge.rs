//! Finds out what a 403 means. It is ambiguous: the token is dead, or the policy says no. One look-up of the token by
//! itself settles that, however many requests were denied.
//!
//! Three things blur the answer:
//!
//! - Just after a login a standby may not know the token yet.
//! - A token without the default policy may not look itself up. The engine learns this when a token that has just
//!   logged in, and so is certainly alive, is denied its look-up.
//! - A denial may be older than the login that has meanwhile taken over.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::Level;
use crate::interface::event::TokenFacts;
use crate::interface::ids::{SecretId, TokenId};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Held, Op, Step};
use crate::secrets::schedule::MOST;
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::{Login, Standing};
use crate::upstream::pauses::half_of;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// How long a look-up that found the token alive settles the first denials of secrets.
const VERDICT: Duration = Duration::from_secs(5);
/// The same for a secret that was denied before the look-up. An earlier look-up proves nothing about a second denial
/// of a secret: the token may have died in between.
const KNOWN_VERDICT: Duration = Duration::from_secs(30);
/// How often a denial just after the login is put down to a standby that lags. The retries come after one, two and
/// three more seconds.
pub(crate) const LAG_TRIES: u32 = 3;
/// A daemon takes a denial just after the login as final when it is repeated after this time, while the token is
/// known to be alive.
const ONCE_MORE: Duration = Duration::from_millis(1500);
/// A secret that is denied for this long, for whatever reason, holds back no other file of a daemon.
pub(crate) const HELD_BACK: Duration = Duration::from_secs(2);
/// After this many look-ups without an answer, while other requests are answered, no work waits for one any more.
const UNANSWERED: u32 = 3;
/// The first pause between logins that are made on a guess: the token may not look itself up, so the engine cannot tell
/// whether it is dead.
const GUESS: Duration = Duration::from_secs(60);
/// The longest pause between such logins.
const MOST_GUESS: Duration = Duration::from_secs(15 * 60);

/// What is known about denials, and what is being asked about them.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    pub(crate) suspects: BTreeMap<SecretId, (Op, Failure)>,
    /// The renewal of the token itself was denied.
    pub(crate) renewal: bool,
    /// Whether a token may look itself up; `None` while that is not known.
    pub(crate) can_look_up: Option<bool>,
    /// `can_look_up` was concluded from a single token of this run, which may have been revoked as soon as it had
    /// logged in. So the next login is asked about the same.
    unconfirmed: bool,
    /// When the token was last known to be alive.
    pub(crate) alive: Option<Moment>,
    /// The token that is being looked up, or will be.
    pub(crate) asked: Option<TokenId>,
    pub(crate) tries: u32,
    /// The next look-up goes no sooner, since the server asked for a pause.
    pub(crate) paused: Moment,
    /// When an adopted token must have shown that it lives.
    pub(crate) proof_by: Moment,
    /// The next run has to look the token up, if this run does not come to it.
    pub(crate) unsure: bool,
    /// A login that was granted while the token before it was in doubt. It takes over if that token is denied once
    /// more.
    pub(crate) heir: Option<TokenId>,
    /// A login goes as soon as the token in doubt is denied once more.
    pub(crate) login_follows: bool,
    /// What this run holds is being revoked: the next run must not rely on it.
    pub(crate) ending: bool,
    guesses: u32,
    guessed: Option<Moment>,
}

impl Judge {
    /// Makes a judge that knows only this: a token that the agent never sees cannot be looked up.
    pub(crate) fn new(sees_token: bool) -> Self {
        Self { can_look_up: (!sees_token).then_some(false), ..Self::default() }
    }

    /// Forgets a secret that no longer exists.
    pub(crate) fn forget(&mut self, id: SecretId) {
        self.suspects.remove(&id);
    }

    /// Returns whether denials wait to be judged.
    pub(crate) fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    fn guess_at(&self, draw: f64) -> Option<Moment> {
        Some(self.guessed?.after(pause(self.guesses, GUESS, MOST_GUESS, draw)))
    }
}

impl Engine {
    /// Handles the denial of a request about a secret.
    pub(crate) fn denied(&mut self, id: SecretId, op: Op, token: Option<TokenId>, failure: Failure) {
        let current = self.upstream.session.current;
        if token != current || current.is_none() {
            // Another login has taken over since, or will: the request is made again with that one.
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

    /// Handles the denial of the token's renewal.
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

    /// Plans a successor in time, whatever the verdict will be: it may take as long as a standby lags, and a
    /// short-lived token may not last until then. A verdict that comes earlier plans anew.
    fn follow_unjudged(&mut self, token: TokenId) {
        if let Some(at) = self.upstream.session.logins.get(&token).and_then(Login::last_call) {
            self.timers.set(Timer::Token(token), at.max(self.now.moment));
        }
    }

    /// Returns whether the current token's renewal was denied and the reason is not known yet.
    pub(crate) fn is_renewal_unjudged(&self) -> bool {
        self.upstream.judge.renewal
    }

    /// Returns whether the next run has to look the current token up before it relies on it. How many uses of a
    /// counted token are left is known to the server only.
    pub(crate) fn is_token_unsure(&self) -> bool {
        let counted = self.upstream.session.login().is_some_and(|login| login.uses.is_some());
        let doubted = !self.standing(Standing::Doubtful).is_empty();
        // The next run finds the token that was good until it was denied.
        let denied = self.upstream.session.current.is_none() && !self.upstream.session.logins.is_empty();
        counted
            || doubted
            || denied
            || self.upstream.judge.unsure
            || self.upstream.judge.renewal
            || self.upstream.judge.has_suspects()
    }

    /// Returns whether the next run may find that we have revoked the current token, with all that it leased.
    pub(crate) fn is_token_ending(&self) -> bool {
        self.upstream.judge.ending
            || self.upstream.session.logins.values().any(|login| login.doubted.is_some())
    }

    /// Has the server asked about a token, unless that is under way.
    pub(crate) fn look_up(&mut self, token: Option<TokenId>) {
        let Some(token) = token else { return };
        if self.upstream.judge.asked != Some(token) {
            self.upstream.judge.asked = Some(token);
            self.upstream.judge.tries = 0;
            self.work.add(Job::LookUp(token), self.now.moment);
        }
    }

    /// Sends a look-up that was put off and is due.
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
                // The server does not answer this question, or a proxy answers it in the server's place. Renewals
                // must not wait for an answer until their leases are over: the first renewal that is granted proves
                // the token as well. Nor must they wait for as long as the server, or whatever else, asks to be left
                // alone.
                let put_off = matches!(failure.kind, FailureKind::Overloaded(Some(_)));
                if !away || put_off || self.upstream.judge.tries >= UNANSWERED {
                    self.go_on_unanswered(token);
                }
                self.look_up_again(token, &failure);
            }
        }
        self.spend(token);
    }

    /// Goes on with a token although the server does not say whether it lives, and for how long. A token from another
    /// boot is proven by its renewal as well, or another login follows it. Until then nothing that it made is called
    /// good.
    fn go_on_unanswered(&mut self, token: TokenId) {
        let Some(login) = self.upstream.session.logins.get_mut(&token) else { return };
        login.unanswered = true;
        if login.undated {
            self.token_due(token);
        }
    }

    /// Repeats a look-up that brought nothing, after a pause that is at least as long as the server asked for.
    fn look_up_again(&mut self, token: TokenId, failure: &Failure) {
        self.look_up_later(Duration::from_secs(30));
        // With an heir, a login that was granted waits for this one answer, and all other work waits for the login.
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

    /// Handles a look-up that was granted. The token lives, so the policy denied what was denied.
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
        // This token may look itself up. So the tokens in doubt were denied their look-up because they are dead.
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
        let login = self.upstream.session.logins.get(&token);
        let fresh = login.is_some_and(|login| login.is_fresh(self.now.moment));
        if fresh && self.upstream.judge.tries < LAG_TRIES {
            self.look_up_later(Duration::from_secs(4));
            return;
        }
        // One that was granted a look-up since it logged in may look itself up.
        let since = login.and_then(|login| login.since);
        let was_granted = self.upstream.judge.alive.zip(since).is_some_and(|(alive, since)| alive >= since);
        self.upstream.judge.asked = None;
        self.upstream.judge.renewal = false;
        if fresh && !was_granted {
            self.blind();
        } else {
            self.doubt(token);
        }
    }

    /// Concludes that tokens may not look themselves up: one that has just logged in was denied that, by policy. So
    /// the tokens in doubt may be alive, and are replaced with an overlap.
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

    /// Asks about the login that has taken over, to confirm that tokens may not look themselves up.
    pub(crate) fn confirm_blindness(&mut self, token: TokenId) {
        if self.upstream.judge.unconfirmed && self.upstream.judge.asked.is_none() {
            self.look_up(Some(token));
        }
    }

    /// Tries another login, where tokens may not look themselves up: it shows whether the token was the reason of a
    /// denial. The current login may already be the answer, if it is newer than the denial or was granted something
    /// since. That answer does not hold for ever, for the token may have died while the policy went on denying.
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

    /// Handles a denial by the policy, or by a standby that does not know the fresh token yet.
    fn by_policy(&mut self, id: SecretId, op: Op, failure: &Failure) {
        let (now, draw) = (self.now.moment, self.draw(id));
        let fresh = self.upstream.session.login().is_some_and(|login| login.is_fresh(now));
        // At a start nothing else waits, and a final denial would end the run. A daemon publishes the rest meanwhile.
        let patient = self.is_starting() || self.upstream.judge.can_look_up != Some(true);
        let most = if patient { LAG_TRIES } else { 1 };
        let current = self.upstream.session.current;
        let Some(node) = self.graph.get_mut(id) else { return };
        let known = node.trouble.as_ref().is_some_and(|trouble| trouble.kind == FailureKind::Denied);
        if node.lag.follows(current) && fresh {
            // The denials of the login before say nothing about this login, so the pauses begin anew.
            node.tries = 0;
        }
        if fresh && node.lag.tries < most {
            let news = (patient && node.lag.tries == 0 && !known).then(|| node.path().to_owned());
            node.lag.tries += 1;
            let at = now.after(if patient { Duration::from_secs(1) * node.lag.tries } else { ONCE_MORE });
            self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
            if let Some(path) = news {
                let text = format!("could not read {path}: {}; asking again for 6 s", failure.why);
                self.say_of(id, Level::Warn, text);
            }
            return;
        }
        if op == Op::Renew {
            // Of this lease alone: what denied it may be gone when the next one is due, and a secret whose leases are never
            // renewed again is a new database user each time.
            if let Some(lease) = node.lease_mut() {
                lease.renewable = false;
            }
            self.trouble(id, op, failure, false);
            self.plan(id);
            return;
        }
        // The pauses begin anew: how long an outage before this lasted says nothing about the denial.
        node.tries = if known { node.tries.saturating_add(1) } else { 1 };
        let minted = node.held.as_ref().is_some_and(Held::is_minted);
        let later = now.after(pause(node.tries, Duration::from_secs(2), MOST, draw));
        self.trouble(id, op, failure, true);
        // The denial may end while the lease lives: a standby catches up, or a person corrects the policy.
        let end = self.secret_expires(id).filter(|end| minted && *end > now);
        let at = end.map_or(later, |end| later.min(now.after(half_of(now, end))));
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
    }

    /// Repeats with a new login all that was denied.
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
