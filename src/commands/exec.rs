//! `leasehold exec`: a sidecar that is the parent of the application.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use super::run;
use crate::commands::args::ExecArgs;
use crate::config::plan::Plan;
use crate::config::references;
use crate::core::policy::Mode;
use crate::driver::Parent;
use crate::exit::{Cause, Ending};
use crate::process::child::{self, ChildCommand};
use crate::process::kernel;
use crate::process::signals::{self, Held};

/// The variables that the process never gets: tokens, and what a service manager says to Leasehold and not to the
/// process.
const OURS: [&str; 5] = ["VAULT_TOKEN", "BAO_TOKEN", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];
/// Our own settings, the whole configuration among them.
const OUR_PREFIX: &[u8] = b"LEASEHOLD_";

/// Runs the process of `exec`.
///
/// # Errors
/// By the table of exit codes, and 127 or 126 if the command cannot be run. Once it has run, there is no error: the
/// code is its own.
pub fn run(args: &ExecArgs) -> Result<ExitCode, Ending> {
    // Before anything else: what comes from now on waits for the process, or ends us in order.
    let held =
        signals::hold(child::is_on_terminal()).map_err(|why| kernel::refused("rt_sigprocmask", &why))?;
    run::run(&args.config, |plan| {
        let parent = parent(plan, &args.command, held)?;
        Ok((Mode::Exec { timeout: plan.init_timeout }, Some(parent)))
    })
}

/// Returns the process's command and environment, of which a part may have to be rendered first.
fn parent(plan: &mut Plan, command: &[OsString], held: Held) -> Result<Parent, Ending> {
    let command = if command.is_empty() { plan.exec.command.clone() } else { command.to_vec() };
    let inherited = inherited(std::env::vars_os(), &plan.exec.withheld);
    // A command that is not there must not cost a login. With a rendered PATH it is found later.
    if !plan.exec.env.iter().any(|variable| variable.name == "PATH") {
        let path = inherited.iter().find(|(name, _)| name == "PATH");
        child::find(&command, path.map(|(_, value)| value.as_os_str()))?;
    }
    resolve(plan, &inherited)?;
    let blueprint = ChildCommand {
        command,
        mask: held.found,
        stop_signal: plan.exec.stop_signal,
        stop_timeout: plan.exec.stop_timeout,
    };
    Ok(Parent { blueprint, inherited, held })
}

/// Returns what the process inherits of our environment.
fn inherited(
    all: impl Iterator<Item = (OsString, OsString)>,
    withheld: &[String],
) -> Vec<(OsString, OsString)> {
    let ours = |name: &OsStr| {
        OURS.iter().any(|one| name == *one)
            || withheld.iter().any(|one| name == one.as_str())
            || name.as_encoded_bytes().starts_with(OUR_PREFIX)
    };
    all.filter(|(name, _)| !ours(name)).collect()
}

/// Adds the variables that ask for a secret by their value, if the configuration wants that. Those of the
/// configuration win.
fn resolve(plan: &mut Plan, inherited: &[(OsString, OsString)]) -> Result<(), Ending> {
    let Some(refresh) = plan.exec.resolve_env else { return Ok(()) };
    for (name, value) in inherited {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        if plan.exec.env.iter().any(|variable| variable.name == name && variable.spread.is_none()) {
            continue;
        }
        let found = references::variable(name, value, refresh).map_err(|bad| {
            let what = format!("the variable {name} of the environment: {bad}");
            Ending::new(Cause::Config, what, "write it like vault:secret/web#api_key")
        })?;
        plan.exec.env.extend(found);
    }
    plan.exec.env.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_not_inherited() {
        let names = [
            "PATH",
            "VAULT_TOKEN",
            "BAO_TOKEN",
            "LEASEHOLD_CONFIG_YAML",
            "MY_TOKEN",
            "NOTIFY_SOCKET",
            "VAULT_ADDR",
            "LEASEHOLDER",
        ];
        let all = names.iter().map(|name| (OsString::from(name), OsString::from("value")));
        let left: Vec<OsString> =
            inherited(all, &["MY_TOKEN".to_owned()]).into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["PATH", "VAULT_ADDR", "LEASEHOLDER"]);
    }
}
