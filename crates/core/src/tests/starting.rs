//! What a start of many files costs after something has failed: each event has the engine check whether the run must
//! end.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::hand::{Hand, kv, policy, request};
use crate::interface::action::{Action, Question};
use crate::interface::event::{Event, Published};
use crate::interface::ids::{FileId, TokenId, UnitId};
use crate::interface::policy::{FirstReady, Mode, Policy};
use crate::tools::steps::counted;
use leasehold_base::exit::Cause;
use leasehold_base::failure::{Failure, FailureKind};

const INIT: Mode = Mode::Init { timeout: Duration::from_secs(600) };

/// A start, and what it meets.
struct Start {
    hand: Hand,
    /// So many logins fail before one is granted.
    failing_logins: usize,
    /// The files whose secrets do not exist.
    missing: BTreeSet<usize>,
    /// The files whose secrets were read.
    held: BTreeSet<usize>,
    published: usize,
    ended: Option<Result<(), Cause>>,
}

impl Start {
    fn new(policy: Policy) -> Self {
        let hand = Hand::new(policy);
        Self {
            hand,
            failing_logins: 0,
            missing: BTreeSet::new(),
            held: BTreeSet::new(),
            published: 0,
            ended: None,
        }
    }

    fn path(file: usize) -> String {
        format!("secret/app/{file}")
    }

    fn answered(&mut self, action: Action) -> Vec<Action> {
        let sent = self.hand.now().moment;
        match action {
            Action::Render(FileId(file)) if self.held.contains(&file) => {
                self.hand.rendered(file, &Self::path(file))
            }
            Action::Render(FileId(file)) => self.hand.needs(file, &Self::path(file)),
            Action::Ask(Question::LogIn(token)) if self.failing_logins > 0 => {
                self.failing_logins -= 1;
                let result = Err(Failure::new(FailureKind::Refused, "not yet"));
                self.hand.give(Event::LoggedIn { token, sent, result })
            }
            Action::Ask(Question::LogIn(TokenId(token))) => self.hand.logged_in(token),
            Action::Ask(Question::Resolve { secret, request: asked, .. }) => {
                let resolved = asked.path.replace("secret/", "secret/data/");
                self.hand.give(Event::Resolved { secret, result: Ok(request(&resolved)) })
            }
            Action::Ask(Question::Read { secret, token, request }) => {
                let file = request.path.rsplit('/').next().and_then(|last| last.parse().ok());
                let file: usize = file.expect("a number");
                let result = match self.missing.contains(&file) {
                    true => Err(Failure::new(FailureKind::Missing, "nothing is there")),
                    false => {
                        self.held.insert(file);
                        Ok(kv(true))
                    }
                };
                self.hand.give(Event::Read { secret, token, sent, result })
            }
            Action::Publish { unit: UnitId(unit), files } => {
                self.published += 1;
                let published = Published { generation: 1, changed: files };
                self.hand.give(Event::Published { unit: UnitId(unit), result: Ok(published) })
            }
            Action::Notify { notifier, .. } => self.hand.give(Event::Notified { notifier, result: Ok(()) }),
            Action::Exit(result) => {
                self.ended = Some(result.map_err(|ending| ending.cause));
                Vec::new()
            }
            Action::Ask(Question::RevokeToken(token)) => {
                self.hand.give(Event::TokenRevoked { token, result: Ok(()) })
            }
            _ => Vec::new(),
        }
    }

    /// Lets the start go on for this many seconds, or until it ends. Returns what it costs in steps.
    fn run(&mut self, seconds: u64) -> u64 {
        let end = self.hand.millis + seconds * 1000;
        let (steps, ()) = counted(|| {
            let mut actions = VecDeque::from(self.hand.give(Event::Start { kept: None, rebooted: false }));
            while self.ended.is_none() && !self.hand.engine.was_ready() && self.hand.millis < end {
                match actions.pop_front() {
                    Some(action) => actions.extend(self.answered(action)),
                    None => actions.extend(self.hand.sleep()),
                }
            }
        });
        steps
    }
}

fn daemon(files: usize) -> Policy {
    Policy { first_ready: FirstReady::Awaited, ..policy(Mode::Daemon, files) }
}

/// Asserts that twice as many files cost no more than twice as many steps.
fn assert_straight(steps: impl Fn(usize) -> u64) {
    let (few, many) = (steps(30), steps(60));
    assert!(many <= 2 * few + 10, "{few} and {many}");
}

#[test]
fn a_login_that_failed_once_does_not_make_each_later_event_cost_a_look_at_all_files() {
    for (policy, ends) in [(policy as fn(Mode, usize) -> Policy, true), (|_, files| daemon(files), false)] {
        assert_straight(|files| {
            let mut start = Start { failing_logins: 1, ..Start::new(policy(INIT, files)) };
            let steps = start.run(300);
            assert_eq!((start.ended.is_some(), start.hand.engine.was_ready()), (ends, !ends));
            assert_eq!(start.held.len(), files);
            steps
        });
    }
}

#[test]
fn a_secret_that_is_missing_does_not_make_each_later_event_cost_a_look_at_all_files() {
    assert_straight(|files| {
        let mut start = Start { missing: BTreeSet::from([files / 2]), ..Start::new(policy(INIT, files)) };
        let steps = start.run(300);
        assert_eq!(start.ended, Some(Err(Cause::Missing)));
        assert_eq!(start.held.len(), files - 1, "all others were tried");
        steps
    });
}

#[test]
fn a_secret_that_is_missing_ends_a_daemon_after_its_patience_and_costs_no_look_at_all_files_until_then() {
    assert_straight(|files| {
        let mut start = Start { missing: BTreeSet::from([files / 2]), ..Start::new(daemon(files)) };
        let steps = start.run(300);
        assert_eq!(start.ended, Some(Err(Cause::Missing)));
        steps
    });
}

#[test]
fn a_secret_that_is_missing_does_not_make_each_later_failure_cost_a_look_at_all_that_failed_before() {
    assert_straight(|files| {
        let mut start = Start::new(policy(Mode::Daemon, files));
        start.missing = (1..files).collect();
        // All are tried within a second, and none a second time.
        let steps = start.run(1);
        assert_eq!(start.published, 1, "the first file alone");
        steps
    });
}
