//! What a template can call: a name, a Go signature, and Rust code.
//!
//! Argument types are checked before the code runs, as Go's reflection does, so that an
//! implementation may rely on them: a parameter of `string` receives a [`Value::Text`], never a
//! `json.Number`.

use std::collections::BTreeMap;
use std::fmt;

use super::eval::Scope;
use super::value::{Type, Value};

/// The code of a function. The arguments are as many and of the types that its parameters say; a
/// nil for a slice, map or pointer parameter arrives as [`Value::NilOf`].
pub type Run = fn(&mut Scope<'_, '_>, &[Value]) -> Result<Value, FunctionError>;

/// A function or method with its Go signature.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name in templates.
    pub name: &'static str,
    /// The types of the parameters. Of a variadic function the last is the type of each of the
    /// remaining arguments, of which there may be none.
    pub params: &'static [Type],
    /// Whether the last parameter repeats.
    pub variadic: bool,
    /// The type of the result.
    pub returns: Type,
    /// The signature as Go prints it, for values of a function type; `func()` unless set.
    pub go_type: &'static str,
    /// The code.
    pub run: Run,
}

impl Function {
    /// A function with a fixed number of parameters that returns `interface {}`.
    #[must_use]
    pub const fn new(name: &'static str, params: &'static [Type], run: Run) -> Self {
        Self { name, params, variadic: false, returns: Type::Interface, go_type: "func()", run }
    }

    /// The same, with a last parameter that repeats.
    #[must_use]
    pub const fn variadic(self) -> Self {
        Self { variadic: true, ..self }
    }

    /// The same, returning `returns`.
    #[must_use]
    pub const fn returns(self, returns: Type) -> Self {
        Self { returns, ..self }
    }

    /// How many arguments there must at least be.
    #[must_use]
    pub const fn fixed(&self) -> usize {
        if self.variadic { self.params.len().saturating_sub(1) } else { self.params.len() }
    }

    /// The type of the argument at `index`.
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

/// Why a function failed: text for people, with names and types, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    why: String,
    limit: bool,
}

impl FunctionError {
    /// An error that says `why`.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), limit: false }
    }

    /// The error of a limit that was reached, where Go would have gone on.
    pub fn beyond(why: impl Into<String>) -> Self {
        Self { why: why.into(), limit: true }
    }

    /// The error of a text that would be longer than a rendering may make.
    #[must_use]
    pub fn too_much() -> Self {
        Self::beyond("too much text for one rendering")
    }

    /// Whether a limit of ours is the reason: a function that answers nothing where another argument would
    /// be wrong must not take this for such.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        self.limit
    }

    /// The same, said by the function `name`.
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

impl From<super::value::Cyclic> for FunctionError {
    fn from(cyclic: super::value::Cyclic) -> Self {
        Self::new(cyclic.to_string())
    }
}

/// The functions that a template may name, and the reasons why others are not there.
#[derive(Debug, Default, Clone)]
pub struct Functions {
    known: BTreeMap<&'static str, &'static Function>,
    absent: BTreeMap<&'static str, &'static str>,
}

impl Functions {
    /// No functions besides the built-ins, which are always there.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: BTreeMap::new(), absent: BTreeMap::new() }
    }

    /// Adds functions; of two with one name the later counts, and both hide a built-in.
    pub fn add(&mut self, functions: &'static [Function]) {
        self.known.extend(functions.iter().map(|function| (function.name, function)));
    }

    /// Takes a function away, with the reason.
    pub fn forbid(&mut self, name: &'static str, why: &'static str) {
        self.known.remove(name);
        self.absent.insert(name, why);
    }

    /// The function called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.known.get(name).copied()
    }

    /// Why there is no function `name`, where that is known.
    #[must_use]
    pub fn why_absent(&self, name: &str) -> Option<&'static str> {
        self.absent.get(name).copied()
    }

    /// The functions that are known not to be here, sorted, each with why.
    pub fn absent(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        self.absent.iter().map(|(name, why)| (*name, *why))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.known.keys().copied()
    }
}
