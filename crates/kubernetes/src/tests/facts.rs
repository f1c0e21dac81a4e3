//! What vault-k8s 1.7.6 does, case by case (facts.json): the same here, or what `ours` has instead.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{configuration, container, invariants, mounts, ours};
use crate::inject::{Outcome, Request, inject};
use crate::settings::Settings;

fn facts() -> Vec<Value> {
    serde_json::from_str(include_str!("facts.json")).expect("valid JSON")
}

#[test]
fn every_fact_about_vault_k8s_holds_or_is_named_with_what_is_done_instead() {
    let mut known: BTreeMap<&str, &ours::Instead> = ours::ALL.iter().map(|ours| (ours.name, ours)).collect();
    let mut failures = Vec::new();
    let (mut held, mut instead) = (0, 0);
    for fact in facts() {
        let name = fact["name"].as_str().expect("a name");
        if is_of_the_server(&fact) {
            continue;
        }
        let ours = known.remove(name);
        let expected = ours.map_or_else(|| fact["expect"].clone(), |ours| json_of(ours.expect));
        *(if ours.is_some() { &mut instead } else { &mut held }) += 1;
        failures.extend(Case::of(&fact).wrong(&expected).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert!(known.is_empty(), "no such facts: {:?}", known.keys());
    assert_eq!((held, instead), (154, 40), "facts that hold, and facts with something else instead");
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Facts about the HTTP server and its registration.
fn is_of_the_server(fact: &Value) -> bool {
    let request = fact["request"].as_object();
    request.is_some_and(|request| !request.contains_key("namespace") && !request.contains_key("object"))
}

struct Case {
    before: Value,
    outcome: Result<Outcome, String>,
}

impl Case {
    fn of(fact: &Value) -> Self {
        let before = match fact["request"]["object"].as_str() {
            Some(object) => json_of(object),
            None => pod(fact),
        };
        let namespace = fact["request"]["namespace"].as_str().unwrap_or("default");
        let outcome = inject(&before, Request { namespace }, &settings(&fact["injector"]));
        Self { before, outcome: outcome.map_err(|refusal| refusal.to_string()) }
    }

    /// Returns everything that is not as expected.
    fn wrong(&self, expected: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let allowed = expected["allowed"].as_bool().unwrap_or(true);
        match (&self.outcome, allowed) {
            (Err(refusal), true) => wrong.push(format!("refused: {refusal}")),
            (Ok(_), false) => wrong.push("allowed".to_owned()),
            (Err(refusal), false) => wrong.extend(why(expected, refusal)),
            (Ok(Outcome::Untouched(why)), true) => {
                let untouched = expected["patched"] == false
                    || expected.get("patched").is_none() && *why == "not asked for";
                wrong.extend((!untouched).then(|| format!("untouched: {why}")));
            }
            (Ok(Outcome::Injected { pod, warnings }), true) => {
                wrong.extend((expected["patched"] == false).then(|| "patched".to_owned()));
                wrong.extend(invariants::broken(&self.before, pod));
                wrong.extend(Seen { pod, warnings }.compare(expected));
            }
        }
        wrong
    }
}

/// Checks that a refusal has the reason that a fact expects, in our words for that reason. Returns what is wrong if it
/// has another.
fn why(expected: &Value, refusal: &str) -> Option<String> {
    let reason = expected["why"].as_str()?;
    let words = match reason {
        "no role" => "no role",
        "unknown default template" => "not known here",
        "not a projected token" => "projected service account token",
        "no user to copy" => "which user",
        "not a number" => "is not a number",
        "not a quantity" => "is not a quantity",
        other => other,
    };
    (!refusal.contains(words)).then(|| format!("refused for another reason than {reason:?}: {refusal}"))
}

fn settings(injector: &Value) -> Settings {
    let text = |name: &str| injector[name].as_str().map(str::to_owned);
    let mut settings = super::settings();
    settings.namespace = text("vault_namespace");
    settings.proxy = text("proxy_address");
    settings.revoke = injector["revoke_on_shutdown"].as_bool();
    settings.same_user = injector["run_as_same_user"] == true;
    settings.authority = text("vault_cacert_bytes")
        .map(|_| "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned());
    settings
}

/// Makes the pod of a fact, which is the pod of the README with the changes that the fact names.
fn pod(fact: &Value) -> Value {
    let mut pod = super::pod(&[]);
    pod["metadata"]["annotations"] = fact["annotations"].clone();
    let changes = &fact["pod"];
    pod["status"] = json!({"phase": changes["phase"].as_str().unwrap_or("Pending")});
    if let Some(names) = changes["initContainers"].as_array() {
        let all = names.iter().map(|name| json!({"name": name, "image": "app:1", "volumeMounts": []}));
        pod["spec"]["initContainers"] = all.collect();
    }
    for (name, all) in changes["mounts"].as_object().into_iter().flatten() {
        for mount in all.as_array().expect("a list") {
            let mount = json!({"name": mount["volume"], "mountPath": mount["path"]});
            named(&mut pod, name)["volumeMounts"].as_array_mut().expect("a list").push(mount);
        }
    }
    for (name, user) in changes["runAsUser"].as_object().into_iter().flatten() {
        named(&mut pod, name)["securityContext"] = json!({"runAsUser": user});
    }
    for volume in changes["volumes"].as_array().into_iter().flatten() {
        let projected = |path: &Value| json!({"sources": [{"serviceAccountToken": {"path": path}}]});
        let one = match volume.get("projected_token_path") {
            Some(path) => json!({"name": volume["name"], "projected": projected(path)}),
            None => json!({"name": volume["name"], "emptyDir": {}}),
        };
        pod["spec"]["volumes"].as_array_mut().expect("a list").push(one);
    }
    pod
}

fn named<'p>(pod: &'p mut Value, name: &str) -> &'p mut Value {
    let spec = pod["spec"].as_object_mut().expect("a specification");
    let lists = spec.values_mut().filter_map(Value::as_array_mut);
    lists
        .flatten()
        .find(|container| container["name"] == name && container["image"].is_string())
        .expect("a container")
}

/// What came out.
struct Seen<'p> {
    pod: &'p Value,
    warnings: &'p [String],
}

impl Seen<'_> {
    fn compare(&self, expected: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for (key, value) in expected.as_object().expect("a map") {
            let seen = self.seen(key, value);
            if !contains(&seen, value) {
                wrong.push(format!("{key} is {seen}, expected {value}"));
            }
        }
        wrong
    }

    fn container(&self, name: &str) -> &Value {
        container(self.pod, name).unwrap_or(&Value::Null)
    }

    /// Returns our container that stays, or else our container that does not stay.
    fn agent(&self) -> &Value {
        container(self.pod, "vault-agent").unwrap_or_else(|| self.container("vault-agent-init"))
    }

    fn config(&self) -> Value {
        configuration(self.agent())
    }

    /// Returns what there is, in the shape of what is expected.
    fn seen(&self, key: &str, expected: &Value) -> Value {
        match key {
            "allowed" | "patched" | "why" => expected.clone(),
            "init" => self.role("vault-agent-init", expected),
            "sidecar" => self.role("vault-agent", expected),
            "init_order" => names(&self.pod["spec"]["initContainers"]),
            "pod" => self.pod["spec"].clone(),
            "volumes" => self.volumes(),
            "mounts" => self.mounts(expected),
            "default_dir" => self.config()["secrets_dir"].clone(),
            "custom_volumes" => {
                json!(names(&self.pod["spec"]["volumes"]).to_string().matches("leasehold-secrets-").count())
            }
            "config_file" => self.by_container(expected, "LEASEHOLD_CONFIG"),
            "env" => self.variables(expected),
            "token_file" => self.config()["auth"]["jwt_file"].clone(),
            "not_copied" => json!(
                expected
                    .as_array()
                    .expect("a list")
                    .iter()
                    .filter(|volume| !self.has_mount(volume))
                    .collect::<Vec<_>>()
            ),
            "files" => self.files(expected),
            "default_template" => expected.clone(),
            "sinks" => json!(
                self.config()["sinks"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|sink| &sink["path"])
                    .collect::<Vec<_>>()
            ),
            "auth" => self.auth(),
            "vault" => self.vault(),
            "security" => self.security(),
            "resources" => json!({"vault-agent": self.agent()["resources"]}),
            "config" => self.pointers(expected),
            "warns" => json!(
                self.warnings
                    .iter()
                    .any(|warning| warning.contains(expected.as_str().expect("a text")))
                    .then_some(expected)
            ),
            other => json!(format!("an unknown expectation: {other}")),
        }
    }

    fn role(&self, name: &str, expected: &Value) -> Value {
        let container = self.container(name);
        let first = self.pod["spec"]["initContainers"][0]["name"] == name;
        let mut seen =
            json!({"present": container.is_object(), "name": container["name"], "image": container["image"]});
        seen["preStop"] = container["lifecycle"]["preStop"].clone();
        if expected.get("position").is_some() {
            seen["position"] = json!(if first { "first" } else { "later" });
        }
        seen
    }

    fn volumes(&self) -> Value {
        let all = self.pod["spec"]["volumes"].as_array().expect("volumes");
        let one = |volume: &Value| {
            let mut seen = volume.clone();
            if let Some(name) = volume["configMap"]["name"].as_str() {
                seen["configMap"] = json!(name);
            }
            (volume["name"].as_str().expect("a name").to_owned(), seen)
        };
        all.iter().map(one).collect::<serde_json::Map<String, Value>>().into()
    }

    fn mounts(&self, expected: &Value) -> Value {
        let one = |mount: &Value| json!({"volume": mount["name"], "path": mount["mountPath"], "readOnly": mount["readOnly"] == true});
        let all = expected.as_object().expect("a map").keys();
        all.map(|name| (name.clone(), mounts(self.container(name)).iter().map(one).collect::<Value>()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn has_mount(&self, volume: &Value) -> bool {
        mounts(self.agent()).iter().any(|mount| mount["name"] == *volume)
    }

    fn variable(&self, container: &str, name: &str) -> Value {
        let variables = self.container(container)["env"].as_array().expect("variables");
        variables
            .iter()
            .find(|variable| variable["name"] == name)
            .map_or(Value::Null, |it| it["value"].clone())
    }

    fn by_container(&self, expected: &Value, name: &str) -> Value {
        let all = expected.as_object().expect("a map").keys();
        all.map(|container| (container.clone(), self.variable(container, name)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    fn variables(&self, expected: &Value) -> Value {
        let of = |container: &str, names: &Value| -> Value {
            let all = names.as_object().expect("a map").keys();
            all.map(|name| (name.clone(), self.variable(container, name)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let all = expected.as_object().expect("a map").iter();
        all.map(|(name, names)| (name.clone(), of(name, names))).collect::<serde_json::Map<_, _>>().into()
    }

    fn files(&self, expected: &Value) -> Value {
        let config = self.config();
        let folder = config["secrets_dir"].as_str().expect("a folder").to_owned();
        let all: Vec<Value> = config["files"].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = all.into_iter().filter(|file| file["path"] != ".nothing").collect();
        let expected = expected.as_array().expect("a list");
        if all.len() != expected.len() {
            return json!(all);
        }
        all.iter().zip(expected).map(|(file, expected)| one_file(file, expected, &folder)).collect()
    }

    fn auth(&self) -> Value {
        let auth = self.config()["auth"].clone();
        let server = self.config()["vault"].clone();
        let mount = auth["mount"].as_str().or(auth["method"].as_str()).unwrap_or_default().to_owned();
        let mut config = auth.clone();
        for (theirs, ours) in [("token_path", &auth["jwt_file"]), ("path", &auth["jwt_file"])] {
            config[theirs] = ours.clone();
        }
        config["client_cert"] = server["client_cert_file"].clone();
        config["ca_cert"] = server["ca_file"].clone();
        json!({"method": auth["method"], "mount": format!("auth/{mount}"), "config": config})
    }

    fn vault(&self) -> Value {
        let vault = self.config()["vault"].clone();
        json!({
            "namespace": vault["namespace"].as_str().unwrap_or_default(),
            "ca_cert": vault["ca_file"], "ca_path": vault["ca_dir"],
            "client_cert": vault["client_cert_file"], "client_key": vault["client_key_file"],
            "tls_server_name": vault["server_name"], "tls_skip_verify": false,
        })
    }

    fn security(&self) -> Value {
        let mut security = self.agent()["securityContext"].clone();
        if security.is_object() {
            security["dropCapabilities"] = security["capabilities"]["drop"].clone();
        }
        security
    }

    fn pointers(&self, expected: &Value) -> Value {
        let config = self.config();
        let all = expected.as_object().expect("a map").keys();
        let value = |pointer: &String| config.pointer(pointer).cloned().unwrap_or_default();
        all.map(|pointer| (pointer.clone(), value(pointer))).collect::<serde_json::Map<_, _>>().into()
    }
}

fn names(list: &Value) -> Value {
    list.as_array().into_iter().flatten().map(|entry| entry["name"].clone()).collect()
}

fn one_file(file: &Value, expected: &Value, folder: &str) -> Value {
    let path = file["path"].as_str().expect("a path");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let template = file["template"].as_str().unwrap_or_default();
    let of_path = template.split('"').nth(1).unwrap_or_default();
    let kind = if template.contains("range $k, $v := .Data") { "map" } else { "json" };
    let delims = match &file["delimiters"] {
        Value::Null => json!(["{{", "}}"]),
        own => json!([own["left"], own["right"]]),
    };
    let mut seen = json!({
        "path": path, "vault_path": of_path, "template": kind, "contents": template, "delims": delims,
        "source": file["template_file"], "perms": file["mode"], "command": file["notify"],
        "error_on_missing_key": file["missing_key"] != "zero",
    });
    // Rendered by real agents in tests/server/injected.rs.
    for elsewhere in ["renders", "renders_keys"] {
        seen[elsewhere] = expected[elsewhere].clone();
    }
    seen
}

/// Returns whether everything that is expected is there. An expected null means that the value must not be there.
fn contains(seen: &Value, expected: &Value) -> bool {
    match (seen, expected) {
        (Value::Object(seen), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| contains(seen.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(seen), Value::Array(expected)) => {
            expected.iter().all(|value| seen.iter().any(|seen| contains(seen, value)))
        }
        (Value::Null, Value::Object(expected)) => expected.values().all(Value::is_null),
        (seen, expected) => seen == expected,
    }
}
