//! The shipped manifests, and what `inject` prints, against the schemas of Kubernetes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::cluster::documents;
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
        assert_eq!(validate(version, &files), 14);
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
    assert_eq!(of("ServiceAccount")["automountServiceAccountToken"], false);
}

/// Renders the chart with these values.
fn chart(values: &Value) -> Result<String, String> {
    let mut helm = Command::new(repository().join("scripts/helm"))
        .arg("template")
        .arg(repository().join("manifests/helm/leasehold-webhook"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script is in the repository");
    helm.stdin.take().expect("piped").write_all(values.to_string().as_bytes()).expect("it reads");
    let output = helm.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Writes the objects that Kubernetes itself has a schema of to a file in `space`. Returns the file's path, and these
/// objects.
fn known(space: &Workspace, name: &str, text: &str) -> (PathBuf, Vec<Value>) {
    let all: Vec<Value> = documents(text)
        .into_iter()
        .filter(|object| {
            object["apiVersion"].as_str().is_some_and(|version| !version.starts_with("cert-manager.io"))
        })
        .collect();
    let text: Vec<String> = all.iter().map(Value::to_string).collect();
    (space.file(name, text.join("\n---\n")), all)
}

#[test]
fn the_webhooks_chart_and_kustomizations_are_valid_and_have_no_rights_where_they_need_none() {
    script("helm", &["lint", &repository().join("manifests/helm/leasehold-webhook").to_string_lossy()]);
    let space = Workspace::new();
    let kustomize = |folder: &str| script("kustomize", &[&repository().join(folder).to_string_lossy()]);
    let rendered = |values: Value| chart(&values).expect("it renders");
    let selectors = json!({
        "guard": true, "replicas": 3,
        "webhook": {
            "namespaceSelector": {"matchLabels": {"inject": "yes"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]},
            "objectSelector": {"matchLabels": {"a": "b"}},
        },
        "nodeSelector": {"a": "b"}, "podLabels": {"c": "d"}, "podAnnotations": {"e": "f"},
    });
    let all = [
        ("chart", rendered(json!({})), true, 11),
        ("chart-selectors", rendered(selectors), true, 13),
        ("chart-cert-manager", rendered(json!({"certificates": {"from": "cert-manager"}})), false, 6),
        ("chart-secret", rendered(json!({"certificates": {"from": "secret", "caBundle": "AAAA"}})), false, 6),
        ("kustomize", kustomize("manifests/webhook"), true, 12),
        ("kustomize-by-namespace", kustomize("manifests/kustomize/webhook-by-namespace"), true, 12),
        ("kustomize-cert-manager", kustomize("manifests/kustomize/webhook-cert-manager"), false, 7),
    ];
    for (name, text, own, count) in all {
        let (file, objects) = known(&space, &format!("{name}.yaml"), &text);
        assert_eq!(validate("1.36", &[file]), count, "{name}");
        let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
        let pod = &of("Deployment")[0]["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], own, "{name}");
        // Kubernetes would wait for a second, in which a machine under load may not answer.
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(pod["containers"][0][probe]["timeoutSeconds"], 5, "{name} {probe}");
        }
        assert_eq!(
            (of("Role").len(), of("ClusterRole").len()),
            (usize::from(own), usize::from(own)),
            "{name}"
        );
        let registration = of("MutatingWebhookConfiguration")[0];
        let excluded =
            registration["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"].clone();
        assert_eq!(
            excluded,
            json!([of("Deployment")[0]["metadata"]["namespace"]]),
            "{name}: its own namespace"
        );
    }
    // The rights of the chart are those of the manifest, which are tested on a real API server.
    let rules = |text: &str| {
        let of = |kind: &str| {
            documents(text).into_iter().find(|it| it["kind"] == kind).expect(kind)["rules"].clone()
        };
        [of("Role"), of("ClusterRole")]
    };
    assert_eq!(rules(&rendered(json!({}))), rules(&kustomize("manifests/webhook")));
    let refused = chart(&json!({"certificates": {"from": "secret"}})).expect_err("no authority");
    assert!(refused.contains("certificates.caBundle"), "{refused}");
    let refused = chart(&json!({"certificates": {"from": "magic"}})).expect_err("no such kind");
    assert!(refused.contains("magic") || refused.contains("certificates"), "{refused}");
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
