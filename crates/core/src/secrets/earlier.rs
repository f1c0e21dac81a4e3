//! What an earlier run has put on the disk. No record says which of its files are made of which lease, so a lease of
//! that run that is to be revoked waits until this run has published every file. All such leases wait for the same, so
//! it is kept once: a list for each lease would be as long as the number of leases times that of the files.

use std::collections::BTreeSet;

use crate::files::notice::{Reader, Unaware};
use crate::interface::ids::{FileId, LeaseId, NotifierId};
use leasehold_base::time::Moment;

/// The files that an earlier run has published, their readers, and the leases that they may depend on.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// The files that this run has not put on the disk as they should be.
    files: BTreeSet<FileId>,
    /// The readers that have not been notified yet of the other files.
    readers: Unaware,
    /// The leases that wait for this.
    leases: BTreeSet<LeaseId>,
}

impl Earlier {
    /// Begins with what an earlier run has left: all files, and the readers that it did not notify.
    pub(super) fn new(
        files: BTreeSet<FileId>,
        untold: impl IntoIterator<Item = Reader>,
        now: Moment,
    ) -> Self {
        let mut readers = Unaware::default();
        readers.add(untold, now);
        Self { files, readers, leases: BTreeSet::new() }
    }

    /// Returns whether a file on disk may still be the earlier run's.
    pub(super) fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// Returns whether no file is the earlier run's any more, and each of its readers was notified.
    pub(super) fn is_over(&self) -> bool {
        self.files.is_empty() && self.readers.is_empty()
    }

    /// Has a lease wait.
    pub(super) fn put(&mut self, lease: &LeaseId) {
        self.leases.insert(lease.clone());
    }

    /// Removes a lease.
    pub(super) fn forget(&mut self, lease: &LeaseId) {
        self.leases.remove(lease);
    }

    /// Returns the leases that wait.
    pub(super) fn leases(&self) -> impl Iterator<Item = &LeaseId> {
        self.leases.iter()
    }

    /// Takes the leases, if nothing keeps them any more.
    pub(super) fn take_free(&mut self) -> BTreeSet<LeaseId> {
        if self.is_over() { std::mem::take(&mut self.leases) } else { BTreeSet::new() }
    }

    /// Records that this run has put the file on the disk as it should be, and that these readers must be notified of
    /// that. Returns whether that was the last file.
    pub(super) fn published(
        &mut self,
        file: FileId,
        untold: impl IntoIterator<Item = Reader>,
        now: Moment,
    ) -> bool {
        if !self.files.remove(&file) {
            return false;
        }
        self.readers.add(untold, now);
        self.files.is_empty()
    }

    /// Records that this notifier knows of everything that was published up to `until`.
    pub(super) fn told(&mut self, notifier: NotifierId, until: Moment) {
        self.readers.told(notifier, until);
    }
}
