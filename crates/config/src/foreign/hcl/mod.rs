//! Reads HCL 1, the language of the configurations of Vault Agent, consul-template and envconsul, as hashicorp/hcl
//! v1 reads it:
//!
//! - `mode = 0600` is octal.
//! - `${…}` in a string is kept as it is.
//! - A block may have labels and stand many times.
//! - `=` before an object may be left out.
//!
//! A reader for HCL 2 would take the octal mode for a decimal one and the template for an interpolation, without a
//! word about it.

mod lex;
mod number;
mod parse;
mod text;

#[cfg(test)]
mod tests;

use super::tree::{At, Object};
use crate::places::Span;
use crate::yaml::MAX_BYTES;
use crate::yaml_error::Flaw;

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// A text as read.
#[derive(Debug)]
pub(crate) struct Hcl {
    /// The items of the text.
    pub(crate) top: Object,
    /// Every key, value and comment in it, in its order, so that an excerpt can leave values out.
    pub(crate) spans: Vec<Span>,
}

/// Reads `text`, which is the `source`th of a configuration.
///
/// # Errors
/// The first thing that is not the language.
pub(crate) fn read(text: &str, source: usize) -> Result<Hcl, Flaw> {
    if text.len() > MAX_BYTES {
        return Err(Flaw::new(At::start(source).mark, "larger than 8 MiB", "move templates to files"));
    }
    // As the reference does first of all: what comes out has no carriage returns at line ends.
    parse::Parser::new(&text.replace("\r\n", "\n"), source).read()
}
