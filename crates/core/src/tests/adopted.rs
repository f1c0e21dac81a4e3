//! Leases that an earlier run has replaced and left to be revoked: no record says which file is made of which.

use std::collections::VecDeque;
use std::time::Duration;

use super::hand::{Hand, kv, leased, policy, read_of, request, settled, settled_by};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Published, RenderOutcome};
use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, TokenId, UnitId};
use crate::interface::policy::{FilePolicy, Mode, NotifierPolicy, Policy, UnitPolicy};
use crate::interface::snapshot::{KeptLease, KeptSecret, Snapshot};
use crate::tools::steps::counted;
use leasehold_base::failure::{Failure, FailureKind};

/// Returns what a run has left that had replaced so many leases.
fn kept(leases: usize) -> Snapshot {
    let mut kept = settled(leased("held", 3600)).engine.snapshot();
    let one = kept.secrets[0].lease.clone().expect("a lease");
    kept.retiring =
        (0..leases).map(|n| KeptLease { id: LeaseId(format!("old-{n}")), ..one.clone() }).collect();
    kept
}

/// Makes a daemon with two absolute files, each with an application of its own.
fn two_apart() -> Policy {
    let mut policy = policy(Mode::Daemon, 2);
    policy.notifiers.push(NotifierPolicy { name: "other".into(), splay: Duration::ZERO, on_first: true });
    policy.units = (0..2).map(|file| UnitPolicy { files: vec![FileId(file)] }).collect();
    policy.files[1] = FilePolicy { unit: UnitId(1), notify: vec![NotifierId(1)], ..policy.files[1].clone() };
    policy
}

fn put(hand: &mut Hand, file: usize) {
    // What it uses may be newer than its rendering, which is then repeated.
    while hand.rendered(file, "secret/web").contains(&Action::Render(FileId(file))) {}
    let published = Published { generation: 1, changed: vec![FileId(file)] };
    hand.give(Event::Published { unit: UnitId(file), result: Ok(published) });
}

fn told(hand: &mut Hand, notifier: usize) {
    hand.give(Event::Notified { notifier: NotifierId(notifier), result: Ok(()) });
}

/// Returns the leases that are asked to be revoked within a minute.
fn revoked(hand: &mut Hand) -> Vec<String> {
    let end = hand.millis + 60_000;
    let mut asked = Vec::new();
    while hand.engine.deadline().is_some_and(|at| at.since_boot() < Duration::from_millis(end)) {
        for action in hand.sleep() {
            if let Action::Ask(Question::RevokeLease { lease, .. }) = action {
                asked.push(lease.0);
            }
        }
    }
    hand.millis = hand.millis.max(end);
    asked
}

#[test]
fn a_lease_of_an_earlier_run_stays_until_every_file_is_published_and_every_application_knows() {
    let mut hand = Hand::new(two_apart());
    hand.give(Event::Start { kept: Some(kept(2)), rebooted: false });
    put(&mut hand, 0);
    told(&mut hand, 0);
    assert_eq!(revoked(&mut hand), [""; 0], "the other file may be made of them");
    put(&mut hand, 1);
    assert_eq!(revoked(&mut hand), [""; 0], "the other application may use them");
    told(&mut hand, 1);
    assert_eq!(revoked(&mut hand), ["old-0", "old-1"]);
}

#[test]
fn a_lease_of_an_earlier_run_stays_until_an_application_knows_that_was_not_notified_then() {
    let mut hand = Hand::new(two_apart());
    let mut kept = kept(1);
    kept.untold.insert("other".to_owned());
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.rendered(0, "secret/web");
    hand.rendered(1, "secret/web");
    for file in 0..2 {
        let published = Published { generation: 1, changed: vec![] };
        hand.give(Event::Published { unit: UnitId(file), result: Ok(published) });
    }
    assert_eq!(revoked(&mut hand), [""; 0], "no file was changed, but the earlier run had not notified it");
    told(&mut hand, 1);
    assert_eq!(revoked(&mut hand), ["old-0"]);
}

#[test]
fn a_lease_of_an_earlier_run_that_this_run_replaces_stays_until_every_file_is_published() {
    let mut hand = Hand::new(two_apart());
    let mut kept = kept(0);
    let lease = kept.secrets[0].lease.as_mut().expect("a lease");
    (lease.expires, lease.renewable) = (hand.now().moment, false);
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.read(0, leased("new", 3600));
    put(&mut hand, 0);
    told(&mut hand, 0);
    assert_eq!(revoked(&mut hand), [""; 0], "the other file may be made of it");
    put(&mut hand, 1);
    told(&mut hand, 1);
    assert_eq!(revoked(&mut hand), ["held"]);
}

/// Returns what one look costs, and one publish, with so many files and so many replaced leases.
fn looks_and_publishes(number: usize) -> [u64; 2] {
    let mut hand = Hand::new(policy(Mode::Daemon, number));
    hand.give(Event::Start { kept: Some(kept(number)), rebooted: false });
    (0..number).for_each(|file| drop(hand.rendered(file, "secret/web")));
    let all: Vec<usize> = (0..number).collect();
    let (look, _) = counted(|| hand.engine.outlook(hand.now()));
    let (published, _) = counted(|| hand.published(1, &all));
    told(&mut hand, 0);
    assert_eq!(revoked(&mut hand).len(), 8, "as many as may be under way at once");
    [look, published]
}

#[test]
fn leases_of_an_earlier_run_cost_no_step_for_each_file() {
    let ([look, publish], [more_looks, more]) = (looks_and_publishes(20), looks_and_publishes(40));
    assert_eq!([look, more_looks], [0, 0], "no file is known to be made of one of these leases");
    assert!(more <= 2 * publish, "{publish} and {more}");
}

/// Returns what it costs to replace so many leases of an earlier run before the first publish.
fn replacing(number: usize) -> u64 {
    let mut kept = kept(0);
    let one = kept.secrets.pop().expect("a secret");
    let now = Hand::new(policy(Mode::Daemon, 1)).now().moment;
    let lease = one.lease.clone().expect("a lease");
    let secret = |n: usize| {
        let id = LeaseId(format!("old-{n}"));
        let lease = KeptLease { id, expires: now, renewable: false, ..lease.clone() };
        let request = request(&format!("database/creds/{n}"));
        KeptSecret { request, written: vec![], lease: Some(lease), ..one.clone() }
    };
    kept.secrets = (0..number).map(secret).collect();
    let mut hand = Hand::new(policy(Mode::Daemon, number));
    let mut actions = VecDeque::from(hand.give(Event::Start { kept: Some(kept), rebooted: false }));
    for file in 0..number - 1 {
        actions.extend(hand.rendered(file, &format!("database/creds/{file}")));
    }
    let (steps, reads) = counted(|| {
        let mut reads = 0;
        while let Some(action) = actions.pop_front() {
            if let Action::Ask(Question::Read { secret: SecretId(secret), .. }) = action {
                reads += 1;
                actions.extend(hand.read(secret, leased(&format!("new-{secret}"), 3600)));
            }
        }
        reads
    });
    assert_eq!(reads, number, "each is read once");
    steps
}

#[test]
fn a_lease_of_an_earlier_run_that_is_replaced_costs_no_step_for_each_file() {
    let (few, many) = (replacing(20), replacing(40));
    assert!(many <= 2 * few + 8, "{few} and {many}");
}

/// A controller goes on with another engine for each definition that changes, and polls nothing for that.
#[test]
fn an_engine_that_goes_on_asks_again_for_what_the_one_before_could_not_read() {
    let mut policy = policy(Mode::Daemon, 1);
    policy.files[0].refresh = Duration::from_secs(300);
    let mut before = settled_by(policy.clone(), kv(true));
    let asks = read_of(0, "secret/data/web");
    while !before.sleep().contains(&asks) {}
    let result = Err(Failure::new(FailureKind::Nonsense, "a page"));
    let sent = before.now().moment;
    before.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent, result });
    // One after another.
    let (mut hand, mut seen) = (before, Vec::new());
    let began = hand.millis;
    for _ in 0..2 {
        let kept = Some(hand.engine.snapshot());
        hand = Hand::new(policy.clone());
        hand.millis = began;
        hand.give(Event::Start { kept, rebooted: false });
        seen = hand.rendered(0, "secret/web");
    }
    while !seen.contains(&asks) {
        seen = hand.sleep();
    }
    let waited = hand.millis - began;
    assert!(waited < 10_000, "{waited} ms");
}

/// The run before was killed between a renewal and the write that tells of it.
#[test]
fn a_lease_that_may_have_been_renewed_since_the_last_write_is_not_taken_from_an_application_that_knows_no_other()
 {
    let mut before = settled(leased("held", 60));
    before.millis += 30_000;
    let kept =
        Snapshot { ending: true, blind: true, untold: ["app".to_owned()].into(), ..before.engine.snapshot() };
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.millis = before.millis;
    let began = hand.millis;
    let mut asked: VecDeque<Action> = hand.give(Event::Start { kept: Some(kept), rebooted: false }).into();
    loop {
        let sent = hand.now().moment;
        let event = match asked.pop_front() {
            Some(Action::Ask(Question::RevokeToken(_) | Question::RevokeLease { .. })) => break,
            Some(Action::Ask(Question::LogIn(token))) => {
                Event::LoggedIn { token, sent, result: Ok(Hand::facts(token.0, 3600)) }
            }
            Some(Action::Ask(Question::Resolve { secret, request, .. })) => {
                Event::Resolved { secret, result: Ok(request.as_ref().clone()) }
            }
            Some(Action::Ask(Question::Read { secret, token, .. })) => {
                Event::Read { secret, token, sent, result: Ok(leased("new", 3600)) }
            }
            Some(Action::Render(file)) => {
                let used = vec![request("secret/data/web")];
                Event::Rendered { file, outcome: RenderOutcome::Rendered { changed: true, used } }
            }
            Some(Action::Publish { unit, files }) => {
                Event::Published { unit, result: Ok(Published { generation: 2, changed: files }) }
            }
            Some(Action::Notify { notifier, .. }) => {
                Event::Notified { notifier, result: Err("no such process".to_owned()) }
            }
            Some(_) => continue,
            None => {
                assert!(hand.millis < began + 600_000, "it is never given back");
                asked.extend(hand.sleep());
                continue;
            }
        };
        asked.extend(hand.give(event));
    }
    let after = hand.millis - began;
    assert!(after >= 60_000, "it is given back after {after} ms");
}

/// The beat of the shorter interval may just have passed.
#[test]
fn a_read_is_not_put_off_by_another_file_that_begins_to_use_the_secret() {
    let kept = settled(kv(true)).engine.snapshot();
    let mut policy = policy(Mode::Daemon, 2);
    policy.files[0].refresh = Duration::from_secs(300);
    policy.files[1].refresh = Duration::from_secs(120);
    let nothing = || RenderOutcome::Rendered { changed: true, used: Vec::new() };
    for after in (0..300_000).step_by(7000) {
        let mut hand = Hand::new(policy.clone());
        hand.millis = 2_000_000;
        hand.give(Event::Start { kept: Some(kept.clone()), rebooted: false });
        hand.rendered(0, "secret/data/web");
        hand.give(Event::Rendered { file: FileId(1), outcome: nothing() });
        let planned = |hand: &Hand| hand.engine.view(hand.now()).secrets[0].next;
        let (_, before) = planned(&hand).expect("a read is planned");
        hand.millis += after;
        if hand.now().moment < before {
            hand.rendered(1, "secret/data/web");
            let (_, at) = planned(&hand).expect("a read is planned");
            assert!(at <= before, "{at:?} is later than {before:?}");
        }
    }
}
