//! The configuration as the house sees it: resolved, valid, immutable.
//!
//! Everything here has been checked: paths are clean, durations positive, notifiers exist,
//! templates parse. Nothing downstream asks again.

mod exec;
mod files;
mod notify;
mod origin;
mod source;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::exec::{ExecPlan, Spread, VariablePlan};
pub use self::files::{FilePlan, Target};
pub use self::notify::{Notifier, NotifierPlan, ProcessTarget};
pub use self::origin::{Anchor, Origin};
pub use self::source::{FileSource, MissingKey, Part, Source, TemplateSource, VariableSource};
pub use super::writes::WriteRules;
pub use leasehold_core::policy::{OnChange, OnInit, ShutdownPlan, Wait};
pub use leasehold_settings::vault::{AuthMethod, AuthPlan, ClientCert, Credential, RateLimit, VaultPlan};

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server and how to reach it.
    pub vault: VaultPlan,
    /// The login.
    pub auth: AuthPlan,
    /// The stores that are no Vault, by name. An index into this is a `StoreId`.
    pub stores: Vec<leasehold_settings::stores::Settings>,
    /// The folder of the set of relative files. It is there if any file is relative.
    pub secrets_dir: Option<PathBuf>,
    /// The mode of generation folders.
    pub dir_mode: u32,
    /// True if `secrets_dir`, the handoff and the folders of absolute files must be tmpfs or ramfs.
    pub require_tmpfs: bool,
    /// The files, in the order of the configuration. An index into this is a `FileId`.
    pub files: Vec<FilePlan>,
    /// The places where templates may write beside their own file.
    pub writes: WriteRules,
    /// The notifiers, sorted by name. An index into this is a `NotifierId`.
    pub notifiers: Vec<NotifierPlan>,
    /// The process of `leasehold exec`.
    pub exec: ExecPlan,
    /// The longest time that `init` may take.
    pub init_timeout: Duration,
    /// The file that init leaves for the sidecar.
    pub handoff: Option<PathBuf>,
    /// The end of a run.
    pub shutdown: ShutdownPlan,
    /// The address that serves status, readiness and metrics.
    pub listen: Option<Listen>,
    /// The certificates of the listener, which has a TCP address then.
    pub listen_tls: Option<ListenTls>,
    /// How far the process fences itself in.
    pub sandbox: Sandbox,
    /// The level and the format of the log.
    pub log: LogPlan,
    /// SHA-256 over what a handoff depends on (`vault`, `auth`, `files`). It is the same for versions of the text
    /// that mean the same.
    pub digest: [u8; 32],
    /// The variables and flags that are in force in place of a text's value, each with the key that it sets.
    pub overrides: Vec<String>,
}

impl Plan {
    /// Returns the folder of the set, if any file is a member of it.
    #[must_use]
    pub fn set_folder(&self) -> Option<&Path> {
        let any = self.files.iter().any(|file| matches!(file.target, Target::Member(_)));
        self.secrets_dir.as_deref().filter(|_| any)
    }

    /// Returns the store that `path` is read in; `None` for the Vault's.
    #[must_use]
    pub fn store_of(&self, path: &str) -> Option<&leasehold_settings::stores::Settings> {
        let first = path.split('/').next().unwrap_or_default();
        self.stores.iter().find(|store| store.name == first)
    }
}

/// An address that serves status, readiness and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(std::net::SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// TLS for a listener. The files may change at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// The certificate chain.
    pub cert_file: PathBuf,
    /// The certificate's key.
    pub key_file: PathBuf,
    /// The authorities of clients. With them, a client from elsewhere needs a certificate, and a client on loopback
    /// does not.
    pub client_ca_file: Option<PathBuf>,
}

/// How far the process gives up what it does not need, before it logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    #[default]
    /// As far as the kernel allows, with a warning that names what is missing. Not at all if a notifier runs a
    /// command, which would inherit it.
    Auto,
    /// Not at all.
    Off,
    /// Completely, or the process does not start. No notifier runs a command.
    Required,
}

/// The level and the format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlan {
    /// The least level that is shown.
    pub level: tracing::Level,
    /// The shape of a line.
    pub format: LogFormat,
}

impl Default for LogPlan {
    fn default() -> Self {
        Self { level: tracing::Level::INFO, format: LogFormat::default() }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, and JSON otherwise.
    #[default]
    Auto,
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}
