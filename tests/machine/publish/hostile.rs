//! A volume that somebody else has prepared: nothing outside is written, nothing blocks, and what
//! is refused is refused with the path and the rule.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use leasehold::publish::{Problem, PublishError, Set, SingleFile};

use crate::publish::fixture::{Census, PLAIN, census, kept, member, names, open, read, temporary_name};
use crate::publish::scene::{self, is_root};
use crate::support::{Workspace, need};
use leasehold_testkit::evidence;

/// Puts something at a path; `outside` is a folder that must stay as it is.
type Trap = (&'static str, fn(&Path, &Path));

const SYMLINK: Trap = ("a symbolic link to a file", |at, outside| {
    symlink(outside.join("precious"), at).expect("linked");
});
const FOLDER_LINK: Trap = ("a symbolic link to a folder", |at, outside| {
    symlink(outside, at).expect("linked");
});
const DANGLING: Trap = ("a symbolic link to nothing", |at, outside| {
    symlink(outside.join("absent"), at).expect("linked");
});
const HARD_LINK: Trap = ("a hard link", |at, outside| {
    fs::hard_link(outside.join("precious"), at).expect("linked");
});
const FIFO: Trap = ("a FIFO", |at, _| {
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mkfifoat(rustix::fs::CWD, at, mode).expect("made");
});
const FOLDER: Trap = ("a directory", |at, _| {
    fs::create_dir(at).expect("made");
    fs::write(at.join("inner"), "theirs").expect("written");
});
const SOCKET: Trap = ("a socket", |at, _| {
    std::os::unix::net::UnixListener::bind(at).expect("bound");
});
const FILE: Trap = ("a file", |at, _| fs::write(at, "theirs").expect("written"));

const ALL: [Trap; 8] = [SYMLINK, FOLDER_LINK, DANGLING, HARD_LINK, FIFO, FOLDER, SOCKET, FILE];

struct Ground {
    dir: Workspace,
    outside: PathBuf,
    before: Census,
}

impl Ground {
    fn new() -> Self {
        let dir = Workspace::new();
        let outside = dir.dir("outside");
        dir.file("outside/precious", "precious");
        // Open to everybody, as an emptyDir is.
        fs::set_permissions(dir.dir("volume"), fs::Permissions::from_mode(0o777)).expect("ours");
        let before = census(&outside);
        Self { dir, outside, before }
    }

    fn volume(&self) -> PathBuf {
        self.dir.join("volume")
    }

    fn untouched(&self, what: &str) {
        assert_eq!(census(&self.outside), self.before, "{what}");
    }
}

#[test]
fn a_link_at_a_single_files_name_is_replaced_and_everything_else_refused() {
    let fault = evidence!(27, Machine);
    for (what, set_trap) in ALL {
        let ground = Ground::new();
        let path = ground.volume().join("a");
        set_trap(&path, &ground.outside);
        let published = SingleFile::open(&path, 0o750, true)
            .and_then(|mut file| file.publish(&"secret".into(), &PLAIN).map(|_| ()));
        match published {
            Ok(()) => {
                assert!(what.contains("link") || what == "a file", "{what}");
                let meta = fs::symlink_metadata(&path).expect("there");
                assert!(meta.is_file() && meta.nlink() == 1, "{what}");
                assert_eq!(names(&ground.volume()), ["a"], "{what}");
            }
            Err(PublishError { path: named, problem }) => {
                assert_eq!((named, problem), (path, Problem::InTheWay(what)));
            }
        }
        ground.untouched(what);
    }
    fault.holds("links are replaced, everything else is refused, nothing outside is written");
}

#[test]
fn a_hard_link_with_the_right_bytes_is_still_replaced() {
    let ground = Ground::new();
    let path = ground.volume().join("a");
    HARD_LINK.1(&path, &ground.outside);
    let attributes = leasehold::publish::Attributes { mode: 0o600, ..PLAIN };
    let mut file = SingleFile::open(&path, 0o750, true).expect("opened");
    file.publish(&"precious".into(), &attributes).expect("published");
    assert_eq!(fs::metadata(&path).expect("there").nlink(), 1);
}

#[test]
fn what_waits_at_the_temporary_name_of_a_single_file_is_removed_not_followed() {
    for (what, set_trap) in ALL {
        let ground = Ground::new();
        let path = ground.volume().join("a");
        let mut file = SingleFile::open(&path, 0o750, true).expect("opened");
        let temporary = temporary_name(&ground.volume(), &mut file);
        set_trap(&ground.volume().join(&temporary), &ground.outside);
        file.publish(&"secret".into(), &PLAIN).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(names(&ground.volume()), ["a"], "{what}");
        assert_eq!(read(&ground.volume(), "a").as_deref(), Some("secret"));
        ground.untouched(what);
    }
}

#[test]
fn a_visible_name_is_taken_over_from_links_only() {
    for (what, set_trap) in ALL {
        let ground = Ground::new();
        let volume = ground.volume();
        set_trap(&volume.join("tls"), &ground.outside);
        let before = census(&volume);
        match open(&volume).publish(&[member("a", "secret"), member("tls/b", "secret")]) {
            Ok(_) => {
                assert!(what.contains("symbolic link"), "{what}");
                assert_eq!(read(&volume, "tls/b").as_deref(), Some("secret"), "{what}");
            }
            Err(error) => {
                let kind = if what == "a hard link" { "a file" } else { what };
                assert_eq!((error.path, error.problem), (volume.join("tls"), Problem::InTheWay(kind)));
                assert_eq!(census(&volume), before, "{what}");
            }
        }
        ground.untouched(what);
    }
}

#[test]
fn what_has_the_name_of_the_current_link_is_replaced_where_it_is_a_link_and_refused_otherwise() {
    for (what, set_trap) in ALL {
        let ground = Ground::new();
        let volume = ground.volume();
        set_trap(&volume.join("..data"), &ground.outside);
        match Set::open(&volume, 0o750, true).and_then(|mut set| set.publish(&[member("a", "secret")])) {
            Ok(_) => {
                assert!(what.contains("symbolic link"), "{what}");
                assert_eq!(read(&volume, "a").as_deref(), Some("secret"), "{what}");
            }
            Err(error) => {
                let kind = if what == "a hard link" { "a file" } else { what };
                assert_eq!((error.path, error.problem), (volume.join("..data"), Problem::InTheWay(kind)));
                assert_eq!(names(&volume), ["..data"], "{what}");
            }
        }
        ground.untouched(what);
    }
}

#[test]
fn names_of_generations_and_links_that_are_taken_are_swept_or_passed_over() {
    for (what, set_trap) in ALL {
        let ground = Ground::new();
        let volume = ground.volume();
        set_trap(&volume.join("..leasehold_1"), &ground.outside);
        set_trap(&volume.join("..leasehold_2.link"), &ground.outside);
        let mut set = open(&volume);
        assert!(names(&volume).is_empty(), "swept: {what}");
        // And once more between the sweep and the publish.
        set_trap(&volume.join("..leasehold_1"), &ground.outside);
        let published =
            set.publish(&[member("a", "secret")]).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(published.generation, 2, "{what}");
        assert_eq!(names(&volume), ["..data", "..leasehold_2", "a"], "{what}");
        set_trap(&volume.join("..leasehold_3.link"), &ground.outside);
        let error = set.publish(&[member("a", "other")]).expect_err("taken");
        assert!(matches!(error.problem, Problem::InTheWay(_)), "{what}: {error}");
        assert_eq!(read(&volume, "a").as_deref(), Some("secret"), "{what}");
        set.publish(&[member("a", "other")]).unwrap_or_else(|error| panic!("{what} again: {error}"));
        assert_eq!(names(&volume), ["..data", "..leasehold_3", "a"], "{what}");
        ground.untouched(what);
    }
}

#[test]
fn a_generation_that_leads_outside_is_neither_read_nor_swept_into() {
    let fault = evidence!(27, Machine);
    let ground = Ground::new();
    let volume = ground.volume();
    symlink(&ground.outside, volume.join("..leasehold_5")).expect("linked");
    symlink("..leasehold_5", volume.join("..data")).expect("linked");
    let mut set = open(&volume);
    assert!(set.existing().expect("readable").is_empty());
    let published = set.publish(&[kept("precious"), member("a", "x")]).expect("published");
    assert_eq!(published.changed, [1]);
    assert_eq!(read(&volume, "precious"), None);
    ground.untouched("a generation outside");
    fault.holds("nothing outside is read or removed");
}

#[test]
fn a_generation_of_the_last_number_does_not_keep_the_next_from_coming() {
    let ground = Ground::new();
    let volume = ground.volume();
    let last = format!("..leasehold_{}", u64::MAX);
    fs::create_dir(volume.join(&last)).expect("made");
    symlink(&last, volume.join("..data")).expect("linked");
    open(&volume).publish(&[member("a", "secret")]).expect("published");
    assert_eq!(names(&volume), ["..data", "..leasehold_1", "a"]);
}

#[test]
fn a_folder_of_the_path_that_others_could_have_linked_is_not_entered() {
    let ground = Ground::new();
    let volume = ground.volume();
    for (what, set_trap) in [FOLDER_LINK, SYMLINK, DANGLING, FIFO, FILE, SOCKET] {
        let at = volume.join(what.replace(' ', "-"));
        set_trap(&at, &ground.outside);
        for path in [at.join("a"), at.join("deeper/a")] {
            let alone = SingleFile::open(&path, 0o750, true).expect_err(what);
            assert_eq!(alone.path, at, "{what}: {alone}");
            let set = Set::open(&path, 0o750, true).expect_err(what);
            assert_eq!(set.path, at, "{what}: {set}");
            if what.contains("symbolic") {
                assert_eq!((alone.problem, set.problem), (Problem::Link, Problem::Link), "{what}");
            }
        }
        ground.untouched(what);
    }
}

#[test]
fn a_link_that_only_root_can_have_made_is_followed() {
    let link = Path::new("/var/run");
    if !need("/var/run as a link", "any Debian has it", link.is_symlink()) {
        return;
    }
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = tempfile::tempdir_in("/run").expect("root may");
    let path = link.join(dir.path().file_name().expect("it has a name")).join("a");
    let mut file = SingleFile::open(&path, 0o750, false).expect("followed");
    file.publish(&"x".into(), &PLAIN).expect("published");
    assert_eq!(read(dir.path(), "a").as_deref(), Some("x"));
}

#[test]
fn a_link_that_only_root_can_have_made_is_not_replaced_by_a_file() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    // As at /dev/stdout, which is on a tmpfs of the kernel's own.
    let dir = Workspace::new();
    symlink("/proc/self/fd/1", dir.join("stdout")).expect("linked");
    let before = census(dir.path());
    let error = SingleFile::open(&dir.join("stdout"), 0o750, true).expect_err("there on purpose");
    assert_eq!((error.path, error.problem), (dir.join("stdout"), Problem::Link));
    assert_eq!(census(dir.path()), before);
}

#[test]
fn a_device_is_never_opened() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let ground = Ground::new();
    let volume = ground.volume();
    // A block device that nobody drives: opening it would fail with ENXIO, and say so.
    let device = |name: &str| {
        let number = rustix::fs::makedev(259, 1_048_575);
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let kind = rustix::fs::FileType::BlockDevice;
        rustix::fs::mknodat(rustix::fs::CWD, volume.join(name), kind, mode, number).expect("made");
    };
    device("a");
    let error = SingleFile::open(&volume.join("a"), 0o750, true).expect_err("a device");
    assert_eq!(error.problem, Problem::InTheWay("a device"));
    let error = open(&volume).publish(&[member("a", "x")]).expect_err("a device");
    assert_eq!(error.problem, Problem::InTheWay("a device"));
    device("..leasehold_1");
    open(&volume);
    assert_eq!(names(&volume), ["a"]);
}

/// The whole file once more on a kernel without openat2, and under a runtime that forbids it.
#[test]
fn without_openat2_everything_holds_as_well() {
    const TEST: &str = "hostile::without_openat2_everything_holds_as_well";
    if scene::folder().is_some() {
        a_folder_of_the_path_that_others_could_have_linked_is_not_entered();
        a_visible_name_is_taken_over_from_links_only();
        what_has_the_name_of_the_current_link_is_replaced_where_it_is_a_link_and_refused_otherwise();
        names_of_generations_and_links_that_are_taken_are_swept_or_passed_over();
        a_generation_that_leads_outside_is_neither_read_nor_swept_into();
        a_link_at_a_single_files_name_is_replaced_and_everything_else_refused();
        return;
    }
    if !need("strace", "apt-get install strace, and allow ptrace", scene::can_trace()) {
        return;
    }
    let dir = Workspace::new();
    for refusal in ["ENOSYS", "EPERM"] {
        let log = dir.join(refusal);
        let inject = format!("--inject=openat2:error={refusal}");
        let before = ["strace", "-f", "-e", "trace=openat2", &inject, "-o"].map(OsStr::new);
        let before = [&before[..], &[log.as_os_str()]].concat();
        scene::play(scene::command(&before, &scene::binary(), TEST, dir.path()));
        let log = fs::read_to_string(log).expect("strace wrote it");
        assert!(log.contains("(INJECTED)") && !log.contains("= 3\n"), "every openat2 was refused");
    }
}
