//! Requests that alone are told to wait, or answered by a proxy, while the server answers all others.

use std::time::Duration;

use super::hand::{Hand, denied, leased, policy, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, TokenFacts};
use crate::interface::ids::{LeaseId, NotifierId, SecretId, TokenId};
use crate::interface::policy::Mode;
use crate::interface::view::Readiness;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

const MINUTE: FailureKind = FailureKind::Overloaded(Some(Duration::from_secs(60)));
/// The failures that a proxy on one path causes, or a server under load.
const ALONE: [FailureKind; 4] =
    [FailureKind::Intercepted, FailureKind::Overloaded(None), MINUTE, FailureKind::Unavailable];

fn failure<T>(kind: FailureKind) -> Result<T, Failure> {
    Err(Failure::new(kind, "not the server"))
}

/// Goes on until the request comes that is `wanted`. The others that are about the token fail in this way, and all probes
/// succeed.
fn until(hand: &mut Hand, kind: FailureKind, wanted: impl Fn(&Action) -> bool) -> Moment {
    for _ in 0..400 {
        let mut todo = hand.sleep();
        while let Some(action) = todo.pop() {
            if wanted(&action) {
                return hand.now().moment;
            }
            let sent = hand.now().moment;
            todo.extend(match action {
                Action::Ask(Question::Probe) => hand.give(Event::Probed(Ok(()))),
                Action::Ask(Question::LogIn(token)) => {
                    hand.give(Event::LoggedIn { token, sent, result: failure(kind) })
                }
                Action::Ask(Question::RenewToken(token)) => {
                    hand.give(Event::TokenRenewed { token, sent, result: failure(kind) })
                }
                _ => Vec::new(),
            });
        }
    }
    panic!("it never comes");
}

/// Makes a daemon whose token cannot be renewed.
fn fixed(ttl: u64) -> Hand {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    let (sent, facts) = (hand.now().moment, TokenFacts { renewable: false, ..Hand::facts(1, ttl) });
    hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Ok(facts) });
    hand.resolved(0, "secret/data/web");
    hand.read(0, leased("l", ttl));
    hand.rendered(0, "secret/web");
    hand.published(1, &[0]);
    hand
}

#[test]
fn a_login_that_is_told_to_wait_is_tried_again_before_the_token_that_it_follows_has_ended() {
    for kind in ALONE {
        let mut hand = fixed(30);
        let end = hand.engine.snapshot().tokens[0].expires.expect("it ends");
        let of = |number| move |action: &Action| *action == Action::Ask(Question::LogIn(TokenId(number)));
        until(&mut hand, kind, of(2));
        let sent = hand.now().moment;
        hand.give(Event::LoggedIn { token: TokenId(2), sent, result: failure(kind) });
        hand.give(Event::Probed(Ok(())));
        assert!(until(&mut hand, kind, of(3)) < end, "{kind:?}");
    }
}

#[test]
fn logins_that_alone_are_answered_by_a_proxy_are_told_of() {
    for kind in ALONE {
        let mut hand = fixed(3600);
        until(&mut hand, kind, |action| *action == Action::Ask(Question::LogIn(TokenId(7))));
        let readiness = hand.engine.outlook(hand.now()).readiness;
        let told = matches!(&readiness, Readiness::ReadyWithoutLogin { why, .. } if why == "not the server");
        assert!(told, "{kind:?}: {readiness:?}");
    }
}

#[test]
fn a_token_whose_renewal_alone_is_answered_by_a_proxy_is_followed_before_its_end() {
    for kind in ALONE {
        let mut hand = settled(leased("l", 36_000));
        let end = hand.engine.snapshot().tokens[0].expires.expect("it ends");
        let logs_in = |action: &Action| matches!(action, Action::Ask(Question::LogIn(_)));
        assert!(until(&mut hand, kind, logs_in) < end, "{kind:?}");
    }
}

/// A policy or a standby that lags denies the successor of a lease, after requests about it have failed otherwise.
#[test]
fn a_path_that_is_denied_after_other_failures_is_asked_for_again_while_its_lease_lives() {
    let mut facts: ReadFacts = leased("l", 600);
    facts.lease.iter_mut().for_each(|lease| lease.renewable = false);
    let mut hand = settled(facts);
    let end = hand.engine.snapshot().secrets[0].lease.as_ref().expect("it is leased").expires;
    let read = |action: &Action| match action {
        Action::Ask(Question::Read { secret, token, .. }) => Some((*secret, *token)),
        _ => None,
    };
    let reads = |hand: &mut Hand, result: Failure| loop {
        let seen = hand.sleep();
        let Some((secret, token)) = seen.iter().find_map(read) else { continue };
        let sent = hand.now().moment;
        break hand.give(Event::Read { secret, token, sent, result: Err(result) });
    };
    while hand.now().moment.until(end) > Duration::from_secs(60) {
        reads(&mut hand, Failure::new(FailureKind::Fault, "500"));
    }
    let seen = reads(&mut hand, denied());
    assert!(seen.contains(&Action::Ask(Question::LookUp(TokenId(1)))), "{seen:?}");
    let sent = hand.now().moment;
    hand.give(Event::LookedUp { token: TokenId(1), sent, result: Ok(Hand::facts(1, 3000)) });
    while !hand.sleep().iter().any(|action| read(action).is_some()) {}
    let (first, mut last) = (hand.now().moment, hand.now().moment);
    assert!(sent.until(first) < Duration::from_secs(3), "pauses begin anew: {sent:?} and {first:?}");
    // The policy goes on denying. No pause lasts until the end.
    while last.until(end) > Duration::from_secs(2) {
        let (secret, token, sent) = (SecretId(0), TokenId(1), hand.now().moment);
        let mut seen = hand.give(Event::Read { secret, token, sent, result: Err(denied()) });
        while !seen.iter().any(|action| read(action).is_some()) {
            let looks_up = seen.contains(&Action::Ask(Question::LookUp(token)));
            let sent = hand.now().moment;
            seen = match looks_up {
                true => hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 3000)) }),
                false => hand.sleep(),
            };
        }
        let (before, left) = (last, last.until(end));
        last = hand.now().moment;
        assert!(before.until(last) <= left / 2 + Duration::from_secs(1), "{before:?}, {last:?} and {end:?}");
    }
}

#[test]
fn a_lease_is_renewed_again_when_half_of_it_is_left_whatever_pause_is_asked_for() {
    let mut hand = settled(leased("l", 60));
    let end = hand.engine.snapshot().secrets[0].lease.as_ref().expect("it is leased").expires;
    let renews = |action: &Action| matches!(action, Action::Ask(Question::Renew { .. }));
    until(&mut hand, MINUTE, renews);
    let (secret, lease, sent) = (SecretId(0), LeaseId("l".into()), hand.now().moment);
    hand.give(Event::Renewed { secret, lease, sent, result: failure(MINUTE) });
    hand.give(Event::Probed(Ok(())));
    let again = until(&mut hand, MINUTE, renews);
    assert!(again < sent.after(sent.until(end) * 3 / 5), "{again:?} of {end:?}");
}

/// Refuses logins until none is tried for a while.
fn locked_out() -> Hand {
    let mut policy = policy(Mode::Daemon, 1);
    policy.locks_out = true;
    let mut hand = Hand::new(policy);
    let mut todo = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    let mut refused = 0;
    while refused < 3 {
        let tried = todo.iter().find_map(|action| match action {
            Action::Ask(Question::LogIn(token)) => Some(*token),
            _ => None,
        });
        let Some(token) = tried else {
            todo = hand.sleep();
            continue;
        };
        refused += 1;
        let sent = hand.now().moment;
        todo = hand.give(Event::LoggedIn { token, sent, result: failure(FailureKind::Refused) });
    }
    hand
}

#[test]
fn other_credentials_or_a_person_are_granted_a_login_where_refusals_lock_the_account() {
    let logs_in =
        |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_))));
    let mut hand = locked_out();
    let before = hand.millis;
    while !logs_in(&hand.sleep()) {}
    assert!(hand.millis - before > 800_000, "a quarter of an hour: {}", hand.millis - before);
    let mut hand = locked_out();
    let before = hand.millis;
    let mut seen = hand.give(Event::CredentialsChanged);
    while !logs_in(&seen) {
        seen = hand.sleep();
    }
    assert!(hand.millis - before < 5000, "{}", hand.millis - before);
}

#[test]
fn a_start_whose_logins_are_refused_goes_on_for_half_a_minute() {
    let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_secs(120) }, 1));
    let mut todo = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    let begun = hand.millis;
    let (mut tries, mut over) = (0, false);
    while !over {
        for action in std::mem::take(&mut todo) {
            over |= matches!(action, Action::Exit(Err(_)));
            if let Action::Ask(Question::LogIn(token)) = action {
                tries += 1;
                let sent = hand.now().moment;
                todo.extend(hand.give(Event::LoggedIn {
                    token,
                    sent,
                    result: failure(FailureKind::Refused),
                }));
            }
        }
        if todo.is_empty() && !over {
            todo = hand.sleep();
        }
    }
    let took = hand.millis - begun;
    assert!((29_000..33_000).contains(&took) && tries > 3, "{tries} tries in {took} ms");
}

#[test]
fn a_fresh_token_s_denial_is_asked_about_once_more_and_soon() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    let first = hand.millis;
    hand.read_denied(SecretId(0), TokenId(1));
    let (token, sent) = (TokenId(1), hand.now().moment);
    hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 3600)) });
    let reads =
        |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Ask(Question::Read { .. })));
    while !reads(&hand.sleep()) {}
    assert!((1000..2000).contains(&(hand.millis - first)), "{}", hand.millis - first);
}

/// Another configuration left a token. What is on disk may be made of it until the new set is there.
#[test]
fn what_another_configuration_left_is_revoked_when_everything_is_published() {
    let mut kept = settled(leased("l", 3600)).engine.snapshot();
    kept.tokens[0].leaving = true;
    kept.secrets.clear();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let revokes = |seen: &[Action]| seen.contains(&Action::Ask(Question::RevokeToken(TokenId(1))));
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    seen.extend(hand.needs(0, "secret/web"));
    seen.extend(hand.logged_in(2));
    seen.extend(hand.resolved(0, "secret/data/web"));
    let sent = hand.now().moment;
    let result = Ok(leased("m", 3600));
    seen.extend(hand.give(Event::Read { secret: SecretId(0), token: TokenId(2), sent, result }));
    seen.extend(hand.rendered(0, "secret/web"));
    assert!(!revokes(&seen), "{seen:?}");
    let mut seen = hand.published(2, &[0]);
    assert!(!revokes(&seen), "its reader was not told: {seen:?}");
    seen = hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    for _ in 0..5 {
        if revokes(&seen) {
            return;
        }
        seen = hand.sleep();
    }
    panic!("it is never revoked: {seen:?}");
}

#[test]
fn a_server_that_asks_for_an_hour_at_the_end_is_asked_again_in_a_moment() {
    let mut hand = settled(leased("l", 3600));
    let revokes = Action::Ask(Question::RevokeToken(TokenId(1)));
    assert!(hand.give(Event::Stop { at_once: true }).contains(&revokes));
    let hour = FailureKind::Overloaded(Some(Duration::from_secs(3600)));
    hand.give(Event::TokenRevoked { token: TokenId(1), result: failure(hour) });
    let told = hand.millis;
    until(&mut hand, hour, |action| *action == revokes);
    assert!(hand.millis - told < 3000, "{}", hand.millis - told);
}
