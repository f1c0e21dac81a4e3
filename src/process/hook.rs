//! Commands that are run as notifiers.
//!
//! A hook gets no shell, no input, only the neutral part of our environment, and a process group of its own, so that
//! all of it can be killed at once. Its output is discarded: it may quote the secrets that the hook was called for,
//! and a log is the last place for them. A hook that has something to report writes to a file of its own, or exits
//! with a code that says what happened.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::reaper::Reaper;
use super::{NotifyError, limits};

/// The variables that a hook inherits. This is a list of what is allowed, not of what is forbidden: a variable of any
/// name may hold a token.
const NEUTRAL: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// The folders of programs, if `PATH` does not name them.
pub(super) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The process groups of the hooks that run now.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<BTreeSet<i32>>);

impl Running {
    /// Returns whether this process group is a running hook's.
    pub(super) fn is_group(&self, group: i32) -> bool {
        self.groups().contains(&group)
    }

    /// Returns whether any hook runs.
    #[cfg(test)]
    pub(super) fn any(&self) -> bool {
        !self.groups().is_empty()
    }

    fn groups(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `command` to its end. Kills its whole group at the time-out, or when the future is dropped. What it leaves
/// running in the background after it has ended by itself is left alone.
pub(super) async fn run(
    command: &[String],
    timeout: Duration,
    running: &Running,
    reaper: &Reaper,
) -> Result<(), NotifyError> {
    let Some((program, arguments)) = command.split_first() else {
        let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the command is empty");
        return Err(NotifyError::Start { program: String::new(), why });
    };
    let started = |why| NotifyError::Start { program: program.clone(), why };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(environment(|name| std::env::var_os(name)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let child = limits::as_found(|| command.spawn()).map_err(started)?;
    let hook = Hook::new(Pid::from_child(&child), running, reaper);
    match tokio::time::timeout(timeout, reaper.ended(hook.pid)).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(NotifyError::Failed { program: program.clone(), status }),
        Ok(Err(why)) => Err(started(why)),
        Err(_elapsed) => {
            hook.kill();
            // SIGKILL cannot be refused. Waiting reaps the hook, and only then is its number free.
            reaper.ended(hook.pid).await.map_err(started)?;
            Err(NotifyError::Killed { program: program.clone(), timeout })
        }
    }
}

/// Returns the environment of a hook, made from ours.
fn environment(ours: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, OsString)> {
    NEUTRAL
        .into_iter()
        .filter_map(|name| {
            let default = || (name == "PATH").then(|| DEFAULT_PATH.into());
            ours(name).or_else(default).map(|value| (name, value))
        })
        .collect()
}

/// A running hook. It is known as such, and is killed if dropped before its end. Its number is also that of its
/// group.
struct Hook<'a> {
    pid: Pid,
    running: &'a Running,
    reaper: &'a Reaper,
}

impl<'a> Hook<'a> {
    fn new(pid: Pid, running: &'a Running, reaper: &'a Reaper) -> Self {
        reaper.started(pid);
        running.groups().insert(pid.as_raw_nonzero().get());
        Self { pid, running, reaper }
    }

    /// Kills the group, unless its leader was reaped: the number may be another's then.
    fn kill(&self) {
        if self.reaper.is_there(self.pid) {
            // It fails only if no process is left in the group, which is what we want.
            let _nobody_left = kill_process_group(self.pid, Signal::KILL);
        }
    }
}

impl Drop for Hook<'_> {
    fn drop(&mut self) {
        self.kill();
        self.reaper.forget(self.pid);
        self.running.groups().remove(&self.pid.as_raw_nonzero().get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_neutral_and_always_has_a_path() {
        let canary = |name: &str| {
            let secret =
                name.starts_with("VAULT_") || name.starts_with("BAO_") || name.starts_with("LEASEHOLD_");
            (secret || name == "HOME" || name == "NOTIFY_SOCKET").then(|| OsString::from("canary"))
        };
        let given = environment(canary);
        assert_eq!(given, [("PATH", DEFAULT_PATH.into()), ("HOME", "canary".into())]);
    }
}
