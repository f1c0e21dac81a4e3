//! What the operator decides for all pods: the environment of vault-k8s' injector, and a YAML file of our own.

mod environment;
mod file;
mod injector;

pub use environment::VARIABLES;
pub(crate) use injector::flags;

use std::collections::BTreeMap;

/// The operator's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Our image.
    pub image: String,
    /// Images that a pod may ask for instead: whole names, or beginnings that end in `*`.
    pub allowed_images: Vec<String>,
    /// Whether our image has a shell for commands that a pod asks for.
    pub image_has_shell: bool,
    /// The address of Vault where a pod names none.
    pub address: Option<String>,
    /// The addresses that a pod may name, where there is a list: whole, or beginnings that end in `*`.
    pub allowed_addresses: Option<Vec<String>>,
    /// The authority of the server's certificate, PEM.
    pub authority: Option<String>,
    /// The namespace of Vault.
    pub namespace: Option<String>,
    /// The proxy to Vault.
    pub proxy: Option<String>,
    /// The login method where a pod names none.
    pub auth_type: String,
    /// The mount of the login method where a pod names none.
    pub auth_path: String,
    /// The audience of the pods' own tokens; empty for the API server's own.
    pub token_audience: String,
    /// How long such a token lives, in seconds.
    pub token_seconds: u64,
    /// The user of our containers.
    pub user: u64,
    /// Their group.
    pub group: u64,
    /// Whether they get the user of the first container.
    pub same_user: bool,
    /// Whether they get a `securityContext`.
    pub security_context: bool,
    /// What a secret without a template renders as: `map` or `json`.
    pub default_template: String,
    /// Whether sidecars revoke at their end; none where each shape has its own default.
    pub revoke: Option<bool>,
    /// How often secrets without an end of their own are polled: a duration of Leasehold.
    pub refresh: Option<String>,
    /// How many requests may be under way at once.
    pub max_in_flight: Option<u64>,
    /// What our containers ask for: `cpu`, `memory`, `ephemeral-storage`.
    pub requests: BTreeMap<String, String>,
    /// And may have.
    pub limits: BTreeMap<String, String>,
    /// Whether the cluster knows native sidecars (Kubernetes 1.29 and later).
    pub native_sidecars: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            image: concat!("leasehold:", env!("CARGO_PKG_VERSION")).to_owned(),
            allowed_images: Vec::new(),
            image_has_shell: false,
            address: None,
            allowed_addresses: None,
            authority: None,
            namespace: None,
            proxy: None,
            auth_type: "kubernetes".to_owned(),
            auth_path: "auth/kubernetes".to_owned(),
            token_audience: "vault".to_owned(),
            token_seconds: 3600,
            user: 100,
            group: 1000,
            same_user: false,
            security_context: true,
            default_template: "map".to_owned(),
            revoke: None,
            refresh: None,
            max_in_flight: None,
            // docs/BENCHMARKS.md has what it takes for how many files.
            requests: [("cpu", "5m"), ("memory", "16Mi")].map(owned).into(),
            limits: [("memory", "64Mi")].map(owned).into(),
            native_sidecars: true,
        }
    }
}

/// Settings that cannot be used: what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// The variable or the file.
    pub place: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Unusable {}

impl Settings {
    /// Reads the settings of an environment, and lays those of a YAML file upon them. The notes name what has no
    /// effect.
    ///
    /// # Errors
    /// [`Unusable`] with the first thing that is wrong.
    pub fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        file: Option<(&str, &[u8])>,
    ) -> Result<(Self, Vec<String>), Unusable> {
        let mut settings = Self::default();
        let notes = environment::apply(variable, &mut settings)?;
        if let Some((name, bytes)) = file {
            file::apply(name, bytes, &mut settings)?;
        }
        Ok((settings, notes))
    }
}

/// Returns whether a list has `name`. The list's entries are whole names, or beginnings that end in `*`.
pub(crate) fn allows(list: &[String], name: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => entry.trim_end_matches('/') == name.trim_end_matches('/'),
    })
}

#[cfg(test)]
mod tests;
