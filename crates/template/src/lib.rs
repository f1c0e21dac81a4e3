//! Go's `text/template` language, byte for byte.
//!
//! The templates of this field are Go's. `lex` cuts a text into tokens, `parse` makes a tree of
//! nodes, `eval` walks it over [`value::Value`]s (Go's kinds kept apart), `fmt` prints as Go's `fmt`
//! does, `builtins` are the functions that every template has. What else a template may call is
//! registered by its [`function::Function`] signature, and reaches the world only through a
//! [`host::Host`].
//!
//! The room is pure: the same template, data and host give the same bytes. Everything is bounded by
//! [`limits::Limits`], no input makes it panic, and no error holds a value.

pub mod buffer;
pub(crate) mod builtins;
pub mod calls;
pub mod error;
pub mod eval;
pub mod fields;
pub mod fmt;
pub mod function;
pub mod functions;
pub mod host;
mod lex;
pub mod limits;
mod node;
mod parse;
pub mod spell;
pub mod value;

use error::{ExecError, ParseError};
use eval::MissingKey;
use function::Functions;
use host::Host;
use leasehold_base::secret::Secret;
use limits::Limits;
use node::Body;
use value::Value;

/// A parsed text: the template it is, and those it defines.
pub struct Template {
    name: String,
    text: Vec<u8>,
    left: Vec<u8>,
    right: Vec<u8>,
    /// By name: a template has one or few, and lives as long as its file.
    trees: Box<[(Vec<u8>, Body)]>,
}

/// What actions stand between where nothing else is said.
pub const DELIMITERS: (&[u8], &[u8]) = (b"{{", b"}}");

impl Template {
    /// Parses `text`. `name` stands in errors. `delimiters` are what actions stand between,
    /// [`DELIMITERS`] where there are none or one is empty. Functions must be known now.
    ///
    /// # Errors
    /// The first thing in it that is not the language, with Go's words and the place.
    pub fn parse(
        name: &str,
        text: &[u8],
        delimiters: Option<(&str, &str)>,
        functions: &Functions,
    ) -> Result<Self, ParseError> {
        let (left, right) = delimiters.unwrap_or_default();
        let (left, right) = (left.as_bytes(), right.as_bytes());
        let left = if left.is_empty() { DELIMITERS.0 } else { left };
        let right = if right.is_empty() { DELIMITERS.1 } else { right };
        let trees = parse::parse(name, text, (left, right), functions).map_err(|error| *error)?;
        let trees = trees.into_iter().collect();
        let (left, right) = (left.to_vec(), right.to_vec());
        Ok(Self { name: name.to_owned(), text: text.to_vec(), left, right, trees })
    }

    /// Renders it with `data` as dot.
    ///
    /// # Errors
    /// Where the data does not fit, a function fails, or a limit is reached; with Go's words and the
    /// place, and no value.
    pub fn execute(
        &self,
        data: Value,
        missing_key: MissingKey,
        limits: Limits,
        host: &mut dyn Host,
    ) -> Result<Secret, Box<ExecError>> {
        eval::execute(self, data, missing_key, limits, host)
    }

    /// The name that stands in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that it was parsed from.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn delimiters(&self) -> (&[u8], &[u8]) {
        (&self.left, &self.right)
    }

    fn body(&self, name: &[u8]) -> Option<&Body> {
        self.definition(name).map(|(_, body)| body)
    }

    /// A template by its name, with the name as it lives here.
    fn definition(&self, name: &[u8]) -> Option<(&[u8], &Body)> {
        let at = self.trees.binary_search_by(|(known, _)| known.as_slice().cmp(name)).ok()?;
        let (name, body) = &self.trees[at];
        Some((name, body))
    }
}

/// Says which template, and nothing of its text.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template {}", self.name)
    }
}
