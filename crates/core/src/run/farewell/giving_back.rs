//! The end of a run revokes what the run minted: first the leases that do not end with their login, then the logins.

use std::time::Duration;

use super::{Farewell, LEAVING, Revoke};
use crate::engine::{Engine, Phase};
use crate::interface::action::{Action, Level};
use crate::interface::ids::{LeaseId, SecretId, TokenId};
use crate::secrets::graph::Node;
use crate::secrets::lease::Lease;
use crate::secrets::retire::OnDisk;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use leasehold_base::failure::{Failure, FailureKind};

impl Engine {
    /// Revokes everything. The logins are revoked after `patience` at the latest, even if leases are left by then.
    pub(super) fn give_back_all(&mut self, patience: Duration) {
        let tokens: Vec<TokenId> = self.upstream.session.logins.keys().copied().collect();
        for token in tokens {
            self.give_back(token);
        }
        // The login of these leases is gone, and did not take them along.
        let left = |engine: &Self, lease: &Lease| !engine.upstream.session.is_alive(lease.token);
        match &self.phase {
            Phase::Leaving(farewell) if farewell.revoke == Revoke::Everything => self.give_back_leases(left),
            Phase::Leaving(farewell) if farewell.revoke == Revoke::Minted => {
                self.give_back_leases(|engine, lease| {
                    left(engine, lease) && engine.upstream.session.is_of_this_run(lease.token)
                })
            }
            _ => {}
        }
        if let Phase::Leaving(Farewell { tokens, .. }) = &self.phase
            && let Some(first) = tokens.first()
        {
            self.timers.set(Timer::Leaving(*first), self.now.moment.after(patience));
        }
        self.begin_giving_back();
    }

    /// Revokes a login with all that it made: the token if it is ours, and the leases that do not end with it.
    pub(super) fn give_back(&mut self, token: TokenId) {
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        let Some(login) = self.upstream.session.logins.get(&token) else { return };
        match farewell.revoke {
            Revoke::Nothing => return,
            Revoke::Minted if login.since.is_none() => return,
            Revoke::Minted | Revoke::Everything => {}
        }
        let ours = login.is_ours();
        if ours {
            farewell.tokens.insert(token);
        }
        self.give_back_leases(|engine, lease| {
            lease.token == token && !(ours && engine.goes_with_login(lease))
        });
    }

    /// Has these leases revoked by themselves.
    fn give_back_leases(&mut self, which: impl Fn(&Self, &Lease) -> bool) {
        let now = self.now.moment;
        let held = self.graph.iter().filter_map(|(id, node)| Some((id, node.lease()?)));
        let held = held.filter(|(_, lease)| which(self, lease)).map(|(id, lease)| (id, lease.clone()));
        let held: Vec<(SecretId, Lease)> = held.collect();
        for (id, lease) in held {
            self.retirees.add(lease, Some(id), OnDisk::default());
        }
        let living = |lease: &Lease| lease.latest > now && which(self, lease);
        let leases: Vec<LeaseId> =
            self.retirees.iter().filter(|one| living(&one.lease)).map(|one| one.lease.id.clone()).collect();
        for lease in leases {
            self.work.add(Job::RevokeLease(lease), now);
        }
    }

    /// Writes down what the run has to revoke before it revokes anything.
    pub(super) fn begin_giving_back(&mut self) {
        if self.has_something_to_revoke() {
            self.write_ahead();
        }
        self.give_back_tokens(false);
    }

    pub(super) fn has_something_to_revoke(&self) -> bool {
        let waits = |farewell: &Farewell| !farewell.tokens.is_empty() || !farewell.behind_pages.is_empty();
        let waiting = matches!(&self.phase, Phase::Leaving(farewell) if waits(farewell));
        waiting || self.work.any(Job::is_revocation)
    }

    /// Revokes the logins once their leases elsewhere are revoked: nothing could revoke those afterwards. `now` if
    /// that has taken too long: a login takes more leases along than it leaves behind.
    pub(crate) fn give_back_tokens(&mut self, now: bool) {
        let of_lease = |job: &Job| matches!(job, Job::RevokeLease(_));
        let mints = self.work.any(of_lease) || self.may_mint_elsewhere();
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        if !now && (mints || farewell.behind_pages.iter().any(of_lease)) {
            return;
        }
        for token in std::mem::take(&mut farewell.tokens) {
            self.work.add(Job::RevokeToken(token), self.now.moment);
        }
    }

    pub(super) fn token_given_back(&mut self, token: TokenId, result: Result<(), Failure>) {
        self.work.finish(&Job::RevokeToken(token), self.now.moment);
        self.pass_pages(&result);
        match result {
            Ok(()) => {
                self.upstream.breaker.succeeded();
                self.forget_leases(token);
                self.upstream.session.logins.remove(&token);
                self.upstream.session.current =
                    self.upstream.session.current.filter(|current| *current != token);
                self.out.push(Action::DropToken(token));
            }
            Err(failure) if failure.kind == FailureKind::Denied => {
                // The token may not revoke itself, or is dead. Then at least its leases are revoked.
                self.note_failure(&failure);
                if self.is_given_up(token) {
                    // It was replaced, and denied for a quarter of a minute before the end: the next run could do no more.
                    self.upstream.session.logins.remove(&token);
                    self.out.push(Action::DropToken(token));
                } else {
                    self.mark_left(&format!("may not revoke the token: {}", failure.why));
                }
                self.give_back_leases(|_, lease| lease.token == token);
                self.begin_giving_back();
            }
            Err(failure) => {
                self.note_failure(&failure);
                self.again_while_leaving(Job::RevokeToken(token), &failure);
            }
        }
    }

    /// Forgets the leases of a revoked token, so that they are not left for the next run.
    fn forget_leases(&mut self, token: TokenId) {
        let gone = |engine: &Self, lease: &Lease| lease.token == token && engine.goes_with_login(lease);
        let retired = self.retirees.iter().filter(|one| gone(self, &one.lease));
        let retired: Vec<LeaseId> = retired.map(|one| one.lease.id.clone()).collect();
        for lease in retired {
            self.retirees.remove(&lease);
            self.work.remove(&Job::RevokeLease(lease));
        }
        let held = self.graph.iter().filter(|(_, node)| node.lease().is_some_and(|lease| gone(self, lease)));
        let held: Vec<SecretId> = held.map(|(id, _)| id).collect();
        for id in held {
            if let Some(node) = self.graph.get_mut(id) {
                node.held = None;
            }
        }
    }

    pub(super) fn lease_given_back(&mut self, lease: &LeaseId, result: Result<(), Failure>) {
        self.work.finish(&Job::RevokeLease(lease.clone()), self.now.moment);
        self.pass_pages(&result);
        self.lease_answered(lease, result);
        self.give_back_tokens(false);
    }

    fn lease_answered(&mut self, lease: &LeaseId, result: Result<(), Failure>) {
        match result {
            Ok(()) => {
                self.upstream.breaker.succeeded();
                self.lease_gone(lease);
            }
            Err(failure) if matches!(failure.kind, FailureKind::Missing | FailureKind::Rejected) => {
                self.lease_gone(lease);
            }
            // The lease went with its token meanwhile.
            Err(_) if self.retirees.get(lease).is_none() => {}
            Err(failure) if failure.kind == FailureKind::Denied => {
                self.note_failure(&failure);
                self.lease_denied(lease, &failure);
            }
            Err(failure) => {
                self.note_failure(&failure);
                self.again_while_leaving(Job::RevokeLease(lease.clone()), &failure);
            }
        }
    }

    /// Logs each lease by its name, since a person may want to revoke it by hand.
    fn lease_denied(&mut self, lease: &LeaseId, failure: &Failure) {
        let text = format!(
            "may not revoke the lease {}: {}; grant update on sys/leases/revoke in its namespace; it ends by itself",
            lease.0, failure.why
        );
        self.say_of_lease(lease, Level::Warn, text);
        if let Phase::Leaving(farewell) = &mut self.phase {
            farewell.left = true;
        }
    }

    fn lease_gone(&mut self, lease: &LeaseId) {
        let secret = self.retirees.remove(lease).and_then(|one| one.secret);
        let holds = |node: &&mut Node| node.lease().is_some_and(|held| held.id == *lease);
        if let Some(node) = secret.and_then(|id| self.graph.get_mut(id)).filter(holds) {
            node.held = None;
        }
    }

    /// Retries what failed because the server was away, after the next probe. There is little time, so nothing else
    /// is retried.
    fn again_while_leaving(&mut self, job: Job, failure: &Failure) {
        match failure.kind {
            FailureKind::Intercepted => self.wait_behind_pages(job),
            kind if kind.is_outage() => self.work.add(job, self.now.moment),
            _ => self.mark_left(&format!("could not revoke: {}", failure.why)),
        }
    }

    /// Puts off what a proxy has answered for Vault. A probe may be answered by Vault all the same, and after each of
    /// them everything would go again.
    fn wait_behind_pages(&mut self, job: Job) {
        let busy = self.work.any(Job::is_revocation);
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        farewell.behind_pages.insert(job.clone());
        if busy {
            return;
        }
        // Each has its turn: the proxy may answer for this path alone.
        let next = farewell.behind_pages.iter().find(|other| **other > job).or(farewell.behind_pages.first());
        if let Some(next) = next.cloned() {
            farewell.behind_pages.remove(&next);
            self.work.add(next, self.now.moment);
        }
    }

    /// Lets everything go again that waits behind pages, since the server itself has answered.
    fn pass_pages(&mut self, result: &Result<(), Failure>) {
        if result.as_ref().is_err_and(|failure| failure.kind.is_outage()) {
            return;
        }
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        for job in std::mem::take(&mut farewell.behind_pages) {
            self.work.add(job, self.now.moment);
        }
    }

    /// Returns whether the server may still have a lease of ours.
    pub(super) fn has_living_leases(&self) -> bool {
        let held = self.graph.iter().filter_map(|(_, node)| node.lease());
        let mut all = held.chain(self.retirees.iter().map(|one| &one.lease));
        all.any(|lease| lease.latest > self.now.moment)
    }

    /// Revokes also what an earlier run left, since the handoff that named it is gone.
    pub(super) fn give_back_rest(&mut self) {
        if let Phase::Leaving(farewell) = &mut self.phase
            && farewell.revoke == Revoke::Minted
        {
            farewell.revoke = Revoke::Everything;
            self.give_back_all(LEAVING / 2);
        }
    }
}
