//! From outside: another process of the same user, and a crash.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use leasehold::sandbox;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use super::support::{Workspace, need};
use super::{again, role};

/// The number of a user that is nobody in particular, and not us.
const NOBODY: u32 = 65534;

/// A child that says `open`, closes its memory when it hears a line, says `closed`, and waits for
/// another. As root it is another user's process: root may read everything anyway.
struct Closing {
    child: Child,
    words: BufReader<std::process::ChildStdout>,
}

impl Closing {
    fn start(test: &str, space: &Path) -> Self {
        let mut command = again(test, "closing", space);
        command.env("CANARY", "canary");
        let mut child = as_user(&mut command).spawn().expect("this program runs");
        let mut words = BufReader::new(child.stdout.take().expect("piped"));
        hear(&mut words, "open");
        Self { child, words }
    }

    fn close(&mut self) {
        self.child.stdin.as_mut().expect("piped").write_all(b"close\n").expect("it listens");
        hear(&mut self.words, "closed");
    }

    /// Ends it with a signal that dumps core, like a crash. Not SIGSEGV, which Rust's own handler
    /// takes once.
    fn crash(mut self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("fits"));
        nix::sys::signal::kill(pid, Signal::SIGQUIT).expect("it runs");
        self.child.wait().expect("it can be waited for")
    }
}

fn as_user(command: &mut Command) -> &mut Command {
    if geteuid().is_root() { command.uid(NOBODY).gid(NOBODY) } else { command }
}

fn hear(words: &mut impl BufRead, word: &str) {
    let said = words.lines().map(|line| line.expect("text")).find(|line| line == word);
    assert!(said.is_some(), "the child ended before it said {word}");
}

/// The child's part.
#[allow(clippy::print_stdout, reason = "the parent listens")]
fn open_then_closed() {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_CORE, hard, hard).expect("up to the hard limit");
    let mut lines = std::io::stdin().lines();
    println!("\nopen");
    lines.next();
    sandbox::close_memory();
    println!("closed");
    lines.next();
}

fn may_run_as_nobody(space: &Workspace) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(space.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let this = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new("/usr/bin/test");
    let reachable = as_user(command.arg("-x").arg(&this)).status().is_ok_and(|status| status.success());
    need(
        "this test's program to be in reach of another user",
        "build in a folder that others may enter",
        reachable,
    )
}

#[test]
fn another_process_of_the_same_user_cannot_read_the_environment_or_the_memory() {
    if role().is_some() {
        return open_then_closed();
    }
    let space = Workspace::new();
    if !may_run_as_nobody(&space) {
        return;
    }
    let test = "memory::another_process_of_the_same_user_cannot_read_the_environment_or_the_memory";
    let mut child = Closing::start(test, space.path());
    let read = |what: &str| {
        let mut command = Command::new("/bin/cat");
        let path = format!("/proc/{}/{what}", child.child.id());
        as_user(command.arg(path)).output().expect("cat runs")
    };
    let before = read("environ");
    assert!(before.stdout.windows(6).any(|part| part == b"canary"), "it can be read while it is open");
    assert!(read("maps").status.success());
    let pid = child.child.id();
    child.close();
    for what in ["environ", "maps", "mem", "auxv"] {
        let mut command = Command::new("/bin/cat");
        let output = as_user(command.arg(format!("/proc/{pid}/{what}"))).output().expect("cat runs");
        assert!(!output.status.success() && output.stdout.is_empty(), "{what} can be read");
    }
}

#[test]
fn a_crash_leaves_no_core() {
    if role().is_some() {
        return open_then_closed();
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).expect("there is a limit");
    if !need("core dumps", "ulimit -Hc unlimited", hard > 0) {
        return;
    }
    let space = Workspace::new();
    if !may_run_as_nobody(&space) {
        return;
    }
    let open = Closing::start("memory::a_crash_leaves_no_core", space.path());
    assert!(open.crash().core_dumped(), "an open process leaves one");
    for left in fs::read_dir(space.path()).expect("it is there") {
        fs::remove_file(left.expect("it can be listed").path()).expect("the core is a file");
    }
    let mut closed = Closing::start("memory::a_crash_leaves_no_core", space.path());
    closed.close();
    assert!(!closed.crash().core_dumped());
    assert_eq!(fs::read_dir(space.path()).expect("it is there").count(), 0);
}
