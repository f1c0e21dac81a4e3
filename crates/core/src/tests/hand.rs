//! An engine at hand: events in, actions out, and what the tests say most often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::Engine;
use crate::interface::action::{Action, Question};
use crate::interface::event::{
    Event, LeaseFacts, Life, Loss, Published, ReadFacts, RenderOutcome, TokenFacts,
};
use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, TokenId, UnitId};
use crate::interface::policy::ShutdownPlan;
use crate::interface::policy::{FilePolicy, Mode, NotifierPolicy, Policy, UnitPolicy};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::time::{Moment, Now};

pub(super) fn policy(mode: Mode, files: usize) -> Policy {
    let file = |index: usize| FilePolicy {
        name: format!("file-{index}"),
        unit: UnitId(0),
        refresh: Duration::from_secs(10),
        wait: None,
        notify: vec![NotifierId(0)],
        sink: None,
    };
    Policy {
        mode,
        files: (0..files).map(file).collect(),
        units: vec![UnitPolicy { files: (0..files).map(FileId).collect() }],
        notifiers: vec![NotifierPolicy { name: "app".into(), splay: Duration::ZERO, on_first: true }],
        on_init: Default::default(),
        stores: Vec::new(),
        logs_in: true,
        child: None,
        shutdown: ShutdownPlan { revoke: true, delay: Duration::ZERO },
        rehearsal: false,
        handoff: false,
        owns_token: true,
        sees_token: true,
        locks_out: false,
        login_advice: String::new(),
        first_ready: Default::default(),
        binds_certificate: false,
        max_in_flight: 8,
        seed: 7,
    }
}

/// An engine and the time; actions without the lines for the log.
pub(super) struct Hand {
    pub(super) engine: Engine,
    pub(super) millis: u64,
    /// What a look does not find.
    pub(super) lost: BTreeMap<FileId, Loss>,
    pub(super) looks: usize,
    /// What the last look was at.
    pub(super) looked_at: Vec<FileId>,
}

impl Hand {
    pub(super) fn new(policy: Policy) -> Self {
        let engine = Engine::new(policy);
        Self { engine, millis: 1_000_000, lost: BTreeMap::new(), looks: 0, looked_at: Vec::new() }
    }

    pub(super) fn now(&self) -> Now {
        let moment = Moment::new(Duration::from_millis(self.millis));
        Now { moment, wall: 1_700_000_000 + i64::try_from(self.millis / 1000).expect("small") }
    }

    pub(super) fn give(&mut self, event: Event) -> Vec<Action> {
        self.millis += 1;
        let mut actions = self.engine.handle(event, self.now());
        actions.retain(|action| !matches!(action, Action::Say(_)));
        let looks: Vec<Action> =
            actions.extract_if(.., |action| matches!(action, Action::Inspect { .. })).collect();
        for look in looks {
            let Action::Inspect { unit, files, .. } = look else { continue };
            self.looks += 1;
            let lost = self.lost.iter().filter(|(file, _)| files.contains(file));
            let result = Ok(lost.map(|(file, loss)| (*file, *loss)).collect());
            self.looked_at = files;
            actions.extend(self.give(Event::Inspected { unit, result }));
        }
        actions
    }

    /// Sleeps to the next deadline.
    pub(super) fn sleep(&mut self) -> Vec<Action> {
        let at = self.engine.deadline().expect("something is due");
        self.millis = u64::try_from(at.since_boot().as_millis()).expect("small");
        self.give(Event::Wake)
    }

    pub(super) fn logged_in(&mut self, token: u64) -> Vec<Action> {
        self.logged_in_for(token, 3600)
    }

    /// Returns what the server says of a login.
    pub(super) fn facts(token: u64, ttl: u64) -> TokenFacts {
        TokenFacts {
            accessor: format!("accessor-{token}"),
            ttl: Some(Duration::from_secs(ttl)),
            renewable: true,
            batch: false,
            uses: None,
        }
    }

    pub(super) fn logged_in_for(&mut self, token: u64, ttl: u64) -> Vec<Action> {
        let facts = Self::facts(token, ttl);
        let sent = self.now().moment;
        self.give(Event::LoggedIn { token: TokenId(token), sent, result: Ok(facts) })
    }

    pub(super) fn read(&mut self, secret: usize, facts: ReadFacts) -> Vec<Action> {
        let sent = self.now().moment;
        self.give(Event::Read { secret: SecretId(secret), token: TokenId(1), sent, result: Ok(facts) })
    }

    pub(super) fn read_denied(&mut self, secret: SecretId, token: TokenId) -> Vec<Action> {
        let sent = self.now().moment;
        self.give(Event::Read { secret, token, sent, result: Err(denied()) })
    }

    pub(super) fn needs(&mut self, file: usize, path: &str) -> Vec<Action> {
        let outcome = RenderOutcome::Needs { missing: vec![request(path)], used: vec![] };
        self.give(Event::Rendered { file: FileId(file), outcome })
    }

    pub(super) fn rendered(&mut self, file: usize, path: &str) -> Vec<Action> {
        let outcome = RenderOutcome::Rendered { changed: true, used: vec![request(path)] };
        self.give(Event::Rendered { file: FileId(file), outcome })
    }

    pub(super) fn resolved(&mut self, secret: usize, path: &str) -> Vec<Action> {
        self.give(Event::Resolved { secret: SecretId(secret), result: Ok(request(path)) })
    }

    pub(super) fn published(&mut self, generation: u64, changed: &[usize]) -> Vec<Action> {
        let changed = changed.iter().copied().map(FileId).collect();
        self.give(Event::Published { unit: UnitId(0), result: Ok(Published { generation, changed }) })
    }
}

pub(super) fn request(path: &str) -> Request {
    Request::read(path).expect("a good path")
}

pub(super) fn kv(changed: bool) -> ReadFacts {
    ReadFacts {
        lease: None,
        life: Life::Unknown,
        version: Some(1),
        version_id: None,
        changed,
        rotated: changed,
    }
}

pub(super) fn leased(name: &str, ttl: u64) -> ReadFacts {
    let lease = LeaseFacts {
        id: LeaseId(name.into()),
        ttl: Duration::from_secs(ttl),
        renewable: true,
        orphan: false,
    };
    ReadFacts {
        lease: Some(lease),
        life: Life::Unknown,
        version: None,
        version_id: None,
        changed: true,
        rotated: true,
    }
}

pub(super) fn denied() -> Failure {
    Failure::new(FailureKind::Denied, "permission denied")
}

pub(super) fn read_of(secret: usize, path: &str) -> Action {
    Action::Ask(Question::Read {
        secret: SecretId(secret),
        token: TokenId(1),
        request: Arc::new(request(path)),
    })
}

pub(super) fn publish(files: &[usize]) -> Action {
    Action::Publish { unit: UnitId(0), files: files.iter().copied().map(FileId).collect() }
}

/// Makes a daemon with one published file of one secret.
pub(super) fn settled(facts: ReadFacts) -> Hand {
    settled_by(policy(Mode::Daemon, 1), facts)
}

/// Makes the same by another policy.
pub(super) fn settled_by(policy: Policy, facts: ReadFacts) -> Hand {
    let mut hand = Hand::new(policy);
    let _ = hand.give(Event::Start { kept: None, rebooted: false });
    hand.needs(0, "secret/web");
    hand.logged_in(1);
    hand.resolved(0, "secret/data/web");
    hand.read(0, facts);
    assert_eq!(hand.rendered(0, "secret/web"), [publish(&[0])]);
    let notify = Action::Notify { notifier: NotifierId(0), delay: Duration::ZERO };
    assert_eq!(hand.published(1, &[0]), [notify]);
    hand.give(Event::Notified { notifier: NotifierId(0), result: Ok(()) });
    hand
}
