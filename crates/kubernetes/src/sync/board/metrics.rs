//! The board in the form that Prometheus reads: under secrets-manager's names for what it had, and the rest under
//! ours.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_stores::Kind as Place;
use url::Url;

use super::{Board, Entry, Login, State};
use crate::sync::definition::{Key, Kind, Kv};
use crate::sync::identity::Identity;
use crate::sync::options::Options;

/// The label of a secret that is not there, and of a key that a secret does not have.
pub(super) const MISSING: &str = "BackendSecretNotFoundError";

const THEIRS: &str = "secrets_manager_";
const OURS: &str = "leasehold_sync_";

/// What all series of the controller's run have in common.
#[derive(Debug)]
pub(super) struct Labels {
    vault: String,
    /// The label of the store that SecretDefinitions are read from, if that is no Vault.
    azure: Option<String>,
    /// Whether paths are shown.
    pub(super) paths: bool,
}

impl Labels {
    pub(super) fn of(options: &Options) -> Self {
        let engine = if options.rules.kv == Kv::One { "kv1" } else { "kv2" };
        // As it is written in secrets-manager's arguments: a URL with nothing behind the host gets no slash there.
        let address = options.vault.address.as_str().trim_end_matches('/');
        let vault = [("vault_address", address), ("vault_engine", engine)];
        let azure = options.store.as_ref().and_then(|store| match &store.settings.kind {
            Place::Azure(azure) => Some(
                Own([
                    ("azure_kv_name", azure_name(&azure.url)),
                    ("azure_kv_tenant", azure.identity.tenant_id.as_deref().unwrap_or_default()),
                ])
                .to_string(),
            ),
            _ => None,
        });
        Self { vault: Own(vault).to_string(), azure, paths: options.shows_paths }
    }
}

/// Returns the name of a vault in Azure: the first part of its host, or the whole URL where the host has another form.
fn azure_name(url: &Url) -> &str {
    let name = url.domain().and_then(|host| host.split_once(".vault."));
    name.map_or_else(|| url.as_str().trim_end_matches('/'), |(name, _)| name)
}

/// Returns how a request failed, as a label: one of a few words, and never the server's text.
pub(super) fn class(failure: &Failure) -> &'static str {
    match failure.kind {
        FailureKind::Missing => MISSING,
        FailureKind::Denied => "denied",
        FailureKind::Refused => "refused",
        FailureKind::Overloaded(_) => "overloaded",
        FailureKind::Unavailable | FailureKind::NotYet => "unavailable",
        FailureKind::Unreachable
        | FailureKind::Unheard
        | FailureKind::Intercepted
        | FailureKind::Redirected => "unreachable",
        FailureKind::Fault | FailureKind::Rejected | FailureKind::Nonsense => "rejected",
        FailureKind::Local | FailureKind::Unusable => "local",
    }
}

/// The text of the page, which grows.
struct Page(String);

impl Page {
    fn head(&mut self, prefix: &str, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {prefix}{name} {help}\n# TYPE {prefix}{name} {kind}");
    }

    fn line(&mut self, prefix: &str, name: &str, labels: &dyn Display, value: impl Display) {
        let _ = writeln!(self.0, "{prefix}{name}{{{labels}}} {value}");
    }

    fn bare(&mut self, prefix: &str, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{prefix}{name} {value}");
    }
}

impl Board {
    /// Returns the text that Prometheus reads.
    pub(crate) fn metrics(&self) -> String {
        let state = self.state.borrow();
        let mut page = Page(String::new());
        self.of_logins(&state, &mut page);
        self.of_failures(&state, &mut page);
        of_secrets(&state, &mut page);
        of_ours(&state, &mut page);
        page.0
    }

    /// Writes the series of each login.
    fn of_logins(&self, state: &State, page: &mut Page) {
        type Series = (&'static str, &'static str, &'static str, fn(&Login) -> u64);
        let all: [Series; 4] = [
            ("vault_token_ttl", "gauge", "Seconds until the token ends", |login| {
                login.token_ttl.unwrap_or_default().as_secs()
            }),
            ("vault_max_token_ttl", "gauge", "Seconds of the token below which it is renewed", |login| {
                login.renewed_below.unwrap_or_default().as_secs()
            }),
            ("vault_login_errors_total", "counter", "Logins that failed", |login| {
                login.counters.failed_logins
            }),
            ("vault_request_errors_total", "counter", "Requests that failed", |login| {
                login.counters.failures
            }),
        ];
        for (name, kind, help, value) in all {
            page.head(THEIRS, name, kind, help);
            for (identity, login) in state.logins.iter().filter(|(identity, _)| self.asks_vault(identity)) {
                page.line(
                    THEIRS,
                    name,
                    &format_args!("{},{}", self.labels.vault, Own([("login", identity)])),
                    value(login),
                );
            }
        }
    }

    /// Returns whether a login is one of Vault. The controller's own has no token there if its secrets are in Azure.
    fn asks_vault(&self, login: &str) -> bool {
        self.labels.azure.is_none() || login != Identity::Controller.to_string()
    }

    /// Writes what failed, and how.
    fn of_failures(&self, state: &State, page: &mut Page) {
        let name = "vault_token_renewal_errors_total";
        page.head(THEIRS, name, "counter", "Renewals and look-ups of the token that failed");
        for (identity, login) in &state.logins {
            for ((operation, error), count) in &login.token_errors {
                let own = Own([("login", identity), ("vault_operation", operation), ("error", error)]);
                page.line(THEIRS, name, &format_args!("{},{own}", self.labels.vault), count);
            }
        }
        let (name, common) = match &self.labels.azure {
            Some(azure) => ("azure_kv_read_secret_errors_total", azure),
            None => ("vault_read_secret_errors_total", &self.labels.vault),
        };
        page.head(THEIRS, name, "counter", "Reads that failed; with -metrics-paths by path");
        for (identity, login) in &state.logins {
            for ((path, key, error), count) in &login.read_errors {
                let own = Own([("login", identity), ("path", path), ("key", key), ("error", error)]);
                page.line(THEIRS, name, &format_args!("{common},{own}"), count);
            }
        }
        if let Some(azure) = &self.labels.azure {
            let refused = state.logins.values().flat_map(|login| &login.read_errors);
            let refused: u64 =
                refused.filter(|((_, _, error), _)| *error == "refused").map(|(_, count)| count).sum();
            let name = "azure_kv_login_errors_total";
            page.head(THEIRS, name, "counter", "Reads for which no token could be had");
            page.line(THEIRS, name, azure, refused);
        }
    }
}

/// Writes the series of each Secret, under secrets-manager's names.
fn of_secrets(state: &State, page: &mut Page) {
    type Series<'a> = (&'a str, &'a str, &'a str, fn(u64, u64) -> u64, &'a dyn Fn(&Key, &Entry) -> u64);
    page.head(THEIRS, "controller_writes_total", "counter", "Secrets that were written");
    page.bare(THEIRS, "controller_writes_total", state.writes);
    let good = |key: &Key, entry: &Entry| u64::from(state.is_good(key, entry));
    // If two definitions name one Secret, one of them is refused.
    let (sum, least) = (|a, b| a + b, |a: u64, b| a.min(b));
    let series: [Series<'_>; 3] = [
        ("controller_sync_errors_total", "counter", "Failures to sync a Secret", sum, &|_, entry| {
            entry.errors
        }),
        ("controller_last_sync_status", "gauge", "Whether the last sync went well", least, &good),
        (
            "controller_secret_read_errors_total",
            "counter",
            "Refused accesses to a Secret",
            sum,
            &|_, entry| entry.unreadable,
        ),
    ];
    for (name, kind, help, gather, value) in series {
        page.head(THEIRS, name, kind, help);
        let mut values: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for (key, entry) in &state.entries {
            let one = value(key, entry);
            values
                .entry((&key.namespace, &entry.secret))
                .and_modify(|all| *all = gather(*all, one))
                .or_insert(one);
        }
        for ((namespace, secret), value) in values {
            page.line(THEIRS, name, &Own([("namespace", namespace), ("name", secret)]), value);
        }
    }
}

/// Writes the series that secrets-manager had no name for.
fn of_ours(state: &State, page: &mut Page) {
    for (name, kind, help, value) in [
        ("leader", "gauge", "Whether this replica syncs", u64::from(state.leads)),
        ("restarts_total", "counter", "Changes for which all workloads were restarted", state.restarts),
        ("restart_errors_total", "counter", "Restarts that failed", state.failed_restarts),
    ] {
        page.head(OURS, name, kind, help);
        page.bare(OURS, name, value);
    }
    page.head(OURS, "definitions", "gauge", "Objects by how they are");
    let mut counts: BTreeMap<(Kind, &str), u64> = BTreeMap::new();
    for (key, entry) in &state.entries {
        let how = match () {
            () if entry.refused => "refused",
            () if state.is_good(key, entry) => "synced",
            () if entry.usable => "kept",
            () => "waiting",
        };
        *counts.entry((key.kind, how)).or_default() += 1;
    }
    for ((kind, how), count) in counts {
        page.line(OURS, "definitions", &Own([("kind", kind.name()), ("state", how)]), count);
    }
    page.head(
        OURS,
        "secret_expires_timestamp_seconds",
        "gauge",
        "When the first value of a Secret ends, where one does",
    );
    for (key, entry) in &state.entries {
        let Some(end) = entry.expires else { continue };
        let own = Own([("namespace", &key.namespace), ("name", &entry.secret)]);
        page.line(OURS, "secret_expires_timestamp_seconds", &own, end);
    }
    type Series = (&'static str, &'static str, &'static str, fn(&Login) -> u64);
    let all: [Series; 3] = [
        ("logins_total", "counter", "Logins that were granted", |login| login.counters.logins),
        ("requests_total", "counter", "Requests that were sent", |login| login.counters.requests),
        ("server_up", "gauge", "Whether secrets can be read with this login", |login| {
            u64::from(login.away.is_none())
        }),
    ];
    for (name, kind, help, value) in all {
        page.head(OURS, name, kind, help);
        for (identity, login) in &state.logins {
            page.line(OURS, name, &Own([("login", identity)]), value(login));
        }
    }
}

impl State {
    /// Returns whether the Secret is as defined, as far as that can be known.
    fn is_good(&self, key: &Key, entry: &Entry) -> bool {
        let away =
            || self.logins.values().any(|login| login.away.is_some() && login.definitions.contains(key));
        entry.synced && entry.trouble.is_none() && !away()
    }
}

/// The labels of one series, which are written to the page as they are.
struct Own<'a, const N: usize>([(&'a str, &'a str); N]);

impl<const N: usize> Display for Own<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, text)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{name}=\"")?;
            for letter in text.split_inclusive(['\\', '"', '\n']) {
                let plain = letter.trim_end_matches(['\\', '"', '\n']);
                f.write_str(plain)?;
                f.write_str(match &letter[plain.len()..] {
                    "\n" => "\\n",
                    "\"" => "\\\"",
                    "\\" => "\\\\",
                    _ => "",
                })?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_of_azure_has_its_name_in_every_cloud_and_its_url_elsewhere() {
        let name = |url: &str| azure_name(&url.parse().expect("a URL")).to_owned();
        assert_eq!(name("https://my-vault.vault.azure.net"), "my-vault");
        assert_eq!(name("https://my-vault.vault.azure.cn/"), "my-vault");
        assert_eq!(name("https://127.0.0.1:8443/"), "https://127.0.0.1:8443");
    }

    #[test]
    fn labels_are_escaped_as_prometheus_reads_them() {
        let own = Own([("a", r#"\"quoted"\"#), ("b", "two\nlines"), ("c", "")]);
        assert_eq!(own.to_string(), r#"a="\\\"quoted\"\\",b="two\nlines",c="""#);
    }
}
