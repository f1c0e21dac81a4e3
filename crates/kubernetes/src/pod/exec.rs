//! Exec mode: the application's command runs under Leasehold, with the secrets in its environment.

use serde_json::{Value, json};

use super::{containers, list, mounts, volumes};
use crate::configuration;
use crate::plan::Plan;
use crate::refusal::Refusal;

/// The init container that copies the program: the image of Leasehold has no shell.
pub(super) const INSTALL: &str = "leasehold-install";
/// Where the program is.
const FOLDER: &str = "/leasehold/bin";

/// Wraps the command of every chosen container.
pub(super) fn wrap(pod: &mut Value, plan: &Plan) -> Result<(), Refusal> {
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        if plan.containers.contains(&name) {
            wrap_one(container, &name, plan)?;
        }
    }
    list(pod, "initContainers").insert(0, install(plan));
    Ok(())
}

fn wrap_one(container: &mut Value, name: &str, plan: &Plan) -> Result<(), Refusal> {
    let Some(command) = container["command"].as_array().filter(|command| !command.is_empty()).cloned() else {
        let what =
            format!("the container {name:?} has no `command`, and the webhook does not look into its image");
        let advice = "write the image's own entry point as `command`: `docker inspect` shows it";
        return Err(Refusal::new("spec.containers", what, advice));
    };
    let arguments = container["args"].as_array().cloned().unwrap_or_default();
    container["command"] = json!([format!("{FOLDER}/leasehold"), "exec", "--"]);
    container["args"] = Value::Array(command.into_iter().chain(arguments).collect());
    set_variable(container, containers::configuration_variable(&configuration::text(plan, Some(name))?));
    let mut mounts = vec![json!({"name": volumes::PROGRAM, "mountPath": FOLDER, "readOnly": true})];
    mounts.extend(mounts::private(plan));
    mounts::add(container, "containers", mounts)
}

/// Sets a variable, also where the container has one of its name.
fn set_variable(container: &mut Value, variable: Value) {
    if !container["env"].is_array() {
        container["env"] = json!([]);
    }
    if let Some(variables) = container["env"].as_array_mut() {
        variables.retain(|other| other["name"] != variable["name"]);
        variables.push(variable);
    }
}

fn install(plan: &Plan) -> Value {
    let mut container = json!({
        "name": INSTALL,
        "image": plan.image,
        "args": ["install", format!("{FOLDER}/leasehold")],
        "resources": plan.resources,
        "volumeMounts": [{"name": volumes::PROGRAM, "mountPath": FOLDER}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    if let Some(security) = plan.security {
        container["securityContext"] = containers::security_context(security);
    }
    container
}
