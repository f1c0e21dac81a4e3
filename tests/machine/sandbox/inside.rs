//! From inside: files, ports and system calls.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use leasehold::exit::{Cause, Ending};
use leasehold::sandbox;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketType, connect, ipproto, sendto, socket};
use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, chroot, getpid, getppid, pidfd_getfd, pidfd_open, test_kill_process,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{DONE, again, assert_done, has_landlock, role};
use crate::support::{Workspace, need};

/// Goes inside, with a configuration of its own in `space`.
pub(super) fn go_inside(space: &Path) {
    raise(space).expect("all of it can be had here");
}

fn raise(space: &Path) -> Result<sandbox::Fence, Ending> {
    let config = space.join("config").join("leasehold.yaml");
    let (plan, _) =
        leasehold::config::load(std::slice::from_ref(&config), &[]).expect("a good configuration");
    sandbox::raise(&plan, &[&config], &[], false, |_| None)
}

/// From now on the kernel has no Landlock, for this thread.
fn take_landlock_away() {
    let rules = [(nix::libc::SYS_landlock_create_ruleset, Vec::new())].into();
    let answer = SeccompAction::Errno(nix::libc::ENOSYS.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into().expect("a machine that seccompiler knows");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, machine).expect("one rule");
    let program: BpfProgram = filter.try_into().expect("one rule");
    seccompiler::apply_filter(&program).expect("seccomp is on");
}

/// The folders and files of a child: `config` and `secrets` are inside, `elsewhere` is not.
pub(super) fn space(rest: &str) -> Workspace {
    let space = Workspace::new();
    for dir in ["config", "secrets", "elsewhere", "credentials"] {
        space.dir(dir);
    }
    space.file("elsewhere/file", "outside");
    space.file("credentials/jwt", "inside");
    let root = space.path().display();
    let config = format!(
        "vault: {{address: 'https://127.0.0.1:8200'}}\n\
         auth: {{method: kubernetes, role: web, jwt_file: '{root}/credentials/jwt'}}\n\
         secrets_dir: '{root}/secrets'\n\
         files: [{{path: a, secret: secret/web}}]\n\
         sandbox: required\n\
         {rest}"
    );
    space.file("config/leasehold.yaml", config);
    space
}

#[test]
fn files_outside_the_plan_can_be_neither_read_nor_written() {
    if let Some((_, space)) = role() {
        let elsewhere = space.join("elsewhere");
        let (read, written) = (elsewhere.join("file"), elsewhere.join("new"));
        assert!(fs::read(&read).is_ok() && File::create(&written).is_ok(), "outside everything works");
        go_inside(&space);

        let refused = |result: std::io::Result<()>| {
            assert_eq!(result.expect_err("refused").kind(), std::io::ErrorKind::PermissionDenied);
        };
        refused(fs::read(&read).map(drop));
        refused(fs::read_dir(&elsewhere).map(drop));
        refused(File::create(&written).map(drop));
        refused(fs::remove_file(&written));
        refused(fs::rename(&read, space.join("secrets/stolen")).map_err(|error| match error.kind() {
            // How Landlock refuses a move between folders.
            std::io::ErrorKind::CrossesDevices => std::io::ErrorKind::PermissionDenied.into(),
            _ => error,
        }));
        // A link that the application puts into the shared folder leads nowhere.
        refused(fs::read(space.join("secrets/link")).map(drop));
        refused(File::create(space.join("config/new")).map(drop));

        assert!(fs::read(space.join("credentials/jwt")).is_ok());
        assert!(fs::read(space.join("config/leasehold.yaml")).is_ok());
        assert!(File::create(space.join("secrets/new")).is_ok());
        assert!(fs::read_to_string("/etc/hosts").is_ok() && fs::read_dir("/etc").is_ok());
        println!("{DONE}");
        return;
    }
    if !has_landlock() {
        return;
    }
    let space = space("");
    std::os::unix::fs::symlink(space.join("elsewhere/file"), space.join("secrets/link")).expect("a link");
    assert_done(&mut again(
        "inside::files_outside_the_plan_can_be_neither_read_nor_written",
        "inside",
        space.path(),
    ));
}

/// Connects by a protocol of many paths, which speaks to any TCP server.
fn by_many_paths(address: &str) -> Result<(), Errno> {
    let address: SocketAddr = address.parse().expect("an address");
    connect(socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::MPTCP))?, &address)
}

/// Connects without connect(2): with the first data that is sent.
fn at_once(address: &str) -> Result<(), Errno> {
    let address: SocketAddr = address.parse().expect("an address");
    let fast_open = SendFlags::from_bits_retain(nix::libc::MSG_FASTOPEN.unsigned_abs());
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    sendto(socket, b"secret", fast_open, &address).map(drop)
}

#[test]
fn connections_go_to_the_plans_ports_only() {
    if let Some((port, space)) = role() {
        let address = format!("127.0.0.1:{port}");
        assert!(TcpStream::connect(&address).is_ok(), "outside it can be reached");
        assert_eq!(at_once(&address), Ok(()));
        assert_ne!(by_many_paths(&address), Err(Errno::PERM), "not every kernel has it");
        go_inside(&space);
        let error = TcpStream::connect(&address).expect_err("not a port of the plan");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        let error = TcpListener::bind("127.0.0.1:0").expect_err("not the port of `listen`");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        for refused in [by_many_paths(&address), at_once(&address)] {
            assert_eq!(
                refused,
                Err(Errno::PERM),
                "Landlock's ports are those of plain TCP and of connect(2)"
            );
        }
        // 8200 is the server's: whether somebody listens there or not, the attempt is allowed.
        let server = TcpStream::connect("127.0.0.1:8200").map_err(|error| error.kind());
        assert_ne!(server.err(), Some(std::io::ErrorKind::PermissionDenied));
        println!("{DONE}");
        return;
    }
    if !has_landlock() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let space = space("listen: 127.0.0.1:9110\n");
    assert_done(&mut again("inside::connections_go_to_the_plans_ports_only", &port, space.path()));
}

#[test]
fn no_program_is_run_no_root_changed_and_no_other_process_opened() {
    if let Some((_, space)) = role() {
        let parent = pidfd_open(getppid().expect("it waits for us"), PidfdFlags::empty()).expect("it runs");
        let take = || pidfd_getfd(&parent, 0, PidfdGetfdFlags::empty());
        assert!(Command::new("/bin/true").status().is_ok(), "outside programs run");
        assert!(take().is_ok(), "outside a child of the same user may");
        go_inside(&space);
        let error = Command::new("/bin/true").status().expect_err("no program runs inside");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert_eq!(take().expect_err("refused"), Errno::PERM);
        // Only root may change its root at all: for others this says nothing.
        assert_eq!(chroot("/").expect_err("refused"), Errno::PERM);
        // A thread and a signal are what a daemon lives on.
        std::thread::spawn(|| ()).join().expect("threads start");
        test_kill_process(getpid()).expect("signals go out");
        println!("{DONE}");
        return;
    }
    if !has_landlock() {
        return;
    }
    let test = "inside::no_program_is_run_no_root_changed_and_no_other_process_opened";
    assert_done(&mut again(test, "inside", space("").path()));
}

/// Whether the kernel knows Landlock's scope (6.12).
fn has_scope() -> bool {
    let release = nix::sys::utsname::uname().expect("every kernel has one").release().to_owned();
    let release = release.to_string_lossy();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    need("Landlock's scope", "a kernel from 6.12 on", version >= (6, 12))
}

#[test]
fn sockets_without_a_path_and_processes_outside_are_out_of_reach() {
    if let Some((name, space)) = role() {
        let address = UnixAddress::from_abstract_name(&name).expect("a short name");
        let parent = getppid().expect("it waits for us");
        assert!(UnixStream::connect_addr(&address).is_ok(), "outside it can be reached");
        test_kill_process(parent).expect("outside it can be signalled");
        go_inside(&space);
        let error = UnixStream::connect_addr(&address).expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert_eq!(test_kill_process(parent), Err(Errno::PERM), "there is no signal notifier");
        test_kill_process(getpid()).expect("our own threads are inside");
        println!("{DONE}");
        return;
    }
    if !has_landlock() || !has_scope() {
        return;
    }
    let name = format!("leasehold-test-{}", std::process::id());
    let address = UnixAddress::from_abstract_name(&name).expect("a short name");
    let _listens = UnixListener::bind_addr(&address).expect("a free name");
    let test = "inside::sockets_without_a_path_and_processes_outside_are_out_of_reach";
    assert_done(&mut again(test, &name, space("").path()));
}

#[test]
fn with_a_signal_notifier_processes_outside_are_signalled() {
    if let Some((_, space)) = role() {
        go_inside(&space);
        test_kill_process(getppid().expect("it waits for us")).expect("a notifier may mean it");
        println!("{DONE}");
        return;
    }
    if !has_landlock() {
        return;
    }
    let space = space("notify: {app: {signal: HUP, process: web}}\n");
    assert_done(&mut again(
        "inside::with_a_signal_notifier_processes_outside_are_signalled",
        "inside",
        space.path(),
    ));
}

#[test]
fn without_landlock_required_does_not_start_and_auto_keeps_the_rest() {
    if let Some((_, space)) = role() {
        take_landlock_away();
        let ending = raise(&space).expect_err("a layer is missing");
        assert_eq!(ending.cause, Cause::Destination);
        assert!(ending.what.contains("there is no Landlock: neither this kernel"), "{ending}");

        let config = space.join("config/leasehold.yaml");
        let text = fs::read_to_string(&config).expect("ours").replace("required", "auto");
        fs::write(&config, text).expect("nothing refuses it");
        raise(&space).expect("what is missing is a warning");
        assert!(fs::read(space.join("elsewhere/file")).is_ok(), "paths are open");
        assert!(Command::new("/bin/true").status().is_err(), "programs are not");
        println!("{DONE}");
        return;
    }
    let test = "inside::without_landlock_required_does_not_start_and_auto_keeps_the_rest";
    assert_done(&mut again(test, "inside", space("").path()));
}
