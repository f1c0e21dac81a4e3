//! Tokens and leases whose end, or whose denial, meets something that is under way.

use std::collections::VecDeque;
use std::time::Duration;

use super::INIT;
use super::hand::{Hand, denied, kv, leased, policy, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted, TokenFacts, Wanted};
use crate::interface::ids::{FileId, NotifierId, SecretId, TokenId};
use crate::interface::policy::{Mode, Policy, SinkPolicy};
use leasehold_base::exit::Cause;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// Under load the answer to a login may take as long as what is left of a short token. A lease that is minted with that
/// token meanwhile ends with it, in a moment, and would be called expired before its successor is there.
#[test]
fn a_lease_is_not_replaced_with_a_token_whose_successor_is_under_way() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    let facts = TokenFacts { accessor: String::new(), renewable: false, batch: true, ..Hand::facts(1, 60) };
    let (begin, sent) = (hand.millis, hand.now().moment);
    hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Ok(facts.clone()) });
    hand.resolved(0, "database/creds/web");
    hand.read(0, leased("l", 60));
    hand.rendered(0, "database/creds/web");
    hand.published(1, &[0]);
    let mut logging_in = false;
    while hand.millis < begin + 57_000 {
        for action in hand.sleep() {
            match action {
                Action::Ask(Question::Renew { lease, .. }) => {
                    // A lease under a batch token is cut to it.
                    let left = Duration::from_millis(begin + 60_000 - hand.millis);
                    let granted = Granted { ttl: Duration::from_secs(left.as_secs()), renewable: true };
                    let (secret, sent) = (SecretId(0), hand.now().moment);
                    hand.give(Event::Renewed { secret, lease, sent, result: Ok(granted) });
                }
                Action::Ask(Question::LogIn(_)) => logging_in = true,
                Action::Ask(Question::Read { .. }) => {
                    panic!("minted {} ms after the login", hand.millis - begin)
                }
                _ => {}
            }
        }
    }
    assert!(logging_in, "its successor is asked for");
    let sent = hand.now().moment;
    let taken_over = hand.give(Event::LoggedIn { token: TokenId(2), sent, result: Ok(facts) });
    let reads = |action: &Action| matches!(action, Action::Ask(Question::Read { token: TokenId(2), .. }));
    assert!(taken_over.iter().any(reads), "{taken_over:?}");
}

#[test]
fn the_deadline_of_init_names_a_denial_that_is_not_judged_yet() {
    let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_millis(500) }, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    hand.logged_in(1);
    hand.resolved(0, "database/creds/web");
    let (secret, token, sent) = (SecretId(0), TokenId(1), hand.now().moment);
    let mut actions = hand.give(Event::Read { secret, token, sent, result: Err(denied()) });
    let ending = loop {
        let exit = actions.iter().find_map(|action| match action {
            Action::Exit(result) => Some(result.clone()),
            _ => None,
        });
        match exit {
            Some(result) => break result.expect_err("it is denied"),
            None => actions = hand.sleep(),
        }
    };
    assert_eq!(ending.cause, Cause::Denied, "{ending:?}");
    assert!(ending.what.contains("could not read database/creds/web"), "{ending:?}");
}

/// The answer to a wrapping may come while its token is in doubt, when no login is there to render a sink with.
#[test]
fn a_sink_whose_wrapping_comes_while_its_token_is_in_doubt_is_rendered_when_the_token_is_taken_back() {
    let mut policy = policy(Mode::Daemon, 2);
    policy.files[0].sink = Some(SinkPolicy::Wrapped(Duration::from_secs(300)));
    let mut hand = Hand::new(policy);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(1, "database/creds/web");
    hand.logged_in(1);
    // A standby that lags is no explanation any more.
    hand.millis += 60_000;
    hand.resolved(0, "database/creds/web");
    let (secret, token) = (SecretId(0), TokenId(1));
    let sent = hand.now().moment;
    let mut actions = hand.give(Event::Read { secret, token, sent, result: Err(denied()) });
    while !actions.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_)))) {
        let asks = actions.iter().any(|action| matches!(action, Action::Ask(Question::LookUp(_))));
        let sent = hand.now().moment;
        actions = if asks {
            hand.give(Event::LookedUp { token, sent, result: Err(denied()) })
        } else {
            hand.sleep()
        };
    }
    let rendered =
        |actions: &[Action]| actions.iter().any(|action| matches!(action, Action::RenderSink { .. }));
    let wrapped = hand.give(Event::Wrapped { file: FileId(0), token, result: Ok(()) });
    assert!(!rendered(&wrapped), "there is no login");
    while !actions.iter().any(|action| matches!(action, Action::Ask(Question::LookUp(_)))) {
        actions = hand.sleep();
    }
    let sent = hand.now().moment;
    let taken_back = hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 3600)) });
    assert!(rendered(&taken_back), "{taken_back:?}");
}

/// Nothing but a wrapping is asked for, and the token is revoked seconds after it was seen alive.
#[test]
fn a_young_token_that_was_granted_a_look_up_is_dead_where_it_is_denied_others() {
    let mut policy = policy(Mode::Daemon, 1);
    policy.files[0].sink = Some(SinkPolicy::Wrapped(Duration::from_secs(300)));
    let mut hand = Hand::new(policy);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let (mut seen, mut looks) = (hand.logged_in(1), 0);
    let (end, token) = (hand.millis + 60_000, TokenId(1));
    while !seen.contains(&Action::Ask(Question::LogIn(TokenId(2)))) {
        assert!(hand.millis < end, "no login is asked for");
        let (sent, mut next) = (hand.now().moment, Vec::new());
        for action in std::mem::take(&mut seen) {
            match action {
                Action::Ask(Question::LookUp(_)) => {
                    looks += 1;
                    let result = if looks == 1 { Ok(Hand::facts(1, 3600)) } else { Err(denied()) };
                    next.extend(hand.give(Event::LookedUp { token, sent, result }));
                }
                Action::Ask(Question::Wrap { file, .. }) => {
                    next.extend(hand.give(Event::Wrapped { file, token, result: Err(denied()) }));
                }
                _ => {}
            }
        }
        seen = if next.is_empty() { hand.sleep() } else { next };
    }
}

/// A token is revoked in its first seconds. It is denied its look-up like a token without a policy for that.
#[test]
fn a_token_that_was_revoked_as_soon_as_it_had_logged_in_does_not_make_every_later_denial_a_login() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    hand.logged_in(1);
    hand.resolved(0, "database/creds/web");
    let secret = SecretId(0);
    let is_login = |action: &Action| matches!(action, Action::Ask(Question::LogIn(_)));
    let is_look_up = |action: &Action| matches!(action, Action::Ask(Question::LookUp(_)));
    let mut actions = hand.read_denied(secret, TokenId(1));
    while !actions.iter().any(is_login) {
        let sent = hand.now().moment;
        actions = match () {
            () if actions.iter().any(is_look_up) => {
                hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(denied()) })
            }
            () if actions.iter().any(|action| matches!(action, Action::Ask(Question::Resolve { .. }))) => {
                hand.resolved(0, "database/creds/web")
            }
            () if actions.iter().any(|action| matches!(action, Action::Ask(Question::Read { .. }))) => {
                hand.read_denied(secret, TokenId(1))
            }
            () => hand.sleep(),
        };
    }
    let asked = hand.logged_in(2);
    assert!(asked.iter().any(is_look_up), "{asked:?}");
    let sent = hand.now().moment;
    hand.give(Event::LookedUp { token: TokenId(2), sent, result: Ok(Hand::facts(2, 3600)) });
    hand.resolved(0, "database/creds/web");
    let result = Ok(leased("l", 100));
    hand.give(Event::Read { secret, token: TokenId(2), sent, result });
    // The policy takes it away a minute later.
    hand.millis += 60_000;
    hand.give(Event::Renew(Wanted::Path("database/creds/web".into())));
    let denied = hand.read_denied(secret, TokenId(2));
    assert!(denied.iter().any(is_look_up) && !denied.iter().any(is_login), "{denied:?}");
}

/// The server hangs at the last look-up of the token in doubt, and is away until that token has ended.
#[test]
fn a_login_that_waits_for_a_token_in_doubt_takes_over_when_that_token_has_ended() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "database/creds/web");
    hand.logged_in_for(1, 120);
    // A standby that lags is no explanation any more.
    hand.millis += 30_000;
    hand.resolved(0, "database/creds/web");
    let (secret, token, sent) = (SecretId(0), TokenId(1), hand.now().moment);
    let mut actions = hand.give(Event::Read { secret, token, sent, result: Err(denied()) });
    while !actions.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_)))) {
        let asks = actions.iter().any(|action| matches!(action, Action::Ask(Question::LookUp(_))));
        let sent = hand.now().moment;
        actions = if asks {
            hand.give(Event::LookedUp { token, sent, result: Err(denied()) })
        } else {
            hand.sleep()
        };
    }
    let asked = hand.logged_in(2);
    assert!(asked.contains(&Action::Ask(Question::LookUp(token))), "{asked:?}");
    let unheard = || Err(Failure::new(FailureKind::Unheard, "timed out"));
    let sent = hand.now().moment;
    let mut actions = hand.give(Event::LookedUp { token, sent, result: unheard() });
    let (mut ended, mut reads) = (false, false);
    for _ in 0..200 {
        ended |= actions.contains(&Action::DropToken(token));
        let with_successor = |action: &Action| {
            let Action::Ask(Question::Resolve { token, .. } | Question::Read { token, .. }) = action else {
                return false;
            };
            *token == TokenId(2)
        };
        reads |= actions.iter().any(with_successor);
        let probes = actions.contains(&Action::Ask(Question::Probe));
        actions = match probes {
            true if ended => hand.give(Event::Probed(Ok(()))),
            true => hand.give(Event::Probed(Err(Failure::new(FailureKind::Unheard, "timed out")))),
            false if reads || hand.engine.deadline().is_none() => break,
            false => hand.sleep(),
        };
    }
    assert!(ended && reads, "the token ended: {ended}; its successor is read with: {reads}");
}

/// Makes a daemon whose token's renewal is under way when its hour is over.
fn past_its_end() -> (Hand, Moment) {
    let mut hand = settled(leased("l", 3 * 3600));
    let mut seen = Vec::new();
    while !seen.contains(&Action::Ask(Question::RenewToken(TokenId(1)))) {
        seen = hand.sleep();
    }
    let sent = hand.now().moment;
    hand.millis += 2_000_000;
    let seen = hand.give(Event::Wake);
    assert!(seen.contains(&Action::Ask(Question::LogIn(TokenId(2)))), "{seen:?}");
    (hand, sent)
}

/// A machine may sleep while the answer is on its way.
#[test]
fn a_token_whose_renewal_is_heard_of_after_its_end_goes_on_with_all_that_it_leased() {
    let (mut hand, sent) = past_its_end();
    let granted = Granted { ttl: Duration::from_secs(3600), renewable: true };
    let asked = hand.give(Event::TokenRenewed { token: TokenId(1), sent, result: Ok(granted) });
    assert!(!asked.iter().any(|action| matches!(action, Action::Ask(Question::Read { .. }))), "{asked:?}");
    let kept = hand.engine.snapshot();
    assert!(kept.tokens.last().is_some_and(|token| token.id == TokenId(1) && !token.leaving), "{kept:?}");
    assert!(hand.engine.outlook(hand.now()).readiness.is_ready());
    assert!(
        hand.logged_in(2).contains(&Action::Ask(Question::RevokeToken(TokenId(2)))),
        "nothing needs that login"
    );
}

/// The server may have kept the token for as long as a renewal would have granted, until it says that it did not
/// renew it.
#[test]
fn a_token_whose_renewal_is_denied_after_its_end_is_over() {
    let (mut hand, sent) = past_its_end();
    assert!(hand.engine.snapshot().tokens.iter().any(|token| token.id == TokenId(1)), "it may live");
    let over = hand.give(Event::TokenRenewed { token: TokenId(1), sent, result: Err(denied()) });
    assert!(over.contains(&Action::DropToken(TokenId(1))), "{over:?}");
}

#[test]
fn a_token_s_renewal_that_is_asked_to_come_later_does_so_but_not_too_late() {
    for (ttl, least, most) in [(3600, 40_000, 42_000), (60, 10_000, 18_000)] {
        let mut hand = Hand::new(policy(Mode::Daemon, 1));
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        hand.needs(0, "secret/web");
        hand.logged_in_for(1, ttl);
        let renewal = |seen: &[Action]| seen.contains(&Action::Ask(Question::RenewToken(TokenId(1))));
        while !renewal(&hand.sleep()) {}
        let (sent, told) = (hand.now().moment, hand.millis);
        let later = Failure::new(FailureKind::Overloaded(Some(Duration::from_secs(40))), "too many requests");
        hand.give(Event::TokenRenewed { token: TokenId(1), sent, result: Err(later) });
        hand.give(Event::Probed(Ok(())));
        while !renewal(&hand.sleep()) {}
        let waited = hand.millis - told;
        assert!((least..=most).contains(&waited), "a token of {ttl} s: {waited}");
    }
}

/// A renewal of the token was granted, but its answer was lost. So the token reaches its end, as far as is known,
/// while the next login waits for one more look-up. That is granted: everything goes on, and a login is there.
#[test]
fn a_token_in_doubt_that_reaches_its_end_before_its_look_up_is_granted_is_gone_on_with() {
    let mut hand = settled(leased("l", 36_000));
    let ends = hand.engine.snapshot().tokens[0].expires.expect("it ends");
    let (mut renewals, mut held) = (0, false);
    let mut todo = Vec::new();
    while hand.now().moment <= ends {
        let Some(action) = todo.pop() else {
            todo = hand.sleep();
            continue;
        };
        let sent = hand.now().moment;
        let event = match action {
            Action::Ask(Question::RenewToken(token)) => {
                renewals += 1;
                let unheard = Failure::new(FailureKind::Unheard, "timed out");
                let result = Err(if renewals == 1 { unheard } else { denied() });
                Event::TokenRenewed { token, sent, result }
            }
            Action::Ask(Question::LookUp(_)) if sent.until(ends) < Duration::from_secs(100) => {
                held = true;
                continue;
            }
            Action::Ask(Question::LookUp(token)) => Event::LookedUp { token, sent, result: Err(denied()) },
            Action::Ask(Question::LogIn(token)) => {
                let result = Err(Failure::new(FailureKind::Refused, "invalid role"));
                Event::LoggedIn { token, sent, result }
            }
            Action::Ask(Question::Probe) => Event::Probed(Ok(())),
            _ => continue,
        };
        todo.extend(hand.give(event));
    }
    assert!(held, "it is being looked up at its end");
    let (token, sent) = (TokenId(1), hand.now().moment);
    let seen = hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 1800)) });
    assert!(hand.engine.outlook(hand.now()).readiness.is_ready());
    assert!(seen.contains(&Action::Ask(Question::RenewToken(token))), "{seen:?}");
}

/// The answer to a renewal was lost, so the token may live longer than we know. It is denied whatever it asks until it is thought
/// to be over, and its revocation waits for the handoff, which has to name it first. Then a look-up is granted: the token lives,
/// and nothing has revoked it.
#[test]
fn a_token_past_its_end_that_is_looked_up_goes_on_while_its_revocation_only_waits() {
    let mut hand = Hand::new(Policy { handoff: true, ..policy(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    let end = hand.millis + 60_000;
    hand.logged_in_for(1, 60);
    hand.give(Event::HandoffSaved(Ok(())));
    hand.resolved(0, "secret/data/web");
    hand.read(0, kv(true));
    hand.rendered(0, "secret/web");
    hand.published(1, &[0]);
    let mut asked = VecDeque::from(hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) }));
    let (token, lost) = (TokenId(1), || Err(Failure::new(FailureKind::Unheard, "timed out")));
    let mut renewed = false;
    loop {
        let (action, sent) = (asked.pop_front(), hand.now().moment);
        let over = hand.millis > end;
        let more = match action {
            Some(Action::Ask(Question::RenewToken(_))) => {
                renewed = true;
                hand.give(Event::TokenRenewed { token, sent, result: lost() })
            }
            Some(Action::Ask(Question::Probe)) => hand.give(Event::Probed(Ok(()))),
            Some(Action::Ask(Question::Read { .. })) if renewed => hand.read_denied(SecretId(0), token),
            Some(Action::Ask(Question::Read { .. })) => hand.read(0, kv(false)),
            Some(Action::Ask(Question::LookUp(_))) if over => break,
            Some(Action::Ask(Question::LookUp(_))) => {
                hand.give(Event::LookedUp { token, sent, result: Err(denied()) })
            }
            Some(Action::SaveHandoff) if !over => hand.give(Event::HandoffSaved(Ok(()))),
            Some(Action::Ask(Question::RevokeToken(_))) => panic!("the handoff comes first"),
            Some(_) => Vec::new(),
            None => hand.sleep(),
        };
        asked.extend(more);
    }
    let sent = hand.now().moment;
    hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 60)) });
    let kept = hand.engine.snapshot();
    assert!(kept.tokens.iter().any(|kept| kept.id == token && !kept.leaving), "{kept:?}");
    let after = hand.give(Event::HandoffSaved(Ok(())));
    assert!(!after.contains(&Action::Ask(Question::RevokeToken(token))), "{after:?}");
}

/// Logins take twelve seconds, and the tokens may not look themselves up.
#[test]
fn a_slow_login_s_token_that_may_not_look_itself_up_is_not_replaced_again_and_again() {
    let kept = settled(kv(true)).engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut asked: VecDeque<Action> = hand.give(Event::Start { kept: Some(kept), rebooted: true }).into();
    asked.extend(hand.rendered(0, "secret/web"));
    let (mut logins, mut coming, end) = (0, None, hand.millis + 300_000);
    while hand.millis < end {
        let sent = hand.now().moment;
        let next = match asked.pop_front() {
            Some(Action::Ask(Question::LookUp(token))) => {
                hand.give(Event::LookedUp { token, sent, result: Err(denied()) })
            }
            Some(Action::Ask(Question::Read { secret, token, .. })) => {
                hand.give(Event::Read { secret, token, sent, result: Ok(kv(false)) })
            }
            Some(Action::Ask(Question::LogIn(token))) => {
                logins += 1;
                coming = Some((token, sent));
                Vec::new()
            }
            Some(_) => Vec::new(),
            None => {
                let granted = |began: Moment| began.after(Duration::from_secs(12));
                let first = |at: Moment| hand.engine.deadline().is_none_or(|due| due > at);
                match coming.take_if(|(_, began)| first(granted(*began))) {
                    Some((token, sent)) => {
                        let rest = hand.now().moment.until(granted(sent));
                        hand.millis += u64::try_from(rest.as_millis()).expect("small");
                        let result = Ok(Hand::facts(token.0, 3600));
                        hand.give(Event::LoggedIn { token, sent, result })
                    }
                    None => hand.sleep(),
                }
            }
        };
        asked.extend(next);
    }
    assert_eq!(logins, 1);
}

/// A sink leaves the configuration while the token that it showed is in doubt.
#[test]
fn a_token_that_was_exposed_while_it_was_in_doubt_is_replaced_although_it_is_taken_back() {
    for granted in [false, true] {
        let (mut hand, token) = (settled(kv(true)), TokenId(1));
        // A standby that lags is no explanation any more.
        hand.millis += 60_000;
        hand.give(Event::Refresh);
        let mut actions = hand.read_denied(SecretId(0), token);
        let is_login = |action: &Action| matches!(action, Action::Ask(Question::LogIn(_)));
        while !actions.iter().any(is_login) {
            let sent = hand.now().moment;
            actions = match actions.contains(&Action::Ask(Question::LookUp(token))) {
                true => hand.give(Event::LookedUp { token, sent, result: Err(denied()) }),
                false => hand.sleep(),
            };
        }
        assert_eq!(hand.give(Event::Exposed), [], "a login is under way");
        let mut logins = 1;
        if granted {
            assert!(hand.logged_in(2).contains(&Action::Ask(Question::LookUp(token))), "it waits");
        } else {
            while !hand.sleep().contains(&Action::Ask(Question::LookUp(token))) {}
        }
        let sent = hand.now().moment;
        let taken_back = hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 3600)) });
        logins += taken_back.iter().filter(|action| is_login(action)).count();
        assert_eq!(logins, if granted { 2 } else { 1 }, "{taken_back:?}");
        let heir = if granted { 3 } else { 2 };
        let mut seen = VecDeque::from(taken_back);
        seen.extend(hand.logged_in(heir));
        while !seen.contains(&Action::Ask(Question::RevokeToken(token))) {
            assert!(hand.millis < 2_000_000, "it lives on");
            let sent = hand.now().moment;
            let next = match seen.pop_front() {
                Some(Action::Ask(Question::Read { secret, token, .. })) => {
                    hand.give(Event::Read { secret, token, sent, result: Ok(kv(false)) })
                }
                Some(_) => Vec::new(),
                None => hand.sleep(),
            };
            seen.extend(next);
        }
    }
}

/// The login that follows an exposed token may be refused for hours. The mark outlives this run and its engine.
#[test]
fn a_token_that_was_exposed_is_replaced_by_the_next_run_if_this_one_could_not() {
    let is_login = |action: &Action| matches!(action, Action::Ask(Question::LogIn(_)));
    let mut before = settled(kv(true));
    assert!(before.give(Event::Exposed).iter().any(is_login));
    let kept = before.engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let started = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    assert!(started.iter().any(is_login), "{started:?}");
    hand.logged_in(2);
    let kept = hand.engine.snapshot();
    let mut next = Hand::new(policy(Mode::Daemon, 1));
    let started = next.give(Event::Start { kept: Some(kept), rebooted: false });
    assert!(!started.iter().any(is_login), "it was replaced: {started:?}");
    // `init` ends without waiting for a login that nothing of its own needs.
    let mut init = Hand::new(policy(INIT, 1));
    let started = init.give(Event::Start { kept: Some(before.engine.snapshot()), rebooted: false });
    assert!(!started.iter().any(is_login), "{started:?}");
    assert!(init.engine.snapshot().tokens.iter().all(|token| token.exposed), "the mark stays");
}
