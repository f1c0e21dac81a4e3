//! The process of `exec`, from the driver's side: its environment, its start, its end.

use std::cell::Cell;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::exit::Ending;
use crate::process::child::{self, Blueprint, Child};
use crate::process::reaper::Reaper;
use crate::process::signals::{Arrived, Held};
use crate::secret::Secret;

/// What `exec` needs besides the configuration.
#[derive(Debug)]
pub struct Parent {
    /// What to start.
    pub(crate) blueprint: Blueprint,
    /// The environment that the process inherits, without what is ours.
    pub(crate) inherited: Vec<(OsString, OsString)>,
    /// The signals that are meant for it.
    pub(crate) held: Held,
}

/// The process that there is, or was.
pub(super) struct Offspring {
    parent: Parent,
    reaper: Rc<Reaper>,
    running: Option<Child>,
    /// Whether the one that runs was told to stop: then its end is that of all of its group.
    stopping: Rc<Cell<bool>>,
    ended: Option<ExitStatus>,
}

impl Offspring {
    /// None yet.
    pub(super) fn new(parent: Parent, reaper: Rc<Reaper>) -> Self {
        Self { parent, reaper, running: None, stopping: Rc::default(), ended: None }
    }

    /// Starts it with `variables` besides what it inherits. The future is its end: where it was told
    /// to stop, the end of all of its group, so that the next one finds no port taken and no file
    /// locked by what was left of it. What it leaves behind when it ends by itself is its own affair.
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
        self.stopping = Rc::default();
        let (reaper, stopping) = (Rc::clone(&self.reaper), Rc::clone(&self.stopping));
        Ok(async move {
            let status = reaper.ended(child.pid()).await?;
            if stopping.get() {
                child.company_gone().await;
            }
            Ok(status)
        })
    }

    /// Whether one was ever started.
    pub(super) fn was_started(&self) -> bool {
        self.running.is_some() || self.ended.is_some()
    }

    /// Notes its end.
    pub(super) fn ended(&mut self, status: ExitStatus) {
        self.running = None;
        self.ended = Some(status);
        child::Child::over();
        match (status.code(), status.signal()) {
            (Some(code), _) => tracing::info!(code, "the process has ended"),
            (None, signal) => tracing::info!(signal, "the process was ended by a signal"),
        }
    }

    /// How we exit after it: as it did.
    pub(super) fn code(&self) -> u8 {
        self.ended.map_or(0, child::code)
    }

    /// Sends a signal to the process alone.
    pub(super) fn signal(&self, number: i32) {
        if let Some(child) = self.living() {
            child.signal(number);
        }
    }

    /// Tells the process and all of its group to stop.
    pub(super) fn stop(&self, number: i32) {
        if self.living().is_some() {
            self.stopping.set(true);
        }
        if let Some(child) = self.stoppable() {
            child.signal_all(number);
        }
    }

    /// Kills the process and all of its group.
    pub(super) fn kill(&self) {
        if let Some(child) = self.stoppable() {
            child.kill();
        }
    }

    /// The process while it was not collected yet: its number is its own.
    fn living(&self) -> Option<&Child> {
        self.running.as_ref().filter(|child| self.reaper.is_there(child.pid()))
    }

    /// The same, or what is left of its group, whose number nobody gets while somebody is in it.
    fn stoppable(&self) -> Option<&Child> {
        let left = |child: &&Child| self.stopping.get() && !child.shares_terminal();
        self.living().or(self.running.as_ref().filter(left))
    }

    /// Whether the process got this signal from the kernel, like we did.
    pub(super) fn has(&self, signal: Arrived) -> bool {
        signal.by_kernel && self.running.is_some_and(|child| child.shares_terminal())
    }

    /// Entries `NAME=value`: what is rendered wins over what is inherited.
    fn environment(&self, variables: &[(String, Secret)]) -> Vec<Zeroizing<CString>> {
        let given = |name: &OsString| variables.iter().any(|(given, _)| name.as_bytes() == given.as_bytes());
        let inherited = self.parent.inherited.iter().filter(|(name, _)| !given(name));
        let inherited = inherited.map(|(name, value)| entry(name.as_bytes(), value.as_bytes()));
        let rendered = variables.iter().map(|(name, value)| entry(name.as_bytes(), value.expose()));
        inherited.chain(rendered).collect()
    }
}

fn entry(name: &[u8], value: &[u8]) -> Zeroizing<CString> {
    // With room for the NUL too, so that the buffer does not move.
    let mut bytes = Vec::with_capacity(name.len() + value.len() + 2);
    bytes.extend_from_slice(name);
    bytes.push(b'=');
    bytes.extend_from_slice(value);
    Zeroizing::new(CString::new(bytes).expect("values with a NUL are not published, and names have none"))
}
