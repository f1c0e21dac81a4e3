//! The demo sees every step, and stops what it started however it ends.

use std::fs;
use std::time::Duration;

use crate::support::{Child, Leasehold, SOON, Workspace, repository, wait_for, wait_until};
use nix::sys::signal::Signal;

/// The demo gives itself a minute; Python's start comes on top.
const LIMIT: Duration = Duration::from_secs(75);

fn demo(space: &Workspace) -> Child {
    Child::start(&repository().join("scripts/demo"), "demo", space.path(), |command| {
        command.arg(Leasehold::binary());
    })
}

/// The command lines of all processes that mention `folder`.
fn processes_in(folder: &str) -> Vec<String> {
    let lines = fs::read_dir("/proc").expect("there is a /proc").filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(folder)).collect()
}

/// The folder that a demo says its files are in.
fn folder(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("/dev/shm/")?;
    let (name, _) = rest.split_once('/')?;
    Some(format!("/dev/shm/{name}"))
}

#[test]
fn the_demo_sees_every_step_and_an_interrupted_one_leaves_nothing() {
    let space = Workspace::new();
    let mut whole = demo(&space);
    let status = whole.wait(LIMIT);
    assert!(status.success(), "{}{}", whole.stdout(), whole.stderr());
    assert!(whole.stdout().ends_with("\nEvery step was seen.\n"), "{}", whole.stdout());
    // A pipe is no terminal: no colours.
    assert!(!whole.stdout().contains('\x1b'));

    let mut cut = demo(&space);
    let folder = wait_for("the demo's files", SOON, || folder(&cut.stdout()));
    cut.signal(Signal::SIGINT);
    assert_eq!(cut.wait(SOON).code(), Some(1));
    wait_until("its children to be gone", SOON, || processes_in(&folder).is_empty());
    assert!(!std::path::Path::new(&folder).exists(), "{folder} is left");
}
