//! What an earlier boot left: its times mean nothing until the server has told.

use super::super::action::Action;
use super::super::event::Event;
use super::super::ids::{LeaseId, SecretId, TokenId};
use super::super::policy::Mode;
use super::hand::{Hand, denied, leased, policy, settled};
use leasehold_base::failure::{Failure, FailureKind};

fn unheard() -> Failure {
    Failure::new(FailureKind::Unheard, "timed out")
}

#[test]
fn a_lease_whose_renewal_is_unheard_after_its_login_turned_out_dead_is_read_anew_all_the_same() {
    let mut kept = settled(leased("l", 3600)).agent.snapshot();
    kept.unsure = true;
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut actions = hand.give(Event::Start { kept: Some(kept), rebooted: true });
    actions.extend(hand.rendered(0, "secret/web"));
    assert!(actions.contains(&Action::LookUp(TokenId(1))), "{actions:?}");
    let sent = hand.now().moment;
    let renewing = hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(denied()) });
    assert!(renewing.contains(&Action::LogIn(TokenId(2))), "{renewing:?}");
    let asked = hand.logged_in(2);
    assert!(asked.contains(&Action::LookUp(TokenId(1))), "once more, before anything is minted: {asked:?}");
    let sent = hand.now().moment;
    let mut seen = hand.give(Event::LookedUp { token: TokenId(1), sent, result: Err(denied()) });
    let renews = |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Renew { .. }));
    assert!(renews(&seen), "it may be the look-up alone that was denied: {seen:?}");
    // The new login's look-up shows that the old one is dead.
    let facts = Hand::facts(2, 3600);
    seen = hand.give(Event::LookedUp { token: TokenId(2), sent: hand.now().moment, result: Ok(facts) });
    assert!(seen.contains(&Action::DropToken(TokenId(1))), "{seen:?}");
    let reads = |seen: &[Action]| seen.iter().any(|action| matches!(action, Action::Read { .. }));
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
