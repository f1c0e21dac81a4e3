//! Tokens that templates make: alive at every look, renewed, replaced, handed over and revoked.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{SOON, Stage, wait_until};

const POLICY: &str = r#"
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/create/*" { capabilities = ["update"] }
"#;

fn file(arguments: &str) -> String {
    format!(
        "files:\n  - {{path: token, refresh: 1s, template: '{{{{ with secret {arguments} }}}}{{{{ .Auth.ClientToken }}}}{{{{ end }}}}'}}\n"
    )
}

fn stage() -> Stage {
    let stage = Stage::new();
    stage.server.policy("web", POLICY);
    stage
}

fn is_alive(stage: &Stage, token: &str) -> bool {
    stage.server.ask_as(token, "GET", "auth/token/lookup-self", None).status == 200
}

/// Looks at the token for so long; returns how many different ones there were.
fn looks(stage: &Stage, lasts: Duration) -> usize {
    let begin = Instant::now();
    let mut seen: Vec<String> = Vec::new();
    while begin.elapsed() < lasts {
        let token = stage.read("token").expect("a published file stays");
        // It may have been replaced, and the old one revoked, since it was read.
        let alive = is_alive(stage, &token) || stage.read("token").as_deref() != Some(&token);
        assert!(alive, "a dead token is on the disk after {:?}", begin.elapsed());
        if seen.last() != Some(&token) {
            seen.push(token);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    seen.len()
}

#[test]
fn a_token_made_by_a_template_is_renewed_while_that_is_possible_and_revoked_at_the_end() {
    let stage = stage();
    let sidecar = stage.sidecar(&stage.config(&file(r#""auth/token/create" "ttl=6s" "policies=default""#)));
    assert_eq!(looks(&stage, Duration::from_secs(14)), 1, "it is renewed, and the same at every refresh");
    let status = stage.get("/status").expect("it listens").json();
    let secret = &status["secrets"][0];
    assert!(secret["renewals"].as_u64().is_some_and(|renewals| renewals >= 2), "{secret}");
    let token = stage.read("token").expect("it is there");
    sidecar.stop().assert_silent_about(&token);
    assert!(!is_alive(&stage, &token));
    stage.assert_nothing_left();
}

#[test]
fn a_token_that_cannot_be_renewed_or_has_a_longest_life_is_replaced_before_its_end() {
    for arguments in [
        r#""auth/token/create" "ttl=6s" "renewable=false" "policies=default""#,
        r#""auth/token/create" "ttl=4s" "explicit_max_ttl=8s" "policies=default""#,
        r#""auth/token/create" "ttl=6s" "type=batch" "policies=default""#,
        // It may not renew itself.
        r#""auth/token/create" "ttl=6s" "no_default_policy=true" "policies=web""#,
    ] {
        let stage = stage();
        let sidecar = stage.sidecar(&stage.config(&file(arguments)));
        if arguments.contains("no_default_policy") {
            // Nor look itself up: that it is replaced is all that can be seen.
            let first = stage.read("token");
            wait_until("another token", SOON, || stage.read("token") != first);
        } else {
            let made = looks(&stage, Duration::from_secs(14));
            assert!((2..=5).contains(&made), "{made} tokens: {arguments}");
        }
        sidecar.stop();
        stage.assert_nothing_left();
    }
}

#[test]
fn an_orphan_is_revoked_by_itself_and_a_handoff_keeps_it() {
    let stage = stage();
    stage.server.write("auth/token/roles/free", json!({ "orphan": true, "renewable": true }));
    let config = stage.config(&file(r#""auth/token/create/free" "ttl=600s""#));
    stage.init(&config).expect_code(0);
    let token = stage.read("token").expect("it is there");
    assert!(is_alive(&stage, &token));
    let sidecar = stage.sidecar(&config);
    assert_eq!(stage.read("token").as_ref(), Some(&token), "it is taken over");
    let minted = stage.server.requests("auth/token/create/free");
    assert_eq!(minted, 1);
    let renew = stage.post("/renew?file=token");
    assert_eq!(renew.status, 202);
    wait_until("another token", SOON, || stage.read("token").as_ref() != Some(&token));
    wait_until("the old one to be revoked", SOON * 2, || !is_alive(&stage, &token));
    let second = stage.read("token").expect("it is there");
    sidecar.stop();
    assert!(!is_alive(&stage, &second), "an orphan does not go with its login");
    stage.assert_nothing_left();
}

#[test]
fn a_token_that_somebody_revokes_is_replaced_at_its_next_renewal() {
    let stage = stage();
    let _sidecar = stage.sidecar(&stage.config(&file(r#""auth/token/create" "ttl=8s" "policies=default""#)));
    let first = stage.read("token").expect("it is there");
    stage.server.ask_as(&first, "POST", "auth/token/revoke-self", None);
    wait_until("another token", SOON, || {
        stage.read("token").is_some_and(|token| token != first && is_alive(&stage, &token))
    });
}

#[test]
fn a_login_that_only_renews_itself_by_a_template_is_not_revoked_for_it() {
    let stage = stage();
    let config = stage.config(
        "files:\n  - {path: token, refresh: 1s, template: '{{ with secret \"auth/token/renew-self\" \"increment=1h\" }}{{ .Auth.Accessor }}{{ end }}'}\n",
    );
    let sidecar = stage.sidecar(&config);
    wait_until("three renewals", SOON, || stage.server.requests("auth/token/renew-self") >= 3);
    assert!(stage.ready());
    assert_eq!(stage.logins(), 1);
    sidecar.stop();
    stage.assert_nothing_left();
}

#[test]
fn a_write_that_is_answered_with_nothing_is_nil_in_a_template() {
    let stage = Stage::new();
    stage.server.policy("web", "path \"old/*\" { capabilities = [\"read\", \"create\", \"update\"] }");
    let text = r#"{{ with secret "old/written" "a=b" }}something{{ else }}nothing{{ end }}"#;
    stage.init(&stage.config(&format!("files:\n  - {{path: token, template: '{text}'}}\n"))).expect_code(0);
    assert_eq!(stage.read("token").as_deref(), Some("nothing"));
    let text = r#"{{ (secret "old/written" "a=b").Data.a }}"#;
    let finished = stage.init(&stage.config(&format!("files:\n  - {{path: token, template: '{text}'}}\n")));
    let finished = finished.expect_code(65);
    assert!(
        finished.last_line().contains("nil pointer evaluating *dependency.Secret.Data"),
        "{}",
        finished.stderr
    );
    assert_eq!(stage.read("token").as_deref(), Some("nothing"), "the last good bytes stay");
    let kept: Value = stage.server.ask("GET", "old/written", None).json();
    assert_eq!(kept["data"], json!({ "a": "b" }));
}
