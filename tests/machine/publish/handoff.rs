//! The handoff between processes: who has the lock, and whose state is believed.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::chown;
use std::process::Stdio;
use std::time::Duration;

use leasehold::exit::{Cause, Ending};
use leasehold::handoff::{Binding, Handoff, HandoffError, Kept, Loaded, Unusable};

use crate::publish::fixture::names;
use crate::publish::scene::{self, is_root};
use crate::support::{Workspace, need, wait_until};

fn binding() -> Binding {
    Binding { digest: [1; 32], pod: "pod u-1".into(), boot: "b-1".into(), server: "s".into(), owns: true }
}

#[test]
fn the_lock_is_held_for_as_long_as_its_process_lives_and_no_longer() {
    const TEST: &str = "handoff::the_lock_is_held_for_as_long_as_its_process_lives_and_no_longer";
    if let Some(folder) = scene::folder() {
        let mut handoff = Handoff::open(&folder.join("state"), true).expect("free");
        handoff.store(&binding(), &Kept::default()).expect("stored");
        fs::write(folder.join("locked"), "").expect("written");
        // Until killed, or until the test is gone and with it the other end.
        io::stdin().read_to_end(&mut Vec::new()).expect("nothing comes");
        return;
    }
    let dir = Workspace::new();
    let path = dir.join("state");
    let mut command = scene::command(&[], &scene::binary(), TEST, dir.path());
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("started");
    wait_until("the lock", Duration::from_secs(30), || dir.join("locked").exists());

    let error = Handoff::open(&path, true).expect_err("held");
    assert_eq!(error, HandoffError::Locked(path.clone()));
    assert_eq!(Ending::from(error).cause, Cause::Destination);

    holder.kill().and_then(|()| holder.wait()).expect("it is ours to end");
    let handoff = Handoff::open(&path, true).expect("the dead hold no lock");
    assert!(matches!(
        handoff.load(&binding(), leasehold_base::time::Moment::default()),
        Loaded::Found { same_clock: true, .. }
    ));
    assert_eq!(names(dir.path()), ["locked", "state", "state.lock"]);
}

#[test]
fn a_state_that_belongs_to_somebody_else_is_not_believed() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    let path = dir.join("state");
    let mut handoff = Handoff::open(&path, true).expect("free");
    handoff.store(&binding(), &Kept::default()).expect("stored");
    chown(&path, Some(101), None).expect("root may");
    assert_eq!(
        handoff.load(&binding(), leasehold_base::time::Moment::default()),
        Loaded::Unusable(Unusable::Exposed)
    );
}

#[test]
fn a_place_that_is_not_in_memory_or_taken_is_refused_with_73() {
    let dir = Workspace::new();
    dir.dir("state");
    let error = Handoff::open(&dir.join("state"), true).expect_err("a directory");
    let ending = Ending::from(error);
    assert_eq!(ending.cause, Cause::Destination);
    assert!(ending.what.contains("a directory is in the way"), "{ending}");

    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build folder");
    let opened = Handoff::open(&disk.path().join("state"), true);
    if !need("a build folder that is not on tmpfs", "build elsewhere", opened.is_err()) {
        return;
    }
    let ending = Ending::from(opened.expect_err("a disk"));
    assert!(ending.what.contains("not on tmpfs") && ending.cause == Cause::Destination, "{ending}");
    assert!(names(disk.path()).is_empty());
}
