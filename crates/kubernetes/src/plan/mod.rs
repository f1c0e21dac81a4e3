//! What the annotations of a pod ask for, after all checks: resolved, valid and immutable. The pod and the configuration
//! of the agent are made from it.

mod commands;
mod containers;
mod files;
mod login;
mod own;
mod resources;
mod security;
mod server;
mod token;
mod variables;
mod vault;

pub(crate) use token::FOLDER as TOKEN_FOLDER;
pub(crate) use variables::FOLDER as VARIABLES_FOLDER;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::annotations::Annotations;
use crate::annotations::table::{OWN, VAULT};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// What the objects in the pod are called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The init container.
    pub(crate) init: &'static str,
    /// The sidecar.
    pub(crate) sidecar: &'static str,
    /// The volume with the files.
    pub(crate) secrets: &'static str,
    /// Where the files are by default.
    pub(crate) folder: &'static str,
    /// The annotation that marks an injected pod.
    pub(crate) status: &'static str,
}

/// For `vault.hashicorp.com`: what people's tools look for.
pub(crate) static VAULT_NAMES: Names = Names {
    init: "vault-agent-init",
    sidecar: "vault-agent",
    secrets: "vault-secrets",
    folder: "/vault/secrets",
    status: "vault.hashicorp.com/agent-inject-status",
};

/// For `leasehold.dev`.
pub(crate) static OWN_NAMES: Names = Names {
    init: "leasehold-init",
    sidecar: "leasehold",
    secrets: "leasehold-secrets",
    folder: "/leasehold/secrets",
    status: "leasehold.dev/status",
};

/// Which containers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An init container, a second container beside the application, or both.
    Classic {
        /// Whether there is an init container.
        init: bool,
        /// Whether there is a sidecar.
        sidecar: bool,
    },
    /// An init container that stays: it starts before the application and stops after it.
    Native,
    /// The application's command runs under Leasehold.
    Exec,
    /// An init container writes a file that the kubelet makes variables of.
    EnvFile,
}

/// How the server is reached.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) address: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) ca_file: Option<String>,
    pub(crate) ca_dir: Option<String>,
    pub(crate) client_cert: Option<String>,
    pub(crate) client_key: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) proxy: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) max_in_flight: Option<u64>,
    pub(crate) plaintext: bool,
}

/// How to log in: keys of `auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) method: String,
    pub(crate) mount: String,
    /// Other keys, in their order.
    pub(crate) keys: Vec<(&'static str, String)>,
}

/// Where the token of the service account comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// The method needs none, or the pod says where it is.
    None,
    /// A volume of our own.
    Projected {
        /// Empty for the API server's own.
        audience: String,
        seconds: u64,
    },
    /// A volume of the pod.
    Volume { name: String, mount: String },
}

/// One file to render.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// Relative to the folder, or absolute in a volume of its own.
    pub(crate) path: String,
    pub(crate) source: Source,
    pub(crate) delimiters: Option<(String, String)>,
    pub(crate) mode: Option<String>,
    /// Whether a missing key renders as `<no value>`.
    pub(crate) holes: bool,
    pub(crate) notify: Option<Notify>,
}

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Template(String),
    TemplateFile(String),
    /// `PATH#KEY` or `PATH`.
    Secret(String),
}

/// What is notified of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notify {
    Signal {
        signal: String,
        process: String,
    },
    /// By a shell of the operator's image.
    Command(String),
}

/// What the configuration is made from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Base {
    /// The annotations.
    Annotations,
    /// YAML in an annotation, upon which the rest is filled in.
    Text(serde_yaml::Mapping),
    /// A ConfigMap of this name, and the files of it that init and the sidecar read.
    ConfigMap { name: String, folder: &'static str, init: &'static str, sidecar: &'static str },
}

/// What is mounted into our containers besides.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Extras {
    pub(crate) tls_secret: Option<String>,
    pub(crate) extra_secret: Option<String>,
    /// The container whose mounts are copied.
    pub(crate) copy_from: Option<String>,
}

/// The user of our containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Security {
    pub(crate) user: u64,
    pub(crate) group: u64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) names: &'static Names,
    pub(crate) shape: Shape,
    pub(crate) image: String,
    pub(crate) base: Base,
    pub(crate) server: Server,
    /// The authority that the operator has set, PEM; none where the pod names one.
    pub(crate) authority: Option<String>,
    /// None where a ConfigMap has it.
    pub(crate) login: Option<Login>,
    pub(crate) token: Token,
    pub(crate) files: Vec<File>,
    /// By their names: `PATH#KEY`.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether values `vault:PATH#KEY` of the containers' own variables are replaced.
    pub(crate) resolve_env: bool,
    /// Where the volume of secrets is mounted.
    pub(crate) folder: String,
    /// Folders of files that have a volume of their own.
    pub(crate) own_folders: Vec<String>,
    /// Whether the login's token is written among the files.
    pub(crate) token_file: bool,
    /// Notified of every change.
    pub(crate) notify: Option<Notify>,
    /// The containers that get the secrets.
    pub(crate) containers: Vec<String>,
    pub(crate) init_first: bool,
    pub(crate) share_processes: Option<bool>,
    pub(crate) extras: Extras,
    pub(crate) security: Option<Security>,
    /// `requests` and `limits`.
    pub(crate) resources: Value,
    pub(crate) revoke: bool,
    /// Seconds between SIGTERM and the end.
    pub(crate) delay: u64,
    /// Whether status, metrics and quit are served on loopback instead of a socket of ours alone.
    pub(crate) on_loopback: bool,
    pub(crate) refresh: Option<String>,
    pub(crate) log_level: Option<&'static str>,
    pub(crate) log_format: &'static str,
    /// A patch for the init container, and one for the sidecar.
    pub(crate) patches: [Option<json_patch::Patch>; 2],
}

/// What was asked for, and what is not fatal.
pub(crate) type Planned = (Plan, Vec<String>);

/// Reads what a pod asks for; none where it asks for nothing.
pub(crate) fn plan(pod: &Value, settings: &Settings) -> Result<Option<Planned>, Refusal> {
    texts_only(pod)?;
    let (vault, own) = (Annotations::of(pod, &VAULT), Annotations::of(pod, &OWN));
    let asks = [asks(&vault, "agent-inject")?, asks(&own, "inject")?];
    if asks.contains(&true) {
        not_too_large(pod)?;
    }
    match asks {
        [false, false] => Ok(None),
        [true, true] => Err(own.refusal(
            "inject",
            "the pod also has vault.hashicorp.com/agent-inject",
            "leave one of the two out",
        )),
        [true, false] => vault::plan(pod, &vault, settings).map(Some),
        [false, true] => own::plan(pod, &own, settings).map(Some),
    }
}

/// The API server takes no more in the annotations of an object, names and values together. It says so only after the
/// webhooks.
const LARGEST: usize = 256 * 1024;

/// Refuses annotations that are too large before anything reads them.
fn not_too_large(pod: &Value) -> Result<(), Refusal> {
    let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    let size: usize = all.map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    if size <= LARGEST {
        return Ok(());
    }
    let what = format!("they have {} KiB, and Kubernetes takes {} KiB", size.div_ceil(1024), LARGEST / 1024);
    Err(Refusal::new("annotations", what, "put templates into a ConfigMap"))
}

/// Refuses annotations that are not text, which YAML without quotes makes: `agent-inject: true`.
fn texts_only(pod: &Value) -> Result<(), Refusal> {
    let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    let ours = |name: &str| [&VAULT, &OWN].iter().any(|table| name.starts_with(table.prefix));
    match all.filter(|(name, _)| ours(name)).find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(Refusal::new(name, "the value of an annotation is text", "put it in quotes")),
        None => Ok(()),
    }
}

fn asks(annotations: &Annotations<'_>, name: &str) -> Result<bool, Refusal> {
    let Some(text) = annotations.get(name) else { return Ok(false) };
    let wrong = || {
        let what = format!("{} is not a boolean", crate::refusal::shown(text));
        annotations.refusal(name, what, "write \"true\" or \"false\"")
    };
    annotations.flag(name).ok_or_else(wrong)
}

impl Plan {
    /// Returns whether the plan asks for no secret at all, as it does while a pod is tried out.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing = self.files.is_empty() && !self.token_file && self.variables.is_empty();
        nothing && self.base == Base::Annotations && self.shape != Shape::Exec
    }

    /// Returns whether a run of the agent stays. A run that stays serves its status and leaves a handoff.
    pub(crate) fn stays(&self) -> bool {
        ![Shape::Classic { init: true, sidecar: false }, Shape::EnvFile].contains(&self.shape)
    }
}
