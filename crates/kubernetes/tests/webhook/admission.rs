//! Through a real API server: what is stored is what the injection makes.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::api_server::{ApiServer, api_server_possible};
use crate::support::http::Reply;
use crate::{Webhook, pod, settings};

const PODS: &str = "/api/v1/namespaces/default/pods";

/// A cluster that asks two webhooks in a row, both ours: a second one must change nothing.
struct Stage {
    cluster: ApiServer,
    webhook: Webhook,
}

impl Stage {
    fn new() -> Self {
        let (cluster, webhook) = (ApiServer::start(), Webhook::start(&settings()));
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        for namespace in ["default", "kube-system"] {
            let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
            let made = cluster.ask("POST", &path, Some(&account));
            assert!([201, 409].contains(&made.status), "{}", made.text);
        }
        let registration = registration(&webhook);
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        cluster.ask("POST", path, Some(&registration)).ok();
        let stage = Self { cluster, webhook };
        stage.until_asked();
        stage
    }

    /// Waits until the webhook is asked. The API server learns of a registration a moment after it has taken the
    /// registration.
    fn until_asked(&self) {
        let probe = pod("probe", &[("tls-skip-verify", "maybe")]);
        crate::support::wait::wait_until("the webhook to be asked", crate::SOON, || {
            self.cluster.ask("POST", &format!("{PODS}?dryRun=All"), Some(&probe)).status == 403
        });
    }

    fn create(&self, pod: &Value) -> Reply {
        self.cluster.ask("POST", PODS, Some(pod))
    }
}

fn registration(webhook: &Webhook) -> Value {
    let ca = webhook.space.read("ca.pem").expect("written at start");
    let ca = base64::engine::general_purpose::STANDARD.encode(ca);
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "Namespaced"}]);
    let one = |name: &str| {
        json!({
            "name": name, "rules": rules, "sideEffects": "None", "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded", "admissionReviewVersions": ["v1", "v1beta1"], "timeoutSeconds": 10,
            "clientConfig": {"url": format!("https://127.0.0.1:{}/mutate", webhook.port), "caBundle": ca},
        })
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "leasehold"},
        "webhooks": [one("first.leasehold.dev"), one("second.leasehold.dev")],
    })
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect()
}

#[test]
fn annotated_pods_are_stored_with_leasehold_and_wrong_ones_are_refused() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::new();

    let groups: [(&str, &[(&str, &str)]); 6] = [
        ("plain", &[("agent-inject-secret-db", "database/creds/web")]),
        (
            "template",
            &[
                ("agent-inject-template-env", "{{ with secret \"kv/a\" }}$(A){{ .Data.a }}{{ end }}"),
                ("agent-inject-perms-env", "0600"),
            ],
        ),
        ("init-only", &[("agent-inject-secret-a", "kv/a"), ("agent-pre-populate-only", "true")]),
        (
            "sidecar-only",
            &[
                ("agent-inject-secret-a", "kv/a"),
                ("agent-pre-populate", "false"),
                ("agent-share-process-namespace", "true"),
            ],
        ),
        (
            "config-map",
            &[
                ("agent-configmap", "web-agent"),
                ("tls-secret", "vault-tls"),
                ("ca-cert", "/vault/tls/ca.crt"),
            ],
        ),
        (
            "resources",
            &[
                ("agent-inject-secret-a", "kv/a"),
                ("agent-limits-cpu", "100m"),
                ("agent-run-as-user", "4711"),
                ("secret-volume-path", "/run/creds"),
            ],
        ),
    ];
    for (name, annotations) in groups {
        let stored = stage.create(&pod(name, annotations)).ok().json();
        let spec = &stored["spec"];
        let all = [names(&spec["initContainers"]), names(&spec["containers"])].concat();
        let expected: &[&str] = match name {
            "init-only" => &["vault-agent-init", "web"],
            "sidecar-only" => &["web", "vault-agent"],
            _ => &["vault-agent-init", "web", "vault-agent"],
        };
        assert_eq!(all, expected, "{name}");
        assert_eq!(
            stored["metadata"]["annotations"]["vault.hashicorp.com/agent-inject-status"], "injected",
            "{name}"
        );
        let again = stage.cluster.ask("GET", &format!("{PODS}/{name}"), None).ok().json();
        assert_eq!(again["spec"], *spec, "{name}");
    }

    // An update does not go through the webhook, and changes nothing of what was injected.
    let path = format!("{PODS}/plain");
    let before = stage.cluster.ask("GET", &path, None).ok().json();
    let mut changed = before.clone();
    changed["metadata"]["labels"] = json!({"changed": "yes"});
    let after = stage.cluster.ask("PUT", &path, Some(&changed)).ok().json();
    assert_eq!(
        (&after["spec"], &after["metadata"]["labels"]),
        (&before["spec"], &changed["metadata"]["labels"])
    );

    // A dry run is answered alike, and stores nothing.
    let dry = stage.cluster.ask(
        "POST",
        &format!("{PODS}?dryRun=All"),
        Some(&pod("dry", &[("agent-inject-secret-a", "kv/a")])),
    );
    assert_eq!(names(&dry.ok().json()["spec"]["containers"]), ["web", "vault-agent"]);
    assert_eq!(stage.cluster.ask("GET", &format!("{PODS}/dry"), None).status, 404);

    // A controller's pod has no name yet.
    let mut generated = pod("", &[("agent-inject-secret-a", "kv/a")]);
    generated["metadata"]["generateName"] = json!("web-");
    generated["metadata"].as_object_mut().expect("a map").remove("name");
    let stored = stage.create(&generated).ok().json();
    assert_eq!(names(&stored["spec"]["containers"]), ["web", "vault-agent"]);

    // A pod of 60 containers.
    let mut many = pod("many", &[("agent-inject-secret-a", "kv/a")]);
    many["spec"]["containers"] =
        (0..60).map(|n| json!({"name": format!("c{n}"), "image": "app:1"})).collect();
    assert_eq!(names(&stage.create(&many).ok().json()["spec"]["containers"]).len(), 61);

    // One that does not ask is left alone.
    let mut plain = pod("untouched", &[]);
    plain["metadata"]["annotations"] = json!({});
    assert_eq!(names(&stage.create(&plain).ok().json()["spec"]["containers"]), ["web"]);

    // Refusals reach the person who applied the pod.
    let refused = stage.create(&pod("refused", &[("agent-inject-containers", "wbe")]));
    assert_eq!(refused.status, 403, "{}", refused.text);
    let words = "leasehold: vault.hashicorp.com/agent-inject-containers: the pod has no container \\\"wbe\\\"; it has web";
    assert!(refused.text.contains(words), "{}", refused.text);
    let mut system = pod("system", &[]);
    system["metadata"]["namespace"] = json!("kube-system");
    let refused = stage.cluster.ask("POST", "/api/v1/namespaces/kube-system/pods", Some(&system));
    assert!(refused.status == 403 && refused.text.contains("system namespace"), "{}", refused.text);

    // The second webhook in a row has left every pod alone.
    let decisions = stage.webhook.log();
    let second =
        decisions.iter().filter(|line| line["pod"] == "plain" && line["reason"] == "already injected");
    assert!(second.count() >= 1, "{decisions:?}");
}
