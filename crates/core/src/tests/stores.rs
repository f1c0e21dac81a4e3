//! Stores that are no Vault: asked without a login, each resting by itself.

use std::sync::Arc;
use std::time::Duration;

use super::hand::{Hand, kv, policy, publish, request};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, RenderOutcome};
use crate::interface::ids::{FileId, NotifierId, SecretId, StoreId};
use crate::interface::policy::{Mode, Policy, StorePolicy};
use crate::interface::view::{Health, Readiness};
use leasehold_base::exit::Cause;
use leasehold_base::failure::{Failure, FailureKind};

const AZURE: StoreId = StoreId(0);
const AWS: StoreId = StoreId(1);
const ONE: &str = "azure/db-password";
const TWO: &str = "aws/prod/db";

fn stored(mode: Mode, files: usize) -> Policy {
    let store = |name: &str| StorePolicy { name: name.into(), max_in_flight: 4 };
    Policy { stores: vec![store("azure"), store("aws")], logs_in: false, ..policy(mode, files) }
}

fn fetch(store: StoreId, secret: usize, path: &str) -> Action {
    Action::Ask(Question::Fetch { store, secret: SecretId(secret), request: Arc::new(request(path)) })
}

fn fetched(
    hand: &mut Hand,
    store: StoreId,
    secret: usize,
    result: Result<ReadFacts, Failure>,
) -> Vec<Action> {
    let sent = hand.now().moment;
    hand.give(Event::Fetched { store, secret: SecretId(secret), sent, result })
}

fn failure(kind: FailureKind) -> Result<ReadFacts, Failure> {
    Err(Failure::new(kind, "says the store"))
}

fn started(policy: Policy) -> Hand {
    let mut hand = Hand::new(policy);
    let actions = hand.give(Event::Start { kept: None, rebooted: false });
    assert!(actions.iter().all(|action| matches!(action, Action::Render(_))), "no login: {actions:?}");
    hand
}

/// Makes a daemon with two published files. The first is made of one store and the second of the other.
fn settled() -> Hand {
    let mut hand = started(stored(Mode::Daemon, 2));
    assert_eq!(hand.needs(0, ONE), [fetch(AZURE, 0, ONE)]);
    assert_eq!(hand.needs(1, TWO), [fetch(AWS, 1, TWO)]);
    fetched(&mut hand, AZURE, 0, Ok(kv(true)));
    fetched(&mut hand, AWS, 1, Ok(kv(true)));
    hand.rendered(0, ONE);
    hand.rendered(1, TWO);
    hand.published(1, &[0, 1]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready);
    hand
}

/// Sleeps until this is asked.
fn until(hand: &mut Hand, wanted: &Action) {
    for _ in 0..100 {
        if hand.sleep().contains(wanted) {
            return;
        }
    }
    panic!("{wanted:?} is not asked");
}

#[test]
fn what_begins_with_a_stores_name_is_read_there_at_once_and_without_a_login() {
    let mut hand = started(stored(Mode::Daemon, 1));
    assert_eq!(hand.needs(0, ONE), [fetch(AZURE, 0, ONE)]);
    fetched(&mut hand, AZURE, 0, Ok(kv(true)));
    assert_eq!(hand.rendered(0, ONE), [publish(&[0])]);
}

#[test]
fn the_rest_goes_to_the_vault_with_its_login() {
    let mut hand = Hand::new(Policy { logs_in: true, ..stored(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let missing = vec![request(ONE), request("secret/web")];
    let outcome = RenderOutcome::Needs { missing, used: vec![] };
    assert_eq!(hand.give(Event::Rendered { file: FileId(0), outcome }), [fetch(AZURE, 0, ONE)]);
    let asked = hand.logged_in(1);
    assert!(matches!(asked[..], [Action::Ask(Question::Resolve { secret: SecretId(1), .. })]), "{asked:?}");
}

#[test]
fn a_store_that_is_away_rests_while_the_other_goes_on() {
    let mut hand = settled();
    until(&mut hand, &fetch(AZURE, 0, ONE));
    // One beat for all that a pod looks at.
    fetched(&mut hand, AWS, 1, Ok(kv(false)));
    let down = hand.millis;
    fetched(&mut hand, AZURE, 0, failure(FailureKind::Unreachable));
    let view = hand.engine.view(hand.now());
    assert!(matches!(view.readiness, Readiness::ReadyWithoutStore { ref store, .. } if store == "azure"));
    assert!(matches!(view.files[0].health, Health::Stale(_)), "{:?}", view.files[0]);
    assert_eq!(view.files[1].health, Health::Good);
    let (mut asked, mut others) = (0, 0);
    while hand.millis < down + 600_000 {
        let actions = hand.sleep();
        if actions.contains(&fetch(AZURE, 0, ONE)) {
            asked += 1;
            fetched(&mut hand, AZURE, 0, failure(FailureKind::Unreachable));
        }
        if actions.contains(&fetch(AWS, 1, TWO)) {
            others += 1;
            fetched(&mut hand, AWS, 1, Ok(kv(others == 3)));
        }
    }
    assert!((10..=40).contains(&asked), "{asked} tries in ten minutes");
    assert!(others >= 50, "the other store is read every ten seconds: {others}");
    until(&mut hand, &fetch(AZURE, 0, ONE));
    fetched(&mut hand, AZURE, 0, Ok(kv(true)));
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready);
}

#[test]
fn after_an_outage_one_request_finds_out_and_the_others_follow_within_seconds() {
    let mut hand = started(stored(Mode::Daemon, 3));
    let paths = ["azure/a", "azure/b", "azure/c"];
    for (at, path) in paths.into_iter().enumerate() {
        assert_eq!(hand.needs(at, path), [fetch(AZURE, at, path)]);
    }
    for at in 0..3 {
        fetched(&mut hand, AZURE, at, failure(FailureKind::Unavailable));
    }
    let mut asked = Vec::new();
    while asked.is_empty() {
        asked = hand.sleep();
    }
    let [Action::Ask(Question::Fetch { secret, .. })] = asked[..] else { panic!("one at a time: {asked:?}") };
    fetched(&mut hand, AZURE, secret.0, Ok(kv(true)));
    let back = hand.millis;
    let mut others = 0;
    while others < 2 {
        let actions = hand.sleep();
        others += actions.iter().filter(|it| matches!(it, Action::Ask(Question::Fetch { .. }))).count();
        assert!(hand.millis - back < 3_000, "{others} of 2 after {} ms", hand.millis - back);
    }
}

#[test]
fn a_store_that_asks_for_time_gets_it() {
    let mut hand = settled();
    until(&mut hand, &fetch(AZURE, 0, ONE));
    let asked = hand.millis;
    let later = FailureKind::Overloaded(Some(Duration::from_secs(20)));
    fetched(&mut hand, AZURE, 0, failure(later));
    until(&mut hand, &fetch(AZURE, 0, ONE));
    let waited = hand.millis - asked;
    assert!((20_000..32_000).contains(&waited), "{waited} ms");
}

#[test]
fn init_fails_at_once_for_what_is_not_there_and_after_a_second_denial() {
    let timeout = Duration::from_secs(60);
    for (kind, cause, tries) in
        [(FailureKind::Missing, Cause::Missing, 1), (FailureKind::Denied, Cause::Denied, 2)]
    {
        let mut hand = started(stored(Mode::Init { timeout }, 1));
        assert_eq!(hand.needs(0, ONE), [fetch(AZURE, 0, ONE)]);
        let mut actions = fetched(&mut hand, AZURE, 0, failure(kind));
        for _ in 1..tries {
            assert!(actions.iter().all(|action| !matches!(action, Action::Exit(_))), "{actions:?}");
            until(&mut hand, &fetch(AZURE, 0, ONE));
            actions = fetched(&mut hand, AZURE, 0, failure(kind));
        }
        let end = actions.iter().find_map(|action| match action {
            Action::Exit(result) => Some(result.clone()),
            _ => None,
        });
        let ending = end.expect("it ends").expect_err("it fails");
        assert_eq!(ending.cause, cause);
        assert!(ending.what.contains(ONE) && !ending.hint.contains("policy"), "{ending:?}");
    }
}

#[test]
fn an_engine_that_yields_waits_for_the_answer_of_a_store() {
    let mut hand = settled();
    until(&mut hand, &fetch(AZURE, 0, ONE));
    fetched(&mut hand, AWS, 1, Ok(kv(false)));
    hand.give(Event::Yield);
    assert!(!hand.engine.has_yielded());
    fetched(&mut hand, AZURE, 0, Ok(kv(false)));
    assert!(hand.engine.has_yielded());
}

#[test]
fn the_next_run_goes_on_from_what_was_read_and_asks_the_store_at_its_time() {
    let hand = settled();
    let kept = hand.engine.snapshot();
    let mut next = Hand::new(stored(Mode::Daemon, 2));
    next.millis = hand.millis + 1000;
    let actions = next.give(Event::Start { kept: Some(kept), rebooted: false });
    assert!(actions.iter().all(|action| matches!(action, Action::Render(_))), "{actions:?}");
    next.rendered(0, ONE);
    next.rendered(1, TWO);
    next.published(1, &[]);
    until(&mut next, &fetch(AZURE, 0, ONE));
    assert!(next.millis - hand.millis <= 12_000);
}

/// Credentials that we cannot have say nothing of the store that they are for.
#[test]
fn a_store_is_not_back_because_our_own_credentials_fail() {
    let mut hand = settled();
    until(&mut hand, &fetch(AZURE, 0, ONE));
    fetched(&mut hand, AZURE, 0, failure(FailureKind::Unreachable));
    for _ in 0..3 {
        until(&mut hand, &fetch(AZURE, 0, ONE));
        let ours = Failure { by_us: true, ..Failure::new(FailureKind::Refused, "no credentials") };
        fetched(&mut hand, AZURE, 0, Err(ours));
        let outlook = hand.engine.outlook(hand.now());
        assert_eq!(outlook.away.iter().map(|store| store.name.as_str()).collect::<Vec<_>>(), ["azure"]);
    }
    let before = hand.engine.view(hand.now()).stores[0].answers;
    until(&mut hand, &fetch(AZURE, 0, ONE));
    fetched(&mut hand, AZURE, 0, Ok(kv(false)));
    let view = hand.engine.view(hand.now());
    assert_eq!((before, view.stores[0].answers), (1, 2), "only answers count");
    assert_eq!(view.outlook().away, []);
}
