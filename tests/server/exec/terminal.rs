//! On a real terminal: what is typed reaches the process once, and the job stops and goes on as one.

use std::fs::File;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::exec::scene::{FILE, Scene, kill};
use crate::support::{Leasehold, SOON, Terminal, wait_until};

const CTRL_C: &str = "\x03";
const CTRL_Z: &str = "\x1a";

/// A terminal with `leasehold exec` and a shell's script.
fn exec(scene: &Scene, script: &str) -> Terminal {
    let binary = Leasehold::binary().display().to_string();
    start(scene, &[&binary, "exec", "--", "sh", "-c", script])
}

fn start(scene: &Scene, words: &[&str]) -> Terminal {
    let program = scene.program(FILE);
    let errors = File::create(scene.space.join("terminal.err")).expect("the test's own folder");
    Terminal::start(words, |command| {
        command.envs(program.variables()).current_dir(scene.space.path()).stderr(errors);
    })
}

/// Whether a process is stopped.
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

#[test]
fn ctrl_c_reaches_the_process_once_and_its_answer_is_our_exit_code() {
    let scene = Scene::new();
    let script = "trap 'echo INT >>heard' INT; trap 'exit 9' TERM; echo $PPID >us; echo up >>heard; \
                  while :; do sleep 0.01; done";
    let mut terminal = exec(&scene, script);
    let us = scene.wait_for_pid("us");
    scene.wait_for_text("heard", "up\n");
    terminal.press(CTRL_C);
    scene.wait_for_text("heard", "up\nINT\n");
    // One sent by somebody is passed on; that it is the second shows that the first came once.
    kill(us, Signal::SIGINT);
    scene.wait_for_text("heard", "up\nINT\nINT\n");
    kill(us, Signal::SIGTERM);
    assert_eq!(terminal.end().0, 9);
}

#[test]
fn ctrl_c_ends_a_process_that_does_not_mind_it() {
    let scene = Scene::new();
    let mut terminal = exec(&scene, "echo up >heard; exec sleep 600");
    scene.wait_for_text("heard", "up\n");
    terminal.press(CTRL_C);
    assert_eq!(terminal.end().0, 130);
}

#[test]
fn ctrl_z_stops_the_job_and_it_goes_on_when_it_is_continued() {
    let scene = Scene::new();
    // The shell that a person sits at: without one there is nobody to continue a job, and the kernel stops none.
    let script = "set -m; \"$0\" exec -- sh -c 'trap \"exit 4\" TERM; echo $PPID >us; echo $$ >it; \
                  while :; do sleep 0.01; done'; echo $? >stopped; fg; echo $? >ended";
    let binary = Leasehold::binary().display().to_string();
    let mut terminal = start(&scene, &["sh", "-c", script, &binary]);
    let (us, it) = (scene.wait_for_pid("us"), scene.wait_for_pid("it"));
    terminal.press(CTRL_Z);
    scene.wait_for_text("stopped", "148\n");
    wait_until("the job to go on", SOON, || !is_stopped(us) && !is_stopped(it));
    kill(us, Signal::SIGTERM);
    scene.wait_for_text("ended", "4\n");
    terminal.end();
}
