//! The end: everything minted is given back where that is wanted, within a bound, and the
//! handoff is left or deleted to match.

use std::time::Duration;

use super::action::{Action, Level};
use super::agent::{Agent, Phase};
use super::event::Event;
use super::ids::{LeaseId, TokenId};
use super::lease::Lease;
use super::policy::Mode;
use super::timers::Timer;
use super::work::Job;
use crate::exit::{Cause, Ending};
use crate::vault::failure::{Failure, FailureKind};

/// Kubernetes kills thirty seconds after SIGTERM; this leaves room for a delay before.
const LEAVING: Duration = Duration::from_secs(10);

/// What is given back at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revoke {
    Everything,
    /// What this run minted; what it took over stays for the next try.
    Minted,
    Nothing,
}

/// How far the end has got.
#[derive(Debug)]
pub(super) struct Farewell {
    result: Result<(), Ending>,
    revoke: Revoke,
    stage: Stage,
    /// Something could not be given back.
    left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Revoking,
    Saving,
}

impl Agent {
    /// Told to stop.
    pub(super) fn stop(&mut self, at_once: bool) {
        match self.phase {
            Phase::Running if self.is_starting() => {
                let what = "stopped before everything was published";
                self.fail(Ending::new(Cause::Deadline, what, "start it again"));
            }
            Phase::Running | Phase::Draining if self.child.is_some() => {
                self.phase = Phase::Draining;
                self.stop_child();
            }
            Phase::Running | Phase::Yielding if !at_once && !self.policy.shutdown.delay.is_zero() => {
                self.phase = Phase::Draining;
                self.timers.set(Timer::Stop, self.now.moment.after(self.policy.shutdown.delay));
            }
            Phase::New | Phase::Running | Phase::Yielding | Phase::Draining => self.stop_now(),
            Phase::Leaving(_) | Phase::Over => {}
        }
    }

    pub(super) fn stop_now(&mut self) {
        let revoke = if self.policy.shutdown.revoke { Revoke::Everything } else { Revoke::Nothing };
        self.leave_with(Ok(()), revoke, LEAVING);
    }

    /// The delay, or the time for leaving, is over.
    pub(super) fn stop_due(&mut self) {
        match &mut self.phase {
            Phase::Draining => self.stop_now(),
            Phase::Leaving(farewell) if farewell.stage == Stage::Revoking => {
                farewell.left |= farewell.revoke != Revoke::Nothing && !self.work.any(Job::is_revocation);
                if self.work.any(Job::is_revocation) {
                    self.mark_left("no time is left to revoke everything");
                }
                self.work.clear_ready();
                self.close();
            }
            Phase::Leaving(_) => self.end(),
            Phase::New | Phase::Running | Phase::Yielding | Phase::Over => {}
        }
    }

    /// Begins the end: it takes at most `within`.
    pub(super) fn leave_with(&mut self, result: Result<(), Ending>, revoke: Revoke, within: Duration) {
        self.phase = Phase::Leaving(Farewell { result, revoke, stage: Stage::Revoking, left: false });
        self.timers.clear_all();
        self.work.clear_ready();
        self.timers.set(Timer::Stop, self.now.moment.after(within));
        self.give_back_all();
    }

    fn give_back_all(&mut self) {
        let tokens: Vec<TokenId> = self.session.logins.keys().copied().collect();
        for token in tokens {
            self.give_back(token);
        }
    }

    /// Gives back a login with all it made: the token where it is ours, or its leases.
    fn give_back(&mut self, token: TokenId) {
        let Phase::Leaving(farewell) = &self.phase else { return };
        let Some(login) = self.session.logins.get(&token) else { return };
        match farewell.revoke {
            Revoke::Nothing => return,
            Revoke::Minted if login.since.is_none() => return,
            Revoke::Minted | Revoke::Everything => {}
        }
        if self.policy.owns_token && !login.batch {
            // Whatever is heard of it, the next run must not rely on a token that was to be revoked.
            self.judge.unsure = true;
            self.work.add(Job::RevokeToken(token), self.now.moment);
        } else {
            self.give_back_leases(token);
        }
    }

    fn give_back_leases(&mut self, token: TokenId) {
        let now = self.now.moment;
        let held: Vec<Lease> = self
            .graph
            .iter()
            .filter_map(|(_, node)| node.lease())
            .filter(|l| l.token == token)
            .cloned()
            .collect();
        for lease in held {
            self.retirees.add(lease, None, std::collections::BTreeSet::new());
        }
        for (lease, latest) in self.retirees.of(token).into_iter().filter_map(|id| {
            let latest = self.retirees.get(&id)?.lease.latest;
            Some((id, latest))
        }) {
            if latest > now {
                self.work.add(Job::RevokeLease(lease), now);
            }
        }
    }

    /// While leaving, only answers about what must be given back matter.
    pub(super) fn take_leaving(&mut self, event: Event) {
        match event {
            Event::LoggedIn { token, sent, result } => {
                self.work.finish(&Job::LogIn);
                match result {
                    Ok(facts) => {
                        self.session.logins.insert(token, super::session::Login::new(facts, sent));
                        self.give_back(token);
                    }
                    // The next run must know: a crash loop would be refused once a run, up to the lockout.
                    Err(failure) if self.counts_as_refused(failure.kind) => {
                        self.session.refused(self.now.moment, &failure.why);
                    }
                    Err(_) => {}
                }
            }
            Event::LookedUp { token, .. } => {
                self.work.finish(&Job::LookUp(token));
            }
            Event::TokenRenewed { token, .. } => {
                self.work.finish(&Job::RenewToken(token));
            }
            Event::Resolved { secret, .. } => {
                self.work.finish(&Job::Resolve(secret));
            }
            Event::Wrapped { file, .. } => {
                self.work.finish(&Job::Wrap(file));
            }
            Event::Renewed { secret, .. } => {
                self.work.finish(&Job::Renew(secret));
            }
            Event::Read { secret, token, sent, result } => {
                self.work.finish(&Job::Read(secret));
                if let Ok(facts) = result {
                    let leased = facts.lease.is_some();
                    self.hold_for_the_next(secret, token, sent, facts);
                    if leased {
                        self.give_back(token);
                    }
                }
            }
            Event::Probed(result) => {
                self.breaker.probed(result, LEAVING, self.now.moment);
            }
            Event::TokenRevoked { token, result } => self.token_given_back(token, result),
            Event::LeaseRevoked { lease, result } => self.lease_given_back(&lease, result),
            Event::Published { unit, .. } => {
                self.shelf.unit_mut(unit).publishing = None;
            }
            Event::Inspected { .. } | Event::Look | Event::Exposed => {}
            Event::HandoffSaved(result) => self.handoff_closed(result),
            // A second signal means: now.
            Event::Stop { .. } => self.stop_due(),
            Event::Signalled(signal) => self.signalled_while_leaving(signal),
            Event::Start { .. }
            | Event::Wake
            | Event::Rendered { .. }
            | Event::Notified { .. }
            | Event::Spawned(_)
            | Event::ChildEnded
            | Event::Refresh
            | Event::Yield
            | Event::Resume
            | Event::CredentialsChanged
            | Event::CertificateChanged => {}
        }
    }

    fn token_given_back(&mut self, token: TokenId, result: Result<(), Failure>) {
        self.work.finish(&Job::RevokeToken(token));
        match result {
            Ok(()) => {
                self.breaker.succeeded();
                for lease in self.retirees.of(token) {
                    self.retirees.remove(&lease);
                    self.work.remove(&Job::RevokeLease(lease));
                }
                self.session.logins.remove(&token);
                self.forget_leases(token);
                self.out.push(Action::DropToken(token));
            }
            Err(failure) if failure.kind == FailureKind::Denied => {
                // It may not revoke itself: then at least its leases. Or it is dead.
                self.note_failure(&failure);
                self.mark_left(&format!("may not revoke the token: {}", failure.why));
                self.give_back_leases(token);
            }
            Err(failure) => {
                self.note_failure(&failure);
                self.again_while_leaving(Job::RevokeToken(token), &failure);
            }
        }
    }

    /// A revoked token's leases are gone: they are not in what is left for the next run.
    fn forget_leases(&mut self, token: TokenId) {
        for id in self.graph.ids() {
            if let Some(node) = self.graph.get_mut(id)
                && node.lease().is_some_and(|lease| lease.token == token)
            {
                node.held = None;
            }
        }
    }

    fn lease_given_back(&mut self, lease: &LeaseId, result: Result<(), Failure>) {
        self.work.finish(&Job::RevokeLease(lease.clone()));
        match result {
            Ok(()) => {
                self.breaker.succeeded();
                self.lease_gone(lease);
            }
            Err(failure) if matches!(failure.kind, FailureKind::Missing | FailureKind::Rejected) => {
                self.lease_gone(lease);
            }
            // It went with its token meanwhile.
            Err(_) if self.retirees.get(lease).is_none() => {}
            Err(failure) if failure.kind == FailureKind::Denied => {
                self.note_failure(&failure);
                self.mark_left(&format!("may not revoke the lease {}: {}", lease.0, failure.why));
            }
            Err(failure) => {
                self.note_failure(&failure);
                self.again_while_leaving(Job::RevokeLease(lease.clone()), &failure);
            }
        }
    }

    fn lease_gone(&mut self, lease: &LeaseId) {
        self.retirees.remove(lease);
        for id in self.graph.ids() {
            if let Some(node) = self.graph.get_mut(id)
                && node.lease().is_some_and(|held| held.id == *lease)
            {
                node.held = None;
            }
        }
    }

    /// There is little time: what fails for want of a server waits for the next probe, what fails
    /// otherwise is not tried again.
    fn again_while_leaving(&mut self, job: Job, failure: &Failure) {
        if failure.kind.is_outage() {
            self.work.add(job, self.now.moment);
        } else {
            self.mark_left(&format!("could not revoke: {}", failure.why));
        }
    }

    fn mark_left(&mut self, text: &str) {
        if let Phase::Leaving(farewell) = &mut self.phase {
            let first = !std::mem::replace(&mut farewell.left, true);
            if first {
                self.say(Level::Warn, format!("{text}; what is left ends by itself"));
            }
        }
    }

    /// Goes on to the end once nothing is left to be given back or waited for.
    pub(super) fn settle_farewell(&mut self) {
        let Phase::Leaving(farewell) = &self.phase else { return };
        if farewell.stage != Stage::Revoking {
            return;
        }
        let revoking = self.work.any(Job::is_revocation);
        // An answer on its way may bring something that must be given back.
        let minting = farewell.revoke != Revoke::Nothing && self.is_minting();
        let publishing = self.shelf.units().any(|(_, unit)| unit.publishing.is_some());
        if !revoking && !minting && !publishing && self.keeper.is_written() {
            self.close();
        }
    }

    fn is_minting(&self) -> bool {
        let reads_matter = !self.policy.owns_token;
        self.work.under_way(|job| matches!(job, Job::LogIn) || (reads_matter && matches!(job, Job::Read(_))))
    }

    /// Leaves the handoff as the next run should find it.
    fn close(&mut self) {
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        farewell.stage = Stage::Saving;
        let clean = farewell.revoke == Revoke::Everything && !farewell.left;
        let nothing = clean || self.session.logins.is_empty();
        // What the next run is to know although there is nothing for it to go on with.
        let remembered = self.session.refusals.is_some() || !self.untold().is_empty();
        if !self.policy.handoff {
            self.end();
        } else if nothing && !remembered {
            self.out.push(Action::DropHandoff);
            self.end();
        } else {
            self.timers.set(Timer::Stop, self.now.moment.after(LEAVING));
            self.save_handoff();
        }
    }

    fn handoff_closed(&mut self, result: Result<(), String>) {
        let saving = matches!(&self.phase, Phase::Leaving(farewell) if farewell.stage == Stage::Saving);
        self.keeper.written();
        if !saving {
            return;
        }
        match (result, &mut self.phase) {
            (Err(why), Phase::Leaving(farewell))
                if farewell.result.is_ok() && matches!(self.policy.mode, Mode::Init { .. }) =>
            {
                // Nobody could take over what init minted: it fails, and gives it back.
                let hint = "check that the handoff's folder is writable and not full";
                let what = format!("could not write the handoff: {why}");
                farewell.result = Err(Ending::new(Cause::Destination, what, hint));
                farewell.revoke = Revoke::Minted;
                farewell.stage = Stage::Revoking;
                self.give_back_all();
            }
            _ => self.end(),
        }
    }

    fn end(&mut self) {
        if let Phase::Leaving(farewell) = std::mem::replace(&mut self.phase, Phase::Over) {
            self.timers.clear_all();
            self.out.push(Action::Exit(farewell.result));
        }
    }
}
