#![doc = include_str!("../README.md")]

pub mod advice;
mod buffer;
mod builtins;
mod calls;
mod error;
mod eval;
pub mod fields;
pub mod fmt;
pub mod function;
pub mod functions;
pub mod host;
mod lex;
mod limits;
mod node;
mod parse;
mod profile;
mod spell;
pub mod value;

pub use buffer::Buffer;
pub use calls::Call;
pub use error::{ExecError, ExecErrorKind, ParseError, Position};
pub use eval::MissingKey;
pub use leasehold_base::secret::Secret;
pub use leasehold_base::tree::Tree;
pub use limits::Limits;
pub use profile::Profile;

use function::Functions;
use host::Host;
use node::Body;
use value::Value;

/// A parsed text: the template that it is, and the templates that it defines.
///
/// Parse it once and execute it as often as you like. It is `Send` and `Sync`. A [`Value`] is neither: it belongs to one
/// rendering on one thread.
pub struct Template {
    name: String,
    text: Vec<u8>,
    left: Vec<u8>,
    right: Vec<u8>,
    /// Sorted by name. A list, because a text defines one template or a few.
    trees: Box<[(Vec<u8>, Body)]>,
    /// What its renderings may do at most, and that they are fenced in: it was compiled under a [`Profile`].
    bounds: Option<Limits>,
}

/// The delimiters of an action, left and right, unless [`Template::parse`] is given others: `{{` and `}}`.
pub const DELIMITERS: (&[u8], &[u8]) = (b"{{", b"}}");

impl Template {
    /// Parses `text`, like Go's `template.New(name).Delims(left, right).Funcs(functions).Parse(text)`.
    ///
    /// - `name` stands in every error.
    /// - `delimiters` are the left and the right delimiter. `None`, or an empty one, stands for its part of [`DELIMITERS`].
    /// - `functions` are those that the text may call, such as [`functions::all`]. A name that is not among them is an
    ///   error now, not at the execution. Go's built-ins (`print`, `index`, `eq` …) are always there.
    ///
    /// ```
    /// use leasehold_template::{Template, functions};
    ///
    /// assert!(Template::parse("web.conf", b"<< env \"HOME\" >>", Some(("<<", ">>")), functions::all()).is_ok());
    ///
    /// let error = Template::parse("web.conf", b"port =\n{{ .port }", None, functions::all()).unwrap_err();
    /// assert_eq!(error.to_string(), "template: web.conf:2: unexpected \"}\" in operand");
    /// assert_eq!((error.position.line, error.advice()), (2, "close the action with }}, both braces together"));
    /// ```
    ///
    /// # Errors
    /// [`ParseError`] for the first thing in `text` that is not the language. It has Go's words.
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
        Ok(Self { name: name.to_owned(), text: text.to_vec(), left, right, trees, bounds: None })
    }

    /// Renders the template with `data` as dot, like Go's `Execute`.
    ///
    /// - `missing_key` says what a key is that a map does not have: Go's option `missingkey`.
    /// - `limits` bound the work and the output of this one execution. Those of its [`Profile`] bound it, too.
    /// - `host` answers what the template asks of the world. [`host::Nowhere`] answers nothing.
    ///
    /// The output is a [`Secret`], which is wiped when it is dropped. [`Secret::expose`] gives its bytes.
    ///
    /// # Errors
    /// [`ExecError`] if the data does not fit the template, a function fails, or a limit is reached. It has Go's words and
    /// the position, and never a value of the data. There is no partial output, unlike in Go.
    pub fn execute(
        &self,
        data: Value,
        missing_key: MissingKey,
        limits: Limits,
        host: &mut dyn Host,
    ) -> Result<Secret, Box<ExecError>> {
        match self.bounds {
            None => eval::execute(self, data, missing_key, limits, host),
            Some(most) => profile::execute(self, data, missing_key, (limits, most), host),
        }
    }

    /// Returns the name that stands in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text that the template was parsed from.
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

    /// Returns the template called `name`, and its name as this template owns it.
    fn definition(&self, name: &[u8]) -> Option<(&[u8], &Body)> {
        let at = self.trees.binary_search_by(|(known, _)| known.as_slice().cmp(name)).ok()?;
        let (name, body) = &self.trees[at];
        Some((name, body))
    }
}

/// Shows the name and nothing of the text.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "template {}", self.name)
    }
}

/// Reads a Go string literal (`strconv.Unquote`). For the tests of this repository, which read Go's own tables.
#[doc(hidden)]
#[must_use]
pub fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    spell::quote::unquote(literal).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_can_be_shared_between_threads() {
        const fn is_shared<T: Send + Sync>() {}
        is_shared::<Template>();
    }
}
