//! Values without a lease that say themselves when they end, or when the server replaces them.

use std::time::Duration;

use super::hand::{Hand, kv, policy, read_of, settled, settled_by};
use crate::interface::action::Action;
use crate::interface::event::{Event, Life, ReadFacts};
use crate::interface::ids::FileId;
use crate::interface::policy::Mode;
use crate::interface::view::Readiness;
use leasehold_base::failure::{Failure, FailureKind};

const READ: &str = "secret/data/web";

fn said(life: Life, rotated: bool) -> ReadFacts {
    ReadFacts { life, version: None, rotated, ..kv(true) }
}

fn ends_in(seconds: u64) -> ReadFacts {
    said(Life::EndsIn(Duration::from_secs(seconds)), true)
}

fn rotates_in(seconds: u64, rotated: bool) -> ReadFacts {
    said(Life::RotatesIn(Duration::from_secs(seconds)), rotated)
}

/// Sleeps until the secret is read; returns for how many seconds.
fn until_read(hand: &mut Hand) -> u64 {
    let began = hand.millis;
    while !hand.sleep().contains(&read_of(0, READ)) {}
    (hand.millis - began) / 1000
}

#[test]
fn a_token_that_each_read_makes_is_replaced_before_its_end_and_not_by_refresh() {
    for life in [15, 1500] {
        let mut hand = settled(ends_in(life));
        let waited = until_read(&mut hand);
        assert!(waited * 2 >= life && waited < life, "{waited} of {life} s, with a refresh of 10 s");
        assert_eq!(hand.read(0, ends_in(life)), [Action::Render(FileId(0))]);
    }
}

#[test]
fn to_ask_for_news_makes_no_new_token_while_the_old_one_lives() {
    let mut hand = settled(ends_in(600));
    assert!(!hand.give(Event::Refresh).contains(&read_of(0, READ)));
    assert!(until_read(&mut hand) > 300);
}

#[test]
fn a_token_past_its_end_is_not_ready() {
    let mut hand = settled(ends_in(60));
    until_read(&mut hand);
    hand.give(Event::Read {
        secret: crate::interface::ids::SecretId(0),
        token: crate::interface::ids::TokenId(1),
        sent: hand.now().moment,
        result: Err(Failure::new(FailureKind::Fault, "no")),
    });
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready, "it lives");
    hand.millis += 60_000;
    let readiness = hand.engine.view(hand.now()).readiness;
    assert!(matches!(readiness, Readiness::Expired { .. }), "{readiness:?}");
}

#[test]
fn a_token_of_an_earlier_run_is_gone_on_from_and_after_another_boot_replaced() {
    let hand = settled(ends_in(600));
    let kept = hand.engine.snapshot();
    for rebooted in [false, true] {
        let mut next = Hand::new(policy(Mode::Daemon, 1));
        next.millis = hand.millis + 1000;
        let mut actions = next.give(Event::Start { kept: Some(kept.clone()), rebooted });
        actions.extend(next.rendered(0, "secret/web"));
        if rebooted {
            // Once the token is known to live.
            let facts = Ok(Hand::facts(1, 3000));
            let token = crate::interface::ids::TokenId(1);
            actions.extend(next.give(Event::LookedUp { token, sent: next.now().moment, result: facts }));
        }
        assert_eq!(actions.contains(&read_of(0, READ)), rebooted);
    }
}

#[test]
fn a_role_that_rotates_in_a_month_is_read_at_every_refresh() {
    let month = 30 * 86_400;
    let mut hand = settled(rotates_in(month, true));
    for n in 1..5 {
        let waited = until_read(&mut hand);
        assert!(waited <= 11, "{waited} s");
        hand.read(0, ReadFacts { changed: false, ..rotates_in(month - 10 * n, false) });
    }
    assert!(hand.give(Event::Refresh).contains(&read_of(0, READ)), "and when that is asked for");
}

#[test]
fn a_role_is_read_a_second_after_its_rotation() {
    let mut hand = settled(rotates_in(4, true));
    let waited = until_read(&mut hand);
    assert!((5..=6).contains(&waited), "{waited} s");
}

#[test]
fn a_rotation_whose_time_was_moved_on_before_its_password_is_asked_about_again_soon() {
    let mut hourly = policy(Mode::Daemon, 1);
    hourly.files[0].refresh = Duration::from_secs(1000);
    let mut hand = settled_by(hourly, rotates_in(4, true));
    until_read(&mut hand);
    // The time has changed, but the password has not yet.
    hand.read(0, rotates_in(3600, false));
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push(until_read(&mut hand));
        hand.read(0, ReadFacts { changed: false, ..rotates_in(3599, false) });
    }
    assert!(waits[0] <= 2 && waits.is_sorted() && waits[0] < waits[3] && waits[3] < 10, "{waits:?}");
    until_read(&mut hand);
    hand.read(0, rotates_in(3598, true));
    assert!(until_read(&mut hand) > 100, "it is there: no more hurry than refresh");
}

#[test]
fn a_rotation_by_hand_that_moves_the_time_first_is_noticed_too() {
    let mut hand = settled(rotates_in(1000, true));
    until_read(&mut hand);
    hand.read(0, rotates_in(5000, false));
    assert!(until_read(&mut hand) <= 2);
}

#[test]
fn a_period_that_was_made_longer_is_not_asked_about_for_ever() {
    let mut hand = settled(rotates_in(1000, true));
    until_read(&mut hand);
    hand.read(0, rotates_in(100_000, false));
    let mut hurried = 0;
    while until_read(&mut hand) < 5 {
        hurried += 1;
        hand.read(0, ReadFacts { changed: false, ..rotates_in(99_000, false) });
        assert!(hurried < 10);
    }
}

#[test]
fn ends_at_the_limits_of_what_a_number_holds_are_no_panic() {
    for life in
        [Life::EndsIn(Duration::MAX), Life::RotatesIn(Duration::MAX), Life::Until(i64::MAX), Life::Until(1)]
    {
        let mut hand = settled(said(life, true));
        let _ = hand.engine.view(hand.now());
        hand.give(Event::Refresh);
        let mut next = Hand::new(policy(Mode::Daemon, 1));
        next.give(Event::Start { kept: Some(hand.engine.snapshot()), rebooted: false });
    }
}
