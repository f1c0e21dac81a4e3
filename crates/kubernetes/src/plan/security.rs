//! The user of our containers.

use serde_json::Value;

use super::Security;
use crate::annotations::Annotations;
use crate::refusal::Refusal;
use crate::settings::Settings;

const SAME: &str = "agent-run-as-same-user";

/// Reads it; none where our containers get no `securityContext`.
pub(super) fn security(
    pod: &Value,
    annotations: &Annotations<'_>,
    settings: &Settings,
) -> Result<Option<Security>, Refusal> {
    let named =
        ["agent-run-as-user", SAME, "agent-run-as-group"].iter().any(|name| annotations.get(name).is_some());
    let wanted = annotations.flag("agent-set-security-context").unwrap_or(settings.security_context || named);
    if !wanted {
        return Ok(None);
    }
    let mut user = annotations.number("agent-run-as-user").unwrap_or(settings.user);
    if annotations.flag(SAME).unwrap_or(settings.same_user) {
        user = same_user(pod, annotations)?;
    }
    let group = annotations.number("agent-run-as-group").unwrap_or(settings.group);
    Ok(Some(Security { user, group }))
}

/// Returns the user of the first container: the container's own user, or else the pod's.
fn same_user(pod: &Value, annotations: &Annotations<'_>) -> Result<u64, Refusal> {
    let of = |holder: &Value| holder["securityContext"]["runAsUser"].as_u64();
    let user = of(&pod["spec"]["containers"][0]).or_else(|| of(&pod["spec"]));
    match user {
        Some(0) => Err(annotations.refusal(SAME, "the application runs as root", "give it another user")),
        Some(user) => Ok(user),
        None => {
            let what = "neither the first container nor the pod says which user it runs as";
            Err(annotations.refusal(SAME, what, "add securityContext.runAsUser to the pod"))
        }
    }
}
