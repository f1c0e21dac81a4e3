//! The end of a run. Everything that was minted is revoked, if that is wanted, within a time limit, and the handoff
//! is left or deleted accordingly.
//!
//! Before the first revocation, the handoff says what is going to be revoked. If this run is killed in between, as a
//! container runtime does when its patience is over, the next run asks the server before it relies on anything.

mod giving_back;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::action::{Action, Level};
use crate::interface::event::Event;
use crate::interface::ids::TokenId;
use crate::interface::policy::Mode;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::outage::IN_A_HURRY;
use leasehold_base::exit::{Cause, Ending};

/// Kubernetes kills a pod thirty seconds after SIGTERM; this leaves room for a delay before the end.
const LEAVING: Duration = Duration::from_secs(10);

/// What is revoked at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoke {
    Everything,
    /// What this run minted. What it adopted stays for the next try.
    Minted,
    Nothing,
}

/// How far the end has got.
#[derive(Debug)]
pub(crate) struct Farewell {
    result: Result<(), Ending>,
    revoke: Revoke,
    stage: Stage,
    /// The logins to be revoked after the leases that do not end with them.
    tokens: BTreeSet<TokenId>,
    /// The revocations that a proxy answered in Vault's place. One of them at a time is sent again, to see whether the
    /// server answers.
    behind_pages: BTreeSet<Job>,
    /// Something could not be revoked.
    left: bool,
    /// True if a signal or a request stopped the run; false if its process ended or it failed.
    told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Revoking,
    Saving,
}

impl Engine {
    /// Handles a request to stop.
    pub(crate) fn stop(&mut self, at_once: bool) {
        match self.phase {
            Phase::Running if self.is_starting() => {
                let what = "stopped before everything was published";
                let unknown = || Ending::new(Cause::Deadline, what, "start it again");
                self.fail(self.seen().unwrap_or_else(unknown));
            }
            Phase::Running | Phase::Draining if self.child.is_some() => {
                self.phase = Phase::Draining;
                self.stop_child();
            }
            Phase::Running | Phase::Yielding
                if !at_once && !self.policy.shutdown.delay.is_zero() && self.has_served() =>
            {
                self.phase = Phase::Draining;
                self.timers.set(Timer::Stop, self.now.moment.after(self.policy.shutdown.delay));
            }
            Phase::New | Phase::Running | Phase::Yielding | Phase::Draining => self.stop_now(),
            Phase::Leaving(_) | Phase::Over => {}
        }
        if let Phase::Leaving(farewell) = &mut self.phase {
            farewell.told = true;
        }
    }

    pub(crate) fn stop_now(&mut self) {
        let revoke = if self.policy.shutdown.revoke { Revoke::Everything } else { Revoke::Nothing };
        self.leave_with(self.stopped(), revoke, LEAVING);
    }

    /// Ends the delay before the end, since no process is left that uses the files.
    pub(crate) fn deserted(&mut self) {
        if matches!(self.phase, Phase::Draining) && self.child.is_none() {
            self.say(Level::Info, "nothing that uses the files is left: stopping now".to_owned());
            self.stop_now();
        }
    }

    /// Returns whether the end is delayed for the processes that use the files.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining) && self.child.is_none()
    }

    /// Handles that the delay, or the time for leaving, is over.
    pub(crate) fn stop_due(&mut self) {
        match &mut self.phase {
            Phase::Draining => self.stop_now(),
            Phase::Leaving(farewell) if farewell.stage == Stage::Revoking => {
                let waiting = !farewell.tokens.is_empty() || !farewell.behind_pages.is_empty();
                let revoking = waiting || self.work.any(Job::is_revocation);
                farewell.tokens.clear();
                farewell.behind_pages.clear();
                farewell.left |= farewell.revoke != Revoke::Nothing && !revoking;
                if revoking {
                    self.mark_left("no time is left to revoke everything");
                }
                self.work.clear_ready();
                self.close();
            }
            Phase::Leaving(_) => self.end(),
            Phase::New | Phase::Running | Phase::Yielding | Phase::Over => {}
        }
    }

    /// Begins the end of the run, which takes at most `within`.
    pub(crate) fn leave_with(&mut self, result: Result<(), Ending>, revoke: Revoke, within: Duration) {
        let (tokens, behind_pages) = (BTreeSet::new(), BTreeSet::new());
        let told = matches!(self.phase, Phase::Draining);
        let (stage, left) = (Stage::Revoking, false);
        self.phase = Phase::Leaving(Farewell { result, revoke, stage, tokens, behind_pages, left, told });
        self.timers.clear_all();
        self.retirees.forget_deadlines();
        self.work.clear_ready();
        self.timers.set(Timer::Stop, self.now.moment.after(within));
        self.give_back_all(within / 2);
    }

    /// Returns whether the revocations are under way.
    pub(crate) fn is_revoking(&self) -> bool {
        matches!(&self.phase, Phase::Leaving(farewell) if farewell.stage == Stage::Revoking)
    }

    /// Handles an event while leaving: only answers about what must be revoked matter.
    pub(crate) fn take_leaving(&mut self, event: Event) {
        match event {
            Event::LoggedIn { token, sent, result } => {
                self.work.finish(&Job::LogIn, self.now.moment);
                match result {
                    Ok(facts) => {
                        let login = crate::upstream::login::Login::new(facts, sent, self.policy.owns_token);
                        self.upstream.session.add(token, login);
                        self.give_back(token);
                        self.begin_giving_back();
                    }
                    // The next run must know of the refusal. Otherwise a crash loop would be refused once a run, up
                    // to the lockout.
                    Err(failure) if self.counts_as_refused(failure.kind) => {
                        self.upstream.session.refused(self.now.moment, &failure.why);
                    }
                    Err(_) => {}
                }
            }
            Event::LookedUp { token, .. } => {
                self.work.finish(&Job::LookUp(token), self.now.moment);
            }
            Event::TokenRenewed { token, .. } => {
                self.work.finish(&Job::RenewToken(token), self.now.moment);
            }
            Event::Resolved { secret, .. } => {
                self.work.finish(&Job::Resolve(secret), self.now.moment);
            }
            Event::Wrapped { file, .. } => {
                self.work.finish(&Job::Wrap(file), self.now.moment);
            }
            Event::Renewed { secret, .. } => {
                self.work.finish(&Job::Renew(secret), self.now.moment);
            }
            Event::Fetched { store, secret, .. } => {
                self.end_fetch(store, secret);
            }
            Event::Read { secret, token, sent, result } => {
                self.work.finish(&Job::Read(secret), self.now.moment);
                if let Ok(facts) = result {
                    let leased = facts.lease.is_some();
                    self.hold_for_the_next(secret, token, sent, facts);
                    if leased {
                        self.give_back(token);
                        self.begin_giving_back();
                    }
                }
                // The logins may have waited for this answer.
                self.give_back_tokens(false);
            }
            Event::Probed(result) => {
                self.upstream.breaker.probed(result, IN_A_HURRY, self.now.moment);
            }
            Event::TokenRevoked { token, result } => self.token_given_back(token, result),
            Event::LeaseRevoked { lease, result } => self.lease_given_back(&lease, result),
            // It was asked before the end began. The handoff names it for the next run.
            Event::LeaseKept(lease) => {
                self.work.finish(&Job::RevokeLease(lease), self.now.moment);
            }
            Event::TokenKept(token) => {
                self.work.finish(&Job::RevokeToken(token), self.now.moment);
            }
            Event::Published { unit, result } => self.published_last(unit, result),
            Event::Inspected { .. }
            | Event::Look
            | Event::FolderChanged
            | Event::LookAt(_)
            | Event::Exposed => {}
            Event::HandoffSaved(result) => self.handoff_closed(result),
            Event::Stop { .. } => self.stop_again(),
            Event::Signalled(signal) => self.signalled_while_leaving(signal),
            Event::Start { .. }
            | Event::Wake
            | Event::Rendered { .. }
            | Event::Notified { .. }
            | Event::Spawned(_)
            | Event::ChildEnded
            | Event::Refresh
            | Event::RefreshSome(_)
            | Event::Yield
            | Event::Resume
            | Event::Deserted
            | Event::UsedUp(_)
            | Event::Renew(_)
            | Event::CredentialsChanged
            | Event::CertificateChanged => {}
        }
    }

    /// Handles a request to stop while everything is being revoked. The second one means: at once.
    fn stop_again(&mut self) {
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        if std::mem::replace(&mut farewell.told, true) {
            self.stop_due();
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

    /// Goes on to the end once nothing is left to be revoked or waited for.
    pub(crate) fn settle_farewell(&mut self) {
        let Phase::Leaving(farewell) = &self.phase else { return };
        if farewell.stage != Stage::Revoking {
            return;
        }
        let revoking = self.has_something_to_revoke();
        // An answer on its way may bring something that must be revoked.
        let minting = farewell.revoke != Revoke::Nothing && self.is_minting();
        let publishing = self.shelf.is_publishing();
        if !revoking && !minting && !publishing && self.keeper.is_written() {
            self.close();
        }
    }

    fn is_minting(&self) -> bool {
        // A lease that is made with the token of an earlier run lives on, because a failed start does not revoke that token.
        let stays = matches!(&self.phase, Phase::Leaving(farewell) if farewell.revoke == Revoke::Minted);
        let adopted = |job: &Job| {
            self.work.token_of(job).is_some_and(|token| !self.upstream.session.is_of_this_run(token))
        };
        let matters = |job: &Job| !self.policy.owns_token || (stays && adopted(job));
        self.work.under_way(|job| matches!(job, Job::LogIn) || (matches!(job, Job::Read(_)) && matters(job)))
    }

    /// Leaves the handoff as the next run should find it.
    fn close(&mut self) {
        let Phase::Leaving(farewell) = &mut self.phase else { return };
        farewell.stage = Stage::Saving;
        let everything = farewell.revoke == Revoke::Everything;
        let leases = self.has_living_leases();
        if everything && leases {
            // These leases belong to a dead login in another namespace. The next run's login revokes them.
            self.mark_left("no login is left to revoke every lease with");
        }
        let left = matches!(&self.phase, Phase::Leaving(farewell) if farewell.left);
        let clean = everything && !left;
        let nothing = clean || self.upstream.session.logins.is_empty();
        // The next run has to know this, although there is nothing for it to go on with.
        let remembered =
            self.upstream.session.refusals.is_some() || !self.untold().is_empty() || (leases && !clean);
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
            if let (Err(why), true) = (&result, self.is_covered() && self.has_something_to_revoke()) {
                self.give_up_handoff(why);
                self.give_back_rest();
            }
            return;
        }
        // The answer may be that of a write before the last one.
        if !self.keeper.is_written() {
            return;
        }
        match (result, &mut self.phase) {
            (Err(why), Phase::Leaving(farewell))
                if farewell.result.is_ok() && matches!(self.policy.mode, Mode::Init { .. }) =>
            {
                // No run could take over what `init` minted, so it fails, and revokes that.
                let hint = "check that the handoff's folder is writable and not full";
                let what = format!("could not write the handoff: {why}");
                farewell.result = Err(Ending::new(Cause::Destination, what, hint));
                farewell.revoke = Revoke::Minted;
                farewell.stage = Stage::Revoking;
                self.give_up_handoff(&why);
                self.give_back_rest();
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
