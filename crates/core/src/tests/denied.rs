//! What a denial stands for: not for more than the one request, since what denies may be a proxy, and gone in a moment.

use std::time::Duration;

use super::hand::{Hand, denied, kv, leased, policy, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted};
use crate::interface::ids::{NotifierId, SecretId, TokenId};
use crate::interface::policy::Mode;
use crate::interface::snapshot::KeptToken;

const OLD: TokenId = TokenId(1);

/// Makes a daemon that revokes the token of another configuration, with which its lease ends. Returns the first try, too.
fn about_to_revoke_a_token() -> (Hand, Vec<Action>) {
    let mut kept = settled(leased("l", 3600)).engine.snapshot();
    kept.tokens[0].leaving = true;
    let lease = kept.secrets.remove(0).lease.expect("it has one");
    kept.retiring.push(lease);
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.needs(0, "secret/web");
    hand.logged_in(2);
    hand.resolved(0, "secret/data/web");
    let sent = hand.now().moment;
    let result = Ok(leased("m", 3600));
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(2), sent, result });
    hand.rendered(0, "secret/web");
    hand.published(2, &[0]);
    let mut seen = hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    while !seen.contains(&Action::Ask(Question::RevokeToken(OLD))) {
        seen = hand.sleep();
    }
    (hand, seen)
}

/// What was seen until a token was let go.
#[derive(Default)]
struct Tried {
    token: usize,
    lease: usize,
    took: Duration,
}

/// Denies the token's revocation so often, and those of its lease each time. Everything else is granted.
fn denied_so_often(most: usize) -> Tried {
    let (mut hand, mut seen) = about_to_revoke_a_token();
    let (mut tried, begin) = (Tried::default(), hand.millis);
    while !seen.contains(&Action::DropToken(OLD)) {
        assert!(hand.millis - begin < 600_000, "it is never let go");
        let mut next = Vec::new();
        for action in std::mem::take(&mut seen) {
            let sent = hand.now().moment;
            next.extend(match action {
                Action::Ask(Question::RevokeToken(OLD)) => {
                    tried.token += 1;
                    let result = if tried.token <= most { Err(denied()) } else { Ok(()) };
                    hand.give(Event::TokenRevoked { token: OLD, result })
                }
                Action::Ask(Question::RevokeLease { lease, .. }) => {
                    tried.lease += 1;
                    hand.give(Event::LeaseRevoked { lease, result: Err(denied()) })
                }
                Action::Ask(Question::LookUp(token)) => {
                    hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(token.0, 3600)) })
                }
                _ => Vec::new(),
            });
        }
        seen = if next.is_empty() { hand.sleep() } else { next };
    }
    tried.took = Duration::from_millis(hand.millis - begin);
    tried
}

/// A token that is let go at the first denial lives to its end, and no handoff names it any more.
#[test]
fn a_token_whose_revocation_is_denied_for_a_while_is_revoked_after_it() {
    let briefly = denied_so_often(3);
    assert_eq!((briefly.token, briefly.lease), (4, 0), "its lease goes with it");
    let for_longer = denied_so_often(6);
    assert_eq!(for_longer.token, 7);
    assert!(for_longer.lease > 0, "meanwhile its lease is revoked by itself");
}

#[test]
fn a_token_that_may_not_be_revoked_is_let_go_after_three_minutes() {
    let tried = denied_so_often(usize::MAX);
    assert_eq!(tried.token, 9);
    assert!((120..300).contains(&tried.took.as_secs()), "{:?}", tried.took);
}

/// Waits for the next renewal of the secret's lease, or the read that replaces it. The token itself is fine.
fn renewal_or_replacement(hand: &mut Hand, mut seen: Vec<Action>) -> Action {
    let whole = Duration::from_secs(3600);
    loop {
        let mut next = Vec::new();
        for action in seen {
            let sent = hand.now().moment;
            next.extend(match action {
                Action::Ask(Question::Renew { .. } | Question::Read { .. }) => return action,
                Action::Ask(Question::LookUp(token)) => {
                    hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(1, 3600)) })
                }
                Action::Ask(Question::RenewToken(token)) => {
                    let result = Ok(Granted { ttl: whole, renewable: true });
                    hand.give(Event::TokenRenewed { token, sent, result })
                }
                _ => Vec::new(),
            });
        }
        seen = if next.is_empty() { hand.sleep() } else { next };
    }
}

/// A secret whose leases are never renewed again is a new database user each time, until somebody starts the pod anew.
#[test]
fn a_denied_renewal_is_of_one_lease() {
    let mut hand = settled(leased("first", 1200));
    let asked = renewal_or_replacement(&mut hand, Vec::new());
    let Action::Ask(Question::Renew { secret, lease, .. }) = asked else { panic!("{asked:?}") };
    let sent = hand.now().moment;
    let seen = hand.give(Event::Renewed { secret, lease, sent, result: Err(denied()) });
    let next = renewal_or_replacement(&mut hand, seen);
    assert!(matches!(next, Action::Ask(Question::Read { .. })), "it is replaced: {next:?}");
    hand.read(0, leased("second", 1200));
    hand.rendered(0, "secret/web");
    hand.published(2, &[0]);
    let seen = hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    let next = renewal_or_replacement(&mut hand, seen);
    assert!(matches!(next, Action::Ask(Question::Renew { .. })), "{next:?}");
}

/// Six logins were replaced while none could be revoked, as in a minute of doubt.
#[test]
fn many_tokens_that_are_denied_go_one_at_a_time_until_one_is_granted() {
    let mut kept = settled(leased("l", 3600)).engine.snapshot();
    kept.secrets.clear();
    let one = kept.tokens.remove(0);
    kept.tokens = (1..=6)
        .map(|id| KeptToken { id: TokenId(id), accessor: format!("old-{id}"), leaving: true, ..one.clone() })
        .collect();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    seen.extend(hand.needs(0, "secret/web"));
    seen.extend(hand.logged_in(7));
    seen.extend(hand.resolved(0, "secret/data/web"));
    let (sent, token) = (hand.now().moment, TokenId(7));
    seen.extend(hand.give(Event::Read { secret: SecretId(0), token, sent, result: Ok(kv(true)) }));
    seen.extend(hand.rendered(0, "secret/web"));
    seen.extend(hand.published(2, &[0]));
    seen.extend(hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) }));
    let (mut asked, mut gone, begin) = (0, 0, hand.millis);
    while gone < 6 {
        let well = hand.millis - begin > 60_000;
        let mut next = Vec::new();
        for action in std::mem::take(&mut seen) {
            if let Action::Ask(Question::RevokeToken(token)) = action {
                asked += usize::from(!well);
                gone += usize::from(well);
                let result = if well { Ok(()) } else { Err(denied()) };
                next.extend(hand.give(Event::TokenRevoked { token, result }));
            }
        }
        assert!(hand.millis - begin < 200_000, "only {gone} are gone");
        seen = if next.is_empty() { hand.sleep() } else { next };
    }
    assert!((6..16).contains(&asked), "{asked} requests");
}

/// The next run could do no more about it, and would warn of it anew.
#[test]
fn a_token_that_was_denied_its_revocation_for_a_while_is_not_left_to_the_next_run() {
    for (before, stays) in [(1, 1), (5, 0)] {
        let (mut hand, mut seen) = about_to_revoke_a_token();
        let (mut denials, mut stopped, mut leases) = (0, false, 0);
        loop {
            let ended = seen.iter().any(|action| matches!(action, Action::Exit(_)));
            if ended {
                break;
            }
            let mut next = Vec::new();
            for action in std::mem::take(&mut seen) {
                let sent = hand.now().moment;
                next.extend(match action {
                    Action::Ask(Question::RevokeToken(token)) => {
                        denials += usize::from(token == OLD);
                        let result = if token == OLD { Err(denied()) } else { Ok(()) };
                        hand.give(Event::TokenRevoked { token, result })
                    }
                    Action::Ask(Question::RevokeLease { lease, .. }) => {
                        leases += usize::from(stopped);
                        let result = if stopped { Ok(()) } else { Err(denied()) };
                        hand.give(Event::LeaseRevoked { lease, result })
                    }
                    Action::Ask(Question::LookUp(token)) => {
                        hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(token.0, 3600)) })
                    }
                    _ => Vec::new(),
                });
                if denials == before && !stopped {
                    stopped = true;
                    next.extend(hand.give(Event::Stop { at_once: true }));
                }
            }
            seen = if next.is_empty() { hand.sleep() } else { next };
        }
        assert_eq!(hand.engine.snapshot().tokens.len(), stays, "denied {before} times before the end");
        assert!(leases > 0, "its lease is revoked by itself");
    }
}

/// A policy that is corrected while a standby does not know the new login yet: the denial that is put down to the lag is
/// not one more of those before it, after which the pauses are long.
#[test]
fn what_the_login_before_was_denied_puts_no_read_with_a_new_login_off() {
    let mut hand = settled(kv(true));
    let begin = hand.millis;
    let (mut token, mut logins, mut asked) = (TokenId(1), 0, Vec::new());
    // Ten minutes of denials; then another login is asked for, and the standby lags behind it for 2 s.
    let mut seen = Vec::new();
    let (mut lags_until, mut granted) = (u64::MAX, None);
    while granted.is_none() {
        assert!(hand.millis - begin < 1_000_000, "it is not read again");
        if logins == 0 && hand.millis - begin > 600_000 {
            logins = 1;
            seen.extend(hand.give(Event::Exposed));
        }
        for action in std::mem::take(&mut seen) {
            let sent = hand.now().moment;
            asked.extend(match action {
                Action::Ask(Question::LogIn(new)) => {
                    token = new;
                    lags_until = hand.millis + 2000;
                    hand.logged_in(new.0)
                }
                Action::Ask(Question::LookUp(token)) => {
                    hand.give(Event::LookedUp { token, sent, result: Ok(Hand::facts(token.0, 3600)) })
                }
                Action::Ask(Question::Read { secret, .. }) if hand.millis < lags_until => {
                    hand.read_denied(secret, token)
                }
                Action::Ask(Question::Read { .. }) => {
                    granted = Some(hand.millis);
                    Vec::new()
                }
                _ => Vec::new(),
            });
        }
        seen = std::mem::take(&mut asked);
        if seen.is_empty() && granted.is_none() {
            seen = hand.sleep();
        }
    }
    let late = granted.expect("the loop ends so") - lags_until;
    assert!(late < 10_000, "{late} ms after the standby knew the login");
}
