//! What is mounted where.

use serde_json::{Value, json};

use super::volumes;
use crate::configuration::{AUTHORITY, HANDOFF};
use crate::plan::{Base, Plan, Shape, Token, VARIABLES_FOLDER};
use crate::refusal::Refusal;

/// Mounts of these are never copied: the service account's token is its container's own.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn mount(volume: &str, path: &str, read_only: bool) -> Value {
    if read_only {
        json!({"name": volume, "mountPath": path, "readOnly": true})
    } else {
        json!({"name": volume, "mountPath": path})
    }
}

/// Mounts the files, read-only, into the containers that are to have them, and into all init containers of the pod's
/// own.
pub(super) fn give_to_the_application(pod: &mut Value, plan: &Plan) -> Result<(), Refusal> {
    if matches!(plan.shape, Shape::Exec | Shape::EnvFile) {
        return Ok(());
    }
    for list in ["containers", "initContainers"] {
        let containers = pod["spec"][list].as_array_mut().into_iter().flatten();
        let chosen = |container: &&mut Value| {
            let name = container["name"].as_str().unwrap_or_default();
            list == "initContainers" || plan.containers.iter().any(|chosen| chosen == name)
        };
        for container in containers.filter(chosen) {
            add(container, list, secrets(plan, true))?;
        }
    }
    Ok(())
}

/// Returns the mounts of the volumes of files.
fn secrets(plan: &Plan, read_only: bool) -> Vec<Value> {
    if plan.shape == Shape::EnvFile {
        return vec![mount(volumes::VARIABLES, VARIABLES_FOLDER, read_only)];
    }
    let own = plan.own_folders.iter().enumerate();
    let own = own.map(|(number, folder)| mount(&volumes::own_folder(number), folder, read_only));
    std::iter::once(mount(plan.names.secrets, &plan.folder, read_only)).chain(own).collect()
}

/// Adds mounts to a container, which must not have others at the same places.
pub(super) fn add(container: &mut Value, list: &str, mounts: Vec<Value>) -> Result<(), Refusal> {
    if !container["volumeMounts"].is_array() {
        container["volumeMounts"] = json!([]);
    }
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let Some(there) = container["volumeMounts"].as_array_mut() else { return Ok(()) };
    for mount in mounts {
        if there.contains(&mount) {
            continue;
        }
        if there.iter().any(|other| other["mountPath"] == mount["mountPath"]) {
            let what = format!("the container {name:?} already mounts something at {}", mount["mountPath"]);
            let advice = "move it, or the files with vault.hashicorp.com/secret-volume-path";
            return Err(Refusal::new(format!("spec.{list}"), what, advice));
        }
        there.push(mount);
    }
    Ok(())
}

/// Returns the mounts that the plan has our containers copy from one of the pod's containers.
pub(super) fn copied(pod: &Value, plan: &Plan) -> Vec<Value> {
    let Some(name) = &plan.extras.copy_from else { return Vec::new() };
    let all = ["containers", "initContainers"].into_iter().filter_map(|list| pod["spec"][list].as_array());
    let from = all.flatten().find(|container| container["name"] == *name);
    let mounts = from.and_then(|container| container["volumeMounts"].as_array()).into_iter().flatten();
    let own = |mount: &&Value| mount["mountPath"] != SERVICE_ACCOUNT && !is_of_files(plan, mount);
    mounts.filter(own).cloned().collect()
}

fn is_of_files(plan: &Plan, mount: &Value) -> bool {
    secrets(plan, true).iter().any(|ours| ours["name"] == mount["name"])
}

/// Returns the mounts of our containers.
pub(super) fn ours(plan: &Plan, copied: &[Value]) -> Vec<Value> {
    let mut mounts = secrets(plan, false);
    mounts.extend(private(plan));
    for extra in copied {
        if !mounts.iter().any(|mount| mount["mountPath"] == extra["mountPath"]) {
            mounts.push(extra.clone());
        }
    }
    mounts
}

/// Returns the mounts that only Leasehold has: the handoff, the token, the authority and the configuration.
pub(super) fn private(plan: &Plan) -> Vec<Value> {
    let mut mounts = Vec::from_iter(plan.stays().then(|| mount(volumes::HANDOFF, HANDOFF, false)));
    match &plan.token {
        Token::Projected { .. } => mounts.push(mount(volumes::TOKEN, crate::plan::TOKEN_FOLDER, true)),
        Token::Volume { name, mount: place } => mounts.push(mount(name, place, true)),
        Token::None => {}
    }
    if plan.authority.is_some() {
        mounts.push(mount(volumes::AUTHORITY, AUTHORITY, true));
    }
    if let Base::ConfigMap { folder, .. } = &plan.base {
        mounts.push(mount(volumes::CONFIG, folder, true));
    }
    if plan.extras.tls_secret.is_some() {
        mounts.push(mount(volumes::TLS, "/vault/tls", true));
    }
    if plan.extras.extra_secret.is_some() {
        mounts.push(mount(volumes::EXTRA, "/vault/custom", true));
    }
    mounts
}
