//! The model driver: the store, the renderer, the disk and the handoff around one engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leasehold_base::exit::{Cause, Ending};
use leasehold_base::request::Request;
use leasehold_core::Engine;
use leasehold_core::event::{Event, Loss, Published, RenderOutcome};
use leasehold_core::ids::{FileId, LeaseId, NotifierId, TokenId, UnitId};
use leasehold_core::policy::{Mode, SinkPolicy};
use leasehold_core::snapshot::Snapshot;

use super::cluster::Api;
use super::faults::Fault;
use super::handoff::Handoff;
use super::server::Value;
use super::setup::Setup;
use super::world::World;

/// The path under which the content of a sink is kept.
pub const SINK: &str = "the login's token";

/// What a file is made of: each path, in the form that the server keeps, with the answer that it came from.
pub type Content = BTreeMap<String, Value>;

/// Answers by resolved path, and how a path as written is resolved.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub answers: BTreeMap<String, Value>,
    pub resolved: BTreeMap<String, String>,
    /// The new path of each secret that has moved on the server and was not read there yet, with the path that its last
    /// good answer is under.
    moved: BTreeMap<String, String>,
}

impl Store {
    /// Records that the server keeps under `path` what is written as `written`. The last good answer stays until the
    /// secret is read at its new path.
    fn resolve(&mut self, written: String, path: String) {
        let before = self.place(&written).to_owned();
        if before == path {
            // It is back before it was read where it was thought to have moved to.
            self.moved.retain(|_, from| *from != path);
        }
        let known = before == path || self.moved.get(&path) == Some(&before);
        if !known && self.answers.contains_key(&before) {
            // What is written as it was kept until now is another secret, if it is one.
            self.resolved.remove(&before);
            for target in self.resolved.values_mut().filter(|target| **target == before) {
                target.clone_from(&path);
            }
            if self.answers.contains_key(&path) {
                self.answers.remove(&before);
            } else {
                self.moved.insert(path.clone(), before);
            }
        }
        self.resolved.insert(written, path);
    }

    /// Returns the path from which a secret, as it is written, is read now.
    fn target<'a>(&'a self, written: &'a str) -> &'a str {
        self.resolved.get(written).map_or(written, String::as_str)
    }

    /// Returns the path under which the last good answer of a secret is kept.
    fn place<'a>(&'a self, written: &'a str) -> &'a str {
        let path = self.target(written);
        self.moved.get(path).map_or(path, String::as_str)
    }

    /// Keeps an answer, and returns whether it differs from the one before.
    fn put(&mut self, path: String, value: Value) -> bool {
        let before = self.moved.remove(&path).and_then(|before| self.answers.remove(&before));
        let changed = self.answers.get(&path).or(before.as_ref()) != Some(&value);
        self.answers.insert(path, value);
        changed
    }

    pub fn forget(&mut self, path: &str) {
        self.answers.remove(path);
        if let Some(before) = self.moved.remove(path) {
            self.answers.remove(&before);
        }
        self.resolved.retain(|_, target| target != path);
    }

    /// Puts every answer under the path at which the next run is to read it.
    pub fn settled(mut self) -> Self {
        for (path, before) in std::mem::take(&mut self.moved) {
            let answer = self.answers.remove(&before);
            self.answers.extend(answer.map(|answer| (path, answer)));
        }
        self
    }
}

/// What outlives a process on disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub files: BTreeMap<FileId, Content>,
    /// The files that are gone, or are not as they were published.
    pub lost: BTreeMap<FileId, Loss>,
    pub generations: BTreeMap<UnitId, u64>,
    /// When each file last changed and a notifier had to be notified of it.
    pub changed: BTreeMap<FileId, Duration>,
    /// When each file last stopped being made of a lease.
    pub left: BTreeMap<LeaseId, BTreeMap<FileId, Duration>>,
    /// When each sink last stopped holding a token.
    pub hidden: BTreeMap<(FileId, u64), Duration>,
}

/// The kinds of requests. All but the last kind go one at a time. A look-up goes one at a time for each token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Login,
    LookUp(TokenId),
    Probe,
    Other,
}

/// What an answer brings for the driver to keep, before the core gets the event.
#[derive(Debug, Clone)]
pub enum Load {
    Nothing,
    /// The token of a login: its number in the core, and its number on the server.
    Token(TokenId, u64),
    /// The value that is kept under this path.
    Value {
        path: String,
        value: Value,
    },
    /// The path under which the server keeps what is written in this way.
    Alias {
        written: String,
        path: String,
    },
}

/// One run of the program.
#[derive(Debug)]
pub struct Process {
    pub run: u64,
    pub mode: Mode,
    pub engine: Engine,
    pub store: Store,
    /// The tokens themselves, by the core's numbers.
    pub tokens: BTreeMap<TokenId, u64>,
    pub dropped: BTreeSet<TokenId>,
    pub renderings: BTreeMap<FileId, Content>,
    /// The tokens that sinks hold wrapped.
    pub wrappings: BTreeMap<FileId, u64>,
    /// Files whose last rendering failed. They keep what they had.
    pub failing: BTreeSet<FileId>,
    /// The paths that this engine has read itself, with the time of the first read of each. It does not know when an
    /// earlier run last read the others.
    pub read: BTreeMap<String, Duration>,
    /// How many requests to the server are not answered yet, apart from probes.
    pub under_way: usize,
    pub logging_in: bool,
    /// Tokens whose look-up is under way. A look-up of the earlier login may hang while the next login is looked up.
    pub looking_up: BTreeSet<TokenId>,
    /// The version of the KV mount as the client knows it, and when the server returned it.
    pub mount: Option<(u64, Duration)>,
    pub probing: bool,
    pub stopping: bool,
    /// It is started again after it has ended.
    pub restarting: bool,
    /// A process of `exec` was started by this run.
    pub has_application: bool,
    /// The handoff was written since this engine began, so that it can be continued with further lines.
    pub has_written: bool,
}

impl Process {
    pub fn new(run: u64, mode: Mode, setup: &Setup, handoff: Option<&Handoff>) -> Self {
        Self {
            run,
            mode,
            engine: Engine::new(setup.policy(mode)),
            store: handoff.map(|kept| kept.store.clone()).unwrap_or_default(),
            tokens: handoff.map(|kept| kept.tokens.clone()).unwrap_or_default(),
            dropped: BTreeSet::new(),
            renderings: BTreeMap::new(),
            wrappings: BTreeMap::new(),
            failing: BTreeSet::new(),
            read: BTreeMap::new(),
            under_way: 0,
            logging_in: false,
            looking_up: BTreeSet::new(),
            mount: None,
            probing: false,
            stopping: false,
            restarting: false,
            has_application: false,
            has_written: false,
        }
    }

    /// Puts a new engine in the place of the old one, and returns the snapshot of the old one.
    pub fn reconfigure(&mut self, setup: &Setup, run: u64) -> Snapshot {
        let before = std::mem::replace(&mut self.engine, Engine::new(setup.policy(self.mode)));
        self.run = run;
        // Numbers of logins that are gone may be given again.
        self.dropped.clear();
        self.renderings.clear();
        self.wrappings.clear();
        self.failing.clear();
        self.read.clear();
        self.has_written = false;
        self.mount = None;
        before.snapshot()
    }

    /// Keeps what an answer brings, but not for a secret that the core has dropped meanwhile.
    pub fn keep(&mut self, answer: &mut Event, load: Load, now: Duration) {
        match (load, answer) {
            (Load::Token(id, token), _) => {
                self.tokens.insert(id, token);
            }
            (
                Load::Value { path, value },
                Event::Read { secret, result: Ok(facts), .. }
                | Event::Fetched { secret, result: Ok(facts), .. },
            ) if self.engine.knows(*secret) => {
                self.read.entry(path.clone()).or_insert(now);
                facts.changed = self.store.put(path, value);
                facts.rotated = facts.changed;
            }
            (Load::Alias { written, path }, Event::Resolved { secret, .. }) if self.engine.knows(*secret) => {
                self.store.resolve(written, path);
            }
            _ => {}
        }
    }

    /// Records that a request is sent, if `started` is true, or answered otherwise.
    pub fn count(&mut self, kind: Kind, started: bool) {
        match kind {
            Kind::Login => self.logging_in = started,
            Kind::LookUp(token) if started => {
                self.looking_up.insert(token);
            }
            Kind::LookUp(token) => {
                self.looking_up.remove(&token);
            }
            Kind::Probe => {
                self.probing = started;
                return;
            }
            Kind::Other => {}
        }
        if started {
            self.under_way += 1;
        } else {
            self.under_way -= 1;
        }
    }

    /// Returns whether the process keeps files current for an application that is there.
    pub fn is_daemon(&self) -> bool {
        self.mode == Mode::Daemon || self.has_application
    }

    /// Renders a file from the store.
    pub fn render(&mut self, setup: &Setup, file: FileId) -> RenderOutcome {
        let setup = &setup.files[file.0];
        self.failing.insert(file);
        let mut content = Content::new();
        let (mut used, mut missing) = (Vec::new(), Vec::new());
        let mut take = |written: &str| {
            let request = Request::read(written).expect("a good path");
            let path = self.store.place(written);
            let value = self.store.answers.get(path);
            match value {
                Some(value) => {
                    content.insert(path.to_owned(), value.clone());
                    used.push(request);
                }
                None => missing.push(request),
            }
            value.map(|value| value.version)
        };
        for written in &setup.paths {
            take(written);
        }
        if let Some((chooser, paths)) = &setup.choice
            && let Some(version) = take(chooser)
        {
            take(&paths[usize::try_from(version % 2).expect("small")]);
        }
        if !missing.is_empty() {
            return RenderOutcome::Needs { missing, used };
        }
        if content.values().any(|value| value.bad) {
            let why = Ending::new(Cause::Template, format!("{file:?}: no such key"), "");
            return RenderOutcome::Failed { why, used };
        }
        self.failing.remove(&file);
        let before = self.renderings.insert(file, content.clone());
        RenderOutcome::Rendered { changed: before != Some(content), used }
    }

    /// Returns whether the file's content comes from this path. Returns false for a secret that has moved and is not
    /// yet read at its new path.
    pub fn reads_from(&self, setup: &Setup, file: FileId, path: &str) -> bool {
        let setup = &setup.files[file.0];
        let choice = setup.choice.iter().flat_map(|(chooser, paths)| paths.iter().chain([chooser]));
        setup.paths.iter().chain(choice).any(|written| self.store.target(written) == path)
    }

    /// Renders a sink: the login's token, for which the version stands, or the token that was wrapped for this sink.
    pub fn render_sink(&mut self, setup: &Setup, file: FileId, token: u64) -> RenderOutcome {
        let wrapped = setup.files[file.0].sink != Some(SinkPolicy::Plain);
        let Some(version) = (if wrapped { self.wrappings.get(&file).copied() } else { Some(token) }) else {
            let why = Ending::new(Cause::Bug, format!("{file:?}: rendered without a wrapping"), "");
            return RenderOutcome::Failed { why, used: Vec::new() };
        };
        let content = Content::from([(SINK.to_owned(), Value { version, lease: None, bad: false })]);
        let before = self.renderings.insert(file, content.clone());
        RenderOutcome::Rendered { changed: before != Some(content), used: Vec::new() }
    }
}

impl Disk {
    /// Returns which of these files are not there as they were published, and what became of them.
    pub fn inspect(
        &self,
        files: &[FileId],
        newer: &[FileId],
        renderings: &BTreeMap<FileId, Content>,
    ) -> BTreeMap<FileId, Loss> {
        let loss = |file: &FileId| {
            let differs = !newer.contains(file) && self.files.get(file) != renderings.get(file);
            self.lost.get(file).copied().or_else(|| differs.then_some(Loss::Changed))
        };
        files.iter().filter_map(|file| Some((*file, loss(file)?))).collect()
    }

    /// Makes these renderings visible. `now` is the time, if there is an application to notify.
    pub fn publish(
        &mut self,
        unit: UnitId,
        files: BTreeMap<FileId, Content>,
        now: Option<Duration>,
    ) -> Published {
        let mut changed = Vec::new();
        for (file, content) in files {
            if self.lost.remove(&file).is_some() && self.files.get(&file) == Some(&content) {
                changed.push(file);
            }
            if self.files.get(&file) != Some(&content) {
                let before = self.files.insert(file, content).unwrap_or_default();
                if let Some(now) = now {
                    for lease in before.values().filter_map(|value| value.lease.clone()) {
                        self.left.entry(lease).or_default().insert(file, now);
                    }
                    if let Some(token) = before.get(SINK).map(|value| value.version) {
                        self.hidden.insert((file, token), now);
                    }
                    self.changed.insert(file, now);
                }
                changed.push(file);
            }
        }
        let generation = self.generations.entry(unit).or_default();
        if !changed.is_empty() {
            *generation += 1;
        }
        Published { generation: *generation, changed }
    }
}

impl World {
    pub(super) fn commit(&mut self, run: u64, unit: UnitId, files: BTreeMap<FileId, Content>) {
        let Some(process) = self.process.as_ref().filter(|process| process.run == run) else { return };
        let result = if self.faults.contains(&Fault::DiskFull) {
            Err(Ending::new(Cause::Destination, "no space left on device", "raise sizeLimit").into())
        } else {
            self.totals.publishes += 1;
            // Init tells nobody: the application is not there yet.
            let told = process.is_daemon();
            Ok(self.disk.publish(unit, files, told.then_some(self.now)))
        };
        let wait = self.dice.millis(0, 3);
        self.tell_later(wait, Event::Published { unit, result });
    }

    pub(super) fn notify(&mut self, run: u64, notifier: NotifierId, covers: Duration) {
        if self.process.as_ref().is_none_or(|process| process.run != run) {
            return;
        }
        let fail = self.faults.contains(&Fault::NotifiersFail) || self.has(Api::Away);
        let result = if fail {
            Err("no such process".to_owned())
        } else {
            // What happens at this moment is heard of, too, unless pods are restarted, which takes time.
            let covers = if self.rollout().is_zero() { self.now } else { covers };
            self.told.insert(notifier, covers);
            Ok(())
        };
        let wait = self.dice.millis(0, 3);
        self.tell_later(wait, Event::Notified { notifier, result });
    }
}
