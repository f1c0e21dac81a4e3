//! The sections of the configuration.

use serde_yaml::{Mapping, Value};

use super::{AUTHORITY, AUTHORITY_FILE, put};
use crate::plan::{File, Notify, Plan, Shape, Source};

/// Any user of a container that mounts the volume may read the files: the mount decides who has them.
const MODE: &str = "0644";
const FOLDER_MODE: &str = "0755";
/// An empty file, where a pod asks for no secret.
const NOTHING: &str = ".nothing";

/// Makes a map of texts.
pub(super) fn pairs<const N: usize>(pairs: [(&str, String); N]) -> Value {
    Value::Mapping(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

fn filled(map: Mapping) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Mapping(map))
}

fn text(value: Option<&String>) -> Option<Value> {
    value.map(|text| text.as_str().into())
}

pub(super) fn vault(plan: &Plan) -> Option<Value> {
    let server = &plan.server;
    let authority = plan.authority.is_some().then(|| format!("{AUTHORITY}/{AUTHORITY_FILE}"));
    let mut map = Mapping::new();
    put(&mut map, "address", text(server.address.as_ref()));
    put(&mut map, "namespace", text(server.namespace.as_ref()));
    put(&mut map, "ca_file", text(server.ca_file.as_ref().or(authority.as_ref())));
    put(&mut map, "ca_dir", text(server.ca_dir.as_ref()));
    put(&mut map, "client_cert_file", text(server.client_cert.as_ref()));
    put(&mut map, "client_key_file", text(server.client_key.as_ref()));
    put(&mut map, "server_name", text(server.server_name.as_ref()));
    put(&mut map, "plaintext", server.plaintext.then(|| "anywhere".into()));
    put(&mut map, "proxy", text(server.proxy.as_ref()));
    put(&mut map, "timeout", text(server.timeout.as_ref()));
    put(&mut map, "max_in_flight", server.max_in_flight.map(Into::into));
    filled(map)
}

pub(super) fn auth(plan: &Plan) -> Option<Value> {
    let login = plan.login.as_ref()?;
    let mut map = Mapping::new();
    put(&mut map, "method", Some(login.method.as_str().into()));
    let mount = (login.mount != login.method).then(|| login.mount.as_str().into());
    put(&mut map, "mount", mount);
    for (key, value) in &login.keys {
        put(&mut map, key, Some(value.as_str().into()));
    }
    filled(map)
}

pub(super) fn defaults(plan: &Plan) -> Option<Value> {
    let mut map = Mapping::new();
    if plan.shape != Shape::Exec {
        put(&mut map, "mode", Some(MODE.into()));
        put(&mut map, "dir_mode", Some(FOLDER_MODE.into()));
    }
    put(&mut map, "refresh", text(plan.refresh.as_ref()));
    filled(map)
}

pub(super) fn files(plan: &Plan) -> Option<Value> {
    if plan.is_empty() {
        // The agent refuses a configuration without files, and vault-k8s admits a pod without secrets.
        return Some(Value::Sequence(vec![pairs([
            ("path", NOTHING.to_owned()),
            ("template", String::new()),
        ])]));
    }
    let files: Vec<Value> = plan.files.iter().map(|file| Value::Mapping(one(plan, file))).collect();
    (!files.is_empty()).then_some(Value::Sequence(files))
}

fn one(plan: &Plan, file: &File) -> Mapping {
    let mut map = Mapping::new();
    put(&mut map, "path", Some(file.path.as_str().into()));
    let (key, value) = match &file.source {
        Source::Template(template) => ("template", template),
        Source::TemplateFile(path) => ("template_file", path),
        Source::Secret(secret) => ("secret", secret),
    };
    put(&mut map, key, Some(value.as_str().into()));
    if let Some((left, right)) = &file.delimiters {
        put(&mut map, "delimiters", Some(pairs([("left", left.clone()), ("right", right.clone())])));
    }
    // The agent's word for what Go renders as `<no value>`.
    put(&mut map, "missing_key", file.holes.then(|| "zero".into()));
    put(&mut map, "mode", text(file.mode.as_ref()));
    let names: Vec<Value> = file.notify.iter().map(|notify| name_of(plan, notify).into()).collect();
    // Without the key, every notifier hears of the file.
    let is_silent = !names.is_empty() || !notifiers(plan).is_empty() && plan.notify.is_none();
    put(&mut map, "notify", is_silent.then_some(Value::Sequence(names)));
    map
}

/// Returns each notifier once, in the order of the files.
fn notifiers(plan: &Plan) -> Vec<&Notify> {
    let mut all: Vec<&Notify> = Vec::new();
    for notify in plan.files.iter().filter_map(|file| file.notify.as_ref()).chain(&plan.notify) {
        if !all.contains(&notify) {
            all.push(notify);
        }
    }
    all
}

/// Returns a notifier's name, which is made of its place among all notifiers.
fn name_of(plan: &Plan, notify: &Notify) -> String {
    let place = notifiers(plan).iter().position(|other| *other == notify);
    format!("change-{}", place.unwrap_or_default() + 1)
}

pub(super) fn notify(plan: &Plan) -> Option<Value> {
    let mut map = Mapping::new();
    for notify in notifiers(plan) {
        let value = match notify {
            Notify::Signal { signal, process } => {
                pairs([("signal", signal.clone()), ("process", process.clone())])
            }
            Notify::Command(command) => {
                let words = ["sh", "-c", command].map(Value::from).to_vec();
                let mut map = Mapping::new();
                put(&mut map, "command", Some(Value::Sequence(words)));
                // vault-k8s' init container runs it, too, and goes on where it fails.
                put(&mut map, "on_init", Some(true.into()));
                put(&mut map, "may_fail", Some(true.into()));
                Value::Mapping(map)
            }
        };
        put(&mut map, &name_of(plan, notify), Some(value));
    }
    filled(map)
}

pub(super) fn sinks(plan: &Plan) -> Option<Value> {
    plan.token_file.then(|| Value::Sequence(vec![pairs([("path", "token".to_owned())])]))
}

pub(super) fn exec(plan: &Plan) -> Option<Value> {
    let mut variables = Mapping::new();
    if plan.shape != Shape::Exec {
        return None;
    }
    for (name, secret) in &plan.variables {
        put(&mut variables, name, Some(pairs([("secret", secret.clone())])));
    }
    let mut map = Mapping::new();
    put(&mut map, "env", filled(variables));
    put(&mut map, "resolve_env", plan.resolve_env.then(|| true.into()));
    filled(map)
}

pub(super) fn shutdown(plan: &Plan) -> Option<Value> {
    let mut map = Mapping::new();
    put(&mut map, "revoke", Some(plan.revoke.into()));
    put(&mut map, "delay", (plan.delay > 0).then(|| format!("{}s", plan.delay).into()));
    filled(map)
}

pub(super) fn log(plan: &Plan) -> Option<Value> {
    let mut map = Mapping::new();
    put(&mut map, "level", plan.log_level.map(Into::into));
    put(&mut map, "format", Some(plan.log_format.into()));
    filled(map)
}
