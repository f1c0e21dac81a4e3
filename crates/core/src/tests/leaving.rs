//! The end of a run, and what meets it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::hand::{Hand, leased, policy, request, settled, settled_by};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, RenderOutcome, Wanted};
use crate::interface::ids::{FileId, LeaseId, NotifierId, TokenId};
use crate::interface::policy::Mode;
use crate::interface::snapshot::{KeptLease, KeptSecret};
use crate::tools::steps::counted;
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::{Failure, FailureKind};

const DB: &str = "database/creds/web";

fn fixed(name: &str) -> ReadFacts {
    let mut facts = leased(name, 3600);
    facts.lease.iter_mut().for_each(|lease| lease.renewable = false);
    facts
}

/// Makes an `init` that has minted a lease and has not rendered its file yet.
fn minted() -> Hand {
    let mut hand = Hand::new(policy(Mode::Init { timeout: Duration::from_secs(5) }, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, DB);
    hand.logged_in(1);
    hand.resolved(0, DB);
    hand.read(0, leased("l", 3600));
    hand
}

/// A start fails and revokes what it minted. The signal that comes meanwhile is the first.
#[test]
fn the_first_request_to_stop_does_not_cut_short_an_end_that_began_by_itself() {
    let mut hand = minted();
    hand.give(Event::Stop { at_once: false });
    let again = hand.give(Event::Stop { at_once: false });
    assert!(again.iter().any(|action| matches!(action, Action::Exit(_))), "the second means: at once");
    let mut hand = minted();
    let why = Ending::new(Cause::Template, "no such key", "");
    let failed = RenderOutcome::Failed { why, used: vec![request(DB)] };
    let ending = hand.give(Event::Rendered { file: FileId(0), outcome: failed });
    assert_eq!(ending, [Action::Ask(Question::RevokeToken(TokenId(1)))]);
    assert_eq!(hand.give(Event::Stop { at_once: false }), [], "the revocation goes on");
    let ended = hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) });
    assert!(ended.iter().any(|action| matches!(action, Action::Exit(Err(_)))), "{ended:?}");
}

/// The question was asked before the end began, and the end leaves everything to the next run.
#[test]
fn what_the_driver_keeps_at_the_end_is_left_to_the_next_run_without_a_warning() {
    let mut policy = policy(Mode::Daemon, 1);
    policy.shutdown.revoke = false;
    let mut hand = settled_by(policy, leased("old", 3600));
    hand.give(Event::Renew(Wanted::Path("secret/data/web".to_owned())));
    hand.read(0, leased("new", 3600));
    hand.rendered(0, "secret/web");
    hand.published(2, &[0]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    let end = hand.millis + 60_000;
    let asks = |seen: &[Action]| {
        seen.iter().any(|action| matches!(action, Action::Ask(Question::RevokeLease { .. })))
    };
    while !asks(&hand.sleep()) {
        assert!(hand.millis < end, "no revocation is asked for");
    }
    hand.give(Event::Stop { at_once: true });
    let old = LeaseId("old".into());
    let seen = hand.engine.handle(Event::LeaseKept(old.clone()), hand.now());
    assert!(!seen.iter().any(|action| matches!(action, Action::Say(_))), "{seen:?}");
    assert!(hand.engine.snapshot().retiring.iter().any(|lease| lease.id == old), "the next run must know");
}

/// The probe is answered by the server, and all else by a proxy: each probe would send everything again.
#[test]
fn at_the_end_one_revocation_at_a_time_finds_out_whether_a_proxy_is_gone() {
    let mut kept = settled(fixed("l.team")).engine.snapshot();
    let one = kept.secrets[0].lease.clone().expect("a lease");
    kept.retiring =
        (0..12).map(|n| KeptLease { id: LeaseId(format!("old-{n}.team")), ..one.clone() }).collect();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    let mut seen = hand.give(Event::Stop { at_once: true });
    let (mut asked, mut turns, mut given, begin) = (BTreeSet::new(), BTreeSet::new(), 0, hand.millis);
    while !seen.iter().any(|action| matches!(action, Action::Ask(Question::RevokeToken(_)))) {
        let well = hand.millis - begin > 3_000;
        let (mut next, mut now) = (Vec::new(), BTreeSet::new());
        for action in std::mem::take(&mut seen) {
            match action {
                Action::Ask(Question::RevokeLease { lease, .. }) => {
                    now.insert(lease.clone());
                    given += usize::from(well);
                    let page = Failure::new(FailureKind::Intercepted, "a proxy answered");
                    let result = if well { Ok(()) } else { Err(page) };
                    next.extend(hand.give(Event::LeaseRevoked { lease, result }));
                }
                Action::Ask(Question::Probe) => next.extend(hand.give(Event::Probed(Ok(())))),
                Action::SaveHandoff => next.extend(hand.give(Event::HandoffSaved(Ok(())))),
                _ => {}
            }
        }
        if asked.len() == 13 && !well {
            assert!(now.len() <= 1, "{now:?}");
            turns.extend(now.iter().cloned());
        }
        asked.extend(now);
        seen = if next.is_empty() { hand.sleep() } else { next };
        assert!(hand.millis - begin < 14_000, "only {given} are given back");
    }
    assert_eq!(given, 13);
    assert!(turns.len() > 1, "each has its turn: {turns:?}");
}

/// Returns what it costs to give back so many leases that do not end with their login.
fn giving_back(leases: usize) -> u64 {
    let mut kept = settled(fixed("l.team")).engine.snapshot();
    let one = kept.secrets.pop().expect("a secret");
    let lease = one.lease.clone().expect("a lease");
    let secret = |n: usize| {
        let lease = KeptLease { id: LeaseId(format!("l-{n}.team")), ..lease.clone() };
        let request = request(&format!("database/creds/{n}"));
        KeptSecret { request, written: vec![], lease: Some(lease), ..one.clone() }
    };
    kept.secrets = (0..leases).map(secret).collect();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    let mut actions = VecDeque::from(hand.give(Event::Stop { at_once: true }));
    let (steps, given) = counted(|| {
        let mut given = 0;
        while let Some(action) = actions.pop_front() {
            if let Action::Ask(Question::RevokeLease { lease, .. }) = action {
                given += 1;
                actions.extend(hand.give(Event::LeaseRevoked { lease, result: Ok(()) }));
            }
        }
        given
    });
    assert_eq!(given, leases);
    assert!(hand.engine.snapshot().secrets.is_empty(), "what is given back is held no more");
    steps
}

#[test]
fn a_lease_that_is_given_back_at_the_end_costs_no_look_at_each_secret() {
    let (few, many) = (giving_back(20), giving_back(40));
    assert!(many <= 2 * few + 8, "{few} and {many}");
}
