//! The engine by hand: one event at a time, for cases that are easier to read so than in a simulation.

mod adopted;
mod after_reboot;
mod changes;
mod denied;
mod doubting;
mod ends;
mod first;
mod hand;
mod handing_back;
mod late;
mod leaving;
mod logins;
mod looking;
mod mounts;
mod on_init;
mod pacing;
mod showing;
mod starting;
mod stores;
mod unheard;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted, RenderOutcome};
use crate::interface::ids::{FileId, LeaseId, SecretId, TokenId};
use crate::interface::policy::{Mode, Policy};
use hand::{Hand, denied, kv, leased, policy, publish, read_of, request, settled};
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::{Failure, FailureKind};

const INIT: Mode = Mode::Init { timeout: Duration::from_secs(120) };

#[test]
fn init_logs_in_reads_renders_publishes_revokes_and_ends() {
    let mut hand = Hand::new(policy(INIT, 2));
    let start = hand.give(Event::Start { kept: None, rebooted: false });
    assert_eq!(
        start,
        [Action::Render(FileId(0)), Action::Render(FileId(1)), Action::Ask(Question::LogIn(TokenId(1)))],
        "rendering needs no server and tells what to ask it"
    );
    assert_eq!(hand.needs(0, "secret/web"), []);
    assert_eq!(hand.needs(1, "secret/web"), []);
    let resolve = Action::Ask(Question::Resolve {
        secret: SecretId(0),
        token: TokenId(1),
        request: Arc::new(request("secret/web")),
        again: false,
    });
    assert_eq!(hand.logged_in(1), [resolve], "two files, one secret");
    assert_eq!(hand.resolved(0, "secret/data/web"), [read_of(0, "secret/data/web")]);
    assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0)), Action::Render(FileId(1))]);
    assert_eq!(hand.rendered(0, "secret/web"), [], "all or nothing");
    assert_eq!(hand.rendered(1, "secret/web"), [publish(&[0, 1])]);
    assert_eq!(hand.published(1, &[0, 1]), [Action::Ask(Question::RevokeToken(TokenId(1)))]);
    let end = hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) });
    assert_eq!(end, [Action::DropToken(TokenId(1)), Action::Exit(Ok(()))]);
}

#[test]
fn a_short_deadline_does_not_hide_why_a_login_failed() {
    for (kind, cause) in [
        (FailureKind::Refused, Cause::Denied),
        (FailureKind::Local, Cause::Denied),
        (FailureKind::Unusable, Cause::Denied),
        (FailureKind::Unreachable, Cause::Unavailable),
        (FailureKind::Nonsense, Cause::Deadline),
    ] {
        let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_millis(500) }, 1));
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        let sent = hand.now().moment;
        let result = Err(Failure::new(kind, "why"));
        let actions = hand.give(Event::LoggedIn { token: TokenId(1), sent, result });
        assert_eq!(failed(&mut hand, actions).cause, cause, "{kind:?}");
    }
}

#[test]
fn credentials_that_cannot_be_used_end_init_at_once_and_those_that_may_come_do_not() {
    let after_one = |kind| {
        let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_secs(60) }, 1));
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        let sent = hand.now().moment;
        hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Err(Failure::new(kind, "why")) })
    };
    let [Action::Exit(Err(ending))] = &after_one(FailureKind::Unusable)[..] else { panic!("it ends") };
    assert_eq!((ending.cause, &*ending.what), (Cause::Denied, "no credentials to log in with: why"));
    assert!(!after_one(FailureKind::Local).iter().any(|action| matches!(action, Action::Exit(_))));
}

/// Returns how a run ends that can only fail.
fn failed(hand: &mut Hand, mut actions: Vec<Action>) -> Ending {
    loop {
        let exit = actions.into_iter().find_map(|action| match action {
            Action::Exit(result) => Some(result),
            _ => None,
        });
        match exit {
            Some(result) => return result.expect_err("it cannot succeed"),
            None => actions = hand.sleep(),
        }
    }
}

#[test]
fn a_reason_of_two_parts_is_no_advice_and_one_with_advice_gets_no_other() {
    let why = "the server is not available: first; second (503)";
    let plain = Failure::new(FailureKind::Unavailable, why);
    let advised = Failure::advised(FailureKind::Unreachable, "it refuses the connection; is the server up?");
    for (failure, hinted) in [(plain, true), (advised, false)] {
        let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_millis(500) }, 1));
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        let sent = hand.now().moment;
        let actions = hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Err(failure) });
        let ending = failed(&mut hand, actions);
        assert_ne!(ending.hint.is_empty(), hinted, "{ending:?}");
    }
}

#[test]
fn init_leaves_a_token_that_its_files_need() {
    let mut hand = Hand::new(policy(INIT, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    hand.logged_in(1);
    hand.resolved(0, "database/creds/web");
    hand.read(0, leased("l", 3600));
    hand.rendered(0, "database/creds/web");
    assert_eq!(hand.published(1, &[0]), [Action::Exit(Ok(()))]);
}

#[test]
fn a_sidecar_adopts_what_init_left_and_asks_nothing() {
    let mut with_handoff = policy(INIT, 1);
    with_handoff.handoff = true;
    let mut init = Hand::new(with_handoff.clone());
    let _ = init.give(Event::Start { kept: None, rebooted: false });
    init.needs(0, "database/creds/web");
    assert!(init.logged_in(1).contains(&Action::SaveHandoff));
    init.give(Event::HandoffSaved(Ok(())));
    init.resolved(0, "database/creds/web");
    init.read(0, leased("l", 3600));
    init.rendered(0, "database/creds/web");
    init.give(Event::HandoffSaved(Ok(())));
    init.published(1, &[0]);
    let kept = init.engine.snapshot();
    assert_eq!(kept.tokens.len(), 1);
    assert_eq!(kept.secrets.len(), 1);

    let mut hand = Hand::new(Policy { mode: Mode::Daemon, ..with_handoff });
    let start = hand.give(Event::Start { kept: Some(kept.clone()), rebooted: false });
    assert_eq!(start, [Action::Render(FileId(0))]);
    let promised = [Action::SaveHandoff, publish(&[0])];
    assert_eq!(hand.rendered(0, "database/creds/web"), promised, "a kill in between leaves it untold");
    hand.give(Event::HandoffSaved(Ok(())));
    assert_eq!(hand.published(1, &[]), [], "nothing changed: nobody is told");
    assert_eq!(hand.engine.snapshot(), kept);
}

/// A large handoff takes a while to write. When the time to leave is over, the last write is asked for all the same.
#[test]
fn init_ends_with_the_answer_to_its_last_write_and_not_with_an_earlier_one() {
    let mut policy = policy(INIT, 1);
    policy.handoff = true;
    let mut hand = Hand::new(policy);
    let mut actions = hand.give(Event::Start { kept: None, rebooted: false });
    actions.extend(hand.needs(0, "database/creds/web"));
    actions.extend(hand.logged_in(1));
    actions.extend(hand.resolved(0, "database/creds/web"));
    actions.extend(hand.read(0, leased("l", 3600)));
    actions.extend(hand.rendered(0, "database/creds/web"));
    actions.extend(hand.published(1, &[0]));
    let writes = |actions: &[Action]| actions.iter().filter(|action| **action == Action::SaveHandoff).count();
    while writes(&actions) < 2 {
        actions.extend(hand.sleep());
    }
    let seen = hand.give(Event::HandoffSaved(Ok(())));
    assert!(!seen.iter().any(|action| matches!(action, Action::Exit(_))), "{seen:?}");
    let seen = hand.give(Event::HandoffSaved(Err("the disk is full".to_owned())));
    assert!(!seen.contains(&Action::Exit(Ok(()))), "nobody can go on from what is not written: {seen:?}");
    assert!(seen.contains(&Action::DropHandoff), "{seen:?}");
}

#[test]
fn a_secret_has_one_name_in_the_log_before_a_handoff_and_after() {
    let name = |hand: &mut Hand| {
        while !hand.sleep().contains(&read_of(0, "secret/data/web")) {}
        let (sent, now) = (hand.now().moment, hand.now());
        let result = Err(Failure::new(FailureKind::Fault, "no"));
        let read = Event::Read { secret: SecretId(0), token: TokenId(1), sent, result };
        let said = hand.engine.handle(read, now).into_iter().find_map(|action| match action {
            Action::Say(say) => Some(say.text),
            _ => None,
        });
        said.expect("the failure is news")
    };
    let mut before = settled(kv(true));
    let kept = before.engine.snapshot();
    let mut after = Hand::new(policy(Mode::Daemon, 1));
    let _ = after.give(Event::Start { kept: Some(kept), rebooted: false });
    after.rendered(0, "secret/web");
    after.published(1, &[]);
    assert_eq!(name(&mut before), "could not read secret/web: no");
    assert_eq!(name(&mut after), "could not read secret/web: no");
}

#[test]
fn a_token_s_uses_are_counted_on_by_the_next_run() {
    let mut kept = settled(kv(true)).engine.snapshot();
    // A run that did not know of it would go on with a token that no longer exists.
    kept.tokens.iter_mut().for_each(|token| token.uses = Some(1));
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.rendered(0, "secret/web");
    hand.published(1, &[]);
    assert_eq!(hand.sleep(), [read_of(0, "secret/data/web")]);
    assert_eq!(hand.engine.snapshot().tokens[0].uses, Some(0));
    assert!(hand.read(0, kv(false)).contains(&Action::DropToken(TokenId(1))), "it died of its last use");
}

#[test]
fn a_changed_secret_is_read_rendered_published_and_told() {
    let mut hand = settled(kv(true));
    let before = hand.millis;
    assert_eq!(hand.sleep(), [read_of(0, "secret/data/web")]);
    let waited = hand.millis - before;
    assert!(waited <= 10_000, "within its refresh: {waited}");
    hand.read(0, kv(false));
    hand.sleep();
    assert_eq!(hand.millis - before - waited, 10_000, "and from then on at its beat");
    hand.read(0, kv(false));
    hand.sleep();
    assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))]);
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
}

#[test]
fn an_unchanged_secret_causes_nothing() {
    let mut hand = settled(kv(true));
    hand.sleep();
    assert_eq!(hand.read(0, kv(false)), []);
}

#[test]
fn one_bad_path_harms_only_its_own_file() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/missing");
    hand.needs(1, "secret/web");
    hand.logged_in(1);
    let missing = Failure::new(FailureKind::Missing, "nothing is there");
    hand.resolved(0, "secret/data/missing");
    hand.resolved(1, "secret/data/web");
    hand.read(1, kv(true));
    assert_eq!(hand.rendered(1, "secret/web"), [], "the other has not been tried yet");
    let sent = hand.now().moment;
    let event = Event::Read { secret: SecretId(0), token: TokenId(1), sent, result: Err(missing) };
    assert_eq!(hand.give(event), [publish(&[1])]);
    hand.published(1, &[1]);
    let view = hand.engine.view(hand.now());
    let error = view.files[0].error.as_ref().expect("it failed");
    assert!(error.text.contains("secret/missing does not exist"), "{error:?}");
    assert!(view.files[1].error.is_none());
    assert!(!view.readiness.is_ready());
}

#[test]
fn a_file_that_is_rendered_while_the_others_are_written_is_good_once_it_is_written_itself() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/late");
    hand.needs(1, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/late");
    hand.resolved(1, "secret/data/web");
    let sent = hand.now().moment;
    let fault = Err(Failure::new(FailureKind::Fault, "internal error"));
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent, result: fault });
    hand.read(1, kv(true));
    assert_eq!(hand.rendered(1, "secret/web"), [publish(&[1])]);
    while !hand.sleep().contains(&read_of(0, "secret/data/late")) {}
    hand.read(0, kv(true));
    assert_eq!(hand.rendered(0, "secret/late"), [], "one after the other");
    hand.published(1, &[1]);
    assert!(!hand.engine.outlook(hand.now()).readiness.is_ready(), "the other has still to be written");
    hand.published(2, &[0]);
    assert!(hand.engine.outlook(hand.now()).readiness.is_ready());
}

#[test]
fn an_answer_is_of_no_use_once_no_file_needs_its_secret() {
    let mut hand = settled(kv(true));
    assert!(hand.engine.knows(SecretId(0)));
    hand.read(0, kv(true));
    hand.rendered(0, "secret/other");
    assert!(!hand.engine.knows(SecretId(0)), "a late answer would replace what is asked anew");
    assert!(hand.engine.knows(SecretId(1)));
    hand.rendered(0, "secret/web");
    assert!(!hand.engine.knows(SecretId(0)), "needed again it is another");
}

#[test]
fn a_refresh_of_many_secrets_is_one_generation() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    for (index, path) in ["secret/a", "secret/b"].into_iter().enumerate() {
        hand.needs(index, path);
    }
    hand.logged_in(1);
    for (index, path) in ["secret/a", "secret/b"].into_iter().enumerate() {
        hand.resolved(index, path);
        hand.read(index, kv(true));
    }
    hand.rendered(0, "secret/a");
    hand.rendered(1, "secret/b");
    hand.published(1, &[0, 1]);
    assert_eq!(hand.give(Event::Refresh), [read_of(0, "secret/a"), read_of(1, "secret/b")]);
    assert_eq!(hand.read(0, kv(true)), [], "the other answer is waited for");
    assert_eq!(hand.read(1, kv(true)), [Action::Render(FileId(0)), Action::Render(FileId(1))]);
    assert_eq!(hand.rendered(0, "secret/a"), []);
    assert_eq!(hand.rendered(1, "secret/b"), [publish(&[0, 1])]);
}

/// While the first read is under way, it is not known yet that it brings a lease.
#[test]
fn a_refresh_during_the_first_read_of_a_lease_does_not_mint_a_second() {
    for (facts, reads) in [(leased("l", 3600), 0), (kv(true), 1)] {
        let mut hand = Hand::new(policy(Mode::Daemon, 1));
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        hand.needs(0, "database/creds/web");
        hand.logged_in(1);
        hand.resolved(0, "database/creds/web");
        hand.give(Event::Refresh);
        let seen = hand.read(0, facts);
        assert_eq!(
            seen.iter().filter(|action| matches!(action, Action::Ask(Question::Read { .. }))).count(),
            reads,
            "{seen:?}"
        );
    }
}

#[test]
fn a_read_that_hangs_holds_up_its_batch_for_fifty_milliseconds_only() {
    let mut hand = settled(kv(true));
    hand.needs(0, "secret/web");
    let outcome = RenderOutcome::Rendered { changed: true, used: vec![request("secret/web"), request("b")] };
    hand.give(Event::Rendered { file: FileId(0), outcome });
    hand.resolved(1, "b");
    hand.read(1, kv(true));
    let outcome = RenderOutcome::Rendered { changed: true, used: vec![request("secret/web"), request("b")] };
    hand.give(Event::Rendered { file: FileId(0), outcome });
    hand.published(2, &[0]);
    hand.give(Event::Refresh);
    assert_eq!(hand.read(0, kv(true)), []);
    let before = hand.millis;
    assert_eq!(hand.sleep(), [Action::Render(FileId(0))]);
    assert!(hand.millis - before <= 51);
}

#[test]
fn a_lease_whose_token_ended_while_it_was_minted_is_not_called_good() {
    let mut hand = settled(leased("l", 3600));
    // No renewal is answered any more. At the token's end the lease is asked for again, and that is answered too
    // late.
    let mut seen = Vec::new();
    while !seen.iter().any(|action| matches!(action, Action::DropToken(_))) {
        seen = hand.sleep();
    }
    let view = hand.engine.view(hand.now());
    assert!(!view.readiness.is_ready(), "{:?}", view.readiness);
    hand.logged_in(2);
    let sent = hand.now().moment;
    let late = leased("late", 0);
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent, result: Ok(late) });
    let view = hand.engine.view(hand.now());
    assert!(!view.readiness.is_ready(), "{:?}", view.readiness);
}

#[test]
fn a_lease_whose_token_ended_while_it_was_renewed_is_not_called_good() {
    let mut hand = settled(leased("l", 3600));
    let (mut seen, mut renewal) = (Vec::new(), hand.now().moment);
    while !seen.iter().any(|action| matches!(action, Action::DropToken(_))) {
        seen = hand.sleep();
        if seen.iter().any(|action| matches!(action, Action::Ask(Question::Renew { .. }))) {
            renewal = hand.now().moment;
        }
    }
    // The server renewed the lease to its token's end, and the answer comes when that is over.
    let granted = Granted { ttl: Duration::from_secs(3600), renewable: true };
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    hand.give(Event::Renewed { secret, lease, sent: renewal, result: Ok(granted) });
    let readiness = hand.engine.outlook(hand.now()).readiness;
    assert!(!readiness.is_ready(), "{readiness:?}");
}

#[test]
fn a_secret_that_waits_to_be_read_while_its_dead_lease_is_being_renewed_is_not_forgotten() {
    let mut hand = settled(leased("l", 3600));
    let unheard = || Failure::new(FailureKind::Unheard, "timed out");
    let renews =
        |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Ask(Question::Renew { .. })));
    let mut seen = Vec::new();
    while !renews(&seen) {
        seen = hand.sleep();
    }
    let sent = hand.now().moment;
    // The server is away until the token has ended; the renewal hangs for longer.
    seen = hand.give(Event::TokenRenewed { token: TokenId(1), sent, result: Err(unheard()) });
    while !seen.contains(&Action::DropToken(TokenId(1))) {
        let probes = seen.contains(&Action::Ask(Question::Probe));
        seen = if probes { hand.give(Event::Probed(Err(unheard()))) } else { hand.sleep() };
    }
    hand.give(Event::Probed(Ok(())));
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    hand.give(Event::Renewed { secret, lease, sent, result: Err(unheard()) });
    hand.give(Event::Probed(Ok(())));
    let mut seen = hand.logged_in(2);
    let end = hand.millis + 60_000;
    while !seen.iter().any(|action| matches!(action, Action::Ask(Question::Read { .. }))) {
        assert!(hand.millis < end, "nobody asks any more");
        seen = hand.sleep();
    }
}

/// The server denies every look-up of the token by itself. That is put down to a standby that lags for longer than
/// the token lives.
#[test]
fn a_short_token_whose_renewal_is_denied_is_followed_before_its_end() {
    for seed in 0..32 {
        let mut hand = Hand::new(Policy { seed, ..policy(Mode::Daemon, 1) });
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        hand.needs(0, "secret/web");
        let mut actions = hand.logged_in_for(1, 5);
        let end = hand.millis + 5_000;
        while !actions.contains(&Action::Ask(Question::LogIn(TokenId(2)))) {
            actions = match actions.pop() {
                Some(Action::Ask(Question::LookUp(token))) => {
                    let sent = hand.now().moment;
                    hand.give(Event::LookedUp { token, sent, result: Err(denied()) })
                }
                Some(Action::Ask(Question::RenewToken(token))) => {
                    let sent = hand.now().moment;
                    hand.give(Event::TokenRenewed { token, sent, result: Err(denied()) })
                }
                Some(_) => actions,
                None => hand.sleep(),
            };
        }
        assert!(hand.millis < end - 500, "seed {seed}: at {} of {end}", hand.millis);
    }
}

/// A program that cannot be started ends each run while its login is under way.
#[test]
fn a_login_that_is_refused_after_the_end_has_begun_is_remembered_by_the_next_run() {
    let mut hand = Hand::new(Policy { handoff: true, ..policy(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.give(Event::Stop { at_once: true });
    let sent = hand.now().moment;
    let result = Err(Failure::new(FailureKind::Refused, "invalid role"));
    let end = hand.give(Event::LoggedIn { token: TokenId(1), sent, result });
    assert_eq!(end, [Action::SaveHandoff]);
    assert_eq!(hand.engine.snapshot().refusals.map(|refusals| refusals.count), Some(1));
}

#[test]
fn stop_revokes_the_token_and_ends() {
    let mut hand = settled(leased("l", 3600));
    assert_eq!(hand.give(Event::Stop { at_once: false }), [Action::Ask(Question::RevokeToken(TokenId(1)))]);
    let end = hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) });
    assert_eq!(end, [Action::DropToken(TokenId(1)), Action::Exit(Ok(()))]);
    assert_eq!(hand.engine.deadline(), None);
    assert_eq!(hand.give(Event::Wake), []);
}
