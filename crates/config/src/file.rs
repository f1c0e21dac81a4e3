//! A configuration as typed: nothing is resolved, nothing has a default, and no two keys are compared yet.
//!
//! The keys and words are those of [`super::keys`]; a test holds the two together.

mod auth;
mod stores;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::plan::{LogFormat, MissingKey, Sandbox};
use super::scalars;
pub(super) use auth::{Auth, Cloud, Field, GcpType, Method};
#[cfg(feature = "clouds")]
pub(super) use stores::{AwsStore, AzureStore, GoogleStore};
pub(super) use stores::{BackendEntry, EnvironmentStore, FileStore, IdentityEntry};

/// A whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) vault: Vault,
    pub(super) auth: Option<Auth>,
    pub(super) backends: BTreeMap<String, BackendEntry>,
    pub(super) secrets_dir: Option<String>,
    pub(super) require_tmpfs: Option<bool>,
    pub(super) defaults: Defaults,
    pub(super) files: Vec<FileEntry>,
    pub(super) write_to_file: Vec<String>,
    pub(super) notify: BTreeMap<String, NotifierEntry>,
    pub(super) sinks: Vec<SinkEntry>,
    pub(super) exec: Exec,
    pub(super) init: Init,
    pub(super) handoff: Handoff,
    pub(super) shutdown: Shutdown,
    pub(super) listen: Option<String>,
    pub(super) listen_tls: Option<ListenTls>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) log: Log,
}

/// `vault`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Vault {
    pub(super) address: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) ca_dir: Option<String>,
    pub(super) client_cert_file: Option<String>,
    pub(super) client_key_file: Option<String>,
    pub(super) server_name: Option<String>,
    pub(super) plaintext: Option<Plaintext>,
    pub(super) environment: EnvironmentWord,
    pub(super) redirect_hosts: Vec<String>,
    pub(super) proxy: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) max_in_flight: Option<u32>,
}

/// `listen_tls`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTls {
    pub(super) cert_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) client_ca_file: Option<String>,
}

/// The addresses for which `http://` is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Plaintext {
    Never,
    #[default]
    Loopback,
    Anywhere,
}

/// The words of `vault.environment`, which is read before the environment is merged into the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum EnvironmentWord {
    #[default]
    Override,
    Ignore,
}

/// `rate_limit` of the Vault or of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimit {
    pub(crate) per_second: Option<f64>,
    pub(crate) burst: Option<u32>,
}

/// `defaults`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Defaults {
    #[serde(deserialize_with = "mode")]
    pub(super) mode: Option<u32>,
    #[serde(deserialize_with = "mode")]
    pub(super) dir_mode: Option<u32>,
    #[serde(deserialize_with = "duration")]
    pub(super) refresh: Option<Duration>,
    pub(super) missing_key: Option<MissingKey>,
}

/// An entry of `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileEntry {
    pub(super) path: Option<String>,
    pub(super) template: Option<String>,
    pub(super) template_file: Option<String>,
    pub(super) delimiters: Option<Delimiters>,
    pub(super) missing_key: Option<MissingKey>,
    pub(super) deny_functions: Option<Vec<String>>,
    pub(super) secret: Option<String>,
    pub(super) encoding: Option<Encoding>,
    #[serde(deserialize_with = "mode")]
    pub(super) mode: Option<u32>,
    #[serde(deserialize_with = "word")]
    pub(super) user: Option<String>,
    #[serde(deserialize_with = "word")]
    pub(super) group: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) refresh: Option<Duration>,
    pub(super) wait: Option<WaitEntry>,
    pub(super) notify: Option<Vec<String>>,
}

impl FileEntry {
    /// Returns the keys that say where the file goes and what becomes of it there.
    pub(super) fn place(&self) -> PlaceKeys<'_> {
        PlaceKeys {
            path: self.path.as_deref(),
            mode: self.mode,
            user: self.user.as_deref(),
            group: self.group.as_deref(),
            refresh: self.refresh,
            wait: self.wait.as_ref(),
            notify: self.notify.as_deref(),
        }
    }

    /// Returns the keys that say what the file is made of.
    pub(super) fn source(&self) -> SourceKeys<'_> {
        SourceKeys {
            template: self.template.as_deref(),
            template_file: self.template_file.as_deref(),
            delimiters: self.delimiters.as_ref(),
            missing_key: self.missing_key,
            deny_functions: self.deny_functions.as_deref(),
            secret: self.secret.as_deref(),
            encoding: self.encoding,
        }
    }
}

/// The keys that a file shares with a sink.
pub(super) struct PlaceKeys<'f> {
    pub(super) path: Option<&'f str>,
    pub(super) mode: Option<u32>,
    pub(super) user: Option<&'f str>,
    pub(super) group: Option<&'f str>,
    pub(super) refresh: Option<Duration>,
    pub(super) wait: Option<&'f WaitEntry>,
    /// The notifiers; without it, all of them.
    pub(super) notify: Option<&'f [String]>,
}

/// The keys that a file shares with a variable.
pub(super) struct SourceKeys<'f> {
    pub(super) template: Option<&'f str>,
    pub(super) template_file: Option<&'f str>,
    pub(super) delimiters: Option<&'f Delimiters>,
    pub(super) missing_key: Option<MissingKey>,
    pub(super) deny_functions: Option<&'f [String]>,
    pub(super) secret: Option<&'f str>,
    pub(super) encoding: Option<Encoding>,
}

/// `files[].delimiters`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Delimiters {
    pub(super) left: Option<String>,
    pub(super) right: Option<String>,
}

/// `files[].encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    Base64,
}

/// `files[].wait`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WaitEntry {
    #[serde(deserialize_with = "duration")]
    pub(super) min: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) max: Option<Duration>,
}

/// An entry of `notify`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NotifierEntry {
    #[serde(deserialize_with = "word")]
    pub(super) signal: Option<String>,
    pub(super) process: Option<String>,
    pub(super) pid_file: Option<String>,
    pub(super) command_line: Option<String>,
    pub(super) http: Option<String>,
    pub(super) command: Option<Vec<String>>,
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) splay: Option<Duration>,
    pub(super) on_first: Option<bool>,
    pub(super) on_init: Option<bool>,
    pub(super) may_fail: Option<bool>,
}

/// An entry of `sinks`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SinkEntry {
    pub(super) path: Option<String>,
    #[serde(deserialize_with = "mode")]
    pub(super) mode: Option<u32>,
    #[serde(deserialize_with = "word")]
    pub(super) user: Option<String>,
    #[serde(deserialize_with = "word")]
    pub(super) group: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) wrap_ttl: Option<Duration>,
    pub(super) notify: Option<Vec<String>>,
}

impl SinkEntry {
    /// Returns the keys that say where the sink goes and what becomes of it there. Most programs that talk to the
    /// server watch the file themselves, so a sink notifies nothing unless it says so.
    pub(super) fn place(&self) -> PlaceKeys<'_> {
        PlaceKeys {
            path: self.path.as_deref(),
            mode: self.mode,
            user: self.user.as_deref(),
            group: self.group.as_deref(),
            refresh: None,
            wait: None,
            notify: Some(self.notify.as_deref().unwrap_or_default()),
        }
    }
}

/// `exec`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Exec {
    pub(super) command: Option<Vec<String>>,
    pub(super) env: BTreeMap<String, VariableEntry>,
    #[serde(deserialize_with = "word")]
    pub(super) on_change: Option<String>,
    #[serde(deserialize_with = "word")]
    pub(super) stop_signal: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) stop_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) splay: Option<Duration>,
    pub(super) wait: Option<WaitEntry>,
    pub(super) resolve_env: Option<bool>,
}

/// An entry of `exec.env`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VariableEntry {
    pub(super) template: Option<String>,
    pub(super) template_file: Option<String>,
    pub(super) delimiters: Option<Delimiters>,
    pub(super) missing_key: Option<MissingKey>,
    pub(super) deny_functions: Option<Vec<String>>,
    pub(super) secret: Option<String>,
    pub(super) encoding: Option<Encoding>,
    pub(super) from: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) format: Option<String>,
    pub(super) sanitize: Option<bool>,
    pub(super) upcase: Option<bool>,
    #[serde(deserialize_with = "duration")]
    pub(super) refresh: Option<Duration>,
}

impl VariableEntry {
    /// Returns the keys that say what the variable is made of.
    pub(super) fn source(&self) -> SourceKeys<'_> {
        SourceKeys {
            template: self.template.as_deref(),
            template_file: self.template_file.as_deref(),
            delimiters: self.delimiters.as_ref(),
            missing_key: self.missing_key,
            deny_functions: self.deny_functions.as_deref(),
            secret: self.secret.as_deref(),
            encoding: self.encoding,
        }
    }
}

/// `init`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Init {
    #[serde(deserialize_with = "duration")]
    pub(super) timeout: Option<Duration>,
}

/// `handoff`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Handoff {
    pub(super) file: Option<String>,
}

/// `shutdown`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Shutdown {
    pub(super) revoke: Option<bool>,
    #[serde(deserialize_with = "duration")]
    pub(super) delay: Option<Duration>,
}

/// `log`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    #[serde(deserialize_with = "level")]
    pub(super) level: Option<tracing::Level>,
    pub(super) format: Option<LogFormat>,
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| scalars::duration(&text).map_err(|bad| D::Error::custom(bad.message))).transpose()
}

fn mode<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| scalars::mode(&text).map_err(|bad| D::Error::custom(bad.message))).transpose()
}

fn level<'de, D: Deserializer<'de>>(from: D) -> Result<Option<tracing::Level>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word {
        Number(u64),
        Text(String),
    }
    Ok(Option::<Word>::deserialize(from)?.map(|word| match word {
        Word::Number(number) => number.to_string(),
        Word::Text(text) => text,
    }))
}
