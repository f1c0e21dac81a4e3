//! What a publish did.

use super::error::PublishError;

/// What is on the disk after a publish that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Counts up with every publish that changed something. Of a set it goes on where the last run
    /// stopped; of a single file it starts at 1 for
    /// what is there already. 0 where there is nothing at all.
    pub generation: u64,
    /// Indices of the members whose bytes, mode or owner differ from before, ascending. A single
    /// file is member 0 of itself.
    pub changed: Vec<usize>,
    /// What failed after the new content was there for everybody: the last fsync, or removing the
    /// old. The publish is done all the same; what is left is removed by the next one.
    pub aftermath: Option<PublishError>,
}
