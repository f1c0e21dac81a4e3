//! What has to be written down: each change once, and nothing that has not changed.

use super::hand::{Hand, kv, leased, policy, publish, request, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted, Wanted};
use crate::interface::ids::{LeaseId, SecretId, TokenId, UnitId};
use crate::interface::policy::Mode;
use leasehold_base::exit::{Cause, Ending};
use std::time::Duration;

#[test]
fn a_change_is_told_once_and_what_is_only_looked_at_is_none() {
    let mut hand = settled(leased("l", 3600));
    let first = hand.engine.changes();
    assert_eq!(first.secrets, hand.engine.snapshot().secrets);
    assert_eq!(first.rest.tokens, hand.engine.snapshot().tokens);
    assert!(hand.engine.changes().is_empty(), "it was told");
    let renews = |action: &Action| matches!(action, Action::Ask(Question::Renew { .. }));
    while !hand.sleep().iter().any(renews) {}
    let sent = hand.now().moment;
    let granted = Granted { ttl: Duration::from_secs(7200), renewable: true };
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    hand.give(Event::Renewed { secret, lease, sent, result: Ok(granted) });
    assert_eq!(hand.engine.changes().secrets, hand.engine.snapshot().secrets);
}

#[test]
fn a_value_that_was_read_again_and_stays_the_same_is_not_told_again() {
    let mut hand = settled(kv(true));
    assert_eq!(hand.engine.changes().secrets.len(), 1);
    hand.sleep();
    hand.read(0, kv(false));
    assert!(hand.engine.changes().is_empty());
    hand.sleep();
    hand.read(0, kv(true));
    assert_eq!(hand.engine.changes().secrets, hand.engine.snapshot().secrets);
}

#[test]
fn a_lease_that_is_replaced_goes_over_to_the_retiring_ones() {
    let mut hand = settled(leased("old", 3600));
    let _ = hand.engine.changes();
    hand.give(Event::Renew(Wanted::Path("secret/web".into())));
    hand.read(0, leased("new", 3600));
    let changes = hand.engine.changes();
    assert_eq!(changes.secrets, hand.engine.snapshot().secrets);
    assert_eq!(changes.retiring, hand.engine.snapshot().retiring);
    assert_eq!(changes.retiring.len(), 1);
    assert!(hand.engine.changes().is_empty());
}

#[test]
fn a_secret_that_no_file_uses_any_more_is_told_to_be_gone() {
    let mut hand = settled(kv(true));
    let kept = hand.engine.changes().secrets;
    hand.rendered(0, "secret/other");
    let changes = hand.engine.changes();
    assert_eq!(changes.dropped, [kept[0].request.clone()]);
    assert!(changes.secrets.is_empty());
    let mut other = Hand::new(policy(Mode::Daemon, 1));
    let _ = (request("a"), TokenId(1), other.engine.changes());
    assert!(other.engine.changes().is_empty());
}

/// A driver that has not begun a publish says so when the engine yields. That is no trouble: the successor publishes at once.
#[test]
fn a_publish_that_is_put_off_for_a_successor_is_no_trouble_and_comes_back_without_one() {
    let mut hand = settled(kv(true));
    hand.sleep();
    hand.read(0, kv(true));
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    hand.give(Event::Yield);
    assert!(!hand.engine.has_yielded(), "the publish is under way");
    let put_off = Ending::new(Cause::Destination, "put off", "");
    assert_eq!(hand.give(Event::Published { unit: UnitId(0), result: Err(put_off.into()) }), []);
    assert!(hand.engine.has_yielded());
    assert!(hand.engine.view(hand.now()).files.iter().all(|file| file.error.is_none()));
    // The new configuration cannot be used after all.
    assert_eq!(hand.give(Event::Resume), [publish(&[0])]);
}
