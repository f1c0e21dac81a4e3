//! The command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::offline::{self, Failure};
use crate::settings;
use crate::sync;
use crate::webhook::{self as server, Flags, Options};

/// Injects Leasehold into annotated pods of Kubernetes, and keeps Secrets as they are defined.
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
   69  the webhook cannot be served, or nothing can be synced
   73  the result cannot be written
   78  the settings are wrong";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the objects of a file with Leasehold injected into their annotated pods; no cluster is asked.
    Inject(FileArgs),
    /// Check the annotations of the pods in a file.
    Check(FileArgs),
    /// Convert what other operators and annotations define, in many manifests, and report.
    ///
    /// SecretDefinition, ExternalSecret, VaultStaticSecret, VaultDynamicSecret and VaultPKISecret are printed as SyncedSecrets. Of
    /// annotated pods the configurations of Leasehold are written to a folder.
    Convert(offline::convert::ConvertArgs),
    /// Serve the mutating webhook that injects Leasehold into pods as they are made.
    Webhook(WebhookArgs),
    /// Serve it as the Deployment of vault-k8s starts it: with that injector's flags and variables.
    AgentInject(InjectorArgs),
    /// Keep Secrets as SecretDefinitions and SyncedSecrets define them: secrets-manager's flags, with one dash or two.
    ///
    /// The flags and what each does are in docs/guides/from-secrets-manager.md.
    #[command(disable_help_flag = true)]
    Sync {
        /// Flags of Go's form, such as -vault.url=https://vault:8200
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
    /// Print the CustomResourceDefinitions of what `sync` keeps, for `kubectl apply -f -`.
    Crds,
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

/// `leasehold-kubernetes agent-inject`
#[derive(Debug, Clone, Args)]
pub struct InjectorArgs {
    /// Where health and metrics are served without TLS; otherwise :9110.
    #[arg(long, value_name = "ADDRESS")]
    pub plain: Option<String>,
    /// Flags of vault-k8s' injector, in Go's form. A variable AGENT_INJECT_… wins, as it does there.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAG")]
    pub flags: Vec<String>,
}

/// Returns the command line as it is parsed. The reference is made of it.
#[must_use]
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    // The image of secrets-manager is swapped, and its arguments are kept.
    if given.first().is_some_and(|first| sync::are_meant(first)) {
        return end(sync(&given));
    }
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
        Command::Convert(args) => offline::convert::run(&args),
        Command::Webhook(args) => webhook(&args),
        Command::AgentInject(args) => agent_inject(args),
        Command::Sync { flags } => sync(&flags),
        Command::Crds => crds(),
    };
    end(result)
}

fn end(result: Result<(), Failure>) -> ExitCode {
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
    serve(&flags, args.settings.as_deref(), &|name| std::env::var(name).ok())
}

/// Runs the webhook behind the command line of vault-k8s.
fn agent_inject(args: InjectorArgs) -> Result<(), Failure> {
    let mut said = settings::flags(&args.flags).map_err(Failure::Usage)?;
    said.entry("AGENT_INJECT_LISTEN".to_owned()).or_insert_with(|| ":8080".to_owned());
    let variable = |name: &str| {
        let own = std::env::var(name).ok().filter(|text| !text.is_empty());
        own.or_else(|| said.get(name).cloned())
    };
    serve(&Flags { plain: args.plain, ..Flags::default() }, None, &variable)
}

fn serve(
    flags: &Flags,
    file: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let options = Options::resolve(flags, variable).map_err(Failure::Settings)?;
    let settings = offline::settings_of(file, variable)?;
    server::run(&options, settings).map_err(Failure::Unavailable)
}

fn sync(args: &[String]) -> Result<(), Failure> {
    let flags = sync::Flags::read(args).map_err(Failure::Usage)?;
    if flags.is_on("version") {
        let _closed =
            writeln!(std::io::stdout(), "Secrets Manager {} (leasehold)", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let options =
        sync::Options::resolve(&flags, &|name| std::env::var(name).ok()).map_err(Failure::Settings)?;
    sync::run(&options).map_err(Failure::Unavailable)
}

fn crds() -> Result<(), Failure> {
    let written = std::io::stdout().write_all(sync::CRDS.as_bytes());
    written.map_err(|error| Failure::Unwritable(format!("cannot write to standard output: {error}")))
}
