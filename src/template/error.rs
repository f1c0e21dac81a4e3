//! Errors with Go's wording and Go's places. Never a value.

use std::fmt;

use super::node::quoted;

/// A place in a template's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the start.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// Bytes from the start of the line, from 0 as Go counts.
    pub column: usize,
}

impl Place {
    /// The place `offset` bytes into `text`.
    #[must_use]
    pub fn of(text: &[u8], offset: usize) -> Self {
        let offset = offset.min(text.len());
        let before = &text[..offset];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        Self { offset, line, column: offset - start }
    }
}

/// A text that is not a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The template's name.
    pub name: String,
    /// Where the parser was: for a caret. Go's own message has the line of the token it last read.
    pub place: Place,
    /// The line that Go's message names.
    pub line: usize,
    /// Go's wording.
    pub message: String,
    /// What may have been meant, or why a function is not there.
    pub hint: Option<String>,
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

/// A rendering that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecError {
    /// The name of the template's text.
    pub name: String,
    /// The template that was executing: that name, or the one a `define` gave.
    pub executing: String,
    /// Where, and the node there as Go prints it; `None` where Go gives no place either.
    pub at: Option<(Place, String)>,
    /// Go's wording.
    pub message: String,
    /// Whether a limit ended it rather than the data.
    pub limit: bool,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((place, context)) = &self.at else {
            return write!(f, "template: {}: {}", self.executing, self.message);
        };
        let Self { name, executing, message, .. } = self;
        let Place { line, column, .. } = place;
        let executing = quoted(executing.as_bytes());
        write!(f, "template: {name}:{line}:{column}: executing {executing} at <{context}>: {message}")
    }
}

impl std::error::Error for ExecError {}
