//! The Deployment of vault-k8s with our image: its arguments, its variables, its probes, its rights and its
//! registration, and nothing of ours.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::http;
use crate::support::ports::free_port;
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::{SOON, pod};

const REGISTRATION: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/vault-agent-injector-cfg";

/// Returns the rights as the chart of vault-k8s makes them for one replica, with the namespace and the account.
pub(crate) fn rights() -> [Value; 4] {
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vault"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "vault-agent-injector", "namespace": "vault"}}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "vault-agent-injector-clusterrole"},
            "rules": [{
                "apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"],
                "verbs": ["get", "list", "watch", "patch"],
            }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "vault-agent-injector-binding"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "vault-agent-injector-clusterrole"},
            "subjects": [{"kind": "ServiceAccount", "name": "vault-agent-injector", "namespace": "vault"}],
        }),
    ]
}

/// Returns the registration of vault-k8s' chart. The port of this machine stands for the Service.
fn registration(port: u16) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "vault-agent-injector-cfg"},
        "webhooks": [{
            "name": "vault.hashicorp.com", "failurePolicy": "Ignore", "matchPolicy": "Exact", "sideEffects": "None",
            "timeoutSeconds": 30, "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/mutate")},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "Namespaced"}],
        }],
    })
}

/// Returns the variables of the container in vault-k8s' chart, with the values of a first installation.
fn variables(port: u16) -> Vec<(&'static str, String)> {
    let text = |name, value: &str| (name, value.to_owned());
    vec![
        ("AGENT_INJECT_LISTEN", format!(":{port}")),
        text("AGENT_INJECT_LOG_LEVEL", "info"),
        text("AGENT_INJECT_VAULT_ADDR", "http://vault.vault.svc:8200"),
        text("AGENT_INJECT_VAULT_AUTH_PATH", "auth/kubernetes"),
        text("AGENT_INJECT_VAULT_IMAGE", "hashicorp/vault:1.20.4"),
        text("AGENT_INJECT_TLS_AUTO", "vault-agent-injector-cfg"),
        text(
            "AGENT_INJECT_TLS_AUTO_HOSTS",
            "vault-agent-injector-svc,vault-agent-injector-svc.vault,vault-agent-injector-svc.vault.svc,127.0.0.1",
        ),
        text("AGENT_INJECT_LOG_FORMAT", "standard"),
        text("AGENT_INJECT_REVOKE_ON_SHUTDOWN", "false"),
        text("AGENT_INJECT_CPU_REQUEST", "250m"),
        text("AGENT_INJECT_CPU_LIMIT", "500m"),
        text("AGENT_INJECT_MEM_REQUEST", "64Mi"),
        text("AGENT_INJECT_MEM_LIMIT", "128Mi"),
        text("AGENT_INJECT_DEFAULT_TEMPLATE", "map"),
        text("AGENT_INJECT_TEMPLATE_CONFIG_EXIT_ON_RETRY_FAILURE", "true"),
        text("POD_NAME", "vault-agent-injector-0"),
        text("LEASEHOLD_IMAGE", "registry.example/leasehold:1"),
    ]
}

#[test]
fn the_deployment_of_vault_k8s_needs_another_image_and_nothing_else() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::bare();
    let (port, plain, space) = (free_port(), free_port(), Workspace::new());
    for object in rights().iter().chain([&registration(port)]) {
        cluster.server.create(object).ok();
    }
    let config = cluster.kubeconfig(&space, "vault", "vault-agent-injector");
    let program = Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
    let mut injector = Child::start(program, "injector", space.path(), |command| {
        // Tests share a machine: nothing else may listen where every pod has an address of its own.
        command.args(["agent-inject", "--plain", &format!("127.0.0.1:{plain}"), "2>&1"]).env_clear();
        command.envs(variables(port)).env("KUBECONFIG", &config);
    });
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // The bundle is its authority, and the probes of the chart go to the port with TLS.
    wait_until("the probe of the chart to succeed", SOON, || {
        assert_eq!(injector.ended(), None, "{}", injector.stderr());
        let bundle = cluster.bundle_of(REGISTRATION, 0);
        space.file("bundle.pem", &bundle);
        let probe =
            |bundle: &str| http::request_tls(address, &space.join(bundle), "GET", "/health/ready", &[], None);
        !bundle.is_empty() && probe("bundle.pem").is_ok_and(|reply| reply.status == 204)
    });
    let annotated = pod("web", &[("agent-inject-secret-a", "kv/a")]);
    wait_until("a pod to be injected", SOON, || {
        let reply =
            cluster.server.ask("POST", "/api/v1/namespaces/default/pods?dryRun=All", Some(&annotated));
        let pod = reply.json();
        let sidecar = &pod["spec"]["containers"][1];
        // What the operator of vault-k8s has set holds; the image is ours.
        sidecar["image"] == "registry.example/leasehold:1"
            && sidecar["resources"]["limits"] == json!({"cpu": "500m", "memory": "128Mi"})
            && sidecar["resources"]["requests"] == json!({"cpu": "250m", "memory": "64Mi"})
    });
    injector.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(injector.wait(SOON).code(), Some(0), "{}", injector.stderr());
}

#[test]
fn a_flag_that_vault_k8s_does_not_have_is_named() {
    let program = env!("CARGO_BIN_EXE_leasehold-kubernetes");
    let output =
        std::process::Command::new(program).args(["agent-inject", "-listeen=:1"]).env_clear().output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("-listeen=:1: vault-k8s' injector has no such flag"), "{said}");
}
