//! The process of `exec`: started once everything is published, told of what changes, stopped in
//! time. Everything that it is told goes through the notices, like to any notifier, so that
//! nothing of what it uses is given back before it has changed over.

use super::action::{Action, Level};
use super::agent::Agent;
use super::ids::{FileId, NotifierId, UnitId};
use super::policy::ChildPolicy;
use super::timers::Timer;
use crate::config::plan::OnChange;
use crate::exit::Ending;

const HUP: i32 = 1;
const INT: i32 = 2;
const QUIT: i32 = 3;
const TERM: i32 = 15;

/// Nobody, who therefore is never told: what only a restart would change in a process that is not
/// restarted stays in use.
const NEVER: NotifierId = NotifierId(usize::MAX);

/// The process.
#[derive(Debug)]
pub(super) struct Child {
    policy: ChildPolicy,
    stage: Stage,
    /// It is to be told of what was published.
    due: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not started yet.
    Absent,
    /// Asked to be started; `again` where one ran before.
    Starting { again: bool },
    /// At work.
    Running,
    /// Told to stop; `again` where it is started anew after its end.
    Stopping { again: bool },
    /// Ended, and to be started anew.
    Between,
}

impl Child {
    pub(super) fn new(policy: ChildPolicy) -> Self {
        Self { policy, stage: Stage::Absent, due: false }
    }

    /// Whether it was not started yet.
    pub(super) fn is_absent(&self) -> bool {
        self.stage == Stage::Absent
    }
}

impl Agent {
    /// Whether this notifier is the process.
    pub(super) fn is_child(&self, id: NotifierId) -> bool {
        self.child.as_ref().is_some_and(|child| child.policy.notifier == id)
    }

    /// A process that is not there yet will see everything by itself.
    pub(super) fn without_child(&self, untold: &mut Vec<(FileId, NotifierId)>) {
        if self.child.as_ref().is_some_and(Child::is_absent) {
            untold.retain(|(_, whom)| !self.is_child(*whom));
        }
    }

    /// The variables among `changed` that a process goes on with that is not restarted: whatever
    /// they were made of before must not be given back.
    pub(super) fn held_by_child(&self, changed: &[FileId]) -> Vec<(FileId, NotifierId)> {
        let Some(child) = self.child.as_ref().filter(|child| !child.is_absent()) else { return Vec::new() };
        if child.policy.on_change == OnChange::Restart {
            return Vec::new();
        }
        let variable = |file: &&FileId| Some(self.shelf.file(**file).unit) == child.policy.environment;
        changed.iter().filter(variable).map(|file| (*file, NEVER)).collect()
    }

    /// Everything is published: starts the process, or starts it anew.
    pub(super) fn spawn_child(&mut self) {
        let Some(child) = &mut self.child else { return };
        let again = child.stage == Stage::Between;
        if again {
            // It starts with the newest of everything.
            self.notices.catch_up(child.policy.notifier);
        }
        child.due = false;
        child.stage = Stage::Starting { again };
        self.timers.clear(&Timer::Init);
        self.timers.clear(&Timer::Child);
        self.out.push(Action::Spawn);
    }

    /// It runs, or cannot be run: then there is nothing to be here for.
    pub(super) fn spawned(&mut self, result: Result<(), Ending>) {
        let Some(child) = &mut self.child else { return };
        let again = child.stage == Stage::Starting { again: true };
        if let Err(ending) = result {
            return self.fail(ending);
        }
        child.stage = Stage::Running;
        if again {
            let notifier = child.policy.notifier;
            self.notified(notifier, Ok(()));
        }
    }

    /// The delay before it is told is over.
    pub(super) fn child_due(&mut self) {
        if let Some(child) = &mut self.child {
            child.due = true;
        }
    }

    /// Tells the process of a change, or starts it anew, once nothing more is about to be published
    /// for it: what comes together makes one restart.
    pub(super) fn settle_child(&mut self) {
        let Some(child) = &self.child else { return };
        let (policy, stage, due) = (child.policy, child.stage, child.due);
        if !matches!(stage, Stage::Between | Stage::Running) || !self.is_at_rest(&policy) {
            return;
        }
        if stage == Stage::Between {
            self.spawn_child();
        } else if due {
            self.tell_child(policy);
        }
    }

    fn tell_child(&mut self, policy: ChildPolicy) {
        let Some(child) = &mut self.child else { return };
        child.due = false;
        match policy.on_change {
            OnChange::Restart => {
                self.say(Level::Info, "stopping the process, to start it with what has changed".to_owned());
                self.begin_stop(policy, true);
            }
            OnChange::Signal(signal) => {
                self.out.push(Action::Signal(signal));
                self.notified(policy.notifier, Ok(()));
            }
            OnChange::Ignore => {}
        }
    }

    /// Whether none of what the process is told of is on its way to the disk.
    fn is_at_rest(&self, policy: &ChildPolicy) -> bool {
        let concerns = |id: UnitId| {
            let of_unit = |file: &FileId| self.policy.files[file.0].notify.contains(&policy.notifier);
            self.shelf.unit(id).files.iter().any(of_unit)
        };
        self.shelf
            .units()
            .filter(|(id, _)| concerns(*id))
            .all(|(_, unit)| unit.rendering.is_empty() && unit.publishing.is_none())
    }

    fn begin_stop(&mut self, policy: ChildPolicy, again: bool) {
        if let Some(child) = &mut self.child {
            child.stage = Stage::Stopping { again };
        }
        self.timers.set(Timer::Kill, self.now.moment.after(policy.stop_timeout));
        self.out.push(Action::StopChild(policy.stop_signal));
    }

    /// Told to stop for good: so is the process, and its end is ours.
    pub(super) fn stop_child(&mut self) {
        let Some(child) = &mut self.child else { return };
        let policy = child.policy;
        match child.stage {
            Stage::Absent => {}
            Stage::Starting { .. } | Stage::Running => self.begin_stop(policy, false),
            // It was told already, and has its time.
            Stage::Stopping { again: true } => child.stage = Stage::Stopping { again: false },
            // Whoever says it twice means it: some programs hurry then.
            Stage::Stopping { again: false } => self.out.push(Action::StopChild(policy.stop_signal)),
            Stage::Between => self.stop_now(),
        }
    }

    /// It has ended.
    pub(super) fn child_ended(&mut self) {
        self.timers.clear(&Timer::Kill);
        let Some(child) = &mut self.child else { return };
        if child.stage == (Stage::Stopping { again: true }) {
            child.stage = Stage::Between;
        } else {
            self.stop_now();
        }
    }

    /// A signal came: to the process with it. The one that means the end is translated into the
    /// one that the process is stopped with; before there is a process, several mean the end.
    pub(super) fn signalled(&mut self, signal: i32) {
        let Some(child) = &self.child else { return };
        let ends = if child.is_absent() { matches!(signal, HUP | INT | QUIT | TERM) } else { signal == TERM };
        match (ends, child.stage) {
            (true, _) => self.stop(false),
            (false, Stage::Absent | Stage::Between) => {}
            (false, _) => self.out.push(Action::Signal(signal)),
        }
    }

    /// The process is gone, and what it used is being given back: only somebody at a keyboard
    /// cuts that short. SIGTERM may come because the process has ended.
    pub(super) fn signalled_while_leaving(&mut self, signal: i32) {
        if matches!(signal, INT | QUIT) {
            self.stop_due();
        }
    }
}
