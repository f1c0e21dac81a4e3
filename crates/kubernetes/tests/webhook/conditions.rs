//! What the API server itself decides by expressions, by Google's own CEL: which pods call the webhook, and which the
//! guard refuses.

use serde_json::{Value, json};

use crate::cluster::{documents, manifest};
use crate::support::script::{cel, repository};

/// Returns what the expression gives for each pod with these annotations.
fn judged(variables: &Value, expression: &Value, annotations: &[Value]) -> Value {
    let pod = |annotations: &Value| match annotations {
        Value::Null => json!({"kind": "Pod", "metadata": {"name": "web"}}),
        _ => json!({"kind": "Pod", "metadata": {"name": "web", "annotations": annotations}}),
    };
    let objects: Vec<Value> = annotations.iter().map(pod).collect();
    let cases = json!({"variables": variables, "expression": expression, "objects": objects});
    cel(&cases)
}

const VAULT: &str = "vault.hashicorp.com/agent-inject";
const OWN: &str = "leasehold.dev/inject";

#[test]
fn pods_that_name_neither_prefix_never_call_the_webhook() {
    let all = manifest();
    let registration = all.iter().find(|one| one["kind"] == "MutatingWebhookConfiguration");
    let condition = &registration.expect("the manifest has one")["webhooks"][0]["matchConditions"][0];
    let pods = [
        (Value::Null, false),
        (json!({}), false),
        (json!({"prometheus.io/scrape": "true", "leasehold.dev/role": "web"}), false),
        // What the values mean the webhook says, in words.
        (json!({VAULT: "true"}), true),
        (json!({OWN: "maybe"}), true),
        (json!({OWN: "false", VAULT: "false"}), true),
    ];
    let (annotations, expected): (Vec<_>, Vec<_>) = pods.into_iter().unzip();
    assert_eq!(judged(&json!([]), &condition["expression"], &annotations), json!(expected));
}

#[test]
fn the_guard_refuses_whoever_asks_and_was_not_injected() {
    let path = repository().join("manifests/webhook/guard.yaml");
    let all = documents(&std::fs::read_to_string(path).expect("a manifest of ours"));
    let spec = &all[0]["spec"];
    let variables = spec["variables"].as_array().expect("a list").iter();
    let variables: Value = variables.map(|one| json!([one["name"], one["expression"]])).collect();
    let has_annotations = &spec["matchConditions"][0]["expression"];
    assert_eq!(judged(&json!([]), has_annotations, &[Value::Null, json!({"a": "b"})]), json!([false, true]));

    let status = "vault.hashicorp.com/agent-inject-status";
    let pods = [
        (json!({"a": "b"}), true),
        (json!({VAULT: "true"}), false),
        (json!({VAULT: "true", status: "injected"}), true),
        (json!({OWN: "1", "leasehold.dev/status": "injected"}), true),
        // Every spelling of Go's that means yes.
        (json!({OWN: "1"}), false),
        (json!({OWN: "t"}), false),
        (json!({OWN: "T"}), false),
        (json!({OWN: "TRUE"}), false),
        (json!({OWN: "True"}), false),
        (json!({VAULT: "false"}), true),
        (json!({VAULT: "0", OWN: "F"}), true),
        // Whoever writes another status by hand was not injected.
        (json!({VAULT: "true", status: "no"}), false),
    ];
    let (annotations, expected): (Vec<_>, Vec<_>) = pods.into_iter().unzip();
    assert_eq!(judged(&variables, &spec["validations"][0]["expression"], &annotations), json!(expected));
}
