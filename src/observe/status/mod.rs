//! `/status`: the [`View`](crate::core::view::View) as JSON, with times counted from now, in seconds.
//!
//! Its schema is published in `docs/status.schema.json`, and a test holds the two together. Fields are added, never
//! renamed. A reader, such as `leasehold status` of another version, ignores the fields that it does not know. It
//! names paths, leases and accessors, and no value.

mod made;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(super) use self::made::{action_name, breaker, fault, state, until};

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of Leasehold.
    pub version: String,
    /// True if the files can be relied on: `/readyz` answers 200.
    pub ready: bool,
    /// `ready`, `server_down`, `store_down`, `not_rendered`, `lost` or `expired`.
    pub state: String,
    /// The body of `/readyz`.
    pub reason: String,
    /// The advice about the first thing that is wrong; absent if nothing is.
    #[serde(default)]
    pub next: Option<String>,
    /// The state of the server.
    pub server: Server,
    /// The stores that are no Vault.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// True if there is a login to make requests with.
    #[serde(default)]
    pub logged_in: bool,
    /// The current login.
    pub token: Option<Token>,
    /// The trouble with logging in; absent if there is none.
    #[serde(default)]
    pub login: Option<Login>,
    /// The way in which logins are made.
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
    /// The secrets that the files are made of.
    pub secrets: Vec<Secret>,
    /// The notifiers.
    pub notifiers: Vec<Notifier>,
    /// Counts since the start.
    pub counters: Counts,
}

/// A store that is no Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// The name in the configuration, which paths begin with.
    pub name: String,
    /// The kind, as in the configuration: `files`, `azure_key_vault`. An older daemon does not say it.
    #[serde(default)]
    pub kind: String,
    /// True if the store answers.
    pub up: bool,
    /// The seconds since which it does not answer.
    pub down_seconds: Option<i64>,
    /// The reason why it does not answer.
    pub error: Option<String>,
    /// The number of its answers.
    pub answers: u64,
    /// The number of requests that failed.
    pub failures: u64,
}

/// The state of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// True if the server answers.
    pub up: bool,
    /// The seconds since which it has not answered.
    pub down_seconds: Option<i64>,
    /// The last failure.
    pub error: Option<String>,
    /// The seconds since which it has answered nothing although it was asked; absent if that is not long.
    #[serde(default)]
    pub silent_seconds: Option<i64>,
    /// The state of the breaker: `closed` lets all requests pass, `narrow` one at a time, and `open` a probe only.
    #[serde(default)]
    pub breaker: String,
    /// The server's address, as resolved from the configuration and the environment.
    #[serde(default)]
    pub address: Option<String>,
}

/// The way in which logins are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// The method: `kubernetes`, `approle`, `cert`, `password`, `path`, `token` or `token_file`.
    pub method: String,
    /// The mount below `auth/`.
    pub mount: String,
    /// The role or the user, if the method names one.
    pub role: Option<String>,
}

/// The process that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The seconds since the process started.
    pub uptime_seconds: i64,
    /// The files and variables that its configuration comes from.
    pub configuration: Vec<String>,
    /// The variables that are in force in place of a value of theirs, each with the key that it sets.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// The reason why the configuration could not be read again at the last SIGHUP; absent if it could.
    pub reload_error: Option<String>,
}

/// The current login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token's name in the server's audit log; empty for a batch token.
    pub accessor: String,
    /// The seconds until the token ends; negative if that is past, and absent if it does not end.
    pub ttl_seconds: Option<i64>,
    /// The next action on the token.
    pub next: Option<Next>,
}

/// The trouble with logging in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// `logged_out`: no token is left to ask with. `failing`: the token lives, and its successor is not granted.
    #[serde(default)]
    pub state: String,
    /// The seconds since which no token has been left; absent if one is.
    #[serde(default)]
    pub logged_out_seconds: Option<i64>,
    /// The seconds since which logins have failed; 0 while the first one is under way.
    pub failing_seconds: i64,
    /// The last failure.
    pub error: String,
    /// The seconds until the next try; absent while it is under way.
    pub next_in_seconds: Option<i64>,
}

/// A certificate of our own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The key of the configuration that names it.
    pub key: String,
    /// The path of its file.
    pub file: String,
    /// The seconds until it ends; negative if that is past.
    pub expires_in_seconds: i64,
    /// The problem, if it ends soon or has ended.
    pub error: Option<String>,
}

/// The next action on something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// `log_in`, `read`, `renew`, `replace` or `retry`.
    pub action: String,
    /// The seconds until then; 0 or less if it is under way.
    pub in_seconds: i64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path as it was configured.
    pub name: String,
    /// The generation on disk; absent before the first.
    pub generation: Option<u64>,
    /// The seconds since the file changed on disk in this run.
    pub changed_seconds_ago: Option<i64>,
    /// The seconds until the first of its secrets ends; negative if that is past.
    pub expires_in_seconds: Option<i64>,
    /// `ok`, `stale`, `failing`, `expired` or `missing`.
    #[serde(default)]
    pub state: String,
    /// The reason why it is not as it should be.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// The sources of its secrets.
    pub sources: Vec<String>,
    /// The number of its renderings.
    pub renders: u64,
}

/// A secret: where it comes from, and never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The secret's name in the log, in the field `secret`, from its first request to its last.
    #[serde(default)]
    pub id: String,
    /// The secret's path, with the names of its arguments.
    pub source: String,
    /// The secret's version, if the engine counts versions.
    pub version: Option<u64>,
    /// The name of its version, of a store that is no Vault and has any.
    #[serde(default)]
    pub version_id: Option<String>,
    /// The secret's lease, if it has one.
    pub lease: Option<String>,
    /// The seconds until it ends: the end of the lease or of the token, whichever is first.
    pub expires_in_seconds: Option<i64>,
    /// The seconds since it was last read or renewed with success.
    pub fresh_seconds_ago: Option<i64>,
    /// The next action on it.
    pub next: Option<Next>,
    /// The state, in the words of a file's.
    #[serde(default)]
    pub state: String,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// The same as one word of a fixed set.
    #[serde(default)]
    pub error_class: Option<String>,
    /// The number of times that it was read.
    pub reads: u64,
    /// The number of times that its lease was renewed.
    pub renewals: u64,
    /// The number of times that it was minted anew.
    pub replacements: u64,
}

/// A notifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifier {
    /// The name in the configuration.
    pub name: String,
    /// The seconds since the last notification.
    pub told_seconds_ago: Option<i64>,
    /// The last failure, until the next success.
    pub error: Option<String>,
    /// The number of notifications.
    pub sent: u64,
    /// The number of notifications that failed.
    pub failed: u64,
}

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Logins that were granted.
    pub logins: u64,
    /// Logins that were refused or failed.
    pub failed_logins: u64,
    /// The number of requests that were sent.
    pub requests: u64,
    /// The number of requests that failed.
    pub failures: u64,
    /// Generations published.
    pub publishes: u64,
}

impl Status {
    /// Returns whether nothing is wrong: the server answers, logins work, every file is as it should be, and every
    /// notifier was notified.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let files = self.files.iter().all(|file| file.is_ok());
        let notifiers = self.notifiers.iter().all(|notifier| notifier.error.is_none());
        let backends = self.backends.iter().all(|backend| backend.up);
        self.ready && self.server.up && backends && self.login.is_none() && files && notifiers
    }

    /// Returns whether there is a Vault. There is none if all secrets are from other stores, and then server and token
    /// mean nothing. An older daemon does not say how it logs in, and always has a Vault.
    #[must_use]
    pub fn has_vault(&self) -> bool {
        self.auth.as_ref().is_none_or(|auth| auth.method != "none")
    }

    /// Returns the store that is no Vault and that this source is from.
    #[must_use]
    pub fn backend(&self, source: &str) -> Option<&Backend> {
        let first = source.split(['/', '?']).next()?;
        self.backends.iter().find(|backend| backend.name == first)
    }
}

impl Backend {
    /// Returns whether it is a cloud's, which grants what is read there.
    #[must_use]
    pub fn is_cloud(&self) -> bool {
        !matches!(self.kind.as_str(), "" | "environment" | "files")
    }
}

impl File {
    /// Returns whether it is as it should be. An older daemon does not name the state, so its error decides then.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        if self.state.is_empty() {
            self.error.is_none() && self.generation.is_some()
        } else {
            self.state == "ok"
        }
    }
}
