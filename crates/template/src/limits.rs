//! How much one rendering may do, so that no template can hang the process or fill its memory.

/// The limits of one rendering. A rendering that reaches one fails, and [`ExecError::kind`](crate::ExecError::kind) says which one.
///
/// Go has a limit of the depth alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep templates may call templates, and pipelines and blocks may nest.
    pub depth: usize,
    /// How many rounds one `range` may take.
    pub range: usize,
    /// The bytes of the output, and of any single text on the way to it.
    pub output: usize,
    /// Steps of work: one for each node that is evaluated, and one for each 64 bytes of text that a function makes.
    pub steps: u64,
    /// The bytes that the values of the rendering may take at once: texts, lists and maps in variables, in one another and on
    /// the way to the output. What is dropped counts no more.
    pub held: usize,
}

impl Default for Limits {
    /// Returns a depth of 500, a million rounds of one `range`, 64 MiB of output, 20 million steps, and 64 MiB of
    /// values at once. These limits are far beyond any real file, and allow a second or two of work at most.
    fn default() -> Self {
        Self { depth: 500, range: 1_000_000, output: 64 << 20, steps: 20_000_000, held: 64 << 20 }
    }
}

impl Limits {
    /// Returns the smaller of each.
    #[must_use]
    pub(crate) fn within(self, most: Self) -> Self {
        Self {
            depth: self.depth.min(most.depth),
            range: self.range.min(most.range),
            output: self.output.min(most.output),
            steps: self.steps.min(most.steps),
            held: self.held.min(most.held),
        }
    }
}
