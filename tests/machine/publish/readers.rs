//! Readers while the set changes under them: never two generations, never half a file.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags};

use crate::publish::fixture::{member, open};
use crate::support::Workspace;

/// Ten thousand generations, and more where the readers have not seen enough by then.
const PUBLISHES: u64 = 10_000;
const PAIRS: u64 = 1_000;
/// Beyond this the readers are stuck, not slow.
const AT_MOST: u64 = 2_000_000;

/// What a file of a generation holds: its number, often enough to need several reads.
fn content(number: u64) -> String {
    format!("{number}\n").repeat(500)
}

/// The number in a file that holds nothing else.
fn number(text: &str) -> u64 {
    let number = text.lines().next().expect("a published file is never empty").parse().expect("a number");
    assert!(text == content(number), "a torn file: {} bytes that begin with {number}", text.len());
    number
}

fn openat(dir: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> Option<OwnedFd> {
    rustix::fs::openat(dir, path.as_ref(), flags | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn text(dir: impl AsFd, path: &str) -> Option<String> {
    let mut text = String::new();
    fs::File::from(openat(dir, path, OFlags::RDONLY)?).read_to_string(&mut text).expect("read");
    Some(text)
}

/// Through the folder that `..data` leads to, held open.
fn by_held_folder(root: &Path) -> Option<(u64, u64)> {
    let data = openat(CWD, root.join("..data"), OFlags::DIRECTORY)?;
    Some((number(&text(&data, "a")?), number(&text(&data, "tls/b")?)))
}

/// By paths, `..data` having been resolved once.
fn by_resolved_path(root: &Path) -> Option<(u64, u64)> {
    let data = root.join(fs::read_link(root.join("..data")).ok()?);
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    Some((number(&read(data.join("a"))?), number(&read(data.join("tls/b"))?)))
}

/// By the visible name alone: one file that is always there and always whole.
fn by_visible_name(root: &Path) -> Option<(u64, u64)> {
    // The folder can go between the two steps of one opening; the kernel then says ENOENT.
    let number = number(&fs::read_to_string(root.join("tls/b")).ok()?);
    Some((number, number))
}

#[test]
fn no_reader_ever_sees_two_generations_or_half_a_file() {
    let dir = Workspace::new();
    let mut set = open(dir.path());
    let mut publish = |number| {
        let members = [member("a", &content(number)), member("tls/b", &content(number))];
        assert_eq!(set.publish(&members).expect("published").generation, number);
    };
    publish(1);
    let stop = Arc::new(AtomicBool::new(false));
    let how = [by_held_folder, by_resolved_path, by_visible_name, by_held_folder];
    let readers = how.map(|read| {
        let (root, stop, seen) = (dir.path().to_owned(), Arc::clone(&stop), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut last = 0;
            while !stop.load(Ordering::Relaxed) {
                // Four that spin would leave the publisher no time on a small machine.
                thread::yield_now();
                // None: the generation went away between two openings, as it does under kubelet.
                let Some((first, second)) = read(&root) else { continue };
                assert_eq!(first, second, "two generations at once");
                assert!(first >= last, "back from {last} to {first}");
                last = first;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        (reader, seen)
    });
    let satisfied =
        || readers.iter().all(|(reader, seen)| reader.is_finished() || seen.load(Ordering::Relaxed) >= PAIRS);
    for number in 2.. {
        publish(number);
        assert!(number < AT_MOST, "the readers see nothing");
        if number >= PUBLISHES && satisfied() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for (reader, _) in readers {
        reader.join().expect("no reader saw anything wrong");
    }
}
