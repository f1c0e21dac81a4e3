//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::offline;

/// Injects Leasehold into annotated pods of Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "leasehold-kubernetes", version, arg_required_else_help = true, after_help = CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const CODES: &str = "Exit codes:
    0  done
   64  the command line
   65  a pod is refused, or the input is no YAML
   66  a file cannot be read
   73  the result cannot be written
   78  the settings are wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the objects of a file with Leasehold injected into their annotated pods; no cluster is asked.
    Inject(FileArgs),
    /// Check the annotations of the pods in a file.
    Check(FileArgs),
}

/// `leasehold-kubernetes inject` and `check`
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// Pods, Deployments, StatefulSets, DaemonSets, Jobs and CronJobs, as YAML or JSON; `-` for standard input.
    #[arg(short, long = "filename", value_name = "F")]
    pub file: PathBuf,
    /// The operator's settings, YAML; laid upon AGENT_INJECT_ variables.
    #[arg(long, value_name = "F")]
    pub settings: Option<PathBuf>,
}

/// The command line as it is parsed: what the reference is made of.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _closed = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Inject(args) => offline::run(&args.file, args.settings.as_deref(), false),
        Command::Check(args) => offline::run(&args.file, args.settings.as_deref(), true),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _closed = writeln!(std::io::stderr(), "leasehold-kubernetes: {}", failure.words());
            ExitCode::from(failure.code())
        }
    }
}
