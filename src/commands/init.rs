//! `leasehold init`: everything rendered and published all or nothing, then the end.

use std::process::ExitCode;

use super::engine;
use crate::cli::InitArgs;
use crate::core::policy::Mode;
use crate::exit::Ending;

/// Runs it.
///
/// # Errors
/// By the table of exit codes.
pub fn run(args: &InitArgs) -> Result<ExitCode, Ending> {
    engine::run(&args.config, |plan| {
        Ok((Mode::Init { timeout: args.timeout.unwrap_or(plan.init_timeout) }, None))
    })
}
