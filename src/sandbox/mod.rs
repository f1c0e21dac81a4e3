//! The sandbox: what this process gives up before it touches the first secret. Code of an intruder in it can then
//! do no more than the process has to do itself.
//!
//! Always: no core dumps, and no reading of our memory by others of the same user (`memory`).
//!
//! By `sandbox`: no new privileges, only the capabilities that files and signals need, Landlock to our own paths
//! and TCP ports, and a list of system calls that are refused. Every child inherits these, and they cannot be taken
//! back. So they stay off in `exec` mode and if a `command` notifier is configured: the operator decides what these
//! run, and a hook that may reach nothing is of no use.
//!
//! The sandbox has to be applied while there is one thread, because each thread has its own.

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

/// The part of the sandbox that is in force for the rest of this process.
#[derive(Debug)]
pub struct Fence {
    /// The needs that it lets through, if it is up.
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
    /// Nothing is in force, as configured.
    #[default]
    Off,
    /// Nothing is in force, because a child of ours would inherit it: the process of `exec`, or a hook.
    LeftOff,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Partial, Self::Off, Self::LeftOff];

    /// Returns one word for it, for metrics.
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
    /// The layer's name, for messages.
    what: &'static str,
    /// The system's answer, or what it lacks.
    why: String,
}

impl Lack {
    fn new(what: &'static str, why: impl ToString) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Applies what `plan` asks for to this thread and all that it starts. The folders that files go to must be there.
///
/// - `texts` are the files that the configuration is read from, now and at HUP.
/// - `cleared` are the folders from which files of an earlier run will be removed.
/// - `parent` says whether this run starts the application itself, which would inherit all of it.
///
/// # Errors
/// 73 if `sandbox: required` is set and a layer cannot be had.
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
        tracing::warn!(
            "sandbox: {template} computes the path of a file that it reads, so the sandbox may deny it; put that file in a folder that the configuration names"
        );
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

/// Leaves off what is inherited for ever, because the child is the user's own process.
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

/// A layer: applies itself, or says why it cannot.
type Layer = fn(&Needs) -> Result<(), Lack>;

/// The layers, in this order. The second one works only for a process without new privileges, and the last one may
/// refuse what the others do.
const LAYERS: [Layer; 4] =
    [privileges::give_up_new_ones, landlock::restrict, privileges::keep_needed, system_calls::refuse];

fn apply(needs: &Needs) -> Vec<Lack> {
    LAYERS.iter().filter_map(|layer| layer(needs).err()).collect()
}

impl Fence {
    fn down(state: State) -> Self {
        Self { needs: None, state }
    }

    /// Returns how much of it is in force.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Checks that a configuration that was read again can be run within what is in force.
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

    /// Returns whether anything is in force that could be the reason for an unreadable file.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.needs.is_some()
    }
}
