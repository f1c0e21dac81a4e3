//! What reaches an engine from outside: definitions that come, change and go, Secrets that are seen, and the end.

use std::sync::Arc;

use leasehold::core::event::Event;
use leasehold_base::clock;

use super::super::definition::{Definition, Key, Kind};
use super::super::desk::{Message, Refused, Taken};
use super::{Gone, Run};
use crate::refusal::Refusal;

impl Run {
    /// Takes a message. Returns the event that it becomes for the engine.
    pub(super) fn hear(&mut self, message: Message) -> Option<Event> {
        match message {
            Message::Want(definition, known) => {
                self.want(definition, known);
                self.want_rivals();
                None
            }
            Message::Drop(key, answer) => {
                if self.desk.drop(&key) {
                    self.note_change();
                }
                self.restarts_no_more(&key);
                self.known.remove(&key);
                self.want_rivals();
                match (self.busy.get_mut(&key), answer) {
                    (Some(busy), Some(answer)) => busy.waiting.push(answer),
                    (None, Some(answer)) => drop(answer.send(())),
                    (_, None) => {}
                }
                None
            }
            Message::Credentials(trouble) => {
                let known = trouble.is_none();
                self.board.credentials(&self.basis.login, trouble);
                self.saves.is_pardoned |= known && self.saves.adopted.is_some();
                known.then_some(Event::CredentialsChanged)
            }
            Message::Seen(sighting) => {
                let gone = sighting.gone.then(|| Gone { version: sighting.version.clone() });
                let name = sighting.name.clone();
                let key = self.desk.see(sighting);
                self.want_rivals();
                let key = key?;
                self.clean(&key);
                // A Secret under a former name is no loss when it goes.
                let is_target = self.desk.get(&key).is_some_and(|wanted| wanted.target.name == name);
                if is_target { self.drifted(&key, gone) } else { None }
            }
            Message::Reload => {
                // The hub logs what is wrong with the files. The old ones stay in use until the next minute.
                let _changed = self.server.reload();
                None
            }
            // The hub handles these.
            Message::Refuse(..)
            | Message::Listed(..)
            | Message::Unlisted(..)
            | Message::Left(_)
            | Message::Ended(_) => None,
            Message::Settled(key) => {
                self.take_back(&key);
                None
            }
            Message::End => self.end(),
            Message::Stop => {
                self.stopping = true;
                self.leaves = self.handoff.is_none() && self.has_leases();
                self.put_off();
                Some(Event::Stop { at_once: true })
            }
        }
    }

    /// Publishes a definition again whose login was changed and changed back, if the login in between has published it. To this
    /// engine nothing has changed, and a publish that came too early is held. The same where that login may have published it.
    pub(super) fn take_back(&mut self, key: &Key) {
        let is_held = self.roster.unit_of(key).is_some_and(|unit| self.held.contains(&unit));
        let is_anothers = !self.share.shows(key).values || self.share.may_have_of_another(key);
        let record = self.published.get_mut(key).filter(|_| is_anothers);
        // The engine itself tries again to publish what is lost.
        let is_news = record.is_some_and(|record| !std::mem::replace(&mut record.lost, true));
        if is_held || is_news {
            self.note_change();
        }
    }

    fn want(&mut self, definition: Arc<Definition>, known: bool) {
        let key = definition.key.clone();
        if known && self.desk.get(&key).is_none() {
            self.known.insert(key.clone());
        }
        match self.desk.want(Arc::clone(&definition)) {
            Taken::Same => {
                self.board.is_again(&key, definition.generation);
                self.take_back(&key);
                if self.is_published(&definition) {
                    self.good(&definition, false);
                }
                self.touched = true;
                return;
            }
            Taken::Held(holder) if self.desk.get(&key).is_some() => {
                return self.put_aside(definition, &holder, known);
            }
            Taken::Held(holder) => return self.turn_away(definition, &holder, known),
            Taken::From(loser) => {
                let known = self.known.contains(&loser.key) || self.published.contains_key(&loser.key);
                self.turn_away(loser, &key, known);
            }
            Taken::New => {}
        }
        let secret = definition.target.name.to_string();
        self.board.expect(&key, definition.uid.clone(), secret, definition.generation);
        self.note_change();
    }

    /// Lets the new form of a definition wait for its target, which another one holds. The Secret is kept in its former form.
    fn put_aside(&mut self, definition: Arc<Definition>, holder: &Key, known: bool) {
        self.board.refuse_edit(&definition.key, &taken(&definition, holder));
        self.desk.wait(definition, known);
    }

    /// Lets a definition wait for its target, which another one holds.
    fn turn_away(&mut self, definition: Arc<Definition>, holder: &Key, known: bool) {
        let key = definition.key.clone();
        let refused = taken(&definition, holder);
        if self.desk.drop(&key) {
            self.note_change();
        }
        self.desk.wait(definition, known);
        self.restarts_no_more(&key);
        self.known.remove(&key);
        // A former login may serve the Secret in its former form.
        match self.share.shows(&key).values {
            true => self.board.refuse(&key, &refused),
            false => self.board.refuse_edit(&key, &refused),
        }
    }

    /// Takes the definitions whose Secret another one had asked for, which does so no more.
    fn want_rivals(&mut self) {
        while let Some((definition, known)) = self.desk.next_rival() {
            // One that is gone is forgotten there first.
            if self.board.knows(&definition.key) {
                self.want(definition, known);
            }
        }
    }

    pub(super) fn note_change(&mut self) {
        let now = clock::moment();
        let first = self.changed.map_or(now, |(first, _)| first);
        self.changed = Some((first, now));
    }
}

/// Says that another definition holds the Secret that this one asks for.
fn taken(definition: &Definition, holder: &Key) -> Refused {
    let what = format!("{holder} asks for the same Secret");
    let place = if definition.key.kind == Kind::SecretDefinition { "spec.name" } else { "spec.target.name" };
    let why = Refusal::new(place, what, "use another name");
    let (uid, secret) = (definition.uid.clone(), definition.target.name.to_string());
    Refused { uid, secret, generation: definition.generation, why }
}
