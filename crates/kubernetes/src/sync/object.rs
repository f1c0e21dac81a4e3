//! A definition as the API server has it, without what nobody here reads.
//!
//! kube's controller keeps every object as long as it is there. As trees of JSON they take ten times the memory of their
//! text, most of it for the account of who set which field (`managedFields`).

use std::borrow::Cow;

use kube::Resource;
use kube::core::{DynamicResourceScope, ObjectMeta};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::definition::{Key, Kind, LAST_APPLIED};

/// A definition of either kind. [`Kind`] says which, since both are read alike.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Object {
    #[serde(default, deserialize_with = "slim")]
    metadata: ObjectMeta,
    /// Its specification as JSON.
    #[serde(default, deserialize_with = "text")]
    spec: Box<str>,
    /// Its status says that it has a Secret that can be used.
    #[serde(default, rename = "status", deserialize_with = "has_secret")]
    pub(crate) has_secret: bool,
}

impl Object {
    pub(crate) fn key(&self, kind: Kind) -> Key {
        let text = |part: &Option<String>| part.as_deref().unwrap_or_default().into();
        Key { kind, namespace: text(&self.metadata.namespace), name: text(&self.metadata.name) }
    }

    pub(crate) fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Returns its metadata and its specification, as trees of JSON.
    pub(crate) fn read(&self) -> (Value, Value) {
        let metadata = serde_json::to_value(&self.metadata).unwrap_or_default();
        (metadata, serde_json::from_str(&self.spec).unwrap_or_default())
    }
}

fn slim<'de, D: Deserializer<'de>>(input: D) -> Result<ObjectMeta, D::Error> {
    let mut metadata = ObjectMeta::deserialize(input)?;
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
    Ok(metadata)
}

fn text<'de, D: Deserializer<'de>>(input: D) -> Result<Box<str>, D::Error> {
    Ok(Value::deserialize(input)?.to_string().into())
}

fn has_secret<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    let status = Value::deserialize(input)?;
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    Ok(conditions.any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

impl Resource for Object {
    type DynamicType = Kind;
    type Scope = DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.name().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.group().into()
    }

    fn version(_: &Kind) -> Cow<'_, str> {
        "v1alpha1".into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_kept_without_what_nobody_reads() {
        let whole = json!({
            "apiVersion": "leasehold.dev/v1alpha1", "kind": "SyncedSecret",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u", "generation": 3, "resourceVersion": "7",
                "annotations": {LAST_APPLIED: "{}", "team": "a"}, "finalizers": ["one"],
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {"data": {"a": {"secret": "kv/a#b"}}},
            "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        let object: Object = serde_json::from_value(whole.clone()).expect("an object");
        let (metadata, spec) = object.read();
        assert_eq!(spec, whole["spec"]);
        assert!(object.has_secret && !object.is_being_deleted());
        let mut kept = whole["metadata"].clone();
        kept["annotations"] = json!({"team": "a"});
        kept.as_object_mut().expect("a map").remove("managedFields");
        assert_eq!(metadata, kept);
        assert_eq!(Object::url_path(&Kind::SyncedSecret, None), "/apis/leasehold.dev/v1alpha1/syncedsecrets");
        let bare: Object = serde_json::from_value(json!({"metadata": {"name": "web"}})).expect("an object");
        assert_eq!((bare.read().1, bare.has_secret), (Value::Null, false));
    }
}
