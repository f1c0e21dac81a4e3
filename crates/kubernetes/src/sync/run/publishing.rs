//! A Secret from its renderings to the request that writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use leasehold::core::event::{Event, Published};
use leasehold::core::ids::{FileId, UnitId};
use leasehold_base::exit::{Cause, Ending};

use super::super::definition::Definition;
use super::super::handovers::Denied;
use super::super::publisher::{Former, Turn};
use super::super::secret::{self, Data};
use super::Run;
use super::ends::Done;

/// A Secret as it is to be published.
pub(super) struct Waiting {
    unit: UnitId,
    definition: Arc<Definition>,
    data: Data,
}

/// Ends when it is somebody's turn. It keeps its place among those that wait.
pub(super) async fn comes(turn: &mut Option<LocalBoxFuture<'static, Turn>>) -> Turn {
    match turn {
        Some(turn) => turn.await,
        None => std::future::pending().await,
    }
}

impl Run {
    /// Publishes a Secret when it is its turn, with the values that it has now. What needs no request needs no turn.
    pub(super) fn publish(&mut self, unit: UnitId, files: &[FileId]) {
        let definition = Arc::clone(self.roster.unit(unit));
        let data = match self.data(unit, files) {
            Ok(data) => data,
            Err(what) => {
                let result = Err(Ending::new(Cause::Missing, what, "").into());
                return self.backlog.push_back(Event::Published { unit, result });
            }
        };
        if !self.is_current(&definition) {
            return self.held.push(unit);
        }
        let record = self.published.get(&definition.key);
        let same = self.is_published(&definition) && record.is_some_and(|record| record.data == data);
        if same {
            self.good(&definition, false);
            self.backlog.push_back(unchanged(unit, self.generation));
            return;
        }
        self.waiting.push_back(Waiting { unit, definition, data });
    }

    /// Gathers the values of a Secret, whole.
    fn data(&self, unit: UnitId, files: &[FileId]) -> Result<Data, String> {
        let wanted: BTreeSet<FileId> = files.iter().copied().collect();
        let mut data = Data::new();
        for (file, entry) in self.roster.entries(unit) {
            let bytes = self.renderings[file.0].as_ref().filter(|_| wanted.contains(&file));
            let bytes =
                bytes.ok_or_else(|| format!("{entry} cannot be had yet, and a Secret is written whole"))?;
            secret::put(&mut data, entry, bytes)?;
        }
        secret::filled(data)
    }

    /// Returns whether the Secret was published in this form, and has certainly not changed since.
    pub(super) fn is_published(&self, definition: &Arc<Definition>) -> bool {
        self.published.get(&definition.key).is_some_and(|record| {
            record.definition == *definition
                && !record.lost
                && !self.share.is_unsure(&definition.key)
                && !self.desk.is_later(definition, &record.version)
        })
    }

    /// Returns whether this is the form that is wanted. The next engine publishes what a later form asks for. This one must not
    /// think that it is done: it would free the leases of what is there.
    pub(super) fn is_current(&self, definition: &Definition) -> bool {
        self.desk.get(&definition.key).is_some_and(|wanted| **wanted == *definition)
    }

    /// Records that the Secret is in a form that was wanted. It is as it should be if that form and this login still are.
    pub(super) fn good(&self, definition: &Definition, wrote: bool) {
        match self.is_current(definition) && !self.share.is_former(&definition.key) {
            true => self.board.good(&definition.key, wrote),
            false if wrote => self.board.wrote_former(),
            false => {}
        }
    }

    /// Asks for a turn if something waits for one.
    pub(super) fn ask_for_turn(&mut self) {
        if self.turn.is_none() && !self.waiting.is_empty() {
            let publisher = self.publisher.clone();
            self.turn = Some(Box::pin(async move { publisher.turn().await }));
        }
    }

    /// Publishes what has waited longest for its turn.
    pub(super) fn publish_next(&mut self, turn: Turn) {
        self.turn = None;
        let Some(Waiting { unit, definition, data }) = self.waiting.pop_front() else { return };
        if !self.is_current(&definition) {
            return self.held.push(unit);
        }
        let key = definition.key.clone();
        let pen = match self.share.pen(&key) {
            Ok(pen) => pen,
            // The hub is about to take the definition from this login.
            Err(Denied::ForEver) => return self.held.push(unit),
            Err(Denied::Now) => {
                let what = "another login writes the Secret at this moment, after a change of spec.auth";
                let result = Err(Ending::new(Cause::Destination, what, "").into());
                return self.backlog.push_back(Event::Published { unit, result });
            }
        };
        let former = match self.published.get(&key) {
            Some(record) if record.data == data && !self.share.is_unsure(&key) => {
                Former::Same { owed: record.owed }
            }
            Some(record) => Former::Other { changed: record.changed },
            None if self.known.contains(&key) => Former::Other { changed: None },
            None => Former::None,
        };
        self.busy.entry(key.clone()).or_default().requests += 1;
        let (publisher, generation) = (self.publisher.clone(), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = publisher.publish(&definition, &data, former, turn).await;
            Done::Published { key, unit, generation, record: (definition, data), pen, result }
        }));
    }

    /// Has the engine yield. The next engine, which goes on in a moment, publishes what has not begun.
    pub(super) fn begin_to_yield(&mut self) -> Event {
        self.yielding = true;
        self.put_off();
        Event::Yield
    }

    /// Tells the engine of what has not begun that it is not published. What was to be looked at is compared when it is
    /// published again.
    pub(super) fn put_off(&mut self) {
        self.turn = None;
        for (unit, _) in self.looks.drain(..) {
            if let Some(record) = self.published.get_mut(&self.roster.unit(unit).key) {
                record.lost = true;
            }
            self.backlog.push_back(Event::Inspected { unit, result: Ok(BTreeMap::new()) });
        }
        let waiting = self.waiting.drain(..).map(|one| one.unit);
        for unit in waiting.chain(self.held.drain(..)) {
            let put_off = Ending::new(Cause::Destination, "put off", "");
            self.backlog.push_back(Event::Published { unit, result: Err(put_off.into()) });
        }
    }
}

/// Returns the event of a publish that had nothing to write.
fn unchanged(unit: UnitId, generation: u64) -> Event {
    Event::Published { unit, result: Ok(Published { generation, changed: Vec::new() }) }
}
