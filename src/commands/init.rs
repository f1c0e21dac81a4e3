//! `leasehold init`: everything rendered and published all or nothing, then the end.

use std::process::ExitCode;

use super::{dry_run, run};
use crate::commands::args::InitArgs;
use crate::config::plan::{Notifier, Plan};
use crate::core::policy::Mode;
use crate::exit::Ending;

/// Runs it.
///
/// # Errors
/// By the table of exit codes.
pub fn run(args: &InitArgs) -> Result<ExitCode, Ending> {
    if args.dry_run {
        return dry_run::run(args);
    }
    run::run(&args.config, |plan| {
        left_out(plan);
        Ok((Mode::Init { timeout: args.timeout.unwrap_or(plan.init_timeout) }, None))
    })
}

/// Warns of the commands that init leaves out: one that makes a keystore of the files, or gives them an owner, would
/// be missed.
fn left_out(plan: &Plan) {
    let is_left_out = |how: &Notifier, said: bool| matches!(how, Notifier::Command { .. }) && !said;
    for notifier in plan.notifiers.iter().filter(|one| is_left_out(&one.how, one.on_init.is_some())) {
        tracing::warn!(
            "init does not run the command of `notify.{}`; if the application needs it before its start, write \
             `on_init: true` beside it, or `exit_after_auth = true` in a configuration of Vault Agent; otherwise \
             `on_init: false`",
            notifier.name
        );
    }
}
