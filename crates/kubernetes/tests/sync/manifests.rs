//! The manifests, the chart, the kustomizations and the alerts of sync.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::stage::documents;
use crate::support::need::{have, need};
use crate::support::script::{repository, script};
use crate::support::workspace::Workspace;

/// What Kubernetes itself has no schema of.
const FOREIGN: [&str; 1] = ["monitoring.coreos.com"];

fn objects(text: &str) -> Vec<Value> {
    let all = serde_yaml::Deserializer::from_str(text).map(|it| Value::deserialize(it).expect("valid YAML"));
    all.filter(|object| !object.is_null()).collect()
}

/// Fails where an object does not fit its schema; returns how many were looked at.
#[track_caller]
fn validate(all: &[Value]) -> usize {
    let foreign = |object: &&Value| {
        let version = object["apiVersion"].as_str().unwrap_or_default();
        !FOREIGN.iter().any(|group| version.starts_with(group))
    };
    let texts: Vec<String> = all.iter().filter(foreign).map(Value::to_string).collect();
    let space = Workspace::new();
    let file = space.file("objects.yaml", texts.join("\n---\n"));
    let env = script("python-env", &["kubernetes-validate-1.37.0", "kubernetes-validate==1.37.0"]);
    let output = Command::new(format!("{env}/bin/python"))
        .args(["-m", "kubernetes_validate", "-k", "1.36", "--strict"])
        .arg(file)
        .output()
        .expect("the environment has a python");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    said.matches(" passed for resource ").count()
}

/// Renders the chart with these values.
fn chart(values: &Value) -> Result<Vec<Value>, String> {
    let mut helm = Command::new(repository().join("scripts/helm"))
        .arg("template")
        .arg(repository().join("manifests/helm/leasehold-sync"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script is in the repository");
    helm.stdin.take().expect("piped").write_all(values.to_string().as_bytes()).expect("it reads");
    let output = helm.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(objects(&text(&output.stdout))) } else { Err(text(&output.stderr)) }
}

fn kustomize(folder: &str) -> Vec<Value> {
    objects(&script("kustomize", &[&repository().join(folder).to_string_lossy()]))
}

fn of<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn the_manifests_the_chart_and_the_kustomizations_are_valid_and_grant_the_same() {
    script("helm", &["lint", &repository().join("manifests/helm/leasehold-sync").to_string_lossy()]);
    assert_eq!(validate(&documents("manifests/sync/sync.yaml")), 10);
    assert_eq!(validate(&documents("manifests/sync/network-policy.yaml")), 1);
    assert_eq!(validate(&documents("manifests/sync/monitor.yaml")), 1);
    let everything = json!({
        "namespaces": ["shop", "web"], "networkPolicy": true, "serviceMonitor": true,
        "handoff": {"transit": "transit/keys/sync"}, "args": ["-reconcile-period=5s"],
        "vault": {"caConfigMap": "ca"}, "env": [{"name": "VAULT_NAMESPACE", "value": "team"}],
    });
    let (plain, full) = (chart(&json!({})).expect("it renders"), chart(&everything).expect("it renders"));
    assert_eq!((validate(&plain), validate(&full)), (9, 12));
    let (wide, narrow) = (kustomize("manifests/sync"), kustomize("manifests/kustomize/sync-by-namespace"));
    assert_eq!((validate(&wide), validate(&narrow)), (13, 13));

    // The rights that are tested on a real API server are those of the chart.
    let rules = |all: &[Value], kind: &str| {
        let all = of(all, kind);
        all.iter().find(|role| role["metadata"]["name"] == "leasehold-sync").expect("a role")["rules"].clone()
    };
    for kind in ["ClusterRole", "Role"] {
        assert_eq!(rules(&plain, kind), rules(&wide, kind), "{kind}");
    }
    let without = chart(&json!({"restarts": false})).expect("it renders");
    assert!(!rules(&without, "ClusterRole").to_string().contains("deployments"));

    // For named namespaces nothing is bound in the cluster.
    for (name, all) in [("chart", &full), ("kustomization", &narrow)] {
        assert!(of(all, "ClusterRoleBinding").is_empty(), "{name}");
        let bound: Vec<&str> = of(all, "RoleBinding")
            .iter()
            .filter(|one| one["roleRef"]["kind"] == "ClusterRole")
            .filter_map(|one| one["metadata"]["namespace"].as_str())
            .collect();
        let args = of(all, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
        assert!(
            !bound.is_empty() && args.contains(&format!("-watch-namespaces={}", bound.join(","))),
            "{name}: {args}"
        );
    }
    assert_eq!(of(&plain, "ClusterRoleBinding").len(), 1);
    for (all, pods) in [(&plain, "chart"), (&wide, "manifest")] {
        let pod = &of(all, "Deployment")[0]["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{pods}");
        assert_eq!(pod["containers"][0]["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{pods}");
        // Kubernetes would wait for a second, in which a machine under load may not answer.
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(pod["containers"][0][probe]["timeoutSeconds"], 5, "{pods} {probe}");
        }
    }
    let refused = chart(&json!({"vault": {"role": ""}})).expect_err("no role");
    assert!(refused.contains("vault.role"), "{refused}");
    chart(&json!({"handoff": {"transit": "plain"}})).expect_err("no key of a transit engine");
}

#[test]
fn the_alerts_fire_when_they_should_and_ask_for_metrics_that_there_are() {
    if !need("promtool", "apt-get install prometheus", have("promtool")) {
        return;
    }
    let folder = repository().join("manifests/prometheus");
    for arguments in
        [["check", "rules", "leasehold-sync.rules.yaml"], ["test", "rules", "leasehold-sync.rules.test.yaml"]]
    {
        let output =
            Command::new("promtool").args(arguments).current_dir(&folder).output().expect("it is there");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("SUCCESS"), "{said}");
    }
    let text = |name: &Path| std::fs::read_to_string(name).expect("it is ours");
    let (rules, tests) = (
        text(&folder.join("leasehold-sync.rules.yaml")),
        text(&folder.join("leasehold-sync.rules.test.yaml")),
    );
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} is never seen to fire");
    }
    let metrics = text(&repository().join("crates/kubernetes/src/sync/board/metrics.rs"));
    for word in rules.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
        for prefix in ["leasehold_sync_", "secrets_manager_"] {
            if let Some(name) = word.strip_prefix(prefix) {
                assert!(metrics.contains(&format!("\"{name}\"")), "{word} is no metric");
            }
        }
    }
}
