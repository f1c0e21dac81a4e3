//! Requests that alone are told to wait, or answered by a proxy, while the server answers all others.

use std::time::Duration;

use super::hand::{Hand, denied, leased, policy, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, TokenFacts};
use crate::interface::ids::TokenId;
use crate::interface::policy::Mode;
use crate::interface::view::Readiness;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

const MINUTE: FailureKind = FailureKind::Overloaded(Some(Duration::from_secs(60)));
/// What a proxy says on one path, or a server under load.
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
    assert!(hand.now().moment < end, "{:?} and {end:?}", hand.now().moment);
}

/// Gives an event. Returns what is logged.
fn said(hand: &mut Hand, event: Event) -> Vec<String> {
    hand.millis += 1;
    let actions = hand.engine.handle(event, hand.now());
    let text = |action: Action| if let Action::Say(say) = action { Some(say.text) } else { None };
    actions.into_iter().filter_map(text).collect()
}

#[test]
fn that_the_server_asks_for_a_pause_is_logged_once_for_each_kind_of_request() {
    let told = |said: &[String], what: &str| {
        let is_it = |text: &&String| {
            text.starts_with(what) && text.contains("asked to come back in 60 s, asking again in ")
        };
        said.iter().filter(is_it).count()
    };
    let mut hand = fixed(3600);
    until(&mut hand, MINUTE, |action| *action == Action::Ask(Question::LogIn(TokenId(2))));
    let logged = |hand: &mut Hand, number| {
        let sent = hand.now().moment;
        said(hand, Event::LoggedIn { token: TokenId(number), sent, result: failure(MINUTE) })
    };
    assert_eq!(told(&logged(&mut hand, 2), "could not log in: "), 1);
    until(&mut hand, MINUTE, |action| *action == Action::Ask(Question::LogIn(TokenId(3))));
    assert_eq!(told(&logged(&mut hand, 3), "could not log in: "), 0);

    let mut hand = settled(leased("l", 36_000));
    let token = TokenId(1);
    for times in [1, 0] {
        until(&mut hand, MINUTE, |action| *action == Action::Ask(Question::RenewToken(token)));
        let sent = hand.now().moment;
        let said = said(&mut hand, Event::TokenRenewed { token, sent, result: failure(MINUTE) });
        assert_eq!(told(&said, "could not renew the token: "), times, "{said:?}");
    }
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
