//! Logging in, and in again, one login at a time; and what follows for the work that waits.

use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::action::Level;
use crate::interface::event::TokenFacts;
use crate::interface::ids::TokenId;
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::Login;
use crate::upstream::pauses::{half_of, told_to_wait};
use crate::upstream::session::{Entry, MOST_REFUSALS};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// The kubelet may be late with the credentials. `init` fails after this many tries, a second apart.
pub(crate) const MOST_UNFOUND: u32 = 5;
/// After this many pages in place of a login's answer, the login keeps its own pauses, whatever else is answered.
const PAGES: u32 = 3;
/// How long a refused login is tried again at a start: a pod may be there before its role, or while the API server
/// that reviews its token restarts.
const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// Asks for a login, at once or as soon as one may be tried; `planned` if it replaces one that still lives.
    pub(crate) fn want_login(&mut self, planned: bool) {
        // An heir is a login that was granted already.
        if self.upstream.judge.heir.is_some() || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        self.upstream.session.forgone = false;
        if self.upstream.session.entry != Entry::Quiet {
            return;
        }
        let (now, draw) = (self.now.moment, self.session_draw());
        self.upstream.session.planned = planned;
        let at = self.upstream.session.earliest(now, planned, draw);
        self.log_in_at(at);
    }

    pub(crate) fn log_in_at(&mut self, at: Moment) {
        if at <= self.now.moment {
            self.upstream.session.entry = Entry::Asked;
            self.timers.clear(&Timer::LogIn);
            self.work.add(Job::LogIn, self.now.moment);
        } else {
            self.upstream.session.entry = Entry::Resting;
            self.timers.set(Timer::LogIn, at);
        }
    }

    /// Starts a login that was put off and is due. If the token before it is in doubt, that token is looked up first:
    /// what denied the token may have ended, and then no login is needed.
    pub(crate) fn login_due(&mut self) {
        if self.upstream.session.entry == Entry::Resting && !self.ask_doubtful_first() {
            self.log_in_at(self.now.moment);
        }
    }

    /// Cancels the login that was wanted, unless it follows an exposed token. If it is under way, its token is revoked
    /// when it is granted.
    pub(crate) fn forgo_login(&mut self) {
        self.timers.clear(&Timer::LogIn);
        self.work.remove(&Job::LogIn);
        if self.work.is_under_way(&Job::LogIn) {
            self.upstream.session.forgone = true;
        } else {
            self.upstream.session.entry = Entry::Quiet;
        }
        self.follow_exposed();
    }

    /// Starts the work that waited for the server, once it is back. A login that failed because the server was away
    /// goes first. A login that was asked to come later keeps its pause, which holds for the login and not for the
    /// whole server.
    pub(crate) fn release_login(&mut self) {
        // A proxy may answer logins alone with a page, while the server answers everything else. If each of those
        // answers were a reason to try a login at once, the pauses would never grow.
        let tries = self.upstream.session.tries;
        let away = self.upstream.session.trouble.as_ref().is_some_and(|failure| match failure.kind {
            FailureKind::Overloaded(_) => false,
            FailureKind::Intercepted => tries <= PAGES,
            kind => kind.is_outage(),
        });
        if self.upstream.session.entry == Entry::Resting && away && !self.upstream.session.may_be_counted() {
            self.login_due();
        }
        if self.upstream.judge.asked.is_some() && self.upstream.judge.paused <= self.now.moment {
            self.look_up_due();
        }
        if let (Some(id), Some(login)) = (self.upstream.session.current, self.upstream.session.login())
            && login.tries > 0
        {
            self.timers.set(Timer::Token(id), login.paused.max(self.now.moment));
        }
    }

    /// Asks for a login if work waits that needs one: there is none, or the last one is nearly used up.
    pub(crate) fn want_login_for_work(&mut self) {
        let none = match self.upstream.session.login() {
            None => true,
            Some(login) => login.is_nearly_over(self.now.moment) && !login.renewable,
        };
        if none && self.upstream.session.entry == Entry::Quiet && self.work.wants_token() {
            self.want_login(self.upstream.session.current.is_some());
        }
    }

    /// Returns whether minting waits for a login. A lease dies with the login that made it. So nothing is minted
    /// while the login is nearly over and its renewal or successor is coming, or while it is not known how much of
    /// its life is left.
    pub(crate) fn is_login_awaited(&self) -> bool {
        let (Some(id), Some(login)) = (self.upstream.session.current, self.upstream.session.login()) else {
            return false;
        };
        let coming = || self.work.has(&Job::LogIn) || self.work.has(&Job::RenewToken(id));
        login.is_awaited() || (login.is_nearly_over(self.now.moment) && coming())
    }

    pub(crate) fn logged_in(&mut self, token: TokenId, sent: Moment, result: Result<TokenFacts, Failure>) {
        if !self.work.finish(&Job::LogIn, self.now.moment) {
            return;
        }
        let forgone = std::mem::take(&mut self.upstream.session.forgone);
        match result {
            Ok(facts) if forgone => self.return_login(token, sent, facts),
            Ok(facts) => self.login_granted(token, sent, facts),
            Err(failure) => self.login_failed(failure, forgone),
        }
    }

    /// Revokes a login that was granted but is not needed: the token before it has turned out to live.
    fn return_login(&mut self, token: TokenId, sent: Moment, facts: TokenFacts) {
        self.upstream.breaker.succeeded();
        self.counters.logins += 1;
        self.upstream.session.entry = Entry::Quiet;
        self.upstream.session.refusals = None;
        self.upstream.session.settled();
        self.upstream.session.add(token, Login::new(facts, sent, self.policy.owns_token));
        self.plan_token(token);
        self.leave(token);
        self.keep(true);
    }

    fn login_granted(&mut self, token: TokenId, sent: Moment, facts: TokenFacts) {
        self.upstream.breaker.succeeded();
        self.counters.logins += 1;
        if let Some(uses) = facts.uses {
            let text = format!(
                "the login's token can be used {uses} times only, and takes its leases with it: set token_num_uses to 0 for the role"
            );
            self.say(Level::Warn, text);
        }
        self.say(Level::Info, format!("logged in, accessor {}", name_of(&facts.accessor)));
        let planned = self.upstream.session.planned;
        self.upstream.session.granted(self.now.moment, planned);
        self.timers.clear(&Timer::Patience);
        self.upstream.session.add(token, Login::new(facts, sent, self.policy.owns_token));
        if !self.doubtful_has_last_word(token) {
            self.take_over(token);
        }
        self.keep(true);
    }

    /// Makes a granted login the one with which requests are made from here on.
    pub(crate) fn take_over(&mut self, token: TokenId) {
        let before = self.upstream.session.current.replace(token);
        if let Some(login) = self.upstream.session.logins.get_mut(&token) {
            login.in_use = Some(self.now.moment);
        }
        self.acquit();
        self.mark_sinks();
        if let Some(before) = before {
            self.succeed(before, token);
        }
        self.judge_doubtful(token);
        self.plan_token(token);
        self.confirm_blindness(token);
    }

    /// Handles that `new` takes over from `old`, which still lives.
    fn succeed(&mut self, old: TokenId, new: TokenId) {
        if !self.adopt_if_same(old, new) {
            self.leave(old);
        }
    }

    /// Moves everything to the new number, if the "new" login is the same token (from a file that has not changed).
    /// Nothing is read again. Returns whether it is the same.
    pub(crate) fn adopt_if_same(&mut self, old: TokenId, new: TokenId) -> bool {
        let accessor = |id| self.upstream.session.logins.get(&id).map(|login| login.accessor.clone());
        let same = accessor(old).is_some_and(|name| !name.is_empty() && Some(name) == accessor(new));
        if same {
            for (_, node) in self.graph.iter_mut() {
                node.lag.renamed(old, new);
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

    fn login_failed(&mut self, failure: Failure, forgone: bool) {
        self.counters.failed_logins += 1;
        self.setback = true;
        let away = self.note_failure(&failure);
        let refused = self.counts_as_refused(failure.kind);
        if forgone {
            self.upstream.session.entry = Entry::Quiet;
            if refused && self.policy.locks_out {
                self.upstream.session.refused(self.now.moment, &failure.why);
            }
            return;
        }
        if refused {
            self.login_refused(failure);
            return;
        }
        // A quota counts down, so the seconds that it names are always others.
        let alike = |before: &Failure| before.kind.class() == failure.kind.class();
        let known = self.upstream.session.trouble.as_ref().is_some_and(alike);
        let (now, draw) = (self.now.moment, self.session_draw());
        let wait = match failure.kind {
            FailureKind::Local | FailureKind::Unusable => {
                self.upstream.session.unfound += 1;
                let early = self.upstream.session.unfound <= MOST_UNFOUND;
                let tries = if early { 1 } else { self.upstream.session.unfound - MOST_UNFOUND };
                pause(tries, Duration::from_secs(1), Duration::from_secs(60), draw)
            }
            kind => {
                self.upstream.session.tries = self.upstream.session.tries.saturating_add(1);
                let longest = Duration::from_secs(30);
                let asked = if let FailureKind::Overloaded(asked) = kind { asked } else { None };
                let asked = asked.unwrap_or_default().min(longest);
                let wait =
                    pause(self.upstream.session.tries, Duration::from_secs(1), longest, draw).max(asked);
                self.before_the_end(wait)
            }
        };
        if !known && (!away || failure.kind == FailureKind::Intercepted) {
            self.say(Level::Warn, format!("could not log in: {}", failure.why));
        } else if let (false, Some((level, text))) = (known, told_to_wait("could not log in", &failure, wait))
        {
            self.say(level, text);
        }
        self.upstream.session.failed(now, failure);
        self.upstream.session.alone = away
            && !self.upstream.breaker.is_confirmed()
            && (self.upstream.session.alone || self.upstream.session.tries > PAGES);
        self.log_in_at(now.after(wait));
    }

    /// Returns `wait`, or half of what is left of the token that the login is to follow, if that is sooner. No pause lasts
    /// until the files are dead.
    fn before_the_end(&self, wait: Duration) -> Duration {
        let now = self.now.moment;
        let end = self.upstream.session.login().and_then(|login| login.expires).filter(|end| *end > now);
        end.map_or(wait, |end| wait.min(half_of(now, end)))
    }

    /// Returns whether a login that failed in this way was refused, or may have been refused like the one before it.
    pub(crate) fn counts_as_refused(&self, kind: FailureKind) -> bool {
        match kind {
            FailureKind::Refused | FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected => true,
            FailureKind::Unheard => self.upstream.session.may_be_counted(),
            _ => false,
        }
    }

    /// Handles a refused login, with one message. Where accounts are locked, wrong credentials get few tries;
    /// elsewhere the tries go on.
    fn login_refused(&mut self, failure: Failure) {
        let (now, draw) = (self.now.moment, self.session_draw());
        let known = self.upstream.session.trouble.as_ref().is_some_and(|before| before.kind == failure.kind);
        let count = self.upstream.session.refused(now, &failure.why);
        if self.policy.locks_out {
            self.tell_capped(count, known, &failure);
        } else if !known {
            let text = format!("the login is refused: {}; asking again, at least once a minute", failure.why);
            self.say(Level::Error, text);
        }
        if self.is_starting() && !self.policy.locks_out && self.upstream.session.patience.is_none() {
            let until = now.after(PATIENCE);
            self.upstream.session.patience = Some(until);
            self.timers.set(Timer::Patience, until);
        }
        self.upstream.session.failed(now, failure);
        let at = self.upstream.session.earliest(now, true, draw);
        self.log_in_at(at);
        self.keep(true);
    }

    fn tell_capped(&mut self, count: u32, known: bool, failure: &Failure) {
        if count < MOST_REFUSALS && !known {
            let text = format!(
                "the login is refused: {}; asking again, {MOST_REFUSALS} times in all, so that the server does not lock the account",
                failure.why
            );
            self.say(Level::Warn, text);
        }
        // At a start, the refusal is the reason for the end of the run, and is reported there.
        if count < MOST_REFUSALS || self.is_starting() {
            return;
        }
        let what = if failure.kind == FailureKind::Unheard { "refused, or not answered" } else { "refused" };
        // The one more try is spent, whatever the credentials: the server counts by account.
        let once = if count == MOST_REFUSALS { ", or once when the credentials change" } else { "" };
        let text = format!(
            "the login is {what}: {}; asking again in a quarter of an hour{once}, so that the server does not lock the account",
            failure.why
        );
        self.say(Level::Error, text);
    }

    /// Tries a login once more, if one is wanted: the credentials changed, or a person asks.
    pub(crate) fn ask_again(&mut self) {
        self.upstream.session.pardon(self.now.moment);
        if self.upstream.session.entry == Entry::Resting {
            let (now, draw) = (self.now.moment, self.session_draw());
            let at = self.upstream.session.earliest(now, true, draw);
            if at <= now { self.login_due() } else { self.log_in_at(at) }
        }
    }

    /// Handles a changed client certificate. The server renews a token only for the certificate that logged in. So
    /// the token can no longer be renewed, and another login follows at once, while its leases still live.
    pub(crate) fn certificate_changed(&mut self) {
        self.ask_again();
        let bound = self.policy.binds_certificate && self.upstream.session.current.is_some();
        if bound && self.upstream.session.entry == Entry::Quiet && matches!(self.phase, Phase::Running) {
            self.say(Level::Info, "the client certificate changed: logging in with it".to_owned());
            self.want_login(true);
        }
    }
}

fn name_of(accessor: &str) -> &str {
    if accessor.is_empty() { "none (a batch token)" } else { accessor }
}
