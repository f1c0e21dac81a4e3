//! A state that a journal goes on from: what the next run finds, wherever the journal ends and whatever stands in it.

use std::io::Write as _;

use super::*;
use crate::core::snapshot::Changes;

/// A run of the program: what it has, and what it writes down of it.
struct Run {
    handoff: Handoff,
    kept: Kept,
    /// The tokens that templates had made at the last write.
    children: BTreeMap<LeaseId, Secret>,
}

/// Makes a secret with a lease of its own, and its answer.
fn leased(number: usize, lease: &str) -> (KeptSecret, Response) {
    let Kept { snapshot, .. } = sample();
    let secret = &snapshot.secrets[0];
    let lease = KeptLease { id: LeaseId(lease.into()), undated: false, ..snapshot.retiring[0].clone() };
    let data = Tree::map([("password", Tree::text(format!("{CANARY}-{number}")))]);
    let response = Response { lease_id: lease.id.0.clone(), data, ..Response::default() };
    let request = request(&format!("database/creds/{number}"));
    (KeptSecret { request, written: vec![], lease: Some(lease), ..secret.clone() }, response)
}

fn put(kept: &mut Kept, (secret, response): (KeptSecret, Response)) {
    kept.responses.insert(secret.request.clone(), response);
    match kept.snapshot.secrets.iter_mut().find(|one| one.request == secret.request) {
        Some(before) => *before = secret,
        None => kept.snapshot.secrets.push(secret),
    }
}

impl Run {
    /// Makes a run whose state is too large to be written anew with each change.
    fn new(dir: &tempfile::TempDir) -> Self {
        let (handoff, _) = open(dir);
        let mut run = Self { handoff, kept: sample(), children: sample().children };
        run.kept.snapshot.tokens[0].undated = false;
        run.kept.snapshot.retiring.clear();
        run.kept.snapshot.secrets.clear();
        run.kept.responses.clear();
        (0..60).for_each(|number| put(&mut run.kept, leased(number, &format!("old-{number}"))));
        run.replace();
        run
    }

    fn replace(&mut self) {
        self.handoff.replace(&binding(), &self.kept.borrowed(), false).expect("there is room");
    }

    /// Writes down these changes, which are made in what it has, too.
    fn append(&mut self, changes: &Changes) {
        let Kept { snapshot, responses, .. } = &mut self.kept;
        snapshot.secrets.retain(|one| !changes.dropped.contains(&one.request));
        responses.retain(|request, _| !changes.dropped.contains(request));
        snapshot.retiring.retain(|one| !changes.retired.contains(&one.id));
        snapshot.retiring.extend(changes.retiring.iter().cloned());
        snapshot.untold.clone_from(&changes.rest.untold);
        self.write(changes);
    }

    fn write(&mut self, changes: &Changes) {
        let whole = self.kept.borrowed();
        let of = |request: &&Request| changes.secrets.iter().any(|secret| secret.request == **request);
        let responses = whole.responses.iter().copied().filter(|(request, _)| of(request)).collect();
        let now = whole.children.iter().map(|(lease, child)| (lease.clone(), Some(child.clone())));
        let mut children: BTreeMap<LeaseId, Option<Secret>> =
            self.children.keys().map(|lease| (lease.clone(), None)).chain(now).collect();
        children.retain(|lease, child| self.children.get(lease) != child.as_ref());
        let (beside, children, none) = (whole.beside, &children, BTreeMap::new());
        let line = Line { changes, beside, children, responses, published: &none };
        self.handoff.append(&line).expect("there is room");
        self.children = self.kept.children.clone();
    }

    /// Returns changes in which nothing has changed beside the secrets.
    fn changes(&self) -> Changes {
        let rest = Snapshot { secrets: vec![], retiring: vec![], ..self.kept.snapshot.clone() };
        Changes { rest, ..Changes::default() }
    }

    /// Mints a secret anew, and writes down that its old lease is to be revoked.
    fn mint(&mut self, number: usize, lease: &str) {
        let (secret, response) = leased(number, lease);
        let before = self.kept.snapshot.secrets.iter().find(|one| one.request == secret.request);
        let retiring: Vec<_> = before.and_then(|before| before.lease.clone()).into_iter().collect();
        put(&mut self.kept, (secret.clone(), response));
        self.append(&Changes { secrets: vec![secret], retiring, ..self.changes() });
    }
}

fn journal(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("state.journal")
}

/// Returns what the next run finds.
fn next(dir: &tempfile::TempDir) -> Loaded {
    open(dir).0.load(&binding(), NOW)
}

#[test]
fn the_next_run_finds_everything_that_lines_have_said_since() {
    let dir = folder();
    let mut run = Run::new(&dir);
    run.mint(3, "new-3");
    run.mint(99, "new-99");
    let gone = run.kept.snapshot.secrets[7].request.clone();
    run.append(&Changes { dropped: vec![gone], ..run.changes() });
    let retired = vec![LeaseId("old-3".into())];
    let mut changes = Changes { retired, ..run.changes() };
    changes.rest.untold = BTreeSet::from(["haproxy".to_owned()]);
    run.append(&changes);
    run.kept.tokens.insert(TokenId(3), Secret::from("hvs.OTHER"));
    run.kept.children.clear();
    run.kept.opened = None;
    run.append(&run.changes());
    assert_eq!(fs::metadata(journal(&dir)).expect("there").permissions().mode() & 0o7777, 0o600);
    let Run { handoff, kept, .. } = run;
    drop(handoff);
    assert_eq!(next(&dir), found(kept, true));
}

/// Returns what a state and its journal amount to. The state has so few secrets that it would have no journal outside
/// of this test.
fn replayed(state: &[u8], journal: &[u8]) -> Loaded {
    let mut all = journal::header(state);
    all.extend_from_slice(journal);
    Loaded::parse_with(state, &all, &binding(), NOW)
}

#[test]
fn a_journal_that_is_cut_off_anywhere_says_what_its_whole_lines_say() {
    let mut kept = sample();
    kept.snapshot.tokens[0].undated = false;
    (kept.snapshot.secrets, kept.snapshot.retiring, kept.responses) = Default::default();
    put(&mut kept, leased(1, "old-1"));
    let text = String::from_utf8(kept.to_bytes(&binding()).to_vec()).expect("JSON");
    let state =
        format!("{}4}}", text.strip_suffix("3}").expect("its version is its last field")).into_bytes();
    let mut noted = write::Noted::default();
    let (mut all, mut states) = (Vec::new(), vec![(0, kept.clone())]);
    for (number, lease) in [(2, "new-2"), (1, "new-1")] {
        let (secret, response) = leased(number, lease);
        put(&mut kept, (secret.clone(), response.clone()));
        let rest = Snapshot { secrets: vec![], ..kept.snapshot.clone() };
        let changes = Changes { secrets: vec![secret.clone()], rest, ..Changes::default() };
        let (beside, none) = (kept.borrowed().beside, BTreeMap::new());
        let responses = vec![(&secret.request, &response)];
        let line =
            Line { changes: &changes, beside, children: &BTreeMap::new(), responses, published: &none };
        all.extend_from_slice(&write::line(&line, &mut noted));
        states.push((all.len(), kept.clone()));
    }
    for length in 0..=all.len() {
        // A line is all there without the sign of its end.
        let is_there = |(end, _): &&(usize, Kept)| *end <= length + 1;
        let (_, kept) = states.iter().rev().find(is_there).expect("at least the state");
        assert_eq!(replayed(&state, &all[..length]), found(kept.clone(), true), "cut off at {length}");
    }
    let header = journal::header(&state);
    for length in 0..=header.len() {
        let loaded = Loaded::parse_with(&state, &header[..length], &binding(), NOW);
        assert_eq!(loaded, found(states[0].1.clone(), true), "its first line is cut off at {length}");
    }
}

#[test]
fn a_line_that_is_there_twice_changes_nothing() {
    let dir = folder();
    let mut run = Run::new(&dir);
    run.mint(3, "new-3");
    let before = fs::read(journal(&dir)).expect("readable").len();
    run.mint(4, "new-4");
    let Run { handoff, kept, .. } = run;
    drop(handoff);
    let whole = fs::read(journal(&dir)).expect("readable");
    let mut file = fs::File::options().append(true).open(journal(&dir)).expect("ours");
    file.write_all(&whole[before..]).expect("written");
    assert_eq!(next(&dir), found(kept, true));
}

#[test]
fn nobody_goes_on_from_a_journal_with_a_damaged_line_and_all_that_it_names_is_given_back() {
    let dir = folder();
    let mut run = Run::new(&dir);
    ["new-3", "new-4"].into_iter().for_each(|lease| run.mint(3, lease));
    drop(run);
    let mut whole = fs::read(journal(&dir)).expect("readable");
    let second = whole.iter().position(|byte| *byte == b'\n').expect("lines") + 20;
    whole[second] = 0;
    fs::File::create(journal(&dir)).and_then(|mut file| file.write_all(&whole)).expect("ours");
    let loaded = next(&dir);
    let Loaded::Strays { kept, why: Unusable::Corrupt(_), .. } = &loaded else { panic!("{loaded:?}") };
    let named: Vec<&str> = kept.snapshot.retiring.iter().map(|lease| &*lease.id.0).collect();
    assert!(named.contains(&"new-4") && named.contains(&"old-59") && named.contains(&"new-3"), "{named:?}");
    assert!(!format!("{loaded:?}").contains("CANARY"));
}

#[test]
fn a_journal_goes_on_from_the_state_that_it_was_begun_for_and_from_no_other() {
    let dir = folder();
    let mut run = Run::new(&dir);
    run.mint(3, "new-3");
    let lines = fs::read(journal(&dir)).expect("readable");
    // Another state replaces the one that it is of, and the run is killed before it removes the lines.
    run.mint(5, "new-5");
    run.replace();
    assert!(!journal(&dir).exists(), "it begins anew");
    let Run { handoff, kept, .. } = run;
    drop(handoff);
    let put_back = || {
        let mut file = fs::File::create(journal(&dir)).expect("ours");
        file.set_permissions(fs::Permissions::from_mode(0o600)).expect("ours");
        file.write_all(&lines).expect("written");
    };
    put_back();
    assert_eq!(next(&dir), found(kept.clone(), true));
    // The lines are of another configuration, whose state was replaced by this one's.
    let (mut handoff, _) = open(&dir);
    let other = Binding { digest: [9; 32], ..binding() };
    handoff.replace(&other, &kept.borrowed(), false).expect("there is room");
    put_back();
    assert_eq!(handoff.load(&other, NOW), found(kept.clone(), true));
    assert!(matches!(
        handoff.load(&binding(), NOW),
        Loaded::Strays { why: Unusable::OtherConfiguration, .. }
    ));
    // A build that knows no journal has written the state.
    handoff.store(&binding(), &kept).expect("there is room");
    put_back();
    assert_eq!(handoff.load(&binding(), NOW), found(kept, true));
    assert_eq!(Handoff::published(&dir.path().join("state"), "pod u-1"), sample().published);
}

#[test]
fn a_state_with_a_journal_is_of_a_version_that_older_builds_only_give_back() {
    let dir = folder();
    let mut run = Run::new(&dir);
    let version = || {
        let text = fs::read_to_string(dir.path().join("state")).expect("JSON");
        text[text.rfind(":").expect("a field") + 1..].to_owned()
    };
    assert_eq!(version(), "4}");
    run.handoff.replace(&binding(), &run.kept.borrowed(), true).expect("there is room");
    assert_eq!(version(), "3}", "the last one of a run is for every build");
    assert!(run.handoff.wants_whole() && !run.handoff.can_append());
    let small = Kept::default();
    run.handoff.replace(&binding(), &small.borrowed(), false).expect("there is room");
    assert_eq!(version(), "3}", "a small one is written anew anyhow");
    assert!(run.handoff.wants_whole());
}

#[test]
fn a_journal_or_a_state_that_another_process_took_away_is_not_gone_on_with() {
    for which in ["state", "state.journal"] {
        let dir = folder();
        let mut run = Run::new(&dir);
        run.mint(3, "new-3");
        assert!(run.handoff.can_append() && !run.handoff.wants_whole());
        let path = dir.path().join(which);
        fs::rename(&path, dir.path().join("elsewhere")).expect("moved");
        assert!(!run.handoff.can_append() && run.handoff.wants_whole(), "{which} is gone");
        fs::copy(dir.path().join("elsewhere"), &path).expect("another file of that name");
        assert!(!run.handoff.can_append(), "{which} is another one");
        run.replace();
        run.mint(4, "new-4");
        let Run { handoff, kept, .. } = run;
        drop(handoff);
        assert_eq!(next(&dir), found(kept, true));
    }
}

#[test]
fn a_journal_that_others_could_have_written_is_not_believed() {
    let dir = folder();
    let mut run = Run::new(&dir);
    run.mint(3, "new-3");
    drop(run);
    fs::set_permissions(journal(&dir), fs::Permissions::from_mode(0o660)).expect("ours");
    assert!(matches!(next(&dir), Loaded::Strays { why: Unusable::Exposed, .. }));
}

#[test]
fn the_state_is_written_anew_once_its_journal_is_as_long() {
    let dir = folder();
    let mut run = Run::new(&dir);
    let state = fs::metadata(dir.path().join("state")).expect("there").len();
    let mut lines = 0;
    while !run.handoff.wants_whole() {
        lines += 1;
        run.mint(lines % 60, &format!("new-{lines}"));
        let length = fs::metadata(journal(&dir)).expect("there").len();
        assert!(length < state + 4096, "{lines}");
    }
    assert!((20..100).contains(&lines), "{lines}");
    run.replace();
    assert!(!run.handoff.wants_whole());
    let Run { handoff, kept, .. } = run;
    drop(handoff);
    assert_eq!(next(&dir), found(kept, true));
}

#[test]
fn a_line_costs_as_much_as_what_it_says() {
    let dir = folder();
    let mut run = Run::new(&dir);
    let length = |run: &mut Run, number, lease| {
        let before = fs::metadata(journal(&dir)).map_or(0, |stat| stat.len());
        run.mint(number, lease);
        fs::metadata(journal(&dir)).expect("there").len() - before
    };
    run.mint(1, "new-1");
    let one = length(&mut run, 2, "new-2");
    assert!(one < 1500, "{one} bytes for one lease of sixty");
    assert_eq!(length(&mut run, 3, "new-3"), one);
}

impl Run {
    /// Makes these changes, and cannot write them down.
    fn try_to_mint(&mut self, number: usize, lease: &str) {
        let (secret, response) = leased(number, lease);
        put(&mut self.kept, (secret.clone(), response));
        let whole = self.kept.borrowed();
        let of = |request: &&Request| secret.request == **request;
        let responses = whole.responses.iter().copied().filter(|(request, _)| of(request)).collect();
        let changes = Changes { secrets: vec![secret.clone()], ..self.changes() };
        let (changes, none) = (&changes, BTreeMap::new());
        let (beside, children) = (whole.beside, &BTreeMap::new());
        let line = Line { changes, beside, children, responses, published: &none };
        self.handoff.append(&line).expect_err("there is no room");
    }

    fn lines(&mut self) -> &mut LineFile {
        self.handoff.base.as_mut().and_then(|base| base.journal.as_mut()).expect("a journal")
    }
}

/// A whole state needs more room than a line, so that a line must do once there is room for one again.
#[test]
fn a_line_that_could_not_be_written_comes_with_the_next_one() {
    let dir = folder();
    let mut run = Run::new(&dir);
    // Its first line cannot be written: the journal cannot be made.
    fs::create_dir(journal(&dir)).expect("room for a folder");
    run.try_to_mint(3, "new-3");
    fs::remove_dir(journal(&dir)).expect("it is empty");
    assert!(!run.handoff.wants_whole());
    run.mint(99, "new-99");
    // A later line cannot be written: there is no room in the journal.
    let file = run.lines().swap(File::create("/dev/full").expect("a device"));
    run.try_to_mint(4, "new-4");
    run.try_to_mint(5, "new-5");
    run.lines().swap(file);
    assert!(!run.handoff.wants_whole());
    // A part of it is there all the same, which could not be cut off.
    let mut left = fs::OpenOptions::new().append(true).open(journal(&dir)).expect("there");
    let owed = run.handoff.base.as_ref().expect("a state").owed.clone();
    left.write_all(&owed[..owed.len() - 10]).expect("there is room");
    run.mint(6, "new-6");
    let Run { handoff, kept, .. } = run;
    drop(handoff);
    assert_eq!(next(&dir), found(kept, true));
}

#[test]
fn only_a_whole_state_will_do_once_the_lines_that_could_not_be_written_are_as_long() {
    let dir = folder();
    let mut run = Run::new(&dir);
    run.mint(99, "new-99");
    run.lines().swap(File::create("/dev/full").expect("a device"));
    for number in 0..200 {
        if run.handoff.base.is_none() {
            break;
        }
        run.try_to_mint(number % 60, &format!("new-{number}"));
    }
    assert!(run.handoff.base.is_none() && run.handoff.wants_whole());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_of_a_journal_make_the_reader_panic(
        lines in prop::collection::vec(prop_oneof![
            any::<Vec<u8>>(),
            "\\{\"(secrets|retiring|tokens|gone|version|pod)\":(\\[\\{\"(id|request|lease)\":[0-9]\\}\\]|\\{\"secrets\":[0-9]\\}|null|[0-9])\\}"
                .prop_map(String::into_bytes),
        ], 0..6),
    ) {
        let dir = folder();
        let Run { kept, .. } = Run::new(&dir);
        let (bytes, _) = write::whole(&kept.borrowed(), &binding(), false);
        let mut all = journal::header(&bytes);
        for line in lines {
            all.extend(line);
            all.push(b'\n');
        }
        // Whatever it makes of this, it is a state or a reason.
        let _ = Loaded::parse_with(&bytes, &all, &binding(), NOW);
    }
}
