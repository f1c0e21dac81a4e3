//! Which containers of the pod are meant.

use serde_json::Value;

use crate::annotations::Annotations;
use crate::refusal::{Refusal, shown};

/// Returns the names in one list of the pod's containers, such as `initContainers`.
pub(super) fn names<'p>(pod: &'p Value, list: &str) -> impl Iterator<Item = &'p str> {
    pod["spec"][list].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str())
}

/// Returns the containers that an annotation lists, or all containers if it lists none.
pub(super) fn chosen(pod: &Value, annotations: &Annotations<'_>, name: &str) -> Result<Vec<String>, Refusal> {
    let all: Vec<&str> = names(pod, "containers").collect();
    let Some(list) = annotations.text(name) else {
        return Ok(all.into_iter().map(str::to_owned).collect());
    };
    let mut chosen = Vec::new();
    for asked in list.split(',').map(str::trim).filter(|asked| !asked.is_empty()) {
        if !all.contains(&asked) {
            return Err(unknown(annotations, name, asked, &all));
        }
        chosen.push(asked.to_owned());
    }
    Ok(chosen)
}

/// Returns the container whose mounts are copied, if the pod names one.
pub(super) fn to_copy(pod: &Value, annotations: &Annotations<'_>) -> Result<Option<String>, Refusal> {
    const NAME: &str = "agent-copy-volume-mounts";
    let Some(asked) = annotations.text(NAME).map(str::trim) else { return Ok(None) };
    let all: Vec<&str> = names(pod, "containers").chain(names(pod, "initContainers")).collect();
    if all.contains(&asked) {
        Ok(Some(asked.to_owned()))
    } else {
        Err(unknown(annotations, NAME, asked, &all))
    }
}

fn unknown(annotations: &Annotations<'_>, name: &str, asked: &str, all: &[&str]) -> Refusal {
    let what = format!("the pod has no container {}", shown(asked));
    annotations.refusal(name, what, format!("it has {}", all.join(", ")))
}
