//! From outside: another process of the same user, and a crash.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use leasehold::sandbox;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use nix::unistd::geteuid;

use super::{DONE, again, assert_done, has_landlock, inside, role};
use crate::support::{Workspace, need};

/// The number of a user that is nobody in particular, and not us.
const NOBODY: u32 = 65534;

/// What a crash sends.
const CRASH: Signal = Signal::SIGABRT;

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
    /// takes once; not SIGQUIT, which a shell without job control has everything ignore that it starts
    /// with `&`, this test and its child too.
    fn crash(mut self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("fits"));
        // To wait for it closes its standard input, which has it go on to close its memory: the thread that
        // reads would race the one that the signal is for.
        let _still_open = self.child.stdin.take();
        nix::sys::signal::kill(pid, CRASH).expect("it runs");
        let status = self.child.wait().expect("it can be waited for");
        assert_eq!(status.signal(), Some(CRASH as i32), "{status}: the signal did not end it");
        status
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

/// What the kernel goes by when it writes a core, and can fail on.
fn why_no_core(folder: &Path) -> String {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let left: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    let free = statvfs(folder).map(|disk| disk.blocks_available() * disk.fragment_size() / 1024);
    format!(
        "core_pattern {:?}, limits of core {:?} and file {:?}, {free:?} KiB free, left behind: {left:?}",
        pattern.trim(),
        getrlimit(Resource::RLIMIT_CORE),
        getrlimit(Resource::RLIMIT_FSIZE),
    )
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
    let status = open.crash();
    assert!(
        status.core_dumped(),
        "{status}: an open process leaves none here: {}",
        why_no_core(space.path())
    );
    for left in fs::read_dir(space.path()).expect("it is there") {
        fs::remove_file(left.expect("it can be listed").path()).expect("the core is a file");
    }
    let mut closed = Closing::start("memory::a_crash_leaves_no_core", space.path());
    closed.close();
    assert!(!closed.crash().core_dumped());
    assert_eq!(fs::read_dir(space.path()).expect("it is there").count(), 0);
}

/// `VmLck` of this process, in KiB.
fn locked() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Closes the memory, then needs much more of it, as a large answer does; returns what was locked
/// before and after that.
fn close_and_grow() -> (u64, u64) {
    sandbox::close_memory();
    let before = locked();
    let large = vec![1_u8; 32 << 20];
    let thread = std::thread::spawn(|| vec![2_u8; 1 << 20].len());
    assert_eq!(thread.join().expect("threads start still"), 1 << 20);
    let after = locked();
    assert_eq!(large.iter().filter(|byte| **byte == 1).count(), 32 << 20);
    (before, after)
}

#[test]
fn all_memory_is_locked_where_that_has_no_limit_and_grows_within_the_sandbox() {
    const TEST: &str = "memory::all_memory_is_locked_where_that_has_no_limit_and_grows_within_the_sandbox";
    if let Some((_, space)) = role() {
        let (before, after) = close_and_grow();
        assert!(before > 0 && after > before + (32 << 10), "{before} and {after} KiB");
        // The capability that this stands on is not given up with the others.
        inside::go_inside(&space);
        let larger = vec![1_u8; 64 << 20];
        assert_eq!(larger.iter().filter(|byte| **byte == 1).count(), 64 << 20);
        println!("{DONE}");
        return;
    }
    let space = inside::space("");
    let unlimited = getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    let may = need("CAP_IPC_LOCK or ulimit -l unlimited", "run the tests as root", unlimited || may_lock());
    if may && has_landlock() {
        assert_done(&mut again(TEST, "locking", space.path()));
    }
}

/// Whether this process has the capability (number 14).
fn may_lock() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("the kernel tells");
    u64::from_str_radix(line.trim(), 16).expect("a mask") >> 14 & 1 == 1
}

#[test]
fn under_a_limit_nothing_is_locked_and_no_allocation_fails() {
    if role().is_some() {
        setrlimit(Resource::RLIMIT_MEMLOCK, 64 << 10, 64 << 10).expect("to less is always allowed");
        assert_eq!(close_and_grow(), (0, 0));
        println!("{DONE}");
        return;
    }
    let space = Workspace::new();
    if !may_run_as_nobody(&space) {
        return;
    }
    let test = "memory::under_a_limit_nothing_is_locked_and_no_allocation_fails";
    assert_done(as_user(&mut again(test, "limited", space.path())));
}
