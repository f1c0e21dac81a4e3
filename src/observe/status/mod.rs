//! `/status`: the [`View`](crate::core::view::View) as JSON, with times told from now, in seconds.
//!
//! Its schema is published in `docs/status.schema.json`, and a test holds the two together.
//! Fields are added, never renamed; whoever reads it (`leasehold status` of another version, for
//! one) ignores what it does not know. It names paths, leases and accessors, and no value.

mod made;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(super) use self::made::{action_name, breaker, fault, state, until};

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Leasehold's version.
    pub version: String,
    /// Whether the files can be relied on: `/readyz` answers 200.
    pub ready: bool,
    /// `ready`, `server_down`, `store_down`, `not_rendered`, `lost` or `expired`.
    pub state: String,
    /// The body of `/readyz`.
    pub reason: String,
    /// What a person can do about the first thing that is wrong; absent where nothing is.
    #[serde(default)]
    pub next: Option<String>,
    /// Whether the server answers.
    pub server: Server,
    /// The stores that are no Vault.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// Whether there is a login to make requests with.
    #[serde(default)]
    pub logged_in: bool,
    /// The current login.
    pub token: Option<Token>,
    /// What is wrong with logging in; absent where nothing is.
    #[serde(default)]
    pub login: Option<Login>,
    /// How logins are made.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// The process that answers.
    #[serde(default)]
    pub process: Option<Process>,
    /// The wrapping token at hand was opened by an earlier run of this pod: deliver another before the login ends.
    #[serde(default)]
    pub credentials_used_up: bool,
    /// Our own certificates: that of the connection to the server, and the listener's.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// The files, as configured.
    pub files: Vec<File>,
    /// What they are made of.
    pub secrets: Vec<Secret>,
    /// Who is told.
    pub notifiers: Vec<Notifier>,
    /// Counts since the start.
    pub counters: Counts,
}

/// A store that is no Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name in the configuration: what paths begin with.
    pub name: String,
    /// Whether it answers.
    pub up: bool,
    /// Since when it does not.
    pub down_seconds: Option<i64>,
    /// Why it does not.
    pub error: Option<String>,
    /// How often it answered.
    pub answers: u64,
    /// Requests that failed.
    pub failures: u64,
}

/// Whether the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Whether it does.
    pub up: bool,
    /// For how long it has not, in seconds.
    pub down_seconds: Option<i64>,
    /// The last failure.
    pub error: Option<String>,
    /// Since when it has answered nothing although it was asked, in seconds; absent where that is not long.
    #[serde(default)]
    pub silent_seconds: Option<i64>,
    /// How requests pass: `closed`, all; `narrow`, one at a time; `open`, a probe only.
    #[serde(default)]
    pub breaker: String,
    /// Where it is, as resolved from the configuration and the environment.
    #[serde(default)]
    pub address: Option<String>,
}

/// How logins are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// The method: `kubernetes`, `approle`, `cert`, `password`, `path`, `token` or `token_file`.
    pub method: String,
    /// The mount below `auth/`.
    pub mount: String,
    /// The role, or the user, where the method names one.
    pub role: Option<String>,
}

/// The process that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Since it started, in seconds.
    pub uptime_seconds: i64,
    /// The files and variables that its configuration comes from.
    pub configuration: Vec<String>,
    /// The variables that are in force in place of a value of theirs, each with the key that it sets.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Why the configuration could not be read again at the last SIGHUP; absent where it could.
    pub reload_error: Option<String>,
}

/// The current login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Names it in the server's audit log; empty for a batch token.
    pub accessor: String,
    /// Until it ends; negative where that is past, absent where it does not end.
    pub ttl_seconds: Option<i64>,
    /// What is done about it.
    pub next: Option<Next>,
}

/// What is wrong with logging in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// `logged_out`: no token is left to ask with. `failing`: the token lives, and its successor is not granted.
    #[serde(default)]
    pub state: String,
    /// For how long no token has been left, in seconds; absent where one is.
    #[serde(default)]
    pub logged_out_seconds: Option<i64>,
    /// For how long logins have failed, in seconds; 0 while the first one is under way.
    pub failing_seconds: i64,
    /// The last failure.
    pub error: String,
    /// Until it is tried again; absent while that is under way.
    pub next_in_seconds: Option<i64>,
}

/// A certificate of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The key of the configuration that names it.
    pub key: String,
    /// Its file.
    pub file: String,
    /// Until it ends; negative where that is past.
    pub expires_in_seconds: i64,
    /// What is wrong, where it ends soon or has ended.
    pub error: Option<String>,
}

/// What happens next about something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// `log_in`, `read`, `renew`, `replace` or `retry`.
    pub action: String,
    /// When; 0 or less where it is under way.
    pub in_seconds: i64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// As configured.
    pub name: String,
    /// The generation on disk; absent before the first.
    pub generation: Option<u64>,
    /// Since it last changed on disk in this run.
    pub changed_seconds_ago: Option<i64>,
    /// Until the first of its secrets ends; negative where that is past.
    pub expires_in_seconds: Option<i64>,
    /// `ok`, `stale`, `failing`, `expired` or `missing`.
    #[serde(default)]
    pub state: String,
    /// What keeps it from being true.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// The sources of its secrets.
    pub sources: Vec<String>,
    /// How often it was rendered.
    pub renders: u64,
}

/// One secret: where it comes from, never what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Names it in the log, in the field `secret`, from its first request to its last.
    #[serde(default)]
    pub id: String,
    /// Its path, with the names of its arguments.
    pub source: String,
    /// Its version, where the engine counts them.
    pub version: Option<u64>,
    /// The name of its version, of a store that is no Vault and has any.
    #[serde(default)]
    pub version_id: Option<String>,
    /// Its lease, where it has one.
    pub lease: Option<String>,
    /// Until it ends: the lease's or the token's end, whichever is first.
    pub expires_in_seconds: Option<i64>,
    /// Since it was last read or renewed with success.
    pub fresh_seconds_ago: Option<i64>,
    /// What happens next about it.
    pub next: Option<Next>,
    /// As of a file.
    #[serde(default)]
    pub state: String,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// How often it was read.
    pub reads: u64,
    /// How often its lease was renewed.
    pub renewals: u64,
    /// How often it was minted anew.
    pub replacements: u64,
}

/// One notifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifier {
    /// As configured.
    pub name: String,
    /// Since it was last told.
    pub told_seconds_ago: Option<i64>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// How often it was told.
    pub sent: u64,
    /// How often that failed.
    pub failed: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Logins that were granted.
    pub logins: u64,
    /// Logins that were refused or failed.
    pub failed_logins: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Generations published.
    pub publishes: u64,
}

impl Status {
    /// Whether nothing is wrong: the server answers, logins work, every file is as it should be and every notifier
    /// was notified.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let files = self.files.iter().all(|file| file.is_ok());
        let notifiers = self.notifiers.iter().all(|notifier| notifier.error.is_none());
        self.ready && self.server.up && self.login.is_none() && files && notifiers
    }
}

impl File {
    /// Whether it is as it should be; by its error where an older daemon does not name the state.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        if self.state.is_empty() {
            self.error.is_none() && self.generation.is_some()
        } else {
            self.state == "ok"
        }
    }
}
