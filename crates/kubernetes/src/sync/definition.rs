//! What a SecretDefinition asks for, after all checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use leasehold::config::plan::Source;
use leasehold_base::request::Request;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::identity::Identity;
use super::restart::Restarts;
use crate::refusal::{Refusal, shown};

/// The annotation of a definition that takes over a Secret of its name that another program made.
pub(crate) const ADOPT: &str = "leasehold.dev/adopt";

/// The types that a Secret may have without `-secret-types`.
const TYPES: [&str; 6] = [
    "Opaque",
    "kubernetes.io/basic-auth",
    "kubernetes.io/dockercfg",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/ssh-auth",
    "kubernetes.io/tls",
];

/// The annotation that `kubectl apply` keeps, which holds the whole definition.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The kind of store that paths belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kv {
    One,
    Two,
    /// Azure Key Vault: a path is the name of a secret.
    Azure,
}

/// The first segment that is put before the paths of SecretDefinitions if they are names in Azure Key Vault.
pub(crate) const AZURE: &str = "azure";

/// A login for each namespace: that of an account in it, with a role whose name may contain the namespace's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceRoles {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) mount: String,
    pub(crate) audience: String,
}

/// The placeholder for the name of the namespace.
pub(crate) const NAMESPACE: &str = "{namespace}";

impl NamespaceRoles {
    fn identity(&self, namespace: &str) -> Identity {
        Identity::Account {
            namespace: namespace.to_owned(),
            account: self.account.clone(),
            role: self.role.replace(NAMESPACE, namespace),
            mount: self.mount.clone(),
            audience: self.audience.clone(),
        }
    }
}

/// How definitions are read, as the operator chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) kv: Kv,
    /// Whether the controller has a login of its own.
    pub(crate) logs_in: bool,
    /// The login that definitions are read with, if that is not the controller's.
    pub(crate) by_namespace: Option<NamespaceRoles>,
    /// Types that are allowed besides [`TYPES`].
    pub(crate) types: BTreeSet<String>,
}

/// The kind of an object that defines a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The kind of secrets-manager.
    SecretDefinition,
    /// Our own kind.
    SyncedSecret,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::SecretDefinition, Self::SyncedSecret];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SecretDefinition => "SecretDefinition",
            Self::SyncedSecret => "SyncedSecret",
        }
    }

    pub(crate) const fn group(self) -> &'static str {
        match self {
            Self::SecretDefinition => "secrets-manager.tuenti.io",
            Self::SyncedSecret => "leasehold.dev",
        }
    }

    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::SecretDefinition => "secretdefinitions",
            Self::SyncedSecret => "syncedsecrets",
        }
    }

    /// Returns the kind's finalizer. The definitions of secrets-manager in a cluster carry its finalizer already.
    pub(crate) const fn finalizer(self) -> &'static str {
        match self {
            Self::SecretDefinition => "secret.finalizer.secrets-manager.tuenti.io",
            Self::SyncedSecret => "leasehold.dev/secret",
        }
    }
}

/// The name of a definition. Every table has it, so copies share its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name)
    }
}

impl Key {
    /// Returns the path of the object itself.
    pub(crate) fn path(&self) -> String {
        let (group, plural) = (self.kind.group(), self.kind.plural());
        format!("/apis/{group}/v1alpha1/namespaces/{}/{plural}/{}", self.namespace, self.name)
    }

    /// Returns the name by which the annotation of its Secret names it.
    pub(crate) fn owner(&self) -> String {
        format!("{}/{}", self.kind.name(), self.name)
    }
}

/// The Secret that is asked for, without its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) kind: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Whether the API server has to refuse changes by other programs.
    pub(crate) immutable: bool,
    /// Whether a Secret that another program made is taken over.
    pub(crate) adopts: bool,
}

/// A definition that can be synced.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) key: Key,
    pub(crate) uid: String,
    /// Counts the changes of the specification.
    pub(crate) generation: i64,
    /// The login that its secrets are read with.
    pub(crate) identity: Arc<Identity>,
    /// How often a secret without a lease is polled; `None` for the controller's period.
    pub(crate) refresh: Option<Duration>,
    pub(crate) target: Target,
    /// Which workloads are restarted when its values change.
    pub(crate) restarts: Restarts,
    /// What each key of the Secret is made of.
    pub(crate) entries: Box<[(String, Source)]>,
    /// The digest of everything that was read, for comparison.
    pub(super) digest: Digest,
}

/// The digest of a specification, by which two of them are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of a JSON value. Its maps are sorted by key, so equal values have the same text.
    pub(super) fn of(spec: &Value) -> Self {
        Self(Sha256::digest(spec.to_string()).into())
    }
}

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && self.uid == other.uid
            && self.target == other.target
            && self.digest == other.digest
    }
}

impl Definition {
    /// Reads a definition.
    ///
    /// # Errors
    /// [`Refusal`] for the first thing that is not possible.
    pub(crate) fn read(key: Key, metadata: &Value, spec: &Value, rules: &Rules) -> Result<Self, Refusal> {
        let target = target(metadata, spec, rules)?;
        let keys = spec["keysMap"].as_object().filter(|keys| !keys.is_empty());
        let keys = keys.ok_or_else(|| {
            Refusal::new("spec.keysMap", "there are no keys", "add one, with a path and a key of Vault")
        })?;
        let entries =
            keys.iter().map(|(name, source)| entry(name, source, rules)).collect::<Result<_, _>>()?;
        let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
        let generation = metadata["generation"].as_i64().unwrap_or_default();
        let own = rules.by_namespace.as_ref().map(|roles| roles.identity(&key.namespace));
        let (identity, refresh) = (Arc::new(own.unwrap_or(Identity::Controller)), None);
        let digest = Digest::of(&spec["keysMap"]);
        let restarts = Restarts::default();
        Ok(Self { key, uid, generation, identity, refresh, target, restarts, entries, digest })
    }
}

fn target(metadata: &Value, spec: &Value, rules: &Rules) -> Result<Target, Refusal> {
    if !rules.logs_in {
        let what = "the controller has no login of its own (-vault.auth-method=none)";
        return Err(Refusal::new(
            "spec",
            what,
            "use a SyncedSecret, or have the operator give the controller a login",
        ));
    }
    let name = spec["name"].as_str().unwrap_or_default();
    let name = target_name(name).ok_or_else(|| {
        let what = format!("{} is no name of a Secret", shown(name));
        Refusal::new("spec.name", what, "use lower case letters, digits, - and ., 253 at most")
    })?;
    let kind = target_type(&spec["type"], "spec.type", rules)?;
    let (labels, mut annotations) = (texts(&metadata["labels"]), texts(&metadata["annotations"]));
    annotations.remove(LAST_APPLIED);
    let adopts = annotations.remove(ADOPT).as_deref() == Some("true");
    // Our own annotations are written last, so that no definition can claim another's Secret by them.
    annotations.retain(|name, _| !name.starts_with("leasehold.dev/"));
    let name = name.into();
    Ok(Target { name, kind, labels, annotations, immutable: false, adopts })
}

pub(super) fn texts(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

fn entry(name: &str, source: &Value, rules: &Rules) -> Result<(String, Source), Refusal> {
    let place = |field: &str| format!("spec.keysMap.{}{field}", shown(name));
    entry_name(name, &place(""))?;
    let path = source["path"].as_str().unwrap_or_default();
    if rules.kv == Kv::Azure {
        return in_azure(name, path, source, &place);
    }
    let request = Request::read(path)
        .map_err(|bad| Refusal::new(place(".path"), bad.to_string(), "write it like secret/data/web"))?;
    if rules.kv == Kv::Two && !request.path.split('/').any(|part| part == "data") {
        let advice = format!("write {}, as Vault's API has it", with_data(&request.path));
        let what = "there is nothing at such a path: paths of KV version 2 have data/ behind the mount";
        return Err(Refusal::new(place(".path"), what, advice));
    }
    let field = source["key"].as_str().unwrap_or_default();
    if field.is_empty() {
        return Err(Refusal::new(place(".key"), "it is empty", "name a key of the secret in Vault"));
    }
    let base64 = is_base64(source, &place)?;
    Ok((name.to_owned(), Source::Field { request, key: field.to_owned(), base64 }))
}

/// Makes a read of the newest version of a secret, whole; the key is ignored, as in secrets-manager.
fn in_azure(
    name: &str,
    path: &str,
    source: &Value,
    place: &dyn Fn(&str) -> String,
) -> Result<(String, Source), Refusal> {
    if path.is_empty() || !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        let what = format!("{} is no name in Key Vault", shown(path));
        return Err(Refusal::new(place(".path"), what, "use letters, digits and dashes"));
    }
    let request = Request::read(&format!("{AZURE}/{path}"))
        .map_err(|bad| Refusal::new(place(".path"), bad.to_string(), "use letters, digits and dashes"))?;
    Ok((name.to_owned(), Source::Value { request, base64: is_base64(source, place)? }))
}

fn is_base64(source: &Value, place: &dyn Fn(&str) -> String) -> Result<bool, Refusal> {
    match source["encoding"].as_str().unwrap_or_default() {
        "" | "text" => Ok(false),
        "base64" => Ok(true),
        other => {
            let what = format!("{} is no encoding", shown(other));
            Err(Refusal::new(place(".encoding"), what, "write base64 or text, or leave it out"))
        }
    }
}

/// Checks the type of a Secret.
pub(super) fn target_type(given: &Value, place: &str, rules: &Rules) -> Result<String, Refusal> {
    let kind = given.as_str().filter(|kind| !kind.is_empty()).unwrap_or("Opaque");
    if TYPES.contains(&kind) || rules.types.contains(kind) {
        return Ok(kind.to_owned());
    }
    let what = format!("Secrets of the type {} are not made", shown(kind));
    let advice = format!("use one of {}, or have the operator add it to -secret-types", TYPES.join(", "));
    Err(Refusal::new(place, what, advice))
}

/// Returns whether Secrets of this type are made whatever the operator configures.
pub(super) fn is_usual(kind: &str) -> bool {
    TYPES.contains(&kind)
}

/// Checks the name of a Secret's key.
pub(super) fn entry_name(name: &str, place: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 253 || matches!(name, "." | "..") || !name.bytes().all(allowed) {
        let advice = "use letters, digits, -, _ and ., 253 at most";
        return Err(Refusal::new(place, "a Secret cannot have a key of this name", advice));
    }
    Ok(())
}

/// Returns the name of a Secret, or of an account, if it is a valid one.
pub(super) fn target_name(name: &str) -> Option<String> {
    is_dns_name(name).then(|| name.to_owned())
}

fn with_data(path: &str) -> String {
    path.split_once('/')
        .map_or_else(|| format!("{path}/data/…"), |(mount, rest)| format!("{mount}/data/{rest}"))
}

/// Returns whether a name is a DNS subdomain, as RFC 1123 defines it.
fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(letters) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests;
