//! The injection as a whole: the facts about vault-k8s, its own invariants, and what it refuses.

mod facts;
mod invariants;
mod ours;
mod own;
mod properties;

use serde_json::{Value, json};

use crate::inject::{Outcome, Request, inject};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// Returns the settings of the facts.
pub(crate) fn settings() -> Settings {
    Settings { address: Some("https://vault:8200".to_owned()), ..Settings::default() }
}

/// Makes a pod with the containers `web` and `helper`, as the API server sends it.
pub(crate) fn pod(annotations: &[(&str, &str)]) -> Value {
    let annotations: serde_json::Map<String, Value> =
        annotations.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mount = json!({"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true});
    let container = |name: &str| json!({"name": name, "image": "app:1", "volumeMounts": [mount]});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {
            "containers": [container("web"), container("helper")],
            "volumes": [{"name": "kube-api-access", "projected": {"sources": []}}],
        },
    })
}

/// Makes a pod with the least that vault-k8s needs, and with these other annotations of vault-k8s.
pub(crate) fn vault(annotations: &[(&str, &str)]) -> Value {
    let mut pod = pod(&[("vault.hashicorp.com/agent-inject", "true"), ("vault.hashicorp.com/role", "web")]);
    for (name, value) in annotations {
        pod["metadata"]["annotations"][format!("vault.hashicorp.com/{name}")] = json!(value);
    }
    pod
}

pub(crate) fn run(pod: &Value) -> Result<Outcome, Refusal> {
    inject(pod, Request { namespace: "default" }, &settings())
}

/// Injects Leasehold into a pod, and returns the pod after the injection and the warnings.
#[track_caller]
pub(crate) fn injected(pod: &Value) -> (Value, Vec<String>) {
    match run(pod) {
        Ok(Outcome::Injected { pod, warnings }) => (*pod, warnings),
        other => panic!("not injected: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(pod: &Value) -> String {
    run(pod).expect_err("a refusal").to_string()
}

/// Returns a container, whichever list it is in.
pub(crate) fn container<'p>(pod: &'p Value, name: &str) -> Option<&'p Value> {
    let lists = ["initContainers", "containers"].into_iter().filter_map(|list| pod["spec"][list].as_array());
    lists.flatten().find(|container| container["name"] == name)
}

/// Returns the configuration that a container gets, as the kubelet passes it on.
#[track_caller]
pub(crate) fn configuration(container: &Value) -> Value {
    let variables = container["env"].as_array().expect("variables");
    let variable = variables.iter().find(|variable| variable["name"] == "LEASEHOLD_CONFIG_YAML");
    let text = variable.expect("a configuration")["value"].as_str().expect("a text").replace("$$", "$");
    serde_yaml::from_str(&text).expect("valid YAML")
}

/// Returns the mounts of a container.
pub(crate) fn mounts(container: &Value) -> &[Value] {
    container["volumeMounts"].as_array().map_or(&[], Vec::as_slice)
}
