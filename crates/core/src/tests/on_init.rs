//! Notifiers that init is to notify, too: it does not end before they are.

use std::time::Duration;

use super::hand::{Hand, kv, policy};
use crate::interface::action::{Action, Question};
use crate::interface::event::Event;
use crate::interface::ids::{NotifierId, TokenId};
use crate::interface::policy::OnInit;
use crate::interface::policy::{Mode, Policy};
use leasehold_base::exit::{Cause, Ending};

const INIT: Mode = Mode::Init { timeout: Duration::from_secs(20) };
const NOTIFY: Action = Action::Notify { notifier: NotifierId(0), delay: Duration::ZERO };

/// Makes an `init` that has published its file. Returns what it does next, too.
fn published(on_init: Option<OnInit>, changed: &[usize]) -> (Hand, Vec<Action>) {
    let on_init = on_init.map(|on_init| (NotifierId(0), on_init)).into_iter().collect();
    let mut hand = Hand::new(Policy { on_init, ..policy(INIT, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    hand.read(0, kv(true));
    hand.rendered(0, "secret/web");
    let actions = hand.published(1, changed);
    (hand, actions)
}

fn answered(hand: &mut Hand, result: Result<(), String>) -> Vec<Action> {
    hand.give(Event::Notified { notifier: NotifierId(0), result })
}

#[test]
fn init_ends_when_what_it_notifies_has_been_notified() {
    let (mut hand, actions) = published(Some(OnInit::Must), &[0]);
    assert_eq!(actions, [NOTIFY], "nothing else yet");
    assert_eq!(answered(&mut hand, Ok(())), [Action::Ask(Question::RevokeToken(TokenId(1)))]);
}

#[test]
fn nothing_is_notified_of_what_did_not_change_nor_where_nobody_asks_for_it() {
    for (on_init, changed) in [(None, &[0][..]), (Some(OnInit::Must), &[]), (Some(OnInit::MayFail), &[])] {
        let (_, actions) = published(on_init, changed);
        assert_eq!(actions, [Action::Ask(Question::RevokeToken(TokenId(1)))], "{on_init:?}");
    }
}

#[test]
fn a_failure_is_tried_again_until_the_deadline_and_is_its_reason() {
    let (mut hand, _) = published(Some(OnInit::Must), &[0]);
    let (mut tries, mut actions) = (1, answered(&mut hand, Err("it ended with 3".to_owned())));
    let ending: Ending = loop {
        if let Some(Action::Exit(result)) = actions.iter().find(|action| matches!(action, Action::Exit(_))) {
            break result.clone().expect_err("it never succeeded");
        }
        let again = actions.contains(&NOTIFY);
        tries += u32::from(again);
        actions = if again { answered(&mut hand, Err("it ended with 3".to_owned())) } else { hand.sleep() };
    };
    assert_eq!(
        (ending.cause, ending.what.as_str()),
        (Cause::Deadline, "could not notify app: it ended with 3")
    );
    assert!(tries > 3, "{tries}");
}

#[test]
fn one_that_may_fail_is_tried_once() {
    let (mut hand, actions) = published(Some(OnInit::MayFail), &[0]);
    assert_eq!(actions, [NOTIFY]);
    assert_eq!(answered(&mut hand, Err("no".to_owned())), [Action::Ask(Question::RevokeToken(TokenId(1)))]);
}

#[test]
fn one_that_never_ends_is_named_at_the_deadline() {
    let (mut hand, _) = published(Some(OnInit::Must), &[0]);
    let ending = loop {
        let actions = hand.sleep();
        if let Some(Action::Exit(result)) = actions.into_iter().find(|it| matches!(it, Action::Exit(_))) {
            break result.expect_err("it never ended");
        }
    };
    assert_eq!(ending.what, "could not notify app: it did not end in time");
}
