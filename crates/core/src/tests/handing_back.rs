//! What was replaced is revoked only once nothing can use it any more.

use std::time::Duration;

use super::hand::{Hand, denied, kv, leased, policy, publish, request, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, RenderOutcome};
use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, TokenId};
use crate::interface::policy::{FilePolicy, Mode, NotifierPolicy, Policy};
use crate::interface::snapshot::{KeptLease, KeptToken};
use crate::tools::steps::counted;
use leasehold_base::failure::{Failure, FailureKind};

const WEB: &str = "secret/data/web";
const DB: &str = "database/creds/web";

/// Makes a daemon with a set of two files, each with an application of its own, published and notified. Both depend
/// on a lease of an hour, and the first on a value besides.
fn shared() -> Hand {
    let mut policy = policy(Mode::Daemon, 2);
    policy.notifiers.push(NotifierPolicy { name: "other".into(), splay: Duration::ZERO, on_first: true });
    policy.files[1] = FilePolicy { notify: vec![NotifierId(1)], ..policy.files[1].clone() };
    let mut hand = Hand::new(policy);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let missing = vec![request(WEB), request(DB)];
    hand.give(Event::Rendered { file: FileId(0), outcome: RenderOutcome::Needs { missing, used: vec![] } });
    hand.needs(1, DB);
    hand.logged_in_for(1, 24 * 3600);
    hand.resolved(0, WEB);
    hand.resolved(1, DB);
    hand.read(0, kv(true));
    hand.read(1, fixed("old"));
    made(&mut hand, 0, &[WEB, DB], true);
    assert_eq!(made(&mut hand, 1, &[DB], true), [publish(&[0, 1])]);
    hand.published(1, &[0, 1]);
    told(&mut hand, 0);
    told(&mut hand, 1);
    hand
}

/// Returns a lease that cannot be renewed.
fn fixed(name: &str) -> ReadFacts {
    let mut facts = leased(name, 3600);
    facts.lease.iter_mut().for_each(|lease| lease.renewable = false);
    facts
}

fn made(hand: &mut Hand, file: usize, of: &[&str], changed: bool) -> Vec<Action> {
    let used = of.iter().map(|path| request(path)).collect();
    hand.give(Event::Rendered { file: FileId(file), outcome: RenderOutcome::Rendered { changed, used } })
}

fn told(hand: &mut Hand, notifier: usize) {
    hand.give(Event::Notified { notifier: NotifierId(notifier), result: Ok(()) });
}

/// Sleeps until this secret is asked for; the value is meanwhile as it was.
fn until_asked(hand: &mut Hand, wanted: usize) {
    loop {
        let actions = hand.sleep();
        let asks = |id| {
            actions
                .iter()
                .any(|it| matches!(it, Action::Ask(Question::Read { secret, .. }) if secret.0 == id))
        };
        if asks(wanted) {
            return;
        }
        if asks(0) {
            hand.read(0, kv(false));
        }
    }
}

fn value_changes(hand: &mut Hand) {
    until_asked(hand, 0);
    hand.read(0, kv(true));
}

/// Replaces the lease.
fn replace(hand: &mut Hand) {
    until_asked(hand, 1);
    hand.read(1, fixed("new"));
}

/// Returns whether the old lease is revoked within a minute.
fn is_given_back(hand: &mut Hand) -> bool {
    let end = Duration::from_millis(hand.millis) + Duration::from_secs(60);
    let gives = |action: &Action| matches!(action, Action::Ask(Question::RevokeLease { lease, .. }) if lease.0 == "old");
    while hand.engine.deadline().is_some_and(|at| at.since_boot() < end) {
        if hand.sleep().iter().any(gives) {
            return true;
        }
    }
    false
}

#[test]
fn who_has_not_heard_that_a_file_left_a_lease_keeps_it_although_others_went_on_with_it() {
    let mut hand = shared();
    // The value changes, and the first file no longer uses the lease. No notification arrives.
    value_changes(&mut hand);
    assert_eq!(made(&mut hand, 0, &[WEB], true), [publish(&[0, 1])]);
    hand.published(2, &[0]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Err("no such process".into()) });
    replace(&mut hand);
    assert_eq!(made(&mut hand, 1, &[DB], true), [publish(&[0, 1])]);
    hand.published(3, &[1]);
    told(&mut hand, 1);
    assert!(!is_given_back(&mut hand), "the first application has it still");
    told(&mut hand, 0);
    assert!(is_given_back(&mut hand));
}

#[test]
fn a_rendering_that_changes_nothing_does_not_stand_for_having_told_the_one_before() {
    let mut hand = shared();
    replace(&mut hand);
    made(&mut hand, 0, &[WEB, DB], true);
    assert_eq!(made(&mut hand, 1, &[DB], true), [publish(&[0, 1])]);
    // The value changes again while the first change is on its way to the disk. The template makes nothing of it.
    value_changes(&mut hand);
    hand.published(2, &[0, 1]);
    told(&mut hand, 1);
    assert_eq!(made(&mut hand, 0, &[WEB, DB], false), []);
    assert!(!is_given_back(&mut hand), "the first application is being told");
    told(&mut hand, 0);
    assert!(is_given_back(&mut hand));
}

/// The store has the answer, and the handoff has what the store has. The next run would render with it, and revoke
/// its lease as one that was replaced.
#[test]
fn what_is_answered_while_leaving_is_what_the_next_run_goes_on_from() {
    let mut kept = settled(fixed("old")).engine.snapshot();
    // A newer login, which an earlier run made: the lease of the one before it is read anew.
    let newer = KeptToken { id: TokenId(2), accessor: "accessor-2".into(), ..kept.tokens[0].clone() };
    kept.tokens.push(newer);
    let mode = Mode::Init { timeout: Duration::from_secs(120) };
    let mut hand = Hand::new(Policy { handoff: true, ..policy(mode, 1) });
    let actions = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    let asks = |action: &Action| matches!(action, Action::Ask(Question::Read { .. }));
    assert!(actions.iter().any(asks), "{actions:?}");
    hand.rendered(0, "secret/web");
    let stopping = hand.give(Event::Stop { at_once: false });
    assert!(!stopping.contains(&Action::SaveHandoff), "the answer is still to come: {stopping:?}");
    let sent = hand.now().moment;
    let result = Ok(fixed("new"));
    let end = hand.give(Event::Read { secret: SecretId(0), token: TokenId(2), sent, result });
    assert!(end.contains(&Action::SaveHandoff), "{end:?}");
    let kept = hand.engine.snapshot();
    assert_eq!(kept.secrets[0].lease.as_ref().map(|lease| lease.id.0.as_str()), Some("new"));
    assert_eq!(kept.retiring.iter().map(|lease| lease.id.0.as_str()).collect::<Vec<_>>(), ["old"]);
}

/// The files are on disk, but no application was notified. The next run has nothing to publish, so only the handoff can
/// tell it to notify.
#[test]
fn what_is_published_while_leaving_is_told_by_the_next_run() {
    let mut hand = shared();
    value_changes(&mut hand);
    assert_eq!(made(&mut hand, 0, &[WEB, DB], true), [publish(&[0, 1])]);
    hand.give(Event::Stop { at_once: true });
    hand.published(2, &[0]);
    let kept = hand.engine.snapshot();
    assert_eq!(kept.untold.iter().collect::<Vec<_>>(), ["app"], "not the application of the other file");
}

#[test]
fn a_lease_that_the_server_may_keep_for_a_part_of_a_second_is_given_back_at_the_end() {
    let mut owned = policy(Mode::Daemon, 1);
    owned.owns_token = false;
    let mut hand = Hand::new(owned);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, DB);
    hand.logged_in_for(1, 24 * 3600);
    hand.resolved(0, DB);
    hand.read(0, fixed("old"));
    // The server counts from later than we do, and says whole seconds.
    hand.millis += 3_600_300;
    let given = hand.give(Event::Stop { at_once: true });
    assert!(
        matches!(&given[..], [Action::Ask(Question::RevokeLease { lease, .. })] if lease.0 == "old"),
        "{given:?}"
    );
}

/// A mesh may deny everything for some seconds, and the lease would live on for all of its time.
#[test]
fn a_lease_whose_revocation_is_denied_for_a_while_is_given_back_after_it() {
    let mut hand = shared();
    replace(&mut hand);
    made(&mut hand, 0, &[WEB, DB], true);
    made(&mut hand, 1, &[DB], true);
    hand.published(2, &[0, 1]);
    told(&mut hand, 0);
    told(&mut hand, 1);
    for _ in 0..4 {
        let lease = revocation(&mut hand);
        hand.give(Event::LeaseRevoked { lease, result: Err(denied()) });
    }
    let lease = revocation(&mut hand);
    hand.give(Event::LeaseRevoked { lease: lease.clone(), result: Ok(()) });
    assert!(hand.engine.snapshot().retiring.iter().all(|one| one.id != lease));
}

/// Sleeps until a lease is revoked.
fn revocation(hand: &mut Hand) -> LeaseId {
    for _ in 0..50 {
        let actions = hand.sleep();
        let revoked = actions.iter().find_map(|action| match action {
            Action::Ask(Question::RevokeLease { lease, .. }) => Some(lease.clone()),
            _ => None,
        });
        if let Some(lease) = revoked {
            return lease;
        }
        if actions.iter().any(|it| matches!(it, Action::Ask(Question::Read { secret, .. }) if secret.0 == 0))
        {
            hand.read(0, kv(false));
        }
    }
    panic!("no lease is revoked");
}

/// A lease in another namespace than its login's does not end with the login. Without a login nothing can revoke it.
#[test]
fn a_lease_that_outlives_its_login_elsewhere_is_left_to_the_next_run() {
    let mut hand = Hand::new(Policy { handoff: true, ..policy(Mode::Daemon, 1) });
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, DB);
    hand.logged_in_for(1, 60);
    hand.resolved(0, DB);
    hand.read(0, fixed("database/creds/web/1.team"));
    hand.rendered(0, DB);
    hand.give(Event::HandoffSaved(Ok(())));
    hand.give(Event::HandoffSaved(Ok(())));
    hand.published(1, &[0]);
    told(&mut hand, 0);
    // Its renewal is not answered; nor is the login that is asked for.
    let mut seen = Vec::new();
    while !seen.contains(&Action::DropToken(TokenId(1))) {
        seen = hand.sleep();
        if seen.contains(&Action::SaveHandoff) {
            hand.give(Event::HandoffSaved(Ok(())));
        }
    }
    let sent = hand.now().moment;
    let lost = Failure::new(FailureKind::Local, "there is no such file");
    hand.give(Event::LoggedIn { token: TokenId(2), sent, result: Err(lost) });
    let mut end = hand.give(Event::Stop { at_once: true });
    while end.contains(&Action::SaveHandoff) {
        assert!(!end.contains(&Action::DropHandoff), "{end:?}");
        end = hand.give(Event::HandoffSaved(Ok(())));
    }
    assert_eq!(end, [Action::Exit(Ok(()))]);
    let kept = hand.engine.snapshot();
    let leases: Vec<&str> = kept.retiring.iter().map(|lease| lease.id.0.as_str()).collect();
    assert_eq!(leases, ["database/creds/web/1.team"]);
}

/// Makes a daemon whose second login has replaced the lease of the first. That lease is about to be revoked.
fn left_by_the_login_before() -> Hand {
    let mut kept = settled(fixed("old")).engine.snapshot();
    let newer = KeptToken { id: TokenId(2), accessor: "accessor-2".into(), ..kept.tokens[0].clone() };
    kept.tokens.push(newer);
    kept.tokens[0].owned = false;
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.rendered(0, "secret/web");
    hand.published(1, &[0]);
    told(&mut hand, 0);
    let sent = hand.now().moment;
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(2), sent, result: Ok(fixed("new")) });
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    hand.published(2, &[0]);
    told(&mut hand, 0);
    hand
}

fn revoked_with(actions: &[Action]) -> Option<TokenId> {
    actions.iter().find_map(|action| match action {
        Action::Ask(Question::RevokeLease { token, .. }) => Some(*token),
        _ => None,
    })
}

/// What denied everything for a moment denied the current login, too; and the login before it may be dead by now.
#[test]
fn a_lease_that_neither_login_could_give_back_is_given_back_by_the_current_one_when_that_may() {
    let mut hand = left_by_the_login_before();
    for _ in 0..3 {
        let mut with = None;
        while with.is_none() {
            with = revoked_with(&hand.sleep());
        }
        assert_eq!(with, Some(TokenId(2)), "the current one first, each time");
        let old = LeaseId("old".into());
        let then = hand.give(Event::LeaseRevoked { lease: old.clone(), result: Err(denied()) });
        assert_eq!(revoked_with(&then), Some(TokenId(1)), "then the one that made it");
        hand.give(Event::LeaseRevoked { lease: old, result: Err(denied()) });
    }
}

/// Has 24 leases revoked that became free at the same moment, as after an outage. The server grants none for two
/// minutes. Returns how many revocations it was asked for in the first two minutes.
fn asked_while_none_is_granted(kind: FailureKind) -> usize {
    let mut kept = settled(fixed("l")).engine.snapshot();
    let one = kept.secrets[0].lease.clone().expect("a lease");
    kept.retiring = (0..24).map(|n| KeptLease { id: LeaseId(format!("old-{n}")), ..one.clone() }).collect();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let mut seen = hand.give(Event::Start { kept: Some(kept), rebooted: false });
    seen.extend(hand.rendered(0, "secret/web"));
    seen.extend(hand.published(1, &[0]));
    seen.extend(hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) }));
    let (mut asked, mut gone, begin) = (0, 0, hand.millis);
    while gone < 24 {
        let well = hand.millis - begin > 120_000;
        let mut next = Vec::new();
        for action in std::mem::take(&mut seen) {
            let (sent, token) = (hand.now().moment, TokenId(1));
            match action {
                Action::Ask(Question::RevokeLease { lease, .. }) => {
                    asked += usize::from(!well);
                    gone += usize::from(well);
                    let result = if well { Ok(()) } else { Err(Failure::new(kind, "no")) };
                    next.extend(hand.give(Event::LeaseRevoked { lease, result }));
                }
                Action::Ask(Question::Probe) => next.extend(hand.give(Event::Probed(Ok(())))),
                Action::Ask(Question::LookUp(_)) => {
                    let result = Ok(Hand::facts(1, 3600));
                    next.extend(hand.give(Event::LookedUp { token, sent, result }));
                }
                _ => {}
            }
        }
        assert!(hand.millis - begin < 400_000, "only {gone} are gone");
        seen = if next.is_empty() { hand.sleep() } else { next };
    }
    asked
}

#[test]
fn many_leases_that_are_to_come_later_go_one_at_a_time() {
    let asked = asked_while_none_is_granted(FailureKind::Overloaded(None));
    assert!(asked < 40, "{asked} requests");
}

/// Each is asked for once. After that, the answer to one holds for all that were denied.
#[test]
fn many_leases_that_are_denied_go_one_at_a_time_until_one_is_granted() {
    let asked = asked_while_none_is_granted(FailureKind::Denied);
    assert!((24..40).contains(&asked), "{asked} requests");
}

/// Its login is in another namespace. Once that login is revoked, nothing could revoke the lease that comes then.
#[test]
fn a_login_waits_at_the_end_for_a_lease_elsewhere_that_is_being_minted() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, DB);
    hand.logged_in_for(1, 24 * 3600);
    hand.resolved(0, DB);
    hand.read(0, fixed("old.team"));
    hand.rendered(0, DB);
    hand.published(1, &[0]);
    told(&mut hand, 0);
    until_asked(&mut hand, 0);
    let revokes = |name: &str| {
        let lease = LeaseId(name.into());
        Action::Ask(Question::RevokeLease { token: TokenId(1), lease })
    };
    assert_eq!(hand.give(Event::Stop { at_once: true }), [revokes("old.team")]);
    let lease = LeaseId("old.team".into());
    assert_eq!(hand.give(Event::LeaseRevoked { lease, result: Ok(()) }), []);
    assert_eq!(hand.read(0, fixed("new.team")), [revokes("new.team")]);
    let lease = LeaseId("new.team".into());
    let then = hand.give(Event::LeaseRevoked { lease, result: Ok(()) });
    assert_eq!(then, [Action::Ask(Question::RevokeToken(TokenId(1)))]);
}

/// The first answer after an outage is that to a revocation. Reads that were stranded are not asked for any more.
#[test]
fn a_server_that_is_back_at_the_end_is_asked_for_nothing_but_what_is_given_back() {
    let mut hand = settled(kv(true));
    let fails = |hand: &mut Hand| {
        let (secret, token, sent) = (SecretId(0), TokenId(1), hand.now().moment);
        let result = Err(Failure::new(FailureKind::Unreachable, "connection refused"));
        hand.give(Event::Read { secret, token, sent, result })
    };
    until_asked(&mut hand, 0);
    assert!(fails(&mut hand).contains(&Action::Ask(Question::Probe)));
    let down = || Err(Failure::new(FailureKind::Unreachable, "connection refused"));
    hand.give(Event::Probed(down()));
    let mut seen = hand.give(Event::Stop { at_once: true });
    for _ in 0..20 {
        if seen.contains(&Action::Ask(Question::Probe)) {
            break;
        }
        seen = hand.sleep();
    }
    let seen = hand.give(Event::Probed(Ok(())));
    assert!(seen.contains(&Action::Ask(Question::RevokeToken(TokenId(1)))), "{seen:?}");
    let seen = hand.give(Event::TokenRevoked { token: TokenId(1), result: Ok(()) });
    assert!(!seen.iter().any(|action| matches!(action, Action::Ask(_))), "{seen:?}");
}

#[test]
fn a_lease_of_another_namespace_whose_answer_came_after_the_end_of_its_login_is_given_back() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, DB);
    hand.logged_in_for(1, 10);
    hand.resolved(0, DB);
    while !hand.sleep().contains(&Action::DropToken(TokenId(1))) {}
    hand.read(0, leased("database/creds/web/old.team", 3600));
    if made(&mut hand, 0, &[DB], true) == [publish(&[0])] {
        hand.published(1, &[0]);
        told(&mut hand, 0);
    }
    hand.logged_in(2);
    let (token, sent) = (TokenId(2), hand.now().moment);
    let result = Ok(leased("database/creds/web/new.team", 3600));
    hand.give(Event::Read { secret: SecretId(0), token, sent, result });
    made(&mut hand, 0, &[DB], true);
    hand.published(2, &[0]);
    told(&mut hand, 0);
    let end = Duration::from_millis(hand.millis) + Duration::from_secs(60);
    let mut gone = false;
    while !gone && hand.engine.deadline().is_some_and(|at| at.since_boot() < end) {
        gone = hand.sleep().iter().any(|action| {
            matches!(action, Action::Ask(Question::RevokeLease { lease, .. }) if lease.0.ends_with("/old.team"))
        });
    }
    assert!(gone, "the server keeps what is in another namespace than its login");
}

#[test]
fn a_revocation_that_is_denied_again_has_the_server_asked_about_the_token() {
    let mut hand = shared();
    replace(&mut hand);
    for (file, of) in [(0, &[WEB, DB][..]), (1, &[DB])] {
        made(&mut hand, file, of, true);
    }
    hand.published(2, &[0, 1]);
    told(&mut hand, 0);
    told(&mut hand, 1);
    let (mut tries, mut asked) = (0, Vec::new());
    while tries < 2 {
        let gives = |it: &Action| matches!(it, Action::Ask(Question::RevokeLease { .. }));
        if hand.sleep().iter().any(gives) {
            tries += 1;
            let lease = LeaseId("old".into());
            asked = hand.give(Event::LeaseRevoked { lease, result: Err(denied()) });
        }
    }
    assert!(asked.contains(&Action::Ask(Question::LookUp(TokenId(1)))), "{asked:?}");
}

/// Returns what it costs to be denied the revocation of each of so many leases once.
fn denied_once(leases: usize) -> u64 {
    let mut kept = settled(fixed("l")).engine.snapshot();
    let one = kept.secrets[0].lease.clone().expect("a lease");
    kept.retiring =
        (0..leases).map(|n| KeptLease { id: LeaseId(format!("old-{n}")), ..one.clone() }).collect();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.rendered(0, "secret/web");
    hand.published(1, &[0]);
    let mut seen = hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    let asks = |action: Action| match action {
        Action::Ask(Question::RevokeLease { lease, .. }) => Some(lease),
        _ => None,
    };
    let (steps, ()) = counted(|| {
        let mut denials = 0;
        while denials < leases {
            let asked: Vec<LeaseId> = std::mem::take(&mut seen).into_iter().filter_map(asks).collect();
            denials += asked.len();
            for lease in &asked {
                seen.extend(hand.give(Event::LeaseRevoked { lease: lease.clone(), result: Err(denied()) }));
            }
            if asked.is_empty() {
                seen = hand.sleep();
            }
        }
    });
    steps
}

#[test]
fn a_first_denial_costs_no_look_at_each_lease() {
    let (few, many) = (denied_once(20), denied_once(40));
    assert!(many <= 2 * few + 8, "{few} and {many}");
}
