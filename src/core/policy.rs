//! What the core needs to know of the configuration, and in which role it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::{FileId, NotifierId, UnitId};
use crate::config::plan::{
    AuthMethod, FilePlan, NotifierPlan, OnChange, OnInit, Plan, ShutdownPlan, Source, Target, Wait,
};

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
    /// As init until everything is published; then start a process, and keep everything true until
    /// it ends.
    Exec {
        /// For all that comes before the process.
        timeout: Duration,
    },
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
    /// Those that init notifies, too, and what their failure is to it.
    pub on_init: BTreeMap<NotifierId, OnInit>,
    /// The process of [`Mode::Exec`].
    pub child: Option<ChildPolicy>,
    /// How to stop.
    pub shutdown: ShutdownPlan,
    /// Whether there is a handoff to keep.
    pub handoff: bool,
    /// Whether the token is ours to revoke: not one that somebody else keeps in a file.
    pub owns_token: bool,
    /// Whether we see the token that a login makes: not where the login is wrapped for somebody else.
    pub sees_token: bool,
    /// Whether refused logins lock the account on the server: then they are few, and otherwise they go on.
    pub locks_out: bool,
    /// Whether the server binds a token's renewal to the client certificate of its login: another certificate
    /// means another login.
    pub binds_certificate: bool,
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
    /// The login's token is what it holds; none where it is made of secrets.
    pub sink: Option<SinkPolicy>,
}

/// How a sink holds the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkPolicy {
    /// As it is.
    Plain,
    /// Wrapped, to be opened once within this time.
    Wrapped(Duration),
}

impl SinkPolicy {
    fn of(source: &Source) -> Option<Self> {
        match source {
            Source::Token { wrap_ttl } => Some(wrap_ttl.map_or(Self::Plain, Self::Wrapped)),
            _ => None,
        }
    }
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

/// The process of `exec`.
#[derive(Debug, Clone, Copy)]
pub struct ChildPolicy {
    /// As whom it is told: the last of [`Policy::notifiers`].
    pub notifier: NotifierId,
    /// The unit of its variables, where it has any. Published means: the next process gets them.
    pub environment: Option<UnitId>,
    /// What a change does to it.
    pub on_change: OnChange,
    /// What stops it.
    pub stop_signal: i32,
    /// It is killed this long after that.
    pub stop_timeout: Duration,
}

fn on_init(plan: &Plan) -> BTreeMap<NotifierId, OnInit> {
    let all = plan.notifiers.iter().enumerate();
    let wanted = all.filter_map(|(index, notifier)| Some((NotifierId(index), notifier.on_init?)));
    wanted.filter(|(_, on_init)| *on_init != OnInit::No).collect()
}

/// What status calls the process of `exec`, and files in their `notify`.
const CHILD: &str = "exec";

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
        let notifier = |one: &NotifierPlan| NotifierPolicy { name: one.name.clone(), splay: one.how.splay() };
        let mut policy = Self {
            mode,
            files: plan
                .files
                .iter()
                .enumerate()
                .map(|(id, file)| Self::file(file, FileId(id), &units))
                .collect(),
            notifiers: plan.notifiers.iter().map(notifier).collect(),
            on_init: on_init(plan),
            child: None,
            shutdown: plan.shutdown,
            handoff: plan.handoff.is_some(),
            owns_token: plan.auth.owns_token(),
            sees_token: plan.auth.wrap_ttl.is_none(),
            locks_out: plan.auth.method.locks_out(),
            binds_certificate: matches!(plan.auth.method, AuthMethod::Cert { .. }),
            max_in_flight: plan.vault.max_in_flight,
            seed,
            units,
        };
        if matches!(mode, Mode::Exec { .. }) {
            policy.add_child(plan);
        }
        policy
    }

    fn file(file: &FilePlan, id: FileId, units: &[UnitPolicy]) -> FilePolicy {
        let unit = units.iter().position(|unit| unit.files.contains(&id));
        FilePolicy {
            name: file.name.clone(),
            unit: UnitId(unit.expect("every file is a member or alone")),
            refresh: file.refresh,
            wait: file.wait,
            notify: file.notify.iter().copied().map(NotifierId).collect(),
            sink: SinkPolicy::of(&file.source),
        }
    }

    /// The process is told like a notifier; its variables are files of a unit that is published into
    /// its next environment.
    fn add_child(&mut self, plan: &Plan) {
        let exec = &plan.exec;
        let notifier = NotifierId(self.notifiers.len());
        self.notifiers.push(NotifierPolicy { name: CHILD.to_owned(), splay: exec.splay });
        if exec.on_change != OnChange::Ignore {
            let telling = plan.files.iter().zip(&mut self.files).filter(|(file, _)| file.tells_child);
            telling.for_each(|(_, policy)| policy.notify.push(notifier));
        }
        let unit = UnitId(self.units.len());
        let first = self.files.len();
        self.files.extend(exec.env.iter().map(|variable| FilePolicy {
            name: variable.label(),
            unit,
            refresh: variable.refresh,
            wait: exec.wait,
            notify: if exec.on_change == OnChange::Ignore { Vec::new() } else { vec![notifier] },
            sink: None,
        }));
        let variables: Vec<FileId> = (first..self.files.len()).map(FileId).collect();
        let environment = (!variables.is_empty()).then_some(unit);
        if environment.is_some() {
            self.units.push(UnitPolicy { files: variables });
        }
        self.child = Some(ChildPolicy {
            notifier,
            environment,
            on_change: exec.on_change,
            stop_signal: exec.stop_signal,
            stop_timeout: exec.stop_timeout,
        });
    }

    fn ids(plan: &Plan, wanted: impl Fn(&Target) -> bool) -> Vec<FileId> {
        let of = plan.files.iter().enumerate().filter(|(_, file)| wanted(&file.target));
        of.map(|(index, _)| FileId(index)).collect()
    }
}
