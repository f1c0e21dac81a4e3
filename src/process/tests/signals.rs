#![allow(clippy::disallowed_methods, reason = "tests set the modes of their own files")]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, WaitId, WaitIdOptions, geteuid, waitid};

use super::need::{have, need};
use super::*;
use crate::process::find::{Found, Matcher, is_theirs};
use crate::process::table::{self, Process};
use crate::process::trust::Bound;

fn pid_file_fault(result: Result<Told, NotifyError>) -> PidFileFault {
    match result {
        Err(NotifyError::PidFile { fault, .. }) => fault,
        other => panic!("no fault of a pid file: {other:?}"),
    }
}

fn process(target: &Target) -> Process {
    Process::read(Pid::from_child(&target.0)).expect("it runs")
}

#[tokio::test]
async fn a_process_is_told_by_name_by_command_line_and_by_pid_file() {
    let programs = Programs::new();

    let mut app = programs.waiting("app");
    assert_eq!(tell(&named(&programs.name("app"))).await.expect("told"), Told::Signalled(1));
    assert_eq!(app.ended_by(), Some(TERM));

    let mut app = programs.waiting("app");
    let pattern = format!("/{} -c read line$", programs.name("app"));
    let how = signal(ProcessTarget::CommandLine(pattern));
    assert_eq!(tell(&how).await.expect("told"), Told::Signalled(1));
    assert_eq!(app.ended_by(), Some(TERM));

    let mut app = programs.waiting("app");
    let path = programs.pid_file(&format!(" {}\n", app.0.id()));
    assert_eq!(tell(&by_pid_file(&path)).await.expect("told"), Told::Signalled(1));
    assert_eq!(app.ended_by(), Some(TERM));
}

#[tokio::test]
async fn a_process_that_wrote_a_title_is_told_by_the_name_that_the_kernel_cut() {
    let programs = Programs::new();
    let name = programs.name("-with-a-long-name");
    let titled = |title: &str| {
        let shell = programs.shell("-with-a-long-name");
        Target::start(Command::new(shell).arg0(title).args(["-c", "read line"]))
    };
    let mut other = titled("other: master process");
    let mut app = titled(&format!("{name}: master process"));
    assert_eq!(tell(&named(&name)).await.expect("told"), Told::Signalled(1));
    assert_eq!(app.ended_by(), Some(TERM));
    assert!(other.lives());
}

#[tokio::test]
async fn of_a_tree_the_top_is_told_and_of_several_trees_all_are() {
    let programs = Programs::new();
    let tree = || {
        let script = "exec 3<&0; \"$0\" -c 'echo up; read line' <&3 & wait";
        let shell = programs.shell("app");
        let mut top = Target::start(Command::new(&shell).args(["-c", script]).arg(&shell));
        assert_eq!(top.line(), "up");
        top
    };
    let (mut first, mut second) = (tree(), tree());
    assert_eq!(tell(&named(&programs.name("app"))).await.expect("told"), Told::Signalled(2), "of four");
    assert_eq!((first.ended_by(), second.ended_by()), (Some(TERM), Some(TERM)));
}

#[tokio::test]
async fn a_zombie_is_nobody() {
    let programs = Programs::new();
    let mut app = programs.waiting("app");
    let path = programs.pid_file(&app.0.id().to_string());
    app.0.kill().expect("killed");
    let left_to_be_reaped = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(&app.0)), left_to_be_reaped).expect("has ended");
    assert!(process(&app).dead && !is_theirs(&process(&app), &hook::Running::default()));
    let by_name = tell(&named(&programs.name("app"))).await.expect_err("nobody");
    assert!(matches!(by_name, NotifyError::NoProcess { .. }), "{by_name}");
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Gone(_)));
}

#[tokio::test]
async fn nobody_found_is_an_error_that_says_what_to_do() {
    let error = tell(&named("no-such-program-anywhere")).await.expect_err("nobody");
    let text = error.to_string();
    assert!(text.contains("no process is named no-such-program-anywhere"), "{text}");
    assert!(text.contains("check that it is running"), "{text}");
    let error = tell(&signal(ProcessTarget::CommandLine("(".into()))).await.expect_err("no pattern");
    assert!(matches!(error, NotifyError::Pattern(_)));
}

#[tokio::test]
async fn a_pid_file_that_names_nobody_says_why() {
    let programs = Programs::new();
    let path = programs.folder.path().join("pid");
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Unreadable(_)));
    for rubbish in ["", "abc", "-5", "0", "1 2", &"9".repeat(100), "\u{fffd}"] {
        let path = programs.pid_file(rubbish);
        assert!(
            matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Rubbish),
            "{rubbish}"
        );
    }
    let folder = programs.folder.path();
    assert!(matches!(pid_file_fault(tell(&by_pid_file(folder)).await), PidFileFault::Unreadable(_)));
    let fifo = folder.join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&fifo)).await), PidFileFault::Unreadable(_)));
    let path = programs.pid_file(&std::process::id().to_string());
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Ours(_)));
    // Above every pid_max.
    let path = programs.pid_file("2147483647");
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Gone(_)));
}

#[tokio::test]
async fn a_pid_file_left_by_an_earlier_process_tells_nobody() {
    let programs = Programs::new();
    let mut other = programs.waiting("other");
    let path = programs.pid_file(&other.0.id().to_string());
    let long_ago = std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    File::options().write(true).open(&path).and_then(|file| file.set_times(long_ago)).expect("aged");
    assert!(matches!(pid_file_fault(tell(&by_pid_file(&path)).await), PidFileFault::Reused(_)));
    assert!(other.lives());
}

#[test]
fn a_number_that_changed_hands_between_search_and_signal_is_not_signalled() {
    let programs = Programs::new();
    let mut app = programs.waiting("app");
    let found =
        |process, matcher| Found { processes: vec![process], matcher, target: "is named app".to_owned() };
    let signal = signal::from_number(TERM).expect("a signal");
    // The number belongs to a process that started at another time.
    let mut earlier = process(&app);
    earlier.start -= 1;
    let error =
        signal::send(&found(earlier, Matcher::Numbered(Bound::default())), signal).expect_err("nobody left");
    assert!(matches!(error, NotifyError::NoProcess { .. }));
    // The process has become another program.
    let renamed = found(process(&app), Matcher::Name(b"another".to_vec()));
    let error = signal::send(&renamed, signal).expect_err("nobody left");
    assert!(matches!(error, NotifyError::NoProcess { .. }));
    assert!(app.lives());
    // And it ends before the signal comes.
    let as_it_was = process(&app);
    drop(app);
    let error = signal::send(&found(as_it_was, Matcher::Numbered(Bound::default())), signal)
        .expect_err("nobody left");
    assert!(matches!(error, NotifyError::NoProcess { .. }));
}

#[tokio::test]
async fn another_run_of_our_own_program_is_never_meant() {
    let programs = Programs::new();
    let us = std::env::current_exe().expect("a path");
    let namesake = programs.folder.path().join(us.file_name().expect("a file"));
    std::os::unix::fs::symlink("/bin/sh", &namesake).expect("linked");
    let mut probe =
        Target::start(Command::new(&namesake).args(["-c", "read line", "status", &programs.unique]));
    let how = signal(ProcessTarget::CommandLine(format!("status {}", programs.unique)));
    assert!(matches!(tell(&how).await, Err(NotifyError::NoProcess { .. })));
    assert!(probe.lives());
}

#[test]
fn we_ourselves_are_never_meant() {
    let me = Process::read(rustix::process::getpid()).expect("we run");
    assert!(!is_theirs(&me, &hook::Running::default()));
}

#[test]
fn numbers_that_are_no_signal_are_refused() {
    for number in [0, -1, 65, 1000] {
        assert!(matches!(signal::from_number(number), Err(NotifyError::NoSuchSignal(_))), "{number}");
    }
    for number in [1, 2, 10, 12, 15, 28] {
        assert_eq!(signal::from_number(number).map(|signal| signal.as_raw()).expect("a signal"), number);
    }
}

const PID_FILE: &str = "LEASEHOLD_TEST_PID_FILE";
const NAME: &str = "LEASEHOLD_TEST_NAME";
const PATTERN: &str = "LEASEHOLD_TEST_PATTERN";
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_process_of_another_user_is_refused_and_does_not_keep_our_own_from_being_told() {
    if let (Some(path), Ok(name)) = (std::env::var_os(PID_FILE), std::env::var(NAME)) {
        refused(Path::new(&path)).await;
        assert_eq!(tell(&named(&name)).await.expect("one of two is ours"), Told::Signalled(1));
        return;
    }
    if !can_become_another() {
        return;
    }
    let programs = Programs::new();
    // As root everybody may be signalled, so another user tries.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(programs.folder.path(), open).expect("opened");
    let mut roots = programs.waiting("app");
    let shell = programs.shell("app");
    let mut nobodys = Target::start(Command::new(shell).args(["-c", "read line"]).uid(NOBODY).gid(NOBODY));
    let path = programs.pid_file(&roots.0.id().to_string());
    let name = "process::tests::signals::\
                a_process_of_another_user_is_refused_and_does_not_keep_our_own_from_being_told";
    let nobody = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", name])
        .env(PID_FILE, &path)
        .env(NAME, programs.name("app"))
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("runs");
    let printed = String::from_utf8_lossy(&nobody.stdout);
    assert!(nobody.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(nobodys.ended_by(), Some(TERM));
    assert!(roots.lives());
}

/// Starts a process that gave up root by itself, as servers do. Such a process is not dumpable: not even its own user
/// may trace it.
fn untraceable(name: &str) -> Target {
    let script = "$0 = shift; ($(, $)) = (65534, '65534 65534'); ($<, $>) = (65534, 65534); \
                  $| = 1; print qq(up\n); <STDIN>";
    let mut target = Target::start(Command::new("perl").args(["-e", script, name]));
    assert_eq!(target.line(), "up");
    target
}

#[tokio::test]
async fn a_process_of_the_same_user_is_told_without_the_right_to_trace_it() {
    if let Ok(name) = std::env::var(NAME) {
        let named_so = |one: &Process| one.command_line.starts_with(name.as_bytes());
        let one = table::all().expect("listed").into_iter().find(named_so).expect("it runs");
        std::fs::read_link(format!("/proc/{}/exe", one.pid.as_raw_nonzero())).expect_err("untraceable");
        let told = match std::env::var_os(PATTERN) {
            Some(_) => tell(&signal(ProcessTarget::CommandLine(format!("^{name}$")))).await,
            None => tell(&named(&name)).await,
        };
        assert_eq!(told.expect("it is ours"), Told::Signalled(1));
        return;
    }
    if !can_become_another() || !need("perl", "apt-get install perl", have("perl")) {
        return;
    }
    let programs = Programs::new();
    let name = programs.name("app");
    let test = "process::tests::signals::a_process_of_the_same_user_is_told_without_the_right_to_trace_it";
    for by_line in [None, Some((PATTERN, ""))] {
        let mut target = untraceable(&name);
        let mut nobody = Command::new(std::env::current_exe().expect("a path"));
        nobody.args(["--exact", test]).env(NAME, &name).envs(by_line).uid(NOBODY).gid(NOBODY);
        let output = nobody.output().expect("runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
        assert_eq!(target.ended_by(), Some(TERM));
    }
}

fn owned_by(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).expect("root gives things away");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

/// Returns the fault for which the pid file `path` is not believed about a process.
async fn disbelief(path: &Path) -> PidFileFault {
    pid_file_fault(tell(&by_pid_file(path)).await)
}

#[tokio::test]
async fn a_pid_file_names_only_processes_of_the_users_who_may_have_written_it() {
    if !can_become_another() {
        return;
    }
    let programs = Programs::new();
    let mut roots = programs.waiting("root");
    let nobodys = || {
        let shell = programs.shell("nobody");
        Target::start(Command::new(shell).args(["-c", "read line"]).uid(NOBODY).gid(NOBODY))
    };
    let inner = programs.folder.path().join("inner");
    std::fs::create_dir(&inner).expect("made");
    set_mode(programs.folder.path(), 0o755);
    let named = |number: u32| {
        let file = programs.pid_file(&number.to_string());
        let path = inner.join("pid");
        std::fs::rename(file, &path).expect("moved");
        path
    };

    let path = named(roots.0.id());
    owned_by(&path, NOBODY);
    let fault = disbelief(&path).await;
    assert!(matches!(fault, PidFileFault::Foreign { user: 0, owner: NOBODY, .. }), "{fault:?}");
    let text = fault.to_string();
    for part in
        ["belongs to uid 0, and only one of uid 65534 is signalled, since it belongs to", "; let root"]
    {
        assert!(text.contains(part), "{text}");
    }

    let path = named(roots.0.id());
    for mode in [0o666, 0o602] {
        set_mode(&path, mode);
        let fault = disbelief(&path).await;
        assert!(matches!(fault, PidFileFault::Open(_)), "{fault:?}");
        assert!(fault.to_string().ends_with("chmod go-w"), "{fault}");
    }

    let link = programs.folder.path().join("link");
    std::os::unix::fs::symlink(named(roots.0.id()), &link).expect("linked");
    owned_by(&link, NOBODY);
    let fault = disbelief(&link).await;
    assert!(matches!(fault, PidFileFault::Foreign { owner: NOBODY, .. }), "{fault:?}");

    let mut nobodys_first = nobodys();
    for (owner, mode) in [(NOBODY, 0o755), (0, 0o777), (0, 0o775)] {
        let path = named(nobodys_first.0.id());
        owned_by(&inner, owner);
        set_mode(&inner, mode);
        let fault = disbelief(&path).await;
        assert!(matches!(fault, PidFileFault::Foreign { user: NOBODY, owner: 0, .. }), "{fault:?}");
    }
    assert!(roots.lives() && nobodys_first.lives());

    // Its own file names it, in whatever folder; and root's file names anything, where only root writes.
    owned_by(&named(nobodys_first.0.id()), NOBODY);
    tell(&by_pid_file(&inner.join("pid"))).await.expect("its own");
    assert_eq!(nobodys_first.ended_by(), Some(TERM));
    let mut second = nobodys();
    owned_by(&inner, 0);
    set_mode(&inner, 0o1777);
    tell(&by_pid_file(&named(second.0.id()))).await.expect("root said so");
    assert_eq!(second.ended_by(), Some(TERM));
    owned_by(&link, 0);
    named(roots.0.id());
    tell(&by_pid_file(&link)).await.expect("root made the link, too");
    assert_eq!(roots.ended_by(), Some(TERM));
}

#[tokio::test]
async fn a_pid_file_is_found_by_relative_paths_links_and_through_another_process() {
    let programs = Programs::new();
    std::fs::create_dir(programs.folder.path().join("a")).expect("made");
    for (text, at) in [("../pid", "a/relative"), ("a/relative", "twice")] {
        std::os::unix::fs::symlink(text, programs.folder.path().join(at)).expect("linked");
    }
    std::os::unix::fs::symlink("circle", programs.folder.path().join("circle")).expect("linked");
    let root = format!("/proc/{}/root", std::process::id());
    let absolute = programs.folder.path().join("a/../twice");
    for path in [&absolute, &Path::new(&root).join(absolute.strip_prefix("/").expect("absolute"))] {
        let mut app = programs.waiting("app");
        programs.pid_file(&app.0.id().to_string());
        tell(&by_pid_file(path)).await.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!(app.ended_by(), Some(TERM));
    }
    let circle = disbelief(&programs.folder.path().join("circle")).await;
    assert!(matches!(circle, PidFileFault::Unreadable(_)), "{circle:?}");
    let below_a_file = disbelief(&programs.folder.path().join("pid/below")).await;
    assert!(matches!(below_a_file, PidFileFault::Unreadable(_)), "{below_a_file:?}");
}

fn can_become_another() -> bool {
    need("root", "run the tests as root, so that they can become somebody else", geteuid().is_root())
}

async fn refused(pid_file: &Path) {
    let error = tell(&by_pid_file(pid_file)).await.expect_err("not permitted");
    assert!(matches!(error, NotifyError::NotPermitted { .. }), "{error}");
    assert!(error.to_string().contains("under the uid that the process has"), "{error}");
}
