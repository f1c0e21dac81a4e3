//! The definitions that an engine works for, and what its numbers stand for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use leasehold::config::plan::{AuthPlan, Source, VaultPlan};
use leasehold::core::ids::{FileId, NotifierId, UnitId};
use leasehold::core::policy::{
    FilePolicy, FirstReady, Mode, NotifierPolicy, Policy, ShutdownPlan, StorePolicy, UnitPolicy,
};

use leasehold_stores::Settings;

use super::definition::{Definition, Key, Kind};
use super::options::Store;
use super::restart::Readers;

/// What becomes of tokens and leases at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// They are revoked, since there is no handoff.
    Alone,
    /// They are left to the next leader.
    HandOver,
    /// They are revoked, and the handoff is deleted.
    GiveBack,
}

/// What does not change with the definitions.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    pub(crate) vault: VaultPlan,
    /// How to log in; `None` if there is no login.
    pub(crate) auth: Option<AuthPlan>,
    /// The store of the paths of SecretDefinitions, if that is no Vault.
    pub(crate) store: Option<Store>,
    /// The owner of the login.
    pub(crate) login: String,
    /// The path of the login's token in messages, if no person knows that file.
    pub(crate) token: Option<String>,
    pub(crate) period: Duration,
    pub(crate) seed: u64,
}

/// One state of all definitions: a unit of the engine is a definition, and a file is a key of its Secret.
#[derive(Debug, Default, Clone)]
pub(crate) struct Roster {
    units: Vec<Arc<Definition>>,
    /// The unit and the entry of each file.
    files: Vec<(usize, usize)>,
    first: Vec<usize>,
    names: BTreeMap<Key, usize>,
    /// The readers that are notified of changes by a restart; several units may have the same.
    readers: Vec<Readers>,
}

impl Roster {
    pub(crate) fn new(definitions: impl Iterator<Item = Arc<Definition>>) -> Self {
        let mut roster = Self::default();
        for definition in definitions {
            let unit = roster.units.len();
            roster.first.push(roster.files.len());
            roster.files.extend((0..definition.entries.len()).map(|entry| (unit, entry)));
            roster.names.insert(definition.key.clone(), unit);
            roster.readers.extend(definition.restarts.readers.iter().cloned());
            roster.units.push(definition);
        }
        roster.readers.sort();
        roster.readers.dedup();
        roster
    }

    pub(crate) fn files(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = (UnitId, &Arc<Definition>)> {
        self.units.iter().enumerate().map(|(id, unit)| (UnitId(id), unit))
    }

    pub(crate) fn unit(&self, id: UnitId) -> &Arc<Definition> {
        &self.units[id.0]
    }

    pub(crate) fn unit_of(&self, key: &Key) -> Option<UnitId> {
        self.names.get(key).copied().map(UnitId)
    }

    /// Returns the files of a unit, with the keys of its Secret.
    pub(crate) fn entries(&self, id: UnitId) -> impl Iterator<Item = (FileId, &str)> {
        let first = self.first[id.0];
        let entries = self.units[id.0].entries.iter().enumerate();
        entries.map(move |(at, (key, _))| (FileId(first + at), key.as_str()))
    }

    /// Returns the readers that this notifier restarts.
    pub(crate) fn readers(&self, id: NotifierId) -> &Readers {
        &self.readers[id.0]
    }

    /// Returns the definitions whose changes these readers are restarted for.
    pub(crate) fn read_by<'a>(&'a self, readers: &'a Readers) -> impl Iterator<Item = &'a Arc<Definition>> {
        self.units.iter().filter(move |unit| unit.restarts.readers.contains(readers))
    }

    fn notifiers(&self, unit: usize) -> Vec<NotifierId> {
        let readers = self.units[unit].restarts.readers.iter();
        readers.filter_map(|one| self.readers.binary_search(one).ok()).map(NotifierId).collect()
    }

    /// Returns the definition of a file, its key, and what it is made of.
    pub(crate) fn source(&self, file: FileId) -> (&Arc<Definition>, &str, &Source) {
        let (unit, entry) = self.files[file.0];
        let (key, source) = &self.units[unit].entries[entry];
        (&self.units[unit], key, source)
    }

    /// Returns the policy that the engine decides by.
    pub(crate) fn policy(&self, basis: &Basis, end: End) -> Policy {
        let Basis { vault, period, seed, .. } = basis;
        let auth = basis.auth();
        let file = |&(unit, entry): &(usize, usize)| FilePolicy {
            name: name(&self.units[unit].key, &self.units[unit].entries[entry].0),
            unit: UnitId(unit),
            refresh: self.units[unit].refresh.unwrap_or(*period),
            wait: None,
            notify: self.notifiers(unit),
            sink: None,
        };
        let units = self
            .units()
            .map(|(id, _)| UnitPolicy { files: self.entries(id).map(|(file, _)| file).collect() });
        Policy {
            mode: Mode::Daemon,
            files: self.files.iter().map(file).collect(),
            units: units.collect(),
            notifiers: self.readers.iter().map(notifier).collect(),
            stores: basis.store.iter().map(store).collect(),
            logs_in: basis.store.is_none(),
            on_init: BTreeMap::new(),
            child: None,
            shutdown: ShutdownPlan { revoke: end != End::HandOver, delay: Duration::ZERO },
            handoff: end != End::Alone,
            owns_token: auth.owns_token(),
            sees_token: true,
            rehearsal: false,
            locks_out: auth.method.locks_out(),
            login_advice: auth.advice(),
            first_ready: FirstReady::Past,
            binds_certificate: false,
            max_in_flight: vault.max_in_flight,
            seed: *seed,
        }
    }
}

/// Makes the notifier of these readers. Readers of a Secret's first values wait for them, so they are not notified of
/// those.
fn notifier(readers: &Readers) -> NotifierPolicy {
    NotifierPolicy { name: readers.to_string(), splay: Duration::ZERO, on_first: false }
}

fn store(store: &Store) -> StorePolicy {
    let Settings { name, kind, .. } = &store.settings;
    StorePolicy { name: name.clone(), max_in_flight: kind.max_in_flight() }
}

impl Basis {
    /// Returns how to log in.
    pub(crate) fn auth(&self) -> AuthPlan {
        self.auth.clone().unwrap_or_else(AuthPlan::none)
    }
}

/// Returns the name of a key of a definition's Secret in messages.
pub(crate) fn name(key: &Key, entry: &str) -> String {
    format!("{key}#{entry}")
}

/// Returns the definition that a file's name in a message belongs to.
pub(crate) fn key_of(file: &str) -> Option<Key> {
    let (kind, rest) = file.split_once(' ')?;
    let kind = Kind::ALL.into_iter().find(|one| one.name() == kind)?;
    let (namespace, rest) = rest.split_once('/')?;
    let (name, _) = rest.split_once('#')?;
    Some(Key { kind, namespace: namespace.into(), name: name.into() })
}
