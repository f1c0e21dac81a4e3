//! Which replaced leases a published file may set free, so that publishing one of ten thousand files need not ask ten
//! thousand leases.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};

use crate::interface::ids::{FileId, LeaseId};

/// A lease that more files are made of is always asked: after a restart all files may be made of each lease, and an entry
/// for each of both would take more room than it saves time.
const FEW: usize = 8;

/// The files of replaced leases.
#[derive(Debug, Default)]
pub(super) struct Places {
    by_file: BTreeMap<FileId, BTreeSet<LeaseId>>,
    /// Leases that are asked whatever is published: many files are made of them, or none.
    always: BTreeSet<LeaseId>,
}

impl Places {
    /// Puts in a lease that these files are made of.
    pub(super) fn put(&mut self, lease: &LeaseId, files: &BTreeSet<FileId>) {
        if (1..=FEW).contains(&files.len()) {
            for file in files {
                self.by_file.entry(*file).or_default().insert(lease.clone());
            }
        } else {
            self.always.insert(lease.clone());
        }
    }

    /// Takes out what a lease has at these files.
    pub(super) fn take<'f>(&mut self, lease: &LeaseId, files: impl IntoIterator<Item = &'f FileId>) {
        for file in files {
            if let Some(leases) = self.by_file.get_mut(file) {
                leases.remove(lease);
                if leases.is_empty() {
                    self.by_file.remove(file);
                }
            }
        }
    }

    /// Takes out a lease.
    pub(super) fn forget(&mut self, lease: &LeaseId, files: &BTreeSet<FileId>) {
        self.always.remove(lease);
        self.take(lease, files);
    }

    /// Asks a lease no longer that no file can set free.
    pub(super) fn pass(&mut self, lease: &LeaseId) {
        self.always.remove(lease);
    }

    /// Returns the leases that these files may set free.
    pub(super) fn of(&self, files: &BTreeSet<FileId>) -> BTreeSet<LeaseId> {
        let by_file = files.iter().filter_map(|file| self.by_file.get(file)).flatten();
        by_file.chain(&self.always).cloned().gather()
    }
}
