//! What holds for every pod that was injected.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{container, mounts, run};
use crate::inject::Outcome;
use crate::patch::patch;

/// Ours, whatever a patch may have renamed.
const OURS: [&str; 5] =
    ["vault-agent", "vault-agent-init", "leasehold", "leasehold-init", "leasehold-install"];
/// Volumes that only our containers mount.
const PRIVATE: [&str; 2] = ["leasehold-handoff", "leasehold-token"];

/// Returns everything that does not hold.
pub(super) fn broken(before: &Value, after: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let mut patched = before.clone();
    let operations = serde_json::from_value::<json_patch::Patch>(patch(before, after)).expect("a patch");
    json_patch::patch(&mut patched, &operations).expect("the patch applies");
    broken.extend((patched != *after).then(|| "the patch makes another pod".to_owned()));
    let again = matches!(run(after), Ok(Outcome::Untouched("already injected")));
    broken.extend((!again).then(|| "a second injection is not left out".to_owned()));
    broken.extend(names_and_mounts(after));
    broken.extend(private_volumes(before, after));
    broken.extend(OURS.iter().filter_map(|name| container(after, name)).filter_map(unrestricted));
    broken
}

fn all(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"].into_iter().filter_map(|list| pod["spec"][list].as_array()).flatten()
}

/// Returns what the API server would refuse about names and mounts.
fn names_and_mounts(pod: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    let unique = |values: Vec<String>| values.iter().collect::<BTreeSet<_>>().len() == values.len();
    let volumes: Vec<String> = pod["spec"]["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|volume| volume["name"].to_string())
        .collect();
    for container in all(pod) {
        let paths = mounts(container).iter().map(|mount| mount["mountPath"].to_string()).collect();
        broken.extend(
            (!unique(paths)).then(|| format!("{} mounts two things at one place", container["name"])),
        );
    }
    let names = all(pod).map(|container| container["name"].to_string()).collect();
    broken.extend((!unique(names)).then(|| "two containers of one name".to_owned()));
    broken.extend((!unique(volumes)).then(|| "two volumes of one name".to_owned()));
    broken
}

/// Returns which of the application's containers mount a volume that is Leasehold's. The application's containers are
/// those that were there before.
fn private_volumes(before: &Value, after: &Value) -> Vec<String> {
    let theirs: Vec<&Value> = all(before).map(|container| &container["name"]).collect();
    let exec = container(after, "leasehold-install").is_some();
    let applications = all(after).filter(|container| theirs.contains(&&container["name"]) && !exec);
    let private = |container: &&Value| {
        mounts(container).iter().any(|mount| PRIVATE.iter().any(|volume| mount["name"] == **volume))
    };
    applications.filter(private).map(|it| format!("{} mounts what is Leasehold's", it["name"])).collect()
}

/// Returns a complaint if a container has a security context, but not all that the restricted Pod Security Standard
/// asks for.
fn unrestricted(container: &Value) -> Option<String> {
    let security = &container["securityContext"];
    let restricted = security["allowPrivilegeEscalation"] == false
        && security["capabilities"]["drop"] == serde_json::json!(["ALL"])
        && security["seccompProfile"]["type"] == "RuntimeDefault"
        && (security["runAsNonRoot"] == true || security["runAsUser"] == 0 || security["runAsGroup"] == 0);
    (security.is_object() && !restricted).then(|| format!("{} is not restricted", container["name"]))
}
