//! ExternalSecret of the External Secrets Operator, with its SecretStore of the provider Vault.

use serde_json::{Value, json};

use super::template::{self, Read, field, quoted};
use super::{Draft, Objects, namespace, text};

/// Where a store keeps its secrets.
struct Store {
    /// The mount, in front of every key; empty where keys have it.
    mount: String,
    /// KV version 2.
    versioned: bool,
}

/// A value that `data` names.
struct Entry {
    name: String,
    path: String,
    property: String,
    base64: bool,
}

pub(super) fn convert(object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    let store = store(&spec["secretStoreRef"], object, objects, draft)?;
    let target = &spec["target"];
    draft.target.insert(
        "name".to_owned(),
        json!(target["name"].as_str().unwrap_or(&text(&object["metadata"]["name"]))),
    );
    if target["immutable"] == true {
        draft.target.insert("immutable".to_owned(), json!(true));
    }
    draft.refresh("spec.refreshInterval", &spec["refreshInterval"]);
    policies(spec, draft);
    let mut entries = Vec::new();
    for (at, one) in spec["data"].as_array().into_iter().flatten().enumerate() {
        entries.extend(entry(at, one, &store, draft));
    }
    let mut whole = Vec::new();
    for (at, one) in spec["dataFrom"].as_array().into_iter().flatten().enumerate() {
        whole.extend(from(&format!("spec.dataFrom[{at}]"), one, &store, draft));
    }
    let template = &target["template"];
    draft.kind(&template["type"]);
    draft.labels(&template["metadata"]);
    if !template["templateFrom"].is_null() {
        draft.note(
            "spec.target.template.templateFrom",
            "templates are not read from other objects",
            "write them below spec.data",
        );
    }
    match template["data"].as_object() {
        Some(texts) => {
            templates(texts.iter(), &entries, &whole, &store, draft);
            if template["mergePolicy"] == "Merge" {
                plain(&entries, &whole, &store, draft);
            }
        }
        None => plain(&entries, &whole, &store, draft),
    }
    if draft.data.is_empty() && draft.whole.is_empty() {
        return Err("nothing in it has an equivalent; see the notes".to_owned());
    }
    Ok(())
}

/// Finds the store that an object names, and reads the store's login into the draft.
fn store(
    reference: &Value,
    object: &Value,
    objects: &Objects<'_>,
    draft: &mut Draft,
) -> Result<Store, String> {
    let kind = reference["kind"].as_str().unwrap_or("SecretStore");
    let within = namespace(object);
    let within = (kind == "SecretStore").then_some(within.as_str());
    let Some(store) = objects.find(kind, within, &text(&reference["name"])) else {
        let what = format!("the {kind} {} is not in the input", text(&reference["name"]));
        draft.note(
            "spec.secretStoreRef",
            &what,
            "paths are written as with KV version 2 and without a mount; check them",
        );
        return Ok(Store { mount: String::new(), versioned: true });
    };
    let vault = &store["spec"]["provider"]["vault"];
    if vault.is_null() {
        return Err(format!("its {kind} is of a provider that is no Vault"));
    }
    draft.note(
        "spec.secretStoreRef",
        "server, authority and TLS are the operator's",
        "set them as arguments of the controller",
    );
    if let Some(name) = vault["namespace"].as_str() {
        let what = format!("there is no namespace of Vault for each object (it is {name})");
        draft.note(
            "spec.secretStoreRef",
            &what,
            "set VAULT_NAMESPACE of the controller, or run one for each",
        );
    }
    login(&vault["auth"], kind, draft);
    let mount = text(&vault["path"]).trim_matches('/').to_owned();
    Ok(Store { mount, versioned: vault["version"] != "v1" })
}

fn login(auth: &Value, kind: &str, draft: &mut Draft) {
    let (kubernetes, jwt) = (&auth["kubernetes"], &auth["jwt"]["kubernetesServiceAccountToken"]);
    let reference =
        if kubernetes.is_null() { &jwt["serviceAccountRef"] } else { &kubernetes["serviceAccountRef"] };
    if kubernetes.is_null() && jwt.is_null() {
        let methods: Vec<&str> =
            auth.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let what = format!("the login by {} has no equivalent", methods.join(", "));
        let advice = "a service account of the namespace logs in with its token; make a role of Vault for it";
        return draft.note("spec.auth", &what, advice);
    }
    let role = if kubernetes.is_null() { &auth["jwt"]["role"] } else { &kubernetes["role"] };
    draft.account(&reference["name"], role);
    draft.mount(if kubernetes.is_null() { &auth["jwt"]["path"] } else { &kubernetes["mountPath"] });
    draft.audience(&reference["audiences"], "vault");
    if kind == "ClusterSecretStore" || reference["namespace"].is_string() {
        let what = "the account is always one of the object's own namespace";
        draft.note(
            "spec.auth.serviceAccount",
            what,
            "make an account of this name there, and bind the role of Vault to it",
        );
    }
}

fn policies(spec: &Value, draft: &mut Draft) {
    match spec["target"]["creationPolicy"].as_str().unwrap_or("Owner") {
        "Owner" => {}
        "Orphan" => drop(draft.spec.insert("onDelete".to_owned(), json!("retain"))),
        other => {
            let what = format!("{other} has no equivalent: a Secret is written whole");
            draft.note("spec.target.creationPolicy", &what, "use a Secret of its own");
        }
    }
    match spec["target"]["deletionPolicy"].as_str().unwrap_or("Retain") {
        "Retain" => {}
        other => {
            let what = format!(
                "{other} has no equivalent: the last good values stay when a secret is gone from Vault"
            );
            draft.note("spec.target.deletionPolicy", &what, "delete the object with the secret");
        }
    }
}

impl Store {
    /// Returns the path of a key. The key may have the mount in front of it.
    fn path(&self, key: &str) -> String {
        let key = key.trim_matches('/');
        let below = key.strip_prefix(&format!("{}/", self.mount)).unwrap_or(key);
        let below = if self.versioned { below.strip_prefix("data/").unwrap_or(below) } else { below };
        match (self.mount.is_empty(), self.versioned) {
            (true, _) => key.to_owned(),
            (false, true) => format!("{}/data/{below}", self.mount),
            (false, false) => format!("{}/{below}", self.mount),
        }
    }
}

fn versioned(path: String, reference: &Value) -> String {
    match reference["version"].as_str().filter(|version| !version.is_empty()) {
        Some(version) => format!("{path}?version={version}"),
        None => path,
    }
}

fn entry(at: usize, one: &Value, store: &Store, draft: &mut Draft) -> Option<Entry> {
    let (place, reference) = (format!("spec.data[{at}]"), &one["remoteRef"]);
    if !one["sourceRef"].is_null() {
        draft.note(
            &format!("{place}.sourceRef"),
            "a store of its own has no equivalent",
            "write a SyncedSecret for it",
        );
        return None;
    }
    let base64 = match reference["decodingStrategy"].as_str().unwrap_or("None") {
        "None" => false,
        "Base64" => true,
        other => {
            let what = format!("{other} has no equivalent");
            draft.note(&format!("{place}.remoteRef.decodingStrategy"), &what, "decode it in a template");
            return None;
        }
    };
    if reference["metadataPolicy"] == "Fetch" {
        draft.note(
            &format!("{place}.remoteRef.metadataPolicy"),
            "metadata is not read",
            "read secret/metadata/… in a template",
        );
        return None;
    }
    Some(Entry {
        name: text(&one["secretKey"]),
        path: versioned(store.path(&text(&reference["key"])), reference),
        property: text(&reference["property"]),
        base64,
    })
}

/// Returns the path of a secret whose fields are all taken. What a generator makes has no path, and becomes a note.
fn from(place: &str, one: &Value, store: &Store, draft: &mut Draft) -> Option<String> {
    if !one["rewrite"].is_null() {
        draft.note(&format!("{place}.rewrite"), "keys are not renamed by rule", "name them below spec.data");
    }
    let extract = &one["extract"];
    if extract.is_object() {
        if !matches!(extract["decodingStrategy"].as_str(), None | Some("None")) {
            draft.note(
                &format!("{place}.extract.decodingStrategy"),
                "values are not decoded",
                "name the keys below spec.data",
            );
        }
        if !extract["property"].is_null() {
            draft.note(
                &format!("{place}.extract.property"),
                "one field has no equivalent",
                "use a template that ends in toJSON",
            );
            return None;
        }
        return Some(versioned(store.path(&text(&extract["key"])), extract));
    }
    let what =
        if one["find"].is_null() { "a generator has no equivalent" } else { "secrets are not found by name" };
    draft.note(place, what, "name the paths below spec.data or spec.dataFrom");
    None
}

/// Adds the values of an object without templates: what is read is what is written.
fn plain(entries: &[Entry], whole: &[String], store: &Store, draft: &mut Draft) {
    for Entry { name, path, property, base64 } in entries {
        let nested = property.contains('.');
        let mut entry = match property.as_str() {
            "" => json!({"secret": path}),
            _ if nested => {
                let field = field(store.versioned, property);
                json!({"template": format!("{{{{ with secret {} }}}}{{{{ {field} }}}}{{{{ end }}}}", quoted(path))})
            }
            key => json!({"secret": format!("{path}#{key}")}),
        };
        if *base64 && (property.is_empty() || nested) {
            draft.note(
                &format!("spec.data of {name}"),
                "this value is not decoded",
                "use base64Decode in a template",
            );
        } else if *base64 {
            entry["encoding"] = json!("base64");
        }
        draft.data.insert(name.clone(), entry);
    }
    draft.whole.extend(whole.iter().map(|path| json!({"secret": path})));
}

/// Templates find each entry below the dot.
fn templates<'a>(
    texts: impl Iterator<Item = (&'a String, &'a Value)>,
    entries: &[Entry],
    whole: &[String],
    store: &Store,
    draft: &mut Draft,
) {
    let mut reads: Vec<(String, Read)> = Vec::new();
    for Entry { name, path, property, base64 } in entries {
        let mut value = field(store.versioned, property);
        if property.is_empty() {
            value = format!("({value} | toJSON)");
        }
        if *base64 {
            value = format!("({value} | base64Decode)");
        }
        match reads.iter_mut().find(|(known, _)| known == path) {
            Some((_, read)) => read.entries.push((name.clone(), value)),
            None => reads
                .push((path.clone(), Read { arguments: quoted(path), entries: vec![(name.clone(), value)] })),
        }
    }
    let reads: Vec<Read> = reads.into_iter().map(|(_, read)| read).collect();
    for (name, body) in texts {
        let place = format!("spec.target.template.data.{name}");
        if !whole.is_empty() && reads.is_empty() {
            draft.note(
                &place,
                "it uses keys of dataFrom, which are not known here",
                "write it with the function secret",
            );
            continue;
        }
        match template::wrap(&text(body), &reads) {
            Ok(text) => drop(draft.data.insert(name.clone(), json!({"template": text}))),
            Err(why) => {
                draft.note(&place, &why, "write it with the functions in docs/reference/functions.md")
            }
        }
    }
}
