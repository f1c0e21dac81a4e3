//! The set: layout, what causes a write, what is kept, what is swept.

use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::symlink;
use std::thread;

use leasehold::publish::Problem;
use rustix::fs::inotify;

use crate::publish::fixture::{census, kept, member, mode, names, open, read};
use crate::support::Workspace;

#[test]
fn the_layout_is_kubelets_with_one_link_for_each_first_component() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    let members = [member("db.env", "u"), member("tls/cert.pem", "c"), member("tls/sub/key.pem", "k")];
    let published = set.publish(&members).expect("published");
    assert_eq!((published.generation, published.changed), (1, vec![0, 1, 2]));
    assert_eq!(published.aftermath, None);
    assert_eq!(names(dir.path()), ["..data", "..leasehold_1", "db.env", "tls"]);
    assert_eq!(fs::read_link(dir.join("..data")).expect("a link").to_str(), Some("..leasehold_1"));
    assert_eq!(fs::read_link(dir.join("tls")).expect("a link").to_str(), Some("..data/tls"));
    assert_eq!(read(dir.path(), "tls/sub/key.pem").as_deref(), Some("k"));
    assert_eq!(mode(&dir.join("db.env")), 0o440);
    for folder in ["..data", "tls", "tls/sub"] {
        assert_eq!(mode(&dir.join(folder)), 0o750, "{folder}");
    }
}

#[test]
fn nothing_is_written_where_nothing_differs_also_after_a_restart() {
    let dir = Workspace::new();
    let members = [member("a", "1"), member("b/c", "2")];
    open(dir.path()).publish(&members).expect("published");
    let before = census(dir.path());
    let mut set = open(dir.path());
    let again = set.publish(&members).expect("published");
    assert_eq!((again.generation, again.changed), (1, vec![]));
    assert_eq!(census(dir.path()), before);
}

#[test]
fn only_members_that_differ_are_named_and_the_old_generation_goes() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("b", "2"), member("c", "3")]).expect("published");
    let mut stricter = member("c", "3");
    stricter.attributes.mode = 0o400;
    let second = set.publish(&[member("a", "1"), member("b", "two"), stricter]).expect("published");
    assert_eq!((second.generation, second.changed), (2, vec![1, 2]));
    assert_eq!(names(dir.path()), ["..data", "..leasehold_2", "a", "b", "c"]);
    assert_eq!((read(dir.path(), "b").as_deref(), mode(&dir.join("c"))), (Some("two"), 0o400));
}

#[test]
fn a_member_that_cannot_be_rendered_now_keeps_its_last_good_bytes() {
    let dir = Workspace::new();
    open(dir.path()).publish(&[member("a/x", "1"), member("b", "2")]).expect("published");
    let mut set = open(dir.path());
    assert_eq!(set.existing().expect("readable"), ["a/x".as_ref(), "b".as_ref()] as [&std::path::Path; 2]);
    let published = set.publish(&[kept("a/x"), member("b", "3"), kept("never")]).expect("published");
    assert_eq!(published.changed, [1]);
    assert_eq!(read(dir.path(), "a/x").as_deref(), Some("1"));
    assert_eq!(read(dir.path(), "b").as_deref(), Some("3"));
    assert_eq!(names(dir.path()), ["..data", "..leasehold_2", "a", "b"]);
}

#[test]
fn members_that_are_gone_disappear_with_their_links() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("tls/b", "2")]).expect("published");
    let published = set.publish(&[member("a", "1")]).expect("published");
    assert_eq!((published.generation, published.changed), (2, vec![]));
    assert_eq!(names(dir.path()), ["..data", "..leasehold_2", "a"]);
}

#[test]
fn what_a_crash_left_is_swept_at_the_next_start_and_what_is_not_ours_stays() {
    let dir = Workspace::new();
    open(dir.path()).publish(&[member("a", "1")]).expect("published");
    dir.dir("..leasehold_7/deep/er");
    dir.file("..leasehold_7/deep/secret", "canary");
    dir.file("..leasehold_00ff.tmp", "canary");
    symlink("..leasehold_7", dir.join("..leasehold_7.link")).expect("linked");
    symlink("..data/half", dir.join("half")).expect("linked");
    symlink("elsewhere", dir.join("theirs")).expect("linked");
    dir.file("..2026_01_01", "theirs");
    open(dir.path());
    assert_eq!(names(dir.path()), ["..2026_01_01", "..data", "..leasehold_1", "a", "theirs"]);
    assert_eq!(read(dir.path(), "a").as_deref(), Some("1"));
}

#[test]
fn visible_links_that_somebody_changed_are_mended_without_a_new_generation() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("b", "2")]).expect("published");
    fs::remove_file(dir.join("a")).expect("removed");
    fs::remove_file(dir.join("b")).expect("removed");
    symlink("/etc/passwd", dir.join("b")).expect("linked");
    assert_eq!(set.publish(&[member("a", "1"), member("b", "2")]).expect("published").generation, 1);
    assert_eq!((read(dir.path(), "a"), read(dir.path(), "b")), (Some("1".into()), Some("2".into())));
}

#[test]
fn a_watcher_of_the_folder_sees_the_swap_of_the_link_once_and_after_it_only_removals() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1"), member("b", "1")]).expect("published");
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
    inotify::add_watch(&watch, dir.path(), inotify::WatchFlags::ALL_EVENTS).expect("watched");
    let events = || {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        let mut seen = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            seen.push((event.events() - inotify::ReadFlags::ISDIR, name));
        }
        seen
    };
    set.publish(&[member("a", "2"), member("b", "2")]).expect("published");
    let seen = events();
    let swap = (inotify::ReadFlags::MOVED_TO, "..data".to_owned());
    let swaps: Vec<_> = (0..seen.len()).filter(|index| seen[*index] == swap).collect();
    assert_eq!(swaps.len(), 1, "{seen:?}");
    let made = |(events, _): &(inotify::ReadFlags, String)| {
        events.intersects(inotify::ReadFlags::CREATE | inotify::ReadFlags::MOVED_TO)
    };
    assert!(!seen[swaps[0] + 1..].iter().any(made), "{seen:?}");
    set.publish(&[member("a", "2"), member("b", "2")]).expect("published");
    let changes = inotify::ReadFlags::ACCESS | inotify::ReadFlags::OPEN | inotify::ReadFlags::CLOSE_NOWRITE;
    assert!(events().iter().all(|(events, _)| changes.contains(*events)), "nothing but looking");
}

#[test]
fn a_reader_that_locks_a_generation_does_not_keep_it_there() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    set.publish(&[member("a", "1")]).expect("published");
    let held = fs::File::open(dir.join("..data")).expect("readable");
    held.lock().expect("free");
    let published = set.publish(&[member("a", "2")]).expect("published");
    assert_eq!(published.aftermath, None);
    assert_eq!(names(dir.path()), ["..data", "..leasehold_2", "a"]);
}

#[test]
fn names_that_could_mean_something_else_are_refused_before_anything_is_written() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    for path in ["../a", "/a", "..data", "..leasehold_1/a", "a/../../b", "a\nb", ""] {
        let error = set.publish(&[member("good", "x"), member(path, "x")]).expect_err(path);
        assert!(matches!(error.problem, Problem::Name(_)), "{path:?}: {error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    assert!(names(dir.path()).is_empty());
}

#[test]
fn publishers_at_once_leave_a_whole_generation_of_one_of_them() {
    let dir = Workspace::new();
    open(dir.path()).publish(&[member("a", "0"), member("tls/b", "0")]).expect("published");
    let publish = |who: u32| {
        let mut set = open(dir.path());
        let mut done = 0;
        for round in 0..400 {
            let bytes = format!("{who} {round}");
            done += u32::from(set.publish(&[member("a", &bytes), member("tls/b", &bytes)]).is_ok());
            // What the link leads to may go only after the link leads elsewhere.
            let current = || fs::read_link(dir.join("..data")).expect("always there");
            let target = current();
            let there = dir.join(&target).join("tls/b").exists();
            assert!(there || current() != target, "{target:?} was removed while it was current");
        }
        done
    };
    let done: u32 = thread::scope(|scope| {
        let publishers = [1, 2, 3].map(|who| scope.spawn(move || publish(who)));
        publishers.into_iter().map(|publisher| publisher.join().expect("no publisher failed")).sum()
    });
    assert!(done > 0, "none of them ever published");
    assert_eq!(read(dir.path(), "a"), read(dir.path(), "tls/b"));
    open(dir.path());
    assert_eq!(names(dir.path()).len(), 4, "{:?}", names(dir.path()));
}
