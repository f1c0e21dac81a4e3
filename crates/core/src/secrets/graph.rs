//! Everything that is asked of the server. A secret is asked for once, however it is written and however many files
//! use it.
//!
//! A request as written leads to a secret. When requests are resolved, secrets that turn out to be the same are
//! merged. A secret that no file uses any more is dropped.

mod asked;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::interface::event::Life;
use crate::interface::ids::{FileId, SecretId, StoreId, TokenId};
use crate::interface::policy::StorePolicy;
use crate::interface::view::NextAction;
use crate::secrets::graph::asked::Asked;
use crate::secrets::lag::Lag;
use crate::secrets::lease::Lease;
use crate::secrets::refresh::Certificate;
use crate::tools::dice::number;
use crate::tools::few::Few;
use crate::tools::steps::step;
use crate::upstream::mounts::Path;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::time::{Moment, Now};

/// What can be asked about a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// The path under which the server keeps it.
    Resolve,
    /// Its value.
    Read,
    /// More time for its lease.
    Renew,
}

/// What is happening to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is planned.
    Idle,
    /// A request is queued or under way.
    Busy(Op),
    /// The next request waits for its time.
    Waiting { what: NextAction, at: Moment, op: Op },
    /// It was denied, and the token is being looked up to find out why.
    Suspect(Op),
}

/// The last failure, until the next success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: FailureKind,
    /// A whole sentence that names the path.
    pub(crate) text: String,
    /// The text says what to do, too.
    pub(crate) advised: bool,
    /// Retrying soon will not fix it, so `init` fails.
    pub(crate) definitive: bool,
    /// The failure is in the log.
    pub(crate) told: bool,
}

/// How far two answers about the same moment may differ: each is in whole seconds, and counts from when it was asked
/// for.
const UNSURE: Duration = Duration::from_secs(3);

/// What the store holds of a secret.
#[derive(Debug)]
pub(crate) struct Held {
    /// When the read was sent.
    pub(crate) read: Moment,
    pub(crate) lease: Option<Lease>,
    pub(crate) life: Life,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) version: Option<u64>,
    /// The version's id, which is not kept beyond the run: the next read brings it.
    pub(crate) version_id: Option<String>,
}

impl Held {
    /// Returns the end that the data itself names; `None` if it names none.
    pub(crate) fn own_end(&self, now: Now) -> Option<Moment> {
        match self.life {
            Life::EndsIn(ttl) => Some(self.read.after(ttl)),
            _ => self.certificate.map(|certificate| certificate.expires(now)),
        }
    }

    /// Returns whether every read makes a new one, so that none is read while this one lives.
    pub(crate) fn is_minted(&self) -> bool {
        self.lease.is_some() || self.certificate.is_some() || matches!(self.life, Life::EndsIn(_))
    }

    /// Returns whether the server has moved the next rotation to a later time since `before`.
    pub(crate) fn is_put_off(&self, before: &Self) -> bool {
        match (before.life, self.life) {
            (Life::RotatesIn(old), Life::RotatesIn(new)) => {
                self.read.after(new) > before.read.after(old).after(UNSURE)
            }
            _ => false,
        }
    }

    /// Returns a number that tells this answer from other answers, also in the next run. Its jitter depends on the
    /// number, so that a restart does not move its renewal.
    pub(crate) fn name(&self) -> u64 {
        match (&self.lease, self.certificate) {
            (Some(lease), _) => lease.expires.name(),
            (None, Some(certificate)) => certificate.name(),
            (None, None) => self.read.name(),
        }
    }
}

/// One secret.
#[derive(Debug)]
pub(crate) struct Node {
    /// The name of the secret in the log and in the status.
    pub(crate) name: Name,
    /// The store that it is read from; `None` for the Vault.
    pub(crate) store: Option<StoreId>,
    /// Every way in which the files write it.
    pub(crate) written: Few<Arc<Request>>,
    /// The one way in which the server keeps it, once that is known.
    pub(crate) request: Option<Arc<Request>>,
    pub(crate) users: Few<FileId>,
    pub(crate) held: Option<Held>,
    pub(crate) step: Step,
    pub(crate) trouble: Option<Trouble>,
    /// What is known about its path.
    pub(crate) path: Path,
    /// When its mount was last asked about.
    pub(crate) mount_asked: Option<Moment>,
    /// How many requests failed in a row.
    pub(crate) tries: u32,
    /// The denials with one login that a lagging standby may explain.
    pub(crate) lag: Lag,
    /// When it was first denied since the last success.
    pub(crate) denied: Option<Moment>,
    /// The last denial, while it is not known yet whether it is final.
    pub(crate) denial: Option<Box<Failure>>,
    /// When a lease that the server did not know was last replaced.
    pub(crate) reminted: Option<Moment>,
    /// How many answers in a row left a rotation outstanding: it is due, or its time was moved without a new value.
    pub(crate) outstanding: u32,
    /// The secret is read once more after the read under way, which may have missed the change.
    pub(crate) again: bool,
    /// The same, where only news is asked for: not if the read brings something that expires.
    pub(crate) news: bool,
    /// The number that its draws of the dice depend on.
    pub(crate) number: u64,
    pub(crate) draws: u64,
    pub(crate) fresh: Option<Moment>,
    /// When the store last got a different answer for it.
    pub(crate) turned: Option<Moment>,
    pub(crate) reads: u64,
    pub(crate) renewals: u64,
    pub(crate) replacements: u64,
    /// The secret may differ from what was last written down of it.
    touched: bool,
    /// The secret may have failed or recovered since the last look.
    unseen: bool,
    /// What was last written down of it: its request, and a digest of the rest.
    pub(crate) noted: Option<(Arc<Request>, u64)>,
    /// How many requests about it failed, to be shown.
    pub(crate) failures: u64,
}

impl Node {
    fn new(name: Name, number: u64) -> Self {
        Self {
            name,
            store: None,
            written: Few::default(),
            request: None,
            users: Few::default(),
            held: None,
            step: Step::Idle,
            trouble: None,
            path: Path::Unknown,
            mount_asked: None,
            tries: 0,
            lag: Lag::default(),
            denied: None,
            denial: None,
            reminted: None,
            outstanding: 0,
            again: false,
            news: false,
            number,
            draws: 0,
            fresh: None,
            turned: None,
            reads: 0,
            renewals: 0,
            replacements: 0,
            touched: false,
            unseen: false,
            noted: None,
            failures: 0,
        }
    }

    /// Returns its lease, if it has one.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.held.as_ref()?.lease.as_ref()
    }

    /// Returns its lease, to be changed.
    pub(crate) fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.held.as_mut()?.lease.as_mut()
    }

    /// Returns whether it is read as written, without a question about its mount.
    pub(crate) fn is_assumed(&self) -> bool {
        self.path == Path::Assumed
    }

    /// Returns the way of writing it that its mount is asked about. A way that leaves the form open is preferred,
    /// since the form that was right may be right no longer.
    pub(crate) fn way_to_ask(&self) -> Option<&Arc<Request>> {
        self.written.iter().find(|way| !way.is_written_as_kept()).or(self.written.first())
    }

    /// Returns its path as people wrote it, for messages. An earlier run also leaves the server's form, which must
    /// not become another name of the same secret.
    pub(crate) fn path(&self) -> &str {
        let own = self.written.iter().find(|way| self.request.as_ref() != Some(*way));
        let any = own.or_else(|| self.written.first()).or(self.request.as_ref());
        any.map_or("", |request| request.path.as_str())
    }

    /// Forgets past failures. Returns true if there was one whose end is to be logged.
    pub(crate) fn recovered(&mut self) -> bool {
        self.tries = 0;
        self.lag = Lag::default();
        self.denied = None;
        self.denial = None;
        self.trouble.take().is_some()
    }
}

/// All secrets.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The names of the stores, in order.
    stores: Vec<String>,
    /// The nodes are boxed: a tree node would keep room for eleven of them, half of it empty.
    nodes: BTreeMap<SecretId, Box<Node>>,
    written: BTreeMap<Arc<Request>, SecretId>,
    resolved: BTreeMap<Arc<Request>, SecretId>,
    count: usize,
    /// The names in use: hash and number.
    named: BTreeSet<(u32, u32)>,
    /// Secrets that may have changed since the changes were last taken.
    touched: BTreeSet<SecretId>,
    /// The requests of secrets that were written down and are no longer there.
    gone: Vec<Arc<Request>>,
    /// For each login, when the first lease ends that a file depends on. `None` once that may have changed.
    first_ends: Option<BTreeMap<TokenId, Moment>>,
    /// The remembered answers to questions that are asked after each event.
    asked: Asked,
}

/// The name of a secret where its path must not be read: eight digits that are the same for all ways of writing the
/// path. A number follows if other secrets have the same digits, such as two requests that differ in their arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    hash: u32,
    number: u32,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.hash)?;
        if self.number > 1 { write!(f, "-{}", self.number) } else { Ok(()) }
    }
}

/// What resolving a secret found out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// The secret is a secret of its own.
    Itself,
    /// The secret is the same as this one, and no longer exists.
    Same(SecretId),
}

impl Graph {
    /// Makes a graph without secrets. A path that begins with the name of one of these stores is read from that
    /// store.
    pub(crate) fn new(stores: &[StorePolicy]) -> Self {
        Self { stores: stores.iter().map(|store| store.name.clone()).collect(), ..Self::default() }
    }

    pub(crate) fn get(&self, id: SecretId) -> Option<&Node> {
        self.nodes.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: SecretId) -> Option<&mut Node> {
        step();
        self.first_ends = None;
        let node = self.nodes.get_mut(&id)?;
        if !std::mem::replace(&mut node.touched, true) {
            self.touched.insert(id);
        }
        self.asked.note(id, node);
        Some(node)
    }

    /// Returns a secret like [`get_mut`](Self::get_mut), to note what was written down of it.
    pub(crate) fn get_to_note(&mut self, id: SecretId) -> Option<&mut Node> {
        self.nodes.get_mut(&id).map(Box::as_mut)
    }

    /// Takes the secrets that may have changed since the last call, and the requests of those that were
    /// [`noted`](Node::noted) and are gone.
    pub(crate) fn take_touched(&mut self) -> (BTreeSet<SecretId>, Vec<Arc<Request>>) {
        let touched = std::mem::take(&mut self.touched);
        for id in &touched {
            if let Some(node) = self.nodes.get_mut(id) {
                node.touched = false;
            }
        }
        (touched, std::mem::take(&mut self.gone))
    }

    /// Returns for each login when the first lease ends that a file depends on. The answer is kept until something
    /// changes.
    pub(crate) fn first_ends(&mut self) -> &BTreeMap<TokenId, Moment> {
        self.first_ends.get_or_insert_with(|| {
            let mut ends: BTreeMap<TokenId, Moment> = BTreeMap::new();
            let used = self.nodes.values().filter(|node| !node.users.is_empty());
            for lease in used.filter_map(|node| node.lease()) {
                let end = ends.entry(lease.token).or_insert(lease.expires);
                *end = lease.expires.min(*end);
            }
            ends
        })
    }

    /// Returns all secrets, in the order in which they were first needed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SecretId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, &**node))
    }

    /// Returns all secrets, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SecretId, &mut Node)> {
        self.first_ends = None;
        let (touched, asked) = (&mut self.touched, &mut self.asked);
        self.nodes.iter_mut().map(|(id, node)| {
            if !std::mem::replace(&mut node.touched, true) {
                touched.insert(*id);
            }
            asked.note(*id, node);
            (*id, &mut **node)
        })
    }

    /// Returns the numbers of all secrets there are now.
    pub(crate) fn ids(&self) -> Vec<SecretId> {
        self.nodes.keys().copied().collect()
    }

    /// Returns the secret of `request`, as written, and makes it if it is new. A request that is written as the
    /// server keeps it means the secret that is known by that form, as in the store that files are rendered from. A
    /// second secret would hide that the first has just changed.
    pub(crate) fn intern(&mut self, request: &Request) -> SecretId {
        if let Some(id) = self.written.get(request).or_else(|| self.resolved.get(request)) {
            return *id;
        }
        let request = Arc::new(request.clone());
        let id = self.add(&request);
        if let Some(node) = self.get_mut(id).filter(|node| node.store.is_some()) {
            // A store keeps the secret as it is written.
            node.request = Some(request.clone());
            node.path = Path::Known;
            self.resolved.insert(request.clone(), id);
        }
        self.name(id, request);
        id
    }

    /// Adds a secret from an earlier run, under its resolved request and all ways in which it is written.
    pub(crate) fn adopt(&mut self, request: Request, written: Vec<Request>) -> SecretId {
        let request = Arc::new(request);
        let id = self.add(&request);
        for request in written.into_iter().map(Arc::new).chain([request.clone()]) {
            self.name(id, request);
        }
        self.resolved.insert(request.clone(), id);
        if let Some(node) = self.get_mut(id) {
            node.request = Some(request);
        }
        id
    }

    /// Records that the server keeps `id` under `request`.
    pub(crate) fn resolve(&mut self, id: SecretId, request: Request) -> Resolved {
        let request = Arc::new(request);
        match self.resolved.get(&request).copied() {
            Some(same) if same != id => {
                self.merge(id, same);
                Resolved::Same(same)
            }
            _ => {
                let _touched = self.get_mut(id);
                if let Some(node) = self.nodes.get_mut(&id) {
                    let asked = node.way_to_ask().cloned();
                    if let Some(before) = node.request.replace(request.clone()) {
                        self.resolved.remove(&before);
                        // The secret has moved. A request that is written in its former form means another secret, if
                        // there is one.
                        if before != request && asked.is_some_and(|asked| asked != before) {
                            node.written.remove(&before);
                            self.written.remove(&before);
                        }
                    }
                    self.resolved.insert(request, id);
                }
                Resolved::Itself
            }
        }
    }

    /// Returns whether a secret that was never read goes by the path as written. That is also so if the server did
    /// not know the token and therefore said nothing about the mount.
    pub(crate) fn may_be_unresolved(&self, id: SecretId) -> bool {
        self.get(id).is_some_and(|node| {
            node.held.is_none() && node.request.as_ref().is_some_and(|path| node.written.contains(path))
        })
    }

    /// Removes a secret.
    pub(crate) fn remove(&mut self, id: SecretId) -> Option<Node> {
        let mut node = *self.nodes.remove(&id)?;
        self.first_ends = None;
        self.touched.remove(&id);
        self.asked.forget(id);
        self.gone.extend(node.noted.take().map(|(request, _)| request));
        self.named.remove(&(node.name.hash, node.name.number));
        for written in &node.written {
            self.written.remove(written);
        }
        if let Some(request) = &node.request {
            self.resolved.remove(request);
        }
        Some(node)
    }

    fn merge(&mut self, from: SecretId, into: SecretId) {
        let Some(gone) = self.remove(from) else { return };
        for request in gone.written {
            self.name(into, request);
        }
        self.first_ends = None;
        if let Some(node) = self.nodes.get_mut(&into) {
            node.users.extend(gone.users);
        }
    }

    fn add(&mut self, request: &Request) -> SecretId {
        let id = SecretId(self.count);
        self.count += 1;
        let name = self.name_of(&request.path);
        let mut node = Node::new(name, number(&request.path));
        let first = request.path.split('/').next().unwrap_or_default();
        node.store = self.stores.iter().position(|name| name == first).map(StoreId);
        self.nodes.insert(id, Box::new(node));
        id
    }

    /// Returns a name for a request of this path that no other secret has.
    fn name_of(&mut self, path: &str) -> Name {
        let plain: Vec<&str> = path.split('/').filter(|part| *part != "data").collect();
        // The hash is the upper half: FNV mixes better upwards.
        let hash = u32::try_from(number(&plain.join("/")) >> 32).unwrap_or(u32::MAX);
        let last = self.named.range((hash, 0)..=(hash, u32::MAX)).next_back();
        let number = last.map_or(1, |(_, last)| last.saturating_add(1));
        self.named.insert((hash, number));
        Name { hash, number }
    }

    fn name(&mut self, id: SecretId, request: Arc<Request>) {
        if let Some(node) = self.get_mut(id) {
            node.written.insert(request.clone());
            self.written.insert(request, id);
        }
    }
}

#[cfg(test)]
mod tests;
