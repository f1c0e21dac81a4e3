#![allow(clippy::disallowed_methods, reason = "tests write their own files and measure real time")]

use std::ffi::OsString;
use std::time::Instant;

use nix::sys::signal::SigSet;

use super::super::child::{ChildCommand, stop_for_good};
use super::*;
use crate::observe::panic;

const FOLDER: &str = "LEASEHOLD_TEST_FOLDER";

/// This program, which starts a shell's script as the process of `exec` and then meets a bug.
fn buggy(script: &str, folder: &Path) -> std::process::Output {
    let program = std::env::current_exe().expect("a path");
    let name = "process::tests::child::a_bug_of_ours_stops_the_process_in_its_time_and_then_by_force";
    Command::new(program)
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, folder)
        .env("SCRIPT", script)
        .output()
        .expect("runs")
}

fn meet_a_bug(folder: &Path) {
    panic::install(stop_for_good);
    let script = std::env::var_os("SCRIPT").expect("given");
    let blueprint = ChildCommand {
        command: vec!["/bin/sh".into(), "-c".into(), script, OsString::from("app"), folder.into()],
        mask: SigSet::empty(),
        stop_signal: TERM,
        stop_timeout: Duration::from_millis(300),
    };
    let child = blueprint.start(&[]).expect("there is a shell");
    // It says so when it is ready to be told.
    let begun = Instant::now();
    while !folder.join("ready").exists() {
        assert!(begun.elapsed() < LONG, "the process does not start");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::fs::write(folder.join("pid"), child.pid().as_raw_nonzero().to_string()).expect("written");
    panic!("a bug");
}

#[test]
fn a_bug_of_ours_stops_the_process_in_its_time_and_then_by_force() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return meet_a_bug(Path::new(&folder));
    }
    const PATIENCE: Duration = Duration::from_millis(300);
    let stubborn = "(trap '' TERM; : >$1/ready; while :; do sleep 0.01; done) & ";
    for (before, trap, words, least) in [
        ("", "echo stopped >$1/words; exit", "stopped\n", Duration::ZERO),
        ("", "", "", PATIENCE),
        // It goes at once, and what it started below it does not.
        (stubborn, "echo stopped >$1/words; exit", "stopped\n", PATIENCE),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let begun = Instant::now();
        let ready = if before.is_empty() { ": >$1/ready; " } else { "" };
        let script = format!("trap '{trap}' TERM; : >$1/words; {before}{ready}while :; do sleep 0.01; done");
        let ended = buggy(&script, folder.path());
        assert_eq!(ended.status.code(), Some(70), "{}", String::from_utf8_lossy(&ended.stderr));
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
        assert_eq!(read("words"), words);
        assert!(begun.elapsed() >= least);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", read("pid"))).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "it is gone: {stat}");
    }
}
