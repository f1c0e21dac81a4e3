//! The configuration as the house sees it: resolved, valid, immutable.
//!
//! Everything here has been checked: paths are clean, durations positive, notifiers exist,
//! templates parse. Nothing downstream asks again.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use super::writes::WriteRules;
use crate::secret::Secret;
use crate::template::Template;
use crate::vault::request::Request;

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server and how to reach it.
    pub vault: VaultPlan,
    /// How to log in.
    pub auth: AuthPlan,
    /// Where the set of relative files goes; there whenever a relative file is.
    pub secrets_dir: Option<PathBuf>,
    /// Mode of generation folders.
    pub dir_mode: u32,
    /// Whether `secrets_dir`, the handoff and the folders of absolute files must be tmpfs or ramfs.
    pub require_tmpfs: bool,
    /// The files, in the order of the configuration. An index into this is a `FileId`.
    pub files: Vec<FilePlan>,
    /// Where templates may write beside their own file.
    pub writes: WriteRules,
    /// The notifiers, sorted by name. An index into this is a `NotifierId`.
    pub notifiers: Vec<NotifierPlan>,
    /// The process of `leasehold exec`.
    pub exec: ExecPlan,
    /// How long `init` may take altogether.
    pub init_timeout: Duration,
    /// What init leaves for the sidecar, and where.
    pub handoff: Option<PathBuf>,
    /// How to stop.
    pub shutdown: ShutdownPlan,
    /// Where status, readiness and metrics are served.
    pub listen: Option<Listen>,
    /// Whether the process fences itself in.
    pub sandbox: Sandbox,
    /// What is logged, and how.
    pub log: LogPlan,
    /// SHA-256 over what a handoff depends on (`vault`, `auth`, `files`), stable across versions
    /// of the text that mean the same.
    pub digest: [u8; 32],
}

/// The server and how to reach it.
#[derive(Debug, Clone, PartialEq)]
pub struct VaultPlan {
    /// `https://host:port`, without a path's trailing slash; a path before `/v1` is kept.
    pub address: url::Url,
    /// The namespace header of every request.
    pub namespace: Option<String>,
    /// PEM file with the only authorities to trust; the system's where neither this nor a folder
    /// is given.
    pub ca_file: Option<PathBuf>,
    /// Folder of such PEM files.
    pub ca_dir: Option<PathBuf>,
    /// Client certificate and key, PEM.
    pub client_cert: Option<ClientCert>,
    /// The name to expect in the server's certificate, where it is not the address's host.
    pub server_name: Option<String>,
    /// Hosts, besides our own, that a redirect may lead to: `host` or `host:port`.
    pub redirect_hosts: Vec<String>,
    /// The only proxy used; the environment's are not.
    pub proxy: Option<url::Url>,
    /// For a whole request, from connecting to the last byte.
    pub timeout: Duration,
    /// Token bucket over all requests.
    pub rate_limit: Option<RateLimit>,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
}

/// A client certificate and its key, PEM files that may change at any time.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientCert {
    /// The certificate chain.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once after a rest.
    pub burst: u32,
}

/// How to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthPlan {
    /// The mount below `auth/`.
    pub mount: String,
    /// The namespace of the login, where it differs from the one of the secrets.
    pub namespace: Option<String>,
    /// The method and its own fields.
    pub method: AuthMethod,
}

/// The method of a login. Files are read anew at each login: they rotate.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthMethod {
    /// `auth/MOUNT/login` with `role` and the projected service account's JWT. `jwt` is the same.
    Kubernetes {
        /// The role of the mount.
        role: String,
        /// The projected token.
        jwt_file: PathBuf,
    },
    /// `auth/MOUNT/login` with `role_id` and `secret_id`.
    AppRole {
        /// The role's id.
        role_id: Credential,
        /// The secret id; none where the role does not bind one.
        secret_id: Option<Credential>,
        /// The path that must have made the wrapping token which stands in the secret id's place;
        /// none where the secret id itself does.
        wrapped_by: Option<String>,
    },
    /// `auth/MOUNT/login` over a connection with this client certificate.
    Cert {
        /// The role's name; without one the server tries them all.
        name: Option<String>,
        /// The connection's, which is `vault`'s.
        own: ClientCert,
    },
    /// `auth/MOUNT/login/USERNAME` with a password: userpass and ldap.
    Password {
        /// Who logs in; one segment of a path.
        username: String,
        /// The password.
        password_file: PathBuf,
    },
    /// Any other method: these fields to that path.
    Path {
        /// `auth/…`, as it is to be asked.
        path: String,
        /// What to post, sorted by name; never [`Credential::Unset`].
        fields: Vec<(String, Credential)>,
    },
    /// A token from the environment, taken as it is; never revoked.
    Token {
        /// The variable that holds it.
        token_env: String,
        /// What it held when the configuration was read; none where it was not set.
        token: Option<Secret>,
    },
    /// A token from a file that somebody else keeps; never revoked.
    TokenFile {
        /// The file.
        token_file: PathBuf,
    },
}

impl AuthMethod {
    /// Whether the token is ours: one that somebody else made and gave us is never revoked, for
    /// others may live by it. Leases made with it are revoked one by one.
    #[must_use]
    pub fn owns_token(&self) -> bool {
        !matches!(self, Self::Token { .. } | Self::TokenFile { .. })
    }

    /// The files that a login is made from, read anew at each.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let of = |credential: Option<&Credential>| match credential {
            Some(Credential::File(file)) => Some(file.clone()),
            _ => None,
        };
        match self {
            Self::Kubernetes { jwt_file, .. } => vec![jwt_file.clone()],
            Self::AppRole { role_id, secret_id, .. } => {
                [of(Some(role_id)), of(secret_id.as_ref())].into_iter().flatten().collect()
            }
            Self::Cert { own, .. } => vec![own.cert_file.clone(), own.key_file.clone()],
            Self::Password { password_file, .. } => vec![password_file.clone()],
            Self::Path { fields, .. } => fields.iter().filter_map(|(_, field)| of(Some(field))).collect(),
            Self::Token { .. } => Vec::new(),
            Self::TokenFile { token_file } => vec![token_file.clone()],
        }
    }

    /// The variable that a login needs and that is not set. Without it a configuration can be
    /// checked, and its daemon be asked, but nothing can log in.
    #[must_use]
    pub fn unset_variable(&self) -> Option<&str> {
        match self {
            Self::Token { token_env, token: None } => Some(token_env),
            Self::AppRole { secret_id: Some(Credential::Unset(variable)), .. } => Some(variable),
            _ => None,
        }
    }
}

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// As given.
    Given(Secret),
    /// From a file, read anew at each login.
    File(PathBuf),
    /// From this variable, which is not set.
    Unset(String),
}

/// One file to render.
#[derive(Debug, Clone)]
pub struct FilePlan {
    /// As configured, for messages.
    pub name: String,
    /// Where it goes.
    pub target: Target,
    /// What it is made of.
    pub source: Source,
    /// Permission bits, at most 0o7777.
    pub mode: u32,
    /// Owner, by number; names were looked up in /etc/passwd.
    pub uid: Option<u32>,
    /// Group, by number.
    pub gid: Option<u32>,
    /// How often to look at what has no lease of its own.
    pub refresh: Duration,
    /// Quiescence before a publish.
    pub wait: Option<Wait>,
    /// Whom to tell: indices into [`Plan::notifiers`], each once.
    pub notify: Vec<usize>,
    /// Whether the process of `leasehold exec` is told too.
    pub tells_child: bool,
}

/// The process of `leasehold exec`, and what it is given.
#[derive(Debug, Clone)]
pub struct ExecPlan {
    /// Program and arguments; empty where only the command line says so.
    pub command: Vec<OsString>,
    /// Variables besides those that it inherits, sorted by name.
    pub env: Vec<VariablePlan>,
    /// What a change does to it.
    pub on_change: OnChange,
    /// The number of the signal that stops it.
    pub stop_signal: i32,
    /// It is killed this long after its stop signal.
    pub stop_timeout: Duration,
    /// The longest random delay before it is told of a change, to spread many pods.
    pub splay: Duration,
    /// Quiescence before changed variables count.
    pub wait: Option<Wait>,
    /// How to look at what is found in the inherited environment and has no lease; none where
    /// nothing is to be looked for in it.
    pub resolve_env: Option<Duration>,
    /// Variables that `auth` takes a credential from: never for the process.
    pub withheld: Vec<String>,
}

/// One variable of the process.
#[derive(Debug, Clone)]
pub struct VariablePlan {
    /// Its name.
    pub name: String,
    /// What its value is made of.
    pub source: Source,
    /// How often to look at what has no lease of its own.
    pub refresh: Duration,
}

impl VariablePlan {
    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("exec.env.{}", self.name)
    }
}

/// What a change does to the process of `leasehold exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is stopped, and started with the new values.
    Restart,
    /// It gets the signal of this number. Its variables stay as they were: only a restart changes
    /// them.
    Signal(i32),
    /// It is left alone.
    Ignore,
}

/// Where a file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Into the set: a relative path of normal components.
    Member(PathBuf),
    /// By itself: an absolute path of normal components.
    Alone(PathBuf),
}

/// What a file is made of.
#[derive(Debug, Clone)]
pub enum Source {
    /// A template, parsed. `missing_key` and delimiters are its own.
    Template(TemplateSource),
    /// One value.
    Field {
        /// The secret.
        request: Request,
        /// Its key; of KV v2 a key of its `data`.
        key: String,
        /// Whether to decode it from base64.
        base64: bool,
    },
    /// All fields as a JSON object; of KV v2 those of its `data`.
    Json {
        /// The secret.
        request: Request,
    },
    /// Texts and single values in a row: what a variable of the inherited environment asked for.
    Parts(Vec<Part>),
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As it is; may be a credential that somebody wrote there.
    Text(Secret),
    /// One key of a secret; of KV v2 a key of its `data`.
    Field {
        /// The secret.
        request: Request,
        /// The key.
        key: String,
    },
}

/// A template, from the configuration or from a file; parsed.
#[derive(Debug, Clone)]
pub struct TemplateSource {
    /// What errors call it: the file's path, or `files[2].template`.
    pub name: String,
    /// The file it was read from, where it was one.
    pub file: Option<PathBuf>,
    /// Its text.
    pub text: Vec<u8>,
    /// What it is parsed to.
    pub template: Arc<Template>,
    /// What a missing key renders as.
    pub missing_key: MissingKey,
    /// What its actions stand between.
    pub delimiters: (String, String),
    /// The functions that it may not call, sorted.
    pub denied: Vec<String>,
}

/// What a missing map key renders as (Go's `missingkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum MissingKey {
    /// It stops the rendering. Ours, for a `<no value>` in a password is worse.
    #[default]
    Error,
    /// `<no value>`, Go's default.
    Default,
    /// The zero value of the map's type.
    Zero,
}

impl From<MissingKey> for crate::template::eval::MissingKey {
    fn from(from: MissingKey) -> Self {
        match from {
            MissingKey::Error => Self::Error,
            MissingKey::Default => Self::Default,
            MissingKey::Zero => Self::Zero,
        }
    }
}

/// Quiescence: publish when nothing changed for `min`, and at the latest `max` after the first
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The quiet time.
    pub min: Duration,
    /// The longest delay; at least `min`.
    pub max: Duration,
}

/// Someone to tell of a new generation.
#[derive(Debug, Clone)]
pub struct NotifierPlan {
    /// Its name in the configuration.
    pub name: String,
    /// How it is told.
    pub how: Notifier,
}

/// How someone is told.
#[derive(Debug, Clone)]
pub enum Notifier {
    /// A signal to a process, found afresh each time.
    Signal {
        /// The signal's number.
        signal: i32,
        /// Who gets it.
        target: ProcessTarget,
        /// The longest random delay before, to spread many pods.
        splay: Duration,
    },
    /// A command without a shell, in a clean environment.
    Command {
        /// Program and arguments, at least one.
        command: Vec<String>,
        /// It is killed after this.
        timeout: Duration,
        /// As above.
        splay: Duration,
    },
    /// An HTTP POST; any 2xx is success.
    Http {
        /// Where to.
        url: url::Url,
        /// For the whole exchange.
        timeout: Duration,
        /// As above.
        splay: Duration,
    },
}

impl Notifier {
    /// The longest random delay before telling.
    #[must_use]
    pub fn splay(&self) -> Duration {
        match self {
            Self::Signal { splay, .. } | Self::Command { splay, .. } | Self::Http { splay, .. } => *splay,
        }
    }
}

/// How a process is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessTarget {
    /// By name: the command's last path component, or the kernel's `comm` (cut at 15 bytes).
    Name(String),
    /// By the number in a file.
    PidFile(PathBuf),
    /// By a regular expression over the command line, arguments joined by one space.
    CommandLine(String),
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownPlan {
    /// Whether to revoke token and leases.
    pub revoke: bool,
    /// How long to keep renewing after SIGTERM first.
    pub delay: Duration,
}

/// Where status, readiness and metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address.
    Tcp(std::net::SocketAddr),
    /// A Unix socket's path.
    Unix(PathBuf),
}

/// Whether the process gives up what it does not need, before it logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// As far as the kernel allows, with a warning that names what it does not; not at all where a
    /// notifier runs a command, which would inherit it.
    Auto,
    /// Not at all.
    Off,
    /// Completely, or the process does not start. No notifier runs a command.
    Required,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlan {
    /// The least level that is shown.
    pub level: tracing::Level,
    /// The shape of a line.
    pub format: LogFormat,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}
