//! How many requests go at once when a server is slow.

use super::hand::{Hand, leased, policy, request};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, RenderOutcome};
use crate::interface::ids::{FileId, SecretId};
use crate::interface::policy::Mode;
use leasehold_base::failure::{Failure, FailureKind};

const SECRETS: usize = 20;

/// Returns how many questions about mounts are under way after the first of them was answered so late.
fn under_way_after(millis: u64) -> usize {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let missing = (0..SECRETS).map(|number| request(&format!("secret/{number}"))).collect();
    let outcome = RenderOutcome::Needs { missing, used: vec![] };
    hand.give(Event::Rendered { file: FileId(0), outcome });
    let asks = |seen: &[Action]| {
        seen.iter().filter(|one| matches!(one, Action::Ask(Question::Resolve { .. }))).count()
    };
    let mut under_way = asks(&hand.logged_in(1));
    assert_eq!(under_way, 8, "the limit");
    hand.millis += millis;
    for secret in 0..4 {
        let missing = Failure::new(FailureKind::Missing, "nothing is there");
        let seen = hand.give(Event::Resolved { secret: SecretId(secret), result: Err(missing) });
        under_way = under_way - 1 + asks(&seen);
    }
    under_way
}

#[test]
fn fewer_requests_go_at_once_when_answers_take_long() {
    assert_eq!(under_way_after(100), 8);
    assert_eq!(under_way_after(4000), 4);
}

/// Renewals are urgent, so a slow server does not hold them back. The limit of the configuration does.
#[test]
fn no_more_renewals_go_at_once_than_the_limit_allows() {
    let mut hand = Hand::new(policy(Mode::Daemon, 1));
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    let path = |number: usize| request(&format!("database/creds/{number}"));
    let outcome = RenderOutcome::Needs { missing: (0..SECRETS).map(path).collect(), used: vec![] };
    hand.give(Event::Rendered { file: FileId(0), outcome });
    let mut todo = hand.logged_in(1);
    while let Some(action) = todo.pop() {
        todo.extend(match action {
            Action::Ask(Question::Resolve { secret, request, .. }) => {
                hand.give(Event::Resolved { secret, result: Ok(request.as_ref().clone()) })
            }
            Action::Ask(Question::Read { secret, .. }) => {
                hand.read(secret.0, leased(&format!("l{}", secret.0), 3000))
            }
            Action::Render(file) => {
                let outcome =
                    RenderOutcome::Rendered { changed: true, used: (0..SECRETS).map(path).collect() };
                hand.give(Event::Rendered { file, outcome })
            }
            Action::Publish { .. } => hand.published(1, &[0]),
            _ => Vec::new(),
        });
    }
    // The machine slept past the time of all of them.
    hand.millis += 2_000_000;
    let seen = hand.give(Event::Wake);
    let renewals = seen
        .iter()
        .filter(|one| matches!(one, Action::Ask(Question::Renew { .. } | Question::RenewToken(_))));
    assert_eq!(renewals.count(), 8, "the limit: {seen:?}");
}
