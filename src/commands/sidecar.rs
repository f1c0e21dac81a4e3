//! `leasehold sidecar`: everything kept renewed and rendered until SIGTERM.

use std::process::ExitCode;

use super::engine;
use crate::cli::ConfigArgs;
use crate::core::policy::Mode;
use crate::exit::Ending;

/// Runs it.
///
/// # Errors
/// By the table of exit codes.
pub fn run(args: &ConfigArgs) -> Result<ExitCode, Ending> {
    engine::run(args, |_| Ok((Mode::Daemon, None)))
}
