//! What guides show at a terminal about pods: the commands are run as printed, with the real kubectl on a real API server
//! where they ask one.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::demo::{agent, webhook};
use crate::support::api_server::{ApiServer, api_server_possible};
use crate::support::child::Child;
use crate::support::guide::{page, typed};
use crate::support::need::{have, need};
use crate::support::script::repository;
use crate::support::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(60);

const ANNOTATED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations:
        vault.hashicorp.com/agent-inject: 'true'
        vault.hashicorp.com/role: web
        vault.hashicorp.com/agent-inject-secret-db.env: database/creds/web
        vault.hashicorp.com/agent-inject-template-db.env: 'USER={{ with secret \"database/creds/web\" }}{{ .Data.username }}{{ end }}'
    spec:
      serviceAccountName: web
      containers: [{name: web, image: 'web:1.0'}]
";

/// Runs commands in one shell; what it said.
#[track_caller]
fn walked(space: &Workspace, commands: &[String], cluster: Option<&ApiServer>) -> String {
    assert!(!commands.is_empty(), "the page has no commands there");
    let folders = [webhook().to_owned(), agent()]
        .map(|program| program.parent().expect("it is in a folder").display().to_string());
    let path = format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap_or_default());
    let script = format!("set -euo pipefail\n{}\n", commands.join("\n"));
    let mut shell = Child::start(Path::new("bash"), "walk", space.path(), |shell| {
        shell.args(["-c", &script]).env_clear().env("PATH", path).env("HOME", space.path());
        shell.envs(cluster.map(|cluster| ("KUBECONFIG", cluster.kubeconfig()))).current_dir(space.path());
    });
    let status = shell.wait(LIMIT);
    assert!(status.success(), "{script}{}{}", shell.stdout(), shell.stderr());
    shell.stdout()
}

fn kubectl_possible() -> bool {
    api_server_possible() && need("kubectl", "apt-get install kubernetes-client", have("kubectl"))
}

#[test]
fn what_annotated_pods_would_become_is_shown_as_printed() {
    let space = Workspace::new();
    space.file("deployment.yaml", ANNOTATED);
    let commands = typed(&page("docs/guides/from-vault-k8s.md"), "Look at what your pods would become");
    assert_eq!(commands.len(), 4, "{commands:?}");
    let said = walked(&space, &commands, None);
    assert!(said.contains("good: 1 of 1 pods injected, 0 warnings\n"), "{said}");
    let injected = space.read("injected.yaml").expect("it is written");
    assert!(injected.contains("vault-agent-init") && injected.contains("https://vault.vault.svc:8200"));
    let made = std::fs::read_dir(space.join("converted")).expect("it is made").count();
    assert_eq!(made, 1);
}

#[test]
fn the_configuration_of_a_pod_that_runs_is_taken_over_as_printed() {
    if !kubectl_possible() {
        return;
    }
    let cluster = ApiServer::start();
    let injected = std::fs::read_to_string(repository().join("tests/agents/injected.json"));
    let injected = injected.expect("what the injector hands its agents");
    let injected = injected.replacen('{', "{\"vault\": {\"address\": \"https://v:8200\"},", 1);
    let containers = json!([
        {"name": "web", "image": "web:1.0"},
        {"name": "vault-agent", "image": "vault:1", "env": [{"name": "VAULT_CONFIG", "value": STANDARD.encode(injected)}]},
    ]);
    pod(&cluster, "web-0", &containers);
    let space = Workspace::new();
    let commands = typed(&page("docs/guides/from-vault-k8s.md"), "Or with a manifest of your own");
    let said = walked(&space, &commands, Some(&cluster));
    assert!(said.contains("good: "), "{said}");
}

/// Makes a pod, as an administrator.
fn pod(cluster: &ApiServer, name: &str, containers: &serde_json::Value) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": containers, "automountServiceAccountToken": false},
    });
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}});
    // Made by a controller, where it is quicker than this test.
    let _there_already = cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", Some(&account));
    cluster.ask("POST", "/api/v1/namespaces/default/pods", Some(&pod)).ok();
}

#[test]
fn a_pod_that_does_not_start_is_looked_at_as_printed() {
    if !kubectl_possible() {
        return;
    }
    let cluster = ApiServer::start();
    let containers =
        json!([{"name": "web", "image": "web:1.0"}, {"name": "leasehold", "image": "leasehold:1"}]);
    pod(&cluster, "web", &containers);
    let space = Workspace::new();
    for (guide, heading) in
        [("troubleshooting", "The chain, one command a link"), ("kubernetes", "When it does not start")]
    {
        let commands = typed(&page(&format!("docs/guides/{guide}.md")), heading);
        assert_eq!(commands.len(), 2, "{commands:?}");
        let said = walked(&space, &commands, Some(&cluster));
        assert!(said.starts_with("Name:") && said.contains("  leasehold:\n"), "{said}");
    }
}
