//! kill -9 at every system call: a reader finds the old or the new, and the next start removes
//! what is left.
//!
//! strace first records which calls the publishing process makes, then runs it once for each of
//! those that can change something, killing it on entry to that call, and once more at the end.
//! So every state that a kill at any call can leave is seen; a call that only looks leaves the one
//! before it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use leasehold::handoff::{Binding, Handoff, Kept, Loaded};
use leasehold::publish::SingleFile;
use leasehold::secret::Secret;

use crate::publish::fixture::{PLAIN, census, kept, member, names, open, read};
use crate::publish::scene;
use crate::support::{Workspace, need};
use leasehold_testkit::evidence;

const BEGIN: &str = "/leasehold-scene-begin";
const END: &str = "/leasehold-scene-end";

/// Calls that change what is on the volume, or who holds a lock. `openat` where it creates.
const CHANGING: [&str; 13] = [
    "mkdirat",
    "symlinkat",
    "linkat",
    "write",
    "pwrite64",
    "ftruncate",
    "fchmod",
    "fchown",
    "fsync",
    "renameat",
    "unlinkat",
    "flock",
    "openat",
];

/// Does `act` between two calls that stand out in the record.
///
/// strace counts calls for each thread by itself and kills at the first that gets so far. So this
/// thread gets ahead of the test runner's first.
fn recorded(act: impl FnOnce()) {
    for _ in 0..100 {
        fs::write("/dev/null", "x").expect("it takes everything");
        fs::metadata("/dev/null").expect("it is there");
    }
    let _ = fs::metadata(BEGIN);
    act();
    let _ = fs::metadata(END);
}

/// One call to kill at: its name, and how often the thread makes it up to there.
type Moment = (String, usize);

/// The changing calls between the two marks, and the second mark.
fn record(test: &str, folder: &Path) -> Vec<Moment> {
    let logs = Workspace::new();
    let log = logs.join("log");
    let before = ["strace", "-ff", "-o"].map(OsStr::new);
    let before = [&before[..], &[log.as_os_str()]].concat();
    scene::play(scene::command(&before, &scene::binary(), test, folder));
    let threads = names(logs.path()).into_iter().map(|name| logs.read(&name).expect("readable"));
    let (acting, others): (Vec<_>, Vec<_>) = threads.partition(|log| log.contains(BEGIN));
    let (mut counts, mut moments, mut within) = (BTreeMap::<&str, usize>::new(), Vec::new(), false);
    for (name, arguments) in acting.iter().flat_map(|log| log.lines()).filter_map(|line| line.split_once('('))
    {
        let count = counts.entry(name).or_default();
        *count += 1;
        let end = within && arguments.contains(END);
        let changing = CHANGING.contains(&name) && (name != "openat" || arguments.contains("O_CREAT"));
        if end || within && changing {
            moments.push((name.to_owned(), *count));
        }
        within = within && !end || arguments.contains(BEGIN);
    }
    for (call, count) in &moments {
        let begins = |log: &String| log.lines().filter(|line| line.starts_with(&format!("{call}("))).count();
        assert!(others.iter().all(|log| begins(log) < *count), "another thread is ahead at {call} {count}");
    }
    moments
}

/// Runs `test` and kills it at `moment`.
fn kill_at((call, count): &Moment, test: &str, folder: &Path) {
    let trace = format!("trace={call}");
    let inject = format!("--inject={call}:signal=KILL:when={count}");
    let before = ["strace", "-f", "-e", &trace, &inject, "-o", "/dev/null"].map(OsStr::new);
    let output = scene::command(&before, &scene::binary(), test, folder).output().expect("strace starts");
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(128 + 9);
    assert!(killed, "{call} {count}: {output:?}");
}

/// For each call: `prepare`, kill there, and let `check` say whether the new is there.
fn at_every_call(test: &str, prepare: impl Fn(&Path), check: impl Fn(&Path, &str) -> bool) {
    if !need("strace", "apt-get install strace, and allow ptrace", scene::can_trace()) {
        return;
    }
    let dir = Workspace::new();
    let fresh = |name: String| {
        let folder = dir.dir(&name);
        prepare(&folder);
        folder
    };
    let moments = record(test, &fresh("record".into()));
    assert!(moments.len() > 5, "that is no publish: {moments:?}");
    let mut done = Vec::new();
    for (index, moment) in moments.iter().enumerate() {
        let folder = fresh(index.to_string());
        kill_at(moment, test, &folder);
        done.push(check(&folder, &format!("killed at {} {}", moment.0, moment.1)));
    }
    // First always the old, from one call on always the new.
    assert!(done.is_sorted() && !done[0] && done[done.len() - 1], "{done:?}");
}

fn assert_no_trace_of(bytes: &str, folder: &Path, when: &str) {
    for (path, .., content) in census(folder) {
        assert!(!String::from_utf8_lossy(&content).contains(bytes), "{when}: {path:?}");
    }
}

#[test]
fn a_set_is_the_old_or_the_new_wherever_its_publisher_is_killed() {
    const TEST: &str = "kill::a_set_is_the_old_or_the_new_wherever_its_publisher_is_killed";
    // Of these, the last two are there already, and go on as the same files.
    let same = || member("tls/same", "good");
    let new = [member("a", "NEW"), member("tls/b", "NEW"), member("fresh/c", "NEW"), kept("kept"), same()];
    if let Some(folder) = scene::folder() {
        recorded(|| assert_eq!(open(&folder).publish(&new).expect("published").changed, [0, 1, 2]));
        return;
    }
    let fault = evidence!(26, Machine);
    let prepare = |folder: &Path| {
        let old = [
            member("a", "OLD"),
            member("tls/b", "OLD"),
            member("gone", "OLD"),
            member("kept", "good"),
            same(),
        ];
        open(folder).publish(&old).expect("published");
        // What an earlier crash left is swept on the way.
        fs::create_dir(folder.join("..leasehold_9")).expect("made");
        fs::write(folder.join("..leasehold_9/a"), "OLDER").expect("written");
    };
    at_every_call(TEST, prepare, |folder, when| {
        let visible = ["a", "tls/b", "gone", "fresh/c", "kept", "tls/same"].map(|name| read(folder, name));
        let old = [Some("OLD"), Some("OLD"), Some("OLD"), None, Some("good"), Some("good")];
        let done = visible.each_ref().map(Option::as_deref) != old;
        if done {
            let expected = [Some("NEW"), Some("NEW"), None, Some("NEW"), Some("good"), Some("good")];
            assert_eq!(visible.each_ref().map(Option::as_deref), expected, "{when}: neither old nor new");
        }
        let mut next = open(folder);
        assert_no_trace_of(if done { "OLD" } else { "NEW" }, folder, when);
        let expected: &[&str] =
            if done { &["a", "fresh", "kept", "tls"] } else { &["a", "gone", "kept", "tls"] };
        let visible = names(folder).into_iter().filter(|name| !name.starts_with("..")).collect::<Vec<_>>();
        assert_eq!(visible, expected, "{when}");
        assert_eq!(names(folder).len(), 2 + expected.len(), "{when}: {:?}", names(folder));
        next.publish(&new).expect("the next start finishes it");
        for name in ["kept", "tls/same"] {
            let links = fs::metadata(folder.join(name)).expect("there").nlink();
            assert_eq!(links, 1, "{when}: {name} has a second name");
        }
        assert_eq!(read(folder, "fresh/c").as_deref(), Some("NEW"), "{when}");
        assert_no_trace_of("OLD", folder, when);
        done
    });
    fault.holds("the old set or the new one, at every system call");
}

#[test]
fn a_single_file_is_the_old_or_the_new_wherever_its_publisher_is_killed() {
    const TEST: &str = "kill::a_single_file_is_the_old_or_the_new_wherever_its_publisher_is_killed";
    let at = |folder: &Path| SingleFile::open(&folder.join("deeper/a"), 0o750, true).expect("on tmpfs");
    if let Some(folder) = scene::folder() {
        recorded(|| assert_eq!(at(&folder).publish(&"NEW".into(), &PLAIN).expect("published").changed, [0]));
        return;
    }
    let fault = evidence!(26, Machine);
    let prepare = |folder: &Path| {
        at(folder).publish(&"OLD".into(), &PLAIN).expect("published");
    };
    at_every_call(TEST, prepare, |folder, when| {
        let found = read(folder, "deeper/a");
        let done = found.as_deref() == Some("NEW");
        assert!(done || found.as_deref() == Some("OLD"), "{when}: {found:?}");
        at(folder);
        assert_eq!(names(&folder.join("deeper")), ["a"], "{when}");
        assert_eq!(read(folder, "deeper/a"), found, "{when}");
        done
    });
    fault.holds("the old file or the new one");
}

#[test]
fn a_handoff_is_the_old_or_the_new_wherever_its_holder_is_killed() {
    const TEST: &str = "kill::a_handoff_is_the_old_or_the_new_wherever_its_holder_is_killed";
    let binding =
        Binding { digest: [1; 32], pod: "p".into(), boot: "b".into(), server: "s".into(), owns: true };
    let state = |token: &str| {
        let tokens = [(leasehold::core::ids::TokenId(1), Secret::from(token))].into();
        let mut kept = Kept { tokens, ..Kept::default() };
        kept.snapshot.tokens.push(leasehold::core::snapshot::KeptToken {
            id: leasehold::core::ids::TokenId(1),
            accessor: "a".into(),
            expires: None,
            latest: None,
            granted: None,
            renewable: true,
            batch: false,
            uses: None,
            undated: false,
            leaving: false,
            exposed: false,
            owned: true,
        });
        kept
    };
    let at = |folder: &Path| Handoff::open(&folder.join("state"), true).expect("free: the dead hold no lock");
    if let Some(folder) = scene::folder() {
        recorded(|| at(&folder).store(&binding, &state("NEW")).expect("stored"));
        return;
    }
    let fault = evidence!(26, Machine);
    let prepare = |folder: &Path| at(folder).store(&binding, &state("OLD")).expect("stored");
    at_every_call(TEST, prepare, |folder, when| {
        let Loaded::Found { kept, same_clock: true } =
            at(folder).load(&binding, leasehold_base::time::Moment::default())
        else {
            panic!("{when}: lost")
        };
        let done = *kept == state("NEW");
        assert!(done || *kept == state("OLD"), "{when}: {kept:?}");
        assert_eq!(names(folder), ["state", "state.lock"], "{when}");
        done
    });
    fault.holds("the old handoff or the new one");
}

/// A state of so many logins that it is gone on from by a journal, and what a run writes of it.
mod journaled {
    use std::collections::BTreeMap;

    use leasehold::core::ids::TokenId;
    use leasehold::core::snapshot::{Changes, KeptToken, Snapshot};
    use leasehold::handoff::{Beside, Binding, Handoff, Kept, Line, Whole};
    use leasehold::secret::Secret;

    pub(super) fn binding() -> Binding {
        Binding { digest: [1; 32], pod: "p".into(), boot: "b".into(), server: "s".into(), owns: true }
    }

    /// The last of many logins is this one.
    pub(super) fn state(last: &str) -> Kept {
        let token = |id| KeptToken {
            id: TokenId(id),
            accessor: format!("accessor-{id}"),
            expires: None,
            latest: None,
            granted: None,
            renewable: true,
            batch: false,
            uses: None,
            undated: false,
            leaving: false,
            exposed: false,
            owned: true,
        };
        let mut kept = Kept::default();
        kept.snapshot.tokens = (0..100).map(token).collect();
        kept.tokens = (0..100).map(|id| (TokenId(id), Secret::from(format!("hvs.{id}")))).collect();
        kept.tokens.insert(TokenId(99), Secret::from(last));
        kept
    }

    fn beside(kept: &Kept) -> Beside<'_> {
        Beside { tokens: &kept.tokens, mounts: &[], refused_with: None, opened: None }
    }

    pub(super) fn replace(handoff: &mut Handoff, kept: &Kept) {
        let whole = Whole {
            snapshot: &kept.snapshot,
            beside: beside(kept),
            children: &kept.children,
            responses: Vec::new(),
            published: &kept.published,
        };
        handoff.replace(&binding(), &whole, false).expect("there is room");
    }

    pub(super) fn append(handoff: &mut Handoff, kept: &Kept) {
        let rest: Snapshot = kept.snapshot.clone();
        let changes = Changes { rest, ..Changes::default() };
        let (children, none) = (&BTreeMap::new(), BTreeMap::new());
        let (changes, beside) = (&changes, beside(kept));
        let line = Line { changes, beside, children, responses: Vec::new(), published: &none };
        assert!(!handoff.wants_whole(), "a line will do");
        handoff.append(&line).expect("there is room");
    }
}

/// The state that the next run finds, by its last login.
fn last_login(folder: &Path, when: &str) -> String {
    let handoff = Handoff::open(&folder.join("state"), true).expect("free: the dead hold no lock");
    let loaded = handoff.load(&journaled::binding(), leasehold_base::time::Moment::default());
    let Loaded::Found { kept, same_clock: true } = loaded else { panic!("{when}: lost") };
    let last = ["OLD", "LINE", "NEW"].into_iter().find(|last| *kept == journaled::state(last));
    last.unwrap_or_else(|| panic!("{when}: neither of them")).to_owned()
}

#[test]
fn a_line_of_the_journal_is_there_or_not_wherever_its_writer_is_killed() {
    const TEST: &str = "kill::a_line_of_the_journal_is_there_or_not_wherever_its_writer_is_killed";
    let at = |folder: &Path| Handoff::open(&folder.join("state"), true).expect("free: the dead hold no lock");
    if let Some(folder) = scene::folder() {
        recorded(|| {
            let mut handoff = at(&folder);
            journaled::replace(&mut handoff, &journaled::state("OLD"));
            journaled::append(&mut handoff, &journaled::state("LINE"));
            journaled::append(&mut handoff, &journaled::state("NEW"));
        });
        return;
    }
    let fault = evidence!(26, Machine);
    let prepare = |folder: &Path| {
        // What the run before left: a state with a line of its own.
        let mut handoff = at(folder);
        journaled::replace(&mut handoff, &journaled::state("OLDER"));
        journaled::append(&mut handoff, &journaled::state("OLD"));
    };
    let mut seen = std::collections::BTreeSet::new();
    let seen = std::cell::RefCell::new(&mut seen);
    at_every_call(TEST, prepare, |folder, when| {
        let last = last_login(folder, when);
        seen.borrow_mut().insert(last.clone());
        last == "NEW"
    });
    assert!(seen.borrow().is_empty() || seen.borrow().len() == 3, "each of the three at some call");
    fault.holds("a line is written as a whole, or it was never relied on");
}

#[test]
fn a_state_that_takes_in_its_journal_loses_nothing_wherever_its_writer_is_killed() {
    const TEST: &str = "kill::a_state_that_takes_in_its_journal_loses_nothing_wherever_its_writer_is_killed";
    let at = |folder: &Path| Handoff::open(&folder.join("state"), true).expect("free: the dead hold no lock");
    if let Some(folder) = scene::folder() {
        recorded(|| journaled::replace(&mut at(&folder), &journaled::state("NEW")));
        return;
    }
    let fault = evidence!(26, Machine);
    let prepare = |folder: &Path| {
        let mut handoff = at(folder);
        journaled::replace(&mut handoff, &journaled::state("OLDER"));
        journaled::append(&mut handoff, &journaled::state("OLD"));
    };
    at_every_call(TEST, prepare, |folder, when| last_login(folder, when) == "NEW");
    fault.holds("the old handoff with its journal, or the new one");
}
