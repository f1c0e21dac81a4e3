//! A unit: the files that are published together, and how long it waits for changes that belong together.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::interface::ids::FileId;
use leasehold_base::exit::Ending;
use leasehold_base::time::Moment;

/// How long reads that belong together are waited for, so that one refresh is one generation.
pub(super) const GATHER: Duration = Duration::from_millis(50);

/// The longest time that reads are waited for. A refresh that takes longer makes several generations.
pub(super) const LONGEST_GATHER: Duration = Duration::from_secs(5);

/// How much longer a set gathers changes for each file in it, because a publish looks at every file.
const GATHER_A_FILE: Duration = Duration::from_micros(200);

/// Gathering takes at least this many times as long as the last publish, so that publishing takes only a part of the
/// time.
const GATHER_BY_PUBLISH: u32 = 4;

/// One unit.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    pub(crate) files: Vec<FileId>,
    /// One of them waits for a quiet time.
    pub(super) waits: bool,
    /// The files to be rendered.
    pub(crate) dirty: BTreeSet<FileId>,
    /// The files to be rendered once what they wait for is there. A change of that makes them dirty.
    pub(crate) blocked: BTreeSet<FileId>,
    pub(crate) rendering: BTreeSet<FileId>,
    /// The files that are rendered and not published yet.
    pub(crate) fresh: BTreeSet<FileId>,
    /// The blocked file that was still awaited at the last look; the next one begins there.
    pub(crate) awaited: Option<FileId>,
    /// The files that the publish under way makes visible.
    pub(crate) publishing: Option<BTreeSet<FileId>>,
    /// When the first change came that is not published yet.
    pub(crate) since: Option<Moment>,
    pub(crate) generation: Option<u64>,
    pub(crate) error: Option<Ending>,
    pub(crate) tries: u32,
    pub(crate) retry: Option<Moment>,
    /// When the last publish began, and how long it took.
    pub(super) began: Moment,
    pub(super) took: Duration,
}

impl Unit {
    /// Returns how long reads that belong to a change are waited for. A publish of many files takes longer than the
    /// shortest gathering. Without this, one refresh of ten thousand files would be dozens of generations.
    pub(crate) fn gather(&self) -> Duration {
        let files = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let (by_files, by_publish) =
            (GATHER_A_FILE.saturating_mul(files), self.took.saturating_mul(GATHER_BY_PUBLISH));
        GATHER.max(by_files).max(by_publish).min(LONGEST_GATHER)
    }
}
