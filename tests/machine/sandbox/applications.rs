//! Whom a signal reaches, and by which kernel.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::support::{Leasehold, SOON, Stage, have, need, wait_until};
use leasehold_testkit::evidence;

const NOBODY: u32 = 65_534;

/// An application that does nothing, ended with the test at the latest.
struct Application(Child);

impl Application {
    fn of_user(user: u32) -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").stdin(Stdio::null());
        if geteuid().is_root() {
            command.uid(user).gid(user);
        }
        Self(command.spawn().expect("sleep runs"))
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("ours").is_none()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _has_ended = self.0.kill();
        let _was_collected = self.0.wait();
    }
}

/// A configuration whose notifier ends what the pid file names.
fn signalling(stage: &Stage, pid_file: &Path) -> String {
    stage.config(&format!(
        "files: [{{path: password, secret: 'secret/web#password', refresh: 1s}}]\n\
         notify: {{app: {{signal: TERM, pid_file: '{}'}}}}\n",
        pid_file.display()
    ))
}

#[test]
fn a_pid_file_that_another_user_wrote_ends_no_process_of_roots_and_is_good_for_its_own() {
    if !need("root", "run the tests as root, so that there are other users", geteuid().is_root()) {
        return;
    }
    let mut evidence = evidence!(46, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let pid_file = stage.space.file("app.pid", "1");
    let write = |number: u32| {
        fs::write(&pid_file, number.to_string()).expect("ours");
        std::os::unix::fs::chown(&pid_file, Some(NOBODY), Some(NOBODY)).expect("root gives it away");
    };
    let (mut roots, mut nobodys) = (Application::of_user(0), Application::of_user(NOBODY));
    write(roots.0.id());
    let sidecar = stage.sidecar(&signalling(&stage, &pid_file));
    stage.put_password("two");
    let refusal =
        format!("process {} belongs to uid 0, and only one of uid 65534 is signalled", roots.0.id());
    wait_until("the refusal", SOON, || sidecar.stderr().contains(&refusal));
    assert!(roots.lives());
    evidence.metric(&stage.metrics(), "leasehold_notifier_error{notifier=\"app\"} 1");
    write(nobodys.0.id());
    wait_until("the process of the file's owner to be signalled", SOON, || !nobodys.lives());
    assert_eq!(nobodys.0.wait().expect("ours").signal(), Some(Signal::SIGTERM as i32));
    assert!(roots.lives());
    sidecar.stop().expect_code(0);
    evidence.holds("a pid file names only processes of the user who can have written it");
}

#[test]
fn without_pidfds_an_application_is_signalled_by_its_number() {
    if !need("python3", "apt-get install python3", have("python3")) {
        return;
    }
    let evidence = evidence!(47, Machine);
    let stage = Stage::new();
    stage.put_password("first");
    for (turn, calls) in [
        [(libc::SYS_pidfd_open, libc::ENOSYS), (libc::SYS_pidfd_send_signal, libc::ENOSYS)],
        [(libc::SYS_pidfd_open, libc::EPERM), (libc::SYS_pidfd_send_signal, libc::EPERM)],
        [(libc::SYS_pidfd_send_signal, libc::ENOSYS), (libc::SYS_pidfd_send_signal, libc::ENOSYS)],
    ]
    .into_iter()
    .enumerate()
    {
        let mut app = Application::of_user(geteuid().as_raw());
        let pid_file = stage.space.file("app.pid", app.0.id().to_string());
        let config = stage.space.file("leasehold.yaml", signalling(&stage, &pid_file));
        let leasehold = Leasehold::new(&stage.space).without(&calls);
        let mut sidecar = leasehold.spawn(&["sidecar", "--config", &config.display().to_string()]);
        wait_until("the sidecar to be ready", SOON, || {
            assert!(sidecar.runs(), "the sidecar ended: {}", sidecar.stderr());
            stage.ready()
        });
        stage.put_password(&format!("turn-{turn}"));
        wait_until("the application to be signalled", SOON, || {
            assert!(!sidecar.stderr().contains("could not notify"), "{}", sidecar.stderr());
            !app.lives()
        });
        assert_eq!(app.0.wait().expect("ours").signal(), Some(Signal::SIGTERM as i32));
        sidecar.stop().expect_code(0);
    }
    evidence.holds("without pidfd the process is looked at again, and signalled by its number");
}

#[test]
fn what_every_run_needs_of_the_kernel_is_named_where_it_is_refused() {
    if !need("python3", "apt-get install python3", have("python3")) {
        return;
    }
    let mut evidence = evidence!(47, Machine);
    let stage = Stage::new();
    let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]\n");
    let config = stage.space.file("leasehold.yaml", config).display().to_string();
    let sidecar = vec!["sidecar", "--config", &config];
    let exec = vec!["exec", "--config", &config, "--", "true"];
    for (call, arguments, code, words) in [
        (libc::SYS_timerfd_create, &sidecar, 71, "refuses the system call timerfd_create"),
        (libc::SYS_timerfd_settime, &sidecar, 71, "refuses the system call timerfd_settime"),
        (libc::SYS_epoll_create1, &sidecar, 71, "refuses the system call epoll_create1 or eventfd2"),
        (libc::SYS_eventfd2, &sidecar, 71, "refuses the system call epoll_create1 or eventfd2"),
        (libc::SYS_socketpair, &sidecar, 71, "refuses the system call socketpair"),
        (libc::SYS_prlimit64, &sidecar, 71, "refuses the system call prlimit64"),
        (libc::SYS_signalfd4, &exec, 71, "refuses the system call signalfd4"),
        (libc::SYS_fstatfs, &sidecar, 73, "refuses fstatfs"),
    ] {
        for error in [libc::ENOSYS, libc::EPERM] {
            let leasehold = Leasehold::new(&stage.space).without(&[(call, error)]);
            let finished = leasehold.run(arguments).expect_code(code);
            evidence.exit(finished.code, code);
            let line = finished.last_line();
            // What a person changes on a machine without a container is the unit.
            let advises = line.contains("seccomp profile") || line.contains("SystemCallFilter=");
            assert!(line.contains(words) && advises, "{line}");
        }
    }
    assert_eq!(stage.logins(), 0, "what cannot run does not log in");
    evidence.holds("the last line names the system call that is refused, before any login");
}

#[test]
fn what_can_be_gone_without_is_gone_without() {
    if !need("python3", "apt-get install python3", have("python3")) {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config("files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n");
    let config = stage.space.file("leasehold.yaml", config).display().to_string();
    let optional = [
        libc::SYS_openat2,
        libc::SYS_flock,
        libc::SYS_inotify_init1,
        libc::SYS_mlockall,
        libc::SYS_madvise,
        libc::SYS_capset,
        libc::SYS_landlock_create_ruleset,
        libc::SYS_pidfd_open,
    ];
    for error in [libc::ENOSYS, libc::EPERM] {
        let calls = optional.map(|call| (call, error));
        let leasehold = Leasehold::new(&stage.space).without(&calls);
        let mut sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
        wait_until("the sidecar to be ready", SOON, || {
            assert!(sidecar.runs(), "the sidecar ended: {}", sidecar.stderr());
            stage.ready()
        });
        let next = format!("without-{error}");
        stage.put_password(&next);
        wait_until("the change", SOON, || stage.read("password").is_some_and(|text| text.ends_with(&next)));
        sidecar.stop().expect_code(0);
    }
}
