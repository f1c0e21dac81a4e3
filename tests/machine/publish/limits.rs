//! A volume that is full, or mounted in a way that no rename can serve.

use std::fs;
use std::path::Path;

use leasehold::publish::{Member, Problem, SingleFile};

use crate::publish::fixture::{PLAIN, census, member, open, read};
use crate::publish::scene;
use crate::support::{Workspace, need};
use leasehold_testkit::evidence;

fn old() -> Vec<Member> {
    vec![
        member("a", &"old".repeat(2000)),
        member("tls/b", "old"),
        member("same", "same"),
        member("tls/same", "same"),
    ]
}

fn new() -> Vec<Member> {
    // Two of them go on as the files that are there: for those, too, there must be room for a second name.
    vec![
        member("same", "same"),
        member("a", &"new".repeat(2000)),
        member("tls/b", "new"),
        member("c/d/e", "new"),
        member("tls/same", "same"),
    ]
}

/// Publishes with less and less room until nothing fits: each time all or nothing.
fn squeeze(volume: &Path, mut take: impl FnMut(usize) -> bool) {
    let (mut refused, mut done) = (0, 0);
    for step in 0.. {
        let mut set = open(volume);
        set.publish(&old()).expect("room for two generations was left");
        if !take(step) {
            break;
        }
        let before = census(volume);
        match set.publish(&new()) {
            Ok(_) => {
                done += 1;
                assert_eq!(read(volume, "c/d/e").as_deref(), Some("new"));
                // Back to the old by way of the disk: what is taken stays taken.
                give(volume);
                set.publish(&old()).expect("as much room as before");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.problem, Problem::Full, "{error}");
                assert!(error.hint().contains("what changes is there twice for a moment"));
                assert_eq!(census(volume), before, "step {step}: the old set is intact, nothing new is left");
                let mut file = SingleFile::open(&volume.join("alone"), 0o750, true).expect("opened");
                let error = file.publish(&"x".repeat(1 << 20).into(), &PLAIN).expect_err("no room");
                assert_eq!(error.problem, Problem::Full);
                assert_eq!(census(volume), before, "step {step}: nor of a single file");
                give(volume);
            }
        }
    }
    assert!(refused > 2 && done > 0, "refused {refused}, done {done}");
}

/// Gives back what was taken.
fn give(volume: &Path) {
    let filler = volume.parent().expect("a mount above").join("filler");
    fs::remove_dir_all(&filler).expect("it was made");
    fs::create_dir(&filler).expect("made anew");
}

#[test]
fn a_full_tmpfs_keeps_the_old_set_wherever_the_room_ends() {
    const TEST: &str = "limits::a_full_tmpfs_keeps_the_old_set_wherever_the_room_ends";
    if let Some(folder) = scene::folder() {
        let (volume, filler) = (folder.join("full/volume"), folder.join("full/filler"));
        fs::create_dir_all(&filler).expect("made");
        let blocks = (96 << 10) / 4096;
        squeeze(&volume, |step| {
            let bytes = vec![0; step * 4096];
            step < blocks && fs::write(filler.join("block"), bytes).is_ok()
        });
        return;
    }
    let fault = evidence!(25, Machine);
    if !need("mounts of its own", "run the tests as root, or allow user namespaces", scene::can_mount()) {
        return;
    }
    let dir = Workspace::new();
    dir.dir("full");
    scene::play(scene::mounted("mount -t tmpfs -o size=96k,mode=755 tmpfs full", TEST, dir.path()));
    fault.holds("the old set stays whole, block by block less room");
}

#[test]
fn a_tmpfs_without_inodes_keeps_the_old_set_wherever_they_end() {
    const TEST: &str = "limits::a_tmpfs_without_inodes_keeps_the_old_set_wherever_they_end";
    if let Some(folder) = scene::folder() {
        let (volume, filler) = (folder.join("full/volume"), folder.join("full/filler"));
        fs::create_dir_all(&filler).expect("made");
        squeeze(&volume, |step| {
            (0..step).all(|file| fs::File::create(filler.join(file.to_string())).is_ok())
        });
        return;
    }
    if !need("mounts of its own", "run the tests as root, or allow user namespaces", scene::can_mount()) {
        return;
    }
    let dir = Workspace::new();
    dir.dir("full");
    scene::play(scene::mounted(
        "mount -t tmpfs -o nr_inodes=32,size=512k,mode=755 tmpfs full",
        TEST,
        dir.path(),
    ));
}

#[test]
fn a_single_file_that_is_a_mount_point_is_refused_with_the_reason() {
    const TEST: &str = "limits::a_single_file_that_is_a_mount_point_is_refused_with_the_reason";
    if let Some(folder) = scene::folder() {
        let before = census(&folder);
        let error = SingleFile::open(&folder.join("mounted"), 0o750, true).expect_err("a mount point");
        assert_eq!(error.problem, Problem::MountPoint);
        assert_eq!(error.hint(), "mount the folder instead of the single file");
        assert_eq!(census(&folder), before);
        return;
    }
    if !need("mounts of its own", "run the tests as root, or allow user namespaces", scene::can_mount()) {
        return;
    }
    let dir = Workspace::new();
    dir.file("source", "theirs");
    dir.file("mounted", "");
    scene::play(scene::mounted("mount --bind source mounted", TEST, dir.path()));
}

#[test]
fn a_read_only_volume_is_refused_with_what_to_do() {
    const TEST: &str = "limits::a_read_only_volume_is_refused_with_what_to_do";
    if let Some(folder) = scene::folder() {
        let error = open(&folder.join("volume")).publish(&old()).expect_err("read-only");
        assert_eq!(error.problem, Problem::ReadOnly);
        return;
    }
    if !need("mounts of its own", "run the tests as root, or allow user namespaces", scene::can_mount()) {
        return;
    }
    let dir = Workspace::new();
    dir.dir("volume");
    scene::play(scene::mounted("mount -t tmpfs -o ro tmpfs volume", TEST, dir.path()));
}

/// A change needs room for what changes, and not for the whole set once more.
#[test]
fn a_set_that_fills_its_tmpfs_can_still_change_in_part() {
    const TEST: &str = "limits::a_set_that_fills_its_tmpfs_can_still_change_in_part";
    if let Some(folder) = scene::folder() {
        let volume = folder.join("full/volume");
        let large = || member("large", &"x".repeat(48 << 10));
        let mut set = open(&volume);
        set.publish(&[large(), member("small", "old")]).expect("there is room for one");
        set.publish(&[large(), member("small", "new")]).expect("there is room for what changes");
        assert_eq!(read(&volume, "small").as_deref(), Some("new"));
        assert_eq!(read(&volume, "large").map(|text| text.len()), Some(48 << 10));
        return;
    }
    if !need("mounts of its own", "run the tests as root, or allow user namespaces", scene::can_mount()) {
        return;
    }
    let dir = Workspace::new();
    dir.dir("full");
    scene::play(scene::mounted("mount -t tmpfs -o size=80k,mode=755 tmpfs full", TEST, dir.path()));
}
