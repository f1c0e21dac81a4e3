//! What is asked of `exec` on its listener, while the process runs.

use crate::support::{Leasehold, Running, SOON, Stage, wait_until};

/// Writes what it was given, and what stopped it.
const SHOW: &str =
    "trap 'echo stopped >>seen; exit 5' QUIT; echo $PASSWORD >>seen; while :; do sleep 0.01; done";

/// A process with one variable that is not looked at again by itself while the test runs, and `more`
/// about it.
fn start(stage: &Stage, more: &str) -> Running {
    stage.put(serde_json::json!({ "password": "one" }));
    let config = stage.config(&format!(
        "exec: {{stop_signal: QUIT, env: {{PASSWORD: {{secret: 'secret/web#password', refresh: 1h}}}}{more}}}\n"
    ));
    stage.space.file("leasehold.yaml", config);
    let program = Leasehold::new(&stage.space).env("LEASEHOLD_CONFIG", "leasehold.yaml");
    let running = program.spawn(&["exec", "--", "sh", "-c", SHOW]);
    wait_for_text(stage, "one\n");
    running
}

#[track_caller]
fn wait_for_text(stage: &Stage, text: &str) {
    wait_until(&format!("the process to write {text:?}"), SOON, || {
        stage.space.read("seen").as_deref() == Some(text)
    });
}

#[test]
fn a_refresh_that_finds_news_restarts_the_process_and_one_that_finds_none_does_not() {
    let stage = Stage::new();
    let running = start(&stage, "");
    let reads = || stage.server.requests("secret/data/web");
    let before = reads();
    stage.post("/refresh").ok();
    wait_until("the secret to be read again", SOON, || reads() > before);
    stage.put(serde_json::json!({ "password": "two" }));
    stage.post("/refresh").ok();
    // A restart for the first would be seen before this one.
    wait_for_text(&stage, "one\nstopped\ntwo\n");
    drop(running.stop());
    stage.assert_nothing_left();
}

#[test]
fn two_changes_close_together_are_one_restart_where_the_process_waits_for_quiet() {
    let stage = Stage::new();
    let running = start(&stage, ", wait: {min: 3s, max: 60s}");
    for (version, password) in [(2, "two"), (3, "three")] {
        stage.put(serde_json::json!({ "password": password }));
        stage.post("/refresh").ok();
        wait_until("the change to be seen", SOON, || {
            stage.get("/status").expect("it listens").json()["secrets"][0]["version"] == version
        });
        assert_eq!(stage.space.read("seen").as_deref(), Some("one\n"), "it is not quiet yet");
    }
    // A restart for the first would be seen before this one.
    wait_for_text(&stage, "one\nstopped\nthree\n");
    drop(running.stop());
    stage.assert_nothing_left();
}

#[test]
fn a_quit_stops_the_process_by_its_own_signal_and_its_code_is_ours() {
    let stage = Stage::new();
    let running = start(&stage, "");
    stage.post("/quit").ok();
    running.wait(SOON).expect_code(5);
    wait_for_text(&stage, "one\nstopped\n");
    stage.assert_nothing_left();
}
