//! The command line: one definition for the parser, the help, the reference, man pages and completions.

mod habits;
mod misused;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::commands;
use crate::commands::act::Act;
use crate::commands::args::{
    CheckArgs, CompletionsArgs, ConfigArgs, ConvertArgs, ExecArgs, InitArgs, InstallArgs, LogLevelArgs,
    NewArgs, PlanArgs, PolicyArgs, RefreshArgs, RenderArgs, StatusArgs,
};
use crate::commands::status::Daemon;
use crate::commands::{completions, examples};
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
    /// Log in, render and publish all files or none, leave the handoff, and end.
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Keep everything renewed and rendered, and notify, until SIGTERM.
    #[command(after_help = examples::SIDECAR)]
    Sidecar(ConfigArgs),
    /// Run a command with secrets in its files and its environment, and keep them up to date as a sidecar does.
    #[command(after_help = examples::EXEC)]
    Exec(ExecArgs),
    /// Check configuration and templates offline, and report all problems at once.
    #[command(after_help = examples::CHECK)]
    Check(CheckArgs),
    /// Ask the server what this configuration's login may do: what works, what is denied or missing.
    #[command(after_help = examples::PLAN)]
    Plan(PlanArgs),
    /// Print the least policy that this configuration needs, without a server.
    #[command(after_help = examples::POLICY)]
    Policy(PolicyArgs),
    /// Show how the running daemon's files and secrets are, never a value. Exit 0 if all is well, and 1 if something is not.
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Make the running daemon poll now: every secret without a lease, or those of one file.
    #[command(after_help = examples::REFRESH)]
    Refresh(RefreshArgs),
    /// Make the running daemon revoke what it minted, and end.
    #[command(after_help = examples::QUIT)]
    Quit(ConfigArgs),
    /// Change the level of the running daemon's log, until it reads its configuration again.
    #[command(after_help = examples::LOG_LEVEL)]
    LogLevel(LogLevelArgs),
    /// Print a configuration of Vault Agent, consul-template or envconsul as Leasehold's own.
    #[command(after_help = examples::CONVERT)]
    Convert(ConvertArgs),
    /// Render one template offline to standard output.
    #[command(after_help = examples::RENDER)]
    Render(RenderArgs),
    /// Copy this program, for an image without a shell: an init container puts the copy where another container
    /// runs it.
    #[command(after_help = examples::INSTALL)]
    Install(InstallArgs),
    /// Write a configuration, its policy, and a unit or a pod. It asks for what the flags leave out.
    #[command(after_help = examples::NEW)]
    New(NewArgs),
    /// Show every part of it on a development server that it starts. It needs bao or vault on the path.
    #[command(after_help = examples::DEMO)]
    Demo,
    /// Print the completions of a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
}

/// Returns the command line as it is parsed: what man pages, completions and the reference are made of.
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
    let words: Vec<OsString> = words(std::env::args_os().skip(1)).collect();
    let command = match parsed(&words) {
        Ok(cli) => cli.command,
        Err(error) => return misused(&error, &words),
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
        Command::Convert(args) => commands::convert::run(&args),
        Command::Render(args) => commands::render::run(&args),
        Command::Install(args) => commands::install::run(&args.to),
        Command::New(args) => commands::new::run(&args),
        Command::Demo => commands::demo::run(),
        Command::Completions(args) => complete(args.shell),
    };
    let code = result.unwrap_or_else(|ending| fail(&ending));
    stderr::finish();
    code
}

/// Returns the command line, if it is one or means one.
fn parsed(words: &[OsString]) -> Result<Cli, clap::Error> {
    let parse = |words: &[OsString]| Cli::try_parse_from([OsString::from("leasehold")].iter().chain(words));
    parse(words).or_else(|error| habits::meant(words).map_or(Err(error), |words| parse(&words)))
}

/// Returns the words of a command line. Vault's own programs take `-config`, which would be read as `-c onfig`; the
/// same holds for `-output`.
fn words(given: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut is_ours = true;
    let begins = |word: &OsStr| {
        ["-config", "-output"].iter().any(|flag| word.as_encoded_bytes().starts_with(flag.as_bytes()))
    };
    given.map(move |word| {
        is_ours &= word != "--";
        match is_ours && begins(&word) {
            true => [OsStr::new("-"), &word].into_iter().collect(),
            false => word,
        }
    })
}

/// Runs `status`. A probe knows two codes only: whatever is wrong, the pod is not ready.
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

fn complete(shell: completions::Shell) -> Result<ExitCode, Ending> {
    let script = completions::script(shell, &definition());
    commands::output::write_out(&mut std::io::stdout().lock(), script.as_bytes()).map(|()| ExitCode::SUCCESS)
}

fn act(config: &ConfigArgs, act: &Act) -> Result<ExitCode, Ending> {
    daemon(config).and_then(|daemon| commands::act::run(&daemon, act))
}

/// Returns how the daemon of this configuration can be reached.
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

/// Reports a wrong command line. Help and version are results. Everything else ends with 64, not with clap's 2.
fn misused(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return commands::output::written(printed)
            .map_or_else(|ending| fail(&ending), |()| ExitCode::SUCCESS);
    }
    fail(&misused::ending(error, words))
}

/// Writes the last line on standard error, and returns the code that goes with it.
fn fail(ending: &Ending) -> ExitCode {
    let priority = if log::is_journal() { journal::ERROR } else { "" };
    stderr::say(&format!("{priority}{ending}"));
    ending.exit_code()
}
