//! What one run leaves for the next, written again after every change. How the next run takes it over is described in
//! [`adopt`](crate::run::adopt).

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::interface::action::{Action, Level};
use crate::interface::policy::Mode;
use crate::interface::snapshot::{KeptSecret, KeptToken, Snapshot};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Node, Step};
use crate::secrets::lease::Lease;
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// A change that could be read again is written with the next change, or after this time.
const LAZY: Duration = Duration::from_secs(1);

/// When to write the handoff. Each write covers everything that came before it.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// Something is not written yet whose loss could not be made good: a token, a lease.
    urgent: bool,
    /// Something is not written yet that could be read again.
    lazy: bool,
    /// How many writes are not answered yet.
    writing: u32,
    tries: u32,
    /// The last write failed, and its retry is not due.
    resting: bool,
    failed: Option<String>,
    /// Secrets of an earlier run are held that perhaps no file uses any more.
    pub(crate) unsorted: bool,
    /// The handoff could not be written at the end and was deleted, so it says nothing that is wrong.
    gone: bool,
}

impl Keeper {
    /// Handles the deadline for writing.
    pub(crate) fn due(&mut self) {
        self.resting = false;
        self.urgent |= self.lazy;
    }

    /// Returns whether no write is under way.
    pub(crate) fn is_written(&self) -> bool {
        self.writing == 0
    }

    /// Records that a write has ended.
    pub(crate) fn written(&mut self) {
        self.writing = self.writing.saturating_sub(1);
    }
}

impl Engine {
    /// Returns everything that outlives this run, without tokens and responses.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let there = self.graph.iter().filter(|(_, node)| !self.is_given_back(node));
        Snapshot {
            secrets: there.filter_map(|(_, node)| kept(node)).collect(),
            retiring: self.retirees.iter().map(|one| one.lease.kept()).collect(),
            awaited: self.awaited_reads(),
            ..self.rest()
        }
    }

    /// Returns whether the lease of a secret is being revoked. It may be gone, so it is no longer what the secret
    /// has.
    pub(crate) fn is_given_back(&self, node: &Node) -> bool {
        node.lease().is_some_and(|lease| self.retirees.get(&lease.id).is_some())
    }

    /// Returns the part of the snapshot that is small, however many secrets there are.
    pub(crate) fn rest(&self) -> Snapshot {
        let current = self.upstream.session.current;
        let mut tokens: Vec<KeptToken> =
            self.upstream.session.logins.iter().map(|(id, login)| login.kept(*id)).collect();
        tokens.sort_by_key(|token| (Some(token.id) == current, token.id));
        Snapshot {
            tokens,
            secrets: Vec::new(),
            retiring: Vec::new(),
            refusals: self.upstream.session.kept_refusals(),
            untold: self.untold(),
            blind: self.upstream.judge.can_look_up == Some(false),
            unsure: self.is_token_unsure(),
            ending: self.is_token_ending(),
            awaited: BTreeMap::new(),
        }
    }

    fn awaited_reads(&self) -> BTreeMap<Request, Moment> {
        let unleased = self.graph.iter().filter(|(_, node)| node.held.is_some() && node.lease().is_none());
        let awaited = unleased.filter_map(|(_, node)| {
            let at = match node.step {
                Step::Waiting { what: NextAction::Retry, at, .. } => Some(at),
                Step::Busy(_) | Step::Suspect(_) => Some(self.now.moment),
                Step::Waiting { .. } | Step::Idle => None,
            };
            Some((node.request.as_ref()?.as_ref().clone(), at?))
        });
        awaited.gather()
    }

    /// Comes to rest, since there is a new configuration and a new engine for it. The new engine can go on only from
    /// what is known: a login or a lease on its way would be lost, and two publishes would meet.
    pub(crate) fn yield_to_successor(&mut self) {
        if matches!((&self.phase, self.policy.mode), (Phase::Running, Mode::Daemon)) {
            self.phase = Phase::Yielding;
        }
    }

    /// Goes on, since the new configuration cannot be used after all.
    pub(crate) fn resume(&mut self) {
        if matches!(self.phase, Phase::Yielding) {
            self.phase = Phase::Running;
        }
    }

    /// Returns whether an engine that was asked to yield has come to rest: nothing is under way whose answer its
    /// [`snapshot`](Self::snapshot) would lack. A notification in flight is repeated by the successor.
    #[must_use]
    pub fn has_yielded(&self) -> bool {
        let publishing = self.shelf.is_publishing();
        let asking = self.upstream.breaker.is_probing()
            || self.work.is_waiting_for_answers()
            || self.stores.awaited().is_some();
        matches!(self.phase, Phase::Yielding) && !asking && !publishing && !self.inspector.is_at_work()
    }

    /// Records that something in the handoff has changed; `urgent` if its loss would cost a token or a lease.
    pub(crate) fn keep(&mut self, urgent: bool) {
        if urgent {
            self.keeper.urgent = true;
        } else if !self.keeper.lazy {
            self.keeper.lazy = true;
            if self.policy.handoff && !self.keeper.resting {
                self.timers.set(Timer::Handoff, self.now.moment.after(LAZY));
            }
        }
    }

    /// Returns whether the handoff on disk calls nothing good that is about to be revoked. If the server revokes
    /// something and this run is killed then, the handoff stays as it is. The next run would go on with a dead token,
    /// or put a dead lease back into a file, and call it good.
    pub(crate) fn is_written_ahead(&self) -> bool {
        let keeper = &self.keeper;
        !self.policy.handoff || keeper.gone || (!keeper.urgent && keeper.is_written())
    }

    /// Has the handoff say what is going to be revoked, before that is done.
    pub(crate) fn write_ahead(&mut self) {
        self.upstream.judge.unsure = true;
        self.upstream.judge.ending = true;
        self.keeper.urgent = true;
        self.keeper.resting = false;
    }

    /// Deletes the handoff, since it cannot be written before the revocations. The next run logs in anew.
    pub(crate) fn give_up_handoff(&mut self, why: &str) {
        self.keeper.gone = true;
        let text = format!(
            "could not write the handoff before revoking: {why}; it is deleted, and the next run logs in anew"
        );
        self.say(Level::Warn, text);
        self.out.push(Action::DropHandoff);
    }

    /// Returns whether a write that was asked for covers all changes.
    pub(crate) fn is_covered(&self) -> bool {
        !self.keeper.urgent
    }

    /// Writes the handoff, if there is something to write and no write is under way.
    pub(crate) fn settle_handoff(&mut self) {
        let at_work = matches!(self.phase, Phase::Running | Phase::Yielding | Phase::Draining)
            || (self.is_revoking() && !self.keeper.gone);
        let ready = self.keeper.urgent && self.keeper.is_written() && !self.keeper.resting;
        if at_work && ready && self.policy.handoff {
            self.save_handoff();
        }
    }

    /// Writes the handoff now.
    pub(crate) fn save_handoff(&mut self) {
        self.keeper.urgent = false;
        self.keeper.lazy = false;
        self.keeper.writing += 1;
        self.timers.clear(&Timer::Handoff);
        self.out.push(Action::SaveHandoff);
    }

    /// Writes down which notifiers a publish that is about to begin has to notify. If this run is killed after the
    /// publish and before the notification, the next run finds nothing changed, but finds the names.
    pub(crate) fn promise(&mut self) {
        if self.policy.handoff && !self.keeper.resting {
            self.save_handoff();
        }
    }

    /// Returns the notifiers that were not notified of everything that is on disk, or will be after the publish under
    /// way, or may be after one whose answer was lost.
    pub(crate) fn untold(&self) -> BTreeSet<String> {
        let promised = self.shelf.may_show_news().flat_map(|file| &self.policy.files[file.0].notify);
        let promised = promised.filter(|whom| self.notifies(**whom));
        promised.map(|id| self.notices.name(*id)).chain(self.notices.owed()).map(str::to_owned).gather()
    }

    pub(crate) fn handoff_saved(&mut self, result: Result<(), String>) {
        self.keeper.written();
        match result {
            Ok(()) => {
                self.keeper.tries = 0;
                self.keeper.failed = None;
            }
            Err(why) => {
                self.keeper.tries = self.keeper.tries.saturating_add(1);
                self.keeper.urgent = true;
                self.keeper.resting = true;
                let draw = self.session_draw();
                let wait = pause(self.keeper.tries, LAZY, Duration::from_secs(60), draw);
                self.timers.set(Timer::Handoff, self.now.moment.after(wait));
                if self.keeper.failed.is_none() {
                    self.say(Level::Warn, format!("could not write the handoff: {why}"));
                }
                self.keeper.failed = Some(why);
            }
        }
    }
}

pub(crate) fn kept(node: &Node) -> Option<KeptSecret> {
    let (held, request) = (node.held.as_ref()?, node.request.as_ref()?);
    let others = node.written.iter().filter(|way| *way != request);
    Some(KeptSecret {
        request: request.as_ref().clone(),
        written: others.map(|way| way.as_ref().clone()).collect(),
        read: held.read,
        lease: held.lease.as_ref().map(Lease::kept),
        life: held.life,
        version: held.version,
    })
}
