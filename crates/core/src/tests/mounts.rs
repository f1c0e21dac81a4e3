//! Which paths are read at once, and whose mount is asked about first.

use std::sync::Arc;
use std::time::Duration;

use super::hand::{Hand, denied, kv, leased, policy, publish, read_of, request, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, ReadFacts, RenderOutcome};
use crate::interface::ids::{FileId, NotifierId, SecretId, TokenId};
use crate::interface::policy::{Mode, Policy};
use leasehold_base::failure::{Failure, FailureKind};

const KEPT: &str = "secret/data/web";

/// Makes a daemon whose one file needs `path`. Returns it after its login, with what it asks for then.
fn needing(path: &str) -> (Hand, Vec<Action>) {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, path);
    let actions = hand.logged_in(1);
    (hand, actions)
}

fn resolve(path: &str) -> Action {
    resolve_anew(path, false)
}

/// Returns the action; `again` if what is known of the mount must not be believed.
fn resolve_anew(path: &str, again: bool) -> Action {
    let request = Arc::new(request(path));
    Action::Ask(Question::Resolve { secret: SecretId(0), token: TokenId(1), request, again })
}

fn fails(hand: &mut Hand, failure: Failure) -> Vec<Action> {
    let sent = hand.now().moment;
    hand.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent, result: Err(failure) })
}

fn plain() -> ReadFacts {
    ReadFacts { version: None, ..kv(true) }
}

#[test]
fn a_path_that_is_written_as_it_is_kept_is_read_at_once() {
    for path in [KEPT, "team/a/secret/data/web", "kv/data/a/b?version=3", "a/data/data/b"] {
        let (mut hand, actions) = needing(path);
        assert_eq!(actions, [read_of(0, path)], "{path}");
        assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))]);
        assert_eq!(hand.rendered(0, path), [publish(&[0])]);
    }
}

#[test]
fn a_path_that_may_be_kept_elsewhere_has_its_mount_asked_about_first() {
    for path in
        ["secret/web", "data/web", "secret/data", "secret/database/web", "sys/data/x", "cubbyhole/data/x"]
    {
        let (_, actions) = needing(path);
        assert_eq!(actions, [resolve(path)], "{path}");
    }
}

#[test]
fn a_refusal_of_a_path_that_was_assumed_has_its_mount_asked_about_at_once() {
    for failure in [
        denied(),
        Failure::new(FailureKind::Missing, "nothing there"),
        Failure::new(FailureKind::Rejected, "unsupported operation"),
    ] {
        let (mut hand, _) = needing("apps/data/web");
        assert_eq!(fails(&mut hand, failure.clone()), [resolve("apps/data/web")], "{failure}");
        assert_eq!(hand.resolved(0, "apps/data/data/web"), [read_of(0, "apps/data/data/web")]);
        assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))]);
    }
}

#[test]
fn a_refusal_is_asked_about_once_and_is_then_one() {
    let (mut hand, _) = needing(KEPT);
    let missing = || Failure::new(FailureKind::Missing, "nothing there");
    assert_eq!(fails(&mut hand, missing()), [resolve(KEPT)]);
    assert_eq!(hand.resolved(0, KEPT), [read_of(0, KEPT)]);
    assert_eq!(fails(&mut hand, missing()), [], "after a pause");
    let trouble = hand.engine.view(hand.now()).secrets[0].error.clone();
    assert!(trouble.is_some_and(|trouble| trouble.text.contains("does not exist")));
}

#[test]
fn an_answer_that_is_not_of_a_kv2_does_not_count_until_the_mount_was_asked_about() {
    let (mut hand, _) = needing("kv/subkeys/data/web");
    let doubted = hand.read(0, plain());
    let forget = Action::Forget(Arc::new(request("kv/subkeys/data/web")));
    assert_eq!(doubted, [forget, resolve("kv/subkeys/data/web")]);
    assert_eq!(hand.resolved(0, "kv/data/subkeys/data/web"), [read_of(0, "kv/data/subkeys/data/web")]);
}

#[test]
fn an_answer_of_a_kv1_counts_once_its_mount_was_asked_about() {
    let (mut hand, _) = needing("old/data/web");
    hand.read(0, plain());
    assert_eq!(hand.resolved(0, "old/data/web"), [read_of(0, "old/data/web")]);
    assert_eq!(hand.read(0, plain()), [Action::Render(FileId(0))]);
}

#[test]
fn a_lease_counts_at_once_so_that_none_is_minted_twice() {
    let (mut hand, _) = needing("database/data/creds");
    assert_eq!(hand.read(0, leased("l", 3600)), [Action::Render(FileId(0))]);
}

#[test]
fn a_server_that_is_away_leaves_the_path_to_be_tried_again() {
    let (mut hand, _) = needing(KEPT);
    let mut actions = fails(&mut hand, Failure::new(FailureKind::Unavailable, "sealed"));
    while !actions.contains(&read_of(0, KEPT)) {
        assert!(!actions.contains(&resolve(KEPT)), "nothing was said about the path");
        if actions.contains(&Action::Ask(Question::Probe)) {
            actions = hand.give(Event::Probed(Ok(())));
        } else {
            actions = hand.sleep();
        }
    }
}

fn missing() -> Failure {
    Failure::new(FailureKind::Missing, "nothing there")
}

/// Sleeps until something is asked of the server.
fn until_asked(hand: &mut Hand) -> Action {
    loop {
        if let Some(asked) = hand.sleep().into_iter().find(|action| matches!(action, Action::Ask(_))) {
            return asked;
        }
    }
}

/// The mount was upgraded to version 2, or another is in its place: what was there is not there any more.
#[test]
fn a_path_that_is_not_there_any_more_has_its_mount_asked_about_anew_at_once() {
    let mut hand = settled(kv(true));
    assert_eq!(until_asked(&mut hand), read_of(0, KEPT));
    hand.millis += 10_000;
    assert_eq!(fails(&mut hand, missing()), [resolve_anew("secret/web", true)]);
    assert_eq!(hand.resolved(0, "secret/web"), [read_of(0, "secret/web")]);
    assert_eq!(hand.read(0, plain()), [Action::Render(FileId(0))]);
    // And back.
    assert_eq!(until_asked(&mut hand), read_of(0, "secret/web"));
    hand.millis += 10_000;
    assert_eq!(fails(&mut hand, missing()), [resolve_anew("secret/web", true)]);
    assert_eq!(hand.resolved(0, KEPT), [read_of(0, KEPT)]);
}

#[test]
fn what_has_moved_to_where_another_is_read_already_is_rendered_from_that() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let both = || vec![request("secret/web"), request(KEPT)];
    hand.give(Event::Rendered {
        file: FileId(0),
        outcome: RenderOutcome::Needs { missing: both(), used: vec![] },
    });
    hand.logged_in(1);
    // The mount is a version 1, which may have a secret of that name as well.
    hand.resolved(0, "secret/web");
    hand.read(0, plain());
    hand.read(1, plain());
    hand.resolved(1, KEPT);
    hand.read(1, plain());
    hand.give(Event::Rendered {
        file: FileId(0),
        outcome: RenderOutcome::Rendered { changed: true, used: both() },
    });
    hand.published(1, &[0]);
    hand.give(Event::Notified { notifier: crate::interface::ids::NotifierId(0), result: Ok(()) });
    while until_asked(&mut hand) != read_of(0, "secret/web") {}
    hand.millis += 10_000;
    assert_eq!(fails(&mut hand, missing())[0], resolve_anew("secret/web", true));
    hand.read(1, ReadFacts { changed: false, ..plain() });
    assert_eq!(hand.resolved(0, KEPT), [Action::Render(FileId(0))]);
}

/// A value of an earlier run may be as old as the refresh of its own files allows, and another file needs a newer
/// one.
#[test]
fn what_has_moved_to_an_answer_that_is_older_than_its_file_allows_is_read_there() {
    let of_two = || {
        let mut two = policy(Mode::Daemon, 2);
        two.files[0].refresh = Duration::from_secs(3000);
        two.files[1].refresh = Duration::from_secs(120);
        two.handoff = true;
        two
    };
    let mut earlier = Hand::new(of_two());
    let _ = earlier.give(Event::Start { kept: None, rebooted: false });
    earlier.needs(0, KEPT);
    earlier.needs(1, "secret/web");
    earlier.logged_in(1);
    earlier.read(0, kv(true));
    earlier.resolved(1, "secret/web");
    earlier.read(1, plain());
    let mut hand = Hand::new(of_two());
    hand.millis = earlier.millis + 200_000;
    let _ = hand.give(Event::Start { kept: Some(earlier.engine.snapshot()), rebooted: false });
    hand.rendered(0, KEPT);
    hand.rendered(1, "secret/web");
    hand.published(1, &[0, 1]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    // The mount is a version 2 now: the one path leads to the other, which was read 200 s ago and more.
    while until_asked(&mut hand) != read_of(1, "secret/web") {}
    let sent = hand.now().moment;
    hand.give(Event::Read { secret: SecretId(1), token: TokenId(1), sent, result: Err(missing()) });
    let seen = hand.resolved(1, KEPT);
    assert!(seen.contains(&read_of(0, KEPT)), "{seen:?}");
}

/// One way of writing it leads to the version 1 that is there now. The other leads nowhere, and has to show that.
#[test]
fn what_is_written_as_a_version_2_keeps_it_is_another_secret_once_that_has_moved() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.needs(1, KEPT);
    hand.logged_in(1);
    hand.resolved(0, KEPT);
    hand.read(1, kv(true));
    hand.rendered(0, "secret/web");
    hand.rendered(1, KEPT);
    hand.published(1, &[0, 1]);
    hand.give(Event::Notified { notifier: crate::interface::ids::NotifierId(0), result: Ok(()) });
    let secret = SecretId(1);
    assert_eq!(until_asked(&mut hand), read_of(1, KEPT));
    hand.millis += 10_000;
    let sent = hand.now().moment;
    hand.give(Event::Read { secret, token: TokenId(1), sent, result: Err(missing()) });
    hand.resolved(1, "secret/web");
    let seen = hand.read(1, ReadFacts { changed: false, ..plain() });
    let renders = |file| seen.contains(&Action::Render(FileId(file)));
    assert!(renders(0) && renders(1), "although the value is the same: {seen:?}");
    hand.rendered(0, "secret/web");
    let asked = hand.needs(1, KEPT);
    assert!(asked.contains(&read_of(2, KEPT)), "{asked:?}");
}

/// Each try then begins with the mount, about which the client asks once for all its secrets.
#[test]
fn a_mount_that_is_gone_fails_its_secret_and_is_found_when_it_is_there_again() {
    let mut hand = settled(kv(true));
    assert_eq!(until_asked(&mut hand), read_of(0, KEPT));
    hand.millis += 10_000;
    assert_eq!(fails(&mut hand, missing()), [resolve_anew("secret/web", true)]);
    for _ in 0..5 {
        assert_eq!(hand.resolved(0, KEPT), [read_of(0, KEPT)]);
        assert_eq!(fails(&mut hand, missing()), [], "after a pause");
        let trouble = hand.engine.view(hand.now()).secrets[0].error.clone();
        assert!(trouble.is_some_and(|trouble| trouble.text.contains("does not exist")));
        assert!(hand.engine.outlook(hand.now()).readiness.is_ready(), "the last good bytes stay");
        assert_eq!(until_asked(&mut hand), resolve_anew("secret/web", true));
    }
    hand.resolved(0, KEPT);
    assert_eq!(hand.read(0, kv(true)), [Action::Render(FileId(0))]);
}

#[test]
fn what_an_earlier_run_read_has_its_mount_asked_about_anew_as_well() {
    let kept = settled(kv(true)).engine.snapshot();
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    hand.give(Event::Start { kept: Some(kept), rebooted: false });
    hand.rendered(0, "secret/web");
    assert_eq!(until_asked(&mut hand), read_of(0, KEPT));
    assert_eq!(fails(&mut hand, missing()), [resolve_anew("secret/web", true)]);
}

#[test]
fn what_has_a_lease_or_cannot_be_of_a_kv_is_not_looked_for_elsewhere() {
    let mut hand = settled(leased("l", 60));
    while until_asked(&mut hand) != read_of(0, KEPT) {
        let renewed = Event::Renewed {
            secret: SecretId(0),
            lease: crate::interface::ids::LeaseId("l".into()),
            sent: hand.now().moment,
            result: Err(missing()),
        };
        if hand.give(renewed).contains(&read_of(0, KEPT)) {
            break;
        }
    }
    assert_eq!(fails(&mut hand, missing()), []);
    let (mut hand, _) = needing("identity/oidc/token/web");
    hand.resolved(0, "identity/oidc/token/web");
    assert_eq!(fails(&mut hand, missing()), []);
}

#[test]
fn a_token_whose_uses_are_counted_asks_first_since_that_costs_none() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, KEPT);
    let sent = hand.now().moment;
    let facts = crate::interface::event::TokenFacts { uses: Some(2), ..Hand::facts(1, 3600) };
    let actions = hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Ok(facts) });
    assert_eq!(actions, [resolve(KEPT)]);
}

#[test]
fn both_ways_of_writing_one_secret_are_one_read_whichever_comes_first() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.needs(1, KEPT);
    let plain = resolve("secret/web");
    assert_eq!(hand.logged_in(1), [plain, read_of(1, KEPT)]);
    assert_eq!(hand.resolved(0, KEPT), [], "it is being read");
    assert_eq!(hand.read(1, kv(true)), [Action::Render(FileId(0)), Action::Render(FileId(1))]);
}

/// After an outage the requests go in any order, and the last of them finds that it means what is read already.
#[test]
fn a_file_with_two_names_for_one_secret_is_rendered_as_soon_as_all_is_read() {
    for seed in 0..60 {
        let mut policy = Policy { seed, ..policy(Mode::Daemon, 1) };
        policy.files[0].refresh = Duration::from_secs(300);
        let mut hand = Hand::new(policy);
        let _ = hand.give(Event::Start { kept: None, rebooted: false });
        let missing = ["secret/data/web", "secret/web", "secret/other"].map(request).to_vec();
        let outcome = RenderOutcome::Needs { missing, used: vec![] };
        hand.give(Event::Rendered { file: FileId(0), outcome });
        let away = || Failure::new(FailureKind::Unreachable, "away");
        let sent = hand.now().moment;
        hand.give(Event::LoggedIn { token: TokenId(1), sent, result: Err(away()) });
        hand.give(Event::Probed(Err(away())));
        while !hand.sleep().contains(&Action::Ask(Question::Probe)) {}
        let (mut seen, end) = (hand.give(Event::Probed(Ok(()))), hand.millis + 6_000);
        while !seen.contains(&Action::Render(FileId(0))) {
            let mut next = Vec::new();
            for action in std::mem::take(&mut seen) {
                let sent = hand.now().moment;
                match action {
                    Action::Ask(Question::LogIn(_)) => next.extend(hand.logged_in(2)),
                    Action::Ask(Question::Resolve { secret, request: asked, .. }) => {
                        let name = asked.path.rsplit('/').next().unwrap_or_default();
                        let result = Ok(request(&format!("secret/data/{name}")));
                        next.extend(hand.give(Event::Resolved { secret, result }));
                    }
                    Action::Ask(Question::Read { secret, token, .. }) => {
                        let result = Ok(kv(true));
                        next.extend(hand.give(Event::Read { secret, token, sent, result }));
                    }
                    _ => {}
                }
            }
            seen = if next.is_empty() { hand.sleep() } else { next };
        }
        assert!(
            hand.millis < end,
            "seed {seed}: all was read, and nothing was rendered before the next poll"
        );
    }
}
