//! `leasehold plan`: what a login may do of what a configuration wants, before anything runs.

mod report;

use std::io;
use std::process::ExitCode;

use super::check::Shape;
use super::environment;
use super::output::write_out;
use super::run;
use crate::access::survey::{Finding, State, survey};
use crate::access::{stores, wants};
use crate::commands::args::ConfigArgs;
use crate::config::plan::{AuthMethod, LogFormat, LogPlan};
use crate::exit::{Cause, Ending};
use crate::observe::log;
use crate::sandbox;
use leasehold_base::failure::FailureKind;

/// Logs in, asks, revokes the login, and reports on standard output. It mints no lease and writes nothing.
///
/// # Errors
/// 77 if something is denied, or the login is refused; 66 if something is not there; 69 if the server is away; 78
/// if the configuration is not good; 73 if standard output cannot be written.
pub fn run(args: &ConfigArgs, shape: Shape) -> Result<ExitCode, Ending> {
    let (plan, notices) = run::load(args)?;
    // The log is for the person who runs the command, and not for what collects the daemon's log. Starting it fails
    // only if a log was started before, and then there is one.
    let _log = log::start(LogPlan { format: LogFormat::Text, ..plan.log });
    run::warn(&notices);
    run::has_credentials(&plan)?;
    sandbox::close_memory();
    let wants = wants::of(&plan);
    let environment = environment::of_this_process();
    let look = async {
        // Without a Vault, there is no server to log in to.
        let mut findings = match plan.auth.method {
            AuthMethod::None => Vec::new(),
            _ => survey(&plan, &wants, &environment.variables).await?,
        };
        findings.extend(stores::survey(&plan, &wants, &environment.variables).await);
        Ok::<_, Ending>(findings)
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(run::no_runtime)?;
    let result = tokio::task::LocalSet::new().block_on(&runtime, look);
    runtime.shutdown_background();
    let findings = result?;
    write_out(&mut io::stdout().lock(), report::text(&findings, &wants.unknown, shape).as_bytes())?;
    verdict(&findings).map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Returns what is wrong first: denials before what is missing.
fn verdict(findings: &[Finding]) -> Option<Ending> {
    let vital = || findings.iter().filter(|finding| finding.vital);
    let denied = vital().filter(|finding| finding.state == State::Denied).collect::<Vec<_>>();
    if let Some(first) = denied.first() {
        let what = match denied.len() {
            1 => format!("{} is denied", first.rules[0].path),
            all => format!("{} is denied, and {} more", first.rules[0].path, all - 1),
        };
        return Some(Ending::new(
            Cause::Denied,
            what,
            "grant the lines above to the role, or correct the path",
        ));
    }
    vital().find_map(|finding| match &finding.state {
        State::Refused(why) => {
            let what = format!("{}: {why}", finding.rules[0].path);
            let hint = why.hint(match why.kind {
                FailureKind::Denied => {
                    "grant the identity that reads it access to this secret, or correct the path"
                }
                _ => "give the process the credentials of the store, or correct them",
            });
            Some(Ending::new(Cause::Denied, what, hint))
        }
        State::Missing(why) => {
            let what = format!("{}: {why}", finding.rules[0].path);
            Some(Ending::new(Cause::Missing, what, why.hint("create it, or correct the path")))
        }
        State::Away(why) => {
            let what = format!("{}: {why}", finding.rules[0].path);
            let hint = why.hint("check the store's address, and the way to it");
            Some(Ending::new(Cause::Unavailable, what, hint))
        }
        State::Works | State::Denied => None,
    })
}
