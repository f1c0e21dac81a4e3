//! The process of `exec`, from the driver's side: its environment, its start, its end.

use std::cell::Cell;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::Driver;
use super::requests::Answer;
use super::variables::Room;
use crate::config::plan::Plan;
use crate::core::event::Event;
use crate::exit::Ending;
use crate::process::child::{self, Child, ChildCommand};
use crate::process::reaper::Reaper;
use crate::process::signals::{Arrived, Held};
use crate::secret::Secret;

/// What `exec` needs besides the configuration.
#[derive(Debug)]
pub struct Parent {
    /// What to start.
    pub(crate) blueprint: ChildCommand,
    /// The environment that the process inherits, without our own variables.
    pub(crate) inherited: Vec<(OsString, OsString)>,
    /// The signals that are meant for the process.
    pub(crate) held: Held,
}

/// How long a process may still be there after SIGKILL before that is logged; later it is logged every minute.
const AFTER_KILL: Duration = Duration::from_secs(5);
const A_MINUTE: Duration = Duration::from_secs(60);

/// How much the path of a program, and the interpreter of a script, add to the arguments at most.
const PATHS: usize = 4096 + 256;

/// Returns the room for arguments and environment of the process that `parent` starts with the variables of `plan`.
pub(super) fn room(parent: Option<&Parent>, plan: &Plan) -> Room {
    let limit = child::room();
    let Some(parent) = parent else { return Room { limit, taken: 0 } };
    let words = parent.blueprint.command.iter().map(|word| child::takes(word.len()));
    let rendered = |name: &OsString| plan.exec.env.iter().any(|one| name.as_bytes() == one.name.as_bytes());
    let inherited = parent.inherited.iter().filter(|(name, _)| !rendered(name));
    let inherited = inherited.map(|(name, value)| child::takes(name.len() + 1 + value.len()));
    Room { limit, taken: PATHS + words.chain(inherited).sum::<usize>() }
}

/// The process that runs, or ran.
pub(super) struct ChildProcess {
    parent: Parent,
    reaper: Rc<Reaper>,
    running: Option<Child>,
    /// Whether the running process was asked to stop: then its end is the end of its whole group.
    stopping: Rc<Cell<bool>>,
    /// Notified when the running process is killed.
    killed: Rc<Notify>,
    ended: Option<ExitStatus>,
}

impl ChildProcess {
    /// Makes one without a process.
    pub(super) fn new(parent: Parent, reaper: Rc<Reaper>) -> Self {
        Self { parent, reaper, running: None, stopping: Rc::default(), killed: Rc::default(), ended: None }
    }

    /// Starts the process with `variables` besides what it inherits. The future is its end. If the process was asked
    /// to stop, that is the end of its whole group, so that the next process finds no port taken and no file locked
    /// by what was left of it. What the process leaves behind when it ends by itself is its own affair.
    ///
    /// # Errors
    /// 127 and 126.
    pub(super) fn start(
        &mut self,
        variables: &[(String, Secret)],
    ) -> Result<impl Future<Output = std::io::Result<ExitStatus>> + use<>, Ending> {
        let child = self.parent.blueprint.start(&self.environment(variables))?;
        self.reaper.started(child.pid());
        self.running = Some(child);
        tracing::info!(pid = child.pid().as_raw_nonzero().get(), "started the process");
        (self.stopping, self.killed) = Default::default();
        let (reaper, stopping) = (Rc::clone(&self.reaper), Rc::clone(&self.stopping));
        let killed = Rc::clone(&self.killed);
        Ok(async move {
            let end = async {
                let status = reaper.ended(child.pid()).await?;
                if stopping.get() {
                    child.company_gone().await;
                }
                Ok(status)
            };
            tokio::select! {
                status = end => status,
                never = outlives(child, &killed) => never,
            }
        })
    }

    /// Returns what the process is started from.
    pub(super) fn parent(&self) -> &Parent {
        &self.parent
    }

    /// Returns whether a process was ever started.
    pub(super) fn was_started(&self) -> bool {
        self.running.is_some() || self.ended.is_some()
    }

    /// Records its end.
    pub(super) fn ended(&mut self, status: ExitStatus) {
        self.running = None;
        self.ended = Some(status);
        child::Child::over();
        match (status.code(), status.signal()) {
            (Some(code), _) => tracing::info!(code, "the process has ended"),
            (None, signal) => tracing::info!(signal, "the process was ended by a signal"),
        }
    }

    /// Returns our exit code after it, which is its own.
    pub(super) fn code(&self) -> u8 {
        self.ended.map_or(0, child::code)
    }

    /// Sends a signal to the process alone.
    pub(super) fn signal(&self, number: i32) {
        if let Some(child) = self.living() {
            child.signal(number);
        }
    }

    /// Asks the process and its whole group to stop.
    pub(super) fn stop(&self, number: i32) {
        if self.living().is_some() {
            self.stopping.set(true);
        }
        if let Some(child) = self.stoppable() {
            child.signal_all(number);
        }
    }

    /// Kills the process and its whole group.
    pub(super) fn kill(&self) {
        if let Some(child) = self.stoppable() {
            child.kill();
            self.killed.notify_one();
        }
    }

    /// Returns the process as long as it was not collected, so that its number is its own.
    fn living(&self) -> Option<&Child> {
        self.running.as_ref().filter(|child| self.reaper.is_there(child.pid()))
    }

    /// Returns the same, or what is left of its group, whose number stays taken while a process is in it.
    fn stoppable(&self) -> Option<&Child> {
        let left = |child: &&Child| self.stopping.get() && !child.shares_terminal();
        self.living().or(self.running.as_ref().filter(left))
    }

    /// Returns whether the process got this signal from the kernel, as we did.
    pub(super) fn has(&self, signal: Arrived) -> bool {
        signal.by_kernel && self.running.is_some_and(|child| child.shares_terminal())
    }

    /// Returns entries `NAME=value`. A rendered variable wins over an inherited one.
    fn environment(&self, variables: &[(String, Secret)]) -> Vec<Zeroizing<CString>> {
        let given = |name: &OsString| variables.iter().any(|(given, _)| name.as_bytes() == given.as_bytes());
        let inherited = self.parent.inherited.iter().filter(|(name, _)| !given(name));
        let inherited = inherited.map(|(name, value)| entry(name.as_bytes(), value.as_bytes()));
        let rendered = variables.iter().map(|(name, value)| entry(name.as_bytes(), value.expose()));
        inherited.chain(rendered).collect()
    }
}

/// Logs, for as long as it lasts, that a process is still there although it was killed. It waits for a device, or has
/// become another user's process, and everything here waits for it.
async fn outlives<T>(child: Child, killed: &Notify) -> T {
    killed.notified().await;
    let mut wait = AFTER_KILL;
    loop {
        tokio::time::sleep(wait).await;
        let pid = child.pid().as_raw_nonzero().get();
        tracing::warn!(
            pid,
            "the process, or one of its group, does not end though it was killed, and is waited for; look at its state and user in /proc/{pid}/status"
        );
        wait = A_MINUTE;
    }
}

fn entry(name: &[u8], value: &[u8]) -> Zeroizing<CString> {
    // There is room for the NUL, too, so that the buffer does not move.
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 2);
    bytes.extend_from_slice(name);
    bytes.push(b'=');
    bytes.extend_from_slice(value);
    Zeroizing::new(CString::new(bytes).expect("values with a NUL are not published, and names have none"))
}

impl Driver {
    /// Starts the process of `exec`.
    pub(super) fn spawn(&mut self) {
        let Some(child) = &mut self.child else { return };
        let started = child.start(&self.files.variables());
        let result = started.map(|end| {
            self.requests.add(async {
                match end.await {
                    Ok(status) => Answer::ChildEnded(status),
                    Err(why) => panic!("cannot wait for the process: {why}"),
                }
            });
        });
        self.backlog.push_back(Event::Spawned(result));
    }

    /// Does something with the process, if there is one.
    pub(super) fn to_child(&self, act: impl FnOnce(&ChildProcess)) {
        if let Some(child) = &self.child {
            act(child);
        }
    }
}
