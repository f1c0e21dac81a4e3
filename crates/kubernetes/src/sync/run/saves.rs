//! The handoff of an engine: taken over at the start, written after every change, and deleted when everything in it
//! is revoked.

use std::rc::Rc;
use std::time::Duration;

use leasehold::core::event::Event;
use leasehold_base::clock;

use super::super::desk::Message;
use super::super::handoff::Trouble;
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
}

impl Saves {
    /// Prepares for another engine, which must not get the answers to writes that the one before it asked for.
    pub(super) fn disown(&mut self) {
        (self.waiting, self.covered) = (0, 0);
    }
}

/// Returns what becomes of tokens and leases at the end.
pub(super) const fn end(has_handoff: bool, gives_back: bool) -> End {
    match (has_handoff, gives_back) {
        (false, _) => End::Alone,
        (true, false) => End::HandOver,
        (true, true) => End::GiveBack,
    }
}

impl Run {
    /// Goes on from what an earlier leader has left. Nothing is asked of the server before that is known: a login or
    /// a mint would be one too many. Returns false if this run is asked to stop first.
    pub(super) async fn take_over(&mut self) -> bool {
        let Some(handoff) = self.handoff.clone() else { return true };
        let (mut early, mut said) = (Vec::new(), String::new());
        let start = loop {
            let loaded = loop {
                tokio::select! {
                    loaded = handoff.load() => break loaded,
                    message = self.inbox.recv() => match message {
                        // The handoff stays as it is.
                        None | Some(Message::Stop) => return false,
                        Some(message) => early.push(message),
                    },
                }
            };
            match loaded {
                Ok(None) => break None,
                Ok(Some((kept, same_clock))) => break Some((kept, !same_clock)),
                Err(Trouble::Never(why)) => {
                    tracing::warn!(
                        "cannot go on from the handoff of {}, logging in anew: {why}",
                        self.basis.login
                    );
                    break None;
                }
                Err(Trouble::Later(why)) => {
                    if said != why {
                        tracing::warn!("the handoff of {} cannot be read yet: {why}", self.basis.login);
                        let trouble = Some(format!("the handoff cannot be read yet: {why}"));
                        self.board.credentials(&self.basis.login, trouble);
                        said = why;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        if !said.is_empty() {
            self.board.credentials(&self.basis.login, None);
        }
        if let Some((kept, rebooted)) = start {
            tracing::info!("going on from the handoff of {}", self.basis.login);
            let kept = self.server.adopt(kept);
            self.backlog.clear();
            self.backlog.push_back(Event::Start { kept, rebooted });
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
        if self.saves.under_way {
            self.saves.waiting += 1;
            return;
        }
        self.saves.under_way = true;
        let (kept, generation) = (self.server.kept(self.engine.snapshot()), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = handoff.save(&kept).await;
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
