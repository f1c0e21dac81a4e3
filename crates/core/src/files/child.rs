//! The process of `exec`: it is started once everything is published, notified of what changes, and stopped in time.
//! All its notifications go through the notices, as for any notifier, so that nothing that it uses is revoked before
//! it has changed over.

use crate::engine::Engine;
use crate::files::notice::Reader;
use crate::interface::action::{Action, Level};
use crate::interface::ids::{FileId, NotifierId, UnitId};
use crate::interface::policy::ChildPolicy;
use crate::interface::policy::OnChange;
use crate::tools::timers::Timer;
use leasehold_base::exit::Ending;
use leasehold_base::time::Moment;

const HUP: i32 = 1;
const INT: i32 = 2;
const QUIT: i32 = 3;
const TERM: i32 = 15;

/// The process.
#[derive(Debug)]
pub(crate) struct Child {
    policy: ChildPolicy,
    stage: Stage,
    /// The process has to be notified of what was published.
    due: bool,
    /// When the process was last started, with its variables as they were then.
    since: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not started yet.
    Absent,
    /// The driver was asked to start it; `again` if one ran before.
    Starting { again: bool },
    /// The process runs.
    Running,
    /// The process was asked to stop; `again` if it is started anew after its end.
    Stopping { again: bool },
    /// The process has ended, and is to be started anew.
    Between,
}

impl Child {
    pub(crate) fn new(policy: ChildPolicy) -> Self {
        Self { policy, stage: Stage::Absent, due: false, since: Moment::default() }
    }

    /// Returns whether the process was not started yet.
    pub(crate) fn is_absent(&self) -> bool {
        self.stage == Stage::Absent
    }
}

impl Engine {
    /// Returns whether this notifier is the process.
    pub(crate) fn is_child(&self, id: NotifierId) -> bool {
        self.child.as_ref().is_some_and(|child| child.policy.notifier == id)
    }

    /// Returns whether this notifier is the process and was not started yet.
    pub(crate) fn is_absent(&self, id: NotifierId) -> bool {
        self.is_child(id) && self.child.as_ref().is_some_and(Child::is_absent)
    }

    /// Returns the variables among `files` that a process still has the old values of, because it is not restarted.
    /// Whatever they were made of when it started must not be revoked.
    pub(crate) fn held_by_child(&self, files: &[FileId]) -> Vec<(FileId, Reader)> {
        let Some(child) = self.child.as_ref().filter(|child| !child.is_absent()) else { return Vec::new() };
        if child.policy.on_change == OnChange::Restart {
            return Vec::new();
        }
        let held = |id: &&FileId| {
            let file = self.shelf.file(**id);
            Some(file.unit) == child.policy.environment && file.changed.is_some_and(|at| at > child.since)
        };
        files.iter().filter(held).map(|file| (*file, Reader::Started)).collect()
    }

    /// Starts the process, or starts it anew, since everything is published.
    pub(crate) fn spawn_child(&mut self) {
        let Some(child) = &mut self.child else { return };
        let again = child.stage == Stage::Between;
        if again {
            // The process starts with the newest of everything.
            self.notices.catch_up(child.policy.notifier, self.now.moment);
        }
        if child.stage == Stage::Absent {
            self.notices.begin(child.policy.notifier, self.now.moment);
        }
        child.due = false;
        child.since = self.now.moment;
        child.stage = Stage::Starting { again };
        self.timers.clear(&Timer::Init);
        self.timers.clear(&Timer::Child);
        self.out.push(Action::Spawn);
    }

    /// Records that the process runs. If it cannot be run, the run ends.
    pub(crate) fn spawned(&mut self, result: Result<(), Ending>) {
        let Some(child) = &mut self.child else { return };
        let again = child.stage == Stage::Starting { again: true };
        if let Err(ending) = result {
            return self.fail(ending);
        }
        if let Stage::Starting { .. } = child.stage {
            child.stage = Stage::Running;
        }
        if again {
            let notifier = child.policy.notifier;
            self.notified(notifier, Ok(()));
        }
    }

    /// Notes that the delay before its notification is over.
    pub(crate) fn child_due(&mut self) {
        if let Some(child) = &mut self.child {
            child.due = true;
        }
    }

    /// Notifies the process of a change, or starts it anew, once nothing more is about to be published for it:
    /// changes that come together make one restart.
    pub(crate) fn settle_child(&mut self) {
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
                // One signal notifies of everything that was published until now.
                self.notices.catch_up(policy.notifier, self.now.moment);
                self.out.push(Action::Signal(signal));
                self.notified(policy.notifier, Ok(()));
            }
            OnChange::Ignore => {}
        }
    }

    /// Returns whether nothing that the process is notified of is on its way to the disk.
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

    /// Stops the process, since this run is to end. The end of the process is the end of the run.
    pub(crate) fn stop_child(&mut self) {
        let Some(child) = &mut self.child else { return };
        let policy = child.policy;
        match child.stage {
            Stage::Absent => {}
            Stage::Starting { .. } | Stage::Running => self.begin_stop(policy, false),
            // It was asked to stop already, and gets its time.
            Stage::Stopping { again: true } => child.stage = Stage::Stopping { again: false },
            // A second stop is passed on: some programs hurry then.
            Stage::Stopping { again: false } => self.out.push(Action::StopChild(policy.stop_signal)),
            Stage::Between => self.stop_now(),
        }
    }

    /// Handles the end of the process.
    pub(crate) fn child_ended(&mut self) {
        self.timers.clear(&Timer::Kill);
        let Some(child) = &mut self.child else { return };
        if child.stage == (Stage::Stopping { again: true }) {
            child.stage = Stage::Between;
        } else {
            self.stop_now();
        }
    }

    /// Passes a signal to the process. A signal that means the end is replaced by the one that the process is stopped
    /// with. Before there is a process, several signals mean the end.
    pub(crate) fn signalled(&mut self, signal: i32) {
        let Some(child) = &self.child else { return };
        let ends = if child.is_absent() { matches!(signal, HUP | INT | QUIT | TERM) } else { signal == TERM };
        match (ends, child.stage) {
            (true, _) => self.stop(false),
            (false, Stage::Absent | Stage::Between) => {}
            (false, _) => self.out.push(Action::Signal(signal)),
        }
    }

    /// Handles a signal after the process has ended, while what it used is being revoked. Only a person at a keyboard
    /// cuts that short. SIGTERM may come because the process has ended.
    pub(crate) fn signalled_while_leaving(&mut self, signal: i32) {
        if matches!(signal, INT | QUIT) {
            self.stop_due();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::interface::action::Question;
    use crate::interface::event::{Event, Published, RenderOutcome};
    use crate::interface::policy::ShutdownPlan;
    use crate::interface::policy::{FilePolicy, Mode, NotifierPolicy, Policy, UnitPolicy};
    use crate::interface::snapshot::Snapshot;
    use leasehold_base::exit::Cause;
    use leasehold_base::time::{Moment, Now};

    const STOP_TIMEOUT: Duration = Duration::from_secs(30);

    /// An engine with one variable, which uses no secret; actions without logins and log lines.
    struct Hand(Engine, u64);

    impl Hand {
        fn new() -> Self {
            Self::after_a_run(None)
        }

        fn after_a_run(kept: Option<Snapshot>) -> Self {
            let child = ChildPolicy {
                notifier: NotifierId(0),
                environment: Some(UnitId(0)),
                on_change: OnChange::Restart,
                stop_signal: QUIT,
                stop_timeout: STOP_TIMEOUT,
            };
            let mut hand = Self(
                Engine::new(Policy {
                    mode: Mode::Exec { timeout: Duration::from_secs(120) },
                    files: vec![FilePolicy {
                        name: "exec.env.A".into(),
                        unit: UnitId(0),
                        refresh: Duration::from_secs(10),
                        wait: None,
                        notify: vec![NotifierId(0)],
                        sink: None,
                    }],
                    units: vec![UnitPolicy { files: vec![FileId(0)] }],
                    notifiers: vec![NotifierPolicy {
                        name: "exec".into(),
                        splay: Duration::ZERO,
                        on_first: true,
                    }],
                    on_init: Default::default(),
                    child: Some(child),
                    shutdown: ShutdownPlan { revoke: true, delay: Duration::ZERO },
                    rehearsal: false,
                    handoff: false,
                    owns_token: true,
                    sees_token: true,
                    locks_out: false,
                    login_advice: String::new(),
                    first_ready: Default::default(),
                    binds_certificate: false,
                    stores: Vec::new(),
                    logs_in: true,
                    max_in_flight: 8,
                    seed: 7,
                }),
                1000,
            );
            assert_eq!(hand.give(Event::Start { kept, rebooted: false }), [Action::Render(FileId(0))]);
            hand
        }

        /// Makes one with a process that runs.
        fn running() -> Self {
            Self::new().started()
        }

        fn started(self) -> Self {
            let mut hand = self;
            let outcome = RenderOutcome::Rendered { changed: true, used: vec![] };
            let publish = Action::Publish { unit: UnitId(0), files: vec![FileId(0)] };
            assert_eq!(hand.give(Event::Rendered { file: FileId(0), outcome }), [publish]);
            assert_eq!(hand.give(published()), [Action::Spawn], "only now, and nobody is told of it");
            assert_eq!(hand.give(Event::Spawned(Ok(()))), []);
            hand
        }

        fn give(&mut self, event: Event) -> Vec<Action> {
            self.1 += 1;
            let now = Now { moment: Moment::new(Duration::from_secs(self.1)), wall: 1_700_000_000 };
            let mut actions = self.0.handle(event, now);
            actions.retain(|action| !matches!(action, Action::Say(_) | Action::Ask(Question::LogIn(_))));
            actions
        }

        /// Publishes other bytes of the one file.
        fn news(&mut self) -> Vec<Action> {
            let outcome = RenderOutcome::Rendered { changed: true, used: vec![] };
            self.give(Event::Rendered { file: FileId(0), outcome });
            self.give(published())
        }

        fn after(&mut self, wait: Duration) -> Vec<Action> {
            self.1 += wait.as_secs();
            self.give(Event::Wake)
        }
    }

    fn published() -> Event {
        Event::Published {
            unit: UnitId(0),
            result: Ok(Published { generation: 1, changed: vec![FileId(0)] }),
        }
    }

    #[test]
    fn a_stop_is_the_process_s_own_signal_then_force_and_its_end_is_ours() {
        let mut hand = Hand::running();
        assert_eq!(hand.give(Event::Signalled(TERM)), [Action::StopChild(QUIT)]);
        assert_eq!(hand.give(Event::Stop { at_once: true }), [Action::StopChild(QUIT)], "said twice");
        assert_eq!(hand.after(STOP_TIMEOUT), [Action::KillChild]);
        // The login that was asked for may still bring a token to give back.
        assert_eq!(hand.give(Event::ChildEnded), []);
        assert_eq!(hand.give(Event::Signalled(TERM)), [], "it came because the process has ended");
        assert_eq!(hand.after(Duration::from_secs(10)), [Action::Exit(Ok(()))]);
    }

    #[test]
    fn other_signals_are_passed_on_and_dropped_where_there_is_nobody() {
        let mut hand = Hand::new();
        assert_eq!(hand.give(Event::Signalled(10)), []);
        let mut hand = Hand::running();
        for signal in [HUP, INT, QUIT, 10, 64] {
            assert_eq!(hand.give(Event::Signalled(signal)), [Action::Signal(signal)]);
        }
    }

    #[test]
    fn a_process_that_cannot_be_run_is_the_end_with_its_code() {
        let mut hand = Hand::running();
        let why = Ending::new(Cause::NotExecutable, "cannot start it", "");
        assert_eq!(hand.give(Event::Spawned(Err(why.clone()))), []);
        assert_eq!(hand.after(Duration::from_secs(10)), [Action::Exit(Err(why))]);
    }

    #[test]
    fn a_process_that_an_earlier_run_left_untold_is_told_of_news_like_any() {
        let kept = Snapshot { untold: ["exec".to_owned()].into(), ..Snapshot::default() };
        let mut hand = Hand::after_a_run(Some(kept)).started();
        assert_eq!(hand.news(), [Action::StopChild(QUIT)]);
    }

    #[test]
    fn news_for_the_process_stops_it_and_the_next_one_starts_when_it_has_ended() {
        let mut hand = Hand::running();
        assert_eq!(hand.news(), [Action::StopChild(QUIT)]);
        assert_eq!(hand.news(), [], "the next one sees that too");
        assert_eq!(hand.give(Event::ChildEnded), [Action::Spawn]);
        assert_eq!(hand.give(Event::Spawned(Ok(()))), [], "and is not told what it started with");
        assert_eq!(hand.after(STOP_TIMEOUT), [], "nobody is killed for what the last one was told");
        // News after the start is news.
        assert_eq!(hand.news(), [Action::StopChild(QUIT)]);
        // A stop in between: nobody is started any more.
        assert_eq!(hand.give(Event::Signalled(TERM)), []);
        assert_eq!(hand.give(Event::ChildEnded), []);
        assert_eq!(hand.after(Duration::from_secs(10)), [Action::Exit(Ok(()))]);
    }
}
