//! The part of a plan that the core decides by.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;

use super::plan::{AuthMethod, FilePlan, FileSource, NotifierPlan, OnChange, OnInit, Plan, Target};
use leasehold_core::ids::{FileId, NotifierId, UnitId};
use leasehold_core::policy::{
    ChildPolicy, FilePolicy, FirstReady, Mode, NotifierPolicy, Policy, SinkPolicy, StorePolicy, UnitPolicy,
};
use leasehold_settings::stores::Settings;

/// The name that status, and files in their `notify`, use for the process of `exec`.
const CHILD: &str = "exec";

impl Plan {
    /// Returns what the core decides by in the role `mode`. `seed` spreads the times of this process.
    #[must_use]
    pub fn policy(&self, mode: Mode, seed: u64) -> Policy {
        let units = self.units();
        let mut unit_of = vec![None; self.files.len()];
        for (id, unit) in units.iter().enumerate() {
            unit.files.iter().for_each(|file| unit_of[file.0] = Some(UnitId(id)));
        }
        let files = self.files.iter().zip(unit_of).map(|(plan, unit)| file(plan, unit)).collect();
        let notifier = |one: &NotifierPlan| NotifierPolicy {
            name: one.name.clone(),
            splay: one.how.splay(),
            on_first: one.on_first,
        };
        let mut policy = Policy {
            mode,
            files,
            notifiers: self.notifiers.iter().map(notifier).collect(),
            stores: self.stores.iter().map(store).collect(),
            logs_in: !matches!(self.auth.method, AuthMethod::None),
            on_init: self.on_init(),
            child: None,
            shutdown: self.shutdown,
            handoff: self.handoff.is_some(),
            rehearsal: false,
            owns_token: self.auth.owns_token(),
            sees_token: self.auth.wrap_ttl.is_none(),
            locks_out: self.auth.method.locks_out(),
            login_advice: self.auth.advice(),
            first_ready: FirstReady::default(),
            binds_certificate: matches!(self.auth.method, AuthMethod::Cert { .. }),
            max_in_flight: self.vault.max_in_flight,
            seed,
            units,
        };
        if matches!(mode, Mode::Exec { .. }) {
            add_child(&mut policy, self);
        }
        policy
    }

    /// Returns the set first, if there is one, and then each absolute file by itself.
    fn units(&self) -> Vec<UnitPolicy> {
        let ids = |wanted: fn(&Target) -> bool| {
            let of = self.files.iter().enumerate().filter(move |(_, file)| wanted(&file.target));
            of.map(|(index, _)| FileId(index))
        };
        let members: Vec<_> = ids(|target| matches!(target, Target::Member(_))).collect();
        let set = (!members.is_empty()).then_some(UnitPolicy { files: members });
        let alone = ids(|target| matches!(target, Target::Alone(_)));
        set.into_iter().chain(alone.map(|file| UnitPolicy { files: vec![file] })).collect()
    }

    /// Returns the notifiers that `init` notifies, too.
    fn on_init(&self) -> BTreeMap<NotifierId, OnInit> {
        let all = self.notifiers.iter().enumerate();
        let wanted = all.filter_map(|(index, notifier)| Some((NotifierId(index), notifier.on_init?)));
        wanted.filter(|(_, on_init)| *on_init != OnInit::No).gather()
    }
}

fn file(plan: &FilePlan, unit: Option<UnitId>) -> FilePolicy {
    FilePolicy {
        name: plan.name.clone(),
        unit: unit.expect("every file is a member or alone"),
        refresh: plan.refresh,
        wait: plan.wait,
        notify: plan.notify.iter().copied().map(NotifierId).collect(),
        sink: sink(&plan.source),
    }
}

fn store(settings: &Settings) -> StorePolicy {
    StorePolicy { name: settings.name.clone(), max_in_flight: settings.kind.max_in_flight() }
}

fn sink(source: &FileSource) -> Option<SinkPolicy> {
    match source {
        FileSource::Token { wrap_ttl } => Some(wrap_ttl.map_or(SinkPolicy::Plain, SinkPolicy::Wrapped)),
        FileSource::Made(_) => None,
    }
}

/// The thing that a [`FileId`] stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A file, by its index in [`Plan::files`].
    File(usize),
    /// A variable of `exec`, by its index in the plan's `exec.env`.
    Variable(usize),
}

impl Plan {
    /// Returns what each [`FileId`] of [`Plan::policy`] stands for, in the order of the ids.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let files = (0..self.files.len()).map(Subject::File);
        files.chain((0..self.exec.env.len()).map(Subject::Variable)).collect()
    }
}

/// Adds the process. It is notified like a notifier, and its variables are files of a unit that is published into
/// its next environment.
fn add_child(policy: &mut Policy, plan: &Plan) {
    let exec = &plan.exec;
    let notifier = NotifierId(policy.notifiers.len());
    policy.notifiers.push(NotifierPolicy { name: CHILD.to_owned(), splay: exec.splay, on_first: true });
    if exec.on_change != OnChange::Ignore {
        let telling = plan.files.iter().zip(&mut policy.files).filter(|(plan, _)| plan.tells_child);
        telling.for_each(|(_, file)| file.notify.push(notifier));
    }
    let unit = UnitId(policy.units.len());
    let first = policy.files.len();
    policy.files.extend(exec.env.iter().map(|variable| FilePolicy {
        name: variable.label(),
        unit,
        refresh: variable.refresh,
        wait: exec.wait,
        notify: if exec.on_change == OnChange::Ignore { Vec::new() } else { vec![notifier] },
        sink: None,
    }));
    let variables: Vec<FileId> = (first..policy.files.len()).map(FileId).collect();
    let environment = (!variables.is_empty()).then_some(unit);
    if environment.is_some() {
        policy.units.push(UnitPolicy { files: variables });
    }
    policy.child = Some(ChildPolicy {
        notifier,
        environment,
        on_change: exec.on_change,
        stop_signal: exec.stop_signal,
        stop_timeout: exec.stop_timeout,
    });
}
