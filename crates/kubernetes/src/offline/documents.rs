//! Pods in the documents of a file: pods themselves, and the templates of what makes pods.

use serde::Deserialize as _;
use serde_json::Value;

/// Where the pod of a kind is: a path of keys; none for the pod itself.
const KINDS: [(&str, &[&str]); 9] = [
    ("Pod", &[]),
    ("PodTemplate", &["template"]),
    ("Deployment", &["spec", "template"]),
    ("ReplicaSet", &["spec", "template"]),
    ("ReplicationController", &["spec", "template"]),
    ("StatefulSet", &["spec", "template"]),
    ("DaemonSet", &["spec", "template"]),
    ("Job", &["spec", "template"]),
    ("CronJob", &["spec", "jobTemplate", "spec", "template"]),
];

/// Reads the documents of a YAML or JSON file; empty ones are left out.
///
/// # Errors
/// What is wrong with the first one that cannot be read.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let number = documents.len() + 1;
        let value = Value::deserialize(document).map_err(|error| format!("document {number}: {error}"))?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// Calls `change` with every pod of an object, and what it is called in messages.
///
/// # Errors
/// The first that `change` returns.
pub(super) fn each_pod<E>(
    object: &mut Value,
    change: &mut dyn FnMut(&mut Value, &str, &str) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        return items.iter_mut().try_for_each(|item| each_pod(item, change));
    }
    let Some((kind, path)) = KINDS.iter().find(|(kind, _)| object["kind"] == *kind) else { return Ok(()) };
    let text = |name: &str| object["metadata"][name].as_str().map(str::to_owned);
    let name = text("name").or_else(|| text("generateName")).unwrap_or_else(|| "without a name".to_owned());
    let namespace = text("namespace").unwrap_or_else(|| "default".to_owned());
    let pod = path.iter().try_fold(object, |inner, key| inner.get_mut(*key));
    match pod {
        Some(pod) => change(pod, &format!("{kind} {name}"), &namespace),
        None => Ok(()),
    }
}

/// Writes documents as YAML, in the order in which they came.
pub(super) fn write(documents: &[Value]) -> Result<String, String> {
    let texts: Result<Vec<String>, _> = documents.iter().map(serde_yaml::to_string).collect();
    texts.map(|texts| texts.join("---\n")).map_err(|error| error.to_string())
}
