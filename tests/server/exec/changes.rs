//! What a change does to the process.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::exec::scene::{FILE, Scene};
use crate::support::{Leasehold, Lives, SOON, Stage, wait_until};
use leasehold_testkit::evidence;

/// A variable of the one secret.
const VARIABLE: &str = "env: {PASSWORD: {secret: 'secret/web#password', refresh: 1s}}";
/// Writes what it was given and stays until it is told to stop.
const SHOW: &str = "trap 'exit 0' TERM; echo $PASSWORD $(cat secrets/password 2>/dev/null) >>seen; \
                    while :; do sleep 0.01; done";

#[test]
fn a_changed_variable_and_file_restart_the_process_once_with_both() {
    let scene = Scene::new();
    let running = scene.start(&format!("{FILE}exec: {{{VARIABLE}}}"), SHOW);
    scene.wait_for_text("seen", "one one\n");
    scene.put("two");
    scene.wait_for_text("seen", "one one\ntwo two\n");
    scene.put("three");
    scene.wait_for_text("seen", "one one\ntwo two\nthree three\n");
    assert_eq!(running.stop().code, Some(0));
}

#[test]
fn a_file_that_does_not_name_the_process_leaves_it_alone() {
    let scene = Scene::new();
    let file = FILE.replace("refresh: 1s", "refresh: 1s, notify: []");
    let running = scene.start(&file, "trap 'exit 0' TERM; echo up >>seen; while :; do sleep 0.01; done");
    scene.wait_for_text("seen", "up\n");
    scene.put("two");
    scene.wait_for_text("secrets/password", "two");
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(scene.space.read("seen").as_deref(), Some("up\n"));
}

#[test]
fn a_change_may_be_told_by_a_signal_or_not_at_all() {
    for (on_change, seen) in [("USR1", "up\ntold two\n"), ("ignore", "up\n")] {
        let scene = Scene::new();
        let script = "trap 'echo told $(cat secrets/password) >>seen' USR1; trap 'exit 0' TERM; \
                      echo up >>seen; while :; do sleep 0.01; done";
        let running = scene.start(&format!("{FILE}exec: {{on_change: {on_change}}}"), script);
        scene.wait_for_text("seen", "up\n");
        scene.put("two");
        scene.wait_for_text("secrets/password", "two");
        scene.wait_for_text("seen", seen);
        assert_eq!(running.stop().code, Some(0));
        assert_eq!(scene.space.read("seen").as_deref(), Some(seen), "told once");
    }
}

#[test]
fn a_process_that_ends_by_itself_is_not_started_again() {
    let scene = Scene::new();
    let finished = scene.run(&format!("{FILE}exec: {{{VARIABLE}}}"), "echo up >>seen; exit 9").expect_code(9);
    assert_eq!(scene.space.read("seen").as_deref(), Some("up\n"), "{}", finished.stderr);
}

#[test]
fn a_stop_while_the_process_is_being_restarted_is_the_end() {
    let scene = Scene::new();
    let script = "trap 'echo stopping >>seen' TERM; echo up >>seen; \
                  until test -e go; do sleep 0.01; done; exit 8";
    let running = scene.start(&format!("{FILE}exec: {{{VARIABLE}}}"), script);
    scene.wait_for_text("seen", "up\n");
    scene.put("two");
    scene.wait_for_text("seen", "up\nstopping\n");
    running.signal(Signal::SIGTERM);
    scene.space.file("go", "");
    assert_eq!(running.wait(SOON).code, Some(8));
    assert_eq!(scene.space.read("seen").as_deref(), Some("up\nstopping\n"));
}

#[test]
fn a_new_lease_is_in_the_new_process_before_the_old_one_is_revoked() {
    let stage = Stage::with(Lives { lease: (8, 8), ..Lives::default() });
    let script = "trap 'exit 0' TERM; echo $USER_NAME >>seen; while :; do sleep 0.01; done";
    let config = stage.config(&format!(
        "exec:\n  env: {{USER_NAME: {{secret: 'rabbitmq/creds/app#username'}}}}\n  command: [sh, -c, '{}']\n",
        script.replace('\'', "''")
    ));
    let path = stage.space.file("leasehold.yaml", &config).display().to_string();
    let running = Leasehold::new(&stage.space).spawn(&["exec", "--config", &path]);
    let seen = || -> Vec<String> {
        stage.space.read("seen").unwrap_or_default().lines().map(str::to_owned).collect()
    };
    wait_until("the second process", SOON, || seen().len() == 2);
    let users = seen();
    let known = stage.rabbit.users();
    assert!(
        users.iter().all(|user| known.contains(user)),
        "{users:?} {known:?}: both live while they change over"
    );
    wait_until("the first lease to be gone", Duration::from_secs(20), || {
        !stage.rabbit.users().contains(&users[0])
    });
    assert!(stage.rabbit.users().iter().any(|user| seen().contains(user)));
    running.stop();
    stage.assert_nothing_left();
}

#[test]
fn a_change_that_cannot_be_rendered_leaves_the_process_with_what_it_has() {
    let scene = Scene::new();
    let running = scene.start(&format!("exec: {{{VARIABLE}}}"), SHOW);
    scene.wait_for_text("seen", "one\n");
    scene.server.put("secret", "web", serde_json::json!({ "user": "u" }));
    wait_until("the failure to be told", SOON, || running.stderr().contains("no such key"));
    scene.put("three");
    scene.wait_for_text("seen", "one\nthree\n");
    assert_eq!(running.stop().code, Some(0));
}

#[test]
fn an_environment_that_has_become_too_large_keeps_the_process_that_runs() {
    let evidence = evidence!(48, Machine);
    let scene = Scene::new();
    // More than the kernel takes under any limit of the stack.
    let variables: String = (0..70)
        .map(|number| format!("    V{number}: {{secret: 'secret/web#password', refresh: 1s}}\n"))
        .collect();
    let script = "trap 'exit 0' TERM; echo $$ $V1 >>seen; while :; do sleep 0.01; done";
    let mut running = scene.start(&format!("exec:\n  env:\n{variables}"), script);
    wait_until("the process to run", SOON, || {
        scene.space.read("seen").is_some_and(|seen| seen.ends_with(" one\n"))
    });
    let first = scene.space.read("seen").expect("it runs");
    scene.put(&"x".repeat(100_000));
    let refusal = "arguments and environment of the process take";
    wait_until("the refusal", SOON, || {
        assert!(running.runs(), "{}", running.stderr());
        running.stderr().contains(refusal)
    });
    assert!(!running.stderr().contains("stopping the process"), "{}", running.stderr());
    assert_eq!(scene.space.read("seen"), Some(first), "it runs on");
    scene.put("two");
    wait_until("the next start", SOON, || {
        scene.space.read("seen").is_some_and(|seen| seen.ends_with(" two\n"))
    });
    running.stop().expect_code(0);
    evidence.holds("what the kernel would not start is not published, and the process that runs stays");
}
