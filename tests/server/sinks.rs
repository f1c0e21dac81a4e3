//! The token itself as a file, on a real server: plain, wrapped, followed by the next, and revoked only
//! when nobody is shown it any more.

use crate::support::{Grant, SOON, Stage, wait_until};
use serde_json::{Value, json};

/// Who a token is, for the server; nothing where it is dead.
fn own_name(stage: &Stage, token: &str) -> Option<String> {
    let reply = stage.server.ask_as(token, "GET", "auth/token/lookup-self", None);
    (reply.status == 200).then(|| reply.json()["data"]["accessor"].as_str().expect("an accessor").to_owned())
}

/// What is kept under the wrapping token of a sink's content.
fn opened(stage: &Stage, content: &str) -> Value {
    let wrapping: Value = serde_json::from_str(content).expect("JSON");
    let token = wrapping["token"].as_str().expect("a token");
    stage.server.ask_as(token, "POST", "sys/wrapping/unwrap", None).ok().json()
}

const PLAIN: &str = "sinks: [{path: token, mode: '0400'}]\n";
const WRAPPED: &str = "sinks: [{path: token, wrap_ttl: 5m}]\n";

#[test]
fn init_leaves_a_token_that_its_sink_needs_and_the_next_run_goes_on_with_it() {
    let stage = Stage::new();
    let config = stage.config(PLAIN);
    stage.init(&config).expect_code(0).assert_silent_about(&stage.read("token").expect("a sink"));
    let token = stage.read("token").expect("a sink");
    assert!(own_name(&stage, &token).is_some(), "it lives");
    let sidecar = stage.sidecar(&config);
    assert_eq!((stage.read("token"), stage.logins()), (Some(token.clone()), 1));
    let status = stage.get("/status").expect("it listens").text;
    assert!(status.contains(r#""name":"token""#) && !status.contains(&token), "{status}");
    let expires =
        serde_json::from_str::<Value>(&status).expect("JSON")["files"][0]["expires_in_seconds"].as_i64();
    assert!(expires.is_some_and(|left| (1..=3600).contains(&left)), "{status}");
    sidecar.stop().expect_code(0);
    assert_eq!(own_name(&stage, &token), None, "what was minted is given back");

    // Without a handoff too.
    let alone = stage.config(PLAIN).replace("handoff:", "# handoff:");
    stage.init(&alone).expect_code(0);
    assert!(own_name(&stage, &stage.read("token").expect("a sink")).is_some());
}

#[test]
fn another_login_is_shown_and_told_before_the_one_before_it_is_revoked() {
    let stage = Stage::with(crate::support::Lives { token: (6, 9), ..crate::support::Lives::default() });
    let told = stage.space.join("told");
    let config = stage.config(&format!(
        "sinks: [{{path: token, notify: [hook]}}]\nnotify: {{hook: {{command: [/bin/sh, -c, 'cp {} {}']}}}}\n",
        stage.space.join("secrets/token").display(),
        told.display(),
    ));
    let sidecar = stage.sidecar(&config);
    let first = stage.read("token").expect("a sink");
    let (name, secrets) = (own_name(&stage, &first).expect("it lives"), stage.space.join("secrets/token"));
    let shown = || std::fs::read_to_string(&secrets).unwrap_or_default();
    wait_until("another token", SOON, || {
        let now = shown();
        assert!(now == first || own_name(&stage, &now).is_some(), "a token that is shown lives");
        now != first
    });
    wait_until("the hook to run", SOON, || std::fs::read_to_string(&told).is_ok_and(|text| text == shown()));
    wait_until("the first to go", SOON, || stage.server.lookup_accessor(&name).is_none());
    sidecar.stop().expect_code(0);
    assert_eq!(stage.server.accessors(), [""; 0], "a token is left");
}

#[test]
fn a_token_that_somebody_revokes_is_replaced_in_its_sink() {
    let stage = Stage::new();
    stage.put_password("one");
    let files = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";
    let sidecar = stage.sidecar(&stage.config(&format!("{files}{PLAIN}")));
    let first = stage.read("token").expect("a sink");
    stage.server.revoke_accessor(&own_name(&stage, &first).expect("it lives"));
    wait_until("another token", SOON, || {
        stage.read("token").is_some_and(|now| now != first && own_name(&stage, &now).is_some())
    });
    sidecar.stop().expect_code(0);
}

#[test]
fn a_wrapped_sink_can_be_opened_once_and_is_wrapped_anew_where_that_is_asked_for() {
    let stage = Stage::new();
    let sidecar = stage.sidecar(&stage.config(WRAPPED));
    let content = stage.read("token").expect("a sink");
    let wrapping: Value = serde_json::from_str(&content).expect("JSON");
    assert_eq!((&wrapping["ttl"], &wrapping["creation_path"]), (&json!(300), &json!("sys/wrapping/wrap")));
    let token = opened(&stage, &content)["data"]["token"].as_str().expect("the token").to_owned();
    assert!(own_name(&stage, &token).is_some(), "it is the login's");
    assert_eq!(stage.post("/refresh").status, 202);
    wait_until("another wrapping", SOON, || stage.read("token").is_some_and(|now| now != content));
    let again = opened(&stage, &stage.read("token").expect("a sink"));
    assert_eq!(again["data"]["token"], json!(token), "of the same token");
    sidecar.stop().expect_code(0);
    assert_eq!(own_name(&stage, &token), None);
}

#[test]
fn a_wrapped_login_is_seen_by_nobody_but_who_opens_it() {
    let stage = Stage::new();
    let config = stage.config("sinks: [{path: login}]\n").replace("role: web,", "role: web, wrap_ttl: 2m,");
    let config = config.replace("handoff:", "# handoff:");
    let sidecar = stage.sidecar(&config);
    assert_eq!(stage.logins(), 1);
    let content = stage.read("login").expect("a sink");
    // Read again it is the same: another login would be another token that nobody revokes.
    sidecar.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("the configuration to be read again", SOON, || sidecar.stderr().contains("read again"));
    wait_until("it to be ready", SOON, || stage.ready());
    assert_eq!((stage.logins(), stage.read("login").as_deref()), (1, Some(content.as_str())));
    let login = opened(&stage, &content);
    let token = login["auth"]["client_token"].as_str().expect("a login").to_owned();
    sidecar.stop().expect_code(0);
    assert!(own_name(&stage, &token).is_some(), "it is not ours to revoke");
}

#[test]
fn a_policy_that_lets_no_token_be_wrapped_is_named() {
    let stage = Stage::new();
    // Without the default policy, which has the line.
    stage.role(json!({ "token_no_default_policy": true }));
    let finished = stage.init(&stage.config(WRAPPED)).expect_code(77);
    let last = finished.last_line();
    assert!(last.contains("token: could not have the token wrapped: permission denied"), "{last}");
    assert!(last.ends_with("grant the role's policy update on sys/wrapping/wrap"), "{last}");
    assert_eq!(stage.published(), [""; 0]);
}

#[test]
fn a_token_that_somebody_else_keeps_is_shown_and_never_revoked() {
    let stage = Stage::new();
    let Grant { token, .. } = stage.server.token(&["web"], "1h");
    stage.space.file("given", format!("{token}\n"));
    let config = stage.config(PLAIN);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let given = stage.space.join("given");
    let config =
        config.replace(&own, &format!("auth: {{method: token_file, token_file: '{}'}}", given.display()));
    let sidecar = stage.sidecar(&config);
    assert_eq!(stage.read("token").as_deref(), Some(token.as_str()));
    let without = config.replace(PLAIN, "files: [{path: password, secret: 'secret/web#password'}]\n");
    stage.space.file("leasehold.yaml", without);
    sidecar.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("the sink to be missed", SOON, || {
        sidecar.stderr().contains("it is not ours to revoke and lives on")
    });
    let finished = sidecar.stop().expect_code(0);
    assert!(!finished.stderr.contains("logging in anew"), "{}", finished.stderr);
    assert!(own_name(&stage, &token).is_some());
}
