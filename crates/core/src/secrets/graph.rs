//! What is asked of the server, once however it is written and however many files use it.
//!
//! A request as written leads to a secret; once it is resolved, secrets that turn out to be the
//! same are merged. A secret that no file uses any more is dropped.

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
use crate::secrets::lease::Lease;
use crate::secrets::refresh::Certificate;
use crate::tools::dice::number;
use crate::tools::few::Few;
use crate::upstream::mounts::Path;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::time::{Moment, Now};

/// What can be asked about a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Under which path the server keeps it.
    Resolve,
    /// Its value.
    Read,
    /// More time for its lease.
    Renew,
}

/// Where a secret stands.
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
    /// It says what to do, too.
    pub(crate) advised: bool,
    /// Trying again soon will not mend it: init fails on it.
    pub(crate) definitive: bool,
    /// It is in the log.
    pub(crate) told: bool,
}

/// Two answers about one time may differ by so much: each is in whole seconds, and counts from when it was asked.
const UNSURE: Duration = Duration::from_secs(3);

/// What the store has of it.
#[derive(Debug)]
pub(crate) struct Held {
    /// When it was asked.
    pub(crate) read: Moment,
    pub(crate) lease: Option<Lease>,
    pub(crate) life: Life,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) version: Option<u64>,
    /// Not kept beyond the run: the next read brings it.
    pub(crate) version_id: Option<String>,
}

impl Held {
    /// When it ends by itself, as its data says; none where it does not say.
    pub(crate) fn own_end(&self, now: Now) -> Option<Moment> {
        match self.life {
            Life::EndsIn(ttl) => Some(self.read.after(ttl)),
            _ => self.certificate.map(|certificate| certificate.expires(now)),
        }
    }

    /// Whether every read makes another one, so that none is asked for while this one lives.
    pub(crate) fn is_minted(&self) -> bool {
        self.lease.is_some() || self.certificate.is_some() || matches!(self.life, Life::EndsIn(_))
    }

    /// Whether the server has moved on the time of the next rotation since `before`.
    pub(crate) fn is_put_off(&self, before: &Self) -> bool {
        match (before.life, self.life) {
            (Life::RotatesIn(old), Life::RotatesIn(new)) => {
                self.read.after(new) > before.read.after(old).after(UNSURE)
            }
            _ => false,
        }
    }

    /// Tells this answer from those before and after it, also in the next run: its jitter hangs on that, so
    /// that a restart does not move when it is renewed.
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
    /// Names it in the log and in status.
    pub(crate) name: Name,
    /// Where it is read; none for the Vault.
    pub(crate) store: Option<StoreId>,
    /// Every way the files write it.
    pub(crate) written: Few<Arc<Request>>,
    /// The one way the server keeps it, once that is known.
    pub(crate) request: Option<Arc<Request>>,
    pub(crate) users: Few<FileId>,
    pub(crate) held: Option<Held>,
    pub(crate) step: Step,
    pub(crate) trouble: Option<Trouble>,
    /// What is known of its path.
    pub(crate) path: Path,
    /// When its mount was last asked about.
    pub(crate) mount_asked: Option<Moment>,
    /// Failures in a row.
    pub(crate) tries: u32,
    /// Denials in a row that were put down to a standby that lags behind a fresh login.
    pub(crate) lag: u32,
    /// The first denial since the last success.
    pub(crate) denied: Option<Moment>,
    /// How it was denied last, while nobody knows yet whether that is final.
    pub(crate) denial: Option<Box<Failure>>,
    /// The policy does not let its lease be renewed.
    pub(crate) cannot_renew: bool,
    /// When a lease that the server did not know was replaced.
    pub(crate) reminted: Option<Moment>,
    /// Answers in a row that leave a rotation outstanding: it is due, or its time was moved on without it.
    pub(crate) outstanding: u32,
    /// Read it once more when the read under way is over: it may have missed the change.
    pub(crate) again: bool,
    /// As above, for news: not where the read brings something that ends.
    pub(crate) news: bool,
    /// Names its draws of the dice.
    pub(crate) number: u64,
    pub(crate) draws: u64,
    pub(crate) fresh: Option<Moment>,
    /// When the store last got another answer for it.
    pub(crate) turned: Option<Moment>,
    pub(crate) reads: u64,
    pub(crate) renewals: u64,
    pub(crate) replacements: u64,
    /// It may differ from what was last written down of it.
    touched: bool,
    /// It may have failed or recovered since that was last asked.
    unseen: bool,
    /// What was last written down of it: its request, and a digest of the rest.
    pub(crate) noted: Option<(Arc<Request>, u64)>,
    /// Requests about it that failed, for what is shown.
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
            lag: 0,
            denied: None,
            denial: None,
            cannot_renew: false,
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

    /// Its lease, where it has one.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.held.as_ref()?.lease.as_ref()
    }

    /// As above.
    pub(crate) fn lease_mut(&mut self) -> Option<&mut Lease> {
        self.held.as_mut()?.lease.as_mut()
    }

    /// Whether it is read as it is written, and its mount was not asked about.
    pub(crate) fn is_assumed(&self) -> bool {
        self.path == Path::Assumed
    }

    /// The way of writing it that its mount is asked about: one that leaves its form open where there is one, for the
    /// form that was right may be so no more.
    pub(crate) fn way_to_ask(&self) -> Option<&Arc<Request>> {
        self.written.iter().find(|way| !way.is_written_as_kept()).or(self.written.first())
    }

    /// As people wrote it, for messages. An earlier run leaves the server's form beside that, which is not to become
    /// another name of the same secret.
    pub(crate) fn path(&self) -> &str {
        let own = self.written.iter().find(|way| self.request.as_ref() != Some(*way));
        let any = own.or_else(|| self.written.first()).or(self.request.as_ref());
        any.map_or("", |request| request.path.as_str())
    }

    /// Forgets past failures. True where there was one to tell the end of.
    pub(crate) fn recovered(&mut self) -> bool {
        self.tries = 0;
        self.lag = 0;
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
    /// Apart from the tree, whose nodes would keep room for eleven of them, half of it empty.
    nodes: BTreeMap<SecretId, Box<Node>>,
    written: BTreeMap<Arc<Request>, SecretId>,
    resolved: BTreeMap<Arc<Request>, SecretId>,
    count: usize,
    /// The names in use: hash and number.
    named: BTreeSet<(u32, u32)>,
    /// Secrets of which something may have changed since changes were last taken.
    touched: BTreeSet<SecretId>,
    /// The requests of secrets that were written down, and are no longer there.
    gone: Vec<Arc<Request>>,
    /// Of each login, when the first lease ends that a file is made of. None once something may have changed.
    first_ends: Option<BTreeMap<TokenId, Moment>>,
    /// What is remembered of questions that are asked after each event.
    asked: Asked,
}

/// What a secret is called where its path is not to be read: eight digits that are the same for all
/// ways of writing a path, and a number where others have them too, as two requests do that differ in
/// their arguments.
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

/// What resolving a secret brought to light.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// It is itself.
    Itself,
    /// It is this other one, and no longer exists.
    Same(SecretId),
}

impl Graph {
    /// Nothing yet; what begins with the name of one of these is read there.
    pub(crate) fn new(stores: &[StorePolicy]) -> Self {
        Self { stores: stores.iter().map(|store| store.name.clone()).collect(), ..Self::default() }
    }

    pub(crate) fn get(&self, id: SecretId) -> Option<&Node> {
        self.nodes.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: SecretId) -> Option<&mut Node> {
        self.first_ends = None;
        let node = self.nodes.get_mut(&id)?;
        if !std::mem::replace(&mut node.touched, true) {
            self.touched.insert(id);
        }
        self.asked.note(id, node);
        Some(node)
    }

    /// As [`get_mut`](Self::get_mut), to note what was written down of it.
    pub(crate) fn get_to_note(&mut self, id: SecretId) -> Option<&mut Node> {
        self.nodes.get_mut(&id).map(Box::as_mut)
    }

    /// Secrets of which something may have changed since this was last asked, and the requests of those that were
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

    /// Of each login, when the first lease ends that a file is made of: counted once for as long as nothing changes.
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

    /// All secrets, in the order they were first needed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SecretId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, &**node))
    }

    /// As above.
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

    /// All numbers, as they are now.
    pub(crate) fn ids(&self) -> Vec<SecretId> {
        self.nodes.keys().copied().collect()
    }

    /// The secret that `request`, as written, stands for; made where it is new. Who writes it as the server
    /// keeps it means the one that is known by that, as for the store that files are rendered from: another of
    /// its own would hide that it has just changed.
    pub(crate) fn intern(&mut self, request: &Request) -> SecretId {
        if let Some(id) = self.written.get(request).or_else(|| self.resolved.get(request)) {
            return *id;
        }
        let request = Arc::new(request.clone());
        let id = self.add(&request);
        if let Some(node) = self.get_mut(id).filter(|node| node.store.is_some()) {
            // A store keeps it as it is written.
            node.request = Some(request.clone());
            node.path = Path::Known;
            self.resolved.insert(request.clone(), id);
        }
        self.name(id, request);
        id
    }

    /// A secret from an earlier run, under its resolved request and all ways it is written.
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

    /// The server keeps `id` under `request`.
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
                        // It has moved: what is written as it was kept until now is another secret, if it is one.
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

    /// Whether a secret that was never read goes by the path as it is written: so it is also where the
    /// server did not know the token, and told it nothing of the mount.
    pub(crate) fn may_be_unresolved(&self, id: SecretId) -> bool {
        self.get(id).is_some_and(|node| {
            node.held.is_none() && node.request.as_ref().is_some_and(|path| node.written.contains(path))
        })
    }

    /// Takes a secret out.
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

    /// A name for a request of this path that no other has.
    fn name_of(&mut self, path: &str) -> Name {
        let plain: Vec<&str> = path.split('/').filter(|part| *part != "data").collect();
        // The upper half: FNV mixes better upwards.
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
