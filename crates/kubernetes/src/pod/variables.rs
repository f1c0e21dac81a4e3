//! Variables by files: the kubelet reads them from a volume that the application does not mount.

use serde_json::{Value, json};

use super::volumes;
use crate::plan::Plan;
use crate::refusal::Refusal;

/// Gives every chosen container the variables.
pub(super) fn refer(pod: &mut Value, plan: &Plan) -> Result<(), Refusal> {
    for container in pod["spec"]["containers"].as_array_mut().into_iter().flatten() {
        let name = container["name"].as_str().unwrap_or_default().to_owned();
        if !plan.containers.contains(&name) {
            continue;
        }
        if !container["env"].is_array() {
            container["env"] = json!([]);
        }
        let Some(there) = container["env"].as_array_mut() else { continue };
        for variable in plan.variables.keys() {
            if there.iter().any(|other| other["name"] == *variable) {
                let what = format!("the container {name:?} already has the variable {variable}");
                let advice = "leave one of the two out, or choose containers with leasehold.dev/containers";
                return Err(Refusal::new("spec.containers", what, advice));
            }
            there.push(json!({
                "name": variable,
                "valueFrom": {"fileKeyRef": {
                    "volumeName": volumes::VARIABLES, "path": variable, "key": variable, "optional": false,
                }},
            }));
        }
    }
    Ok(())
}
