//! The program itself, inside and outside.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::has_landlock;
use crate::support::{Posted, SOON, Stage, Workspace, wait_until};

/// A field of `/proc/PID/status`.
fn status(pid: nix::unistd::Pid, field: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.expect("every kernel has it").trim().to_owned()
}

/// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID.
const FILES: u64 = 0b1_1111;
const KILL: u64 = 1 << 5;
/// What our locked memory stands on, where RLIMIT_MEMLOCK is no unlimited one.
const IPC_LOCK: u64 = 1 << 14;

#[test]
fn a_sidecar_inside_the_sandbox_does_all_its_work() {
    if !has_landlock() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let posted = Posted::start();
    let config = stage.config(&format!(
        "files: [{{path: password, secret: 'secret/web#password', refresh: 1s}}]\n\
         notify: {{app: {{http: '{}/reload'}}, other: {{signal: URG, process: no-such-process}}}}\n\
         sandbox: required\n",
        posted.address()
    ));
    let mut sidecar = stage.sidecar(&config);
    let pid = sidecar.child().pid();
    assert_eq!((status(pid, "NoNewPrivs").as_str(), status(pid, "Seccomp").as_str()), ("1", "2"));
    let left = u64::from_str_radix(&status(pid, "CapEff"), 16).expect("hexadecimal");
    assert_eq!(left & !(FILES | KILL | IPC_LOCK), 0, "more capabilities than are needed");
    assert_eq!(left & KILL != 0, geteuid().is_root(), "a signal notifier may need it");

    stage.put_password("two");
    wait_until("the new password", SOON, || {
        stage.read("password").is_some_and(|text| text.ends_with("-two"))
    });
    wait_until("the application to be told", SOON, || !posted.paths().is_empty());
    assert_eq!(sidecar.stop().expect_code(0).code, Some(0));
    stage.assert_nothing_left();
}

#[test]
fn a_configuration_that_reaches_out_of_the_sandbox_is_refused_at_hup_and_the_old_one_stays() {
    if !has_landlock() {
        return;
    }
    let (stage, outside) = (Stage::new(), Workspace::new());
    stage.put_password("one");
    let inside = "files: [{path: password, secret: 'secret/web#password'}]\nsandbox: required\n";
    let sidecar = stage.sidecar(&stage.config(inside));
    let target = outside.join("stolen");
    let reaching = format!(
        "files: [{{path: password, secret: 'secret/web#password'}}, {{path: '{}', secret: secret/web}}]\nsandbox: 'off'\n",
        target.display()
    );
    stage.space.file("leasehold.yaml", stage.config(&reaching));
    sidecar.signal(Signal::SIGHUP);
    let says = "the sandbox of this run does not admit writing in";
    wait_until("the refusal", SOON, || sidecar.stderr().contains(says));
    assert!(stage.ready() && !target.exists());

    stage.space.file(
        "leasehold.yaml",
        stage.config("files: [{path: password, template: '{{ if }}'}]\nsandbox: required\n"),
    );
    sidecar.signal(Signal::SIGHUP);
    let says = "the configuration stays as it was: ";
    wait_until("the refusal of a mistake", SOON, || sidecar.stderr().matches(says).count() == 2);
    assert!(!sidecar.stderr().contains("outside the sandbox of this run"), "no file was the trouble");

    let outside_template = outside.file("template", "canary of the file outside");
    let reading = format!(
        "files: [{{path: password, template_file: '{}'}}]\nsandbox: required\n",
        outside_template.display()
    );
    stage.space.file("leasehold.yaml", stage.config(&reading));
    sidecar.signal(Signal::SIGHUP);
    let says = "outside the sandbox of this run";
    wait_until("the second refusal", SOON, || sidecar.stderr().contains(says));
    assert!(stage.ready());
    let finished = sidecar.stop().expect_code(0);
    finished.assert_silent_about("canary of the file outside");
}

#[test]
fn a_command_notifier_keeps_the_sandbox_off_and_gets_the_limits_that_we_found() {
    let stage = Stage::new();
    stage.put_password("one");
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).expect("there is a limit");
    let soft = hard.min(64 * 1024);
    // No other test here starts something that depends on it.
    setrlimit(Resource::RLIMIT_CORE, soft, hard).expect("up to the hard limit");
    let script = stage.space.file(
        "hook",
        format!("ulimit -c > {0}/limit; grep -h -e NoNewPrivs -e Seccomp: /proc/self/status > {0}/status; mv {0}/limit {0}/told",
            stage.space.path().display()),
    );
    let config = stage.config(&format!(
        "files: [{{path: password, secret: 'secret/web#password', refresh: 1s}}]\n\
         notify: {{hook: {{command: [/bin/bash, '{}']}}}}\n",
        script.display()
    ));
    let mut sidecar = stage.sidecar(&config);
    assert!(sidecar.stderr().contains("the command of notifier `hook` would inherit them"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", sidecar.child().pid())).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");

    stage.put_password("two");
    wait_until("the hook to run", SOON, || stage.space.join("told").exists());
    let told = stage.space.read("told").expect("written");
    assert_eq!(told.trim(), (soft / 1024).to_string(), "in blocks of 1024 bytes");
    let outside = fs::read_to_string("/proc/self/status").expect("ours");
    let lines = outside.lines().filter(|line| line.starts_with("NoNewPrivs") || line.starts_with("Seccomp:"));
    assert_eq!(
        stage.space.read("status").expect("written").lines().collect::<Vec<_>>(),
        lines.collect::<Vec<_>>()
    );
    assert_eq!(sidecar.stop().expect_code(0).code, Some(0));
}
