//! Revokes what was replaced: leases by themselves, or together with the login that made them. Whatever cannot be
//! revoked expires by itself.

use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::action::Level;
use crate::interface::ids::{FileId, LeaseId, SecretId, TokenId};
use crate::secrets::lease::Lease;
use crate::secrets::namespace;
use crate::secrets::retire::{OnDisk, Way};
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::Standing;
use crate::upstream::pauses::told_to_wait;
use leasehold_base::failure::{Failure, FailureKind};

/// A lease or token whose revocation was denied this often, over three minutes, is left to expire. One denial is not
/// enough: a mesh that denies everything for a while would leave a database user for the whole life of the lease.
const DENIALS: u32 = 8;

/// After this many denials of a token's revocation, over a quarter of a minute, its leases are revoked one by one: the
/// token may not be allowed to revoke itself. Most policies allow that, and not that leases are revoked.
const PATIENCE: u32 = 4;

/// After this many denials of one revocation, the token is looked up. Nothing else may be due for a long time that
/// would show that the token is dead, and with another login the lease can be revoked.
const DOUBTFUL_AT: [u32; 2] = [2, 6];

/// The pause before the next question whether a kept lease or token may be revoked.
const KEPT: Duration = Duration::from_secs(30);

impl Engine {
    /// Retires a lease that was replaced, or whose secret was dropped; `files` on disk still depend on it.
    pub(crate) fn retire(&mut self, lease: Lease, secret: Option<SecretId>, files: OnDisk) {
        let id = lease.id.clone();
        if self.retirees.add(lease, secret, files) {
            self.free_leases(vec![id]);
        }
        self.await_ends();
        self.keep(true);
    }

    /// Plans the revocation of leases that nothing uses any more: they are revoked after a grace period.
    pub(crate) fn free_leases(&mut self, leases: Vec<LeaseId>) {
        let now = self.now.moment;
        for id in leases {
            let Some(one) = self.retirees.get_mut(&id) else { continue };
            if one.lease.latest <= now {
                self.lease_over(&id);
                continue;
            }
            one.way = Way::Grace;
            let at = one.grace(now);
            self.timers.set(Timer::Retiree(id), at);
        }
    }

    /// Revokes a lease whose grace period is over, or whose revocation is retried.
    pub(crate) fn retiree_due(&mut self, id: &LeaseId) {
        let now = self.now.moment;
        let Some(one) = self.retirees.get(id) else { return };
        if one.lease.latest <= now {
            self.lease_over(id);
            return;
        }
        let token = one.lease.token;
        let login = self.upstream.session.logins.get(&token);
        let with_token = login.is_some_and(|login| login.state == Standing::Leaving && login.is_ours())
            && one.tries == 0
            && self.retirees.get(id).is_some_and(|one| self.goes_with_login(&one.lease));
        let Some(one) = self.retirees.get_mut(id) else { return };
        if with_token {
            one.way = Way::WithToken;
            self.check_leaving(token);
        } else {
            one.way = Way::Revoking;
            self.work.add(Job::RevokeLease(id.clone()), now);
        }
    }

    /// Forgets a replaced lease that was revoked or has expired.
    pub(crate) fn lease_over(&mut self, id: &LeaseId) {
        self.timers.clear(&Timer::Retiree(id.clone()));
        self.work.remove(&Job::RevokeLease(id.clone()));
        if let Some(one) = self.retirees.remove(id) {
            self.check_leaving(one.lease.token);
            self.keep(true);
        }
    }

    /// Returns whether the server revokes this lease with the login that made it.
    pub(crate) fn goes_with_login(&self, lease: &Lease) -> bool {
        let login = self.upstream.session.logins.get(&lease.token);
        login.is_none_or(|login| !lease.outlives(namespace::of(&login.accessor)))
    }

    /// Returns whether a read under way may bring a lease that does not end with its login, so that nothing could
    /// revoke the lease after the login is gone.
    pub(crate) fn may_mint_elsewhere(&self) -> bool {
        self.work.under_way(|job| match job {
            Job::Read(id) => self.graph.get(*id).is_some_and(|node| match node.lease() {
                Some(lease) => !self.goes_with_login(lease),
                None => node.held.is_none(),
            }),
            _ => false,
        })
    }

    /// Returns the login to revoke a lease with: the current one, or the one that made it.
    pub(crate) fn token_to_revoke(&self, id: &LeaseId) -> Option<TokenId> {
        let one = self.retirees.get(id);
        let own = one.map(|one| one.lease.token);
        let by_own = one.is_some_and(|one| one.by_own);
        // At the end of a run, the current login may be revoked before another one and its leases.
        let first = own.filter(|_| by_own);
        let order = first.into_iter().chain(self.upstream.session.current).chain(own);
        order.into_iter().find(|token| self.upstream.session.is_alive(*token))
    }

    /// Tries the login that made a lease, since it may revoke what the current one may not: their roles can differ.
    fn try_own_login(&mut self, id: &LeaseId) -> bool {
        let current = self.upstream.session.current;
        let session = &self.upstream.session;
        let Some(one) = self.retirees.get_mut(id) else { return false };
        let other = current != Some(one.lease.token) && session.is_alive(one.lease.token);
        if one.by_own || !other {
            return false;
        }
        one.by_own = true;
        self.work.add(Job::RevokeLease(id.clone()), self.now.moment);
        true
    }

    pub(crate) fn lease_revoked(&mut self, id: &LeaseId, result: Result<(), Failure>) {
        let job = Job::RevokeLease(id.clone());
        let with = self.work.token_of(&job);
        self.work.finish(&job, self.now.moment);
        match result {
            Ok(()) => {
                self.upstream.breaker.succeeded();
                self.retirees.rested();
                self.say_of_lease(id, Level::Debug, format!("revoked the lease {}", id.0));
                self.lease_over(id);
            }
            Err(failure) => self.lease_not_revoked(id, &failure),
        }
        if let Some(token) = with {
            self.spend(token);
        }
    }

    /// Returns whether a revocation has to wait, since the server asked for a pause, and puts it off if so. After the
    /// pause, one revocation at a time finds out whether more are taken: otherwise each round would send all that
    /// wait.
    pub(crate) fn is_revocation_put_off(&mut self, job: &Job) -> bool {
        let Some(until) = self.retirees.resting_until() else { return false };
        let now = self.now.moment;
        if until <= now && !self.work.under_way(Job::is_revocation) {
            return false;
        }
        let spread = Duration::from_secs(1).mul_f64(0.25 + 0.75 * self.session_draw());
        let at = until.max(now).after(spread);
        match job {
            Job::RevokeLease(id) => {
                let end = self.retirees.get_mut(id).map_or(now, |one| one.lease.latest);
                self.timers.set(Timer::Retiree(id.clone()), at.min(end));
            }
            Job::RevokeToken(id) => self.timers.set(Timer::Leaving(*id), at),
            _ => return false,
        }
        self.work.remove(job);
        true
    }

    /// Lets all revocations wait, since the server asked for that: for `asked` if it named a time.
    fn pause_revocations(&mut self, asked: Option<Duration>, failure: &Failure, draw: f64) {
        let now = self.now.moment;
        self.retirees.rest(now, asked, draw);
        let wait = self.retirees.resting_until().map_or(Duration::ZERO, |until| now.until(until));
        if let Some((level, text)) = told_to_wait("revocations", failure, wait)
            && self.retirees.is_pause_news(now)
        {
            self.say(level, text);
        }
    }

    /// Asks later whether the lease may be revoked. It stays in the handoff until then, and ends by itself at the latest.
    pub(crate) fn lease_kept(&mut self, id: &LeaseId) {
        let now = self.now.moment;
        self.work.finish(&Job::RevokeLease(id.clone()), now);
        let Some(one) = self.retirees.get_mut(id) else { return };
        one.way = Way::Revoking;
        let at = now.after(KEPT).min(one.lease.latest);
        self.timers.set(Timer::Retiree(id.clone()), at);
        self.say_of_lease(id, Level::Debug, format!("kept the lease {}: it may still be used", id.0));
    }

    /// Asks later whether the token may be revoked.
    pub(crate) fn token_kept(&mut self, id: TokenId) {
        let now = self.now.moment;
        self.work.finish(&Job::RevokeToken(id), now);
        self.timers.set(Timer::Leaving(id), now.after(KEPT));
    }

    fn lease_not_revoked(&mut self, id: &LeaseId, failure: &Failure) {
        self.note_failure(failure);
        if failure.kind == FailureKind::Denied && self.try_own_login(id) {
            return;
        }
        let draw = self.session_draw();
        let Some(one) = self.retirees.get_mut(id) else { return };
        match failure.kind {
            // The lease is gone already.
            FailureKind::Missing | FailureKind::Rejected => self.lease_over(id),
            FailureKind::Denied if self.upstream.session.current.is_some() && one.tries >= DENIALS => {
                let why = &failure.why;
                let text = format!("may not revoke the lease {}: {why}; it ends by itself", id.0);
                self.say_of_lease(id, Level::Warn, text);
                self.lease_over(id);
            }
            kind => {
                // A proxy may have denied everything for a moment, so neither login's denial is final: both are tried
                // again.
                one.by_own = false;
                one.tries = one.tries.saturating_add(1);
                let asks = kind == FailureKind::Denied && DOUBTFUL_AT.contains(&one.tries);
                let wait = pause(one.tries, Duration::from_secs(1), Duration::from_secs(60), draw);
                let at = self.now.moment.after(wait).min(one.lease.latest);
                self.timers.set(Timer::Retiree(id.clone()), at);
                if let FailureKind::Overloaded(asked) = kind {
                    self.pause_revocations(asked, failure, draw);
                }
                if asks && self.upstream.judge.can_look_up != Some(false) {
                    self.look_up(self.upstream.session.current);
                }
                if kind == FailureKind::Denied {
                    self.put_off_leases_denied_before(id, at);
                }
            }
        }
    }

    /// Leaves a login that a newer one has replaced: its leases are minted anew, and then it is revoked.
    pub(crate) fn leave(&mut self, id: TokenId) {
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        login.state = Standing::Leaving;
        self.timers.clear(&Timer::Token(id));
        self.timers.clear(&Timer::Proof(id));
        let of = |lease: &Lease| lease.token == id;
        let leased: Vec<SecretId> =
            self.graph.iter().filter(|(_, node)| node.lease().is_some_and(of)).map(|(id, _)| id).collect();
        self.remint(&leased);
        self.check_leaving(id);
    }

    /// Retries the revocation of a login that was replaced. At the end of a run it no longer waits for the login's
    /// leases.
    pub(crate) fn leaving_due(&mut self, id: TokenId) {
        let tried = self.upstream.session.logins.get(&id).is_some_and(|login| login.unrevoked > 0);
        if matches!(self.phase, Phase::Leaving(_)) {
            self.give_back_tokens(true);
        } else if tried {
            // Nothing used it at the first try, and it has minted nothing since. Its leases may be revoked one by one
            // meanwhile, which nobody has to wait for.
            self.work.add(Job::RevokeToken(id), self.now.moment);
        } else {
            self.check_leaving(id);
        }
    }

    /// Returns whether an earlier run left this login to be revoked, and files on disk may still depend on it: this
    /// run has not published everything yet, or not every notifier was notified.
    fn is_stray(&self, id: TokenId) -> bool {
        let stray = self.upstream.session.logins.get(&id).is_some_and(|login| login.stray);
        stray && !(self.shelf.is_all_published() && self.untold().is_empty())
    }

    /// Revokes what an earlier run left, once no file on disk depends on it.
    pub(crate) fn settle_strays(&mut self) {
        let strays = self.upstream.session.logins.iter().filter(|(_, login)| login.stray);
        let strays: Vec<TokenId> = strays.map(|(id, _)| *id).collect();
        for id in strays {
            if !self.is_stray(id) {
                if let Some(login) = self.upstream.session.logins.get_mut(&id) {
                    login.stray = false;
                }
                self.check_leaving(id);
            }
        }
    }

    /// Revokes a login that was replaced, once nothing depends on it.
    pub(crate) fn check_leaving(&mut self, id: TokenId) {
        let Some(login) = self.upstream.session.logins.get(&id) else { return };
        if login.state != Standing::Leaving || matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        let needed = self.retirees.wait_for(id) || self.graph.holds_lease_of(id);
        if needed || self.sinks.keep(id, self.now.moment) || self.is_stray(id) {
            return;
        }
        if self.work.uses(id) {
            // An answer on its way may bring a lease that would be lost. The answer leads here again.
            self.timers.set(Timer::Leaving(id), self.now.moment.after(Duration::from_secs(1)));
        } else if login.unrevoked > 0 && self.timers.at(&Timer::Leaving(id)).is_some() {
            // Its revocation has failed, and is tried again after a pause.
        } else if login.is_ours() {
            self.work.add(Job::RevokeToken(id), self.now.moment);
        } else {
            self.forget_login(id);
        }
    }

    pub(crate) fn token_revoked(&mut self, id: TokenId, result: Result<(), Failure>) {
        self.work.finish(&Job::RevokeToken(id), self.now.moment);
        match result {
            Ok(()) => {
                self.upstream.breaker.succeeded();
                self.retirees.rested();
                self.say(Level::Info, "revoked the token that was replaced".to_owned());
                self.login_gone(id);
            }
            Err(failure) => self.token_not_revoked(id, &failure),
        }
    }

    /// Forgets a revoked login and all its leases, which went with it.
    fn login_gone(&mut self, id: TokenId) {
        for lease in self.retirees.of(id) {
            self.retirees.remove(&lease);
        }
        self.forget_login(id);
    }

    fn token_not_revoked(&mut self, id: TokenId, failure: &Failure) {
        self.note_failure(failure);
        let draw = self.session_draw();
        let Some(login) = self.upstream.session.logins.get_mut(&id) else { return };
        login.unrevoked = login.unrevoked.saturating_add(1);
        let tries = login.unrevoked;
        match failure.kind {
            FailureKind::Missing | FailureKind::Rejected => {
                self.revoke_leases_of(id);
                self.forget_login(id);
            }
            FailureKind::Denied if tries > DENIALS => {
                let (accessor, why) = (&login.accessor, &failure.why);
                let text = format!(
                    "may not revoke the token {accessor}, which was replaced: {why}; it ends by itself"
                );
                self.say(Level::Warn, text);
                self.forget_login(id);
            }
            kind => {
                let wait = pause(tries, Duration::from_secs(1), Duration::from_secs(60), draw);
                let at = self.now.moment.after(wait);
                self.timers.set(Timer::Leaving(id), at);
                match kind {
                    FailureKind::Overloaded(asked) => self.pause_revocations(asked, failure, draw),
                    FailureKind::Denied => {
                        self.put_off_tokens_denied_before(id, at);
                        if tries >= PATIENCE {
                            self.revoke_leases_of(id);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Returns whether a replaced login was denied its revocation so often that its leases are revoked one by one.
    pub(crate) fn is_given_up(&self, id: TokenId) -> bool {
        self.upstream.session.logins.get(&id).is_some_and(|login| login.unrevoked >= PATIENCE)
    }

    /// Has the leases of a login revoked one by one that were to go with it.
    fn revoke_leases_of(&mut self, id: TokenId) {
        for lease in self.retirees.of(id) {
            if let Some(one) = self.retirees.get_mut(&lease).filter(|one| one.way == Way::WithToken) {
                one.way = Way::Revoking;
                self.work.add(Job::RevokeLease(lease), self.now.moment);
            }
        }
    }

    /// Frees what these files no longer use, since they are on disk as they should be.
    pub(crate) fn free_of_files(&mut self, files: &[FileId]) {
        let untold = self.lacking(files);
        self.sinks_settled(files, &untold);
        for (file, secret) in std::mem::take(&mut self.shelf.departed) {
            if let Some(lease) = self.graph.get(secret).and_then(|node| node.lease()) {
                let of_file = untold.iter().filter(|(of, _)| *of == file).map(|(_, whom)| *whom);
                self.retirees.leave(&lease.id, of_file, self.now.moment);
            }
        }
        if !self.retirees.is_idle() {
            let free = self.retirees.published(files, &untold, self.now.moment);
            self.free_leases(free);
            self.await_ends();
        }
    }

    /// Sets the deadlines of leases that a reader may never stop using, such as a process that is never restarted:
    /// they expire by themselves.
    fn await_ends(&mut self) {
        for (id, latest) in self.retirees.take_off_disk() {
            self.timers.set(Timer::Retiree(id), latest);
        }
    }
}
