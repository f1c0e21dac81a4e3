//! What this process gives up before it touches the first secret, so that whoever gets to run code
//! in it can do no more than it has to do itself.
//!
//! Always: no core dumps and no reading of our memory by others of the same user (`memory`).
//! By `sandbox`: no new privileges, only the capabilities that files and signals need, Landlock to
//! our own paths and TCP ports, and a list of system calls that are refused. These are inherited by
//! every child and cannot be taken back, so they stay off in `exec` mode and where a `command`
//! notifier is configured: what they run is the operator's, and a hook that may reach nothing is of no use.
//!
//! It has to be applied while there is one thread: each of them has its own.

mod landlock;
mod memory;
mod needs;
mod privileges;
mod system_calls;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::plan::{Notifier, Plan, Sandbox};
use crate::exit::{Cause, Ending};

pub use memory::{close as close_memory, unlocked as with_memory_unlocked};
use needs::Needs;

/// What is in force for the rest of this process.
#[derive(Debug)]
pub struct Fence {
    /// What it lets through, where it is up.
    needs: Option<Needs>,
    state: State,
}

/// How much of the sandbox is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// All layers.
    Whole,
    /// All but those that were warned of at the start.
    Partial,
    /// None, as configured.
    #[default]
    Off,
    /// None, since a child of ours would inherit it: the process of `exec`, or a hook.
    LeftOff,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Partial, Self::Off, Self::LeftOff];

    /// One word for it, for metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Partial => "partial",
            Self::Off => "off",
            Self::LeftOff => "left_off",
        }
    }
}

/// A layer that could not be had.
#[derive(Debug)]
struct Lack {
    /// Its name, for messages.
    what: &'static str,
    /// What the system says to it, or lacks.
    why: String,
}

impl Lack {
    fn new(what: &'static str, why: impl ToString) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Applies what `plan` asks for to this thread and all that it starts. The folders that files go
/// to must be there. `texts` are the files that the configuration is read from, now and at HUP; from the folders
/// `cleared` files of an earlier run will be removed;
/// `parent` tells whether this run starts the application itself, which would inherit it all.
///
/// # Errors
/// 73 where `sandbox: required` and a layer cannot be had.
pub fn raise(
    plan: &Plan,
    texts: &[&Path],
    cleared: &[PathBuf],
    parent: bool,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Fence, Ending> {
    if plan.sandbox == Sandbox::Off {
        tracing::info!("sandbox: off, as configured");
        return Ok(Fence::down(State::Off));
    }
    if parent {
        return beside_child(plan.sandbox);
    }
    if let Some(hook) = plan.notifiers.iter().find(|one| matches!(one.how, Notifier::Command { .. })) {
        tracing::info!(
            "sandbox: no_new_privs, capabilities, Landlock and seccomp stay as they are, since the command of notifier `{}` would inherit them",
            hook.name
        );
        return Ok(Fence::down(State::LeftOff));
    }
    let mut needs = Needs::of(plan, texts, env);
    needs.clear.extend(cleared.iter().cloned());
    for template in &needs.unknown {
        tracing::warn!("sandbox: the file that {template} reads has to lie in a folder that is read anyway");
    }
    let lacks = apply(&needs);
    for lack in &lacks {
        tracing::warn!("sandbox: goes without {}: {}", lack.what, lack.why);
    }
    match lacks.first() {
        Some(lack) if plan.sandbox == Sandbox::Required => {
            let what = format!("`sandbox: required`, but there is no {}: {}", lack.what, lack.why);
            let hint = "run it where the kernel and the container runtime allow this, or use `sandbox: auto`";
            Err(Ending::new(Cause::Destination, what, hint))
        }
        first => {
            let state = if first.is_some() { State::Partial } else { State::Whole };
            Ok(Fence { needs: Some(needs), state })
        }
    }
}

/// What is inherited for ever stays off beside a process that is the user's.
fn beside_child(wanted: Sandbox) -> Result<Fence, Ending> {
    if wanted == Sandbox::Required {
        let what = "`sandbox: required`, and the process of exec would inherit the sandbox";
        return Err(Ending::new(Cause::Destination, what, "use `sandbox: auto`, or a sidecar"));
    }
    tracing::info!(
        "sandbox: no_new_privs, capabilities, Landlock and seccomp stay as they are, since the process of exec would inherit them"
    );
    Ok(Fence::down(State::LeftOff))
}

/// One layer: applies it, or says why not.
type Layer = fn(&Needs) -> Result<(), Lack>;

/// In this order: the second is for those without new privileges only, and the last one may refuse
/// what the ones before it do.
const LAYERS: [Layer; 4] =
    [privileges::give_up_new_ones, landlock::restrict, privileges::keep_needed, system_calls::refuse];

fn apply(needs: &Needs) -> Vec<Lack> {
    LAYERS.iter().filter_map(|layer| layer(needs).err()).collect()
}

impl Fence {
    fn down(state: State) -> Self {
        Self { needs: None, state }
    }

    /// How much of it is in force.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether a configuration that was read again can be run within what is in force.
    ///
    /// # Errors
    /// 78 that names what lies outside.
    pub fn admit(
        &self,
        plan: &Plan,
        texts: &[&Path],
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<(), Ending> {
        let Some(here) = &self.needs else { return Ok(()) };
        let hook = plan.notifiers.iter().find(|one| matches!(one.how, Notifier::Command { .. }));
        let outside = match hook {
            Some(hook) => Some(format!("the command of notifier `{}`", hook.name)),
            None => here.lacks(&Needs::of(plan, texts, env)),
        };
        let Some(outside) = outside else { return Ok(()) };
        let what = format!("the sandbox of this run does not admit {outside}");
        Err(Ending::new(Cause::Config, what, "restart leasehold"))
    }

    /// Whether there is anything that an unreadable file could be due to.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.needs.is_some()
    }
}
