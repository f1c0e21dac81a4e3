//! `leasehold install`: the program copied where another container runs it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use crate::support::{Leasehold, Workspace};

#[test]
fn the_copy_is_the_program_and_runs_and_a_second_one_changes_nothing() {
    let space = Workspace::new();
    let folder = space.dir("bin");
    let leasehold = Leasehold::new(&space);
    leasehold.run(&["install", &folder.to_string_lossy()]).expect_code(0);
    let copy = folder.join("leasehold");
    let meta = fs::metadata(&copy).expect("it is there");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o555);
    let version = Command::new(&copy).arg("--version").output().expect("it runs");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("leasehold "));
    leasehold.run(&["install", &copy.to_string_lossy()]).expect_code(0);
    assert_eq!(fs::metadata(&copy).expect("it is there").ino(), meta.ino(), "the same file");
    // Nothing beside it.
    assert_eq!(fs::read_dir(&folder).expect("it can be listed").count(), 1);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let space = Workspace::new();
    space.file("file", "");
    let ended = Leasehold::new(&space).run(&["install", &space.join("file/leasehold").to_string_lossy()]);
    let ended = ended.expect_code(73);
    assert!(ended.last_line().contains("/file"), "{}", ended.last_line());
}
