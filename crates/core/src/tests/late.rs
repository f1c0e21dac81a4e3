//! Answers and notifications that are overtaken by what came since.

use std::time::Duration;

use super::hand::{Hand, leased, policy, publish, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted, Wanted};
use crate::interface::ids::{LeaseId, NotifierId, SecretId, TokenId};
use crate::interface::policy::Mode;
use leasehold_base::failure::{Failure, FailureKind};

/// A machine that slept hears of its renewals when it has asked for another lease already.
#[test]
fn a_lease_that_was_renewed_unheard_is_renewed_again_where_its_replacement_fails() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    hand.logged_in_for(1, 900);
    hand.resolved(0, "database/creds/web");
    hand.read(0, leased("l", 600));
    hand.rendered(0, "database/creds/web");
    hand.published(1, &[0]);
    let asks = |seen: &[Action], which: fn(&Question) -> bool| {
        seen.iter().any(|action| matches!(action, Action::Ask(question) if which(question)))
    };
    let renews: fn(&Question) -> bool = |question| matches!(question, Question::Renew { .. });
    let reads: fn(&Question) -> bool = |question| matches!(question, Question::Read { .. });
    while !asks(&hand.sleep(), renews) {}
    let lease_sent = hand.now().moment;
    while !asks(&hand.sleep(), |question| matches!(question, Question::RenewToken(_))) {}
    let token_sent = hand.now().moment;
    hand.millis += 450_000;
    hand.give(Event::Wake);
    let granted = |ttl| Granted { ttl: Duration::from_secs(ttl), renewable: true };
    let renewed = Event::TokenRenewed { token: TokenId(1), sent: token_sent, result: Ok(granted(900)) };
    assert!(asks(&hand.give(renewed), reads), "its lease seems to be over");
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    let away = || Failure::new(FailureKind::Unreachable, "connection refused");
    let renewed =
        Event::Renewed { secret, lease: lease.clone(), sent: lease_sent, result: Ok(granted(1200)) };
    assert!(asks(&hand.give(renewed), renews), "half of it is over");
    let sent = hand.now().moment;
    let mut seen = hand.give(Event::Renewed { secret, lease, sent, result: Err(away()) });
    seen.extend(hand.give(Event::Read { secret, token: TokenId(1), sent, result: Err(away()) }));
    let end = hand.millis + 120_000;
    while !asks(&seen, renews) {
        assert!(!asks(&seen, reads), "it lives for minutes more");
        assert!(hand.millis < end, "nobody asks any more");
        let probes = seen.contains(&Action::Ask(Question::Probe));
        seen = if probes { hand.give(Event::Probed(Ok(()))) } else { hand.sleep() };
    }
}

/// Each notification takes longer than changes are apart, as the restart of many pods may.
#[test]
fn a_notification_frees_what_was_published_before_it_began_also_where_there_is_news_since() {
    let mut hand = settled(leased("l1", 3600));
    let replace = |hand: &mut Hand, lease: &str, generation: u64| {
        hand.give(Event::Renew(Wanted::Path("secret/data/web".to_owned())));
        hand.read(0, leased(lease, 3600));
        assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
        hand.published(generation, &[0])
    };
    let notify = Action::Notify { notifier: NotifierId(0), delay: Duration::ZERO };
    assert_eq!(replace(&mut hand, "l2", 2), std::slice::from_ref(&notify));
    assert_eq!(replace(&mut hand, "l3", 3), [], "one at a time");
    assert_eq!(hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) }), [notify]);
    let revoked = |seen: &[Action], name: &str| {
        seen.iter().any(|action| {
            matches!(action, Action::Ask(Question::RevokeLease { lease, .. }) if *lease == LeaseId(name.into()))
        })
    };
    let end = hand.millis + 60_000;
    loop {
        let seen = hand.sleep();
        assert!(!revoked(&seen, "l2"), "nobody was notified of its successor");
        if revoked(&seen, "l1") {
            break;
        }
        assert!(hand.millis < end, "it is never given back");
    }
}

/// The driver knows of a reader that the policy does not name. What it keeps is neither called revoked nor forgotten.
#[test]
fn a_lease_that_the_driver_keeps_stays_in_the_handoff_and_is_asked_for_again() {
    let mut hand = settled(leased("old", 3600));
    hand.give(Event::Renew(Wanted::Path("secret/data/web".to_owned())));
    hand.read(0, leased("new", 3600));
    hand.rendered(0, "secret/web");
    hand.published(2, &[0]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    let old = LeaseId("old".into());
    let until_asked = |hand: &mut Hand| {
        let end = hand.millis + 60_000;
        while !hand.sleep().iter().any(|action| matches!(action, Action::Ask(Question::RevokeLease { .. }))) {
            assert!(hand.millis < end, "no revocation is asked for");
        }
    };
    for _ in 0..3 {
        until_asked(&mut hand);
        // `give` leaves the lines of the log out.
        let seen = hand.engine.handle(Event::LeaseKept(old.clone()), hand.now());
        assert!(seen.iter().any(|action| matches!(action, Action::Say(say) if say.text.contains("kept"))));
        let told = |action: &Action| matches!(action, Action::Say(say) if say.text.contains("revoked"));
        assert!(!seen.iter().any(told), "{seen:?}");
        assert!(
            hand.engine.snapshot().retiring.iter().any(|lease| lease.id == old),
            "the next run must know"
        );
    }
    until_asked(&mut hand);
    hand.give(Event::LeaseRevoked { lease: old, result: Ok(()) });
    assert_eq!(hand.engine.snapshot().retiring, []);
}
