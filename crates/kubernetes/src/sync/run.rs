//! The loop of one engine: it performs what the core asks for, with Secrets of Kubernetes in place of files.
//!
//! Nothing is decided here, except when changed definitions have come to rest and the next engine goes on.

mod ends;
mod inbox;
mod looks;
mod publishing;
mod restarts;
mod saves;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use leasehold::config::plan::Source;
use leasehold::core::Engine;
use leasehold::core::action::{Action, Level, Question};
use leasehold::core::event::{Event, RenderOutcome};
use leasehold::core::ids::{FileId, SecretId, UnitId};
use leasehold::driver::VaultServer;
use leasehold::observe::timer::Timer;
use leasehold::render::{self, Environment, Outcome};
use leasehold_base::clock;
use leasehold_base::exit::Cause;
use leasehold_base::request::Request;
use leasehold_base::secret::Secret;
use leasehold_base::time::Moment;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use self::ends::Done;
use self::publishing::Waiting;
use self::saves::Saves;
use super::board::Board;
use super::definition::{Definition, Key};
use super::desk::{Desk, Message};
use super::handoff::Handoff;
use super::handovers::Share;
use super::publisher::{Publisher, Turn};
use super::restart::rollout::Restarter;
use super::restart::{Readers, Stamp};
use super::roster::{self, Basis, Roster};
use super::secret::Data;

/// Changed definitions are taken over when no more have come for this long.
const QUIET: Duration = Duration::from_millis(100);
/// Or when the first of them has waited for this long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first definitions are taken over when all are known, or when they have waited for this long. What an earlier leader
/// left is given back if no definition uses it, and until then nothing renews it.
const START: Duration = Duration::from_secs(10);
/// The least time between two writes to the board.
const PAUSE: Duration = Duration::from_millis(250);
/// How long renderings follow each other before other engines, and the renewal of the Lease, have their turn. The templates of
/// one tenant may be expensive.
const SLICE: Duration = Duration::from_millis(20);

/// The places that an engine's work goes to.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) publisher: Publisher,
    pub(crate) restarter: Restarter,
    pub(crate) handoff: Option<Rc<Handoff>>,
}

/// An engine and what it works with.
pub(crate) struct Run {
    basis: Basis,
    engine: Engine,
    server: VaultServer,
    roster: Roster,
    desk: Desk,
    board: Rc<Board>,
    publisher: Publisher,
    restarter: Restarter,
    handoff: Option<Rc<Handoff>>,
    share: Share,
    saves: Saves,
    environment: Environment,
    inbox: UnboundedReceiver<Message>,
    timer: Timer,
    backlog: VecDeque<Event>,
    chores: VecDeque<FileId>,
    /// When the others last had their turn.
    turned: Moment,
    /// What is to be published when it is its turn, and the turn that is waited for.
    waiting: VecDeque<Waiting>,
    turn: Option<LocalBoxFuture<'static, Turn>>,
    /// The units to publish whose definition has changed: the next engine publishes them.
    held: Vec<UnitId>,
    /// What is to be looked at, and how many looks are under way.
    looks: VecDeque<(UnitId, Vec<FileId>)>,
    looking: usize,
    /// By file.
    renderings: Vec<Option<Secret>>,
    /// What Kubernetes has, as far as we wrote or compared it.
    published: HashMap<Key, Record>,
    /// The definitions that had a usable Secret before this process took them over: whoever reads it may have other values.
    known: HashSet<Key>,
    under_way: FuturesUnordered<LocalBoxFuture<'static, Done>>,
    /// The definitions with requests under way: how many, and the receivers that wait for their end.
    busy: HashMap<Key, Busy>,
    /// Since when changes wait to be taken over, and when the last came.
    changed: Option<(Moment, Moment)>,
    yielding: bool,
    /// This run was asked to stop. The sender then drops its end of the inbox, which is no second request: a second
    /// one would end the engine before it has revoked anything.
    stopping: bool,
    /// The process ends, and what this engine holds is left as it is.
    leaves: bool,
    generation: u64,
    /// The secrets that are being read.
    asked: HashMap<SecretId, Arc<Request>>,
    /// Something has happened that is not on the board yet, and when the board was last written to.
    touched: bool,
    shown: Option<Moment>,
}

/// A Secret as it was published.
#[derive(Debug, Clone)]
struct Record {
    definition: Arc<Definition>,
    data: Data,
    version: String,
    /// The change that workloads still have to be restarted for, and the readers that were restarted.
    owed: Option<Stamp>,
    told: BTreeSet<Readers>,
    /// The last change that is known of, owed or not.
    changed: Option<Stamp>,
    /// A watch or a look found the Secret otherwise, and it is not published again yet.
    lost: bool,
}

/// A Secret that a watch reported to be gone, with the version of its deletion. `None` if it was missing in a list.
#[derive(Debug)]
struct Gone {
    version: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct Busy {
    requests: usize,
    /// How a watch reported meanwhile that the Secret is gone. The answer does not show whether that was before the
    /// request or after it.
    gone: Option<Gone>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Run {
    /// Makes an engine, and what it works with.
    ///
    /// # Errors
    /// Says what is wrong with the server's settings, or that no timer can be had.
    pub(crate) fn new(
        basis: Basis,
        (Places { publisher, restarter, handoff }, share): (Places, Share),
        board: Rc<Board>,
        inbox: UnboundedReceiver<Message>,
    ) -> Result<Self, String> {
        let stores = basis
            .store
            .iter()
            .map(|store| leasehold_stores::Store::open(&store.settings, &store.environment));
        let server = VaultServer::beside(&basis.vault, &basis.auth(), stores.collect());
        let server = server.map_err(|failure| failure.why)?;
        let timer = Timer::new().map_err(|error| format!("cannot make a timer: {error}"))?;
        let roster = Roster::default();
        Ok(Self {
            engine: Engine::new(roster.policy(&basis, saves::end(handoff.is_some(), false))),
            basis,
            server,
            roster,
            desk: Desk::default(),
            board,
            publisher,
            restarter,
            handoff,
            share,
            saves: Saves::default(),
            environment: super::world::of_nothing(),
            inbox,
            timer,
            backlog: VecDeque::from([Event::Start { kept: None, rebooted: false }]),
            chores: VecDeque::new(),
            turned: Moment::default(),
            waiting: VecDeque::new(),
            turn: None,
            held: Vec::new(),
            looks: VecDeque::new(),
            looking: 0,
            renderings: Vec::new(),
            published: HashMap::new(),
            known: HashSet::new(),
            under_way: FuturesUnordered::new(),
            busy: HashMap::new(),
            changed: None,
            yielding: false,
            stopping: false,
            leaves: false,
            generation: 0,
            asked: HashMap::new(),
            touched: false,
            shown: None,
        })
    }

    /// Runs until it is asked to stop, and has revoked what it minted.
    pub(crate) async fn run(mut self) {
        if !self.take_over().await {
            return;
        }
        loop {
            let event = self.next().await;
            if self.leaves {
                tracing::info!(
                    login = self.basis.login,
                    "its leases are left to run out: their Secrets have them until the next leader has others"
                );
                return;
            }
            let (now, woken) = (clock::now(), matches!(event, Event::Wake));
            self.count(&event);
            let actions = self.engine.handle(event, now);
            // A wake alone changes nothing that is shown. At rest there are no wakes but for deadlines.
            let stirred = !woken || !actions.is_empty();
            for action in actions {
                if self.perform(action) {
                    self.clear().await;
                    return;
                }
            }
            self.turn();
            if stirred {
                self.touched = true;
            }
            if self.due().is_some_and(|due| due <= now.moment) && self.backlog.is_empty() {
                let shows = |key: &Key| self.share.shows(key);
                self.board.show(&self.basis, &self.engine.view(now), now, &shows);
                (self.touched, self.shown) = (false, Some(now.moment));
            }
        }
    }

    /// Counts what has failed, for the metrics.
    fn count(&mut self, event: &Event) {
        let login = &self.basis.login;
        match event {
            Event::TokenRenewed { result: Err(failure), .. } => {
                self.board.token_failed(login, "renew-self", failure)
            }
            Event::LookedUp { result: Err(failure), .. } => {
                self.board.token_failed(login, "lookup-self", failure)
            }
            Event::Read { secret, result, .. } | Event::Fetched { secret, result, .. } => {
                let request = self.asked.remove(secret);
                if let (Some(request), Err(failure)) = (request, result) {
                    self.board.read_failed(login, &request.path, failure);
                }
            }
            _ => {}
        }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.backlog.pop_front() {
                return event;
            }
            if let Some(file) = self.chores.pop_front() {
                if self.turned.until(clock::moment()) >= SLICE {
                    tokio::task::yield_now().await;
                    self.turned = clock::moment();
                }
                return self.render(file);
            }
            let due = self.due().into_iter().chain(self.engine.deadline()).chain(self.rests());
            if let Err(error) = self.timer.arm(due.min()) {
                tracing::error!("cannot arm the timer: {error}");
            }
            self.ask_for_turn();
            tokio::select! {
                event = self.server.next(&self.engine) => return event,
                turn = publishing::comes(&mut self.turn), if self.turn.is_some() => self.publish_next(turn),
                Some(done) = self.under_way.next() => if let Some(event) = self.finish(done) { return event },
                message = self.inbox.recv(), if !self.stopping => {
                    if let Some(event) = self.hear(message.unwrap_or(Message::Stop)) {
                        return event;
                    }
                }
                _ = self.timer.elapsed() => {
                    if let Some(event) = self.begin_turn() {
                        return event;
                    }
                    return Event::Wake;
                }
            }
        }
    }

    /// Returns when the board has to be written to.
    fn due(&self) -> Option<Moment> {
        // A login that is given up is on the board no more.
        (self.touched && !self.stopping)
            .then(|| self.shown.map_or_else(Moment::default, |shown| shown.after(PAUSE)))
    }

    /// Returns when changes that wait will have come to rest.
    fn rests(&self) -> Option<Moment> {
        let (first, last) = self.changed.filter(|_| !self.yielding)?;
        let rests = last.after(QUIET).min(first.after(PATIENCE));
        let now = clock::moment();
        if !self.awaits_more() || first.after(START) <= now {
            return Some(rests);
        }
        Some(now.after(QUIET).min(first.after(START)))
    }

    /// Returns whether this engine goes on from a handoff, and may not have heard yet of each definition that uses what is in
    /// it.
    fn awaits_more(&self) -> bool {
        let is_first = self.generation == 0 && self.handoff.is_some();
        // The Secrets of a list come before the word that it is complete.
        is_first && !(self.board.knows_all() && self.inbox.is_empty())
    }

    /// Has the engine yield when changes have come to rest.
    fn begin_turn(&mut self) -> Option<Event> {
        self.rests().filter(|rests| *rests <= clock::moment())?;
        Some(self.begin_to_yield())
    }

    /// Lets the next engine go on when the last one is at rest.
    fn turn(&mut self) {
        if !self.yielding || !self.backlog.is_empty() || !self.chores.is_empty() || !self.engine.has_yielded()
        {
            return;
        }
        let roster = Roster::new(self.desk.definitions());
        self.server.disown();
        let snapshot = self.engine.snapshot();
        let end = saves::end(self.handoff.is_some(), self.saves.gives_back);
        self.engine = Engine::new(roster.policy(&self.basis, end));
        self.renderings = vec![None; roster.files()];
        self.roster = roster;
        self.generation += 1;
        self.asked.clear();
        self.saves.disown();
        (self.yielding, self.changed) = (false, None);
        self.go_on(snapshot);
        tracing::debug!(definitions = self.roster.units().count(), "definitions are taken over");
    }

    /// Returns whether a revocation would end credentials that are in use: those in the Secrets, or those that were
    /// replaced and that pods have until their restart.
    fn has_leases(&self) -> bool {
        let kept = self.engine.snapshot();
        !kept.retiring.is_empty() || kept.secrets.iter().any(|secret| secret.lease.is_some())
    }

    fn render(&mut self, file: FileId) -> Event {
        let (definition, key, source) = self.roster.source(file);
        let name = roster::name(&definition.key, key);
        super::world::salt(&definition.uid, key);
        let outcome =
            render::render(&name, source, self.server.secrets(), &self.environment, &Default::default());
        let outcome = match outcome {
            Outcome::Done { made, used } => {
                let kept = &mut self.renderings[file.0];
                let changed = kept.as_ref() != Some(&made.bytes);
                *kept = Some(made.bytes);
                RenderOutcome::Rendered { changed, used }
            }
            Outcome::Needs { missing, used } => RenderOutcome::Needs { missing, used },
            Outcome::Failed { why, used } => {
                // To secrets-manager, the read of a key that is not there has failed.
                if let (Source::Field { request, key, .. }, Cause::Missing) = (source, why.cause) {
                    self.board.key_missing(&self.basis.login, &request.path, key);
                }
                RenderOutcome::Failed { why, used }
            }
        };
        Event::Rendered { file, outcome }
    }

    /// Performs what the engine asks for. Returns whether that is the end.
    fn perform(&mut self, action: Action) -> bool {
        match action {
            Action::Ask(question) => {
                if let Question::Read { secret, request, .. } | Question::Fetch { secret, request, .. } =
                    &question
                {
                    self.asked.insert(*secret, Arc::clone(request));
                }
                match self.spares(&question) {
                    Some(answer) => self.backlog.push_back(answer),
                    None => self.server.ask(question),
                }
            }
            Action::DropToken(token) => self.server.drop_token(token),
            Action::Forget(request) => self.server.forget(&request),
            Action::Render(file) => self.chores.push_back(file),
            Action::Publish { unit, files } => self.publish(unit, &files),
            Action::Inspect { unit, files, thorough, .. } => self.inspect(unit, files, thorough),
            Action::SaveHandoff => self.save(),
            Action::DropHandoff => self.saves.is_over = self.saves.adopted.is_none(),
            Action::Say(say) => log(say.level, &say.text),
            Action::Exit(result) => {
                if let Err(ending) = result {
                    tracing::error!("{}", ending.words());
                }
                return true;
            }
            Action::Notify { notifier, .. } => self.restart(notifier),
            // The policy has no sinks and no processes.
            Action::RenderSink { .. }
            | Action::Spawn
            | Action::Signal(_)
            | Action::StopChild(_)
            | Action::KillChild => {}
        }
        false
    }
}

fn log(level: Level, text: &str) {
    match level {
        Level::Error => tracing::error!("{text}"),
        Level::Warn => tracing::warn!("{text}"),
        Level::Info => tracing::info!("{text}"),
        Level::Debug => tracing::debug!("{text}"),
    }
}
