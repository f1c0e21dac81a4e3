//! Publishes whose answer was lost. Readers may see the new files, and no notifier was notified of them.

use super::INIT;
use super::hand::{Hand, kv, policy, publish, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Unpublished};
use crate::interface::ids::{TokenId, UnitId};
use crate::interface::policy::{Mode, Policy};
use leasehold_base::exit::{Cause, Ending};

/// Makes a daemon that publishes a changed value.
fn publishing() -> Hand {
    let mut hand = settled(kv(true));
    hand.sleep();
    hand.read(0, kv(true));
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    hand
}

fn failed(may_be_visible: bool) -> Event {
    let why = Ending::new(Cause::Destination, "no answer", "");
    Event::Published { unit: UnitId(0), result: Err(Unpublished { why, may_be_visible }) }
}

/// Publishes the first value of all.
fn first(hand: &mut Hand) {
    hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    let mut seen = hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    seen.extend(hand.read(0, kv(true)));
    seen.extend(hand.rendered(0, "secret/web"));
    assert!(seen.contains(&publish(&[0])));
    let saves = seen.iter().filter(|action| **action == Action::SaveHandoff).count();
    (0..saves).for_each(|_| drop(hand.give(Event::HandoffSaved(Ok(())))));
}

/// Returns what the next run is told of this one's notifications.
fn owed(hand: &Hand) -> Vec<String> {
    hand.engine.snapshot().untold.into_iter().collect()
}

/// If this run is killed before a publish succeeds, only the handoff can tell the next run to notify.
#[test]
fn who_reads_what_may_be_visible_is_owed_a_notification_until_a_publish_succeeds() {
    let mut hand = publishing();
    hand.give(failed(true));
    while !hand.sleep().contains(&publish(&[0])) {
        assert_eq!(owed(&hand), ["app"]);
    }
    assert_eq!(owed(&hand), ["app"]);
    // It was not visible, and the value is again what it was before.
    hand.published(1, &[]);
    assert_eq!(owed(&hand), [""; 0]);
}

#[test]
fn who_reads_what_may_be_visible_is_owed_a_notification_by_the_successor() {
    let mut hand = publishing();
    hand.give(Event::Yield);
    hand.give(failed(true));
    assert!(hand.engine.has_yielded());
    assert_eq!(owed(&hand), ["app"]);
}

#[test]
fn who_reads_what_may_be_visible_is_notified_by_the_next_run_if_this_one_leaves() {
    let mut hand = publishing();
    hand.give(Event::Stop { at_once: true });
    hand.give(failed(true));
    assert_eq!(owed(&hand), ["app"]);
}

/// The promise to notify was written before the publish, so it has to be taken back: a volume may stay full for hours.
#[test]
fn a_publish_of_which_nothing_is_visible_owes_nobody_a_notification() {
    let mut hand = Hand::new(Policy { handoff: true, ..policy(Mode::Daemon, 1) });
    first(&mut hand);
    assert_eq!(owed(&hand), ["app"], "this run may be killed between the publish and the notification");
    hand.give(failed(false));
    // The pauses between the tries grow. After the fifth there is time for a write before the next.
    for _ in 0..4 {
        assert_eq!(owed(&hand), [""; 0]);
        while !slept(&mut hand).contains(&publish(&[0])) {}
        hand.give(failed(false));
    }
    saves_soon(&mut hand);
    while !slept(&mut hand).contains(&publish(&[0])) {}
    // The publish finds that the files on disk are the same already.
    hand.published(1, &[]);
    assert_eq!(owed(&hand), [""; 0]);
    saves_soon(&mut hand);
}

fn saves_soon(hand: &mut Hand) {
    let begin = hand.millis;
    loop {
        let seen = slept(hand);
        assert!(!seen.contains(&publish(&[0])), "that writes the promise again");
        if seen.contains(&Action::SaveHandoff) {
            break;
        }
    }
    assert!(hand.millis < begin + 1500, "{} ms", hand.millis - begin);
}

/// Sleeps to the next deadline, and writes each handoff at once.
fn slept(hand: &mut Hand) -> Vec<Action> {
    let mut seen = hand.sleep();
    let saves = seen.iter().filter(|action| **action == Action::SaveHandoff).count();
    (0..saves).for_each(|_| seen.extend(hand.give(Event::HandoffSaved(Ok(())))));
    seen
}

/// An end that waits for the publish would take as long as it may.
#[test]
fn a_start_whose_publish_fails_ends_without_a_promise() {
    let mut hand = Hand::new(policy(INIT, 1));
    first(&mut hand);
    let mut seen = hand.give(failed(false));
    assert_eq!(owed(&hand), [""; 0]);
    assert!(seen.contains(&Action::Ask(Question::RevokeToken(TokenId(1)))), "{seen:?}");
    seen.extend(hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) }));
    assert!(seen.iter().any(|action| matches!(action, Action::Exit(Err(_)))), "{seen:?}");
}
