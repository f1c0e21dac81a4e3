//! Who may read: modes, owners, groups, and what happens without the right to give files away.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;

use leasehold::publish::{Attributes, Problem, SingleFile};

use crate::publish::fixture::{PLAIN, kept, member, mode, names, open, read};
use crate::publish::scene::{self, is_root};
use crate::support::{Workspace, have, need};

const NOBODY: u32 = 65534;
const FS_GROUP: u32 = 2000;

#[test]
fn generations_take_the_group_and_setgid_bit_of_an_fsgroup_volume() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    // What kubelet makes of an emptyDir with fsGroup: 2000.
    chown(dir.path(), Some(0), Some(FS_GROUP)).expect("root may");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2777)).expect("ours");
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("tls/b", "2")]).expect("published");
    for folder in ["..data", "tls"] {
        let meta = fs::metadata(dir.join(folder)).expect("there");
        assert_eq!((meta.gid(), meta.mode() & 0o7777), (FS_GROUP, 0o2750), "{folder}");
    }
    for file in ["a", "tls/b"] {
        let meta = fs::metadata(dir.join(file)).expect("there");
        assert_eq!((meta.gid(), meta.mode() & 0o7777), (FS_GROUP, 0o440), "{file}");
    }
    assert!(set.publish(&[member("a", "1"), member("tls/b", "2")]).expect("published").changed.is_empty());
}

#[test]
fn a_volume_of_another_group_gives_it_to_its_files_without_setgid_too() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    chown(dir.path(), Some(0), Some(FS_GROUP)).expect("root may");
    open(dir.path()).publish(&[member("tls/b", "2")]).expect("published");
    for name in ["..data", "tls", "tls/b"] {
        assert_eq!(fs::metadata(dir.join(name)).expect("there").gid(), FS_GROUP, "{name}");
    }
}

#[test]
fn owners_and_groups_are_set_and_a_change_of_them_is_a_change() {
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    let mut theirs = member("a", "1");
    theirs.attributes = Attributes { mode: 0o400, uid: Some(101), gid: Some(102) };
    let mut set = open(dir.path());
    set.publish(&[theirs.clone(), member("b", "2")]).expect("published");
    let meta = fs::metadata(dir.join("a")).expect("there");
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (101, 102, 0o400));
    assert!(set.publish(&[theirs.clone(), member("b", "2")]).expect("published").changed.is_empty());
    theirs.attributes.gid = Some(103);
    assert_eq!(set.publish(&[theirs, member("b", "2")]).expect("published").changed, [0]);

    let path = dir.join("alone/c");
    let mut file = SingleFile::open(&path, 0o750, true).expect("opened");
    file.publish(&"3".into(), &Attributes { mode: 0o400, uid: Some(101), gid: None }).expect("published");
    assert_eq!(fs::metadata(&path).expect("there").uid(), 101);
}

#[test]
fn without_cap_chown_an_owner_is_refused_with_a_hint_and_nothing_is_published() {
    const TEST: &str = "owners::without_cap_chown_an_owner_is_refused_with_a_hint_and_nothing_is_published";
    if let Some(folder) = scene::folder() {
        let mut theirs = member("b", "new");
        theirs.attributes.uid = Some(0);
        let mut set = open(&folder);
        set.publish(&[member("a", "old")]).expect("published");
        let error = set.publish(&[member("a", "new"), theirs]).expect_err("not permitted");
        assert_eq!(error.problem, Problem::Owner);
        assert!(error.hint().contains("CAP_CHOWN"));
        assert_eq!(names(&folder), ["..data", "..leasehold_1", "a"]);
        assert_eq!(read(&folder, "a").as_deref(), Some("old"));

        let mut file = SingleFile::open(&folder.join("alone/c"), 0o750, true).expect("opened");
        let error =
            file.publish(&"x".into(), &Attributes { uid: Some(0), ..PLAIN }).expect_err("not permitted");
        assert_eq!(error.problem, Problem::Owner);
        assert!(names(&folder.join("alone")).is_empty());
        return;
    }
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    let volume = dir.dir("volume");
    chown(&volume, Some(NOBODY), Some(NOBODY)).expect("root may");
    let binary = scene::binary_for_everybody(dir.path());
    let mut command = scene::command(&[], &binary, TEST, &volume);
    command.uid(NOBODY).gid(NOBODY);
    scene::play(command);
}

#[test]
fn a_folder_that_we_may_not_write_is_named_with_what_to_do() {
    const TEST: &str = "owners::a_folder_that_we_may_not_write_is_named_with_what_to_do";
    if let Some(folder) = scene::folder() {
        let error = open(&folder).publish(&[member("a", "x")]).expect_err("read-only to us");
        assert_eq!((error.problem, error.path.clone()), (Problem::Denied, folder.join("..leasehold_1")));
        let error = SingleFile::open(&folder.join("a"), 0o750, true)
            .and_then(|mut file| file.publish(&"x".into(), &PLAIN))
            .expect_err("read-only to us");
        assert_eq!(error.problem, Problem::Denied);
        assert!(error.hint().contains("let that uid write the folder"));
        return;
    }
    if !need("root", "run the tests as root", is_root()) {
        return;
    }
    let dir = Workspace::new();
    let volume = dir.dir("volume");
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o755)).expect("ours");
    let binary = scene::binary_for_everybody(dir.path());
    let mut command = scene::command(&[], &binary, TEST, &volume);
    command.uid(NOBODY).gid(NOBODY);
    scene::play(command);
}

/// As under `capabilities: {drop: [ALL], add: [CHOWN]}`: root may give a file away, but then
/// neither read it nor change its mode.
#[test]
fn with_cap_chown_alone_files_that_were_given_away_are_compared_and_kept() {
    const TEST: &str = "owners::with_cap_chown_alone_files_that_were_given_away_are_compared_and_kept";
    if let Some(folder) = scene::folder() {
        let mut theirs = member("a", "1");
        theirs.attributes = Attributes { mode: 0o400, uid: Some(101), gid: None };
        let mut set = open(&folder);
        set.publish(&[theirs.clone(), member("b", "2")]).expect("published");
        fs::read(folder.join("a")).expect_err("we cannot read it back");
        let again = set.publish(&[theirs.clone(), member("b", "2")]).expect("published");
        assert_eq!((again.generation, again.changed), (1, vec![]));
        let mut keep = kept("a");
        keep.attributes = theirs.attributes;
        assert_eq!(set.publish(&[keep.clone(), member("b", "3")]).expect("published").changed, [1]);
        assert_eq!(set.publish(&[keep.clone(), member("b", "4")]).expect("published").changed, [1]);
        assert_eq!(fs::metadata(folder.join("a")).expect("there").size(), 1);
        // After a restart nobody knows what is in it: keep the set as it is, and say why.
        let error = open(&folder).publish(&[keep, member("b", "5")]).expect_err("unreadable");
        assert_eq!(error.problem, Problem::Unreadable);
        assert_eq!(read(&folder, "b").as_deref(), Some("4"));
        return;
    }
    let able = is_root() && have("setpriv");
    if !need("root and setpriv", "run the tests as root with util-linux", able) {
        return;
    }
    let dir = Workspace::new();
    let before = ["setpriv", "--bounding-set=-all,+chown"].map(OsStr::new);
    scene::play(scene::command(&before, &scene::binary(), TEST, dir.path()));
}

#[test]
fn a_changed_folder_mode_takes_effect() {
    let dir = Workspace::new();
    open(dir.path()).publish(&[member("a", "1")]).expect("published");
    let mut set = leasehold::publish::Set::open(dir.path(), 0o700, true).expect("opened");
    let published = set.publish(&[member("a", "1")]).expect("published");
    assert_eq!((published.generation, published.changed), (2, vec![]));
    assert_eq!(mode(&dir.join("..data")), 0o700);
}

#[test]
fn a_folder_mode_without_write_for_ourselves_still_lets_us_clean_up() {
    const TEST: &str = "owners::a_folder_mode_without_write_for_ourselves_still_lets_us_clean_up";
    if let Some(folder) = scene::folder() {
        let mut set = leasehold::publish::Set::open(&folder, 0o550, true).expect("opened");
        for (round, bytes) in ["one", "two", "three"].iter().enumerate() {
            let published = set.publish(&[member("a", bytes), member("tls/b", bytes)]).expect("published");
            assert_eq!(published.aftermath, None);
            assert_eq!(names(&folder), ["..data", &format!("..leasehold_{}", round + 1), "a", "tls"]);
            assert_eq!((mode(&folder.join("..data")), mode(&folder.join("tls"))), (0o550, 0o550));
        }
        return;
    }
    let dir = Workspace::new();
    let volume = dir.dir("volume");
    let binary = scene::binary_for_everybody(dir.path());
    let mut command = scene::command(&[], &binary, TEST, &volume);
    if is_root() {
        // Root may write everywhere: somebody else has to try.
        chown(&volume, Some(NOBODY), Some(NOBODY)).expect("root may");
        command.uid(NOBODY).gid(NOBODY);
    }
    scene::play(command);
}
