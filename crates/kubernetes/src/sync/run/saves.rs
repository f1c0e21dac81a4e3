//! The handoff of an engine: taken over at the start, written after every change, and deleted when everything in it
//! is revoked.

use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use leasehold::core::action::Question;
use leasehold::core::event::Event;
use leasehold::core::ids::{LeaseId, TokenId};
use leasehold::core::snapshot::Snapshot;
use leasehold::handoff::Kept;
use leasehold_base::clock;

use super::super::board::Board;
use super::super::desk::Message;
use super::super::handoff::{Handoff, Trouble};
use super::super::restart::Readers;
use super::super::roster::End;
use super::Run;
use super::ends::Done;

/// The pause between two tries to read it.
const AGAIN: Duration = Duration::from_secs(2);

/// The writes of the handoff.
#[derive(Debug, Default)]
pub(super) struct Saves {
    under_way: bool,
    /// How many writes the engine asked for meanwhile: one more covers all of them.
    waiting: u32,
    /// How many the write under way covers besides its first.
    covered: u32,
    /// Nothing uses this login any more.
    pub(super) gives_back: bool,
    /// What the handoff names is revoked.
    pub(super) is_over: bool,
    /// What an earlier leader has left, until the first engine with definitions goes on from it; whether the machine is another
    /// or was restarted since. An engine that knows of no files and no readers would take all of it for unused.
    pub(super) adopted: Option<(Snapshot, bool)>,
    /// What an earlier leader had leased for secrets, and the logins that it ends with.
    claims: (BTreeSet<LeaseId>, BTreeSet<TokenId>),
    /// There were other credentials meanwhile, so that refusals of an earlier leader say nothing any more.
    pub(super) is_pardoned: bool,
}

impl Saves {
    /// Prepares for another engine, which must not get the answers to writes that the one before it asked for.
    pub(super) fn disown(&mut self) {
        (self.waiting, self.covered) = (0, 0);
    }
}

/// Returns the leases of secrets, and the logins that made them. What the leader before has kept for an object that it did not
/// know either is among those that are to be revoked.
fn claims(kept: &Snapshot) -> (BTreeSet<LeaseId>, BTreeSet<TokenId>) {
    let of_secrets = kept.secrets.iter().filter_map(|secret| secret.lease.as_ref());
    let of_secrets = of_secrets.map(|lease| (lease.id.clone(), lease.token));
    of_secrets.chain(kept.retiring.iter().map(|lease| (lease.id.clone(), lease.token))).unzip()
}

/// Returns what becomes of tokens and leases at the end.
pub(super) const fn end(has_handoff: bool, gives_back: bool) -> End {
    match (has_handoff, gives_back) {
        (false, _) => End::Alone,
        (true, false) => End::HandOver,
        (true, true) => End::GiveBack,
    }
}

/// Returns what an earlier leader has left, once that is known; and whether the machine is another or was restarted since.
async fn load(handoff: &Handoff, board: &Board, login: &str) -> Option<(Kept, bool)> {
    let mut said = String::new();
    let loaded = loop {
        match handoff.load().await {
            Ok(loaded) => break loaded.map(|(kept, same_clock)| (kept, !same_clock)),
            Err(Trouble::Never(why)) => {
                tracing::warn!("cannot go on from the handoff of {login}, logging in anew: {why}");
                break None;
            }
            Err(Trouble::Later(why)) if said != why => {
                tracing::warn!("the handoff of {login} cannot be read yet: {why}");
                board.credentials(login, Some(format!("the handoff cannot be read yet: {why}")));
                said = why;
            }
            Err(Trouble::Later(_)) => {}
        }
        tokio::time::sleep(AGAIN).await;
    };
    if !said.is_empty() {
        board.credentials(login, None);
    }
    loaded
}

impl Run {
    /// Goes on from what an earlier leader has left. Nothing is asked of the server before that is known: a login or
    /// a mint would be one too many. Returns false if this run is asked to stop first.
    pub(super) async fn take_over(&mut self) -> bool {
        let Some(handoff) = self.handoff.clone() else { return true };
        let mut early = Vec::new();
        let start = {
            // A login that is under way for it goes on while messages come.
            let mut loading = pin!(load(&handoff, &self.board, &self.basis.login));
            loop {
                tokio::select! {
                    start = &mut loading => break start,
                    message = self.inbox.recv() => match message {
                        // The handoff stays as it is.
                        None | Some(Message::Stop) => return false,
                        // Nothing is under way for the definition, so its end need not wait for the Vault.
                        Some(Message::Drop(key, answer)) => {
                            let _sent = answer.map(|answer| answer.send(()));
                            early.push(Message::Drop(key, None));
                        }
                        Some(message) => early.push(message),
                    },
                }
            }
        };
        if let Some((kept, rebooted)) = start {
            tracing::info!("going on from the handoff of {}", self.basis.login);
            self.saves.adopted = self.server.adopt(kept).map(|kept| (kept, rebooted));
            self.saves.claims = self.saves.adopted.as_ref().map(|(kept, _)| claims(kept)).unwrap_or_default();
            // Also what no definition uses is to be gone on from, and given back.
            self.note_change();
        }
        for message in early {
            let event = self.hear(message);
            self.backlog.extend(event);
        }
        true
    }

    /// Writes the handoff: one write at a time, each with everything that is known when it begins.
    pub(super) fn save(&mut self) {
        let Some(handoff) = self.handoff.clone() else {
            return self.backlog.push_back(Event::HandoffSaved(Ok(())));
        };
        if self.saves.adopted.is_some() {
            // What is there names what this engine does not know.
            return self.backlog.push_back(Event::HandoffSaved(Ok(())));
        }
        if self.saves.under_way {
            self.saves.waiting += 1;
            return;
        }
        self.saves.under_way = true;
        let (kept, generation) = (self.server.kept(self.engine.snapshot()), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = handoff.save(&kept).await.map_err(|why| why.to_string());
            Done::Saved { generation, result }
        }));
    }

    /// Handles the outcome of a write.
    pub(super) fn saved(&mut self, generation: u64, result: Result<(), String>) -> Option<Event> {
        self.saves.under_way = false;
        let covered = std::mem::take(&mut self.saves.covered);
        if let Some(more) = std::mem::take(&mut self.saves.waiting).checked_sub(1) {
            self.save();
            self.saves.covered = more;
        }
        if generation != self.generation {
            return None;
        }
        let again = (0..covered).map(|_| Event::HandoffSaved(result.clone()));
        self.backlog.extend(again);
        Some(Event::HandoffSaved(result))
    }

    /// Answers that something is kept which a Secret may still have. A definition that is refused, or whose login does not
    /// work yet, is not known to this leader in the form that its Secret has. What the leader before had leased for it then
    /// looks unused. The core asks again later, and the handoff names it until then.
    pub(super) fn spares(&self, question: &Question) -> Option<Event> {
        let (leases, tokens) = &self.saves.claims;
        let event = match question {
            Question::RevokeLease { lease, .. } if leases.contains(lease) => Event::LeaseKept(lease.clone()),
            Question::RevokeToken(token) if tokens.contains(token) => Event::TokenKept(*token),
            _ => return None,
        };
        let is_unused = self.board.knows_all() && self.board.needs_no_more(self.share.login());
        (!self.saves.gives_back && !is_unused).then_some(event)
    }

    /// Has the next engine go on from what was known, or from what an earlier leader has left.
    pub(super) fn go_on(&mut self, known: Snapshot) {
        if let Some((kept, _)) = &self.saves.adopted {
            // They may have read what the leader before was about to replace, whatever has become of the Secret since.
            let is_owed = |readers: &Readers| kept.untold.contains(&readers.to_string());
            let owed = self.roster.units().filter(|(_, unit)| unit.restarts.readers.iter().any(is_owed));
            self.known.extend(owed.map(|(_, unit)| unit.key.clone()));
        }
        let (kept, rebooted) = self.saves.adopted.take().unwrap_or((known, false));
        self.backlog.push_back(Event::Start { kept: Some(kept), rebooted });
        if std::mem::take(&mut self.saves.is_pardoned) {
            self.backlog.push_back(Event::CredentialsChanged);
        }
        if self.saves.gives_back {
            self.backlog.push_back(Event::Stop { at_once: true });
        }
    }

    /// Ends a login that nothing uses any more. The engine goes on once more, under a policy that revokes everything.
    pub(super) fn end(&mut self) -> Option<Event> {
        self.stopping = true;
        if self.handoff.is_none() {
            self.put_off();
            return Some(Event::Stop { at_once: true });
        }
        self.saves.gives_back = true;
        self.note_change();
        (!self.yielding).then(|| self.begin_to_yield())
    }

    /// Deletes the handoff if everything that it names is revoked. What the server refuses to revoke expires by
    /// itself, and nothing would go on with it. If the server is away, the next leader revokes it.
    pub(super) async fn clear(&mut self) {
        self.saves.is_over |= self.saves.gives_back && self.engine.view(clock::now()).outage.is_none();
        if let Some(handoff) = self.handoff.as_ref().filter(|_| self.saves.is_over).map(Rc::clone) {
            handoff.remove().await;
        }
    }
}
