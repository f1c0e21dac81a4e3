//! A Secret from its renderings to the request that writes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use leasehold::core::event::{Event, Published};
use leasehold::core::ids::{FileId, UnitId};
use leasehold_base::exit::{Cause, Ending};

use super::super::publisher::{Former, Turn};
use super::super::secret::{self, Data};
use super::Run;
use super::ends::Done;

impl Run {
    /// Publishes what has waited longest for its turn.
    pub(super) fn publish_next(&mut self, turn: Turn) {
        if let Some((unit, files)) = self.waiting.pop_front() {
            self.publish(unit, &files, turn);
        }
    }

    /// Has the engine yield. What has not begun is put off: the next engine, which goes on in a moment, publishes it.
    pub(super) fn begin_to_yield(&mut self) -> Event {
        self.yielding = true;
        let waiting = self.waiting.drain(..).map(|(unit, _)| unit);
        for unit in waiting.chain(self.held.drain(..)) {
            let put_off = Ending::new(Cause::Destination, "put off: the definitions have changed", "");
            self.backlog.push_back(Event::Published { unit, result: Err(put_off) });
        }
        Event::Yield
    }

    fn publish(&mut self, unit: UnitId, files: &[FileId], turn: Turn) {
        let definition = Arc::clone(self.roster.unit(unit));
        let key = definition.key.clone();
        let wanted: BTreeSet<FileId> = files.iter().copied().collect();
        let mut data = Data::new();
        for (file, entry) in self.roster.entries(unit) {
            let put = match self.renderings[file.0].as_ref().filter(|_| wanted.contains(&file)) {
                Some(bytes) => secret::put(&mut data, entry, bytes),
                None => Err(format!("{entry} cannot be had yet, and a Secret is written whole")),
            };
            if let Err(what) = put {
                let result = Err(Ending::new(Cause::Missing, what, ""));
                self.backlog.push_back(Event::Published { unit, result });
                return;
            }
        }
        let current = self.desk.get(&key).is_some_and(|wanted| *wanted == definition);
        let record = self.published.get(&key);
        let same = record.is_some_and(|record| {
            record.data == data
                && record.definition == definition
                && !record.lost
                && !self.desk.is_later(&definition, &record.version)
        });
        // The next engine publishes what the later form of the definition asks for. The engine must not think that this is
        // done: it would free the leases of what is there.
        if !current {
            return self.held.push(unit);
        }
        if same {
            self.backlog.push_back(unchanged(unit, self.generation));
            return;
        }
        let former = match record {
            Some(record) if record.data == data => Former::Same { owed: record.owed },
            Some(record) => Former::Other { changed: record.changed },
            None if self.known.contains(&key) => Former::Other { changed: None },
            None => Former::None,
        };
        self.busy.entry(key.clone()).or_default().requests += 1;
        let (publisher, generation) = (self.publisher.clone(), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = publisher.publish(&definition, &data, former, turn).await;
            Done::Published { key, unit, generation, record: Some((definition, data)), result }
        }));
    }
}

/// Returns the event of a publish that had nothing to write.
fn unchanged(unit: UnitId, generation: u64) -> Event {
    Event::Published { unit, result: Ok(Published { generation, changed: Vec::new() }) }
}
