//! Errors with Go's wording and Go's positions. They never hold a value.

use std::fmt;

use super::spell::quoted;

/// A position in a template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The bytes from the start of the text, from 0.
    pub offset: usize,
    /// The line, from 1.
    pub line: usize,
    /// The bytes from the start of the line, from 0, as Go counts columns.
    pub column: usize,
}

impl Position {
    /// Returns the position `offset` bytes into `text`, or its end if `offset` is beyond it.
    #[must_use]
    pub fn of(text: &[u8], offset: usize) -> Self {
        let offset = offset.min(text.len());
        let before = &text[..offset];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        Self { offset, line, column: offset - start }
    }
}

impl Position {
    /// Returns line and column from 1, in characters, which is what people and editors count. Bytes of `text` that are
    /// no characters count as one each.
    #[must_use]
    pub fn in_characters(&self, text: &[u8]) -> (usize, usize) {
        let start = self.offset.saturating_sub(self.column);
        let before = text.get(start..self.offset).unwrap_or_default();
        (self.line, String::from_utf8_lossy(before).chars().count() + 1)
    }
}

/// Where the lines of a text begin, for many positions in it: counted once, and not from the start for each.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The offsets of the first byte of each line.
    starts: Vec<usize>,
    end: usize,
}

impl Lines {
    pub(crate) fn of(text: &[u8]) -> Self {
        let after = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
        Self { starts: std::iter::once(0).chain(after).collect(), end: text.len() }
    }

    /// Returns the position at `offset`, as [`Position::of`] does.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.end);
        // The first line begins at 0, so at least one begins at or before the offset.
        let line = self.starts.partition_point(|start| *start <= offset);
        Position { offset, line, column: offset - self.starts[line - 1] }
    }
}

/// A text that is not a template. It prints as Go's error does, with the hint in brackets behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// Where the parser was: the position for a caret. Go's message names `line` instead.
    pub position: Position,
    /// The line that Go's message names, from 1: the line of the token that the parser read last.
    pub line: usize,
    /// The message in Go's words, without name and line.
    pub message: String,
    /// What may have been meant, or why a function is not available. Go has no such hint.
    pub hint: Option<String>,
}

/// What to do about an error, by a part of Go's words. The first that fits counts.
const ADVICE: &[(&str, &str)] = &[
    ("not defined", "see docs/reference/functions.md for what there is"),
    ("unexpected EOF", "close what is open here, and each if, with, range, block and define, with {{ end }}"),
    ("unexpected {{end}}", "take it out, or open what it closes with if, with, range, block or define"),
    ("unexpected {{else", "put it between an if, with or range and its {{ end }}"),
    ("outside {{range}}", "put it between {{ range … }} and its {{ end }}"),
    ("undefined variable", "give it a value first: {{ $name := … }}"),
    ("unterminated", "close the quote on the same line, or use backquotes for several lines"),
    ("unclosed action", "close it with }}"),
    ("unclosed left paren", "close it with )"),
    ("right paren", "take the ) out, or open it with ("),
    ("unclosed comment", "close it with */}}"),
    ("comment ends", "put nothing between */ and the closing }}"),
    ("bad number", "put it in quotes if it is text"),
    ("bad character", "put a space or a | between the two"),
    ("unexpected \"}\"", "close the action with }}, both braces together"),
    ("unrecognized character", "put text in double quotes"),
    ("multiple definition", "give one of them another name"),
    ("missing value", "say what it is about, such as {{ with secret \"secret/web\" }}"),
    ("too many declarations", "declare one variable, or two in a range"),
    ("non executable command", "put a function behind the |, such as | toJSON"),
];

impl ParseError {
    /// Returns what to do about the error: an imperative in lowercase.
    #[must_use]
    pub fn advice(&self) -> &str {
        let known = || ADVICE.iter().find(|(part, _)| self.message.contains(part)).map(|(_, advice)| *advice);
        self.hint.as_deref().or_else(known).unwrap_or("see docs/TEMPLATES.md for the language")
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template: {}:{}: {}", self.name, self.line, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

/// A rendering that failed. It prints as Go's error does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecError {
    /// The name that the text was parsed under.
    pub name: String,
    /// The template that was executing: that name, or the name in a `define`.
    pub executing: String,
    /// The position, and the node there as Go prints it. `None` if Go gives no position either.
    pub at: Option<(Position, String)>,
    /// The message in Go's words, without name and position.
    pub message: String,
    /// What went wrong, for a program that says what to do about it.
    pub kind: ExecErrorKind,
}

/// The kind of an [`ExecError`]. Of an error in a template that a function renders, the inner kind counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExecErrorKind {
    /// One of the [`Limits`](crate::Limits) ended the rendering, and not the template or its data.
    Limit,
    /// A map has no entry for this key, and a missing key is an error.
    NoEntry(String),
    /// The template asks for this field of nothing.
    Nil {
        /// The field.
        field: String,
        /// True if nothing is what a value of any type was, such as a value of a secret's data. Otherwise it is a pointer,
        /// such as an answer of the server that is not there.
        of_any: bool,
    },
    /// The function of this name refused what it was given.
    Function(String),
    /// Anything else.
    #[default]
    Other,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((place, context)) = &self.at else {
            return write!(f, "template: {}: {}", self.executing, self.message);
        };
        let Self { name, executing, message, .. } = self;
        let Position { line, column, .. } = place;
        let executing = quoted(executing.as_bytes());
        write!(f, "template: {name}:{line}:{column}: executing {executing} at <{context}>: {message}")
    }
}

impl std::error::Error for ExecError {}
