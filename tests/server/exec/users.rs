//! As somebody who is not root, as containers mostly run.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown, geteuid};

use crate::exec::scene::{FILE, Scene, is_gone};
use crate::support::{Child, Leasehold, SOON, need};

/// Nobody, on every Linux.
const NOBODY: u32 = 65_534;

#[test]
fn somebody_who_is_not_root_has_files_of_his_own_passes_signals_on_and_stops_the_whole_group() {
    if !need("root", "run the tests as root, so that they can become somebody else", geteuid().is_root()) {
        return;
    }
    let scene = Scene::new();
    let program = scene.program(FILE);
    for folder in ["", "secrets", "leasehold.yaml"] {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        chown(&scene.space.join(folder), Some(uid), Some(gid)).expect("root may");
    }
    let script = "trap 'echo $(id -u) $(cat secrets/password) >told' USR1; trap 'exit 4' TERM; \
                  sh -c 'echo $$ >below; exec sleep 600' & while :; do sleep 0.01; done";
    let mut child = Child::start(Leasehold::binary(), "nobody", scene.space.path(), |command| {
        command
            .args(["exec", "--", "sh", "-c", script])
            .env_clear()
            .envs(program.variables())
            .current_dir(scene.space.path())
            .uid(NOBODY)
            .gid(NOBODY);
    });
    let below = scene.wait_for_pid("below");
    child.signal(Signal::SIGUSR1);
    scene.wait_for_text("told", &format!("{NOBODY} one\n"));
    let file = scene.space.join("secrets/password").metadata().expect("published");
    assert_eq!((file.uid(), file.mode() & 0o777), (NOBODY, 0o440));
    child.signal(Signal::SIGTERM);
    assert_eq!(child.wait(SOON).code(), Some(4), "{}", child.stderr());
    assert!(is_gone(below));
}
