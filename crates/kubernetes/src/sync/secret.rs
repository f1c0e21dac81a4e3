//! The Secret in Kubernetes: its owner, and what has to be written. Pure.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use serde_json::{Map, Value, json};

use super::definition::{ADOPT, Definition, Key, Kind, entry_name, is_usual};
use super::handoff::LABEL as HANDOFF;
use super::restart::Stamp;
use crate::refusal::{Refusal, shown};

/// The name under which the API server records what we wrote.
pub(crate) const MANAGER: &str = "leasehold-sync";
/// The label of all Secrets that are written here: only these are watched.
pub(crate) const LABEL: &str = "leasehold.dev/sync";
/// The annotation that names the definition.
pub(crate) const OWNER: &str = "leasehold.dev/owner";
/// When its values last changed, if workloads are restarted then; and the change that they were all restarted for. A
/// leader that ends between the two leaves the rest to the next leader.
const CHANGED: &str = "leasehold.dev/changed";
const RESTARTED: &str = "leasehold.dev/restarted";
/// The annotation of secrets-manager.
const UPDATED: &str = "secrets-manager.tuenti.io/lastUpdateTime";
const MANAGED: &str = "app.kubernetes.io/managed-by";
const MANAGED_VALUE: &str = "secrets-manager";

/// The most bytes that Kubernetes allows in the values of one Secret.
const MOST: usize = 1 << 20;

/// Returns the entry of a definition that stands for all fields of a secret. No key of a Secret can have such a name.
pub(crate) fn of_all(at: usize) -> String {
    format!("{ALL}{at}]")
}

const ALL: &str = "dataFrom[";

/// Puts a rendered entry into the data. A key that is there already stays: a key that is named wins over those of a
/// whole secret, and an earlier whole secret wins over a later one.
///
/// # Errors
/// Says why the entry cannot become keys of a Secret, without any value.
pub(crate) fn put(data: &mut Data, entry: &str, bytes: &Secret) -> Result<(), String> {
    if !entry.starts_with(ALL) {
        data.insert(entry.to_owned(), bytes.clone());
        return Ok(());
    }
    let fields = Tree::from_json(bytes.expose()).ok();
    let fields = fields.as_ref().and_then(Tree::as_map);
    let fields = fields
        .ok_or_else(|| format!("spec.{entry}: what is rendered is no JSON object; end it with toJSON"))?;
    for (name, value) in fields.iter() {
        entry_name(name, &format!("spec.{entry}: the field {}", shown(name)))
            .map_err(|why| why.to_string())?;
        let value = match value {
            Tree::Null => continue,
            Tree::Text(text) | Tree::Number(text) => text.clone(),
            Tree::Bool(flag) => flag.to_string().into(),
            nested => Secret::new(std::mem::take(&mut *nested.to_json())),
        };
        data.entry(name.to_owned()).or_insert(value);
    }
    Ok(())
}

/// Checks that there are values. A Secret without any is no form that somebody wants: its readers would lose what they have.
///
/// # Errors
/// Says why there are none.
pub(crate) fn filled(data: Data) -> Result<Data, String> {
    if data.is_empty() {
        let what = "there are no values: what spec.dataFrom names has no fields, or only such that are null; the Secret stays as it is";
        return Err(what.to_owned());
    }
    Ok(data)
}

/// The data of a Secret, whole.
pub(crate) type Data = BTreeMap<String, Secret>;

/// The owner of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The definition.
    Own,
    /// secrets-manager made it, and nothing says for which definition.
    Inherited,
    /// Another program made it.
    Other(String),
}

impl Owner {
    /// Returns the owner of the Secret `live`, as `key` sees it.
    pub(crate) fn of(live: &Value, key: &Key) -> Self {
        let metadata = &live["metadata"];
        match metadata["annotations"][OWNER].as_str() {
            Some(owner) if owner == key.owner() => Self::Own,
            Some(owner) => Self::Other(owner.to_owned()),
            None => {
                let labels = &metadata["labels"];
                let theirs = metadata["annotations"][UPDATED].is_string()
                    || labels[MANAGED] == MANAGED_VALUE
                    || labels["managedBy"] == MANAGED_VALUE;
                // A Secret of secrets-manager belongs to its own kind.
                if theirs && key.kind == Kind::SecretDefinition {
                    Self::Inherited
                } else {
                    Self::Other(String::new())
                }
            }
        }
    }
}

/// What has to be done about a Secret.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// It is as it should be.
    Nothing,
    /// Make it.
    Create(Value),
    /// Replace the version that was read.
    Replace(Value),
    /// The type is another, or the Secret is immutable, so Kubernetes does not let it change: delete the version that
    /// was read, and make it anew.
    Remake(Value),
}

/// Decides what has to be done, given what the API server has.
///
/// # Errors
/// [`Refusal`] if another program made the Secret, or Kubernetes cannot hold the values.
pub(crate) fn step(
    live: Option<&Value>,
    wanted: &Definition,
    data: &Data,
    wall: i64,
) -> Result<Step, Refusal> {
    let size: usize = data.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MOST {
        let what = format!("the values have {size} bytes, and a Secret holds {MOST}");
        return Err(Refusal::new("spec.keysMap", what, "divide them between several definitions"));
    }
    let Some(live) = live else { return Ok(Step::Create(made(wanted, data, wall))) };
    let target = &wanted.target;
    match Owner::of(live, &wanted.key) {
        Owner::Own | Owner::Inherited => {}
        Owner::Other(owner) if owner.is_empty() && target.adopts => adoptable(live, wanted)?,
        Owner::Other(owner) => return Err(conflict(wanted.key.kind, &target.name, &owner)),
    }
    let kind = live["type"].as_str().unwrap_or("Opaque");
    if kind.starts_with("kubernetes.io/service-account") {
        return Err(conflict(wanted.key.kind, &target.name, "a service account"));
    }
    let remade = || stamped(made(wanted, data, wall), live, wanted, wall);
    if kind != target.kind {
        return Ok(Step::Remake(remade()));
    }
    let next = changed(live, wanted, data);
    if next == *live {
        return Ok(Step::Nothing);
    }
    if live["immutable"] == true {
        return Ok(Step::Remake(remade()));
    }
    let mut next = stamped(next, live, wanted, wall);
    next["metadata"]["annotations"][UPDATED] = json!(updated(wall));
    Ok(Step::Replace(next))
}

/// Checks that a Secret that another program made may be taken over. A Secret that people make may be; one in which a
/// program keeps its own state may not, such as a release of Helm, a token of the cluster, or our handoff. An author
/// who may write definitions, but no Secrets, must not be able to destroy those through us.
fn adoptable(live: &Value, wanted: &Definition) -> Result<(), Refusal> {
    let (key, name) = (&wanted.key, &wanted.target.name);
    if !live["metadata"]["labels"][HANDOFF].is_null() {
        return Err(conflict(key.kind, name, "the controller, which keeps its handoff in it"));
    }
    let kind = live["type"].as_str().unwrap_or("Opaque");
    if is_usual(kind) || kind == wanted.target.kind {
        return Ok(());
    }
    Err(conflict(key.kind, name, &format!("whoever keeps Secrets of the type {}", shown(kind))))
}

/// Notes in a Secret that is made anew for which change its readers have to be restarted.
pub(crate) fn note_change(made: &mut Value, wanted: &Definition, stamp: Stamp) {
    if !wanted.restarts.readers.is_empty() {
        made["metadata"]["annotations"][CHANGED] = json!(stamp.to_string());
    }
}

/// Returns the stamp of a change now. Of two changes the later one has the larger stamp, even if the clock of another leader
/// was ahead.
pub(crate) fn stamp_after(last: Option<Stamp>, wall: i64) -> Stamp {
    let now = Stamp::try_from(wall).unwrap_or(0).saturating_mul(1_000_000);
    last.map_or(now, |last| now.max(last + 1))
}

/// Returns the last change of its values that a Secret notes.
pub(crate) fn changed_at(live: &Value) -> Option<Stamp> {
    stamp(live, CHANGED)
}

/// Notes that the values differ from those of `live`, if workloads have to be restarted for that.
fn stamped(mut next: Value, live: &Value, wanted: &Definition, wall: i64) -> Value {
    if wanted.restarts.readers.is_empty() {
        return next;
    }
    let before = &live["metadata"]["annotations"];
    let annotations = &mut next["metadata"]["annotations"];
    for name in [CHANGED, RESTARTED] {
        if before[name].is_string() {
            annotations[name] = before[name].clone();
        }
    }
    if next["data"] != live["data"] {
        let stamp = stamp_after(changed_at(live), wall);
        next["metadata"]["annotations"][CHANGED] = json!(stamp.to_string());
    }
    next
}

fn stamp(live: &Value, name: &str) -> Option<Stamp> {
    live["metadata"]["annotations"][name].as_str()?.parse().ok()
}

/// Returns the change for which workloads still have to be restarted.
pub(crate) fn owed(live: &Value, wanted: &Definition) -> Option<Stamp> {
    let readers = !wanted.restarts.readers.is_empty();
    stamp(live, CHANGED).filter(|changed| readers && stamp(live, RESTARTED) != Some(*changed))
}

/// Returns the Secret with the note that all workloads were restarted for this change; `None` if there is a later
/// change.
pub(crate) fn settled(live: &Value, wanted: &Definition, done: Stamp) -> Option<Value> {
    let mut next = live.clone();
    next["metadata"]["annotations"][RESTARTED] = json!(done.to_string());
    (Owner::of(live, &wanted.key) == Owner::Own && owed(live, wanted) == Some(done)).then_some(next)
}

fn conflict(kind: Kind, name: &str, owner: &str) -> Refusal {
    let (what, advice) = if owner.is_empty() {
        (
            format!("there is a Secret {name} that another hand made; it is left as it is"),
            match kind {
                Kind::SecretDefinition => format!(
                    "use another name, delete that Secret, or annotate the definition with {ADOPT}: \"true\""
                ),
                Kind::SyncedSecret => {
                    "use another name, delete that Secret, or set spec.adopt to true".to_owned()
                }
            },
        )
    } else {
        (format!("the Secret {name} belongs to {owner}"), "use another name".to_owned())
    };
    let place = if kind == Kind::SecretDefinition { "spec.name" } else { "spec.target.name" };
    Refusal::new(place, what, advice)
}

fn encoded(data: &Data) -> Value {
    let entry = |(key, value): (&String, &Secret)| (key.clone(), json!(STANDARD.encode(value.expose())));
    Value::Object(data.iter().map(entry).collect())
}

fn labels(wanted: &Definition) -> BTreeMap<String, String> {
    let by = match wanted.key.kind {
        Kind::SecretDefinition => MANAGED_VALUE,
        Kind::SyncedSecret => "leasehold",
    };
    let mut labels = BTreeMap::from([(MANAGED.to_owned(), by.to_owned())]);
    labels.extend(wanted.target.labels.clone());
    labels.insert(LABEL.to_owned(), "true".to_owned());
    labels
}

fn annotations(wanted: &Definition) -> BTreeMap<String, String> {
    let mut annotations = wanted.target.annotations.clone();
    annotations.insert(OWNER.to_owned(), wanted.key.owner());
    annotations
}

/// Makes a Secret that is not there yet.
fn made(wanted: &Definition, data: &Data, wall: i64) -> Value {
    let mut annotations = annotations(wanted);
    annotations.insert(UPDATED.to_owned(), updated(wall));
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret", "type": wanted.target.kind, "data": encoded(data),
        "metadata": {
            "name": &*wanted.target.name, "namespace": &*wanted.key.namespace,
            "labels": labels(wanted), "annotations": annotations,
        },
    });
    if wanted.target.immutable {
        made["immutable"] = json!(true);
    }
    made
}

/// Returns the Secret with what is wanted in it. What other programs have added is kept, except for data.
fn changed(live: &Value, wanted: &Definition, data: &Data) -> Value {
    let mut next = live.clone();
    next["data"] = encoded(data);
    if wanted.target.immutable || live["immutable"] == true {
        next["immutable"] = json!(wanted.target.immutable);
    }
    let mine = written(live);
    let restarts = !wanted.restarts.readers.is_empty();
    let is_note = |name: &str| matches!(name, CHANGED | RESTARTED);
    for (field, texts) in [("labels", labels(wanted)), ("annotations", annotations(wanted))] {
        let mut map = live["metadata"][field].as_object().cloned().unwrap_or_else(Map::new);
        let gone =
            |name: &String| name != UPDATED && !(restarts && is_note(name)) && !texts.contains_key(name);
        map.retain(|name, _| !(gone(name) && mine[field][&format!("f:{name}")].is_object()));
        map.extend(texts.iter().map(|(name, text)| (name.clone(), json!(text))));
        next["metadata"][field] = Value::Object(map);
    }
    next
}

/// Returns whether the annotation that names the definition is from us, according to the API server's record. A copy that a
/// person has made of one of our Secrets has it as well.
pub(crate) fn is_named_by_us(live: &Value) -> bool {
    written(live)["annotations"][format!("f:{OWNER}")].is_object()
}

/// Returns the labels and annotations that we wrote, according to the API server's record.
fn written(live: &Value) -> Value {
    let mut mine = json!({"labels": {}, "annotations": {}});
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    for entry in entries.filter(|entry| entry["manager"] == MANAGER) {
        let metadata = &entry["fieldsV1"]["f:metadata"];
        for field in ["labels", "annotations"] {
            for (name, value) in metadata[&format!("f:{field}")].as_object().into_iter().flatten() {
                mine[field][name] = value.clone();
            }
        }
    }
    mine
}

/// Returns a time as secrets-manager writes it, with dots; in UTC, which is what it names.
fn updated(wall: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(wall).unwrap_or(0));
    humantime::format_rfc3339_seconds(time).to_string().replace(':', ".")
}

#[cfg(test)]
mod tests;
