//! What is shown of files whose login, server or secret is not well.

use std::time::Duration;

use super::hand::{Hand, denied, kv, leased, policy, publish, read_of, settled};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Wanted};
use crate::interface::ids::{SecretId, TokenId};
use crate::interface::policy::Mode;
use crate::interface::view::{Health, Readiness, View};
use leasehold_base::failure::{Failure, FailureKind};

/// Returns what the engine shows now. The short form always says the same as the long one.
fn view(hand: &Hand) -> View {
    let view = hand.engine.view(hand.now());
    assert_eq!(view.outlook(), hand.engine.outlook(hand.now()));
    view
}

/// Answers the next read and every look-up with a denial, until a login is asked for.
fn revoke(hand: &mut Hand) {
    hand.millis += 60_000;
    let (token, mut actions) = (TokenId(1), hand.give(Event::Wake));
    loop {
        let sent = hand.now().moment;
        if actions.iter().any(|it| matches!(it, Action::Ask(Question::LogIn(_)))) {
            return;
        }
        actions = match actions
            .into_iter()
            .find_map(|it| if let Action::Ask(ask) = it { Some(ask) } else { None })
        {
            Some(Question::Read { secret, .. }) => {
                hand.give(Event::Read { secret, token, sent, result: Err(denied()) })
            }
            Some(Question::LookUp(_)) => hand.give(Event::LookedUp { token, sent, result: Err(denied()) }),
            _ => hand.sleep(),
        };
    }
}

#[test]
fn a_file_that_should_have_been_read_while_no_login_is_there_is_stale_since_the_login_was_lost() {
    let mut hand = settled(kv(true));
    assert_eq!((view(&hand).logged_out, view(&hand).files[0].health), (None, Health::Good));
    revoke(&mut hand);
    let lost = hand.now().moment;
    let refused = Failure::new(FailureKind::Refused, "login refused: no such role");
    let sent = hand.now().moment;
    hand.give(Event::LoggedIn { token: TokenId(2), sent, result: Err(refused) });
    hand.millis += 14_000;
    let shown = view(&hand);
    let since = shown.logged_out.expect("no login is left");
    assert!(since.until(lost) < Duration::from_secs(5), "{since:?} {lost:?}");
    assert!(shown.token.is_none(), "a token that is known to be dead is not shown");
    assert_eq!(shown.files[0].health, Health::Stale(since));
    assert_eq!(shown.secrets[0].health, Health::Stale(since));
    assert!(shown.login.expect("it fails").next.is_some(), "the next try is known");
    let mut actions = hand.give(Event::Wake);
    while view(&hand).logged_out.is_some() {
        let ask = actions.into_iter().find_map(|it| if let Action::Ask(ask) = it { Some(ask) } else { None });
        let (token, sent) = (TokenId(1), hand.now().moment);
        actions = match ask {
            Some(Question::LogIn(TokenId(number))) => hand.logged_in(number),
            Some(Question::LookUp(_)) => hand.give(Event::LookedUp { token, sent, result: Err(denied()) }),
            _ => hand.sleep(),
        };
    }
    assert_eq!(view(&hand).token.expect("logged in again").accessor, "accessor-3");
}

#[test]
fn a_file_whose_lease_is_over_is_expired_from_that_moment_whatever_else_is_wrong() {
    let mut hand = settled(leased("l", 60));
    let end = view(&hand).files[0].expires.expect("it is leased");
    hand.millis = u64::try_from(end.since_boot().as_millis()).expect("small") - 1;
    assert!(!matches!(view(&hand).files[0].health, Health::Expired(_)));
    hand.millis += 1;
    let shown = view(&hand);
    assert_eq!(
        (shown.files[0].health, shown.secrets[0].health),
        (Health::Expired(end), Health::Expired(end))
    );
}

#[test]
fn a_secret_that_is_denied_fails_by_itself_and_one_that_cannot_be_asked_for_is_stale() {
    for (kind, own) in [(FailureKind::Missing, true), (FailureKind::Unreachable, false)] {
        let mut hand = settled(kv(true));
        while !hand.sleep().contains(&read_of(0, "secret/data/web")) {}
        let sent = hand.now().moment;
        let result = Err(Failure::new(kind, "why"));
        hand.give(Event::Read { secret: SecretId(0), token: TokenId(1), sent, result });
        hand.give(Event::Probed(Err(Failure::new(kind, "why"))));
        let health = view(&hand).files[0].health;
        assert_eq!(health == Health::Failing, own, "{kind:?}: {health:?}");
        assert_eq!(matches!(health, Health::Stale(_)), !own, "{kind:?}: {health:?}");
    }
}

#[test]
fn everything_is_published_exactly_when_readiness_lacks_no_file() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let lacks =
        |hand: &Hand| matches!(hand.engine.outlook(hand.now()).readiness, Readiness::NotRendered { .. });
    hand.give(Event::Start { kept: None, rebooted: false });
    assert_eq!((hand.engine.is_all_published(), lacks(&hand)), (false, true));
    (0..2).for_each(|file| drop(hand.needs(file, "secret/web")));
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    hand.read(0, kv(true));
    (0..2).for_each(|file| drop(hand.rendered(file, "secret/web")));
    assert_eq!((hand.engine.is_all_published(), lacks(&hand)), (false, true));
    hand.published(1, &[0, 1]);
    assert_eq!((hand.engine.is_all_published(), lacks(&hand)), (true, false));
}

#[test]
fn what_was_never_published_is_missing() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    assert_eq!(view(&hand).files[0].health, Health::Missing);
    assert!(view(&hand).logged_out.is_some());
}

#[test]
fn a_refresh_of_one_file_reads_its_secrets_and_no_others() {
    let mut hand = Hand::new(policy(Mode::Daemon, 2));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/a");
    hand.needs(1, "secret/b");
    hand.logged_in(1);
    for (index, path) in ["secret/a", "secret/b"].into_iter().enumerate() {
        hand.resolved(index, path);
        hand.read(index, kv(true));
    }
    hand.rendered(0, "secret/a");
    assert_eq!(hand.rendered(1, "secret/b"), [publish(&[0, 1])]);
    hand.published(1, &[0, 1]);
    let wanted = Wanted::File("file-1".into());
    assert_eq!(hand.give(Event::RefreshSome(wanted)), [read_of(1, "secret/b")]);
    assert_eq!(hand.give(Event::RefreshSome(Wanted::Path("secret/a".into()))), [read_of(0, "secret/a")]);
}
