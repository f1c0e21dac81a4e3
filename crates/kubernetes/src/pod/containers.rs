//! Our containers.

use serde_json::{Value, json};

use super::{list, mounts};
use crate::configuration;
use crate::plan::{Base, Plan, Security, Shape};
use crate::refusal::Refusal;

/// The binary in our image.
const PROGRAM: &str = "/usr/local/bin/leasehold";

/// What one of our containers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Renders everything and ends.
    Init,
    /// Keeps it true, beside the application.
    Sidecar,
    /// The same as an init container that stays.
    Native,
}

/// Returns the names of the containers that a plan adds.
pub(super) fn names(plan: &Plan) -> Vec<&'static str> {
    match plan.shape {
        Shape::Exec => vec![super::exec::INSTALL],
        _ => roles(plan.shape).into_iter().map(|role| name(plan, role)).collect(),
    }
}

fn roles(shape: Shape) -> Vec<Role> {
    match shape {
        Shape::Native => vec![Role::Native],
        Shape::Classic { init, sidecar } => {
            let both = [init.then_some(Role::Init), sidecar.then_some(Role::Sidecar)];
            both.into_iter().flatten().collect()
        }
        Shape::EnvFile => vec![Role::Init],
        Shape::Exec => Vec::new(),
    }
}

fn name(plan: &Plan, role: Role) -> &'static str {
    if role == Role::Init { plan.names.init } else { plan.names.sidecar }
}

/// Adds our containers to the pod.
pub(super) fn add(pod: &mut Value, plan: &Plan, copied: &[Value]) -> Result<(), Refusal> {
    let text = configuration::text(plan, None)?;
    for role in roles(plan.shape) {
        let container = patched(container(plan, role, &text, copied), plan, role)?;
        match role {
            Role::Sidecar => list(pod, "containers").push(container),
            Role::Init | Role::Native if plan.init_first => list(pod, "initContainers").insert(0, container),
            Role::Init | Role::Native => list(pod, "initContainers").push(container),
        }
    }
    Ok(())
}

fn container(plan: &Plan, role: Role, text: &str, copied: &[Value]) -> Value {
    let command = if role == Role::Init { "init" } else { "sidecar" };
    let mut container = json!({
        "name": name(plan, role),
        "image": plan.image,
        "args": [command],
        "env": environment(plan, role, text),
        "resources": plan.resources,
        "volumeMounts": mounts::ours(plan, copied),
        // The last line says what is wrong, and `kubectl describe` shows it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    if let Some(security) = plan.security {
        container["securityContext"] = security_context(security);
    }
    if role != Role::Init {
        container["livenessProbe"] = probe("--live", 30, 3);
    }
    if role == Role::Native {
        container["restartPolicy"] = json!("Always");
        container["startupProbe"] = probe("--ready", 1, 120);
    }
    container
}

/// Makes a probe that runs the binary itself, because the image has no shell and the endpoint may be a socket.
fn probe(asks: &str, period: u64, failures: u64) -> Value {
    json!({
        "exec": {"command": [PROGRAM, "status", asks]},
        "periodSeconds": period,
        "timeoutSeconds": 10,
        "failureThreshold": failures,
    })
}

/// Makes the security context of a container of ours. The restricted Pod Security Standard holds for the container,
/// whatever the pod itself says.
pub(super) fn security_context(security: Security) -> Value {
    json!({
        "runAsUser": security.user,
        "runAsGroup": security.group,
        "runAsNonRoot": security.user != 0 && security.group != 0,
        "readOnlyRootFilesystem": true,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

fn environment(plan: &Plan, role: Role, text: &str) -> Value {
    let mut variables = Vec::new();
    if let Base::ConfigMap { folder, init, sidecar, .. } = &plan.base {
        let file = if role == Role::Init { init } else { sidecar };
        variables.push(json!({"name": "LEASEHOLD_CONFIG", "value": format!("{folder}/{file}")}));
    }
    variables.push(configuration_variable(text));
    Value::Array(variables)
}

/// Kubernetes replaces `$(NAME)` in values, and templates may have that: two dollars are one.
pub(super) fn configuration_variable(text: &str) -> Value {
    json!({"name": "LEASEHOLD_CONFIG_YAML", "value": text.replace('$', "$$")})
}

/// A few operations that copy the whole into itself make a container that no memory holds.
const LARGEST: usize = 512 * 1024;

/// Estimates the size of a value in bytes.
fn size(value: &Value) -> usize {
    const NODE: usize = 4;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    }
}

/// Returns the container after the pod's own patch is applied to it.
fn patched(mut container: Value, plan: &Plan, role: Role) -> Result<Value, Refusal> {
    let [init, sidecar] = &plan.patches;
    let (patch, annotation) = match role {
        Role::Init => (init, "vault.hashicorp.com/agent-init-json-patch"),
        Role::Sidecar | Role::Native => (sidecar, "vault.hashicorp.com/agent-json-patch"),
    };
    let Some(patch) = patch else { return Ok(container) };
    let wrong =
        |what: String| Refusal::new(annotation, what, "compare its paths with the container's fields");
    for operation in &patch.0 {
        json_patch::patch(&mut container, std::slice::from_ref(operation))
            .map_err(|error| wrong(format!("it does not apply: {error}")))?;
        if size(&container) > LARGEST {
            return Err(wrong(format!("it makes a container of more than {} KiB", LARGEST / 1024)));
        }
    }
    if container["name"].as_str().is_none_or(str::is_empty) {
        return Err(wrong("it leaves the container without a name".to_owned()));
    }
    Ok(container)
}
