//! The author of a pod is not trusted: whatever is in it costs a refusal, and never memory or another pod.

use std::time::{Duration, Instant};

use leasehold_testkit::evidence;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::support::api_server::api_server_possible;
use crate::{Webhook, pod, settings};

fn review(pod: &Value) -> Value {
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": pod});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

/// Pods that ask for too much, each with what the refusal has to say.
fn hostile() -> Vec<(&'static str, Value, &'static str)> {
    let with = |name: &str, value: &str| pod("evil", &[(name, value)]);
    let nested = "{{ if true }}".repeat(9_000);
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000));
    let aliases: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)).collect();
    let own = |name: &str, value: &str| {
        let mut pod = pod("evil", &[]);
        pod["metadata"]["annotations"] = json!({"leasehold.dev/inject": "true", "leasehold.dev/role": "web"});
        pod["metadata"]["annotations"][format!("leasehold.dev/{name}")] = json!(value);
        pod
    };
    let copies: Vec<String> =
        (0..60).map(|n| format!(r#"{{"op":"copy","from":"","path":"/{}"}}"#, ["x", "y"][n % 2])).collect();
    let file = |path: &str| pod("evil", &[("agent-inject-secret-a", "kv/a"), ("agent-inject-file-a", path)]);
    vec![
        ("a folder up", file("../../etc/passwd"), ".."),
        ("a folder up, inside", file("a/../../b"), ".."),
        ("NUL in a path", file("a\0b"), "NUL"),
        ("NUL in a template", with("agent-inject-template-a", "\0"), "NUL"),
        ("NUL in a role", with("role", "a\0"), ""),
        ("a mount over everything", with("secret-volume-path", "/"), ""),
        ("a mount over the token", with("secret-volume-path", "/var/run/secrets/../secrets"), ""),
        (
            "a megabyte of template",
            with("agent-inject-template-a", &"x".repeat(1024 * 1024)),
            "Kubernetes takes 256 KiB",
        ),
        ("200 KiB of template", with("agent-inject-template-a", &"x".repeat(200 * 1024)), "120 is the most"),
        ("9,000 open ifs", with("agent-inject-template-a", &nested), ""),
        ("50,000 parentheses", with("agent-inject-template-a", &parentheses), ""),
        ("a billion laughs", own("config", &format!("a0: &a0 [x]\n{aliases}files: [*a29]\n")), ""),
        ("deep YAML", own("config", &"[".repeat(200_000)), "levels deep"),
        ("deep YAML in blocks", own("config", &"- ".repeat(100_000)), "not a map"),
        ("many keys", own("config", &"? a\n".repeat(60_000)), ""),
        ("deep JSON patch", with("agent-json-patch", &"[".repeat(200_000)), ""),
        ("a patch that grows", with("agent-json-patch", &format!("[{}]", copies.join(","))), "KiB"),
    ]
}

#[test]
fn a_hostile_author_costs_a_refusal_and_no_memory() {
    let webhook = Webhook::start(&settings());
    let good = |webhook: &Webhook| {
        let reply =
            webhook.post("ca.pem", "/mutate", &review(&pod("good", &[("agent-inject-secret-a", "kv/a")])));
        assert_eq!(reply.expect("an answer").json()["response"]["allowed"], true);
    };
    good(&webhook);
    for (what, pod, words) in hostile() {
        let begun = Instant::now();
        let reply = webhook.post("ca.pem", "/mutate", &review(&pod)).expect(what).json();
        let took = begun.elapsed();
        assert_eq!(
            reply["response"]["allowed"],
            false,
            "{what}: {}",
            &reply.to_string()[..200.min(reply.to_string().len())]
        );
        let message = reply["response"]["status"]["message"].as_str().expect("words").to_owned();
        assert!(message.contains(words) && message.len() < 2000, "{what}: {message}");
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        good(&webhook);
    }
    let peak = webhook.child.peak_kib();
    assert!(peak < 128 * 1024, "{peak} KiB");
    // The log of a refusal is as short.
    assert!(webhook.log().iter().all(|line| line.to_string().len() < 4000));
}

#[test]
fn a_hostile_pod_is_refused_by_the_api_server_and_the_next_one_is_made() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(1);
    let mut webhook = cluster.replica(0, &[]);
    webhook.until_ready();
    cluster.until_admitted();
    let evidence = evidence!(62, Server);
    for (what, pod, _) in hostile() {
        let reply = cluster.server.ask("POST", "/api/v1/namespaces/default/pods?dryRun=All", Some(&pod));
        assert!((400..500).contains(&reply.status), "{what}: {} {}", reply.status, reply.text);
        assert_eq!(cluster.admit().status, 201, "{what}");
    }
    evidence.holds("each costs a refusal with its reason; memory stays bounded, and the next pod is made");
}
