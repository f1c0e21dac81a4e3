//! The outcome of a publish.

use super::error::PublishError;

/// What is on the disk after a publish that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Counts up with every publish that changed something. For a set it goes on where the last run stopped. For a
    /// single file it starts at 1 for what is there already. 0 if there is nothing at all.
    pub generation: u64,
    /// The indices of the members whose bytes, mode or owner differ from before, ascending. A single file is member 0
    /// of itself.
    pub changed: Vec<usize>,
    /// What failed after the new content was there for every reader: the last fsync, or removing the old. The publish
    /// is done all the same; the next one removes what is left.
    pub aftermath: Option<PublishError>,
}
