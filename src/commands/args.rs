//! The arguments of each command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::commands::act::Act;
use crate::commands::check::Shape;
use crate::commands::completions::Shell;
use crate::commands::new::{Method, Platform};
use crate::commands::render::Missing;
use crate::commands::status::Show;
use crate::config;

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// A configuration file, a folder of .hcl and .json files, or `-` for standard input; later ones override.
    /// Otherwise LEASEHOLD_CONFIG (a path), LEASEHOLD_CONFIG_YAML (the text), or /etc/leasehold/leasehold.yaml.
    #[arg(short = 'c', long = "config", value_name = "F")]
    pub config: Vec<PathBuf>,
}

/// `leasehold policy`
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print what a backend of a cloud needs, instead of Vault: a policy of IAM in JSON for AWS, commands for Azure
    /// and Google.
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// `leasehold init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The longest time that all of it may take; overrides `init.timeout` (2m).
    #[arg(long, value_name = "DURATION", value_parser = config::deadline)]
    pub timeout: Option<Duration>,
    /// Render everything, say for each file whether it would be new, changed or removed, and change nothing. Leases that
    /// are made for that are revoked.
    #[arg(long)]
    pub dry_run: bool,
}

/// `leasehold exec`
#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The command and its arguments, without a shell; overrides `exec.command`.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `leasehold check`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Configurations to check one by one, each by itself; of a folder every .yaml, .yml, .hcl and .json file in it
    /// and below it.
    #[arg(value_name = "F", conflicts_with = "config")]
    pub each: Vec<PathBuf>,
    /// Leasehold is to run on another machine, so files and names that this machine lacks are no errors.
    #[arg(long)]
    pub elsewhere: bool,
    /// Warnings are errors.
    #[arg(long)]
    pub strict: bool,
    /// The shape of the report.
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub format: Shape,
}

/// `leasehold plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The shape of the report.
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub format: Shape,
}

/// `leasehold refresh`
#[derive(Debug, Clone, Args)]
pub struct RefreshArgs {
    /// The file, by its name in the configuration. Without it, all of them.
    #[arg(value_name = "FILE", conflicts_with = "path")]
    pub file: Option<String>,
    /// A secret by its path, in place of a file.
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl RefreshArgs {
    pub(crate) fn act(&self) -> Act {
        match (&self.file, &self.path) {
            (Some(file), _) => Act::RefreshFile(file.clone()),
            (None, Some(path)) => Act::RefreshPath(path.clone()),
            (None, None) => Act::Refresh,
        }
    }
}

/// `leasehold log-level`
#[derive(Debug, Clone, Args)]
pub struct LogLevelArgs {
    /// The least level that is shown.
    #[arg(value_name = "LEVEL", value_parser = PossibleValuesParser::new(LEVELS))]
    pub level: String,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl LogLevelArgs {
    pub(crate) fn act(&self) -> Act {
        // The parser has let nothing else through.
        Act::LogLevel(self.level.parse().unwrap_or(tracing::Level::INFO))
    }
}

/// The levels of the log.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// `leasehold status`
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Show only this file, secret (by its id or path), backend or notifier.
    #[arg(value_name = "NAME", conflicts_with_all = ["json", "ready", "live"])]
    pub name: Option<String>,
    /// Where the configuration comes from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Say why the file NAME, or each file that is not as it should be, is so: the first broken link from the server to the notifier.
    #[arg(long, conflicts_with_all = ["json", "ready", "live"])]
    pub explain: bool,
    /// Print JSON, as `GET /status` gives it.
    #[arg(long, conflicts_with_all = ["ready", "live"])]
    pub json: bool,
    /// Show it again every two seconds.
    #[arg(long, conflicts_with_all = ["ready", "live"])]
    pub watch: bool,
    /// Print one line, and exit 0 (every file published and unexpired) or 1: a startup probe.
    #[arg(long, conflicts_with = "live")]
    pub ready: bool,
    /// Print one line, and exit 0 (the daemon answers) or 1.
    #[arg(long)]
    pub live: bool,
}

impl StatusArgs {
    pub(crate) fn show(&self) -> Show {
        match (self.ready, self.live, self.json) {
            (true, _, _) => Show::Ready,
            (_, true, _) => Show::Live,
            (_, _, true) => Show::Json,
            _ if self.explain => Show::Explained(self.name.clone()),
            _ => self.name.clone().map_or(Show::Table, Show::Named),
        }
    }
}

/// `leasehold convert`
#[derive(Debug, Clone, Args)]
pub struct ConvertArgs {
    /// The other program's configuration files or folders, taken together; `-` for standard input.
    #[arg(value_name = "F", required = true)]
    pub config: Vec<PathBuf>,
    /// Convert each file by itself to a file of its name in DIR, and report what all of them lose. Of a folder,
    /// each .hcl and .json file in it and below it is converted. No file that is there is replaced.
    #[arg(short = 'o', long = "output", value_name = "DIR", conflicts_with = "from_server")]
    pub output: Option<PathBuf>,
    /// Log in, and name each key of the secrets of which envconsul takes every key.
    #[arg(long)]
    pub from_server: bool,
}

/// `leasehold render`
#[derive(Debug, Clone, Args)]
pub struct RenderArgs {
    /// The template, `-` for standard input.
    #[arg(long, value_name = "F")]
    pub template: PathBuf,
    /// The JSON that becomes `.`. Without it, `.` is nil.
    #[arg(long, value_name = "F")]
    pub data: Option<PathBuf>,
    /// The secrets, as YAML or JSON: a map from a path (and any arguments, each after one space) to what the server
    /// would answer.
    #[arg(long, value_name = "F")]
    pub secrets: Option<PathBuf>,
    /// What a missing key renders as.
    #[arg(long, value_enum, default_value_t = Missing::Error)]
    pub missing_key: Missing,
    /// Opens an action instead of `{{`.
    #[arg(long, value_name = "X", default_value = "{{")]
    pub left_delimiter: String,
    /// Closes an action instead of `}}`.
    #[arg(long, value_name = "X", default_value = "}}")]
    pub right_delimiter: String,
}

/// `leasehold install`
#[derive(Debug, Clone, Args)]
pub struct InstallArgs {
    /// The copy's path, or a folder that is there.
    #[arg(value_name = "PATH")]
    pub to: PathBuf,
}

/// `leasehold completions`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// `leasehold new`
#[derive(Debug, Clone, Args)]
pub struct NewArgs {
    /// The application: a unit NAME.service, or a pod of that name.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where it runs.
    #[arg(long = "for", value_name = "PLACE", value_enum)]
    pub place: Option<Platform>,
    /// The server's URL. Without it, you are asked; without a terminal, it is BAO_ADDR or VAULT_ADDR.
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// A PEM file with the server's authority, if that is not one of the system's.
    #[arg(long, value_name = "F")]
    pub ca_file: Option<PathBuf>,
    /// How to log in. Without it, you are asked; without a terminal, it is approle on a machine and kubernetes in a pod.
    #[arg(long, value_name = "METHOD", value_enum)]
    pub method: Option<Method>,
    /// The role of the login. Without it, the role is NAME.
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// A secret: PATH#KEY or FILE=PATH#KEY. Without #KEY, all of the secret as JSON. Repeat it for several secrets.
    #[arg(long = "secret", value_name = "SECRET")]
    pub secrets: Vec<String>,
    /// The folder that the files are written to.
    #[arg(short = 'o', long = "output", value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
}
