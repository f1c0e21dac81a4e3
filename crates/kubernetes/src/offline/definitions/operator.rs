//! VaultStaticSecret, VaultDynamicSecret and VaultPKISecret of the Vault Secrets Operator, with their VaultAuth.

use serde_json::{Value, json};

use super::template::{self, Read, quoted};
use super::{Draft, Objects, namespace, text};

/// Converts a VaultStaticSecret.
pub(super) fn fixed(object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    let versioned = spec["type"] != "kv-v1";
    let mount = text(&spec["mount"]).trim_matches('/').to_owned();
    let data = if versioned { "data/" } else { "" };
    let mut path = format!("{mount}/{data}{}", text(&spec["path"]).trim_matches('/'));
    if let Some(version) = spec["version"].as_i64().filter(|version| *version > 0) {
        path = format!("{path}?version={version}");
    }
    draft.refresh("spec.refreshAfter", &spec["refreshAfter"]);
    if spec["syncConfig"]["instantUpdates"] == true {
        draft.note(
            "spec.syncConfig.instantUpdates",
            "events of Vault are not listened to",
            "set spec.refresh, such as 5s: one read serves all objects",
        );
    }
    common(object, objects, draft)?;
    let root = if versioned { ".Data.data" } else { ".Data" };
    let metadata = versioned.then(|| ("Metadata".to_owned(), ".Data.metadata".to_owned()));
    let entries = [("Secrets".to_owned(), root.to_owned())].into_iter().chain(metadata).collect();
    destination(spec, &Read { arguments: quoted(&path), entries }, &json!({"secret": path}), draft)
}

/// Converts a VaultDynamicSecret.
pub(super) fn dynamic(object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    let path = joined(spec);
    let params = arguments(spec["params"].as_object().into_iter().flatten());
    let writes = !params.is_empty() || matches!(spec["requestHTTPMethod"].as_str(), Some("POST" | "PUT"));
    if writes && params.is_empty() {
        return Err(
            "spec.requestHTTPMethod: a POST without params has no equivalent; name one that the path takes"
                .to_owned(),
        );
    }
    if !spec["renewalPercent"].is_null() {
        draft.note(
            "spec.renewalPercent",
            "a lease is renewed at half of its life, with jitter",
            "nothing is to be done",
        );
    }
    if spec["revoke"] != true {
        draft.note(
            "spec.revoke",
            "the lease is revoked when the object goes, and the old one after a replacement",
            "nothing is to be done",
        );
    }
    if spec["allowStaticCreds"] == true {
        draft.refresh("spec.refreshAfter", &spec["refreshAfter"]);
    }
    common(object, objects, draft)?;
    let arguments = format!("{}{params}", quoted(&path));
    let whole = match writes {
        false => json!({"secret": path}),
        true => {
            json!({"template": format!("{{{{ with secret {arguments} }}}}{{{{ .Data | toJSON }}}}{{{{ end }}}}")})
        }
    };
    let entries = vec![("Secrets".to_owned(), ".Data".to_owned())];
    destination(spec, &Read { arguments, entries }, &whole, draft)
}

/// Converts a VaultPKISecret.
pub(super) fn pki(object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    let path = format!("{}/issue/{}", text(&spec["mount"]).trim_matches('/'), text(&spec["role"]));
    if spec["issuerRef"].is_string() {
        draft.note("spec.issuerRef", "the role's own issuer signs", "set issuer_ref of the role");
    }
    if !spec["expiryOffset"].is_null() {
        draft.note(
            "spec.expiryOffset",
            "a certificate is replaced after two thirds of its life, with jitter",
            "nothing is to be done",
        );
    }
    if spec["clear"] == true {
        draft.note("spec.clear", "the Secret goes with the object", "nothing is to be done");
    }
    let list = |field: &str| {
        let all = spec[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        Some(all.collect::<Vec<_>>().join(",")).filter(|text| !text.is_empty())
    };
    let mut pairs = vec![("common_name", spec["commonName"].as_str().map(str::to_owned))];
    for (theirs, ours) in [
        ("altNames", "alt_names"),
        ("ipSans", "ip_sans"),
        ("uriSans", "uri_sans"),
        ("otherSans", "other_sans"),
        ("userIDs", "user_ids"),
    ] {
        pairs.push((ours, list(theirs)));
    }
    for (theirs, ours) in [
        ("ttl", "ttl"),
        ("format", "format"),
        ("privateKeyFormat", "private_key_format"),
        ("notAfter", "not_after"),
    ] {
        pairs.push((ours, spec[theirs].as_str().map(str::to_owned)));
    }
    if spec["excludeCNFromSans"] == true {
        pairs.push(("exclude_cn_from_sans", Some("true".to_owned())));
    }
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let arguments = quoted(&path)
        + &pairs.map(|(name, value)| format!(" {}", quoted(&format!("{name}={value}")))).collect::<String>();
    common(object, objects, draft)?;
    let whole = json!({"template": format!("{{{{ with secret {arguments} }}}}{{{{ .Data | toJSON }}}}{{{{ end }}}}")});
    if spec["destination"]["type"] == "kubernetes.io/tls" {
        let of =
            |body: &str| json!({"template": format!("{{{{ with secret {arguments} }}}}{body}{{{{ end }}}}")});
        draft.data.insert(
            "tls.crt".to_owned(),
            of("{{ .Data.certificate }}{{ range .Data.ca_chain }}\n{{ . }}{{ end }}"),
        );
        draft.data.insert("tls.key".to_owned(), of("{{ .Data.private_key }}"));
    }
    let entries = vec![("Secrets".to_owned(), ".Data".to_owned())];
    destination(spec, &Read { arguments, entries }, &whole, draft)
}

fn joined(spec: &Value) -> String {
    format!("{}/{}", text(&spec["mount"]).trim_matches('/'), text(&spec["path"]).trim_matches('/'))
}

fn arguments<'a>(params: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    params.map(|(name, value)| format!(" {}", quoted(&format!("{name}={}", text(value))))).collect()
}

/// Converts the login, the Secret and the restarts, which all three kinds write in the same way.
fn common(object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let spec = &object["spec"];
    login(spec, object, objects, draft)?;
    if let Some(name) = spec["namespace"].as_str() {
        let what = format!("there is no namespace of Vault for each object (it is {name})");
        draft.note("spec.namespace", &what, "set VAULT_NAMESPACE of the controller, or run one for each");
    }
    let to = &spec["destination"];
    draft.target.insert("name".to_owned(), to["name"].clone());
    draft.kind(&to["type"]);
    draft.labels(to);
    if to["create"] != true {
        draft.note(
            "spec.destination.create",
            "the Secret is made where it is not there",
            "nothing is to be done",
        );
    }
    let mut restart = Vec::new();
    for (at, one) in spec["rolloutRestartTargets"].as_array().into_iter().flatten().enumerate() {
        match one["kind"].as_str() {
            Some("Deployment" | "StatefulSet" | "DaemonSet") => {
                restart.push(json!({"kind": one["kind"], "name": one["name"]}))
            }
            other => {
                let what = format!(
                    "a workload of the kind {} is not restarted",
                    other.unwrap_or("that it does not name")
                );
                draft.note(
                    &format!("spec.rolloutRestartTargets[{at}]"),
                    &what,
                    "mount the Secret as a volume and read it again",
                );
            }
        }
    }
    if !restart.is_empty() {
        draft.spec.insert("restart".to_owned(), json!(restart));
    }
    Ok(())
}

/// Converts the login of the VaultAuth that an object names.
fn login(spec: &Value, object: &Value, objects: &Objects<'_>, draft: &mut Draft) -> Result<(), String> {
    let reference = text(&spec["vaultAuthRef"]);
    let own = namespace(object);
    let (within, name) = match reference.split_once('/') {
        Some((within, name)) => (Some(within.to_owned()), name.to_owned()),
        None if reference.is_empty() => (None, "default".to_owned()),
        None => (Some(own), reference),
    };
    let Some(auth) = objects.find("VaultAuth", within.as_deref(), &name) else {
        draft.note(
            "spec.vaultAuthRef",
            &format!("the VaultAuth {name} is not in the input"),
            "check spec.auth",
        );
        return Ok(());
    };
    let method = auth["spec"]["method"].as_str().unwrap_or("kubernetes");
    let of = match method {
        "kubernetes" | "jwt" => &auth["spec"][method],
        other => {
            let what = format!("the login by {other} has no equivalent");
            let advice =
                "a service account of the namespace logs in with its token; make a role of Vault for it";
            draft.note("spec.vaultAuthRef", &what, advice);
            return Ok(());
        }
    };
    if !auth["spec"]["vaultAuthGlobalRef"].is_null() {
        draft.note("spec.vaultAuthRef", "what a VaultAuthGlobal adds is not read", "check spec.auth");
    }
    draft.account(&of["serviceAccount"], &of["role"]);
    draft.mount(&auth["spec"]["mount"]);
    draft.audience(&of["audiences"], "vault");
    if let Some(name) = auth["spec"]["namespace"].as_str() {
        let what = format!("there is no namespace of Vault for each object (it is {name})");
        draft.note("spec.vaultAuthRef", &what, "set VAULT_NAMESPACE of the controller, or run one for each");
    }
    draft.note(
        "spec.vaultAuthRef",
        "server, authority and TLS are the operator's",
        "set them as arguments of the controller",
    );
    Ok(())
}

/// Converts what is written: all fields, unless they are excluded, and what templates make of them.
fn destination(spec: &Value, read: &Read, whole: &Value, draft: &mut Draft) -> Result<(), String> {
    let of = &spec["destination"]["transformation"];
    for (name, template) in of["templates"].as_object().into_iter().flatten() {
        let place = format!("spec.destination.transformation.templates.{name}");
        let reads = [Read { arguments: read.arguments.clone(), entries: read.entries.clone() }];
        match template::wrap(&text(&template["text"]), &reads) {
            Ok(text) => drop(draft.data.insert(name.clone(), json!({"template": text}))),
            Err(why) => {
                draft.note(&place, &why, "write it with the functions in docs/reference/functions.md")
            }
        }
    }
    if !of["transformationRefs"].is_null() {
        draft.note(
            "spec.destination.transformation.transformationRefs",
            "templates are not read from other objects",
            "write them below spec.data",
        );
    }
    let excluded = of["excludes"].as_array().into_iter().flatten().any(|one| one == ".*");
    if !excluded {
        for field in ["includes", "excludes"] {
            if of[field].as_array().is_some_and(|all| !all.is_empty()) {
                let place = format!("spec.destination.transformation.{field}");
                draft.note(
                    &place,
                    "fields are not chosen by pattern, so all are written",
                    "name those that you want below spec.data, and take dataFrom out",
                );
            }
        }
        draft.whole.push(whole.clone());
    }
    if of["excludeRaw"] != true {
        draft.note(
            "spec.destination",
            "the key _raw is not written",
            "nothing is to be done, unless an application reads it",
        );
    }
    if draft.data.is_empty() && draft.whole.is_empty() {
        return Err("nothing in it has an equivalent; see the notes".to_owned());
    }
    Ok(())
}
