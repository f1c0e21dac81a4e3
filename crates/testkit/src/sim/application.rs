//! The process of `exec`: how it behaves, what it uses, and what it is promised.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_base::exit::{Cause, Ending};
use leasehold_core::event::Event;
use leasehold_core::ids::{FileId, LeaseId, NotifierId, UnitId};
use leasehold_core::policy::ChildPolicy;
use leasehold_core::policy::OnChange;

use super::dice::Dice;
use super::driver::Content;
use super::setup::Setup;
use super::world::{Next, World};

/// The notifier that stands for the process of `exec`.
pub const NOTIFIER: NotifierId = NotifierId(2);
pub const STOP_SIGNAL: i32 = 15;
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// A change reaches the process within this time, apart from the splay and the time that the process takes to end.
const PROMPT: Duration = Duration::from_secs(3);
/// The longest time from the end of the process to the end of the run.
const LEAVING: Duration = Duration::from_secs(25);

/// How the processes of a world behave. They run one after the other.
#[derive(Debug, Clone, Copy)]
pub struct ApplicationSetup {
    pub on_change: OnChange,
    /// Whether the last file is a variable, if it stands alone.
    pub variable: bool,
    pub splay: Duration,
    /// How many of a hundred processes ignore the signal that is to stop them.
    pub deaf: u64,
    /// How many of a hundred processes end by themselves.
    pub brief: u64,
    /// How many of a hundred processes cannot be started.
    pub broken: u64,
}

/// A process that runs.
#[derive(Debug)]
pub struct Application {
    number: u64,
    /// What the process knows: each variable as it was at the start, and each file as it was when the process was last
    /// notified.
    pub uses: BTreeMap<FileId, Content>,
    /// When it was first told to stop.
    stopping: Option<Duration>,
}

/// What a world records of its processes.
#[derive(Debug, Default)]
pub struct Applications {
    pub running: Option<Application>,
    /// When each was started.
    pub starts: Vec<Duration>,
    /// When the last one ended.
    pub ended: Option<Duration>,
    /// No further process follows: the last one ended by itself, or could not be started.
    pub over: bool,
    /// When the processes were told to stop. The next two fields are when they were signalled and when they were
    /// killed.
    pub stops: Vec<Duration>,
    pub signals: Vec<Duration>,
    pub kills: Vec<Duration>,
}

impl ApplicationSetup {
    /// Returns the setup of processes that heed their signal and have no variables.
    pub fn plain(on_change: OnChange) -> Self {
        Self { on_change, variable: false, splay: Duration::ZERO, deaf: 0, brief: 0, broken: 0 }
    }

    /// Draws the setup of the processes of a world. Three worlds of ten have processes.
    pub fn random(seed: u64) -> Option<Self> {
        // Dice of their own: the other worlds stay what they were.
        let mut dice = Dice::new(seed ^ 0xe8ec);
        dice.chance(30).then(|| Self {
            on_change: dice.pick(&[
                OnChange::Restart,
                OnChange::Restart,
                OnChange::Signal(1),
                OnChange::Ignore,
            ]),
            variable: dice.chance(60),
            splay: dice.pick(&[Duration::ZERO, Duration::from_secs(5)]),
            deaf: dice.pick(&[0, 0, 30, 100]),
            brief: dice.pick(&[0, 0, 20]),
            broken: dice.pick(&[0, 0, 10]),
        })
    }

    pub fn policy(&self, environment: Option<UnitId>) -> ChildPolicy {
        ChildPolicy {
            notifier: NOTIFIER,
            environment,
            on_change: self.on_change,
            stop_signal: STOP_SIGNAL,
            stop_timeout: STOP_TIMEOUT,
        }
    }
}

impl World {
    /// Checks that everything is there for a process, and starts it.
    pub fn start_application(&mut self) -> Result<(), String> {
        let (setup, process) = self.setup.application.zip(self.process.as_mut()).ok_or("nobody to start")?;
        let first = !process.has_application;
        if self.applications.running.is_some() {
            return Err("a second process is started beside the first".to_owned());
        }
        if process.stopping || self.applications.over {
            return Err("a process is started after the end".to_owned());
        }
        for file in (0..self.setup.files.len()).map(FileId) {
            let on_disk = self.disk.files.get(&file);
            let new = first.then(|| process.renderings.get(&file));
            if on_disk.is_none() || new.is_some_and(|new| new != on_disk) {
                return Err(format!("a process is started before {file:?} is there"));
            }
        }
        if self.dice.chance(setup.broken) {
            self.applications.over = true;
            let why = Ending::new(Cause::NotExecutable, "no program", "name one");
            self.tell_later(Duration::ZERO, Event::Spawned(Err(why)));
            return Ok(());
        }
        process.has_application = true;
        self.applications.starts.push(self.now);
        let number = self.applications.starts.len() as u64;
        let uses = self.disk.files.clone();
        self.applications.running = Some(Application { number, uses, stopping: None });
        self.forget_what_is_read_afresh();
        if self.dice.chance(setup.brief) {
            let wait = self.dice.millis(0, 900_000);
            self.push(wait, Next::ApplicationEnds(number));
        }
        let wait = self.dice.millis(0, 2);
        self.tell_later(wait, Event::Spawned(Ok(())));
        Ok(())
    }

    /// Forgets what a process that is notified of nothing knows of its files, because it reads them again by itself.
    /// Its variables stay.
    fn forget_what_is_read_afresh(&mut self) {
        let (setup, applications) = (&self.setup, &mut self.applications);
        if let (Some(one), Some(application)) = (setup.application, &mut applications.running)
            && one.on_change == OnChange::Ignore
        {
            application.uses.retain(|file, _| setup.is_variable(*file));
        }
    }

    pub fn stop_application(&mut self) {
        let now = self.now;
        self.applications.stops.push(now);
        let deaf = self.setup.application.map_or(0, |setup| setup.deaf);
        let Some(application) = &mut self.applications.running else { return };
        let number = application.number;
        let first = application.stopping.replace(application.stopping.unwrap_or(now)).is_none();
        if first && !self.dice.chance(deaf) {
            let wait = self.dice.millis(0, 4000);
            self.push(wait, Next::ApplicationEnds(number));
        }
    }

    pub fn kill_application(&mut self) -> Result<(), String> {
        self.applications.kills.push(self.now);
        let Some(application) = &self.applications.running else { return Ok(()) };
        // What happens in one moment is in a row: the process may have been told to stop a few nanoseconds after the event that
        // its time is counted from.
        let is_over = |since: Duration| since + STOP_TIMEOUT <= self.now + Duration::from_millis(1);
        if !application.stopping.is_some_and(is_over) {
            return Err("a process is killed before its time".to_owned());
        }
        let (number, wait) = (application.number, self.dice.millis(0, 5));
        self.push(wait, Next::ApplicationEnds(number));
        Ok(())
    }

    /// Signals the process, which reads its files again. Its variables stay as they are.
    pub fn signal_application(&mut self) {
        self.applications.signals.push(self.now);
        let (setup, disk) = (&self.setup, &self.disk);
        if let Some(application) = &mut self.applications.running {
            let files = disk.files.iter().filter(|(file, _)| !setup.is_variable(**file));
            application.uses.extend(files.map(|(file, content)| (*file, content.clone())));
        }
    }

    pub fn application_ends(&mut self, number: u64) -> Result<(), String> {
        if self.asleep > self.now {
            let wait = self.asleep - self.now;
            self.push(wait, Next::ApplicationEnds(number));
            return Ok(());
        }
        let ended = self.applications.running.take_if(|one| one.number == number);
        let Some(application) = ended else { return Ok(()) };
        self.applications.ended = Some(self.now);
        self.applications.over = application.stopping.is_none();
        self.log(|| format!("-- process {number} ends"));
        self.give(Event::ChildEnded)
    }
}

/// Returns the leases that the process goes on using, each with its file.
pub fn in_use(world: &World) -> impl Iterator<Item = (FileId, &LeaseId)> {
    let uses = world.applications.running.iter().flat_map(|one| &one.uses);
    uses.flat_map(|(file, content)| content.values().filter_map(|value| Some((*file, value.lease.as_ref()?))))
}

/// Returns whether the process keeps its old leases: it has variables, and it is not restarted after a change.
/// Variables stay as they are in such a process. The leases that they are made of live on beside their successors. The
/// login that made these leases lives on, too, with everything else that it made.
pub fn keeps_old_leases(setup: &Setup) -> bool {
    setup.application.is_some_and(|one| one.variable && one.on_change != OnChange::Restart)
}

/// Checks that the process runs for as long as the run goes on, and that it knows of every change in time.
pub fn is_kept_up(world: &World) -> Result<(), String> {
    let (Some(setup), Some(process)) = (world.setup.application, &world.process) else { return Ok(()) };
    if !process.has_application || process.stopping || world.asleep > world.now {
        return Ok(());
    }
    let Some(application) = &world.applications.running else {
        let ended = world.applications.ended.ok_or("a process is gone that never ended")?;
        let late = ended.max(world.asleep) + LEAVING < world.now;
        return if late { Err(format!("no process since {ended:?}, and no end")) } else { Ok(()) };
    };
    for (file, known) in &application.uses {
        let held = setup.on_change != OnChange::Restart && world.setup.is_variable(*file);
        if held || world.disk.files.get(file) == Some(known) {
            continue;
        }
        let changed = world.disk.changed.get(file).copied().unwrap_or_default().max(world.asleep);
        if changed + setup.splay + STOP_TIMEOUT + PROMPT < world.now {
            return Err(format!("the process knows nothing of {file:?}, which changed at {changed:?}"));
        }
    }
    Ok(())
}

impl Setup {
    /// Returns whether a file is a variable of the process.
    pub fn is_variable(&self, file: FileId) -> bool {
        let last = file.0 + 1 == self.files.len() && file.0 >= self.members;
        last && self.application.is_some_and(|setup| setup.variable)
    }
}
