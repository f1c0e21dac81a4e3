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
    Want(Arc<Definition>, bool),
    /// A definition is no longer to be synced. It is answered when nothing more is written for it.
    Drop(Key, Option<oneshot::Sender<()>>),
    /// A definition cannot be synced in this form. Its Secret is kept as the last good form asks.
    Refuse(Key, Box<Refused>),
    /// A Secret with our label was seen.
    Seen(Sighting),
    /// The token that this engine logs in with is another one, or there is none and this is why.
    Credentials(Option<String>),
    /// These definitions were there when one of the watches began. A watch of Secrets names none.
    Listed(List, BTreeSet<Key>),
    /// There is nothing to list: there is no such kind or, if the flag is set, the right is missing.
    Unlisted(List, bool),
    /// A login that a definition had before may not be needed for it any more.
    Settled(Key),
    /// A login that nothing uses has left tokens or leases in a handoff.
    Left(Identity),
    /// The engine of a login that nothing used has ended.
    Ended(Box<Identity>),
    /// The TLS files may have changed.
    Reload,
    /// The process ends. If there is a handoff, tokens and leases are left to the next leader. Otherwise leases are
    /// left to expire, and a login without leases is revoked.
    Stop,
    /// Nothing uses this login any more, so everything is revoked.
    End,
}

impl Message {
    /// Returns the definition whose form the message tells.
    pub(crate) fn concerns(&self) -> Option<&Key> {
        match self {
            Self::Want(definition, _) => Some(&definition.key),
            Self::Drop(key, _) | Self::Refuse(key, _) => Some(key),
            _ => None,
        }
    }
}

/// What one watch lists: the objects of a kind, or the Secrets, in a namespace or in all.
pub(crate) type List = (Option<Kind>, Option<String>);

/// A definition that cannot be synced.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) uid: String,
    /// The Secret that it names, for the metrics.
    pub(crate) secret: String,
    pub(crate) generation: i64,
    pub(crate) why: Refusal,
}

/// The namespace and the name of a Secret.
pub(crate) type Place = (Arc<str>, Arc<str>);

/// A Secret with our label, as the API server has it. Several tables have it, so copies share its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    /// The definition that its annotation names.
    pub(crate) owner: Option<Arc<str>>,
    /// Its version, or that of its deletion; `None` if it is missing in a list.
    pub(crate) version: Option<Arc<str>>,
    /// It was deleted.
    pub(crate) gone: bool,
    /// It was seen in a list, and not as a change: after an etcd was restored, versions begin again at a lower
    /// number.
    pub(crate) listed: bool,
}

/// A Secret as it was last seen.
#[derive(Debug)]
struct Seen {
    owner: Option<Arc<str>>,
    version: Arc<str>,
    listed: bool,
}

/// The definitions that are wanted, and the Secrets that are there.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    wanted: BTreeMap<Key, Arc<Definition>>,
    /// The definition that holds each target: the first that asked for it.
    targets: BTreeMap<Place, Key>,
    /// The definitions whose target another one holds, each with its flag of [`Message::Want`].
    rivals: BTreeMap<Key, (Arc<Definition>, bool)>,
    /// The Secrets that were seen, by namespace and name, with owner and version.
    seen: BTreeMap<Place, Seen>,
}

/// The outcome of [`Desk::want`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Taken {
    /// It differs from what was wanted.
    New,
    /// It is what was wanted.
    Same,
    /// It has its target in place of this one, which is not wanted any more.
    From(Arc<Definition>),
    /// This one holds the target, and keeps it.
    Held(Key),
}

impl Desk {
    /// Takes a definition. If two definitions have the same target, the first has it, unless the Secret names the other. At a
    /// start, definitions come in any order, and only the one that the Secret names can write it.
    pub(crate) fn want(&mut self, definition: Arc<Definition>) -> Taken {
        self.rivals.remove(&definition.key);
        let target = place(&definition);
        let holder = self.targets.get(&target).filter(|holder| **holder != definition.key).cloned();
        let named = self.owner_of(&target).is_some_and(|owner| **owner == *definition.key.owner());
        if let Some(holder) = holder.clone().filter(|_| !named) {
            return Taken::Held(holder);
        }
        if self.wanted.get(&definition.key).is_some_and(|before| *before == definition) {
            return Taken::Same;
        }
        let loser = holder.and_then(|holder| self.wanted.get(&holder).cloned());
        if let Some(loser) = &loser {
            self.drop(&loser.key);
        }
        self.release(&definition.key);
        self.targets.insert(target, definition.key.clone());
        self.wanted.insert(definition.key.clone(), definition);
        loser.map_or(Taken::New, Taken::From)
    }

    /// Returns the definition that a Secret names, if it does.
    fn owner_of(&self, target: &Place) -> Option<&Arc<str>> {
        self.seen.get(target).and_then(|seen| seen.owner.as_ref())
    }

    /// Drops a definition. Returns whether it was wanted.
    pub(crate) fn drop(&mut self, key: &Key) -> bool {
        self.release(key);
        self.rivals.remove(key);
        self.wanted.remove(key).is_some()
    }

    /// Remembers a definition whose target another one holds, until that is free.
    pub(crate) fn wait(&mut self, definition: Arc<Definition>, known: bool) {
        self.rivals.insert(definition.key.clone(), (definition, known));
    }

    /// Returns a definition that waited, and whose target is its own now: the Secret names it, or no definition asks for the
    /// target.
    pub(crate) fn next_rival(&mut self) -> Option<(Arc<Definition>, bool)> {
        let free = |definition: &Definition| {
            let target = place(definition);
            let is_free = !self.targets.contains_key(&target);
            match self.owner_of(&target) {
                Some(owner) if **owner == *definition.key.owner() => true,
                // If the owner was just renamed, the write is refused until it has deleted its former Secret.
                _ => is_free,
            }
        };
        let key = self.rivals.iter().find(|(_, (definition, _))| free(definition))?.0.clone();
        self.rivals.remove(&key)
    }

    fn release(&mut self, key: &Key) {
        if let Some(before) = self.wanted.get(key) {
            self.targets.remove(&place(before));
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
        let seen_at = (sighting.namespace, sighting.name);
        let named = || key_of(sighting.owner.as_deref()?, &seen_at.0);
        let holder =
            self.targets.get(&seen_at).cloned().or_else(named).filter(|key| self.wanted.contains_key(key));
        match sighting.version.filter(|_| !sighting.gone) {
            Some(version) => {
                self.seen.insert(seen_at, Seen { owner: sighting.owner, version, listed: sighting.listed })
            }
            None => self.seen.remove(&seen_at),
        };
        holder
    }

    /// Returns whether the target of a definition was seen in a later version than this one, or listed in another
    /// one.
    pub(crate) fn is_later(&self, definition: &Definition, version: &str) -> bool {
        let number = |version: &str| version.parse::<u64>().ok();
        match self.seen.get(&place(definition)) {
            // The versions of one API server are numbers that grow.
            Some(seen) => match (number(&seen.version), number(version)) {
                (Some(number), Some(version)) if !seen.listed => number > version,
                _ => *seen.version != *version,
            },
            None => false,
        }
    }

    /// Returns whether the target of a definition is there, as far as the watch has told.
    pub(crate) fn has_seen(&self, definition: &Definition) -> bool {
        self.seen.contains_key(&place(definition))
    }

    /// Returns the Secrets that name this definition and are not its target: those that it had before it was renamed.
    pub(crate) fn orphans_of(&self, definition: &Definition) -> BTreeSet<Arc<str>> {
        let (key, owner) = (&definition.key, definition.key.owner());
        let from = (Arc::clone(&key.namespace), "".into());
        let here = self.seen.range(from..).take_while(|((namespace, _), _)| *namespace == key.namespace);
        let named = here.filter(|(_, its)| its.owner.as_deref() == Some(&*owner));
        named.map(|((_, name), _)| name.clone()).filter(|name| *name != definition.target.name).collect()
    }
}

/// Returns the definition that the annotation of a Secret names.
fn key_of(owner: &str, namespace: &Arc<str>) -> Option<Key> {
    let (kind, name) = owner.split_once('/')?;
    let kind = Kind::ALL.into_iter().find(|one| one.name() == kind)?;
    Some(Key { kind, namespace: Arc::clone(namespace), name: name.into() })
}

/// Returns the namespace and the name of the Secret that a definition asks for.
fn place(definition: &Definition) -> Place {
    (Arc::clone(&definition.key.namespace), Arc::clone(&definition.target.name))
}

#[cfg(test)]
mod tests;
