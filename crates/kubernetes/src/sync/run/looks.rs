//! Differences between Kubernetes and what was published: drift, and Secrets under former names.

use leasehold::core::event::{Event, Loss};
use leasehold::core::ids::{FileId, UnitId};

use super::super::definition::Key;
use super::Run;
use super::ends::Done;

impl Run {
    /// Has the engine check a Secret that was seen in another version than it was published in.
    pub(super) fn drifted(&mut self, key: &Key, gone: bool) -> Option<Event> {
        if let Some(busy) = self.busy.get_mut(key) {
            busy.gone |= gone;
            return None;
        }
        let record = self.published.get(key)?;
        if gone {
            // Another engine may take over before this one has looked.
            self.published.remove(key);
        } else if !self.desk.is_later(&record.definition, &record.version) {
            return None;
        }
        self.roster.unit_of(key).map(Event::LookAt)
    }

    /// Deletes the Secrets that a definition had under former names, once it has one under its present name.
    pub(super) fn clean(&mut self, key: &Key) {
        let Some(record) = self.published.get(key) else { return };
        if self.desk.get(key).is_none_or(|wanted| wanted.target.name != record.definition.target.name) {
            return;
        }
        for name in self.desk.orphans_of(&record.definition) {
            let (publisher, key) = (self.publisher.clone(), key.clone());
            self.under_way.push(Box::pin(async move {
                let result = publisher.delete_orphan(&key, &name).await;
                Done::Cleaned { key, name, result }
            }));
        }
    }

    pub(super) fn inspect(&mut self, unit: UnitId, files: Vec<FileId>, thorough: bool) {
        let key = self.roster.unit(unit).key.clone();
        let record = self.published.get(&key).cloned();
        // A Secret that was found to be lost is lost until it is published again, even if the API server refused that.
        let lost = record.is_none() && self.made.contains_key(&key);
        let loss = if self.desk.has_seen(self.roster.unit(unit)) { Loss::Changed } else { Loss::Gone };
        // A watch reports changes, so nothing is asked between them.
        let Some(record) = record.filter(|_| thorough) else {
            let lost = files.into_iter().filter(|_| lost).map(|file| (file, loss)).collect();
            self.backlog.push_back(Event::Inspected { unit, result: Ok(lost) });
            return;
        };
        self.busy.entry(key.clone()).or_default().requests += 1;
        let (publisher, generation) = (self.publisher.clone(), self.generation);
        self.under_way.push(Box::pin(async move {
            let result = publisher.is_there(&record.definition, &record.data).await;
            Done::Inspected { key, unit, generation, files, result }
        }));
    }
}
