//! What is known of every definition: metrics under secrets-manager's names, events, and whether the controller is
//! ready.

mod metrics;
mod show;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leasehold::core::view::Counters;
use leasehold_base::failure::Failure;
use tokio::sync::mpsc::UnboundedSender;

use super::definition::{Key, Kind};
use super::desk::{List, Refused};
use super::identity::Identity;
use super::options::Options;

/// A note about a definition that a person should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) key: Key,
    pub(crate) uid: String,
    /// Whether something went wrong.
    pub(crate) warning: bool,
    pub(crate) reason: &'static str,
    pub(crate) text: String,
    /// The status that shows it, in place of an event.
    pub(crate) status: Option<Status>,
}

/// What the status of a SyncedSecret says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// The Secret is as the present specification asks.
    pub(crate) synced: bool,
    /// There is a Secret that can be used.
    pub(crate) ready: bool,
    pub(crate) secret: String,
    pub(crate) generation: i64,
    /// When the first of its values ends, in seconds since 1970.
    pub(crate) expires: Option<i64>,
    /// The leases of its values, if there are any.
    pub(crate) lease: Option<Lease>,
    /// How the restart of its readers went, if there was one.
    pub(crate) restart: Option<Restart>,
}

/// What a person needs to find the leases of a Secret in Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When the first of them was granted or last renewed, in seconds since 1970.
    pub(crate) renewed: i64,
    /// The accessor of the login that they end with. It opens nothing: Vault's policy says which tokens may look it
    /// up or revoke it.
    pub(crate) accessor: String,
}

/// The restart of the workloads that read a Secret, after its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restart {
    UnderWay,
    Done,
    Failed(String),
}

/// One definition.
#[derive(Debug, Default)]
struct Entry {
    uid: String,
    secret: String,
    /// What keeps it from being synced.
    trouble: Option<String>,
    /// It cannot be synced in its present form, whatever the engine does.
    refused: bool,
    /// The engine goes on with the last form that was good.
    keeps: bool,
    /// Its Secret was written or compared in this run.
    synced: bool,
    errors: u64,
    failures: u64,
    unreadable: u64,
    generation: i64,
    expires: Option<i64>,
    lease: Option<Lease>,
    /// Its values can still be used.
    usable: bool,
    restart: Option<Restart>,
    /// What its status says.
    told: Option<Box<(Status, Option<String>)>>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    /// The lists of definitions and of Secrets that are still to come, and the listed definitions that are not reconciled yet.
    lists: BTreeSet<List>,
    awaited: BTreeSet<Key>,
    /// The lists that cannot be had although there may be objects.
    hidden: BTreeSet<List>,
    /// The logins, by name.
    logins: BTreeMap<String, Login>,
    writes: u64,
    restarts: u64,
    failed_restarts: u64,
    leads: bool,
    /// How many definitions came or changed.
    news: u64,
}

/// An engine, which stands for a login.
#[derive(Debug, Default)]
struct Login {
    /// Why no request is possible at the moment.
    away: Option<String>,
    /// Why there are no credentials.
    no_credentials: Option<String>,
    token_ttl: Option<Duration>,
    /// The token is renewed when less than this is left of it.
    renewed_below: Option<Duration>,
    counters: Counters,
    /// How many renewals and look-ups of the token failed, by operation and by kind of failure.
    token_errors: BTreeMap<(&'static str, &'static str), u64>,
    /// How many reads failed, by path, by key if that is what is missing, and by kind of failure.
    read_errors: BTreeMap<(String, String, &'static str), u64>,
    definitions: BTreeSet<Key>,
}

/// The board; see the module.
pub(crate) struct Board {
    state: RefCell<State>,
    notes: UnboundedSender<Note>,
    labels: metrics::Labels,
}

impl Board {
    pub(crate) fn new(notes: UnboundedSender<Note>, options: &Options) -> Self {
        // Some list is to come.
        let state = State { lists: BTreeSet::from([(None, None)]), ..State::default() };
        Self { state: RefCell::new(state), notes, labels: metrics::Labels::of(options) }
    }

    /// Sets which lists of definitions and of Secrets are to come.
    pub(crate) fn await_lists(&self, lists: BTreeSet<List>) {
        self.state.borrow_mut().lists = lists;
    }

    /// Records that this replica leads, or needs no election.
    pub(crate) fn lead(&self) {
        self.state.borrow_mut().leads = true;
    }

    /// Records which definitions were there when one of the watches began.
    pub(crate) fn listed(&self, list: &List, keys: BTreeSet<Key>) {
        let mut state = self.state.borrow_mut();
        state.lists.remove(list);
        state.hidden.remove(list);
        let news: Vec<Key> = keys.into_iter().filter(|key| !state.entries.contains_key(key)).collect();
        state.awaited.extend(news);
    }

    /// Records that a list is not to be waited for: the right is missing, or there is no such kind.
    pub(crate) fn unlisted(&self, list: List, is_denied: bool) {
        let mut state = self.state.borrow_mut();
        state.lists.remove(&list);
        // Accounts are those of SyncedSecrets: while that kind is missing, nobody can say that an account is not used.
        match is_denied || list.0 == Some(Kind::SyncedSecret) {
            true => state.hidden.insert(list),
            false => state.hidden.remove(&list),
        };
    }

    /// Returns whether a definition is there, as far as the hub has told.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.state.borrow().entries.contains_key(key)
    }

    /// Records that a definition is there. An engine that hears late of one that is gone by then brings it back no more.
    pub(crate) fn arrived(&self, key: &Key) {
        self.state.borrow_mut().entries.entry(key.clone()).or_default();
    }

    /// Records that a definition is to be synced. An engine may say so late, of a form that was changed meanwhile.
    pub(crate) fn expect(&self, key: &Key, uid: String, secret: String, generation: i64) {
        let mut state = self.state.borrow_mut();
        state.news += 1;
        state.awaited.remove(key);
        let Some(entry) = state.entries.get_mut(key) else { return };
        if entry.uid == uid && entry.generation > generation {
            if entry.keeps {
                entry.secret = secret;
            }
            return;
        }
        if entry.refused {
            (entry.refused, entry.keeps, entry.trouble) = (false, false, None);
        }
        if entry.generation != generation {
            entry.synced = false;
        }
        (entry.uid, entry.secret, entry.generation) = (uid, secret, generation);
    }

    /// Records that a definition cannot be synced. An engine may say so late, too.
    pub(crate) fn refuse(&self, key: &Key, refused: &Refused) {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.newest(key, refused) else { return };
        (entry.secret, entry.keeps, entry.synced, entry.usable) =
            (refused.secret.clone(), false, false, false);
        // Nothing renews its leases any more.
        (entry.expires, entry.lease) = (None, None);
        self.refused(key, entry, refused);
    }

    /// Records that a definition cannot be synced in its present form, and that the Secret is kept in the last one that was
    /// good, with its leases.
    pub(crate) fn refuse_edit(&self, key: &Key, refused: &Refused) {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.newest(key, refused) else { return };
        entry.keeps = true;
        if entry.secret.is_empty() {
            entry.secret.clone_from(&refused.secret);
        }
        self.refused(key, entry, refused);
    }

    fn refused(&self, key: &Key, entry: &mut Entry, refused: &Refused) {
        (entry.uid, entry.generation, entry.refused) = (refused.uid.clone(), refused.generation, true);
        self.trouble(key, entry, &refused.why.to_string(), "Refused");
        self.status(key, entry);
    }

    fn trouble(&self, key: &Key, entry: &mut Entry, why: &str, reason: &'static str) {
        if entry.trouble.as_deref() == Some(why) {
            return;
        }
        entry.errors += 1;
        entry.trouble = Some(why.to_owned());
        tracing::warn!(definition = %key, secret = entry.secret, "not synced: {why}");
        self.note(key, entry, true, reason, why.to_owned());
    }

    fn note(&self, key: &Key, entry: &Entry, warning: bool, reason: &'static str, text: String) {
        // The receiver is gone if the run is ending.
        let (key, uid, status) = (key.clone(), entry.uid.clone(), None);
        let _sent = self.notes.send(Note { key, uid, warning, reason, text, status });
    }

    /// Has the status of a SyncedSecret written if it has changed.
    fn status(&self, key: &Key, entry: &mut Entry) {
        if key.kind != Kind::SyncedSecret {
            return;
        }
        let status = Status {
            synced: entry.synced && entry.trouble.is_none(),
            ready: entry.usable,
            secret: entry.secret.clone(),
            generation: entry.generation,
            expires: entry.expires,
            lease: entry.lease.clone(),
            restart: entry.restart.clone(),
        };
        let told = Some(Box::new((status.clone(), entry.trouble.clone())));
        if entry.told == told {
            return;
        }
        entry.told = told;
        let text =
            entry.trouble.clone().unwrap_or_else(|| format!("the Secret {} is as defined", entry.secret));
        let (key, uid, warning) = (key.clone(), entry.uid.clone(), entry.trouble.is_some());
        let reason = match (warning, status.synced) {
            (true, _) if entry.refused => "Refused",
            (true, _) => "NotSynced",
            (false, true) => "Synced",
            (false, false) => "Pending",
        };
        let text = if warning || status.synced { text } else { "the secrets are being read".to_owned() };
        let _sent = self.notes.send(Note { key, uid, warning, reason, text, status: Some(status) });
    }

    /// Drops the series of a login that is given up.
    pub(crate) fn part(&self, login: &str) {
        self.state.borrow_mut().logins.remove(login);
    }

    /// Records whether there are credentials, or why there are none.
    pub(crate) fn credentials(&self, login: &str, trouble: Option<String>) {
        let mut state = self.state.borrow_mut();
        let login = state.logins.entry(login.to_owned()).or_default();
        // An engine that waits for its handoff shows nothing yet.
        if trouble.is_some() || login.away == login.no_credentials {
            login.away.clone_from(&trouble);
        }
        login.no_credentials = trouble;
    }

    /// Drops a definition that is gone, with its series.
    pub(crate) fn forget(&self, key: &Key) {
        let mut state = self.state.borrow_mut();
        state.awaited.remove(key);
        state.entries.remove(key);
    }

    /// Records that a definition was changed and changed back, before any engine took the change over. What the engine shows
    /// next ends the trouble of a change that was refused.
    pub(crate) fn is_again(&self, key: &Key, generation: i64) {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.entries.get_mut(key).filter(|entry| entry.generation <= generation) else {
            return;
        };
        if entry.generation < generation {
            (entry.refused, entry.keeps) = (false, false);
        }
        entry.generation = generation;
    }

    /// Counts a write of a form that is not wanted any more.
    pub(crate) fn wrote_former(&self) {
        self.state.borrow_mut().writes += 1;
    }

    /// Records that a definition's Secret is as it should be.
    pub(crate) fn good(&self, key: &Key, wrote: bool) {
        let mut state = self.state.borrow_mut();
        state.writes += u64::from(wrote);
        let Some(entry) = state.entries.get_mut(key) else { return };
        entry.synced = true;
        entry.usable = true;
        if wrote {
            let text = format!("wrote the Secret {}", entry.secret);
            let entry = &*entry;
            self.note(key, entry, false, "Synced", text);
        }
    }

    /// Records that the workloads that read a definition's Secret are being restarted.
    pub(crate) fn restarting(&self, key: &Key) {
        let mut state = self.state.borrow_mut();
        let Some(entry) = state.entries.get_mut(key) else { return };
        // A restart that failed before is shown as failed until it succeeds.
        if !matches!(entry.restart, Some(Restart::Failed(_))) {
            entry.restart = Some(Restart::UnderWay);
            self.status(key, entry);
        }
    }

    /// Records the outcome of the restart.
    pub(crate) fn restarted(&self, key: &Key, result: Result<(), &String>) {
        let mut state = self.state.borrow_mut();
        match result {
            Ok(()) => state.restarts += 1,
            Err(_) => state.failed_restarts += 1,
        }
        let Some(entry) = state.entries.get_mut(key) else { return };
        let next = result.map_or_else(|why| Restart::Failed(why.clone()), |()| Restart::Done);
        if entry.restart.as_ref() == Some(&next) {
            return;
        }
        entry.restart = Some(next);
        match result {
            Ok(()) => {
                let text = format!("restarted the workloads that read the Secret {}", entry.secret);
                self.note(key, entry, false, "Restarted", text);
            }
            Err(why) => {
                tracing::warn!(definition = %key, secret = entry.secret, "{why}");
                self.note(key, entry, true, "NotRestarted", why.clone());
            }
        }
        self.status(key, entry);
    }

    /// Counts a renewal or look-up of the token that failed.
    pub(crate) fn token_failed(&self, login: &str, operation: &'static str, failure: &Failure) {
        let mut state = self.state.borrow_mut();
        let login = state.logins.entry(login.to_owned()).or_default();
        *login.token_errors.entry((operation, metrics::class(failure))).or_default() += 1;
    }

    /// Counts a read that failed.
    pub(crate) fn read_failed(&self, login: &str, path: &str, failure: &Failure) {
        self.count_read(login, (path, ""), metrics::class(failure));
    }

    /// Counts a read of a secret that does not have a key.
    pub(crate) fn key_missing(&self, login: &str, path: &str, key: &str) {
        self.count_read(login, (path, key), metrics::MISSING);
    }

    fn count_read(&self, login: &str, (path, key): (&str, &str), class: &'static str) {
        let mut state = self.state.borrow_mut();
        let login = state.logins.entry(login.to_owned()).or_default();
        let shown = |text: &str| if self.labels.paths { text.to_owned() } else { String::new() };
        *login.read_errors.entry((shown(path), shown(key), class)).or_default() += 1;
    }

    /// Counts that Secrets cannot be read or written in the definition's namespace.
    pub(crate) fn unreadable(&self, key: &Key) {
        if let Some(entry) = self.state.borrow_mut().entries.get_mut(key) {
            entry.unreadable += 1;
        }
    }

    /// Returns how much was done that takes memory for a while: definitions that came or changed, and Secrets that were
    /// written.
    pub(crate) fn work(&self) -> u64 {
        let state = self.state.borrow();
        state.news + state.writes
    }

    /// Returns whether every definition that was there at the start is known.
    pub(crate) fn knows_all(&self) -> bool {
        let state = self.state.borrow();
        state.lists.is_empty() && state.awaited.is_empty()
    }

    /// Returns whether each definition that may have used this login has a Secret that does not: it was published with its
    /// present login, and all its readers have that. What was refused from the start may have been read with any login of its
    /// namespace, and so may what cannot be listed.
    pub(crate) fn needs_no_more(&self, identity: &Identity) -> bool {
        let state = self.state.borrow();
        let concerned = |key: &Key| match identity {
            Identity::Controller => key.kind == Kind::SecretDefinition,
            Identity::Account { namespace, .. } => *key.namespace == **namespace,
        };
        let mut entries = state.entries.iter().filter(|(key, _)| concerned(key));
        !state.hides_users_of(identity)
            && entries.all(|(_, entry)| entry.synced && !entry.refused && !entry.awaits_readers())
    }

    /// Returns why the controller is not ready.
    pub(crate) fn unready(&self) -> Option<String> {
        let state = self.state.borrow();
        if !state.leads {
            return None;
        }
        let waiting = state.entries.values().filter(|entry| !entry.synced && entry.trouble.is_none()).count();
        let what = match (self.knows_all(), waiting) {
            (true, 0) => return None,
            (true, _) => format!("{waiting} definitions are not synced yet"),
            (false, _) => "the definitions are not known yet".to_owned(),
        };
        let away = state.logins.values().find_map(|login| login.away.as_ref());
        Some(away.map_or_else(|| what.clone(), |why| format!("{what}: {why}")))
    }
}

impl Entry {
    /// Returns whether pods may still have the values of before, and of another login.
    fn awaits_readers(&self) -> bool {
        matches!(self.restart, Some(Restart::UnderWay | Restart::Failed(_)))
    }
}

impl State {
    /// Returns whether definitions with this login may be there that cannot be listed.
    fn hides_users_of(&self, identity: &Identity) -> bool {
        self.hidden.iter().any(|(kind, namespace)| match identity {
            Identity::Controller => *kind == Some(Kind::SecretDefinition),
            Identity::Account { namespace: own, .. } => namespace.as_ref().is_none_or(|one| one == own),
        })
    }

    /// Returns the entry of a definition that is refused in this form, unless it has a later form already.
    fn newest(&mut self, key: &Key, refused: &Refused) -> Option<&mut Entry> {
        self.awaited.remove(key);
        let is_later = |entry: &Entry| entry.uid == refused.uid && entry.generation > refused.generation;
        self.entries.get_mut(key).filter(|entry| !is_later(entry))
    }
}

#[cfg(test)]
mod tests;
