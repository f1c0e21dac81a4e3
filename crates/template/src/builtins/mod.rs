//! The functions that every template has.
//!
//! They see values as Go's reflection does ([`Operand`]): to `len`, a nil in an `interface {}` is
//! something else than no value at all. The evaluator itself does `and`, `or` and `call`, because
//! they evaluate arguments late or call functions.

mod compare;
mod escape;
mod index;

use super::buffer::Buffer;
use super::fmt;
use super::function::FunctionError;
use super::value::{Type, Value};

/// A value as Go's reflection holds it. It is `boxed` if its static type is `interface {}`.
#[derive(Clone, Default)]
pub(crate) struct Operand {
    pub(crate) value: Value,
    pub(crate) boxed: bool,
}

impl Operand {
    pub(crate) const fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }

    /// Makes an operand of a value whose static type is `of`.
    pub(crate) const fn of(value: Value, of: Type) -> Self {
        Self { value, boxed: matches!(of, Type::Interface) }
    }

    /// Returns whether there is no value at all, as for a missing key, and not a nil in an interface.
    pub(crate) const fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.boxed
    }

    /// Returns the name of the static type, for messages.
    pub(crate) fn type_name(&self) -> String {
        match self.value.type_of() {
            Some(of) if !self.boxed => of.to_string(),
            _ => Type::Interface.to_string(),
        }
    }
}

/// A built-in function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    And,
    Call,
    Html,
    Index,
    Slice,
    Js,
    Len,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Urlquery,
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

/// The result of a built-in.
pub(crate) type Made = Result<Operand, FunctionError>;

impl Builtin {
    pub(crate) const ALL: [Self; 19] = [
        Self::And,
        Self::Call,
        Self::Html,
        Self::Index,
        Self::Slice,
        Self::Js,
        Self::Len,
        Self::Not,
        Self::Or,
        Self::Print,
        Self::Printf,
        Self::Println,
        Self::Urlquery,
        Self::Eq,
        Self::Ge,
        Self::Gt,
        Self::Le,
        Self::Lt,
        Self::Ne,
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::And => "and",
            Self::Call => "call",
            Self::Html => "html",
            Self::Index => "index",
            Self::Slice => "slice",
            Self::Js => "js",
            Self::Len => "len",
            Self::Not => "not",
            Self::Or => "or",
            Self::Print => "print",
            Self::Printf => "printf",
            Self::Println => "println",
            Self::Urlquery => "urlquery",
            Self::Eq => "eq",
            Self::Ge => "ge",
            Self::Gt => "gt",
            Self::Le => "le",
            Self::Lt => "lt",
            Self::Ne => "ne",
        }
    }

    /// Returns the types of the parameters, and whether the last one repeats.
    pub(crate) const fn params(self) -> (&'static [Type], bool) {
        match self {
            Self::Len | Self::Not => (&[Type::Reflect], false),
            Self::Ge | Self::Gt | Self::Le | Self::Lt | Self::Ne => (&[Type::Reflect, Type::Reflect], false),
            Self::Html | Self::Js | Self::Urlquery | Self::Print | Self::Println => {
                (&[Type::Interface], true)
            }
            Self::Printf => (&[Type::String, Type::Interface], true),
            Self::And | Self::Or | Self::Call | Self::Index | Self::Slice | Self::Eq => {
                (&[Type::Reflect, Type::Reflect], true)
            }
        }
    }

    /// Calls the built-in. A text that it makes may have `limit` bytes.
    pub(crate) fn run(self, args: &[Operand], limit: usize) -> Made {
        let flag = |flag: Result<bool, FunctionError>| Ok(Operand::plain(Value::Bool(flag?)));
        match self {
            Self::Index => index::index(args),
            Self::Slice => index::slice(args),
            Self::Len => index::len(&args[0]),
            Self::Not => flag(Ok(!args[0].value.is_true())),
            Self::Eq => flag(compare::eq(args)),
            Self::Ne => flag(compare::eq(args).map(|equal| !equal)),
            Self::Lt => flag(compare::lt(args)),
            Self::Le => flag(compare::le(args)),
            Self::Gt => flag(compare::le(args).map(|at_most| !at_most)),
            Self::Ge => flag(compare::lt(args).map(|less| !less)),
            Self::Print | Self::Println | Self::Printf | Self::Html | Self::Js | Self::Urlquery => {
                let values: Vec<Value> = args.iter().map(|arg| arg.value.clone()).collect();
                let mut out = Buffer::new(limit);
                self.write(&values, &mut out);
                if out.is_full() {
                    return Err(FunctionError::too_much());
                }
                Ok(Operand::plain(Value::Text(out.into_secret())))
            }
            // These are not called here: the evaluator evaluates their arguments late, or calls functions for them.
            Self::And | Self::Or | Self::Call => {
                Err(FunctionError::new("cannot be called as a plain function"))
            }
        }
    }

    fn write(self, values: &[Value], out: &mut Buffer) {
        match self {
            Self::Println => fmt::sprintln(values, out),
            Self::Printf => {
                if let Some((Value::Text(format), args)) = values.split_first() {
                    fmt::sprintf(format.expose(), args, out);
                }
            }
            Self::Html => escape::html(values, out),
            Self::Js => escape::js(values, out),
            Self::Urlquery => escape::url_query(values, out),
            _ => fmt::sprint(values, out),
        }
    }
}
