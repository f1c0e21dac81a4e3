//! What our containers ask for and may have.

use serde_json::{Map, Value, json};

use crate::annotations::Annotations;
use crate::settings::Settings;

/// The names of annotations, and the resources that they mean.
const RESOURCES: [(&str, &str); 3] = [("cpu", "cpu"), ("mem", "memory"), ("ephemeral", "ephemeral-storage")];

/// Returns the `requests` and the `limits`. An empty annotation leaves a resource out.
pub(super) fn resources(annotations: &Annotations<'_>, settings: &Settings) -> Value {
    let set = |kind: &str, defaults: &std::collections::BTreeMap<String, String>| {
        let mut set = Map::new();
        for (short, name) in RESOURCES {
            let asked = annotations.get(&format!("agent-{kind}-{short}"));
            let value = asked.or(defaults.get(name).map(String::as_str)).filter(|value| !value.is_empty());
            set.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        set
    };
    let mut resources = json!({});
    for (kind, set) in
        [("requests", set("requests", &settings.requests)), ("limits", set("limits", &settings.limits))]
    {
        if !set.is_empty() {
            resources[kind] = Value::Object(set);
        }
    }
    resources
}
