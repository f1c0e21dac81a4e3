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

/// Whom changes for the process are told to.
pub const NOTIFIER: NotifierId = NotifierId(2);
pub const STOP_SIGNAL: i32 = 15;
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// A change is on its way to the process no longer than this, its splay and its end apart.
const PROMPT: Duration = Duration::from_secs(3);
/// The longest that everything takes after the process.
const LEAVING: Duration = Duration::from_secs(25);

/// The processes of a world, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct ApplicationSetup {
    pub on_change: OnChange,
    /// The last file is a variable, where it stands alone.
    pub variable: bool,
    pub splay: Duration,
    /// So many of a hundred do not heed the signal that is to stop them.
    pub deaf: u64,
    /// So many of a hundred end by themselves.
    pub brief: u64,
    /// So many of a hundred cannot be started.
    pub broken: u64,
}

/// A process that runs.
#[derive(Debug)]
pub struct Application {
    number: u64,
    /// What it knows of: each variable as it was at its start, each file as it was when it was
    /// last told.
    pub uses: BTreeMap<FileId, Content>,
    /// When it was first told to stop.
    stopping: Option<Duration>,
}

/// All that a world keeps of its processes.
#[derive(Debug, Default)]
pub struct Applications {
    pub running: Option<Application>,
    /// When each was started.
    pub starts: Vec<Duration>,
    /// When the last one ended.
    pub ended: Option<Duration>,
    /// There is no further one: the last ended by itself, or could not be started.
    pub over: bool,
    /// When they were told to stop, signalled and killed.
    pub stops: Vec<Duration>,
    pub signals: Vec<Duration>,
    pub kills: Vec<Duration>,
}

impl ApplicationSetup {
    /// One that heeds its signal, without variables.
    pub fn plain(on_change: OnChange) -> Self {
        Self { on_change, variable: false, splay: Duration::ZERO, deaf: 0, brief: 0, broken: 0 }
    }

    /// Three worlds of ten have one.
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
    /// Starts a process, once everything is there for it.
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

    /// A process that is told of nothing looks at its files by itself.
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

    /// It looks at its files again; its variables stay.
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

/// Leases that the process goes on with.
pub fn in_use(world: &World) -> impl Iterator<Item = (FileId, &LeaseId)> {
    let uses = world.applications.running.iter().flat_map(|one| &one.uses);
    uses.flat_map(|(file, content)| content.values().filter_map(|value| Some((*file, value.lease.as_ref()?))))
}

/// Variables stay as they are in a process that is not started anew: the leases they are made of
/// go on beside their successors, and the login that made them with all else it made.
pub fn keeps_old_leases(setup: &Setup) -> bool {
    setup.application.is_some_and(|one| one.variable && one.on_change != OnChange::Restart)
}

/// While we go on, the process does, and knows of every change in time.
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
    /// Whether a file is a variable of the process.
    pub fn is_variable(&self, file: FileId) -> bool {
        let last = file.0 + 1 == self.files.len() && file.0 >= self.members;
        last && self.application.is_some_and(|setup| setup.variable)
    }
}
