//! Differences between Kubernetes and what was published: drift, and Secrets under former names.

use std::collections::BTreeMap;

use leasehold::core::event::{Event, Loss};
use leasehold::core::ids::{FileId, UnitId};

use super::super::definition::Key;
use super::super::publisher::AT_ONCE;
use super::ends::Done;
use super::{Gone, Run};

impl Gone {
    /// Returns whether it went after it was in this version. A controller that makes a Secret anew deletes it first.
    fn is_after(&self, version: &str) -> bool {
        let number = |version: &str| version.parse::<u64>().ok();
        match (self.version.as_deref().and_then(number), number(version)) {
            (Some(gone), Some(version)) => gone > version,
            _ => true,
        }
    }
}

impl Run {
    /// Has the engine look at a Secret that was seen in another version than it was published in, or that is gone.
    pub(super) fn drifted(&mut self, key: &Key, gone: Option<Gone>) -> Option<Event> {
        if let Some(busy) = self.busy.get_mut(key) {
            busy.gone = gone.or(busy.gone.take());
            return None;
        }
        let shows = self.share.shows(key);
        if !shows.values {
            // It has another login's values, as it should unless this one is wanted again. Readers are restarted for a change, and
            // not for what is put back.
            if shows.trouble {
                self.take_back(key);
            }
            return None;
        }
        // A watch may tell of the next login's write before that login has its answer. It is no change by another hand.
        if gone.is_none() && self.share.is_another_writing(key) {
            return None;
        }
        let record = self.published.get_mut(key)?;
        if gone.is_some_and(|gone| gone.is_after(&record.version)) {
            // Another engine may take over before this one has looked.
            record.lost = true;
        } else if !self.desk.is_later(&record.definition, &record.version) {
            return None;
        }
        self.roster.unit_of(key).map(Event::LookAt)
    }

    /// Deletes the Secrets that a definition had under former names, once it has one under its present name.
    pub(super) fn clean(&mut self, key: &Key) {
        // To a former login, the Secret of another name may be the one that the next login has made.
        let record = self.published.get(key).filter(|_| !self.share.is_former(key));
        let Some(record) = record else { return };
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
        let record = self.published.get(&key);
        // A Secret that was found to be lost is lost until it is published again, even if the API server refused that.
        let lost = record.is_some_and(|record| record.lost);
        let loss = if self.desk.has_seen(self.roster.unit(unit)) { Loss::Changed } else { Loss::Gone };
        // A watch reports changes, so nothing is asked between them.
        if record.is_some() && thorough {
            self.looks.push_back((unit, files));
            return self.begin_looks();
        }
        let lost = files.into_iter().filter(|_| lost).map(|file| (file, loss)).collect();
        self.backlog.push_back(Event::Inspected { unit, result: Ok(lost) });
    }

    /// Begins looks that wait, as far as fewer than [`AT_ONCE`] are under way: each has a connection.
    pub(super) fn begin_looks(&mut self) {
        while self.looking < AT_ONCE {
            let Some((unit, files)) = self.looks.pop_front() else { return };
            let key = self.roster.unit(unit).key.clone();
            let Some(record) = self.published.get(&key).cloned() else {
                // Its definition is gone.
                self.backlog.push_back(Event::Inspected { unit, result: Ok(BTreeMap::new()) });
                continue;
            };
            self.looking += 1;
            self.busy.entry(key.clone()).or_default().requests += 1;
            let (publisher, generation) = (self.publisher.clone(), self.generation);
            self.under_way.push(Box::pin(async move {
                let result = publisher.is_there(&record.definition, &record.data).await;
                Done::Inspected { key, unit, generation, files, result }
            }));
        }
    }
}
