//! Objects of other operators that define Secrets, as SyncedSecrets. Pure.
//!
//! What is converted has been read as the controller reads it. What has no equivalent is said, each with its place and what to do.

mod external;
mod operator;
mod template;

use serde_json::{Map, Value, json};

use crate::sync;

/// The operators whose objects are read.
const GROUPS: [&str; 3] = ["secrets-manager.tuenti.io/", "external-secrets.io/", "secrets.hashicorp.com/"];

/// The login where an object does not name one.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    pub(super) account: Option<String>,
    pub(super) role: Option<String>,
}

/// What became of one object.
#[derive(Debug)]
pub(super) struct Converted {
    /// Kind, namespace and name.
    pub(super) name: String,
    /// The SyncedSecret, or why there is none.
    pub(super) result: Result<Value, String>,
    /// What is not the same, and what to do.
    pub(super) notes: Vec<String>,
}

/// A SyncedSecret that is being written.
#[derive(Debug, Default)]
struct Draft {
    auth: Map<String, Value>,
    target: Map<String, Value>,
    spec: Map<String, Value>,
    data: Map<String, Value>,
    whole: Vec<Value>,
    notes: Vec<String>,
}

/// All objects of an input, in which one may name another.
struct Objects<'a>(&'a [&'a Value]);

/// Converts what defines a Secret. `None` where a kind is not one of these.
pub(super) fn convert(object: &Value, all: &[&Value], login: &Login) -> Option<Converted> {
    let group = object["apiVersion"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
    let objects = Objects(all);
    let mut draft = Draft::default();
    let result = match (group, object["kind"].as_str()?) {
        ("secrets-manager.tuenti.io", "SecretDefinition") => definition(object, &mut draft),
        ("external-secrets.io", "ExternalSecret") => external::convert(object, &objects, &mut draft),
        ("secrets.hashicorp.com", "VaultStaticSecret") => operator::fixed(object, &objects, &mut draft),
        ("secrets.hashicorp.com", "VaultDynamicSecret") => operator::dynamic(object, &objects, &mut draft),
        ("secrets.hashicorp.com", "VaultPKISecret") => operator::pki(object, &objects, &mut draft),
        ("external-secrets.io", kind @ ("ClusterExternalSecret" | "PushSecret")) => {
            Err(format!("there is no equivalent of a {kind}"))
        }
        _ => return None,
    };
    let name =
        format!("{} {}/{}", text(&object["kind"]), namespace(object), text(&object["metadata"]["name"]));
    let result = result.and_then(|()| draft.object(object, login));
    Some(Converted { name, result, notes: draft.notes })
}

/// Returns whether an object belongs to another operator, so that the output is SyncedSecrets.
pub(super) fn is_one(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default();
    GROUPS.iter().any(|one| group.starts_with(one))
}

impl Objects<'_> {
    fn find(&self, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Value> {
        let is = |object: &&&Value| {
            object["kind"] == kind
                && object["metadata"]["name"] == name
                && namespace.is_none_or(|wanted| self::namespace(object) == wanted)
        };
        self.0.iter().find(is).copied()
    }
}

impl Draft {
    fn note(&mut self, place: &str, what: &str, advice: &str) {
        self.notes.push(format!("{place}: {what}; {advice}"));
    }

    fn account(&mut self, account: &Value, role: &Value) {
        for (field, given) in [("serviceAccount", account), ("role", role)] {
            if let Some(text) = given.as_str().filter(|text| !text.is_empty()) {
                self.auth.insert(field.to_owned(), json!(text));
            }
        }
    }

    fn mount(&mut self, mount: &Value) {
        let mount = mount.as_str().unwrap_or_default().trim_matches('/').trim_start_matches("auth/");
        if !matches!(mount, "" | "kubernetes") {
            self.auth.insert("mount".to_owned(), json!(mount));
        }
    }

    fn audience(&mut self, audiences: &Value, otherwise: &str) {
        let all: Vec<&str> = audiences.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match all[..] {
            [] => {
                let what = format!("the token has the audience {otherwise}");
                self.note(
                    "spec.auth.audience",
                    &what,
                    "bind the role of Vault to it (audience=), or name another here",
                );
            }
            [one] => drop((one != "vault").then(|| self.auth.insert("audience".to_owned(), json!(one)))),
            [first, ..] => {
                self.auth.insert("audience".to_owned(), json!(first));
                self.note(
                    "spec.auth.audience",
                    "a token has one audience",
                    "check that the role of Vault takes the first",
                );
            }
        }
    }

    fn labels(&mut self, of: &Value) {
        for field in ["labels", "annotations"] {
            let entries = of[field].as_object().into_iter().flatten();
            let entries = entries.filter(|(name, _)| !name.starts_with("kubectl.kubernetes.io/"));
            let entries: Map<String, Value> =
                entries.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !entries.is_empty() {
                self.target.insert(field.to_owned(), Value::Object(entries));
            }
        }
    }

    fn kind(&mut self, kind: &Value) {
        if let Some(kind) = kind.as_str().filter(|kind| !matches!(*kind, "" | "Opaque")) {
            self.target.insert("type".to_owned(), json!(kind));
        }
    }

    fn refresh(&mut self, place: &str, given: &Value) {
        let Some(text) = given.as_str() else { return };
        match humantime::parse_duration(text) {
            Ok(zero) if zero.is_zero() => {
                self.note(
                    place,
                    "it is read once there",
                    "secrets without a lease are read every minute here; set spec.refresh",
                );
            }
            Ok(_) => drop(self.spec.insert("refresh".to_owned(), json!(text))),
            Err(_) => self.note(place, "it is no duration", "set spec.refresh, such as 5m"),
        }
    }

    /// Makes the SyncedSecret, and reads it as the controller does.
    fn object(&mut self, from: &Value, login: &Login) -> Result<Value, String> {
        for (field, given) in [("serviceAccount", &login.account), ("role", &login.role)] {
            if let (None, Some(text)) = (self.auth.get(field), given) {
                self.auth.insert(field.to_owned(), json!(text));
            }
            if self.auth.get(field).is_none() {
                let flag = if field == "role" { "--role" } else { "--service-account" };
                return Err(format!(
                    "it names no {field} to log in with; give its store or VaultAuth, too, or {flag}"
                ));
            }
        }
        // The Secret is there already, and has no mark of ours.
        let mut spec = json!({"auth": self.auth, "adopt": true});
        let own = from["metadata"]["name"].clone();
        if self.target.get("name") == Some(&own) {
            self.target.remove("name");
        }
        if !self.target.is_empty() {
            spec["target"] = json!(self.target);
        }
        for (field, value) in &self.spec {
            spec[field] = value.clone();
        }
        if !self.data.is_empty() {
            spec["data"] = json!(self.data);
        }
        if !self.whole.is_empty() {
            spec["dataFrom"] = json!(self.whole);
        }
        let namespace = namespace(from);
        sync::read(&namespace, &text(&own), &spec).map_err(|refusal| refusal.to_string())?;
        Ok(json!({
            "apiVersion": "leasehold.dev/v1alpha1", "kind": "SyncedSecret",
            "metadata": {"name": own, "namespace": namespace}, "spec": spec,
        }))
    }
}

/// Converts a SecretDefinition of secrets-manager.
fn definition(object: &Value, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    draft.target.insert("name".to_owned(), spec["name"].clone());
    draft.kind(&spec["type"]);
    draft.labels(&object["metadata"]);
    for (name, source) in spec["keysMap"].as_object().into_iter().flatten() {
        let secret = format!("{}#{}", text(&source["path"]), text(&source["key"]));
        let mut entry = json!({"secret": secret});
        if source["encoding"] == "base64" {
            entry["encoding"] = json!("base64");
        }
        draft.data.insert(name.clone(), entry);
    }
    draft.note(
        "spec.auth",
        "the controller's one login read it, and an account of the namespace does now",
        "grant that account's role these paths",
    );
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn namespace(object: &Value) -> String {
    object["metadata"]["namespace"].as_str().unwrap_or("default").to_owned()
}

#[cfg(test)]
mod tests;
