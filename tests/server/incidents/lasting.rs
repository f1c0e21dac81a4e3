//! What stays wrong, the whole status in the log, and what can be asked for without a shell.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{MINUTE, Night, PASSWORD};
use crate::support::{CANARY, SOON, Stage, wait_until};

#[test]
fn a_secret_that_stays_denied_is_logged_once_a_minute_with_how_often_it_was_denied_meanwhile() {
    let stage = Stage::new();
    stage.put_password("one");
    let night = Night::begin(stage, PASSWORD);
    night.stage.server.policy("web", "path \"secret/metadata/*\" { capabilities = [\"list\"] }");
    night.logs(&["permission denied"]);
    let lasting = || {
        let log = night.log();
        let of = |line: &&serde_json::Value| {
            line["message"].as_str().is_some_and(|text| text.starts_with("password has been failing for 1m"))
        };
        log.iter().find(of).cloned()
    };
    assert!(lasting().is_none());
    let took = wait_until("the reminder", MINUTE + SOON, || lasting().is_some());
    assert!(took > MINUTE - Duration::from_secs(10), "{took:?}");
    let line = lasting().expect("it is there");
    assert_eq!(line["level"], "WARN");
    assert!(line["held_back"].as_u64() > Some(1), "{line}");
    night.end().expect_code(0);
}

#[test]
fn usr1_logs_the_status_as_an_object_in_json_and_as_the_table_in_text() {
    let stage = Stage::new();
    stage.put_password("one");
    let night = Night::begin(stage, PASSWORD);
    night.sidecar.signal(Signal::SIGUSR1);
    let status = || night.log().into_iter().find(|line| line["message"] == "status");
    wait_until("the status", SOON, || status().is_some());
    let line = status().expect("it is there");
    assert_eq!((&line["level"], &line["status"]["state"]), (&"INFO".into(), &"ready".into()));
    assert_eq!(line["status"]["files"][0]["name"], "password");
    assert!(line["timestamp"].is_string());
    let Night { stage, sidecar, .. } = night;
    sidecar.stop().expect_code(0);
    let sidecar = stage.sidecar(&stage.config(&(PASSWORD.to_owned() + "log: {format: text}\n")));
    sidecar.signal(Signal::SIGUSR1);
    wait_until("the table", SOON, || sidecar.stderr().contains("INFO FILE      GENERATION"));
    let log = sidecar.stderr();
    assert!(log.contains("INFO server  up, https://127.0.0.1:"), "{log}");
    sidecar.stop().expect_code(0);
}

#[test]
fn what_the_listener_does_can_be_asked_for_by_commands_since_an_image_may_have_no_shell() {
    let stage = Stage::new();
    stage.put_password("one");
    let files = "files:\n- {path: password, secret: 'secret/web#password'}\n\
                 - {path: other, secret: 'old/other#a'}\n";
    stage.server.write("old/other", serde_json::json!({ "a": "1" }));
    let night = Night::begin(stage, files);
    let reads = |path: &str| night.stage.server.requests(path);
    let (kv2, kv1) = (reads("secret/data/web"), reads("old/other"));
    night.stage.put_password("two");
    assert_eq!(night.run("refresh password").expect_code(0).stdout, "refreshing\n");
    wait_until("the change", SOON, || night.stage.read("password") == Some(format!("{CANARY}-two")));
    assert_eq!(reads("old/other"), kv1, "the other file was not read");
    assert_eq!(reads("secret/data/web"), kv2 + 2, "the test's own write, and one read");
    night.run("refresh --path old/other").expect_code(0);
    wait_until("the read of the path", SOON, || reads("old/other") == kv1 + 1);
    night.run("refresh").expect_code(0);
    wait_until("the read of all", SOON, || reads("old/other") == kv1 + 2);
    let unknown = night.run("refresh passwort").expect_code(66);
    assert!(unknown.last_line().contains("no file of that name"), "{}", unknown.stderr);
    assert_eq!(night.stage.post("/refresh?fil=password").status, 400);
    assert_eq!(night.stage.post("/refresh?file=nothing").status, 404);

    assert_eq!(night.run("log-level debug").expect_code(0).stdout, "logging debug\n");
    night.run("refresh").expect_code(0);
    wait_until("a line of debug", SOON, || night.log().iter().any(|line| line["level"] == "DEBUG"));
    night.run("log-level loud").expect_code(64);
    assert_eq!(night.run("quit").expect_code(0).stdout, "quitting\n");
    let Night { stage, sidecar, .. } = night;
    sidecar.wait(SOON).expect_code(0);
    stage.assert_nothing_left();
    let gone = crate::support::Leasehold::new(&stage.space).run(&["quit", "--config", "leasehold.yaml"]);
    assert!(gone.expect_code(69).last_line().contains("no leasehold answers at unix:"));
}

#[test]
fn init_says_that_the_server_is_silent_before_its_request_is_over() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(PASSWORD);
    stage.space.file("leasehold.yaml", config.replace("timeout: 5s", "timeout: 30s"));
    stage.server.freeze();
    let leasehold = crate::support::Leasehold::new(&stage.space);
    let init = leasehold.spawn(&["init", "--timeout", "60s", "--config", "leasehold.yaml"]);
    let begun = std::time::Instant::now();
    wait_until("a word of it", SOON, || init.stderr().contains("the server has not answered for 3s"));
    assert!(begun.elapsed() < super::night::SEEN, "{:?}: {}", begun.elapsed(), init.stderr());
    stage.server.thaw();
    init.wait(SOON).expect_code(0);
}
