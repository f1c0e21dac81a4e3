//! The command line.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::offline::{self, Failure};
use crate::webhook::{self as server, Flags, Options};

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
   69  the webhook cannot be served
   73  the result cannot be written
   78  the settings are wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the objects of a file with Leasehold injected into their annotated pods; no cluster is asked.
    Inject(FileArgs),
    /// Check the annotations of the pods in a file.
    Check(FileArgs),
    /// Serve the mutating webhook that injects Leasehold into pods as they are made.
    Webhook(WebhookArgs),
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

/// `leasehold-kubernetes webhook`
#[derive(Debug, Clone, Args)]
pub struct WebhookArgs {
    /// Where the webhook is served; otherwise AGENT_INJECT_LISTEN, or :8443.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Where health and metrics are served without TLS; otherwise :9110.
    #[arg(long, value_name = "ADDRESS")]
    pub plain: Option<String>,
    /// The certificate, PEM; otherwise AGENT_INJECT_TLS_CERT_FILE. It is read again when it changes.
    #[arg(long, value_name = "F")]
    pub tls_cert_file: Option<PathBuf>,
    /// Its key, PEM; otherwise AGENT_INJECT_TLS_KEY_FILE.
    #[arg(long, value_name = "F")]
    pub tls_key_file: Option<PathBuf>,
    /// The MutatingWebhookConfiguration whose CA bundle is kept, with certificates of the webhook's own; otherwise
    /// AGENT_INJECT_TLS_AUTO. Certificate files win.
    #[arg(long, value_name = "NAME")]
    pub tls_auto: Option<String>,
    /// How long a certificate of the webhook's own lives; otherwise 24h. It is replaced after two thirds.
    #[arg(long, value_name = "DURATION")]
    pub certificate_life: Option<String>,
    /// How long their authority lives; otherwise 365d. It is replaced after two thirds.
    #[arg(long, value_name = "DURATION")]
    pub authority_life: Option<String>,
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
        Command::Webhook(args) => webhook(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _closed = writeln!(std::io::stderr(), "leasehold-kubernetes: {}", failure.words());
            ExitCode::from(failure.code())
        }
    }
}

fn webhook(args: &WebhookArgs) -> Result<(), Failure> {
    let flags = Flags {
        listen: args.listen.clone(),
        plain: args.plain.clone(),
        cert_file: args.tls_cert_file.clone(),
        key_file: args.tls_key_file.clone(),
        registration: args.tls_auto.clone(),
        certificate_life: args.certificate_life.clone(),
        authority_life: args.authority_life.clone(),
    };
    let options = Options::resolve(&flags, &|name| std::env::var(name).ok()).map_err(Failure::Settings)?;
    let settings = offline::settings(args.settings.as_deref())?;
    server::run(&options, settings).map_err(Failure::Unavailable)
}
