//! The one loop: it performs what the core asks for, and reports the outcome to the core.
//!
//! Nothing is decided here. Every action ends as one event, at once (a rendering, a publish on tmpfs) or when its
//! future is done. The next event is whatever happens first: an answer, the core's own deadline, a signal, a request
//! on the listener, a TLS file that changed.

mod apart;
mod certificates;
mod child;
mod children;
mod chores;
mod credentials;
mod departed;
mod expiring;
mod files;
mod folder;
mod hear;
mod inputs;
mod keeper;
mod ledger;
mod parting;
mod perform;
mod reload;
mod reopening;
mod requests;
mod rereading;
mod rest;
mod saving;
mod server;
mod silence;
mod store;
mod variables;
mod voice;
mod written;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::config::plan::Plan;
use crate::core::Engine;
use crate::core::event::Event;
use crate::core::policy::{Mode, Policy};
use crate::core::view::Outlook;
use crate::exit::{Cause, Ending};
use crate::observe::http::{Server, Tls, TlsError};
use crate::observe::log::LogHandle;
use crate::observe::paint::Palette;
use crate::observe::systemd::ServiceManager;
use crate::observe::{clock, stderr};
use crate::pages::Pages;
use crate::process::Teller;
use crate::process::others::Others;
use crate::process::reaper::Reaper;
use crate::publish::Claims;
use crate::render::Environment;
use crate::sandbox;
use crate::vault::client::Client;
use crate::vault::unwrap::Opening;
use leasehold_base::failure::Failure;
use leasehold_base::time::Moment;

use child::ChildProcess;
pub use child::Parent;
use chores::Chores;
use credentials::Credentials;
use departed::Departed;
pub use departed::folders_to_clear;
use expiring::Expiring;
use files::Files;
pub use files::wanted;
use folder::Folder;
use inputs::Inputs;
use keeper::Keeper;
use parting::Parting;
use reload::{Certificate, Lasting, seed};
use reopening::Reopening;
use requests::{Answer, Limits, Requests};
pub use rereading::Reread;
use rereading::Rereading;
use rest::Rest;
pub use server::VaultServer;
use store::Store;
use voice::Voice;

/// The least time between two looks at the state of all files, while many requests end.
const BETWEEN: Duration = Duration::from_millis(100);

/// What a run needs besides the configuration.
pub struct Surroundings {
    /// What templates see of the process's environment and of the machine.
    pub environment: Environment,
    /// The name of our pod, which binds the handoff and spreads jitter.
    pub pod: String,
    /// The service manager that started us.
    pub manager: ServiceManager,
    /// Reads the configuration again, for HUP.
    pub reread: Reread,
    /// The folder of the set, and the absolute files, which no other run publishes.
    pub claims: Claims,
    /// The process to be the parent of, in `exec` mode.
    pub parent: Option<Parent>,
    /// What is published is only compared, and discarded.
    pub rehearsal: bool,
    /// The level of the log.
    pub log: LogHandle,
    /// A person waits at a terminal, and sees each step in these colours.
    pub progress: Option<Palette>,
    /// How much of the sandbox is in force.
    pub sandbox: sandbox::State,
    /// The names of the files and variables that the configuration comes from.
    pub configuration: Vec<String>,
    /// The program's own pages, if they are to be given back while nothing happens.
    pub pages: Option<Pages>,
}

/// Runs `plan` in the role `mode` until it is done or asked to stop. Returns the code to exit with.
///
/// # Errors
/// The ending that the contract's exit code stands for.
pub async fn run(plan: Plan, mode: Mode, surroundings: Surroundings) -> Result<u8, Ending> {
    let mut driver = Driver::new(Arc::new(plan), mode, surroundings)?;
    loop {
        let event = match driver.backlog.pop_front() {
            Some(event) => event,
            None => driver.next().await,
        };
        let now = clock::now();
        driver.unseen |= hear::is_seen(&event) || driver.voice.is_due(now.moment, driver.silence(now.moment));
        let published = matches!(event, Event::Published { .. });
        driver.seen = None;
        driver.parting.hear(&event);
        let actions = driver.engine.handle(event, now);
        driver.parting.watch(&driver.engine, now.moment);
        for action in actions {
            if let Some(result) = driver.perform(action) {
                driver.end_writes();
                driver.sweep_departed(true);
                driver.say_stopped();
                driver.voice.stopping();
                if result.is_ok() {
                    driver.voice.done();
                }
                let code = driver.child.as_ref().map_or(0, ChildProcess::code);
                driver.leave();
                return result.map(|()| code);
            }
        }
        if driver.backlog.is_empty() {
            driver.answer_after_look();
        }
        // The last of many publishes, together or in turn, shows the state of all of them.
        driver.unseen |= published && !driver.keeper.ledger().is_publishing();
        driver.hand_over();
        driver.inputs.look_for_others(driver.engine.is_draining());
        driver.sweep_departed(false);
        // An engine that takes over has handled nothing yet while its start waits in the backlog. While thousands of reads
        // fail one after the other, their state is shown now and then, and after the last of them.
        let shown = driver.shown.is_some_and(|at| at.until(now.moment) < BETWEEN);
        let more = shown && driver.requests.is_crowded();
        if driver.unseen && !more && driver.backlog.is_empty() && !driver.engine.is_leaving() {
            driver.unseen = false;
            driver.shown = Some(now.moment);
            driver.voice.follow(&driver.outlook(clock::now()), driver.has_begun());
        }
    }
}

struct Driver {
    plan: Arc<Plan>,
    mode: Mode,
    surroundings: Surroundings,
    engine: Engine,
    client: Rc<Client>,
    credentials: Credentials,
    requests: Requests,
    store: Store,
    files: Files,
    keeper: Keeper,
    reaper: Rc<Reaper>,
    teller: Rc<Teller>,
    child: Option<ChildProcess>,
    inputs: Inputs,
    rest: Rest,
    /// What no later configuration changes.
    lasting: Lasting,
    /// When our own certificates end.
    expiring: Expiring,
    /// The listener's certificates.
    listen_tls: Option<Rc<Tls>>,
    voice: Voice,
    /// The other processes in the pod, while the end is delayed for them.
    others: Others,
    /// The wrapping tokens that are about to be opened, which is written down first.
    openings: mpsc::UnboundedReceiver<Opening>,
    /// The configuration that is read again.
    rereading: Rereading,
    /// The configuration that a new engine goes on with as soon as this one is at rest.
    successor: Option<Plan>,
    /// Its destinations.
    reopening: Reopening,
    certificate: Certificate,
    /// The files that left the configuration and are still on the disk.
    departed: Vec<Departed>,
    /// A sink was among them that showed the current token.
    exposed: bool,
    /// What is revoked at the end.
    parting: Parting,
    /// When the process started.
    started: Moment,
    /// Why the configuration could not be read again.
    reload_error: Option<String>,
    /// Something has happened, so the outlook has to be made anew.
    unseen: bool,
    /// When it was last shown.
    shown: Option<Moment>,
    /// A client has asked for the end, and still has to get its answer.
    quits: bool,
    /// The current token, by its accessor, and the longest life that it was seen to have.
    token_life: Option<(String, Duration)>,
    /// The files to be rendered.
    chores: Chores,
    /// The events of performed actions, in order. They are handled before anything else is waited for.
    backlog: VecDeque<Event>,
    /// The outlook, if nothing has happened since it was made.
    seen: Option<Outlook>,
    /// The folder of the set.
    folder: Folder,
    /// Those who asked whether everything is there, and wait for a look at the files.
    asked: Vec<oneshot::Sender<Outlook>>,
}

impl Driver {
    fn new(plan: Arc<Plan>, mode: Mode, mut surroundings: Surroundings) -> Result<Self, Ending> {
        let manager = std::mem::take(&mut surroundings.manager);
        let watchdog = manager.watchdog_interval();
        let voice = Voice::new(manager, surroundings.progress);
        let first_ready = voice.first_ready();
        let rehearsal = surroundings.rehearsal;
        let policy = Policy { first_ready, rehearsal, ..plan.policy(mode, seed(&plan, &surroundings.pod)) };
        // The handoff and the destinations come first: a destination that cannot be written must not cost a login.
        let room = child::room(surroundings.parent.as_ref(), &plan);
        let credentials = Credentials::new(plan.auth.method.files());
        let (keeper, mut kept) = Keeper::open(&plan, &surroundings.pod, &credentials)?;
        let (environment, ledger) = (surroundings.environment.clone(), keeper.ledger().clone());
        let files = Files::open(Arc::clone(&plan), &policy, environment, room, ledger)?;
        if kept.snapshot.is_none() {
            let (environment, now) = (&surroundings.environment, clock::now());
            kept.snapshot = certificates::found(&plan, environment, now, &mut kept.store);
        }
        let variables = &surroundings.environment.variables;
        let client = Client::new(&plan.vault, &plan.auth).map_err(unusable)?;
        let client = Rc::new(client.within(variables));
        let stores =
            plan.stores.iter().map(|store| leasehold_stores::Store::open(store, variables)).collect();
        let listen_tls = plan.listen_tls.as_ref().map(Tls::new).transpose().map_err(unservable)?.map(Rc::new);
        let server = match (&plan.listen, mode) {
            (Some(listen), Mode::Daemon | Mode::Exec { .. }) => {
                Some(Server::bind(listen)?.secured(listen_tls.clone()))
            }
            _ => None,
        };
        let reaper = Rc::new(Reaper::of_this_process());
        let parent = surroundings.parent.take();
        let held = parent.as_ref().map(|parent| &parent.held);
        client.opened_earlier(kept.opened);
        client.adopt_mounts(kept.mounts);
        let start = Event::Start { kept: kept.snapshot, rebooted: kept.rebooted };
        let mut driver = Self {
            mode,
            engine: Engine::new(policy),
            requests: Requests::new(
                (Rc::clone(&client), stores),
                (kept.tokens, kept.children),
                Limits { vault: plan.vault.rate_limit, stores: &plan.stores },
            ),
            store: kept.store,
            files,
            keeper,
            teller: Rc::new(Teller::new(Rc::clone(&reaper))),
            inputs: Inputs::new(server, watchdog, held)?,
            rest: Rest::new(surroundings.pages.take()),
            child: parent.map(|parent| ChildProcess::new(parent, Rc::clone(&reaper))),
            reaper,
            expiring: Expiring::of(&plan),
            listen_tls,
            voice,
            others: Others::default(),
            rereading: Rereading::new(Arc::clone(&surroundings.reread)),
            successor: None,
            reopening: Reopening::default(),
            certificate: Certificate::default(),
            departed: departed::from_earlier(&plan, &kept.published),
            exposed: false,
            seen: None,
            folder: Folder::new(plan.set_folder(), clock::moment()),
            asked: Vec::new(),
            parting: Parting::default(),
            started: clock::moment(),
            reload_error: None,
            unseen: false,
            shown: None,
            quits: false,
            token_life: None,
            chores: Chores::default(),
            backlog: VecDeque::from([start, Event::UsedUp(client.is_used_up())]),
            openings: client.openings(),
            client,
            credentials,
            lasting: Lasting::of(&plan),
            plan,
            surroundings,
        };
        driver.look_at_own_certificates(false);
        if !matches!(mode, Mode::Init { .. }) {
            driver.watch();
        }
        Ok(driver)
    }

    /// Ends the driver: the tokens, the answers, the renderings and the plan are wiped. The engine holds no secret. The
    /// kernel takes the engine's memory back at once, while we would free it piece by piece.
    fn leave(self) {
        std::mem::forget(self.engine);
    }

    /// Returns whether what others wait for has begun: in `exec` mode, the process. Readiness must not be reported
    /// for a process that cannot be run, nor before a reload that has begun is over.
    fn has_begun(&self) -> bool {
        let reloads = self.rereading.is_under_way() || self.successor.is_some() || self.reopening.is_wanted();
        self.child.as_ref().is_none_or(ChildProcess::was_started) && !reloads
    }

    fn watch(&mut self) {
        let theirs = self.client.watched();
        let ours = self.listen_tls.iter().flat_map(|tls| tls.watched());
        self.inputs.watch(theirs.iter().chain(self.credentials.files()).chain(ours));
    }

    /// Returns when something is due although nothing happens: the engine's deadline, or a look that the log needs.
    fn deadline(&self) -> Option<Moment> {
        let unseen = self.shown.filter(|_| self.unseen).map(|at| at.after(BETWEEN));
        let looks = self.voice.deadline(self.requests.silence().is_long_at()).into_iter().chain(unseen);
        self.engine.deadline().into_iter().chain(looks.filter(|_| !self.engine.is_leaving())).min()
    }

    /// Returns the next event, whatever it comes from. Inputs that are no events are handled here.
    async fn wait(&mut self) -> Event {
        loop {
            stderr::catch_up();
            let deadline = self.deadline();
            let input = tokio::select! {
                answer = self.requests.next() => return self.absorb(answer),
                input = self.inputs.next(deadline) => input,
                read = self.rereading.done() => return self.was_read(read),
                () = self.reopening.ends() => return Event::Wake,
                () = self.keeper.ends() => {
                    self.end_write();
                    return self.backlog.pop_front().unwrap_or(Event::Wake);
                }
                Some(opening) = self.openings.recv() => {
                    self.write_down(opening);
                    continue;
                }
                () = self.rest.comes() => {
                    self.rest.begin();
                    continue;
                }
                () = stderr::is_due() => continue,
                // The listener runs where it is polled. If nothing is to be revoked, the end would come before its
                // answer.
                () = tokio::task::yield_now(), if self.quits => {
                    self.quits = false;
                    return Event::Stop { at_once: true };
                }
            };
            if let Some(event) = self.hear(input) {
                return event;
            }
        }
    }

    /// Puts the secrets of an answer where they belong, and returns what the core needs to know.
    fn absorb(&mut self, answer: Answer) -> Event {
        match answer {
            Answer::LoggedIn { token, sent, result } => {
                let result = result.map(|(facts, secret)| {
                    self.requests.keep(token, secret);
                    self.voice.step(|| "logged in".to_owned(), sent);
                    facts
                });
                Event::LoggedIn { token, sent, result }
            }
            Answer::Resolved { secret, written, result } => {
                server::resolved(&mut self.store, &self.engine, secret, &written, &result);
                Event::Resolved { secret, result }
            }
            Answer::Read { secret, token, sent, request, result } => {
                let result = result.and_then(|response| {
                    let facts = self.absorb_read((secret, token), &request, response)?;
                    self.voice.step(|| format!("read {}", request.path), sent);
                    Ok(facts)
                });
                Event::Read { secret, token, sent, result }
            }
            Answer::Fetched { store, secret, sent, request, result } => {
                let result = result.map(|response| self.keep_fetched(secret, &request, response, sent));
                Event::Fetched { store, secret, sent, result }
            }
            Answer::Wrapped { file, token, result } => {
                let result = result.map(|wrapping| self.files.keep_wrapping(file, wrapping));
                Event::Wrapped { file, token, result }
            }
            Answer::ChildEnded(status) => {
                if let Some(child) = &mut self.child {
                    child.ended(status);
                }
                Event::ChildEnded
            }
            Answer::Published { event, began } => {
                if self.keeper.ledger().end() {
                    self.save_ledger();
                }
                if let Event::Published { result: Ok(published), .. } = &*event {
                    let (generation, files) = (published.generation, published.changed.len());
                    let what = || format!("published generation {generation}: {files} changed");
                    self.voice.step(what, began);
                }
                *event
            }
            Answer::Report(report) => {
                report.iter().for_each(|report| self.surroundings.log.tell(report));
                Event::Wake
            }
            Answer::Event(event) => {
                if let Event::LeaseRevoked { lease, result: Ok(()) } = &*event {
                    self.requests.children_mut().drop(lease);
                }
                *event
            }
        }
    }
}

fn unusable(failure: Failure) -> Ending {
    let hint = failure.hint("check the files that `vault` names");
    Ending::new(Cause::Config, failure.why, hint)
}

fn unservable(why: TlsError) -> Ending {
    Ending::new(Cause::Config, why.to_string(), "check the files that `listen_tls` names")
}
