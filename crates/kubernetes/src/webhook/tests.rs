use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method};
use serde_json::{Value, json};

use super::options::{Flags, Options, Source};
use super::review::{Decision, NoReview, answer};
use super::routes::Webhook;
use crate::tests::{injected, pod, settings, vault};

fn review(version: &str, pod: &Value) -> Vec<u8> {
    let request = json!({"uid": "u-1", "operation": "CREATE", "namespace": "shop", "object": pod});
    json!({"apiVersion": version, "kind": "AdmissionReview", "request": request}).to_string().into_bytes()
}

#[test]
fn a_review_is_answered_in_its_own_version_with_a_patch_that_makes_the_pod() {
    let mut before = vault(&[("agent-inject-secret-a", "kv/a"), ("go-max-procs", "1")]);
    before["metadata"] = json!({"generateName": "web-", "annotations": before["metadata"]["annotations"]});
    for version in ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] {
        let answer = answer(&review(version, &before), &settings()).expect("a review");
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!((&body["apiVersion"], &body["kind"]), (&json!(version), &json!("AdmissionReview")));
        let response = &body["response"];
        assert_eq!(
            (&response["uid"], &response["allowed"], &response["patchType"]),
            (&json!("u-1"), &json!(true), &json!("JSONPatch"))
        );
        assert!(response["warnings"][0].as_str().expect("a warning").contains("go-max-procs"));
        let patch = STANDARD.decode(response["patch"].as_str().expect("a patch")).expect("base64");
        let mut patched = before.clone();
        json_patch::patch(
            &mut patched,
            &serde_json::from_slice::<json_patch::Patch>(&patch).expect("a patch"),
        )
        .expect("it applies");
        assert_eq!(patched, injected(&before).0);
        let record = answer.record;
        assert_eq!((record.namespace.as_str(), record.pod.as_str()), ("shop", "web-"));
        assert_eq!(record.decision, Decision::Injected { kind: "init_and_sidecar" });
    }
}

#[test]
fn a_refusal_says_where_what_and_what_to_do() {
    let before = vault(&[("tls-skip-verify", "maybe")]);
    let answer = answer(&review("admission.k8s.io/v1", &before), &settings()).expect("a review");
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(body["response"]["allowed"], false);
    assert_eq!(
        body["response"]["status"]["message"],
        "leasehold: vault.hashicorp.com/tls-skip-verify: \"maybe\" is not a boolean; write \"true\" or \"false\""
    );
    assert_eq!(answer.record.decision, Decision::Refused);
}

#[test]
fn what_is_not_a_pod_is_refused_and_what_is_not_new_stays() {
    let answered = |object: Value| {
        answer(&review("admission.k8s.io/v1", &object), &settings()).expect("a review").record
    };
    assert_eq!(answered(json!("text")).decision, Decision::Refused);
    assert_eq!(answered(pod(&[])).reason, "not asked for");
    let mut update: Value =
        serde_json::from_slice(&review("admission.k8s.io/v1", &vault(&[]))).expect("JSON");
    update["request"]["operation"] = json!("UPDATE");
    let record = answer(update.to_string().as_bytes(), &settings()).expect("a review").record;
    assert_eq!(
        (record.decision, record.reason.as_str()),
        (Decision::Untouched, "only new pods are injected")
    );
}

#[test]
fn bytes_that_are_no_review_are_an_error() {
    let wrong = |bytes: &[u8]| answer(bytes, &settings()).expect_err("no review");
    assert!(matches!(wrong(b"{"), NoReview::NoJson(why) if why.contains("EOF")));
    for body in [
        "[]",
        "{}",
        "null",
        r#"{"apiVersion":"admission.k8s.io/v2","kind":"AdmissionReview","request":{"uid":"u"}}"#,
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}"#,
    ] {
        assert_eq!(wrong(body.as_bytes()), NoReview::AnotherKind, "{body}");
    }
}

#[test]
fn a_body_as_deep_as_a_bomb_is_an_error_and_not_a_crash() {
    let deep = "[".repeat(200_000);
    assert!(answer(deep.as_bytes(), &settings()).is_err());
}

#[test]
fn content_types_paths_and_methods_are_answered_as_vault_k8s_answers_them_or_better() {
    let webhook = Webhook::new(settings());
    let body = review("admission.k8s.io/v1", &vault(&[]));
    let status = |kind: &str, body: &[u8]| {
        webhook.mutate(Some(&HeaderValue::from_str(kind).expect("text")), body).status().as_u16()
    };
    assert_eq!(status("application/json", &body), 200);
    assert_eq!(status("application/json; charset=utf-8", &body), 200, "vault-k8s refuses it");
    assert_eq!(status("text/plain", &body), 400);
    assert_eq!(webhook.mutate(None, &body).status().as_u16(), 400);
    assert_eq!(status("application/json", b"{"), 500);
    let look = |method: &Method, path: &str| webhook.look(method, path).status().as_u16();
    assert_eq!((look(&Method::GET, "/health/ready"), look(&Method::GET, "/livez")), (204, 200));
    assert_eq!(
        (look(&Method::GET, "/mutate"), look(&Method::POST, "/metrics"), look(&Method::GET, "/x")),
        (405, 405, 404)
    );
    webhook.stop();
    assert_eq!((look(&Method::GET, "/health/ready"), look(&Method::GET, "/livez")), (503, 200));
}

#[test]
fn options_come_from_the_injectors_variables_and_flags_win() {
    let variables = |name: &str| match name {
        "AGENT_INJECT_LISTEN" => Some(":8080".to_owned()),
        "AGENT_INJECT_TLS_CERT_FILE" => Some("/c".to_owned()),
        "AGENT_INJECT_TLS_KEY_FILE" => Some("/k".to_owned()),
        _ => None,
    };
    let options = Options::resolve(&Flags::default(), &variables).expect("good options");
    assert_eq!((options.listen.port(), options.plain.port(), options.json), (8080, 9110, true));
    let flags = Flags { listen: Some("127.0.0.1:1".to_owned()), ..Flags::default() };
    assert_eq!(Options::resolve(&flags, &variables).expect("good options").listen.to_string(), "127.0.0.1:1");
    let missing = Options::resolve(&Flags::default(), &|_| None).expect_err("no files");
    assert!(missing.contains("--tls-cert-file or AGENT_INJECT_TLS_CERT_FILE"), "{missing}");
    let own = |name: &str| match name {
        "AGENT_INJECT_TLS_AUTO" => Some("vault-agent-injector-cfg".to_owned()),
        "AGENT_INJECT_TLS_AUTO_HOSTS" => Some("svc, svc.vault,,svc.vault.svc".to_owned()),
        "POD_NAME" => Some("injector-0".to_owned()),
        _ => None,
    };
    let Source::Own { names, .. } = Options::resolve(&Flags::default(), &own).expect("good options").source
    else {
        panic!("a registration is named");
    };
    assert_eq!((names.registration.as_str(), names.me.as_str()), ("vault-agent-injector-cfg", "injector-0"));
    assert_eq!(
        names.hosts.iter().map(String::as_str).collect::<Vec<_>>(),
        ["svc", "svc.vault", "svc.vault.svc"]
    );
    let flags = Flags { certificate_life: Some("1s".to_owned()), ..Flags::default() };
    assert!(Options::resolve(&flags, &own).expect_err("too short").starts_with("--certificate-life: "));
    let flags = Flags { listen: Some("here".to_owned()), ..Flags::default() };
    assert!(
        Options::resolve(&flags, &variables)
            .expect_err("no address")
            .starts_with("--listen: \"here\" is no address")
    );
}
