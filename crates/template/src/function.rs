//! Functions that a template can call: a name, a Go signature, and Rust code.
//!
//! The engine checks the types of the arguments before the code runs, as Go's reflection does. The code may rely on them: a
//! parameter of the type `string` receives a [`Value::Text`], never a `json.Number`.
//!
//! ```
//! use leasehold_template::function::{Function, FunctionError, Scope};
//! use leasehold_template::host::Nowhere;
//! use leasehold_template::value::{Type, Value};
//! use leasehold_template::{Limits, MissingKey, Template, functions};
//!
//! /// `shout TEXT`: the text and an exclamation mark.
//! fn shout(scope: &mut Scope<'_, '_>, args: &[Value]) -> Result<Value, FunctionError> {
//!     let [Value::Text(text)] = args else { unreachable!("the signature has one string") };
//!     scope.spend(text.len() + 1)?;
//!     Ok(Value::text([text.expose(), b"!"].concat()))
//! }
//!
//! static OWN: [Function; 1] = [Function::new("shout", &[Type::String], shout).returns(Type::String)];
//!
//! let mut known = functions::all().clone();
//! known.add(&OWN);
//! let template = Template::parse("t", br#"{{ "hello" | shout }}"#, None, &known)?;
//! let bytes = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Nowhere)?;
//! assert_eq!(bytes.expose(), b"hello!");
//!
//! let wrong = Template::parse("t", b"{{ shout 1 }}", None, &known)?;
//! let error = wrong.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Nowhere).unwrap_err();
//! assert_eq!(error.message, "expected string; found 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

pub use super::eval::Scope;

use super::error::ExecErrorKind;
use super::host::HostError;
use super::value::{Type, Value};

/// The code of a function. The engine has checked the number and the types of the arguments against the parameters. A nil for
/// a slice, map or pointer parameter arrives as [`Value::NilOf`].
pub type Run = fn(&mut Scope<'_, '_>, &[Value]) -> Result<Value, FunctionError>;

/// A function or a method, with its Go signature. [The module](self) has an example.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name that templates call.
    pub name: &'static str,
    /// The types of the parameters. The last parameter of a variadic function is the type of each of the remaining
    /// arguments; there may be none.
    pub params: &'static [Type],
    /// Whether the last parameter repeats (`...T`).
    pub variadic: bool,
    /// The type of the result.
    pub returns: Type,
    /// The signature as Go prints it, such as `func(string) string`; `func()` unless set. It matters only where a function
    /// is a value.
    pub go_type: &'static str,
    /// The code.
    pub run: Run,
}

impl Function {
    /// Makes a function with a fixed number of parameters that returns `interface {}`.
    #[must_use]
    pub const fn new(name: &'static str, params: &'static [Type], run: Run) -> Self {
        Self { name, params, variadic: false, returns: Type::Interface, go_type: "func()", run }
    }

    /// Makes the last parameter repeat.
    #[must_use]
    pub const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    /// Sets the type of the result.
    #[must_use]
    pub const fn returns(self, returns: Type) -> Self {
        Self { returns, ..self }
    }

    /// Returns the least number of arguments.
    #[must_use]
    pub const fn fixed(&self) -> usize {
        if self.variadic { self.params.len().saturating_sub(1) } else { self.params.len() }
    }

    /// Returns the type of the argument at `index`, from 0.
    #[must_use]
    pub fn param(&self, index: usize) -> Type {
        let last = self.params.last().copied().unwrap_or(Type::Interface);
        self.params.get(index).copied().unwrap_or(last)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.name)
    }
}

/// Why a function failed: a text for people, with names and types, never with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    why: String,
    kind: ExecErrorKind,
}

impl FunctionError {
    /// Makes an error that says `why`.
    pub fn new(why: impl Into<String>) -> Self {
        Self::caused(why, ExecErrorKind::Other)
    }

    /// Makes the error of a limit that was reached, where Go would have gone on.
    pub fn beyond(why: impl Into<String>) -> Self {
        Self::caused(why, ExecErrorKind::Limit)
    }

    /// Makes the error of a text that would be longer than one rendering may make.
    #[must_use]
    pub fn too_much() -> Self {
        Self::beyond("too much text for one rendering")
    }

    /// Makes the error of values that would take more than `most` bytes at once.
    #[must_use]
    pub fn too_large(most: usize) -> Self {
        let (size, unit) =
            if most.is_multiple_of(1 << 20) { (most >> 20, "MiB") } else { (most >> 10, "KiB") };
        Self::beyond(format!("more than {size} {unit} of values at once for one rendering"))
    }

    /// Returns whether a limit of this crate is the reason. Some functions return an empty value for a wrong argument; they
    /// must not do so for a limit.
    #[must_use]
    pub(crate) const fn is_limit(&self) -> bool {
        matches!(self.kind, ExecErrorKind::Limit)
    }

    /// Makes an error that says `why` and is of `kind`.
    pub(crate) fn caused(why: impl Into<String>, kind: ExecErrorKind) -> Self {
        Self { why: why.into(), kind }
    }

    /// Returns its kind; [`ExecErrorKind::Other`] if the function itself refused something.
    pub(crate) const fn kind(&self) -> &ExecErrorKind {
        &self.kind
    }

    /// Puts the name of the function before the text.
    #[must_use]
    pub fn of(self, name: &str) -> Self {
        Self { why: format!("{name}: {}", self.why), ..self }
    }
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for FunctionError {}

impl From<HostError> for FunctionError {
    fn from(error: HostError) -> Self {
        Self::new(error.0)
    }
}

impl From<super::value::Cyclic> for FunctionError {
    fn from(cyclic: super::value::Cyclic) -> Self {
        Self::new(cyclic.to_string())
    }
}

/// The functions that a template may call, and the reasons why others are not available.
///
/// [`functions::all`](crate::functions::all) has every function of this crate. A function is `'static`: keep your own in a
/// `static`.
#[derive(Debug, Default, Clone)]
pub struct Functions {
    known: BTreeMap<&'static str, &'static Function>,
    absent: BTreeMap<&'static str, &'static str>,
}

impl Functions {
    /// Makes a set with no functions besides Go's built-ins, which are always there.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: BTreeMap::new(), absent: BTreeMap::new() }
    }

    /// Adds functions. A later function replaces an earlier one of the same name, and both hide a built-in.
    pub fn add(&mut self, functions: &'static [Function]) {
        self.known.extend(functions.iter().map(|function| (function.name, function)));
    }

    /// Removes a function. The error of a template that calls it gives `why`.
    pub fn forbid(&mut self, name: &'static str, why: &'static str) {
        self.known.remove(name);
        self.absent.insert(name, why);
    }

    /// Returns the function called `name`. The built-ins are not among them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.known.get(name).copied()
    }

    /// Returns the reason why the function `name` is not available, if one was given to [`forbid`](Self::forbid).
    #[must_use]
    pub fn why_absent(&self, name: &str) -> Option<&'static str> {
        self.absent.get(name).copied()
    }

    /// Returns the forbidden functions, sorted by name, each with the reason.
    pub fn absent(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.absent.iter().map(|(name, why)| (*name, *why))
    }

    /// Returns the names of all functions, sorted, without the built-ins.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.known.keys().copied()
    }
}
