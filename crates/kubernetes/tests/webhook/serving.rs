//! Over TLS, without a cluster.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::support::write_certificates;
use crate::{SOON, Webhook, pod, settings};

fn review(pod: &Value) -> Value {
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": pod});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

#[test]
fn decisions_are_answered_logged_and_counted() {
    let webhook = Webhook::start(&settings());
    let good = webhook.post("ca.pem", "/mutate", &review(&pod("good", &[("agent-inject-secret-a", "kv/a")])));
    assert_eq!(good.expect("an answer").json()["response"]["allowed"], true);
    let bad = webhook.post("ca.pem", "/mutate", &review(&pod("bad", &[("tls-skip-verify", "maybe")])));
    assert_eq!(bad.expect("an answer").json()["response"]["allowed"], false);
    let nonsense = webhook.post("ca.pem", "/mutate", &json!("text")).expect("an answer");
    assert_eq!(nonsense.status, 500);
    let metrics = webhook.plain("/metrics").expect("an answer").text;
    for line in [
        "vault_agent_injector_request_queue_length 0",
        "vault_agent_injector_request_processing_duration_ms_count 3",
        "vault_agent_injector_injections_by_namespace_total{namespace=\"shop\",injection_type=\"init_and_sidecar\"} 1",
        "vault_agent_injector_failed_injections_by_namespace_total{namespace=\"shop\"} 1",
        "leasehold_kubernetes_reviews_total{decision=\"refused\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let log = webhook.log();
    let of =
        |pod: &str| log.iter().find(|line| line["pod"] == pod).unwrap_or_else(|| panic!("{pod}: {log:?}"));
    assert_eq!((&of("good")["decision"], &of("good")["namespace"]), (&json!("injected"), &json!("shop")));
    assert!(of("bad")["reason"].as_str().expect("a reason").contains("is not a boolean"));
    // Pods are reviewed over TLS only.
    assert_eq!(webhook.plain("/mutate").expect("an answer").status, 404);
}

#[test]
fn a_new_certificate_is_taken_from_its_files_and_a_broken_one_is_not() {
    let webhook = Webhook::start(&settings());
    let other = Workspace::new();
    write_certificates(&other);
    let key = webhook.space.read("server.key").expect("a key");
    webhook.space.file("server.key", "no key at all");
    wait_until("the broken key to be logged", SOON, || {
        webhook.child.stderr().contains("the old certificate stays")
    });
    assert!(webhook.post("ca.pem", "/mutate", &review(&pod("a", &[]))).is_ok());
    webhook.space.file("server.key", key);
    for name in ["server.pem", "server.key"] {
        webhook.space.file(name, other.read(name).expect("a file"));
    }
    webhook.space.file("other.pem", other.read("ca.pem").expect("a file"));
    wait_until("the new certificate", SOON, || {
        webhook.post("other.pem", "/mutate", &review(&pod("a", &[]))).is_ok()
    });
    assert!(webhook.post("ca.pem", "/mutate", &review(&pod("a", &[]))).is_err());
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_next_is_served() {
    let webhook = Webhook::start(&settings());
    let large = json!("x".repeat(5 * 1024 * 1024));
    // The answer may come before the whole body is sent, so the connection may break instead.
    if let Ok(reply) = webhook.post("ca.pem", "/mutate", &large) {
        assert_eq!(reply.status, 413);
    }
    assert_eq!(webhook.post("ca.pem", "/mutate", &review(&pod("a", &[]))).expect("an answer").status, 200);
}

#[test]
fn sigterm_makes_it_not_ready_first_and_then_ends_it() {
    let mut webhook = Webhook::start(&settings());
    let begun = Instant::now();
    webhook.child.signal(Signal::SIGTERM);
    wait_until("it to be not ready", SOON, || {
        webhook.plain("/health/ready").is_none_or(|reply| reply.status == 503)
    });
    assert!(webhook.child.wait(SOON).success());
    assert!(begun.elapsed() >= Duration::from_secs(3), "requests are served for a moment more");
}

#[test]
fn without_a_certificate_it_says_what_is_missing() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"))
        .arg("webhook")
        .env_clear()
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--tls-cert-file or AGENT_INJECT_TLS_CERT_FILE"), "{said}");
}
