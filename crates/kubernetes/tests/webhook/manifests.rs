//! The shipped manifests, and what `inject` prints, against the schemas of Kubernetes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::pod;
use crate::support::script::{repository, script};
use crate::support::workspace::Workspace;

/// Fails where a file is not valid; returns how many objects were looked at.
#[track_caller]
fn validate(version: &str, files: &[PathBuf]) -> usize {
    let env = script("python-env", &["kubernetes-validate-1.37.0", "kubernetes-validate==1.37.0"]);
    let output = Command::new(format!("{env}/bin/python"))
        .args(["-m", "kubernetes_validate", "-k", version, "--strict"])
        .args(files)
        .output()
        .expect("the environment has a python");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{version}: {said}");
    said.matches(" passed for resource ").count()
}

fn run(arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
    command.args(arguments).args(files).env_clear();
    command.env("AGENT_INJECT_VAULT_ADDR", "https://vault.example:8200").output().expect("it runs")
}

#[test]
fn the_webhooks_manifests_are_valid_where_match_conditions_are_and_its_settings_are_taken() {
    let folder = repository().join("manifests/webhook");
    let files = ["webhook.yaml", "guard.yaml"].map(|name| folder.join(name));
    for version in ["1.30", "1.36"] {
        assert_eq!(validate(version, &files), 9);
    }
    let text = std::fs::read_to_string(&files[0]).expect("a manifest of ours");
    let documents =
        serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).expect("valid YAML"));
    let all: Vec<Value> = documents.collect();
    let of =
        |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    let space = Workspace::new();
    let settings = of("ConfigMap")["data"]["settings.yaml"].as_str().expect("settings");
    let settings = space.file("settings.yaml", settings);
    let good = space.file("pod.yaml", pod("web", &[("agent-inject-secret-a", "kv/a")]).to_string());
    let checked = run(&["check", "--settings"], &[&settings, Path::new("-f"), &good]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // It may do nothing in the cluster.
    assert!(!text.contains("rbac.authorization.k8s.io"));
    assert_eq!(of("ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(of("Deployment")["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
}

#[test]
fn what_inject_prints_is_valid_for_kubernetes() {
    let mut job = pod("job", &[("agent-inject-secret-a", "kv/a"), ("agent-run-as-user", "4711")]);
    job["spec"]["restartPolicy"] = json!("Never");
    let mut exec = pod("exec", &[]);
    exec["metadata"]["annotations"] = json!({
        "leasehold.dev/inject": "true", "leasehold.dev/role": "web", "leasehold.dev/mode": "exec",
        "leasehold.dev/secret-A": "kv/a#b",
    });
    exec["spec"]["containers"][0]["command"] = json!(["/server"]);
    let classic =
        pod("classic", &[("agent-configmap", "c"), ("tls-secret", "t"), ("agent-extra-secret", "e")]);
    let space = Workspace::new();
    let documents = [job, exec, classic].map(|document| document.to_string()).join("\n---\n");
    let file = space.file("pods.yaml", documents);
    let injected = run(&["inject", "-f"], &[&file]);
    assert!(injected.status.success(), "{}", String::from_utf8_lossy(&injected.stderr));
    let text = String::from_utf8(injected.stdout).expect("text");
    assert_eq!(
        text.matches("restartPolicy: Always").count(),
        1,
        "a native sidecar for the pod that ends: {text}"
    );
    let file = space.file("injected.yaml", &text);
    assert_eq!(validate("1.36", &[file]), 3);
    let refused = space.file("refused.yaml", pod("a", &[("tls-skip-verify", "maybe")]).to_string());
    let refused = run(&["inject", "-f"], &[&refused]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(65), 0));
    assert!(
        words.starts_with("leasehold-kubernetes: Pod a: vault.hashicorp.com/tls-skip-verify: "),
        "{words}"
    );
}
