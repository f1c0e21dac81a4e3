//! The injection: a pure function of the pod, the request and the operator's settings.

use serde_json::Value;

use crate::plan::{self, OWN_NAMES, VAULT_NAMES};
use crate::pod;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// What is known of the request besides the pod.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The namespace that the pod is made in.
    pub namespace: &'a str,
}

/// What becomes of a pod that is admitted.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It stays as it is, and why.
    Untouched(&'static str),
    /// It was injected.
    Injected {
        /// The pod as it is to be.
        pod: Box<Value>,
        /// What the person who applied it should know.
        warnings: Vec<String>,
    },
}

/// Injects Leasehold into a pod that asks for it.
///
/// # Errors
/// [`Refusal`] where the pod asks for something that cannot be.
pub fn inject(pod: &Value, request: Request<'_>, settings: &Settings) -> Result<Outcome, Refusal> {
    if !pod.is_object() {
        return Err(Refusal::new("object", "it is not a pod", "send pods only"));
    }
    if let Some(why) = settled(pod) {
        return Ok(Outcome::Untouched(why));
    }
    let Some((plan, mut warnings)) = plan::plan(pod, settings)? else {
        return Ok(Outcome::Untouched("not asked for"));
    };
    suitable(pod, request)?;
    if plan.is_empty() {
        warnings.push("the pod asks for no secret; add an annotation that names one".to_owned());
    }
    let mut changed = pod.clone();
    pod::assemble(&mut changed, &plan)?;
    Ok(Outcome::Injected { pod: Box::new(changed), warnings })
}

/// Returns why nothing is left to do for a pod, or `None` if there is something to do.
fn settled(pod: &Value) -> Option<&'static str> {
    let annotations = &pod["metadata"]["annotations"];
    if [VAULT_NAMES.status, OWN_NAMES.status].iter().any(|status| annotations[*status] == "injected") {
        return Some("already injected");
    }
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    (!matches!(phase, "" | "Pending")).then_some("already running")
}

/// Refuses what cannot be injected, whatever its annotations say.
fn suitable(pod: &Value, request: Request<'_>) -> Result<(), Refusal> {
    if matches!(request.namespace, "kube-system" | "kube-public") {
        let what = format!("{} is a system namespace, where nothing is injected", request.namespace);
        return Err(Refusal::new(
            "metadata.namespace",
            what,
            "use another namespace, or leave the annotation out",
        ));
    }
    if pod["spec"]["os"]["name"] == "windows" {
        return Err(Refusal::new("spec.os.name", "Leasehold runs on Linux only", "leave the annotation out"));
    }
    let containers = pod["spec"]["containers"].as_array();
    if containers.is_none_or(|list| list.is_empty() || list.iter().any(|entry| !entry["name"].is_string())) {
        return Err(Refusal::new("spec.containers", "there is no list of containers with names", "add one"));
    }
    for list in ["containers", "initContainers", "volumes"] {
        let entries = &pod["spec"][list];
        let good =
            entries.is_null() || entries.as_array().is_some_and(|list| list.iter().all(Value::is_object));
        if !good {
            return Err(Refusal::new(format!("spec.{list}"), "it is not a list of objects", ""));
        }
    }
    Ok(())
}
