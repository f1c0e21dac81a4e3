//! What was published is removed or changed by another process.

use super::hand::{Hand, kv, policy, publish, read_of, settled};
use crate::interface::action::Action;
use crate::interface::event::{Event, Loss, Wanted};
use crate::interface::ids::{FileId, NotifierId, UnitId};
use crate::interface::policy::Mode;
use crate::interface::view::Readiness;
use leasehold_base::exit::{Cause, Ending};

fn lost(hand: &mut Hand, loss: Loss) {
    hand.lost = [(FileId(0), loss)].into();
}

fn full() -> Ending {
    Ending::new(Cause::Destination, "no space left on the volume", "")
}

#[test]
fn a_file_that_is_gone_is_put_back_by_a_read_that_brings_nothing_new_and_notifies_nothing() {
    for loss in [Loss::Gone, Loss::Changed] {
        let mut hand = settled(kv(true));
        lost(&mut hand, loss);
        hand.sleep();
        assert_eq!(hand.read(0, kv(false)), [publish(&[0])], "{loss:?}");
        let readiness = hand.engine.view(hand.now()).readiness;
        assert!(matches!(readiness, Readiness::Lost { .. }), "{readiness:?}");
        hand.lost.clear();
        assert_eq!(hand.published(2, &[0]), [], "the application was notified of these bytes before");
        assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready);
    }
}

#[test]
fn a_refresh_and_the_minute_look_as_well_but_not_without_a_pause() {
    for (event, looks) in [(Event::Refresh, 1), (Event::Look, 1)] {
        let mut hand = settled(kv(true));
        hand.give(event.clone());
        assert_eq!(hand.looks, looks);
        // Answers in a row are one occasion, and what asks for news is one by itself.
        hand.give(Event::Look);
        assert_eq!(hand.looks, looks, "{event:?}");
        hand.give(Event::Refresh);
        assert_eq!(hand.looks, looks + 1, "{event:?}");
        hand.give(Event::FolderChanged);
        assert_eq!(hand.looks, looks + 2, "a sign that something has changed");
    }
}

#[test]
fn a_unit_that_another_hand_has_changed_is_looked_at_without_a_pause() {
    let mut hand = settled(kv(true));
    for looks in 1..3 {
        hand.give(Event::LookAt(UnitId(0)));
        assert_eq!(hand.looks, looks);
    }
}

#[test]
fn a_file_that_cannot_be_put_back_makes_the_run_not_ready_until_it_is_there() {
    let mut hand = settled(kv(true));
    lost(&mut hand, Loss::Gone);
    assert!(hand.give(Event::Refresh).contains(&publish(&[0])));
    hand.give(Event::Published { unit: UnitId(0), result: Err(full().into()) });
    let Readiness::Lost { file, why } = hand.engine.view(hand.now()).readiness else { panic!("it is gone") };
    assert_eq!((file.as_str(), why.as_str()), ("file-0", "no space left on the volume"));
    let mut again = hand.sleep();
    while !again.contains(&publish(&[0])) {
        again = hand.sleep();
    }
    hand.lost.clear();
    assert_eq!(hand.published(2, &[0]), []);
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready);
    assert_eq!(hand.engine.view(hand.now()).files[0].error, None);
}

#[test]
fn a_volume_that_comes_back_by_itself_is_ready_again() {
    let mut hand = settled(kv(true));
    lost(&mut hand, Loss::Gone);
    hand.give(Event::Refresh);
    hand.give(Event::Published { unit: UnitId(0), result: Err(full().into()) });
    hand.lost.clear();
    hand.give(Event::Refresh);
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready);
    assert_eq!(hand.engine.view(hand.now()).files[0].error, None);
}

#[test]
fn a_publish_that_fails_asks_whether_what_was_there_stays() {
    let mut hand = settled(kv(true));
    hand.sleep();
    assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))]);
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    let before = hand.looks;
    hand.give(Event::Published { unit: UnitId(0), result: Err(full().into()) });
    assert_eq!(hand.looks, before + 1);
    assert_eq!(hand.engine.view(hand.now()).readiness, Readiness::Ready, "the old one is there");
}

#[test]
fn news_that_come_with_what_is_put_back_are_notified() {
    let mut hand = settled(kv(true));
    lost(&mut hand, Loss::Gone);
    hand.sleep();
    assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))], "its publish will find out");
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    assert!(matches!(hand.published(2, &[0])[..], [Action::Notify { .. }]));
}

/// A read that waits for a login may wait for a quarter of an hour.
#[test]
fn the_minute_look_does_not_wait_for_answers() {
    let mut hand = settled(kv(true));
    while hand.sleep() != [read_of(0, "secret/data/web")] {}
    let before = hand.looks;
    hand.give(Event::Look);
    assert_eq!(hand.looks, before + 1);
}

/// Makes a daemon with two published files, each of a secret of its own.
fn settled_with_two() -> Hand {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    hand.give(Event::Start { kept: None, rebooted: false });
    for (file, path) in [(0, "secret/web"), (1, "secret/db")] {
        hand.needs(file, path);
    }
    hand.logged_in(1);
    for (secret, path) in [(0, "secret/data/web"), (1, "secret/data/db")] {
        hand.resolved(secret, path);
        hand.read(secret, kv(true));
    }
    hand.rendered(0, "secret/web");
    assert_eq!(hand.rendered(1, "secret/db"), [publish(&[0, 1])]);
    hand.published(1, &[0, 1]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    hand
}

/// What an answer costs is not to grow with the files of other secrets.
#[test]
fn an_answer_and_a_refresh_of_one_file_look_at_the_files_they_are_about() {
    let mut hand = settled_with_two();
    while hand.sleep().is_empty() {}
    hand.read(0, kv(false));
    hand.read(1, kv(false));
    hand.give(Event::RefreshSome(Wanted::File("file-1".into())));
    assert_eq!(hand.looked_at, [FileId(1)]);
    hand.read(1, kv(false));
    assert_eq!(hand.looked_at, [FileId(1)]);
    hand.give(Event::Look);
    assert_eq!(hand.looked_at, [FileId(0), FileId(1)]);
}

#[test]
fn a_look_at_one_file_says_nothing_of_another_that_is_lost() {
    let mut hand = settled_with_two();
    hand.lost = [(FileId(0), Loss::Gone)].into();
    hand.give(Event::Look);
    hand.give(Event::Published { unit: UnitId(0), result: Err(full().into()) });
    hand.give(Event::RefreshSome(Wanted::File("file-1".into())));
    let Readiness::Lost { file, .. } = hand.engine.view(hand.now()).readiness else { panic!("it is gone") };
    assert_eq!(file, "file-0");
}
