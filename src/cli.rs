//! The command line: one definition for the parser, the help, the reference, man pages and completions.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::commands;
use crate::commands::act::Act;
use crate::commands::args::{
    CheckArgs, ConfigArgs, ConvertArgs, ExecArgs, InitArgs, InstallArgs, LogLevelArgs, PlanArgs, RefreshArgs,
    RenderArgs, StatusArgs,
};
use crate::commands::status::Daemon;
use crate::config;
use crate::config::plan::Target;
use crate::exit::{Cause, Ending};
use crate::observe::{journal, log, stderr};

/// Puts secrets from HashiCorp Vault or OpenBao where an application can read them, and keeps
/// them true.
#[derive(Debug, Parser)]
#[command(name = "leasehold", version, arg_required_else_help = true, after_help = exit_codes())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in, render and publish everything all or nothing, leave the handoff, end.
    Init(InitArgs),
    /// Keep everything renewed and rendered, and notify, until SIGTERM.
    Sidecar(ConfigArgs),
    /// Run a command with secrets in files and environment, as a sidecar would keep them.
    Exec(ExecArgs),
    /// Check configuration and templates offline: all problems at once.
    Check(CheckArgs),
    /// Ask the server what this configuration's login may do: what works, what is denied or missing.
    Plan(PlanArgs),
    /// Print the least policy that this configuration needs, without a server.
    Policy(ConfigArgs),
    /// Ask the running daemon how files and secrets are: exit 0 where all is well, 1 where anything is not; never shows a value.
    Status(StatusArgs),
    /// Have the running daemon poll now what has no end of its own: all of it, or what one file is made of.
    Refresh(RefreshArgs),
    /// Have the running daemon revoke what it minted, and end.
    Quit(ConfigArgs),
    /// Change the level of the running daemon's log, until it reads its configuration again.
    LogLevel(LogLevelArgs),
    /// Print a configuration of Vault Agent, consul-template or envconsul as Leasehold's own.
    Convert(ConvertArgs),
    /// Render one template offline to standard output.
    Render(RenderArgs),
    /// Copy this program, for an image without a shell: an init container puts it where another one runs it.
    Install(InstallArgs),
}

/// The command line as it is parsed: what man pages, completions and the reference are made of.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

fn exit_codes() -> String {
    let line = |cause: Cause| format!("\n  {:>3}  {}", cause.code(), cause.means());
    format!("Exit codes:\n    0  done{}", Cause::ALL.map(line).concat())
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return misused(&error),
    };
    let result = match command {
        Command::Init(args) => commands::init::run(&args),
        Command::Sidecar(args) => commands::sidecar::run(&args),
        Command::Exec(args) => commands::exec::run(&args),
        Command::Check(args) => commands::check::run(&args),
        Command::Plan(args) => commands::plan::run(&args.config, args.format),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Status(args) => status(&args),
        Command::Refresh(args) => act(&args.config, &args.act()),
        Command::Quit(args) => act(&args, &Act::Quit),
        Command::LogLevel(args) => act(&args.config, &args.act()),
        Command::Convert(args) => commands::convert::run(&args.config, args.from_server),
        Command::Render(args) => commands::render::run(&args),
        Command::Install(args) => commands::install::run(&args.to),
    };
    let code = result.unwrap_or_else(|ending| fail(&ending));
    stderr::finish();
    code
}

/// A probe knows two codes only: whatever is wrong, the pod is not ready.
fn status(args: &StatusArgs) -> Result<ExitCode, Ending> {
    let result = daemon(&args.config).and_then(|daemon| match (args.show(), args.watch) {
        (show, true) => commands::status::watch(&daemon, &show),
        (show, false) => commands::status::run(&daemon, &show),
    });
    match result {
        Err(ending) if args.ready || args.live => {
            let _closed = writeln!(std::io::stderr(), "{ending}");
            Ok(ExitCode::FAILURE)
        }
        result => result,
    }
}

fn act(config: &ConfigArgs, act: &Act) -> Result<ExitCode, Ending> {
    daemon(config).and_then(|daemon| commands::act::run(&daemon, act))
}

/// How the daemon of this configuration can be asked.
fn daemon(config: &ConfigArgs) -> Result<Daemon, Ending> {
    let (plan, _notices) = config::load(&config.config, &[]).map_err(|rejected| rejected.ending())?;
    let listen = plan.listen.clone().ok_or_else(|| {
        let what = "the configuration has no `listen`, so the daemon cannot be asked";
        Ending::new(Cause::Config, what, "add listen: 127.0.0.1:9110")
    })?;
    let alone = plan.files.iter().filter_map(|file| match &file.target {
        Target::Alone(path) if !file.target.is_nowhere() => Some(path.clone()),
        _ => None,
    });
    let (alone, set) = (alone.collect(), plan.set_folder().map(Path::to_owned));
    Ok(Daemon { listen, tls: plan.listen_tls, set, alone })
}

/// Help and version are results; anything else wrong with the command line is 64, not clap's 2.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return commands::output::written(printed)
            .map_or_else(|ending| fail(&ending), |()| ExitCode::SUCCESS);
    }
    let (what, rest) = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("no command given".to_owned(), error.to_string())
        }
        _ => taken_apart(&error.to_string()),
    };
    // Whatever standard error says about it, the last line and the code are the contract's.
    if !rest.is_empty() {
        let _closed = writeln!(std::io::stderr(), "{rest}");
    }
    fail(&Ending::new(Cause::Usage, what, remedy(error)))
}

/// What to do about a wrong command line. A configuration without --config is the commonest mistake; otherwise the
/// name that was meant may be known.
fn remedy(error: &clap::Error) -> String {
    let is_config = |word: &&String| {
        let ending = std::path::Path::new(word).extension();
        ending.is_some_and(|ending| ["yaml", "yml", "hcl", "json"].iter().any(|known| ending == *known))
    };
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) => Some(word),
        _ => None,
    };
    if let Some(file) = given.filter(is_config) {
        return format!("write --config {file}");
    }
    // Of several suggestions the last is the nearest.
    let suggested = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg];
    let near = suggested.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word),
        Some(ContextValue::Strings(words)) => words.last(),
        _ => None,
    });
    near.map_or_else(|| "see leasehold --help".to_owned(), |near| format!("did you mean {near}?"))
}

/// What is wrong in one line, which ends what we say, and what goes before it: tips and the usage.
fn taken_apart(text: &str) -> (String, String) {
    let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let what: Vec<&str> = what.trim_start_matches("error: ").lines().map(str::trim).collect();
    let advice = |part: &&str| !part.trim().is_empty() && !part.starts_with("For more information");
    let rest: Vec<&str> = rest.split("\n\n").filter(advice).map(str::trim_end).collect();
    (what.join(" "), rest.join("\n\n"))
}

/// The last line on standard error, and the code that goes with it.
fn fail(ending: &Ending) -> ExitCode {
    let priority = if log::is_journal() { journal::ERROR } else { "" };
    stderr::say(&format!("{priority}{ending}"));
    ending.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a command line, taken apart.
    fn said(arguments: &[&str]) -> (String, String) {
        let arguments = ["leasehold"].iter().chain(arguments);
        let error = Cli::try_parse_from(arguments).expect_err("it is wrong");
        taken_apart(&error.to_string())
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_one_line_and_is_not_said_twice() {
        let (what, rest) = said(&["sidecar", "--confg", "a"]);
        assert_eq!(what, "unexpected argument '--confg' found");
        assert!(
            rest.contains("a similar argument exists: '--config'")
                && rest.contains("Usage: leasehold sidecar"),
            "{rest}"
        );
        assert!(!rest.contains("unexpected") && !rest.contains("For more information"), "{rest}");
    }

    #[test]
    fn what_is_missing_or_not_among_the_values_is_named_in_that_line() {
        let (what, _) = said(&["render"]);
        assert_eq!(what, "the following required arguments were not provided: --template <F>");
        let (what, _) = said(&["init", "--timeout", "0s"]);
        assert_eq!(
            what,
            "invalid value '0s' for '--timeout <DURATION>': too short to log in; use a second or more"
        );
        let (what, _) = said(&["check", "--format", "xml"]);
        assert_eq!(what, "invalid value 'xml' for '--format <FORMAT>' [possible values: text, json]");
    }
}
