//! The first readiness of a daemon: how a run ends without it, and which notifiers are notified.

use std::time::Duration;

use super::hand::{Hand, denied, kv, policy, settled_by};
use crate::interface::action::{Action, Level, Question, Say};
use crate::interface::event::{Event, Published, RenderOutcome};
use crate::interface::ids::{FileId, NotifierId, SecretId, TokenId, UnitId};
use crate::interface::policy::{FirstReady, Mode, Policy, ShutdownPlan};
use crate::interface::snapshot::{Refusals, Snapshot};
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::{Failure, FailureKind};

const STOP: Event = Event::Stop { at_once: false };

fn daemon(first_ready: FirstReady) -> Hand {
    let mut hand = Hand::new(Policy { first_ready, ..policy(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand
}

fn login_fails(hand: &mut Hand, token: u64, kind: FailureKind) -> Vec<Action> {
    let (sent, result) = (hand.now().moment, Err(Failure::new(kind, "why")));
    hand.give(Event::LoggedIn { token: TokenId(token), sent, result })
}

/// Returns how the run ended among these actions, if it did.
fn end(actions: &[Action]) -> Option<Result<(), Ending>> {
    actions.iter().find_map(|action| match action {
        Action::Exit(result) => Some(result.clone()),
        _ => None,
    })
}

/// Answers every login with a failure, for this many seconds. Returns when and how the run ended, if it did.
fn refused_for(hand: &mut Hand, kind: FailureKind, seconds: u64) -> Option<(u64, Ending)> {
    let began = hand.millis;
    let mut actions = login_fails(hand, 1, kind);
    while hand.millis < began + seconds * 1000 {
        if let Some(result) = end(&actions) {
            return Some(((hand.millis - began) / 1000, result.expect_err("nothing is published")));
        }
        let login = actions.iter().find_map(|action| match action {
            Action::Ask(Question::LogIn(token)) => Some(token.0),
            _ => None,
        });
        let probed = actions.contains(&Action::Ask(Question::Probe));
        actions = match login {
            Some(token) => login_fails(hand, token, kind),
            None if probed => hand.give(Event::Probed(Err(Failure::new(kind, "why")))),
            None => hand.sleep(),
        };
    }
    None
}

#[test]
fn a_login_that_is_refused_for_half_a_minute_ends_a_unit_and_no_container() {
    let (after, ending) =
        refused_for(&mut daemon(FirstReady::Awaited), FailureKind::Refused, 120).expect("it ends");
    assert_eq!((after, ending.cause), (30, Cause::Denied));
    for first in [FirstReady::Wanted, FirstReady::Past] {
        assert_eq!(refused_for(&mut daemon(first), FailureKind::Refused, 120), None, "{first:?}");
    }
}

#[test]
fn what_is_certain_to_stay_ends_a_unit_at_once() {
    let ended = refused_for(&mut daemon(FirstReady::Awaited), FailureKind::Unusable, 120);
    assert!(matches!(ended, Some((0, Ending { cause: Cause::Denied, .. }))), "{ended:?}");
}

#[test]
fn an_account_that_is_locked_ends_a_unit_as_any_refusal_does() {
    let locks_out = true;
    let mut hand =
        Hand::new(Policy { first_ready: FirstReady::Awaited, locks_out, ..policy(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let (after, ending) = refused_for(&mut hand, FailureKind::Refused, 120).expect("it ends");
    assert_eq!((after, ending.cause), (30, Cause::Denied), "it is started again, and so not lost for good");
}

/// A role is bound late, and behind the ingress that then answers nobody knows whether it is still missing.
#[test]
fn an_outage_after_a_refusal_does_not_end_a_start() {
    let mode = Mode::Init { timeout: Duration::from_secs(120) };
    let mut hand = Hand::new(policy(mode, 1));
    let mut actions = hand.give(Event::Start { kept: None, rebooted: false });
    let began = hand.millis;
    let mut kind = FailureKind::Refused;
    while hand.millis - began < 40_000 {
        let login = actions.iter().find_map(|action| match action {
            Action::Ask(Question::LogIn(token)) => Some(token.0),
            _ => None,
        });
        assert_eq!(end(&actions), None, "{kind:?} for {} ms", hand.millis - began);
        let probed = actions.contains(&Action::Ask(Question::Probe));
        actions = match login {
            Some(token) => {
                login_fails(&mut hand, token, std::mem::replace(&mut kind, FailureKind::Unavailable))
            }
            None if probed => hand.give(Event::Probed(Err(Failure::new(FailureKind::Unavailable, "503")))),
            None => hand.sleep(),
        };
    }
}

/// Starts init after an earlier run that was refused three times, the last time this many minutes ago, and lets a
/// file fail. Returns whether init asked for a login, and what it ended with.
fn refused_before(minutes: u64) -> (bool, Option<Cause>) {
    let mode = Mode::Init { timeout: Duration::from_secs(120) };
    let mut hand = Hand::new(Policy { locks_out: true, handoff: true, ..policy(mode, 1) });
    let last = hand.now().moment.before(Duration::from_secs(minutes * 60));
    let refusals = Some(Refusals { count: 3, last, why: "no such role".into(), pardoned: false });
    let kept = Some(Snapshot { refusals, ..Snapshot::default() });
    let actions = hand.give(Event::Start { kept, rebooted: false });
    let asked = actions.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_))));
    // A file fails meanwhile, as one does on what an earlier run has read.
    let why = Ending::new(Cause::Template, "no such key", "");
    let failed = RenderOutcome::Failed { why, used: vec![] };
    let mut actions = hand.give(Event::Rendered { file: FileId(0), outcome: failed });
    actions.extend(hand.give(Event::HandoffSaved(Ok(()))));
    (asked, end(&actions).and_then(Result::err).map(|ending| ending.cause))
}

#[test]
fn a_refusal_that_the_server_has_forgotten_keeps_no_start_from_trying() {
    assert_eq!(refused_before(14), (false, Some(Cause::Denied)));
    let (asked, ended) = refused_before(17);
    assert!(asked, "the role may have been repaired since then");
    assert_ne!(ended, Some(Cause::Denied));
}

#[test]
fn a_server_that_is_away_does_not_end_a_unit() {
    assert_eq!(refused_for(&mut daemon(FirstReady::Awaited), FailureKind::Unreachable, 120), None);
}

fn missing(hand: &mut Hand) -> Vec<Action> {
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    let result = Err(Failure::new(FailureKind::Missing, "nothing is there"));
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent: hand.now().moment, result })
}

/// Answers what the engine asks for: the secret is missing, until it `comes`. Returns when and how the run ended.
fn missing_until(comes: u64) -> Option<(u64, Cause)> {
    let mut hand = daemon(FirstReady::Awaited);
    let (began, mut actions) = (hand.millis, missing(&mut hand));
    while hand.millis < began + 60_000 {
        if let Some(result) = end(&actions) {
            return Some(((hand.millis - began) / 1000, result.expect_err("it is missing").cause));
        }
        let asks = |wanted: fn(&Question) -> bool| {
            actions.iter().any(|action| matches!(action, Action::Ask(question) if wanted(question)))
        };
        actions = if asks(|question| matches!(question, Question::RevokeToken(_))) {
            hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) })
        } else if !asks(|question| matches!(question, Question::Read { .. } | Question::Resolve { .. })) {
            hand.sleep()
        } else if hand.millis < began + comes * 1000 {
            missing(&mut hand)
        } else {
            hand.resolved(0, "secret/data/web");
            hand.read(0, kv(true));
            hand.rendered(0, "secret/web");
            hand.published(1, &[0]);
            assert!(hand.engine.was_ready());
            return None;
        };
    }
    None
}

#[test]
fn a_path_that_is_missing_for_half_a_minute_ends_a_unit_unless_it_comes() {
    assert_eq!(missing_until(120), Some((30, Cause::Missing)));
    assert_eq!(missing_until(15), None);
}

#[test]
fn a_daemon_that_is_stopped_before_it_was_ready_ends_with_what_kept_it() {
    for (kind, cause) in [
        (FailureKind::Refused, Cause::Denied),
        (FailureKind::Local, Cause::Denied),
        (FailureKind::Unreachable, Cause::Unavailable),
    ] {
        let mut hand = daemon(FirstReady::Wanted);
        login_fails(&mut hand, 1, kind);
        let result = end(&hand.give(STOP)).expect("nothing is to be given back");
        assert_eq!(result.expect_err("it never was ready").cause, cause, "{kind:?}");
    }
    let mut hand = daemon(FirstReady::Wanted);
    missing(&mut hand);
    hand.give(STOP);
    let result = end(&hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) })).expect("it ends");
    assert_eq!(result.expect_err("it never was ready").cause, Cause::Missing);
}

#[test]
fn a_daemon_that_is_stopped_before_anything_went_wrong_ends_well() {
    let mut hand = daemon(FirstReady::Wanted);
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.give(STOP);
    assert_eq!(end(&hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) })), Some(Ok(())));
}

#[test]
fn a_daemon_that_was_ready_stays_and_ends_well_whatever_is_refused() {
    let mut hand =
        settled_by(Policy { first_ready: FirstReady::Awaited, ..policy(Mode::Daemon, 1) }, kv(true));
    assert!(hand.engine.was_ready());
    let until = hand.millis + 120_000;
    while hand.millis < until {
        let actions = hand.sleep();
        assert_eq!(end(&actions), None);
        for action in actions {
            match action {
                Action::Ask(Question::Read { token, .. }) => {
                    let (sent, result) = (hand.now().moment, Err(denied()));
                    hand.give(Event::Read { secret: SecretId(0), token, sent, result });
                }
                Action::Ask(Question::LookUp(token)) => {
                    let (sent, result) = (hand.now().moment, Ok(Hand::facts(1, 3600)));
                    hand.give(Event::LookedUp { token, sent, result });
                }
                _ => {}
            }
        }
    }
    hand.give(STOP);
    assert_eq!(end(&hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) })), Some(Ok(())));
}

fn with_delay() -> Policy {
    let shutdown = ShutdownPlan { revoke: true, delay: Duration::from_secs(25) };
    Policy { shutdown, ..policy(Mode::Daemon, 1) }
}

#[test]
fn the_delay_before_the_end_is_for_those_that_use_the_files_and_ends_with_them() {
    let revoke = Action::Ask(Question::RevokeToken(TokenId(1)));
    let mut hand = settled_by(with_delay(), kv(true));
    assert!(!hand.give(STOP).contains(&revoke) && hand.engine.is_draining());
    assert!(hand.give(Event::Deserted).contains(&revoke), "nothing is left that could use them");

    let mut hand = Hand::new(with_delay());
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.logged_in(1);
    assert!(hand.give(STOP).contains(&revoke), "nothing was ever there to be used");
}

#[test]
fn that_nothing_uses_the_files_is_no_reason_to_stop() {
    let mut hand = settled_by(with_delay(), kv(true));
    assert_eq!(hand.give(Event::Deserted), []);
}

/// Makes a daemon that is about to publish for the first time.
fn publishing(on_first: bool) -> Hand {
    let mut policy = policy(Mode::Daemon, 1);
    policy.notifiers[0].on_first = on_first;
    let mut hand = Hand::new(policy);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    hand.read(0, kv(true));
    hand.rendered(0, "secret/web");
    hand
}

#[test]
fn an_application_that_waits_for_the_first_files_is_not_notified_of_them() {
    let notify = Action::Notify { notifier: NotifierId(0), delay: Duration::ZERO };
    for (on_first, generation, told) in [(true, 1, true), (false, 1, false), (false, 2, true)] {
        let mut hand = publishing(on_first);
        assert_eq!(hand.published(generation, &[0]).contains(&notify), told, "{on_first} {generation}");
    }
}

/// Reports a failed notification. Returns the lines of the log.
fn not_notified(hand: &mut Hand) -> Vec<Say> {
    let result = Err("it does not listen".to_owned());
    let actions = hand.engine.handle(Event::Notified { notifier: NotifierId(0), result }, hand.now());
    let said = actions.into_iter().filter_map(|action| match action {
        Action::Say(say) => Some(say),
        _ => None,
    });
    said.collect()
}

#[test]
fn that_an_application_does_not_listen_yet_is_a_warning_only_after_a_while() {
    let mut hand = publishing(true);
    let began = hand.millis;
    let result = Ok(Published { generation: 1, changed: vec![FileId(0)] });
    hand.give(Event::Published { unit: UnitId(0), result });
    let mut levels = Vec::new();
    while hand.millis < began + 200_000 {
        levels.extend(not_notified(&mut hand).iter().map(|say| (say.level, (hand.millis - began) / 60_000)));
        while !hand.sleep().iter().any(|action| matches!(action, Action::Notify { .. })) {}
    }
    let [(Level::Info, 0), (Level::Warn, minute)] = levels[..] else { panic!("{levels:?}") };
    assert!(minute >= 1);
}
