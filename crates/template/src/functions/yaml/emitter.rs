//! Columns, indentation and the whitespace between tokens: libyaml's rules for block style.

use crate::buffer::Buffer;

/// Lines are broken at the first space behind this column.
pub(super) const BEST_WIDTH: usize = 80;

/// Spaces of one level.
pub(super) const INDENT: usize = 2;

/// A YAML text as it grows.
pub(super) struct Emitter<'b> {
    out: &'b mut Buffer,
    /// Characters since the line began.
    pub(super) column: usize,
    /// Where the lines of the node at hand begin.
    pub(super) indent: usize,
    /// True if the last character was whitespace or an indicator that needs none behind it.
    pub(super) whitespace: bool,
    /// True if the line has only indentation and indicators so far.
    pub(super) indention: bool,
}

impl<'b> Emitter<'b> {
    pub(super) fn new(out: &'b mut Buffer) -> Self {
        Self { out, column: 0, indent: 0, whitespace: true, indention: true }
    }

    /// Writes one character.
    pub(super) fn put(&mut self, character: &[u8]) {
        self.out.push(character);
        self.column += 1;
    }

    /// Ends the line.
    pub(super) fn line_break(&mut self) {
        self.out.push(b"\n");
        self.column = 0;
    }

    /// Goes to where the node's lines begin, on a new line unless this one has nothing but
    /// indentation.
    pub(super) fn write_indent(&mut self) {
        if !self.indention || self.column > self.indent || self.column == self.indent && !self.whitespace {
            self.line_break();
        }
        while self.column < self.indent {
            self.put(b" ");
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Writes an indicator such as `-` or `:`.
    pub(super) fn indicator(&mut self, text: &[u8], need_whitespace: bool, is_indention: bool) {
        if need_whitespace {
            self.space();
        }
        for byte in text {
            self.put(std::slice::from_ref(byte));
        }
        self.whitespace = false;
        self.indention = self.indention && is_indention;
    }

    /// Writes a space, unless there is one already.
    pub(super) fn space(&mut self) {
        if !self.whitespace {
            self.put(b" ");
        }
    }

    /// Records that a scalar ends here, so that the next token needs a space before it.
    pub(super) fn end_scalar(&mut self) {
        self.whitespace = false;
        self.indention = false;
    }

    /// Returns whether the text is longer than allowed. The writer stops then.
    pub(super) const fn is_full(&self) -> bool {
        self.out.is_full()
    }
}
