//! The process of `exec`, from the driver's side: its environment, its start, its end.

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
    ended: Option<ExitStatus>,
}

impl Offspring {
    /// None yet.
    pub(super) fn new(parent: Parent, reaper: Rc<Reaper>) -> Self {
        Self { parent, reaper, running: None, ended: None }
    }

    /// Starts it with `variables` besides what it inherits. The future is its end.
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
        let reaper = Rc::clone(&self.reaper);
        Ok(async move { reaper.ended(child.pid()).await })
    }

    /// Notes its end.
    pub(super) fn ended(&mut self, status: ExitStatus) {
        self.running = None;
        self.ended = Some(status);
        child::Child::collected();
        match (status.code(), status.signal()) {
            (Some(code), _) => tracing::info!(code, "the process has ended"),
            (None, signal) => tracing::info!(signal, "the process was ended by a signal"),
        }
    }

    /// How we exit after it: as it did.
    pub(super) fn code(&self) -> u8 {
        self.ended.map_or(0, child::code)
    }

    /// Does something to the process while there is one that was not collected yet.
    pub(super) fn with(&self, act: impl FnOnce(&Child)) {
        if let Some(child) = self.running.as_ref().filter(|child| self.reaper.is_there(child.pid())) {
            act(child);
        }
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
