//! The place of a template in the text that it is a part of, for errors of its rendering.

/// The text of a configuration, and where in it a template begins. A template that is a file of its own has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The name of the text in messages.
    pub source: String,
    /// The place of the first line.
    pub first: Anchor,
    /// The place of the second line, which the others follow.
    pub rest: Anchor,
}

/// The place where a line of a template begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anchor {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The text there is the template's, sign by sign. Otherwise only the start of the whole is known.
    pub exact: bool,
}

impl Origin {
    /// Returns a place in the template, such as `leasehold.yaml:12:5`: line and column from 1, in characters.
    #[must_use]
    pub fn place(&self, line: usize, column: usize) -> String {
        let (anchor, below) = if line <= 1 { (self.first, 0) } else { (self.rest, line - 2) };
        let (line, column) = match anchor.exact {
            true => (anchor.line + below, anchor.column + column - 1),
            false => (anchor.line, anchor.column),
        };
        format!("{}:{line}:{column}", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_template_is_one_in_its_text() {
        let anchor = |line, column, exact| Anchor { line, column, exact };
        let block = Origin { source: "a.yaml".into(), first: anchor(7, 7, true), rest: anchor(8, 7, true) };
        assert_eq!([block.place(1, 4), block.place(3, 1)], ["a.yaml:7:10", "a.yaml:9:7"]);
        let folded = Origin { first: anchor(7, 3, false), rest: anchor(7, 3, false), ..block };
        assert_eq!([folded.place(1, 4), folded.place(3, 9)], ["a.yaml:7:3", "a.yaml:7:3"]);
    }
}
