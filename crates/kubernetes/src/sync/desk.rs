//! What reaches the engine from outside. Changes are gathered until no more come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::definition::{Definition, Key, Kind};
use super::identity::Identity;
use crate::refusal::Refusal;

/// What the controllers and watches send to the engine's loop.
pub(crate) enum Message {
    /// A definition is to be synced, in this form. The flag says whether its status calls a Secret of it usable: if that is not
    /// there any more, it had readers.
    Want(Box<Definition>, bool),
    /// A definition is no longer to be synced. It is answered when nothing more is written for it.
    Drop(Key, Option<oneshot::Sender<()>>),
    /// A definition cannot be synced in this form. Its Secret stays as it is.
    Refuse(Key, Box<Refused>),
    /// A Secret with our label was seen.
    Seen(Sighting),
    /// The token that this engine logs in with is another one, or there is none and this is why.
    Credentials(Option<String>),
    /// These definitions were there when one of the watches began.
    Listed(BTreeSet<Key>),
    /// A login that nothing uses has left tokens or leases in a handoff.
    Left(Identity),
    /// The process ends. If there is a handoff, tokens and leases are left to the next leader. Otherwise leases are
    /// left to expire, and a login without leases is revoked.
    Stop,
    /// Nothing uses this login any more, so everything is revoked.
    End,
}

/// A definition that cannot be synced.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) uid: String,
    /// The Secret that it names, for the metrics.
    pub(crate) secret: String,
    pub(crate) generation: i64,
    pub(crate) why: Refusal,
}

/// A Secret with our label, as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The definition that its annotation names.
    pub(crate) owner: Option<String>,
    /// Its version, or that of its deletion; `None` if it is missing in a list.
    pub(crate) version: Option<String>,
    /// It was deleted.
    pub(crate) gone: bool,
    /// It was seen in a list, and not as a change: after an etcd was restored, versions begin again at a lower
    /// number.
    pub(crate) listed: bool,
}

/// A Secret as it was last seen.
#[derive(Debug)]
struct Seen {
    owner: Option<String>,
    version: String,
    listed: bool,
}

/// The definitions that are wanted, and the Secrets that are there.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    wanted: BTreeMap<Key, Arc<Definition>>,
    /// The definition that holds each target: the first that asked for it.
    targets: BTreeMap<(String, String), Key>,
    /// The Secrets that were seen, by namespace and name, with owner and version.
    seen: BTreeMap<(String, String), Seen>,
}

impl Desk {
    /// Takes a definition. Returns whether it differs from what was wanted.
    ///
    /// # Errors
    /// The definition that holds the same target, and keeps it.
    pub(crate) fn want(&mut self, definition: Definition) -> Result<bool, Key> {
        let target = (definition.key.namespace.clone(), definition.target.name.clone());
        if let Some(holder) = self.targets.get(&target).filter(|holder| **holder != definition.key) {
            return Err(holder.clone());
        }
        if self.wanted.get(&definition.key).is_some_and(|before| **before == definition) {
            return Ok(false);
        }
        self.release(&definition.key);
        self.targets.insert(target, definition.key.clone());
        self.wanted.insert(definition.key.clone(), Arc::new(definition));
        Ok(true)
    }

    /// Drops a definition. Returns whether it was wanted.
    pub(crate) fn drop(&mut self, key: &Key) -> bool {
        self.release(key);
        self.wanted.remove(key).is_some()
    }

    fn release(&mut self, key: &Key) {
        if let Some(before) = self.wanted.get(key) {
            self.targets.remove(&(key.namespace.clone(), before.target.name.clone()));
        }
    }

    pub(crate) fn definitions(&self) -> impl Iterator<Item = Arc<Definition>> {
        self.wanted.values().cloned()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Definition>> {
        self.wanted.get(key)
    }

    /// Records a Secret that was seen. Returns the definition whose target it is, or that it names.
    pub(crate) fn see(&mut self, sighting: Sighting) -> Option<Key> {
        let place = (sighting.namespace, sighting.name);
        let named = || {
            let (kind, name) = sighting.owner.as_deref()?.split_once('/')?;
            let kind = Kind::ALL.into_iter().find(|one| one.name() == kind)?;
            Some(Key { kind, namespace: place.0.clone(), name: name.to_owned() })
        };
        let holder =
            self.targets.get(&place).cloned().or_else(named).filter(|key| self.wanted.contains_key(key));
        match sighting.version.filter(|_| !sighting.gone) {
            Some(version) => {
                self.seen.insert(place, Seen { owner: sighting.owner, version, listed: sighting.listed })
            }
            None => self.seen.remove(&place),
        };
        holder
    }

    /// Returns whether the target of a definition was seen in a later version than this one, or listed in another
    /// one.
    pub(crate) fn is_later(&self, definition: &Definition, version: &str) -> bool {
        let place = (definition.key.namespace.clone(), definition.target.name.clone());
        let number = |version: &str| version.parse::<u64>().ok();
        match self.seen.get(&place) {
            // The versions of one API server are numbers that grow.
            Some(seen) => match (number(&seen.version), number(version)) {
                (Some(number), Some(version)) if !seen.listed => number > version,
                _ => seen.version != version,
            },
            None => false,
        }
    }

    /// Returns whether the target of a definition is there, as far as the watch has told.
    pub(crate) fn has_seen(&self, definition: &Definition) -> bool {
        self.seen.contains_key(&(definition.key.namespace.clone(), definition.target.name.clone()))
    }

    /// Returns the Secrets that name this definition and are not its target: those that it had before it was renamed.
    pub(crate) fn orphans_of(&self, definition: &Definition) -> BTreeSet<String> {
        let (key, owner) = (&definition.key, definition.key.owner());
        let from = (key.namespace.clone(), String::new());
        let here = self.seen.range(from..).take_while(|((namespace, _), _)| *namespace == key.namespace);
        let named = here.filter(|(_, its)| its.owner.as_deref() == Some(&*owner));
        named.map(|((_, name), _)| name.clone()).filter(|name| *name != definition.target.name).collect()
    }
}

#[cfg(test)]
mod tests;
