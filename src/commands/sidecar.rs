//! `leasehold sidecar`: everything kept renewed and rendered until SIGTERM.

use std::process::ExitCode;

use super::run;
use crate::commands::args::ConfigArgs;
use crate::core::policy::Mode;
use crate::exit::Ending;

/// Runs it.
///
/// # Errors
/// By the table of exit codes.
pub fn run(args: &ConfigArgs) -> Result<ExitCode, Ending> {
    run::run(args, |_| Ok((Mode::Daemon, None)))
}
