//! A file published alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use leasehold::exit::{Cause, Ending};
use leasehold::publish::{Attributes, Problem, SingleFile};
use leasehold::secret::Secret;

use crate::publish::fixture::{PLAIN, census, mode, names, temporary_name};
use crate::support::{Workspace, need};

fn open(path: &Path) -> SingleFile {
    SingleFile::open(path, 0o750, true).expect("a folder on tmpfs")
}

#[test]
fn a_single_file_is_replaced_whole_and_only_where_it_differs() {
    let dir = Workspace::new();
    let path = dir.join("tls.pem");
    let mut file = open(&path);
    assert!(!file.exists().expect("readable"));
    let first = file.publish(&"one".into(), &PLAIN).expect("published");
    assert_eq!((first.generation, first.changed), (1, vec![0]));
    let before = census(dir.path());
    let again = file.publish(&"one".into(), &PLAIN).expect("published");
    assert_eq!((again.generation, again.changed), (1, vec![]));
    assert_eq!(census(dir.path()), before);
    let second = file.publish(&"two".into(), &PLAIN).expect("published");
    assert_eq!((second.generation, second.changed), (2, vec![0]));
    assert_eq!(fs::read(&path).expect("there"), b"two");
    assert_eq!(names(dir.path()), ["tls.pem"]);
}

#[test]
fn a_restart_writes_nothing_where_nothing_differs_and_mends_what_does() {
    let dir = Workspace::new();
    let path = dir.join("a");
    open(&path).publish(&"one".into(), &PLAIN).expect("published");
    let before = census(dir.path());
    let mut file = open(&path);
    assert!(file.exists().expect("readable"));
    let again = file.publish(&"one".into(), &PLAIN).expect("published");
    assert_eq!((again.generation, again.changed), (1, vec![]));
    assert_eq!(census(dir.path()), before);
    let stricter = Attributes { mode: 0o400, ..PLAIN };
    assert_eq!(file.publish(&"one".into(), &stricter).expect("published").changed, [0]);
    assert_eq!(mode(&path), 0o400);
}

#[test]
fn bytes_of_any_length_are_compared_to_the_last() {
    let dir = Workspace::new();
    let mut file = open(&dir.join("a"));
    let mut bytes = vec![b'x'; 8192 * 2];
    for length in [0, 1, 8191, 8192, 8193, 8192 * 2] {
        let secret = Secret::from(bytes[..length].to_vec());
        assert_eq!(file.publish(&secret, &PLAIN).expect("published").changed, [0], "{length}");
        assert!(file.publish(&secret, &PLAIN).expect("published").changed.is_empty(), "{length}");
    }
    *bytes.last_mut().expect("not empty") = b'y';
    assert_eq!(file.publish(&bytes.into(), &PLAIN).expect("published").changed, [0]);
}

#[test]
fn missing_folders_are_made_with_the_folder_mode() {
    let dir = Workspace::new();
    let path = dir.join("a/b/c.pem");
    open(&path).publish(&"x".into(), &PLAIN).expect("published");
    assert_eq!((mode(&dir.join("a")), mode(&dir.join("a/b")), mode(&path)), (0o750, 0o750, 0o440));
}

#[test]
fn a_crashed_publish_leaves_nothing_after_the_next_start() {
    let dir = Workspace::new();
    let path = dir.join("a");
    open(&path).publish(&"old".into(), &PLAIN).expect("published");
    let temporary = temporary_name(dir.path(), &mut open(&path));
    fs::write(dir.join(&temporary), "half of the ca").expect("written");
    open(&path);
    assert_eq!(names(dir.path()), ["a"]);
    assert_eq!(fs::read(&path).expect("there"), b"first");
}

#[test]
fn a_folder_that_is_not_in_memory_is_refused_before_anything_is_made() {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build folder");
    let on_tmpfs = SingleFile::open(&disk.path().join("probe"), 0o750, true).is_ok();
    if !need("a build folder that is not on tmpfs", "build elsewhere", !on_tmpfs) {
        return;
    }
    let error = SingleFile::open(&disk.path().join("new/a"), 0o750, true).expect_err("a disk");
    assert_eq!((error.problem, error.path.clone()), (Problem::NotMemory, disk.path().join("new")));
    let error = SingleFile::open(&disk.path().join("a"), 0o750, true).expect_err("a disk");
    assert_eq!(error.problem, Problem::NotMemory);
    let ending = Ending::from(error);
    assert_eq!(ending.cause, Cause::Destination);
    assert!(ending.to_string().contains("require_tmpfs: false"), "{ending}");
    assert!(names(disk.path()).is_empty());
    let mut file = SingleFile::open(&disk.path().join("new/a"), 0o750, false).expect("allowed");
    file.publish(&"x".into(), &PLAIN).expect("published");
    assert_eq!(fs::metadata(disk.path().join("new/a")).expect("there").size(), 1);
}

#[test]
fn a_file_that_another_process_writes_at_this_moment_is_left_to_it() {
    let dir = Workspace::new();
    let path = dir.join("a");
    let mut file = open(&path);
    let temporary = dir.join(temporary_name(dir.path(), &mut file));
    fs::write(&temporary, "theirs").expect("written");
    let theirs = fs::File::open(&temporary).expect("there");
    theirs.lock().expect("free");
    let error = file.publish(&"second".into(), &PLAIN).expect_err("busy");
    assert_eq!((error.path.as_path(), error.problem), (temporary.as_path(), Problem::Busy));
    open(&path);
    assert_eq!(names(dir.path()).len(), 2, "a start does not sweep it away either");
    drop(theirs);
    file.publish(&"second".into(), &PLAIN).expect("published");
    assert_eq!(names(dir.path()), ["a"]);
}
