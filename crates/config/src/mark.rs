//! A position in a text.

/// A position in a text: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mark {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl From<libyaml_safer::Mark> for Mark {
    fn from(mark: libyaml_safer::Mark) -> Self {
        // A text of at most MAX_BYTES has neither lines nor columns past usize.
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX - 1) + 1;
        Self { line: number(mark.line), column: number(mark.column) }
    }
}
