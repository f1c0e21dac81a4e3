//! A look at what was published finds what is gone or changed, and costs next to nothing where nothing is.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leasehold::publish::{Attributes, Look, Loss, Problem, Set, SingleFile};
use leasehold::secret::Secret;

use crate::publish::fixture::{PLAIN, census, kept, member, names, open, read};
use crate::support::{Workspace, have, need};

/// A look at some seconds from now: long after whatever was written just now.
fn later(thorough: bool) -> Look {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Look { wall: i64::try_from((now + Duration::from_secs(60)).as_secs()).expect("small"), thorough }
}

/// What happens, how, and what a look finds of it.
type Mishap<'a> = (&'a str, &'a dyn Fn(&Workspace), &'a [usize], Loss);

#[test]
fn whatever_a_reader_would_miss_is_found_and_put_back() {
    let members = [member("a", "one"), member("tls/cert.pem", "two"), member("tls/key.pem", "three")];
    let all = [0, 1, 2];
    let spoil: [Mishap<'_>; 9] = [
        ("the link", &|dir| fs::remove_file(dir.join("..data")).expect("removed"), &all, Loss::Gone),
        (
            "another link",
            &|dir| {
                fs::remove_file(dir.join("..data")).expect("removed");
                symlink("elsewhere", dir.join("..data")).expect("linked");
            },
            &all,
            Loss::Gone,
        ),
        ("a visible link", &|dir| fs::remove_file(dir.join("tls")).expect("removed"), &[1, 2], Loss::Gone),
        (
            "a member",
            &|dir| fs::remove_file(dir.join("..data/tls/key.pem")).expect("removed"),
            &[2],
            Loss::Gone,
        ),
        (
            "its folder",
            &|dir| fs::remove_dir_all(dir.join("..data/tls")).expect("removed"),
            &[1, 2],
            Loss::Gone,
        ),
        (
            "the generation",
            &|dir| {
                let target = fs::read_link(dir.join("..data")).expect("a link");
                fs::remove_dir_all(dir.join(target)).expect("removed");
            },
            &all,
            Loss::Gone,
        ),
        (
            "all",
            &|dir| {
                fs::remove_dir_all(dir.path()).expect("removed");
                fs::create_dir(dir.path()).expect("made");
            },
            &all,
            Loss::Gone,
        ),
        (
            "the bytes",
            &|dir| {
                let path = dir.join("..data/a");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
                fs::write(&path, "eno").expect("written");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("ours");
            },
            &[0],
            Loss::Changed,
        ),
        (
            "a mode",
            &|dir| {
                fs::set_permissions(dir.join("..data/a"), fs::Permissions::from_mode(0o444)).expect("ours");
            },
            &[0],
            Loss::Changed,
        ),
    ];
    for (what, spoil, lost, how) in spoil {
        let dir = Workspace::new();
        let mut set = open(dir.path());
        set.publish(&members).expect("published");
        for _ in 0..2 {
            assert_eq!(set.inspect(&members, later(false)), Ok(vec![]), "{what}");
        }
        spoil(&dir);
        let expected: Vec<_> = lost.iter().map(|index| (*index, how)).collect();
        assert_eq!(set.inspect(&members, later(false)), Ok(expected), "{what}");
        set.publish(&members).expect("put back");
        assert_eq!(set.inspect(&members, later(false)), Ok(vec![]), "{what}");
        assert_eq!(read(dir.path(), "a").as_deref(), Some("one"), "{what}");
        assert_eq!(read(dir.path(), "tls/key.pem").as_deref(), Some("three"), "{what}");
    }
}

#[test]
fn a_look_writes_nothing_and_a_second_one_reads_no_file() {
    let dir = Workspace::new();
    let members = [member("a", "one"), member("b", "two")];
    let mut set = open(dir.path());
    set.publish(&members).expect("published");
    let before = census(dir.path());
    assert_eq!(set.inspect(&members, later(false)), Ok(vec![]));
    // What cannot be opened any more can still be looked at: FIFOs, devices and files are not touched.
    let other = [member("a", "eno"), member("b", "two")];
    assert_eq!(set.inspect(&other, later(false)), Ok(vec![]), "the kernel's word is enough");
    assert_eq!(set.inspect(&other, later(true)), Ok(vec![(0, Loss::Changed)]), "but not for a thorough look");
    assert_eq!(census(dir.path()), before);
}

#[test]
fn a_write_through_a_memory_map_is_found_by_a_thorough_look_and_put_back() {
    if !need("python3", "apt-get install python3", have("python3")) {
        return;
    }
    // A disk dates it.
    let dir = tempfile::tempdir_in("/dev/shm").expect("a tmpfs");
    let path = dir.path().join("alone/file");
    let attributes = Attributes { mode: 0o600, uid: None, gid: None };
    let members = [member("a", "one"), member("b", "two")];
    let (mut set, mut alone) =
        (open(&dir.path().join("set")), SingleFile::open(&path, 0o750, false).expect("a place"));
    set.publish(&members).expect("published");
    alone.publish(&"one".into(), &attributes).expect("published");
    let looks = |set: &mut Set, alone: &mut SingleFile, thorough| {
        let of_set = set.inspect(&members, later(thorough)).expect("looked at");
        (of_set, alone.inspect(Some(&"one".into()), &attributes, later(thorough)).expect("looked at"))
    };
    assert_eq!(looks(&mut set, &mut alone, false), (vec![], None));
    // The first write makes the page writable, which the kernel dates. The second one it does not see.
    let write = "import mmap, sys
files = [open(path, 'r+b') for path in sys.argv[1:]]
maps = [mmap.mmap(file.fileno(), 0) for file in files]
for text in (b'one', b'eno'):
    for each in maps:
        each[0:3] = text
    print(flush=True)
    sys.stdin.readline()";
    let files = [dir.path().join("set/a"), path.clone()];
    let mut writer = Command::new("python3")
        .args(["-c", write])
        .args(&files)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut said = BufReader::new(writer.stdout.take().expect("its pipe"));
    let mut wait = || assert_eq!(said.read_line(&mut String::new()).expect("it says so"), 1);
    wait();
    assert_eq!(looks(&mut set, &mut alone, false), (vec![], None), "the same bytes");
    writer.stdin.as_mut().expect("its pipe").write_all(b"\n").expect("it waits");
    wait();
    assert_eq!(looks(&mut set, &mut alone, false), (vec![], None), "tmpfs does not date it");
    let found = (vec![(0, Loss::Changed)], Some(Loss::Changed));
    assert_eq!(looks(&mut set, &mut alone, true), found);
    set.publish(&members).expect("put back");
    alone.publish(&"one".into(), &attributes).expect("put back");
    assert_eq!(looks(&mut set, &mut alone, true), (vec![], None));
    assert_eq!(fs::read(&path).expect("there"), b"one");
    drop(writer.stdin.take());
    assert!(writer.wait().expect("it ends").success());
}

#[test]
fn a_change_in_the_tick_of_the_publish_is_found_by_the_next_look() {
    let dir = Workspace::new();
    let members = [member("a", "one")];
    let mut set = open(dir.path());
    set.publish(&members).expect("published");
    let path = dir.join("..data/a");
    let times = fs::metadata(&path).expect("there").modified().expect("a time");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
    fs::write(&path, "eno").expect("written");
    fs::File::options().write(true).open(&path).expect("opened").set_modified(times).expect("set");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("ours");
    assert_eq!(set.inspect(&members, later(false)), Ok(vec![(0, Loss::Changed)]));
}

#[test]
fn the_last_good_bytes_of_a_member_without_a_rendering_come_back_with_the_link() {
    let dir = Workspace::new();
    open(dir.path()).publish(&[member("a", "one"), member("b", "two")]).expect("published");
    let mut set = open(dir.path());
    let members = [member("a", "one"), kept("b")];
    assert_eq!(set.publish(&members).expect("nothing to do").generation, 1);
    fs::remove_file(dir.join("..data")).expect("removed");
    assert_eq!(set.inspect(&members, later(false)), Ok(vec![(0, Loss::Gone), (1, Loss::Gone)]));
    let published = set.publish(&members).expect("put back");
    assert_eq!((published.generation, published.changed), (1, vec![]), "the very same generation");
    assert_eq!(read(dir.path(), "b").as_deref(), Some("two"));
}

#[test]
fn generations_count_on_where_all_of_them_are_gone() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    for bytes in ["1", "2", "3"] {
        set.publish(&[member("a", bytes)]).expect("published");
    }
    for name in names(dir.path()) {
        let path = dir.join(&name);
        let kind = fs::symlink_metadata(&path).expect("there");
        if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
    }
    assert_eq!(set.publish(&[member("a", "3")]).expect("put back").generation, 4);
}

#[test]
fn a_single_file_is_looked_at_as_well() {
    let dir = Workspace::new();
    let path = dir.join("sub/a");
    let bytes = Secret::from("one");
    let mut file = SingleFile::open(&path, 0o750, false).expect("opened");
    file.publish(&bytes, &PLAIN).expect("published");
    let before = fs::metadata(&path).expect("there").ino();
    assert_eq!(file.inspect(Some(&bytes), &PLAIN, later(false)), Ok(None));
    assert_eq!(file.inspect(Some(&bytes), &PLAIN, later(false)), Ok(None));
    fs::rename(&path, dir.join("sub/old")).expect("moved");
    fs::write(&path, "eno").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("ours");
    assert_eq!(file.inspect(Some(&bytes), &PLAIN, later(false)), Ok(Some(Loss::Changed)));
    assert_eq!(file.inspect(None, &PLAIN, later(false)), Ok(None), "any bytes will do");
    file.publish(&bytes, &PLAIN).expect("put back");
    fs::remove_dir_all(dir.join("sub")).expect("removed");
    assert_eq!(file.inspect(Some(&bytes), &PLAIN, later(false)), Ok(Some(Loss::Gone)));
    file.publish(&bytes, &PLAIN).expect("put back");
    assert_eq!(fs::read(&path).expect("there"), b"one");
    assert_ne!(fs::metadata(&path).expect("there").ino(), before);
}

#[test]
fn a_folder_in_place_of_the_first_that_we_may_not_write_is_named_as_such() {
    if crate::publish::scene::is_root() {
        // Root may write everywhere: the sandbox's own test has this for root.
        return;
    }
    let dir = Workspace::new();
    let root = dir.join("secrets");
    fs::create_dir(&root).expect("made");
    let members = [member("a", "one")];
    let mut set = open(&root);
    set.publish(&members).expect("published");
    fs::rename(&root, dir.join("old")).expect("moved");
    fs::create_dir(&root).expect("made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).expect("ours");
    let problem = set.publish(&members).expect_err("refused").problem;
    assert_eq!(problem, Problem::Replaced);
    assert_eq!(set.inspect(&members, later(false)), Ok(vec![(0, Loss::Gone)]));
}
