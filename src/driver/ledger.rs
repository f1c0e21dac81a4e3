//! The absolute files that we put on the disk. Each publish adds one, and the handoff keeps the list for the next
//! run.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::publish::{Listed, SingleFile};
use crate::secret::Secret;

/// The list. A publish on a disk adds its file from another thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    files: BTreeMap<PathBuf, Listed>,
    /// The publishes that have begun and not ended.
    publishing: usize,
    /// The files whose state is not in the handoff yet.
    changed: BTreeSet<PathBuf>,
    /// Those of them that the write under way is to bring into the handoff.
    writing: BTreeSet<PathBuf>,
    /// The last write of the handoff failed.
    unwritten: bool,
}

impl Ledger {
    /// Makes the list of what an earlier run has published.
    pub(super) fn of(files: Vec<Listed>) -> Self {
        let files = files.into_iter().map(|file| (file.path.clone(), file)).collect();
        Self(Arc::new(Mutex::new(Entries { files, ..Entries::default() })))
    }

    /// Returns all files, for the handoff.
    pub(super) fn files(&self) -> Vec<Listed> {
        self.entries().files.values().cloned().collect()
    }

    /// Returns what is known of the file at `path`.
    pub(super) fn get(&self, path: &Path) -> Option<Listed> {
        self.entries().files.get(path).cloned()
    }

    /// Begins a write of the handoff, which ends with [`written`](Self::written). A file that another thread adds
    /// meanwhile may be too late for this write, and is left for the next one.
    pub(super) fn begin_write(&self) {
        let mut entries = self.entries();
        let changed = std::mem::take(&mut entries.changed);
        entries.writing.extend(changed);
    }

    /// Returns what the write under way has to bring into the handoff: the state of each file now, or that it is
    /// gone. A line that is written because there was no room for a whole state has the same.
    pub(super) fn changes(&self) -> BTreeMap<PathBuf, Option<Listed>> {
        let entries = self.entries();
        let state = |path: &PathBuf| (path.clone(), entries.files.get(path).cloned());
        entries.writing.iter().map(state).gather()
    }

    /// Records that `bytes` are in the file at `path`.
    pub(super) fn note(&self, path: &Path, file: &SingleFile, bytes: &Secret) {
        let Some(listed) = file.listed(path, bytes) else { return };
        let mut entries = self.entries();
        if entries.files.get(path) != Some(&listed) {
            entries.changed.insert(path.to_owned());
        }
        entries.files.insert(path.to_owned(), listed);
    }

    /// Removes a file that has left the disk, or is not ours any more.
    pub(super) fn forget(&self, path: &Path) {
        let mut entries = self.entries();
        if entries.files.remove(path).is_some() {
            entries.changed.insert(path.to_owned());
        }
    }

    /// Records that a publish begins.
    pub(super) fn begin(&self) {
        self.entries().publishing += 1;
    }

    /// Returns whether a publish is under way.
    pub(super) fn is_publishing(&self) -> bool {
        self.entries().publishing > 0
    }

    /// Records that a publish has ended. Returns whether the handoff should be written, which is not after each of a
    /// hundred files.
    pub(super) fn end(&self) -> bool {
        let mut entries = self.entries();
        entries.publishing = entries.publishing.saturating_sub(1);
        entries.publishing == 0 && (entries.unwritten || !entries.changed.is_empty())
    }

    /// Records whether the handoff was written. If it was not, the next write has to bring the same files.
    pub(super) fn written(&self, is_written: bool) {
        let mut entries = self.entries();
        entries.unwritten = !is_written;
        let writing = std::mem::take(&mut entries.writing);
        if !is_written {
            entries.changed.extend(writing);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Attributes;

    #[test]
    fn the_handoff_is_written_once_for_files_that_are_published_together() {
        let dir = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::default();
        let publish = |name: &str, text: &str| {
            let path = dir.path().join(name);
            let mut file = SingleFile::open(&path, 0o750, false).expect("a place");
            let attributes = Attributes { mode: 0o600, uid: None, gid: None };
            file.publish(&text.into(), &attributes).expect("published");
            ledger.note(&path, &file, &text.into());
            ledger.end()
        };
        (0..2).for_each(|_| ledger.begin());
        assert_eq!([publish("a", "1"), publish("b", "1")], [false, true]);
        ledger.begin_write();
        ledger.written(true);
        ledger.begin();
        assert!(!publish("a", "1"), "nothing has changed");
        ledger.begin();
        assert!(publish("a", "2"));
        assert_eq!(ledger.files().len(), 2);
        ledger.forget(&dir.path().join("a"));
        assert_eq!(ledger.files().len(), 1);
    }
    #[test]
    fn a_file_stays_to_be_written_until_a_write_has_succeeded() {
        let dir = tempfile::tempdir().expect("a folder");
        let ledger = Ledger::default();
        let publish = |name: &str| {
            let path = dir.path().join(name);
            let mut file = SingleFile::open(&path, 0o750, false).expect("a place");
            let attributes = Attributes { mode: 0o600, uid: None, gid: None };
            file.publish(&"1".into(), &attributes).expect("published");
            ledger.note(&path, &file, &"1".into());
            path
        };
        let written: Vec<PathBuf> = vec![publish("a")];
        ledger.begin_write();
        assert_eq!(ledger.files().len(), 1, "for a whole state, for which there is no room");
        let changes = |ledger: &Ledger| ledger.changes().into_keys().collect::<Vec<_>>();
        assert_eq!(changes(&ledger), written, "for the line in its place");
        ledger.written(false);
        ledger.begin_write();
        assert_eq!(changes(&ledger), written, "for the next line, since that one failed, too");
        let late = publish("b");
        ledger.written(true);
        ledger.begin_write();
        assert_eq!(changes(&ledger), [late], "it was published after the write began");
    }
}
