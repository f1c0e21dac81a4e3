//! How `sync` runs, from secrets-manager's flags and variables.

mod azure;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use leasehold::config::plan::{AuthMethod, AuthPlan, ClientCert, Credential, VaultPlan};
use leasehold_base::secret::Secret;
use leasehold_stores::Settings;
use url::Url;

use super::definition::{Kv, NamespaceRoles, Rules, target_name};
use super::flags::Flags;
use super::{handoff, identity};
use crate::webhook::address;

const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A store that is no Vault, and the part of the environment that it is opened with.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) settings: Settings,
    pub(crate) environment: BTreeMap<String, Secret>,
}

/// The options, resolved.
/// More logins than the objects of a namespace need. Each has connections, memory and a descriptor, which all namespaces share.
const MOST_LOGINS: usize = 20;

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) vault: VaultPlan,
    /// The controller's own login; `None` with `-vault.auth-method=none`.
    pub(crate) auth: Option<AuthPlan>,
    /// The store of SecretDefinitions, if that is no Vault.
    pub(crate) store: Option<Store>,
    /// Where tokens and leases are left to the next leader.
    pub(crate) handoff: Option<handoff::Settings>,
    /// How definitions are read.
    pub(crate) rules: Rules,
    /// How often a secret without a lease is polled.
    pub(crate) period: Duration,
    /// Whether metrics show paths.
    pub(crate) shows_paths: bool,
    /// Where health and metrics are served.
    pub(crate) listen: SocketAddr,
    /// The namespaces that are watched; all of them if none is named.
    pub(crate) watched: BTreeSet<String>,
    /// The namespaces that are left alone even if they are watched.
    pub(crate) excluded: BTreeSet<String>,
    /// How many logins the objects of one namespace may have at once.
    pub(crate) most_logins: usize,
    /// Whether one of several replicas leads.
    pub(crate) elects: bool,
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The name of this replica, and the namespace of its Lease.
    pub(crate) me: String,
    pub(crate) namespace: Option<String>,
    pub(crate) json: bool,
    pub(crate) level: String,
    /// Warnings about what was given and changes nothing.
    pub(crate) warnings: Vec<String>,
}

impl Options {
    /// Resolves the options. Variables win over flags, as in secrets-manager.
    ///
    /// # Errors
    /// Says what is missing or wrong, and what to do.
    pub(crate) fn resolve(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut warnings = flags.idle();
        let store = match flags.get("backend").unwrap_or("vault") {
            "vault" => None,
            "azure-kv" => Some(azure::read(flags, &variable, &mut warnings)?),
            other => return Err(format!("-backend={other:?} is no backend; write vault or azure-kv")),
        };
        let level = flags.get("zap-log-level").unwrap_or("info");
        let level = if flags.is_on("enable-debug-log") { "debug" } else { level };
        let handoff = handoff(flags)?;
        Ok(Self {
            handoff,
            vault: vault(flags, &variable)?,
            auth: match (flags.get("vault.auth-method"), &store) {
                (Some("none"), _) | (_, Some(_)) => None,
                _ => Some(auth(flags, &variable, &mut warnings)?),
            },
            rules: rules(flags, store.is_some())?,
            store,
            period: duration(flags, "reconcile-period", Duration::from_secs(5))?,
            listen: address("-metrics-addr", flags.get("metrics-addr").unwrap_or(":8080"))?,
            watched: names(flags, "watch-namespaces"),
            excluded: names(flags, "exclude-namespaces"),
            most_logins: most_logins(flags)?,
            shows_paths: flags.is_on("metrics-paths"),
            elects: flags.is_on("enable-leader-election"),
            kubeconfig: flags.get("kubeconfig").map(PathBuf::from),
            me: variable("POD_NAME")
                .or_else(|| variable("HOSTNAME"))
                .unwrap_or_else(|| "leasehold".to_owned()),
            namespace: variable("NAMESPACE").or_else(|| variable("POD_NAMESPACE")),
            json: flags.get("zap-encoder") != Some("console"),
            level: level.to_owned(),
            warnings,
        })
    }
}

fn vault(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Result<VaultPlan, String> {
    let given = variable("VAULT_ADDR").or_else(|| flags.get("vault.url").map(str::to_owned));
    let given = given.unwrap_or_else(|| "https://127.0.0.1:8200".to_owned());
    let address = url("-vault.url or VAULT_ADDR", &given)?;
    if variable("VAULT_SKIP_VERIFY")
        .is_some_and(|value| !matches!(value.as_str(), "0" | "f" | "F" | "false" | "FALSE" | "False"))
    {
        return Err("VAULT_SKIP_VERIFY: the server is always verified; take it out and set VAULT_CACERT to the file of the server's authority".to_owned());
    }
    let client_cert = match (variable("VAULT_CLIENT_CERT"), variable("VAULT_CLIENT_KEY")) {
        (Some(cert), Some(key)) => Some(ClientCert { cert_file: cert.into(), key_file: key.into() }),
        (None, None) => None,
        _ => {
            return Err("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY belong together; set both or none".to_owned());
        }
    };
    let proxy = variable("VAULT_HTTP_PROXY").map(|text| url("VAULT_HTTP_PROXY", &text)).transpose()?;
    Ok(VaultPlan {
        address,
        namespace: variable("VAULT_NAMESPACE"),
        ca_file: variable("VAULT_CACERT").map(PathBuf::from),
        ca_dir: variable("VAULT_CAPATH").map(PathBuf::from),
        client_cert,
        server_name: variable("VAULT_TLS_SERVER_NAME"),
        redirect_hosts: Vec::new(),
        proxy,
        timeout: duration(flags, "config.backend-timeout", Duration::from_secs(5))?,
        rate_limit: None,
        max_in_flight: 8,
    })
}

/// Reads the handoff's settings. Tokens and leases are kept encrypted or not at all, so one flag needs the other.
fn handoff(flags: &Flags) -> Result<Option<handoff::Settings>, String> {
    let (secret, transit) = match (flags.get("handoff.secret"), flags.get("handoff.transit")) {
        (None, None) => return Ok(None),
        (Some(secret), Some(transit)) => (secret, transit),
        _ => {
            return Err("-handoff.secret and -handoff.transit belong together: a handoff has tokens, and is never written in plain text; set both or none".to_owned());
        }
    };
    if flags.get("backend") == Some("azure-kv") || flags.get("vault.auth-method") == Some("none") {
        return Err("-handoff.secret: the controller needs a login of its own to encrypt with; set -vault.auth-method".to_owned());
    }
    let name = target_name(secret).ok_or_else(|| {
        format!("-handoff.secret={secret:?} is no name of a Secret; write leasehold-sync-handoff")
    })?;
    let wrong = || {
        format!(
            "-handoff.transit={transit:?} is no key of a transit engine; write transit/keys/leasehold-sync"
        )
    };
    let (mount, key) = transit.trim_matches('/').split_once("/keys/").ok_or_else(wrong)?;
    let plain = |text: &str| leasehold_base::request::Request::read(text).is_ok();
    if !plain(mount) || !plain(key) || key.contains('/') {
        return Err(wrong());
    }
    Ok(Some(handoff::Settings { secret: name, mount: mount.to_owned(), key: key.to_owned() }))
}

fn url(place: &str, text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text.trim_end_matches('/')).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.filter(|url| url.has_host() && url.password().is_none())
        .ok_or_else(|| format!("{place}: the address is no URL of a server; write https://vault:8200"))
}

fn auth(
    flags: &Flags,
    variable: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<AuthPlan, String> {
    let method = flags.get("vault.auth-method").unwrap_or("approle");
    if method == "kubernetes" {
        let role = flags.get("vault.kubernetes-role");
        let role = role.ok_or("-vault.kubernetes-role is missing; name the role of Vault to log in with")?;
        let jwt_file = flags.get("vault.kubernetes-token-file").unwrap_or(TOKEN).into();
        let mount = mount(flags.get("vault.kubernetes-path").unwrap_or(identity::MOUNT));
        let method = AuthMethod::Kubernetes { role: role.to_owned(), jwt_file };
        return Ok(AuthPlan { mount, namespace: None, method, wrap_ttl: None });
    }
    if method != "approle" {
        warnings.push(format!(
            "-vault.auth-method={method:?} is no method: AppRole is used; write approle, kubernetes or none"
        ));
    }
    let of = |name: &str, flag: &str| variable(name).or_else(|| flags.get(flag).map(str::to_owned));
    let role_id = of("VAULT_ROLE_ID", "vault.role-id").ok_or(
        "no role id is given; set VAULT_ROLE_ID or -vault.role-id, or -vault.auth-method=kubernetes",
    )?;
    if flags.get("vault.secret-id").is_some() && variable("VAULT_SECRET_ID").is_none() {
        warnings.push(
            "-vault.secret-id shows the secret id in the list of processes; set VAULT_SECRET_ID".to_owned(),
        );
    }
    let secret_id = of("VAULT_SECRET_ID", "vault.secret-id").map(|id| Credential::Given(id.as_str().into()));
    let role_id = Credential::Given(role_id.as_str().into());
    let method = AuthMethod::AppRole { role_id, secret_id, wrapped_by: None };
    let mount = mount(flags.get("vault.approle-path").unwrap_or("approle"));
    Ok(AuthPlan { mount, namespace: None, method, wrap_ttl: None })
}

/// Returns a mount below `auth/`, however its slashes are written.
fn mount(text: &str) -> String {
    text.trim_matches('/').trim_start_matches("auth/").to_owned()
}

fn rules(flags: &Flags, in_azure: bool) -> Result<Rules, String> {
    let kv = match flags.get("vault.engine").unwrap_or("kv2") {
        _ if in_azure => Kv::Azure,
        "kv2" => Kv::Two,
        "kv1" => Kv::One,
        other => return Err(format!("-vault.engine={other:?} is no engine; write kv2 or kv1")),
    };
    let types = names(flags, "secret-types");
    if let Some(never) = types.iter().find(|name| {
        name.starts_with("kubernetes.io/service-account") || name.starts_with("bootstrap.kubernetes.io/")
    }) {
        return Err(format!(
            "-secret-types: Secrets of the type {never} are credentials of the cluster, and never made"
        ));
    }
    let by_namespace = by_namespace(flags, in_azure)?;
    let logs_in = in_azure || by_namespace.is_some() || flags.get("vault.auth-method") != Some("none");
    Ok(Rules { kv, logs_in, by_namespace, types })
}

/// Returns a login for each namespace, in place of the controller's login.
fn by_namespace(flags: &Flags, in_azure: bool) -> Result<Option<NamespaceRoles>, String> {
    let Some(role) = flags.get("namespace-roles") else { return Ok(None) };
    if in_azure {
        return Err(
            "-namespace-roles: roles are of Vault, and -backend=azure-kv asks none; take one of the two out"
                .to_owned(),
        );
    }
    let account = flags.get("namespace-account").unwrap_or("default");
    let account = target_name(account).ok_or_else(|| {
        format!("-namespace-account={account:?} is no name of a service account; write default")
    })?;
    let audience = flags.get("namespace-audience").unwrap_or(identity::AUDIENCE).to_owned();
    let mount = mount(flags.get("vault.kubernetes-path").unwrap_or(identity::MOUNT));
    Ok(Some(NamespaceRoles { account, role: role.to_owned(), mount, audience }))
}

fn most_logins(flags: &Flags) -> Result<usize, String> {
    let Some(text) = flags.get("namespace-logins") else { return Ok(MOST_LOGINS) };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        format!("-namespace-logins={text:?} is no number above 0; write it like {MOST_LOGINS}")
    })
}

/// Reads a list with commas, with or without quotes around it.
fn names(flags: &Flags, flag: &str) -> BTreeSet<String> {
    let list = flags.get(flag).unwrap_or_default().trim().trim_matches('"');
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Reads a duration like Go's `time.ParseDuration`, without signs: `1m30s`, `0.5h`.
fn duration(flags: &Flags, flag: &str, default: Duration) -> Result<Duration, String> {
    let Some(text) = flags.get(flag) else { return Ok(default) };
    let wrong = || format!("-{flag}={text:?} is no duration above 0; write it like 5s or 1m30s");
    let (mut rest, mut sum) = (text, 0.0_f64);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
        rest = &rest[end..];
        let end = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        sum += number * unit;
        rest = &rest[end..];
    }
    Duration::try_from_secs_f64(sum).ok().filter(|duration| !duration.is_zero()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
