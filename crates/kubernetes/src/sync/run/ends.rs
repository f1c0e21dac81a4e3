//! The outcomes of the requests to the API server, and the events that they become for the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use leasehold::core::event::{self, Event, Loss, Published};
use leasehold::core::ids::{FileId, UnitId};
use leasehold_base::exit::{Cause, Ending};

use super::super::definition::{Definition, Key};
use super::super::handovers::Pen;
use super::super::publisher::{self, Seen, Unpublished};
use super::super::restart::Stamp;
use super::super::secret::Data;
use super::restarts::Restarted;
use super::{Gone, Record, Run};

/// The end of a request to the API server.
pub(super) enum Done {
    Published {
        key: Key,
        unit: UnitId,
        generation: u64,
        record: (Arc<Definition>, Data),
        /// No other login writes the Secret before the outcome is recorded.
        pen: Pen,
        result: Result<publisher::Outcome, Unpublished>,
    },
    Inspected {
        key: Key,
        unit: UnitId,
        generation: u64,
        files: Vec<FileId>,
        result: Result<Seen, Unpublished>,
    },
    Restarted(Box<Restarted>),
    Saved {
        generation: u64,
        result: Result<(), String>,
    },
    Settled {
        key: Key,
        done: Stamp,
        result: Result<Option<String>, Unpublished>,
    },
    Cleaned {
        key: Key,
        name: Arc<str>,
        result: Result<(), Unpublished>,
    },
}

impl Run {
    /// Handles an outcome. Returns the event that it becomes for the engine.
    pub(super) fn finish(&mut self, done: Done) -> Option<Event> {
        match done {
            Done::Published { key, unit, generation, record, pen, result } => {
                let gone = self.release(&key);
                let files = self.roster_files(unit, generation);
                let result = match result {
                    Ok(outcome) => Ok(self.keep(&key, record, &outcome, files)),
                    Err(why) => Err(self.unpublished(&key, &why, &record.1)),
                };
                drop(pen);
                if generation == self.generation {
                    self.backlog.push_back(Event::Published { unit, result });
                }
                // What was seen while it was under way. The engine must hear of the publish first, which to it is a look
                // at everything.
                let again = self.drifted(&key, gone);
                self.backlog.extend(again);
                None
            }
            Done::Inspected { key, unit, generation, files, result } => {
                self.looking -= 1;
                self.begin_looks();
                let gone = self.release(&key);
                let lost = |loss: Loss| files.iter().map(|file| (*file, loss)).collect();
                let result = match result {
                    Ok(Seen::Good(version)) => {
                        if let Some(record) = self.published.get_mut(&key) {
                            (record.version, record.lost) = (version, false);
                        }
                        self.share.has_seen(&key);
                        Ok(BTreeMap::new())
                    }
                    Ok(Seen::Changed) => Ok(lost(Loss::Changed)),
                    Ok(Seen::Gone) => Ok(lost(Loss::Gone)),
                    Err(why) => Err(self.ending(&key, &why)),
                };
                // Its readers may still have to be restarted, so the record stays.
                if let (false, Some(record)) =
                    (matches!(&result, Ok(lost) if lost.is_empty()), self.published.get_mut(&key))
                {
                    record.lost = true;
                }
                let again = self.drifted(&key, gone);
                self.backlog.extend(again);
                (generation == self.generation).then_some(Event::Inspected { unit, result })
            }
            Done::Restarted(restarted) => self.restarted(*restarted),
            Done::Saved { generation, result } => self.saved(generation, result),
            Done::Settled { key, done, result } => {
                let gone = self.release(&key);
                self.settled(&key, done, result);
                self.drifted(&key, gone)
            }
            Done::Cleaned { key, name, result } => {
                if let Err(why) = result {
                    tracing::warn!(definition = %key, secret = &*name, "the Secret of the former name stays: {why}");
                }
                None
            }
        }
    }

    fn roster_files(&self, unit: UnitId, generation: u64) -> Vec<FileId> {
        if generation != self.generation {
            return Vec::new();
        }
        self.roster.entries(unit).map(|(file, _)| file).collect()
    }

    /// Records what was published, and cleans up after a rename.
    fn keep(
        &mut self,
        key: &Key,
        (definition, data): (Arc<Definition>, Data),
        outcome: &publisher::Outcome,
        files: Vec<FileId>,
    ) -> Published {
        if outcome.wrote {
            tracing::info!(definition = %key, secret = &*definition.target.name, keys = data.len(), "wrote the Secret");
        }
        self.share.published(key);
        // A form that was changed meanwhile is not what is wanted.
        self.good(&definition, outcome.wrote);
        if self.desk.get(key).is_some() {
            let (version, owed) = (outcome.version.clone(), outcome.owed);
            // Readers are restarted once for a change, however often the Secret is compared.
            let before = self.published.remove(key);
            let changed = outcome.changed.or(before.as_ref().and_then(|before| before.changed));
            let before = before.filter(|before| before.owed == owed);
            owed.iter().for_each(|_| self.board.restarting(key));
            let told = before.map(|before| before.told).unwrap_or_default();
            for (readers, stamp) in definition.restarts.readers.iter().zip(owed.into_iter().cycle()) {
                self.restarter.owe(readers, &definition.target.name, stamp);
            }
            let record = Record { definition, data, version, owed, told, changed, lost: false };
            self.published.insert(key.clone(), record);
            self.clean(key);
            if owed.is_none() {
                self.share.settled(key);
            }
        }
        let is_news = outcome.wrote || outcome.owed.is_some();
        let changed = if is_news { files } else { Vec::new() };
        // The first version of all has no readers that could be restarted.
        let generation = if outcome.is_new { 1 } else { self.generation + 1 };
        Published { generation, changed }
    }

    /// Records that these values could not be published. What readers may see of them is news to them, unless they had the
    /// same values before.
    fn unpublished(&mut self, key: &Key, why: &Unpublished, data: &Data) -> event::Unpublished {
        let knows_same = self.share.shows(key).values && !self.share.is_unsure(key);
        let record = self.published.get_mut(key).filter(|record| knows_same && record.data == *data);
        let may_be_visible = match record {
            Some(record) => {
                record.lost |= why.may_be_visible();
                false
            }
            None => why.may_be_visible(),
        };
        if may_be_visible {
            self.share.may_have_published(key);
        }
        event::Unpublished { why: self.ending(key, why), may_be_visible }
    }

    fn ending(&self, key: &Key, why: &Unpublished) -> Ending {
        if why.is_denied() {
            self.board.unreadable(key);
        }
        Ending::new(Cause::Destination, why.to_string(), "")
    }

    /// Records that a request for this definition has its answer. Returns how the Secret was seen to go meanwhile, once no
    /// request is under way any more.
    fn release(&mut self, key: &Key) -> Option<Gone> {
        let busy = self.busy.get_mut(key)?;
        busy.requests -= 1;
        if busy.requests > 0 {
            return None;
        }
        let busy = self.busy.remove(key)?;
        for waiting in busy.waiting {
            // A receiver that does not wait any more needs no answer.
            let _sent = waiting.send(());
        }
        busy.gone
    }
}
