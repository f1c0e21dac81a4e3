//! What an earlier boot left: its times mean nothing until the server has answered.

use std::time::Duration;

use super::hand::{Hand, denied, leased, policy, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Granted};
use crate::interface::ids::{LeaseId, SecretId, TokenId};
use crate::interface::policy::{Mode, Policy};
use crate::interface::snapshot::{Refusals, Snapshot};
use leasehold_base::failure::{Failure, FailureKind};

fn unheard() -> Failure {
    Failure::new(FailureKind::Unheard, "timed out")
}

#[test]
fn a_lease_whose_renewal_is_unheard_after_its_login_turned_out_dead_is_read_anew_all_the_same() {
    let mut kept = settled(leased("l", 3600)).engine.snapshot();
    kept.unsure = true;
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut actions = hand.give(Event::Start { kept: Some(kept), rebooted: true });
    actions.extend(hand.rendered(0, "secret/web"));
    assert!(actions.contains(&Action::Ask(Question::LookUp(TokenId(1)))), "{actions:?}");
    let sent = hand.now().moment;
    let renewing = hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(denied()) });
    assert!(renewing.contains(&Action::Ask(Question::LogIn(TokenId(2)))), "{renewing:?}");
    let asked = hand.logged_in(2);
    assert!(
        asked.contains(&Action::Ask(Question::LookUp(TokenId(1)))),
        "once more, before anything is minted: {asked:?}"
    );
    let sent = hand.now().moment;
    let mut seen = hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(denied()) });
    let renews =
        |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Ask(Question::Renew { .. })));
    assert!(renews(&seen), "it may be the look-up alone that was denied: {seen:?}");
    // The new login's look-up shows that the old one is dead.
    let facts = Hand::facts(2, 3600);
    seen = hand.give(Event::LookedUp { token: TokenId(2), sent: hand.now().moment, result: Ok(facts) });
    assert!(seen.contains(&Action::DropToken(TokenId(1))), "{seen:?}");
    let reads =
        |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Ask(Question::Read { .. })));
    assert!(reads(&seen), "{seen:?}");
    let missing = Failure::new(FailureKind::Missing, "nothing is there");
    let sent = hand.now().moment;
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(2), sent, result: Err(missing) });
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    hand.give(Event::Renewed { secret, lease, sent, result: Err(unheard()) });
    hand.give(Event::Probed(Ok(())));
    let end = hand.millis + 60_000;
    while !reads(&hand.sleep()) {
        assert!(hand.millis < end, "nobody asks any more");
    }
}

/// Only the server knows how long a token from before a restart lives, and a proxy, or a quota, keeps it from saying
/// so.
#[test]
fn what_is_leased_under_a_token_is_not_called_good_before_the_server_has_told_what_is_left_of_that() {
    for kind in [FailureKind::Nonsense, FailureKind::Overloaded(None)] {
        let kept = settled(leased("l", 3600)).engine.snapshot();
        let mut hand = Hand::new(policy(Mode::Daemon, 1));
        let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: true });
        seen.extend(hand.rendered(0, "secret/web"));
        hand.published(1, &[]);
        let (mut renewals, end) = (0, hand.millis + 60_000);
        while renewals < 2 {
            assert!(hand.millis < end, "{kind:?}: the lease or the token is not renewed");
            let mut next = Vec::new();
            for action in seen {
                let sent = hand.now().moment;
                next.extend(match action {
                    Action::Ask(Question::LookUp(token)) => {
                        let result = Err(Failure::new(kind, "not the server's word"));
                        hand.give(Event::LookedUp { token, sent, result })
                    }
                    Action::Ask(Question::Probe) => hand.give(Event::Probed(Ok(()))),
                    Action::Ask(Question::Renew { secret, lease, .. }) => {
                        renewals += 1;
                        let granted = Granted { ttl: Duration::from_secs(3600), renewable: true };
                        hand.give(Event::Renewed { secret, lease, sent, result: Ok(granted) })
                    }
                    Action::Ask(Question::RenewToken(_)) => {
                        renewals += 1;
                        Vec::new()
                    }
                    _ => Vec::new(),
                });
            }
            seen = if next.is_empty() && renewals < 2 { hand.sleep() } else { next };
        }
        let readiness = hand.engine.outlook(hand.now()).readiness;
        assert!(!readiness.is_ready(), "{kind:?}: {readiness:?}, and the token may end at any moment");
        let granted = Granted { ttl: Duration::from_secs(600), renewable: true };
        let sent = hand.now().moment;
        hand.give(Event::TokenRenewed { token: TokenId(1), sent, result: Ok(granted) });
        let outlook = hand.engine.outlook(hand.now());
        assert!(outlook.readiness.is_ready(), "{kind:?}: {:?}", outlook.readiness);
        assert_eq!(outlook.until, Some(sent.after(Duration::from_secs(600))));
    }
}

#[test]
fn a_look_up_that_is_asked_to_come_later_does_so_and_renewals_do_not_wait_for_it() {
    let kept = settled(leased("l", 3600)).engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: true });
    assert!(seen.contains(&Action::Ask(Question::LookUp(TokenId(1)))), "{seen:?}");
    hand.rendered(0, "secret/web");
    let later = Failure::new(FailureKind::Overloaded(Some(Duration::from_secs(3600))), "too many requests");
    let (sent, told) = (hand.now().moment, hand.millis);
    seen = hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(later) });
    assert!(seen.iter().any(|action| matches!(action, Action::Ask(Question::Renew { .. }))), "{seen:?}");
    hand.give(Event::Probed(Ok(())));
    while !seen.contains(&Action::Ask(Question::LookUp(TokenId(1)))) {
        seen = hand.sleep();
    }
    let waited = hand.millis - told;
    assert!(
        (50_000..=52_000).contains(&waited),
        "no shorter than asked, and no longer than a minute: {waited}"
    );
}

/// The run before could not write the handoff any more, and went on renewing.
#[test]
fn a_token_that_has_ended_by_what_is_written_of_it_is_looked_up_before_another_login() {
    for lives in [true, false] {
        let kept = settled(leased("l", 3600)).engine.snapshot();
        let mut hand = Hand::new(policy(Mode::Daemon, 1));
        hand.millis += 2 * 3_600_000;
        let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
        seen.extend(hand.rendered(0, "secret/web"));
        assert!(seen.contains(&Action::Ask(Question::LookUp(TokenId(1)))), "{seen:?}");
        assert!(!seen.contains(&Action::Ask(Question::LogIn(TokenId(2)))), "{seen:?}");
        assert!(!hand.engine.outlook(hand.now()).readiness.is_ready(), "before the server has told");
        let (token, sent) = (TokenId(1), hand.now().moment);
        let result = if lives { Ok(Hand::facts(1, 3600)) } else { Err(denied()) };
        let seen = hand.give(Event::LookedUp { token, sent, result });
        if lives {
            let renews = |action: &Action| matches!(action, Action::Ask(Question::Renew { .. }));
            assert!(seen.iter().any(renews), "{seen:?}");
        } else {
            assert!(seen.contains(&Action::Ask(Question::LogIn(TokenId(2)))), "{seen:?}");
        }
    }
}

#[test]
fn a_token_that_cannot_be_renewed_and_has_ended_is_dropped_and_not_asked_about() {
    let mut kept = settled(leased("l", 3600)).engine.snapshot();
    kept.tokens[0].renewable = false;
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.millis += 2 * 3_600_000;
    let seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    assert!(seen.contains(&Action::DropToken(TokenId(1))), "{seen:?}");
    assert!(seen.contains(&Action::Ask(Question::LogIn(TokenId(2)))), "{seen:?}");
}

#[test]
fn a_lease_that_has_ended_by_what_is_written_of_it_is_renewed_before_another_is_minted() {
    let kept = settled(leased("l", 60)).engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.millis += 600_000;
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    seen.extend(hand.rendered(0, "secret/web"));
    let (secret, lease) = (SecretId(0), LeaseId("l".into()));
    let renews = |action: &Action| matches!(action, Action::Ask(Question::Renew { .. }));
    let reads = |action: &Action| matches!(action, Action::Ask(Question::Read { .. }));
    assert!(seen.iter().any(renews) && !seen.iter().any(reads), "{seen:?}");
    assert!(!hand.engine.outlook(hand.now()).readiness.is_ready(), "before the server has told");
    let (sent, gone) = (hand.now().moment, Failure::new(FailureKind::Rejected, "lease not found"));
    let seen = hand.give(Event::Renewed { secret, lease, sent, result: Err(gone) });
    assert!(seen.iter().any(reads), "{seen:?}");
}

/// The run before was killed just after it had asked for a renewal. What it wrote says that the lease ends now, give
/// or take the second that a server does not tell.
#[test]
fn a_lease_that_is_about_to_end_by_what_is_written_of_it_is_renewed_before_another_is_minted() {
    let kept = settled(leased("l", 60)).engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let lease = kept.secrets[0].lease.clone().expect("it is leased");
    assert!(lease.expires < lease.latest, "the server may keep it a little longer");
    hand.millis = u64::try_from(lease.expires.since_boot().as_millis()).expect("it is near");
    assert!(hand.now().moment < lease.latest, "the second is not over");
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    seen.extend(hand.rendered(0, "secret/web"));
    let renews = |action: &Action| matches!(action, Action::Ask(Question::Renew { .. }));
    let reads = |action: &Action| matches!(action, Action::Ask(Question::Read { .. }));
    assert!(seen.iter().any(renews) && !seen.iter().any(reads), "{seen:?}");
}

/// Userpass locks an account out after a few refusals, so that a quarter of an hour has to pass after them.
#[test]
fn refusals_of_another_boot_count_from_the_first_start_of_this_one() {
    let (locks_out, handoff) = (true, true);
    let start = || Hand::new(Policy { locks_out, handoff, ..policy(Mode::Daemon, 1) });
    let mut hand = start();
    let last = hand.now().moment.after(Duration::from_secs(3600));
    let refusals = Some(Refusals { count: 4, last, why: "invalid role".into(), pardoned: false });
    let kept = Snapshot { refusals, ..Snapshot::default() };
    let actions = hand.give(Event::Start { kept: Some(kept), rebooted: true });
    assert!(actions.contains(&Action::SaveHandoff), "the next start has to know: {actions:?}");
    let kept = hand.engine.snapshot();
    let (mut next, killed) = (start(), hand.millis + 14 * 60_000);
    next.millis = killed;
    next.give(Event::Start { kept: Some(kept), rebooted: false });
    next.needs(0, "secret/web");
    while !next.sleep().contains(&Action::Ask(Question::LogIn(TokenId(1)))) {
        assert!(next.millis < killed + 120_000, "it waits as if it had been refused just now");
    }
}
