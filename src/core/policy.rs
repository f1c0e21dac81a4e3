//! What the core needs to know of the configuration, and in which role it runs.

use std::time::Duration;

use super::ids::{FileId, NotifierId, UnitId};
use crate::config::plan::{Plan, ShutdownPlan, Target, Wait};

/// The role this run plays. The engine is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Publish everything all or nothing, then end; fail at the deadline.
    Init {
        /// For all of it, from the start.
        timeout: Duration,
    },
    /// Keep everything true until told to stop.
    Daemon,
}

/// What the core decides by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The role.
    pub mode: Mode,
    /// By [`FileId`].
    pub files: Vec<FilePolicy>,
    /// By [`UnitId`]: the set first, where there is one, then absolute files.
    pub units: Vec<UnitPolicy>,
    /// By [`NotifierId`].
    pub notifiers: Vec<NotifierPolicy>,
    /// How to stop.
    pub shutdown: ShutdownPlan,
    /// Whether there is a handoff to keep.
    pub handoff: bool,
    /// Whether the token is ours to revoke: not one that somebody else keeps in a file.
    pub owns_token: bool,
    /// How many requests may be under way at once; at least 1.
    pub max_in_flight: usize,
    /// Spreads pods apart, stable for one pod: all jitter is a hash of this and a name.
    pub seed: u64,
}

/// One file.
#[derive(Debug, Clone)]
pub struct FilePolicy {
    /// For messages.
    pub name: String,
    /// What it is published with.
    pub unit: UnitId,
    /// How often to look at what has no lease of its own.
    pub refresh: Duration,
    /// Quiescence before a publish.
    pub wait: Option<Wait>,
    /// Whom to tell.
    pub notify: Vec<NotifierId>,
}

/// One unit of publication.
#[derive(Debug, Clone)]
pub struct UnitPolicy {
    /// Its files.
    pub files: Vec<FileId>,
}

/// One notifier.
#[derive(Debug, Clone)]
pub struct NotifierPolicy {
    /// For messages.
    pub name: String,
    /// The longest delay before telling; the real one is drawn from the seed.
    pub splay: Duration,
}

impl Policy {
    /// The policy that `plan` asks for in the role `mode`, spread by `seed`.
    #[must_use]
    pub fn new(plan: &Plan, mode: Mode, seed: u64) -> Self {
        let mut units = Vec::new();
        let members: Vec<_> = Self::ids(plan, |target| matches!(target, Target::Member(_)));
        if !members.is_empty() {
            units.push(UnitPolicy { files: members });
        }
        let alone = Self::ids(plan, |target| matches!(target, Target::Alone(_)));
        units.extend(alone.into_iter().map(|file| UnitPolicy { files: vec![file] }));
        let unit_of = |file| {
            let index = units.iter().position(|unit: &UnitPolicy| unit.files.contains(&file));
            UnitId(index.expect("every file is a member or alone"))
        };
        let files = plan.files.iter().enumerate().map(|(index, file)| FilePolicy {
            name: file.name.clone(),
            unit: unit_of(FileId(index)),
            refresh: file.refresh,
            wait: file.wait,
            notify: file.notify.iter().copied().map(NotifierId).collect(),
        });
        Self {
            mode,
            files: files.collect(),
            notifiers: plan
                .notifiers
                .iter()
                .map(|notifier| NotifierPolicy { name: notifier.name.clone(), splay: notifier.how.splay() })
                .collect(),
            shutdown: plan.shutdown,
            handoff: plan.handoff.is_some(),
            owns_token: plan.auth.method.owns_token(),
            max_in_flight: plan.vault.max_in_flight,
            seed,
            units,
        }
    }

    fn ids(plan: &Plan, wanted: impl Fn(&Target) -> bool) -> Vec<FileId> {
        let of = plan.files.iter().enumerate().filter(|(_, file)| wanted(&file.target));
        of.map(|(index, _)| FileId(index)).collect()
    }
}
