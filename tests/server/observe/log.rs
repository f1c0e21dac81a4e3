//! The log: its level changes while we run, and the life of a secret can be followed by one word.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Leasehold, Lives, Running, SOON, Stage, wait_until};

/// What was logged, line by line.
fn lines(running: &Running) -> Vec<Value> {
    running.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn says(running: &Running, level: &str, words: &str) -> bool {
    let said = |line: &Value| {
        line["level"] == level && line["message"].as_str().is_some_and(|message| message.contains(words))
    };
    lines(running).iter().any(said)
}

const FILES: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";

#[test]
fn the_level_follows_the_configuration_at_sighup_and_a_request_until_then() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = |level: &str| stage.config(&format!("{FILES}log: {{level: {level}}}\n"));
    let sidecar = stage.sidecar(&config("warn"));
    assert!(!says(&sidecar, "INFO", ""), "{}", sidecar.stderr());

    assert_eq!(stage.post("/log?level=debug").text, "logging debug\n");
    wait_until("a debug line", SOON, || says(&sidecar, "DEBUG", "secret/web: unchanged"));

    // The file says info: debug lines stop, and others are there.
    stage.space.file("leasehold.yaml", config("info"));
    sidecar.signal(Signal::SIGHUP);
    wait_until("the configuration", SOON, || says(&sidecar, "INFO", "configuration read again"));
    let debug = || lines(&sidecar).iter().filter(|line| line["level"] == "DEBUG").count();
    let (before, reads) = (debug(), stage.server.requests("secret/data/web"));
    wait_until("more reads", SOON, || stage.server.requests("secret/data/web") > reads + 1);
    assert_eq!(debug(), before, "{}", sidecar.stderr());
}

#[test]
fn what_a_reload_cannot_change_is_named_each_time_until_it_is_as_it_was() {
    let stage = Stage::new();
    stage.put_password("one");
    let before = stage.config(FILES);
    let sidecar = stage.sidecar(&before);
    let mut reloads = 0;
    let mut reload = |config: &str| {
        stage.space.file("leasehold.yaml", config);
        sidecar.signal(Signal::SIGHUP);
        reloads += 1;
        let read = || sidecar.stderr().matches("configuration read again").count();
        wait_until("the configuration", SOON, || read() == reloads);
        let warnings = lines(&sidecar).into_iter().filter(|line| line["level"] == "WARN");
        let named = warnings.filter_map(|line| line["message"].as_str().map(str::to_owned));
        named.filter(|message| message.contains("takes a restart")).collect::<Vec<_>>()
    };
    let elsewhere = before.replace("/status.sock", "/other.sock");
    assert_ne!(elsewhere, before);
    let changed = elsewhere + "log: {format: text}\nsandbox: 'off'\n";
    let warning = "`listen`, `log.format`, `sandbox` changed, which takes a restart; the rest is in force";
    assert_eq!(reload(&changed), [warning]);
    assert_eq!(reload(&changed), [warning, warning], "not in force yet");
    assert_eq!(reload(&before), [warning, warning], "as it is");
    assert!(stage.get("/livez").is_some(), "the socket is the first one");
    sidecar.stop().expect_code(0);
}

#[test]
fn in_exec_mode_where_signals_are_the_process_s_a_request_changes_the_level() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(&format!("{FILES}exec: {{command: [sleep, '600']}}\nlog: {{level: error}}\n"));
    let path = stage.space.file("leasehold.yaml", config).display().to_string();
    let running = Leasehold::new(&stage.space).spawn(&["exec", "--config", &path]);
    wait_until("it to be ready", SOON, || stage.ready());
    assert_eq!(running.stderr(), "");
    stage.post("/log?level=debug").ok();
    wait_until("a debug line", SOON, || says(&running, "DEBUG", "secret/web: unchanged"));
    running.stop().expect_code(143);
}

#[test]
fn the_life_of_a_secret_can_be_followed_by_one_word_from_its_first_read_to_its_lease_s_end() {
    // A lease that is renewed, then replaced, and then revoked.
    let stage = Stage::with(Lives { lease: (4, 8), ..Lives::default() });
    let config = stage.config(
        "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\nlog: {level: debug, format: json}\n",
    );
    stage.init(&config).expect_code(0);
    let sidecar = stage.sidecar(&config);
    let secret = || stage.get("/status").expect("it listens").json()["secrets"][0].clone();
    let id = secret()["id"].as_str().expect("it has one").to_owned();
    let first = secret()["lease"].as_str().expect("it is leased").to_owned();
    let of = |words: &str| {
        let about = |line: &&Value| line["secret"] == id.as_str();
        let said = |line: &&Value| line["message"].as_str().is_some_and(|text| text.contains(words));
        lines(&sidecar).iter().find(|line| about(line) && said(line)).cloned()
    };
    for words in ["renewed the lease of rabbitmq/creds/app", "read rabbitmq/creds/app", "revoked the lease"] {
        wait_until(words, Duration::from_secs(30), || of(words).is_some());
    }
    assert_eq!(of("renewed").expect("found")["lease"], first.as_str());
    let revoked = of("revoked the lease").expect("found");
    assert_eq!(revoked["lease"], first.as_str());
    // Init, before it, called the secret the same.
    let init = stage.space.read("run-0.err").expect("the first run's log");
    assert!(init.contains(&id), "{id} in {init}");
}

#[test]
fn the_same_trouble_again_and_again_is_told_once_and_other_trouble_at_once() {
    let stage = Stage::new();
    stage.put_password("0");
    let sidecar = stage.sidecar(&stage.config(FILES));
    let error = || stage.get("/status").expect("it listens").json()["files"][0]["error"].clone();
    // Each time it is mended in between, and so is news.
    for round in 1..=4 {
        stage.put(serde_json::json!({ "other": round }));
        stage.post("/refresh").ok();
        wait_until("the key to be missed", SOON, || error().is_string());
        stage.put_password(&round.to_string());
        stage.post("/refresh").ok();
        wait_until("the key to be back", SOON, || error().is_null());
    }
    let told = |words: &str| {
        let said = |line: &&Value| line["message"].as_str().is_some_and(|text| text.contains(words));
        lines(&sidecar).iter().filter(said).count()
    };
    assert_eq!(told("no such key"), 1, "{}", sidecar.stderr());
    // What goes well is told each time.
    assert!(told("published") > 4, "{}", sidecar.stderr());
    stage.server.ask("DELETE", "secret/metadata/web", None).ok();
    wait_until("another trouble", SOON, || told("does not exist") == 1);
}
