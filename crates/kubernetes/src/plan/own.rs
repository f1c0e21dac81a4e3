//! From leasehold.dev annotations to a plan.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_yaml::Mapping;

use super::{Base, Extras, File, Login, Notify, OWN_NAMES, Plan, Planned, Server, Shape, Source, Token};
use super::{containers, resources, security, server, token, variables};
use crate::annotations::{Annotations, grammar};
use crate::refusal::{Refusal, shown};
use crate::settings::Settings;

/// Reads the plan.
pub(super) fn plan(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
) -> Result<Planned, Refusal> {
    let mut warnings = annotations.check()?;
    let shape = shape(annotations, settings, &mut warnings);
    let base = base(annotations, settings)?;
    let server = own_server(annotations, settings, &base)?;
    let (login, token) = login(annotations, settings, &base)?;
    let (files, variables) = secrets(annotations, shape)?;
    let notify = notify(annotations)?;
    let plan = Plan {
        names: &OWN_NAMES,
        shape,
        image: settings.image.clone(),
        authority: settings.authority.clone(),
        folder: folder(&base),
        base,
        server,
        login,
        token,
        files,
        variables,
        resolve_env: resolve_env(annotations, shape)?,
        own_folders: Vec::new(),
        token_file: false,
        share_processes: notify.is_some().then_some(true),
        notify,
        containers: containers::chosen(pod, annotations, "containers")?,
        init_first: true,
        extras: Extras::default(),
        security: security::security(pod, annotations, settings)?,
        resources: resources::resources(annotations, settings),
        revoke: !matches!(shape, Shape::Classic { .. }) && settings.revoke.unwrap_or(true),
        delay: 0,
        on_loopback: false,
        refresh: settings.refresh.clone(),
        log_level: None,
        log_format: "json",
        patches: [None, None],
    };
    Ok((plan, warnings))
}

fn shape(annotations: &Annotations<'_>, settings: &Settings, warnings: &mut Vec<String>) -> Shape {
    match annotations.text("mode") {
        Some("init") => Shape::Classic { init: true, sidecar: false },
        Some("classic") => Shape::Classic { init: true, sidecar: true },
        Some("exec") => Shape::Exec,
        Some("env-file") => Shape::EnvFile,
        _ if settings.native_sidecars => Shape::Native,
        _ => {
            let full = annotations.full("mode");
            warnings.push(format!(
                "{full}: the cluster has no native sidecars, so the pod gets the mode classic"
            ));
            Shape::Classic { init: true, sidecar: true }
        }
    }
}

fn base(annotations: &Annotations<'_>, settings: &Settings) -> Result<Base, Refusal> {
    match (annotations.text("config"), annotations.text("config-map")) {
        (Some(_), Some(_)) => Err(annotations.refusal(
            "config-map",
            "the pod also has leasehold.dev/config",
            "leave one of the two out",
        )),
        (Some(text), None) => own_text(annotations, text, settings).map(Base::Text),
        (None, Some(name)) => Ok(Base::ConfigMap {
            name: name.to_owned(),
            folder: "/etc/leasehold",
            init: "leasehold.yaml",
            sidecar: "leasehold.yaml",
        }),
        (None, None) => Ok(Base::Annotations),
    }
}

/// Reads the configuration in an annotation. It may not set the keys that the injection sets.
fn own_text(annotations: &Annotations<'_>, text: &str, settings: &Settings) -> Result<Mapping, Refusal> {
    let wrong = |what: String, advice: &str| annotations.refusal("config", what, advice);
    let levels = nesting(text);
    if levels > DEEPEST {
        let what = format!("it is nested {levels} levels deep, and {DEEPEST} are the most");
        return Err(wrong(what, "write it flatter"));
    }
    let map: Mapping = serde_yaml::from_str(text).map_err(|error| {
        wrong(format!("it is not a map of YAML: {error}"), "write a configuration of Leasehold")
    })?;
    for key in ["handoff", "listen", "listen_tls"] {
        if map.contains_key(key) {
            return Err(wrong(format!("`{key}` is set by the injection"), "leave it out"));
        }
    }
    if let Some(address) = map.get("vault").and_then(|vault| vault.get("address")?.as_str()) {
        server::allowed(address, settings).map_err(|(what, advice)| wrong(what, advice))?;
    }
    Ok(map)
}

/// No configuration comes near. The reader's time grows with the square of the levels, and other pods wait meanwhile.
const DEEPEST: usize = 100;

/// Returns the largest number of brackets that are open at once. Brackets in texts are counted, too, but there are few
/// of them.
fn nesting(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Returns the folder of the files: the one that the configuration names, or else the usual one.
fn folder(base: &Base) -> String {
    let own = match base {
        Base::Text(map) => map.get("secrets_dir").and_then(|folder| folder.as_str()),
        _ => None,
    };
    own.filter(|folder| grammar::is_mount_path(folder)).unwrap_or(OWN_NAMES.folder).to_owned()
}

fn own_server(annotations: &Annotations<'_>, settings: &Settings, base: &Base) -> Result<Server, Refusal> {
    let named = match base {
        Base::Text(map) => map.get("vault").and_then(|vault| vault.get("address")).is_some(),
        Base::ConfigMap { .. } => true,
        Base::Annotations => false,
    };
    if settings.address.is_none() && !named {
        let advice = "ask the operator to set it, or name it in leasehold.dev/config";
        return Err(annotations.refusal("inject", "there is no address of Vault", advice));
    }
    let address = settings.address.clone();
    let plaintext = address.as_deref().is_some_and(|address| address.starts_with("http://"));
    let (namespace, proxy) = (settings.namespace.clone(), settings.proxy.clone());
    Ok(Server {
        address,
        namespace,
        proxy,
        max_in_flight: settings.max_in_flight,
        plaintext,
        ..Server::default()
    })
}

fn login(
    annotations: &Annotations<'_>,
    settings: &Settings,
    base: &Base,
) -> Result<(Option<Login>, Token), Refusal> {
    let role = annotations.text("role");
    let has_login = match base {
        Base::Text(map) => map.contains_key("auth"),
        Base::ConfigMap { .. } => role.is_none(),
        Base::Annotations => false,
    };
    if has_login {
        return Ok((None, token::own(settings)));
    }
    let Some(role) = role else {
        return Err(annotations.refusal("role", "there is no role to log in with", "add the annotation"));
    };
    let mount = settings.auth_path.trim_matches('/');
    let mount = mount.strip_prefix("auth/").unwrap_or(mount).to_owned();
    let keys = vec![("role", role.to_owned()), ("jwt_file", format!("{}/token", token::FOLDER))];
    let method = if settings.auth_type == "jwt" { "jwt" } else { "kubernetes" }.to_owned();
    Ok((Some(Login { method, mount, keys }), token::own(settings)))
}

/// Returns whether the containers' own variables are searched for names of secrets. Only the parent of a process can do
/// that, so it needs exec mode.
fn resolve_env(annotations: &Annotations<'_>, shape: Shape) -> Result<bool, Refusal> {
    let asked = annotations.flag("resolve-env") == Some(true);
    if asked && shape != Shape::Exec {
        let what = "the variables of a container are changed in exec mode only";
        return Err(annotations.refusal("resolve-env", what, "add leasehold.dev/mode: exec"));
    }
    Ok(asked)
}

/// Reads the secrets: as files, in exec mode as variables, and for variables by files as both.
fn secrets(
    annotations: &Annotations<'_>,
    shape: Shape,
) -> Result<(Vec<File>, BTreeMap<String, String>), Refusal> {
    let (mut files, mut named) = (Vec::new(), BTreeMap::new());
    for (name, secret) in annotations.each("secret") {
        let place = format!("secret-{name}");
        if secret.trim().is_empty() {
            return Err(annotations.refusal(&place, "it names no secret", "write PATH#KEY"));
        }
        let secret = secret.trim().to_owned();
        if matches!(shape, Shape::Exec | Shape::EnvFile) && !is_variable(name) {
            let what = format!("{} is no name of a variable", shown(name));
            let advice = "use letters, digits and `_`, such as secret-DB_PASSWORD";
            return Err(annotations.refusal(&place, what, advice));
        }
        if shape == Shape::EnvFile {
            let parts = secret.split_once('#').filter(|(path, key)| !path.is_empty() && !key.is_empty());
            let Some((path, key)) = parts else {
                return Err(annotations.refusal(&place, "a variable has one value", "write PATH#KEY"));
            };
            files.push(variables::file(name, path, key));
            named.insert(name.to_owned(), secret);
        } else if shape != Shape::Exec {
            let source = Source::Secret(secret);
            files.push(File {
                path: name.to_owned(),
                source,
                delimiters: None,
                mode: None,
                holes: false,
                notify: None,
            });
        } else {
            named.insert(name.to_owned(), secret);
        }
    }
    Ok((files, named))
}

fn is_variable(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn notify(annotations: &Annotations<'_>) -> Result<Option<Notify>, Refusal> {
    let Some(text) = annotations.text("notify-signal") else { return Ok(None) };
    match text.split_once(':') {
        Some((signal, process)) if !signal.trim().is_empty() && !process.trim().is_empty() => {
            let signal = signal.trim().trim_start_matches("SIG").to_owned();
            Ok(Some(Notify::Signal { signal, process: process.trim().to_owned() }))
        }
        _ => {
            let what = format!("{} is not SIGNAL:PROCESS", shown(text));
            Err(annotations.refusal("notify-signal", what, "write it such as \"HUP:nginx\""))
        }
    }
}
