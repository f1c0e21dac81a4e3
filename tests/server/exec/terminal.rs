//! On a real terminal: what is typed reaches the process once, and the job stops and goes on as one.

use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::exec::scene::{FILE, Scene, kill};
use crate::support::{Leasehold, SOON, wait_until};

const CTRL_C: &[u8] = b"\x03";
const CTRL_Z: &[u8] = b"\x1a";

/// A terminal with a command in its foreground.
struct Terminal {
    keyboard: File,
    child: Child,
}

impl Terminal {
    /// With `leasehold exec` and a shell's script.
    fn start(scene: &Scene, script: &str) -> Self {
        let binary = Leasehold::binary().display().to_string();
        Self::with(scene, &[&binary, "exec", "--", "sh", "-c", script])
    }

    fn with(scene: &Scene, command: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let name = name.into_string().expect("a plain name");
        let slave = || File::options().read(true).write(true).open(&name).expect("the other end");
        let program = scene.program(FILE);
        // setsid makes the terminal the controlling one of a session of its own.
        let child = Command::new("setsid")
            .args(["--ctty", "--wait"])
            .args(command)
            .env_clear()
            .envs(program.variables())
            .current_dir(scene.space.path())
            .stdin(Stdio::from(slave()))
            .stdout(Stdio::from(slave()))
            .stderr(File::create(scene.space.join("terminal.err")).expect("the test's own folder"))
            .spawn()
            .expect("setsid is part of util-linux");
        Self { keyboard: File::from(master), child }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).expect("the terminal is there");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
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
    let mut terminal = Terminal::start(&scene, script);
    let us = scene.wait_for_pid("us");
    scene.wait_for_text("heard", "up\n");
    terminal.press(CTRL_C);
    scene.wait_for_text("heard", "up\nINT\n");
    // One sent by somebody is passed on; that it is the second shows that the first came once.
    kill(us, Signal::SIGINT);
    scene.wait_for_text("heard", "up\nINT\nINT\n");
    kill(us, Signal::SIGTERM);
    assert_eq!(terminal.child.wait().expect("it ends").code(), Some(9));
}

#[test]
fn ctrl_c_ends_a_process_that_does_not_mind_it() {
    let scene = Scene::new();
    let mut terminal = Terminal::start(&scene, "echo up >heard; exec sleep 600");
    scene.wait_for_text("heard", "up\n");
    terminal.press(CTRL_C);
    assert_eq!(terminal.child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn ctrl_z_stops_the_job_and_it_goes_on_when_it_is_continued() {
    let scene = Scene::new();
    // The shell that a person sits at: without one there is nobody to continue a job, and the kernel stops none.
    let script = "set -m; \"$0\" exec -- sh -c 'trap \"exit 4\" TERM; echo $PPID >us; echo $$ >it; \
                  while :; do sleep 0.01; done'; echo $? >stopped; fg; echo $? >ended";
    let binary = Leasehold::binary().display().to_string();
    let mut terminal = Terminal::with(&scene, &["sh", "-c", script, &binary]);
    let (us, it) = (scene.wait_for_pid("us"), scene.wait_for_pid("it"));
    terminal.press(CTRL_Z);
    scene.wait_for_text("stopped", "148\n");
    wait_until("the job to go on", SOON, || !is_stopped(us) && !is_stopped(it));
    kill(us, Signal::SIGTERM);
    scene.wait_for_text("ended", "4\n");
    terminal.child.wait().expect("it ends");
}
