//! What has not changed goes on: the new generation has the same file, unless another process may have had a hand in it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use leasehold::publish::{Attributes, Look, Member, Set};

use crate::publish::fixture::{PLAIN, kept, member, open, read};
use crate::support::Workspace;

fn inode(folder: &Path, name: &str) -> u64 {
    fs::metadata(folder.join(name)).expect("there").ino()
}

/// A look when the tick of the file system is over.
fn look(set: &mut Set, members: &[Member]) {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let wall = i64::try_from(since.as_secs()).expect("small") + 10;
    assert_eq!(set.inspect(members, Look { wall, thorough: false }), Ok(vec![]));
}

#[test]
fn only_the_file_that_changes_is_another_one_afterwards() {
    let dir = Workspace::new();
    let names: Vec<String> = (0..300).map(|number| format!("{}/{number}", number % 7)).collect();
    let members = |last: &str| -> Vec<Member> {
        let all = names.iter().enumerate();
        all.map(|(index, name)| member(name, if index == 150 { last } else { "same" })).collect()
    };
    let mut set = open(dir.path());
    set.publish(&members("old")).expect("published");
    for (round, looked) in [false, true, true].into_iter().enumerate() {
        if looked {
            look(&mut set, &members(&format!("new-{}", round - 1)));
        }
        let before: Vec<u64> = names.iter().map(|name| inode(dir.path(), name)).collect();
        let published = set.publish(&members(&format!("new-{round}"))).expect("published");
        assert_eq!((published.changed, published.aftermath), (vec![150], None));
        let others = names.iter().zip(before).filter(|(name, before)| inode(dir.path(), name) != *before);
        assert_eq!(others.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [&*names[150]]);
        let links = |name: &String| fs::metadata(dir.join(name)).expect("there").nlink();
        assert!(names.iter().all(|name| links(name) == 1), "the old generation is gone");
    }
    let next = open(dir.path()).publish(&members("new-2")).expect("the next run");
    assert!(next.changed.is_empty());
}

#[test]
fn a_member_that_is_kept_goes_on_as_the_file_that_is_there() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("b", "good")]).expect("published");
    let before = inode(dir.path(), "b");
    set.publish(&[member("a", "2"), kept("b")]).expect("published");
    assert_eq!((inode(dir.path(), "b"), read(dir.path(), "b").as_deref()), (before, Some("good")));
}

#[test]
fn a_file_that_others_may_write_to_is_another_one_in_each_generation() {
    let dir = Workspace::new();
    let shared = Member { attributes: Attributes { mode: 0o660, ..PLAIN }, ..member("b", "same") };
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), shared.clone()]).expect("published");
    let before = fs::File::options().append(true).open(dir.join("b")).expect("another process's descriptor");
    set.publish(&[member("a", "2"), shared]).expect("published");
    assert_ne!(before.metadata().expect("open").ino(), inode(dir.path(), "b"));
}

#[test]
fn a_file_that_another_process_changed_or_replaced_does_not_go_on() {
    type Change = fn(&Path);
    let rewrite = |path: &Path| {
        let mode = fs::metadata(path).expect("there").permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
        fs::write(path, "evil").expect("ours");
        fs::set_permissions(path, mode).expect("ours");
    };
    let changes: [Change; 5] = [
        rewrite,
        |path| {
            // Of the same length, and dated back.
            let before = fs::metadata(path).expect("there");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
            fs::write(path, "evil").expect("ours");
            let file = fs::File::options().write(true).open(path).expect("ours");
            file.set_modified(before.modified().expect("a time")).expect("dated back");
            fs::set_permissions(path, before.permissions()).expect("ours");
        },
        |path| {
            fs::write(path.with_extension("new"), "evil").expect("ours");
            fs::rename(path.with_extension("new"), path).expect("replaced");
        },
        |path| {
            fs::remove_file(path).expect("ours");
            symlink("/etc/hostname", path).expect("linked");
        },
        |path| fs::hard_link(path, path.with_extension("second")).expect("a second name"),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let dir = Workspace::new();
        let mut set = open(dir.path());
        let members = |first: &str| [member("a", first), member("b", "good")];
        set.publish(&members("1")).expect("published");
        look(&mut set, &members("1"));
        let path = fs::canonicalize(dir.join("b")).expect("there");
        let before = inode(dir.path(), "b");
        change(&path);
        set.publish(&members("2")).expect("published");
        assert_eq!(read(dir.path(), "b").as_deref(), Some("good"), "{index}: the right bytes are back");
        let after = fs::symlink_metadata(fs::canonicalize(dir.join("b")).expect("there")).expect("there");
        assert!(after.is_file() && after.ino() != before && after.nlink() == 1, "{index}: by another file");
    }
}

#[test]
fn a_file_that_keeps_its_bytes_keeps_its_time() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("b", "same")]).expect("published");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let file = fs::File::open(dir.join("b")).expect("there");
    file.set_modified(long_ago).expect("ours");
    set.publish(&[member("a", "2"), member("b", "same")]).expect("published");
    assert_eq!(fs::metadata(dir.join("b")).expect("there").modified().expect("a time"), long_ago);
}
