//! The tokens that templates have made. To the core they are leases, which are renewed and revoked with themselves.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};

use crate::core::ids::LeaseId;
use crate::secret::Secret;

/// Up to this many are kept without a check whether the core still knows them.
const FEW: usize = 16;

/// The tokens, by their names as leases.
#[derive(Debug)]
pub(super) struct Children {
    all: BTreeMap<LeaseId, Secret>,
    /// Once there are this many, those that the core no longer knows are dropped.
    most: usize,
    /// Those that were added or dropped since the handoff last asked; `None` before it has asked.
    changed: Option<BTreeSet<LeaseId>>,
}

impl Children {
    /// Makes the list of what an adopted handoff has.
    pub(super) fn of(all: BTreeMap<LeaseId, Secret>) -> Self {
        Self { all, most: FEW, changed: None }
    }

    /// Returns all of them, for the handoff.
    pub(super) fn all(&self) -> &BTreeMap<LeaseId, Secret> {
        &self.all
    }

    /// Returns what has changed since the last call, or all at the first: each token, or that it is gone.
    pub(super) fn take_changes(&mut self) -> BTreeMap<LeaseId, Option<Secret>> {
        let all = &self.all;
        match self.changed.replace(BTreeSet::new()) {
            Some(changed) => changed.into_iter().map(|id| (id.clone(), all.get(&id).cloned())).gather(),
            None => all.iter().map(|(id, child)| (id.clone(), Some(child.clone()))).gather(),
        }
    }

    pub(super) fn get(&self, lease: &LeaseId) -> Option<&Secret> {
        self.all.get(lease)
    }

    /// Takes over those of another run.
    pub(super) fn adopt(&mut self, children: BTreeMap<LeaseId, Secret>) {
        if let Some(changed) = &mut self.changed {
            changed.extend(children.keys().cloned());
        }
        self.all.extend(children);
    }

    /// Keeps a token. In the long run, tokens that the core has not `known` any more are dropped.
    pub(super) fn keep(&mut self, lease: LeaseId, child: Secret, known: impl Fn() -> BTreeSet<LeaseId>) {
        if self.all.len() >= self.most {
            let known = known();
            let gone: Vec<LeaseId> = self.all.keys().filter(|id| !known.contains(*id)).cloned().collect();
            gone.iter().for_each(|lease| self.drop(lease));
            self.most = FEW.max(self.all.len() * 2);
        }
        if let Some(changed) = &mut self.changed {
            changed.insert(lease.clone());
        }
        self.all.insert(lease, child);
    }

    /// Drops a token, since it is revoked.
    pub(super) fn drop(&mut self, lease: &LeaseId) {
        if self.all.remove(lease).is_some()
            && let Some(changed) = &mut self.changed
        {
            changed.insert(lease.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(children: &mut Children, name: &str) {
        children.keep(LeaseId(name.into()), Secret::from(format!("hvs.{name}")), BTreeSet::new);
    }

    /// Returns the changes by name: true for a token that is there.
    fn changes(children: &mut Children) -> Vec<(String, bool)> {
        children.take_changes().into_iter().map(|(lease, child)| (lease.0, child.is_some())).collect()
    }

    #[test]
    fn the_handoff_is_given_all_at_first_and_then_only_what_has_changed() {
        let mut children = Children::of(BTreeMap::from([(LeaseId("a".into()), Secret::from("hvs.a"))]));
        keep(&mut children, "b");
        assert_eq!(changes(&mut children), [("a".to_owned(), true), ("b".to_owned(), true)]);
        keep(&mut children, "c");
        children.drop(&LeaseId("a".into()));
        children.drop(&LeaseId("unknown".into()));
        assert_eq!(changes(&mut children), [("a".to_owned(), false), ("c".to_owned(), true)]);
        assert_eq!(changes(&mut children), []);
    }

    #[test]
    fn tokens_that_the_core_no_longer_knows_are_dropped_and_the_handoff_is_given_that() {
        let mut children = Children::of(BTreeMap::new());
        (0..FEW).for_each(|number| keep(&mut children, &format!("old-{number:02}")));
        assert_eq!(changes(&mut children).len(), FEW);
        keep(&mut children, "new");
        assert_eq!(children.all().len(), 1);
        let changes = changes(&mut children);
        assert_eq!(changes.len(), FEW + 1);
        assert_eq!(changes.iter().filter(|(_, is_there)| *is_there).count(), 1);
    }
}
