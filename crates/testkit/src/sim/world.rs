//! The world: one queue of what happens at which time, and the process, the server and the disk.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_base::exit::Ending;
use leasehold_core::action::{Action, Question};
use leasehold_core::event::Event;
use leasehold_core::ids::{FileId, NotifierId, TokenId, UnitId};
use leasehold_core::policy::Mode;

use super::MINUTE;
use super::application::Applications;
use super::checks::Checks;
use super::clock::{BEGIN, Boot, EPOCH};
use super::cluster::{self, Cluster};
use super::dice::Dice;
use super::driver::{Content, Disk, Kind, Load, Process};
use super::faults::{self, Fault, Planned};
use super::handoff::Handoff;
use super::network::Call;
use super::server::Server;
use super::setup::Setup;
use super::stores::StoreServer;

/// The counts of a world's life.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    pub steps: u64,
    pub requests: u64,
    pub publishes: u64,
}

/// What happens next.
#[derive(Debug, Clone)]
pub enum Next {
    /// A request reaches the server.
    Arrive(Call),
    /// An event reaches the process, with what the driver keeps of it.
    Tell {
        run: u64,
        event: Event,
        load: Load,
    },
    /// The renderings of a unit reach the disk.
    Commit {
        run: u64,
        unit: UnitId,
        files: BTreeMap<FileId, Content>,
    },
    /// A notifier is notified.
    Notify {
        run: u64,
        notifier: NotifierId,
        /// The notification covers everything that is published by this time.
        covers: Duration,
    },
    /// A step in the cluster, such as the outcome of a request to the API server, or a change that a watch reports.
    Kubernetes(cluster::Step),
    Begin(Fault, Duration),
    End(Fault),
    StartProcess(Mode),
    /// The process of `exec` of this number ends.
    ApplicationEnds(u64),
    /// The process is awake for another reason, and checks its published files on that occasion.
    Look,
    /// This run is killed, if it has not ended by itself.
    Kill {
        run: u64,
    },
    Stop,
}

/// Everything that there is in one simulated world.
pub struct World {
    pub seed: u64,
    pub now: Duration,
    pub wall: i64,
    pub setup: Setup,
    pub server: Server,
    /// The stores beside the server.
    pub stores: Vec<StoreServer>,
    pub disk: Disk,
    pub cluster: Cluster,
    pub handoff: Option<Handoff>,
    pub process: Option<Process>,
    pub applications: Applications,
    pub checks: Checks,
    pub totals: Totals,
    pub trace: bool,
    /// When and how each process ended, in order.
    pub exits: Vec<(Duration, Result<(), Ending>)>,
    /// The time that the last notification of each notifier covers: the notifier knows of everything that was published
    /// by then.
    pub told: BTreeMap<NotifierId, Duration>,
    /// The faults that are on. The next field is the time since which there is none.
    pub faults: Vec<Fault>,
    pub calm: Duration,
    /// The same as `calm`, but the faults of stores do not count.
    pub calm_beside: Duration,
    pub asleep: Duration,
    pub boot: Boot,
    pub over: bool,
    /// When requests were sent.
    pub sent: Vec<Duration>,
    /// The last write of the handoff failed.
    pub unsaved: bool,
    /// How many writes of the handoff come before the one at which the process is killed, and whether that write is on
    /// disk by then.
    pub doom: Option<(u64, bool)>,
    /// Another client revoked our tokens.
    pub meddled: bool,
    /// Something denied what it should not have denied, or lost what it had. A live token or lease then looks dead.
    pub misled: bool,
    /// Nothing goes wrong, except that a proxy answers for the server.
    pub is_tame: bool,
    /// How much longer every answer takes, if the server is shared with other worlds.
    pub backlog: Duration,
    /// When the process that runs was started.
    pub started: Duration,
    pub dice: Dice,
    /// After this many steps, the world is taken to go round in a circle.
    pub most_steps: u64,
    queue: BTreeMap<(Duration, u64), Next>,
    count: u64,
    runs: u64,
    crashes: u32,
}

impl World {
    pub fn new(seed: u64, setup: Setup) -> Self {
        let mut dice = Dice::new(seed ^ 0xfa01);
        let plan = faults::plan(&setup, &mut dice);
        let mut world = Self {
            seed,
            now: BEGIN,
            wall: EPOCH,
            server: Server::new(&setup),
            stores: setup.stores.iter().map(StoreServer::new).collect(),
            disk: Disk::default(),
            cluster: Cluster::default(),
            handoff: None,
            process: None,
            applications: Applications::default(),
            checks: Checks::default(),
            totals: Totals::default(),
            trace: false,
            exits: Vec::new(),
            told: BTreeMap::new(),
            faults: Vec::new(),
            calm: BEGIN,
            calm_beside: BEGIN,
            asleep: Duration::ZERO,
            boot: Boot::default(),
            over: false,
            sent: Vec::new(),
            unsaved: false,
            doom: None,
            meddled: false,
            misled: false,
            is_tame: true,
            backlog: Duration::ZERO,
            started: Duration::ZERO,
            dice,
            most_steps: 400_000,
            queue: BTreeMap::new(),
            count: 0,
            runs: 0,
            crashes: 0,
            setup,
        };
        if faults::is_meddled_with(seed) && !world.setup.quiet && world.setup.cluster.is_none() {
            world.push(MINUTE, Next::Look);
        }
        let mode = if world.setup.init { init() } else { world.setup.mode() };
        world.push(Duration::ZERO, Next::StartProcess(mode));
        for planned in plan {
            world.plan(planned);
        }
        world.push(world.setup.end, Next::Stop);
        world
    }

    /// Adds a fault, `at` after the beginning.
    pub fn plan(&mut self, planned: Planned) {
        self.is_tame &= planned.fault.is_tame();
        self.push(planned.at, Next::Begin(planned.fault, planned.lasts));
    }

    /// Lives to the end.
    ///
    /// # Errors
    /// The first invariant that did not hold.
    pub fn live(&mut self) -> Result<Totals, String> {
        while self.step()? {}
        Ok(self.totals)
    }

    /// Lives up to `at` after the beginning.
    ///
    /// # Errors
    /// As [`World::live`].
    pub fn live_until(&mut self, at: Duration) -> Result<(), String> {
        let end = BEGIN + at;
        while self.next_time().is_some_and(|next| next <= end) && self.step()? {}
        self.now = self.now.max(end);
        Ok(())
    }

    /// Lives until `so` holds.
    ///
    /// # Errors
    /// As [`World::live`], or the world ended before `so` held.
    pub fn live_until_so(&mut self, so: impl Fn(&Self) -> bool) -> Result<(), String> {
        while !so(self) {
            if !self.step()? {
                return Err("it ended before".to_owned());
            }
        }
        Ok(())
    }

    fn next_time(&self) -> Option<Duration> {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wake_time();
        queued.into_iter().chain(wake).min()
    }

    fn wake_time(&self) -> Option<Duration> {
        let deadline = self.process.as_ref()?.engine.deadline()?;
        Some(self.boot.time(deadline).max(self.now).max(self.asleep))
    }

    fn step(&mut self) -> Result<bool, String> {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wake_time();
        self.totals.steps += 1;
        if self.totals.steps > self.most_steps {
            return Err("it never ends".to_owned());
        }
        match (queued, wake) {
            (_, Some(at)) if queued.is_none_or(|queued| at < queued) => {
                self.advance(at);
                self.give(Event::Wake)?;
            }
            (Some(_), _) => {
                let ((at, _), next) = self.queue.pop_first().expect("it is there");
                self.advance(at);
                self.happen(next)?;
            }
            _ => return Ok(false),
        }
        let result = Checks::look(self);
        result.map_err(|why| self.dated(&why))?;
        Ok(!self.over)
    }

    pub fn push(&mut self, wait: Duration, next: Next) {
        self.count += 1;
        self.queue.insert((self.now + wait, self.count), next);
    }

    fn happen(&mut self, next: Next) -> Result<(), String> {
        match next {
            Next::Arrive(call) => self.arrive(call),
            Next::Tell { run, event, load } => return self.tell(run, event, load),
            Next::Commit { run, unit, files } => self.commit(run, unit, files),
            Next::Notify { run, notifier, covers } => self.notify(run, notifier, covers),
            Next::Kubernetes(step) => self.kubernetes(step),
            Next::Begin(fault, lasts) => return self.begin(fault, lasts),
            Next::End(fault) => return self.end(&fault),
            Next::StartProcess(mode) => return self.start(mode),
            Next::Look => return self.look(),
            Next::ApplicationEnds(number) => return self.application_ends(number),
            Next::Kill { run } => {
                if self.process.as_ref().is_some_and(|process| process.run == run) {
                    self.log(|| "-- killed while it stops".to_owned());
                    self.kill(false, Duration::from_secs(1));
                    self.disturbed(self.now);
                }
            }
            Next::Stop if self.asleep > self.now => {
                let wait = self.asleep - self.now;
                self.push(wait, Next::Stop);
            }
            Next::Stop => {
                self.log(|| "-- stop".to_owned());
                if let Some(process) = &mut self.process {
                    process.stopping = true;
                    // One that was about to be started again is not.
                    process.restarting = false;
                }
                if self.process.is_none() || self.leaves_its_leases() {
                    self.process = None;
                    self.over = true;
                }
                return self.give(Event::Stop { at_once: self.setup.cluster.is_some() });
            }
        }
        Ok(())
    }

    fn start(&mut self, mode: Mode) -> Result<(), String> {
        if let Some(wait) = self.waits_to_start() {
            self.push(wait, Next::StartProcess(mode));
            return Ok(());
        }
        self.runs += 1;
        self.cluster.list(self.disk.generations.keys().copied());
        self.disturbed(self.now);
        self.started = self.now;
        self.log(|| format!("-- start {mode:?}"));
        // Who is killed takes the process along; variables are in memory only.
        self.applications.running = None;
        self.applications.over = false;
        let variable = |file: &FileId| self.setup.is_variable(*file);
        self.disk.files.retain(|file, _| !variable(file));
        let kept = self.handoff.clone().filter(|_| self.setup.handoff).map(Handoff::found);
        self.process = Some(Process::new(self.runs, mode, &self.setup, kept.as_ref()));
        self.checks.started(self.runs, self.now);
        let rebooted = kept.as_ref().is_some_and(|kept| kept.boot != self.boot);
        self.give(Event::Start { kept: kept.map(|kept| kept.snapshot), rebooted })
    }

    /// Gives the process an event and does what it asks for.
    pub fn give(&mut self, event: Event) -> Result<(), String> {
        let now = self.clock();
        let Some(process) = &mut self.process else { return Ok(()) };
        let text = self.trace.then(|| format!("> {event:?}"));
        // A person wants it replaced although it is good.
        self.misled |= matches!(event, Event::Renew(_));
        let actions = process.engine.handle(event, now);
        if let Some(text) = text.filter(|text| !text.contains("Wake") || !actions.is_empty()) {
            self.log(|| text);
        }
        for action in actions {
            self.log(|| format!("    < {action:?}"));
            Checks::action(self, &action).map_err(|why| self.dated(&why))?;
            self.act(action).map_err(|why| self.dated(&why))?;
            if self.process.is_none() {
                // It has ended, or was killed in the middle of what it was about to do.
                break;
            }
        }
        self.hand_over()
    }

    /// Returns a number that no run has had.
    pub fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let run = process.run;
        let own = |id: &TokenId| process.tokens.get(id).copied().unwrap_or(0);
        let token = match &action {
            Action::Ask(Question::LookUp(id))
            | Action::Ask(Question::RenewToken(id))
            | Action::Ask(Question::RevokeToken(id)) => own(id),
            Action::Ask(Question::Resolve { token, .. })
            | Action::Ask(Question::Read { token, .. })
            | Action::RenderSink { token, .. }
            | Action::Ask(Question::Wrap { token, .. })
            | Action::Ask(Question::Renew { token, .. })
            | Action::Ask(Question::RevokeLease { token, .. }) => own(token),
            _ => 0,
        };
        match action {
            Action::Render(file) => {
                let outcome = process.render(&self.setup, file);
                let wait = self.dice.millis(0, 3);
                self.tell_later(wait, Event::Rendered { file, outcome });
            }
            Action::RenderSink { file, .. } => {
                let outcome = process.render_sink(&self.setup, file, token);
                let wait = self.dice.millis(0, 3);
                self.tell_later(wait, Event::Rendered { file, outcome });
            }
            Action::Publish { unit, files } => {
                // What is rendered while this is written is for the next publish.
                let made = files.into_iter().map(|file| (file, process.renderings[&file].clone()));
                let files = made.collect();
                if self.setup.cluster.is_some() {
                    self.publish_secret(unit, files);
                    return Ok(());
                }
                let wait = self.dice.millis(0, 5);
                self.push(wait, Next::Commit { run, unit, files });
            }
            Action::Inspect { unit, files, thorough, .. } if self.setup.cluster.is_some() => {
                self.inspect_secret(unit, files, thorough);
            }
            Action::Inspect { unit, files, newer, .. } => {
                let result = Ok(self.disk.inspect(&files, &newer, &process.renderings));
                self.tell_later(Duration::ZERO, Event::Inspected { unit, result });
            }
            Action::Notify { notifier, delay } => {
                let wait = delay + self.dice.millis(0, 20);
                let (covers, wait) = (self.now + wait, wait + self.rollout());
                self.push(wait, Next::Notify { run, notifier, covers });
            }
            Action::SaveHandoff => return self.save_handoff(),
            Action::DropHandoff => {
                process.has_written = false;
                self.handoff = None;
            }
            Action::DropToken(id) => {
                process.tokens.remove(&id);
                process.dropped.insert(id);
            }
            Action::Forget(request) => {
                process.store.forget(&request.path);
            }
            Action::Say(_) => {}
            Action::Spawn => return self.start_application(),
            Action::Signal(_) => self.signal_application(),
            Action::StopChild(_) => self.stop_application(),
            Action::KillChild => return self.kill_application(),
            Action::Exit(result) => self.exit(result),
            Action::Ask(Question::Fetch { store, secret, request }) => {
                return self.fetch(run, store, secret, &request.path);
            }
            Action::Ask(Question::Probe)
            | Action::Ask(Question::LogIn(_))
            | Action::Ask(Question::LookUp(_))
            | Action::Ask(Question::RenewToken(_))
            | Action::Ask(Question::Resolve { .. })
            | Action::Ask(Question::Read { .. })
            | Action::Ask(Question::Wrap { .. })
            | Action::Ask(Question::Renew { .. })
            | Action::Ask(Question::RevokeLease { .. })
            | Action::Ask(Question::RevokeToken(_)) => {
                let kind = match action {
                    Action::Ask(Question::LogIn(_)) => Kind::Login,
                    Action::Ask(Question::LookUp(id)) => Kind::LookUp(id),
                    Action::Ask(Question::Probe) => Kind::Probe,
                    _ => Kind::Other,
                };
                process.count(kind, true);
                let innocent = process.engine.snapshot().refusals.is_none();
                let sent = self.now;
                self.call(Call { run, action, token, sent, deaf: false, late: false, innocent });
            }
        }
        Ok(())
    }

    pub fn tell_later(&mut self, wait: Duration, event: Event) {
        if let Some(process) = &self.process {
            let run = process.run;
            self.push(wait, Next::Tell { run, event, load: Load::Nothing });
        }
    }

    fn exit(&mut self, result: Result<(), Ending>) {
        let Some(process) = self.process.take() else { return };
        self.log(|| format!("-- exit {result:?}"));
        self.exits.push((self.now, result.clone()));
        // A login that is under way at the end may be refused, and nobody hears of it.
        if self.unsaved || process.logging_in {
            self.checks.note_kill(true);
        }
        if !self.setup.handoff {
            // Without a handoff, the next run cannot know which notifiers this run still owed a notification.
            self.disk.changed.clear();
        }
        self.disturbed(self.now);
        if process.stopping && !process.restarting {
            self.over = true;
        } else if process.is_daemon() || result.is_ok() {
            self.push(Duration::from_secs(1), Next::StartProcess(self.setup.mode()));
        } else {
            // As the kubelet does.
            self.crashes += 1;
            let wait = Duration::from_secs(10 << self.crashes.min(5)).min(Duration::from_secs(300));
            self.push(wait, Next::StartProcess(process.mode));
        }
    }
}

/// Returns the mode `init`, with the time limit of the contract.
pub fn init() -> Mode {
    Mode::Init { timeout: Duration::from_secs(120) }
}
