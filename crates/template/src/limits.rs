//! How much one rendering may do, so that no template can hang or fill the process.

/// The limits of one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep templates may call templates and pipelines may nest.
    pub depth: usize,
    /// How often one `range` may go round.
    pub range: usize,
    /// Bytes of output, and of any single text on the way.
    pub output: usize,
    /// Work: nodes evaluated, and one for every 64 bytes of text made.
    pub steps: u64,
}

impl Default for Limits {
    /// Far beyond any real file, a second or two of work at most.
    fn default() -> Self {
        Self { depth: 500, range: 1_000_000, output: 64 << 20, steps: 20_000_000 }
    }
}
