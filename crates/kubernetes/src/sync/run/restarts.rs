//! The restarts of workloads. To the engine, workloads are notifiers of a change. An old lease is revoked when all
//! its readers have been notified.

use std::sync::Arc;
use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::ids::NotifierId;

use super::super::definition::Key;
use super::super::publisher::Unpublished;
use super::super::restart::{Readers, Stamp, Stamps};
use super::Run;
use super::ends::Done;

/// The end of a restart.
pub(super) struct Restarted {
    readers: Readers,
    notifier: NotifierId,
    generation: u64,
    /// The changes that they were restarted for.
    changes: Vec<(Key, Stamp)>,
    result: Result<(), String>,
}

impl Run {
    /// Has workloads restarted for the changes that they were not restarted for yet.
    pub(super) fn restart(&mut self, notifier: NotifierId) {
        let readers = self.roster.readers(notifier).clone();
        let (mut stamps, mut changes, mut wait) = (Stamps::new(), Vec::new(), None::<Duration>);
        for definition in self.roster.read_by(&readers) {
            let record = self.published.get(&definition.key);
            let Some(stamp) = record.and_then(|record| record.owed) else { continue };
            stamps.insert(definition.target.name.to_string(), stamp);
            changes.push((definition.key.clone(), stamp));
            let least = definition.restarts.wait;
            wait = Some(wait.map_or(least, |wait| wait.min(least)));
        }
        let (restarter, generation) = (self.restarter.clone(), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = restarter.restart(readers.clone(), stamps, wait.unwrap_or_default()).await;
            Done::Restarted(Box::new(Restarted { readers, notifier, generation, changes, result }))
        }));
    }

    /// Handles the outcome of a restart. Returns the event that it becomes for the engine.
    pub(super) fn restarted(&mut self, end: Restarted) -> Option<Event> {
        let Restarted { readers, notifier, generation, changes, result } = end;
        for (key, stamp) in changes {
            match &result {
                Ok(()) => self.told(&key, stamp, &readers),
                Err(why) => self.board.restarted(&key, Err(why)),
            }
        }
        (generation == self.generation).then_some(Event::Notified { notifier, result })
    }

    /// Notes in the Secret that all its readers were restarted for a change, once they were.
    fn told(&mut self, key: &Key, stamp: Stamp, readers: &Readers) {
        let Some(record) = self.published.get_mut(key).filter(|record| record.owed == Some(stamp)) else {
            return;
        };
        record.told.insert(readers.clone());
        self.restarter.forget(readers, &record.definition.target.name, stamp);
        let definition = Arc::clone(&record.definition);
        if !definition.restarts.readers.iter().all(|one| record.told.contains(one)) {
            return;
        }
        self.board.restarted(key, Ok(()));
        self.share.settled(key);
        self.busy.entry(key.clone()).or_default().requests += 1;
        let (publisher, key) = (self.publisher.clone(), key.clone());
        self.under_way.push(Box::pin(async move {
            let result = publisher.settle(&definition, stamp).await;
            Done::Settled { key, done: stamp, result }
        }));
    }

    /// Ends the restarts for a definition that is gone.
    pub(super) fn restarts_no_more(&mut self, key: &Key) {
        let Some(record) = self.published.remove(key) else { return };
        for (readers, stamp) in record.definition.restarts.readers.iter().zip(record.owed.into_iter().cycle())
        {
            self.restarter.forget(readers, &record.definition.target.name, stamp);
        }
    }

    /// Handles the outcome of writing that note.
    pub(super) fn settled(&mut self, key: &Key, done: Stamp, result: Result<Option<String>, Unpublished>) {
        let record = self.published.get_mut(key).filter(|record| record.owed == Some(done));
        match (record, result) {
            (Some(record), Ok(Some(version))) => (record.version, record.owed) = (version, None),
            (_, Ok(_)) => {}
            // The next leader that reads the Secret finds the workloads restarted, and writes the note.
            (_, Err(why)) => {
                tracing::debug!(definition = %key, "the note of the restart is not written: {why}")
            }
        }
    }
}
