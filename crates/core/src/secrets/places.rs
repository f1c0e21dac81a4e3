//! Which replaced leases a published file may set free. So publishing one of ten thousand files need not check ten
//! thousand leases.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};

use crate::interface::ids::{FileId, LeaseId};
use crate::tools::steps::step;

/// A lease that more files depend on is always checked: an entry for each pair would take more room than it saves time.
const FEW: usize = 8;

/// The files that replaced leases are used in.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_file: BTreeMap<FileId, BTreeSet<LeaseId>>,
    /// Leases that are checked whatever is published, since many files depend on them.
    always: BTreeSet<LeaseId>,
}

impl Places {
    /// Adds a lease that these files depend on.
    pub(super) fn put(&mut self, lease: &LeaseId, files: &BTreeSet<FileId>) {
        if files.len() <= FEW {
            for file in files {
                step();
                self.by_file.entry(*file).or_default().insert(lease.clone());
            }
        } else {
            self.always.insert(lease.clone());
        }
    }

    /// Removes the entries of a lease for these files.
    pub(super) fn take<'f>(&mut self, lease: &LeaseId, files: impl IntoIterator<Item = &'f FileId>) {
        for file in files {
            step();
            if let Some(leases) = self.by_file.get_mut(file) {
                leases.remove(lease);
                if leases.is_empty() {
                    self.by_file.remove(file);
                }
            }
        }
    }

    /// Removes a lease.
    pub(super) fn forget(&mut self, lease: &LeaseId, files: &BTreeSet<FileId>) {
        self.always.remove(lease);
        self.take(lease, files);
    }

    /// Stops checking a lease that no file can set free.
    pub(super) fn pass(&mut self, lease: &LeaseId) {
        self.always.remove(lease);
    }

    /// Returns the leases that this file may depend on.
    pub(super) fn of_one(&self, file: FileId) -> impl Iterator<Item = &LeaseId> {
        self.by_file.get(&file).into_iter().flatten().chain(&self.always)
    }

    /// Returns the leases that these files may set free.
    pub(super) fn of(&self, files: &BTreeSet<FileId>) -> BTreeSet<LeaseId> {
        let by_file = files.iter().filter_map(|file| self.by_file.get(file)).flatten();
        by_file.chain(&self.always).cloned().gather()
    }
}
