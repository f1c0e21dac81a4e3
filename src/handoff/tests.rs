//! What is written is read by the run that it is for, and anything else in its place does no harm.

#![allow(clippy::disallowed_methods, reason = "tests set the modes of their own files")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

mod journaled;

use super::*;
use crate::core::event::Life;
use crate::core::ids::LeaseId;
use crate::core::snapshot::{KeptLease, KeptSecret, KeptToken, Refusals};
use crate::tree::Tree;
use crate::vault::mounts::Mount;
use leasehold_base::request::Verb;
use leasehold_base::time::Moment;

const CANARY: &str = "hvs.CANARY";

fn binding() -> Binding {
    Binding { digest: [7; 32], pod: "pod u-1".into(), boot: "b-1".into(), server: "s-1".into(), owns: true }
}

/// After everything that the sample says is past.
const NOW: Moment = Moment::new(Duration::from_secs(100));

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("leasehold-handoff-").tempdir_in("/dev/shm").expect("/dev/shm is a tmpfs")
}

fn open(dir: &tempfile::TempDir) -> (Handoff, PathBuf) {
    let path = dir.path().join("state");
    (Handoff::open(&path, true).expect("free and on tmpfs"), path)
}

fn request(path: &str) -> Request {
    Request::read(path).expect("a good path")
}

fn sample() -> Kept {
    let lease = KeptLease {
        id: LeaseId("database/creds/web/x".into()),
        token: TokenId(3),
        expires: Moment::new(Duration::from_secs(7)),
        latest: Moment::new(Duration::MAX),
        granted: Duration::from_secs(3600),
        renewable: true,
        orphan: true,
        undated: true,
    };
    let secret = KeptSecret {
        request: request("secret/data/web?version=3"),
        written: vec![request("secret/web?version=3")],
        read: Moment::new(Duration::from_nanos(5)),
        lease: Some(lease.clone()),
        life: Life::RotatesIn(Duration::from_millis(1)),
        version: Some(3),
    };
    let token = KeptToken {
        id: TokenId(3),
        accessor: "acc".into(),
        expires: Some(Moment::new(Duration::from_secs(9))),
        latest: Some(Moment::new(Duration::from_secs(10))),
        granted: None,
        renewable: true,
        batch: false,
        uses: Some(7),
        undated: true,
        leaving: true,
        exposed: true,
        owned: false,
    };
    let data = Tree::from_json(br#"{"a":1.50,"b":[null,true,"\u0000"]}"#).expect("JSON");
    let response = Response { lease_id: "l".into(), lease_duration: 9, data, ..Response::default() };
    Kept {
        tokens: BTreeMap::from([(TokenId(3), Secret::from(CANARY))]),
        responses: BTreeMap::from([(secret.request.clone(), response)]),
        opened: Some("0f".into()),
        snapshot: Snapshot {
            tokens: vec![token],
            secrets: vec![secret],
            retiring: vec![lease],
            refusals: Some(Refusals {
                count: 2,
                last: Moment::new(Duration::from_secs(8)),
                why: "no".into(),
                pardoned: true,
            }),
            untold: BTreeSet::from(["nginx".to_owned()]),
            blind: true,
            unsure: true,
            ending: true,
            awaited: BTreeMap::new(),
        },
        refused_with: Some("5ca1ab1e".into()),
        published: vec![Listed { path: "/etc/app/db.env".into(), inode: 7, digest: "d1".into() }],
        children: BTreeMap::from([(LeaseId("auth/token/create/acc".into()), Secret::from(CANARY))]),
        mounts: vec![Mount { path: "secret/".into(), kind: "kv".into(), kv2: true }],
    }
}

fn found(kept: Kept, same_clock: bool) -> Loaded {
    Loaded::Found { kept: Box::new(kept), same_clock }
}

#[test]
fn what_one_process_stores_the_next_one_finds() {
    let dir = folder();
    let (mut handoff, path) = open(&dir);
    assert_eq!(handoff.load(&binding(), NOW), Loaded::Absent);
    handoff.store(&binding(), &sample()).expect("stored");
    drop(handoff);
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, 0o600);
    let (mut handoff, _) = open(&dir);
    assert_eq!(handoff.load(&binding(), NOW), found(sample(), true));
    handoff.remove().expect("removed");
    assert_eq!(handoff.load(&binding(), NOW), Loaded::Absent);
    handoff.remove().expect("there is nothing to remove");
}

#[test]
fn refused_logins_are_kept_when_there_is_nothing_else() {
    let dir = folder();
    let (mut handoff, _) = open(&dir);
    let mut kept = Kept::default();
    kept.snapshot.refusals = sample().snapshot.refusals;
    handoff.store(&binding(), &kept).expect("stored");
    assert_eq!(handoff.load(&binding(), NOW), found(kept, true));
}

#[test]
fn another_pod_may_not_use_it_and_another_boot_is_told() {
    let dir = folder();
    let (mut handoff, _) = open(&dir);
    handoff.store(&binding(), &sample()).expect("stored");
    let load = |change: fn(&mut Binding)| {
        let mut other = binding();
        change(&mut other);
        handoff.load(&other, NOW)
    };
    assert_eq!(load(|other| other.pod = "pod u-2".into()), Loaded::Unusable(Unusable::OtherPod));
    assert_eq!(load(|other| other.boot = "b-2".into()), found(sample(), false));
    let nameless = Binding { boot: String::new(), ..binding() };
    handoff.store(&nameless, &sample()).expect("stored");
    assert_eq!(handoff.load(&nameless, NOW), found(sample(), false));
}

/// Returns the logins and leases of the sample as strays, which are to be revoked.
fn strays(why: Unusable, same_clock: bool) -> Loaded {
    let Kept { tokens, children, opened, snapshot, published, refused_with, .. } = sample();
    let lease = |lease: KeptLease| KeptLease { renewable: false, undated: false, ..lease };
    let held = snapshot.secrets.into_iter().filter_map(|secret| secret.lease);
    let login = |token: KeptToken| KeptToken {
        renewable: false,
        undated: false,
        leaving: true,
        exposed: false,
        ..token
    };
    let snapshot = Snapshot {
        tokens: snapshot.tokens.into_iter().map(login).collect(),
        retiring: held.chain(snapshot.retiring).map(lease).collect(),
        untold: snapshot.untold,
        refusals: snapshot.refusals,
        ..Snapshot::default()
    };
    let kept = Kept { tokens, children, snapshot, opened, published, refused_with, ..Kept::default() };
    Loaded::Strays { kept: Box::new(kept), same_clock, why }
}

#[test]
fn another_configuration_does_not_go_on_from_it_and_gives_back_what_it_names() {
    let dir = folder();
    let (mut handoff, _) = open(&dir);
    handoff.store(&binding(), &sample()).expect("stored");
    let mut other = Binding { digest: [8; 32], owns: false, ..binding() };
    assert_eq!(handoff.load(&other, NOW), strays(Unusable::OtherConfiguration, true));
    other.boot = "b-2".into();
    assert_eq!(handoff.load(&other, NOW), strays(Unusable::OtherConfiguration, false));
    other.server = "s-2".into();
    let Loaded::Strays { kept, why: Unusable::OtherServer, .. } = handoff.load(&other, NOW) else {
        panic!("the files are none of another server's affair")
    };
    let files = Kept { published: sample().published, ..Kept::default() };
    assert_eq!(*kept, files, "a token goes to no other server");
    handoff.store(&binding(), &Kept { published: Vec::new(), ..sample() }).expect("stored");
    assert_eq!(handoff.load(&other, NOW), Loaded::Unusable(Unusable::OtherServer));
}

/// Rewrites the state as an earlier build would have written it, without the newer fields.
fn older(path: &Path, version: &str) {
    let text = fs::read_to_string(path).expect("JSON");
    let mut text = text.replace("\"version\":3", version);
    for newer in [
        "\"server\":\"s-1\",",
        "\"ending\":true,",
        "\"leaving\":true,",
        ",\"owned\":false",
        "\"unsure\":true,",
        "\"published\":[{\"digest\":\"d1\",\"inode\":7,\"path\":\"L2V0Yy9hcHAvZGIuZW52\"}],",
    ] {
        assert!(text.contains(newer), "{newer} in {text}");
        text = text.replace(newer, "");
    }
    fs::File::create(path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .expect("ours");
}

#[test]
fn the_version_before_this_one_is_not_gone_on_from_and_what_it_names_is_given_back() {
    for (version, owns) in [("\"version\":2", true), ("\"version\":2", false), ("\"version\":5", true)] {
        let dir = folder();
        let (mut handoff, path) = open(&dir);
        handoff.store(&binding(), &sample()).expect("stored");
        older(&path, version);
        let loaded = handoff.load(&Binding { owns, ..binding() }, NOW);
        let Loaded::Strays { kept, why: Unusable::OtherVersion, .. } = loaded else { panic!("{loaded:?}") };
        assert_eq!(kept.tokens, sample().tokens);
        assert_eq!((kept.snapshot.tokens[0].leaving, kept.snapshot.tokens[0].owned), (true, owns));
        assert_eq!(kept.snapshot.retiring.len(), 2);
        // It does not say which server it was written for: only the same configuration shows that.
        let other = Binding { digest: [8; 32], ..binding() };
        assert_eq!(handoff.load(&other, NOW), Loaded::Unusable(Unusable::OtherServer));
    }
}

#[test]
fn the_list_of_files_is_read_before_the_lock_is_taken_and_only_by_the_same_pod() {
    let dir = folder();
    let (mut handoff, path) = open(&dir);
    assert_eq!(Handoff::published(&path, "pod u-1"), []);
    handoff.store(&binding(), &sample()).expect("stored");
    assert_eq!(
        Handoff::published(&path, "pod u-1"),
        sample().published,
        "while another process holds the lock"
    );
    assert_eq!(Handoff::published(&path, "pod u-2"), []);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).expect("ours");
    assert_eq!(Handoff::published(&path, "pod u-1"), [], "others could have written it");
    assert_eq!(Handoff::published(&dir.path().join("none/state"), "pod u-1"), []);
    assert!(!dir.path().join("none").exists(), "nothing is created");
}

#[test]
fn times_that_lie_ahead_are_on_another_clock() {
    let dir = folder();
    let (mut handoff, _) = open(&dir);
    let mut kept = sample();
    handoff.store(&binding(), &kept).expect("stored");
    let early = Moment::new(Duration::from_secs(4));
    assert_eq!(handoff.load(&binding(), early), found(sample(), true), "within a few seconds");
    kept.snapshot.secrets[0].read = Moment::new(Duration::from_secs(200));
    handoff.store(&binding(), &kept).expect("stored");
    assert_eq!(handoff.load(&binding(), NOW), found(kept, false));
}

#[test]
fn a_second_process_is_refused_while_the_first_lives() {
    let dir = folder();
    let (first, path) = open(&dir);
    // A lock belongs to the open file, so a second opening is as good as a second process.
    let error = Handoff::open(&path, true).expect_err("locked");
    assert_eq!(error, HandoffError::Locked(path.clone()));
    assert_eq!(Ending::from(error).cause, Cause::Destination);
    drop(first);
    Handoff::open(&path, true).expect("free again");
}

#[test]
fn a_state_that_is_cut_off_anywhere_is_unusable_and_replaced() {
    let dir = folder();
    let (mut handoff, path) = open(&dir);
    handoff.store(&binding(), &sample()).expect("stored");
    let whole = fs::read(&path).expect("readable");
    for length in 0..whole.len() {
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(length as u64))
            .expect("cut");
        let loaded = handoff.load(&binding(), NOW);
        assert!(matches!(loaded, Loaded::Unusable(Unusable::Corrupt(_))), "{length}: {loaded:?}");
        handoff.store(&binding(), &sample()).expect("stored over it");
    }
    assert_eq!(handoff.load(&binding(), NOW), found(sample(), true));
}

#[test]
fn a_state_that_others_could_have_written_is_not_believed() {
    let dir = folder();
    let (mut handoff, path) = open(&dir);
    handoff.store(&binding(), &sample()).expect("stored");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).expect("ours");
    assert_eq!(handoff.load(&binding(), NOW), Loaded::Unusable(Unusable::Exposed));
    handoff.store(&binding(), &sample()).expect("stored over it, private again");
    assert_eq!(handoff.load(&binding(), NOW), found(sample(), true));
}

#[test]
fn a_link_is_not_followed_and_a_giant_is_not_read() {
    let dir = folder();
    let (handoff, path) = open(&dir);
    let elsewhere = dir.path().join("elsewhere");
    fs::File::create(&elsewhere).expect("created");
    symlink(&elsewhere, &path).expect("linked");
    assert!(matches!(handoff.load(&binding(), NOW), Loaded::Unusable(Unusable::Unreadable(_))));
    fs::remove_file(&path).expect("removed");
    let giant = fs::File::create(&path).expect("created");
    giant.set_permissions(fs::Permissions::from_mode(0o600)).expect("ours");
    giant.set_len(MAX_BYTES + 1).expect("sparse");
    assert_eq!(handoff.load(&binding(), NOW), Loaded::Unusable(Unusable::TooLarge));
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let dir = folder();
    let (mut handoff, path) = open(&dir);
    handoff.store(&binding(), &sample()).expect("stored");
    assert!(!format!("{:?} {handoff:?}", handoff.load(&binding(), NOW)).contains("CANARY"));
    let text = fs::read_to_string(&path).expect("JSON");
    for broken in [text.replacen("\"tokens\":[", "\"tokens\":[\"hvs.CANARY\",", 1), text.replace(':', "=")] {
        let Loaded::Unusable(why) = Loaded::parse(broken.as_bytes(), &binding(), NOW) else {
            panic!("broken")
        };
        assert!(!format!("{why} {why:?}").contains("CANARY"), "{why}");
    }
}

fn any_life() -> impl Strategy<Value = Life> {
    prop_oneof![
        Just(Life::Unknown),
        any::<i64>().prop_map(Life::Until),
        any::<Duration>().prop_map(Life::RotatesIn),
        any::<Duration>().prop_map(Life::EndsIn)
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    let verb = prop_oneof![Just(Verb::Read), Just(Verb::Write), Just(Verb::List)];
    let args = prop::collection::btree_map(any::<String>(), any::<Vec<u8>>().prop_map(Secret::from), 0..3);
    (verb, "(v1/)?[a-zäß ]{0,5}x(/[a-z]{1,5}){0,2}", args)
        .prop_filter_map("a clean path", |(verb, path, args)| {
            Some(Request { verb, ..Request::write(&path, args).ok()? })
        })
}

fn any_lease() -> impl Strategy<Value = KeptLease> {
    (any::<String>(), any::<u64>(), any::<[Duration; 3]>(), any::<[bool; 3]>()).prop_map(
        |(id, token, [expires, latest, granted], [renewable, undated, orphan])| KeptLease {
            id: LeaseId(id),
            token: TokenId(token),
            expires: Moment::new(expires),
            latest: Moment::new(latest),
            granted,
            renewable,
            orphan,
            undated,
        },
    )
}

fn any_kept() -> impl Strategy<Value = Kept> {
    let secret = (
        any_request(),
        prop::collection::vec(any_request(), 0..2),
        any::<Duration>(),
        prop::option::of(any_lease()),
        any_life(),
        any::<Option<u64>>(),
    )
        .prop_map(|(request, written, read, lease, life, version)| KeptSecret {
            request,
            written,
            read: Moment::new(read),
            lease,
            life,
            version,
        });
    let response = (any::<String>(), 0..=leasehold_base::response::LONGEST, any::<String>()).prop_map(
        |(lease_id, lease_duration, value)| Response {
            lease_id,
            lease_duration,
            data: Tree::map([("value", Tree::text(value))]),
            ..Response::default()
        },
    );
    (
        prop::collection::vec(secret, 0..3),
        prop::collection::vec(any_lease(), 0..3),
        prop::collection::btree_map(any_request(), response, 0..3),
        prop::collection::btree_map(any::<u64>(), any::<Vec<u8>>(), 0..3),
        any::<Option<(u32, Duration)>>(),
        (prop::collection::btree_set(any::<String>(), 0..3), any::<[bool; 3]>()),
    )
        .prop_map(
            |(secrets, retiring, responses, tokens, refusals, (untold, [blind, unsure, ending]))| Kept {
                published: sample().published,
                snapshot: Snapshot {
                    tokens: tokens
                        .keys()
                        .map(|id| KeptToken { id: TokenId(*id), ..sample().snapshot.tokens[0].clone() })
                        .collect(),
                    secrets,
                    retiring,
                    refusals: refusals.map(|(count, last)| Refusals {
                        count,
                        last: Moment::new(last),
                        why: "no".into(),
                        pardoned: blind,
                    }),
                    untold,
                    blind,
                    unsure,
                    ending,
                    awaited: BTreeMap::new(),
                },
                tokens: tokens.into_iter().map(|(id, bytes)| (TokenId(id), Secret::from(bytes))).collect(),
                responses,
                opened: None,
                refused_with: unsure.then(|| "5ca1ab1e".to_owned()),
                children: BTreeMap::new(),
                mounts: Vec::new(),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_state_survives(kept in any_kept()) {
        let bytes = kept.to_bytes(&binding());
        let now = Moment::new(Duration::MAX);
        prop_assert_eq!(Loaded::parse(&bytes, &binding(), now), found(kept, true));
    }

    #[test]
    fn no_damage_makes_the_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = sample().to_bytes(&binding());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        // Whatever it makes of this, it is a state or a reason.
        let _ = Loaded::parse(&bytes, &binding(), NOW);
    }

    #[test]
    fn no_foreign_bytes_make_the_reader_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(matches!(Loaded::parse(&bytes, &binding(), NOW), Loaded::Unusable(_)));
    }
}
