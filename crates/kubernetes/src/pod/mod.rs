//! The pod: containers, mounts and volumes are added to what is there. Nothing else of it is touched, so a field that
//! this program does not know stays.

mod containers;
mod exec;
mod mounts;
mod variables;
mod volumes;

use serde_json::{Value, json};

use crate::plan::{Plan, Shape};
use crate::refusal::Refusal;

/// Adds everything that the plan asks for.
pub(crate) fn assemble(pod: &mut Value, plan: &Plan) -> Result<(), Refusal> {
    no_conflicts(pod, plan)?;
    mounts::give_to_the_application(pod, plan)?;
    let copied = mounts::copied(pod, plan);
    match plan.shape {
        Shape::Exec => exec::wrap(pod, plan)?,
        Shape::EnvFile => {
            variables::refer(pod, plan)?;
            containers::add(pod, plan, &copied)?;
        }
        _ => containers::add(pod, plan, &copied)?,
    }
    list(pod, "volumes").extend(volumes::volumes(plan));
    if let Some(share) = plan.share_processes {
        pod["spec"]["shareProcessNamespace"] = json!(share);
    }
    annotate(pod, plan);
    Ok(())
}

/// Returns a list of the pod's specification, and makes the list if it is missing.
fn list<'p>(pod: &'p mut Value, name: &str) -> &'p mut Vec<Value> {
    let list = &mut pod["spec"][name];
    if !list.is_array() {
        *list = json!([]);
    }
    list.as_array_mut().expect("it was made an array above")
}

/// Returns whether a list of the pod's specification has an entry of this name.
fn has(pod: &Value, list: &str, name: &str) -> bool {
    pod["spec"][list].as_array().into_iter().flatten().any(|entry| entry["name"] == name)
}

/// Refuses a pod that has names of ours, but was not injected.
fn no_conflicts(pod: &Value, plan: &Plan) -> Result<(), Refusal> {
    let taken = |name: &str| has(pod, "containers", name) || has(pod, "initContainers", name);
    let container = containers::names(plan).into_iter().find(|name| taken(name));
    let volume = volumes::volumes(plan).into_iter().find_map(|volume| {
        let name = volume["name"].as_str()?.to_owned();
        has(pod, "volumes", &name).then_some(name)
    });
    let conflict = |list: &str, name: &str| {
        let what = format!("the pod already has {name:?}, which the injection adds");
        Refusal::new(format!("spec.{list}"), what, "give the pod's own another name")
    };
    match (container, volume) {
        (Some(name), _) => Err(conflict("containers", name)),
        (None, Some(name)) => Err(conflict("volumes", &name)),
        (None, None) => Ok(()),
    }
}

/// Marks the pod as injected.
fn annotate(pod: &mut Value, plan: &Plan) {
    let annotations = &mut pod["metadata"]["annotations"];
    annotations[plan.names.status] = json!("injected");
    if let Some(authority) = &plan.authority {
        annotations[volumes::AUTHORITY_ANNOTATION] = json!(authority);
    }
}
