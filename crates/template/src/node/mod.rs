//! The nodes of a parsed template. Every node has its position (`at`, bytes from the start
//! of the text), for errors.

mod number;
mod show;

pub(crate) use number::Number;
pub(crate) use show::At;

use super::builtins::Builtin;
use super::function::Function;
use leasehold_base::secret::Secret;

/// A list of nodes: a template's body, or a branch's.
pub(crate) type Body = Vec<Node>;

/// A piece of a body.
pub(crate) enum Node {
    Text(TextNode),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Invocation),
    Break(usize),
    Continue(usize),
}

/// Text that is printed as it is.
pub(crate) struct TextNode {
    pub(crate) at: usize,
    pub(crate) text: Vec<u8>,
}

/// `if`, `with` and `range`.
pub(crate) struct Branch {
    pub(crate) at: usize,
    pub(crate) pipe: Pipe,
    pub(crate) body: Body,
    pub(crate) otherwise: Option<Body>,
}

/// `{{template "name" pipeline}}`.
pub(crate) struct Invocation {
    pub(crate) at: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) pipe: Option<Pipe>,
}

/// A pipeline, with the variables it declares or assigns.
pub(crate) struct Pipe {
    pub(crate) at: usize,
    pub(crate) assign: bool,
    pub(crate) variables: Vec<Name>,
    pub(crate) commands: Vec<Command>,
}

/// One stage of a pipeline: a term and its arguments.
pub(crate) struct Command {
    pub(crate) at: usize,
    pub(crate) terms: Vec<Term>,
}

/// The name of a field or variable. It is a [`Secret`] only because the keys of maps are.
pub(crate) type Name = Secret;

/// An operand.
pub(crate) enum Term {
    Dot(usize),
    Nil(usize),
    Bool(usize, bool),
    Number(Number),
    Text { at: usize, literal: Vec<u8>, text: Secret },
    Field { at: usize, names: Vec<Name> },
    Variable { at: usize, name: Name, fields: Vec<Name> },
    Function { at: usize, name: Vec<u8>, callee: Callee },
    Chain { at: usize, base: Box<Term>, fields: Vec<Name> },
    Pipe(Pipe),
}

/// The function that a name stands for.
#[derive(Clone, Copy)]
pub(crate) enum Callee {
    Builtin(Builtin),
    Function(&'static Function),
}

impl Term {
    pub(crate) const fn at(&self) -> usize {
        match self {
            Self::Dot(at)
            | Self::Nil(at)
            | Self::Bool(at, _)
            | Self::Number(Number { at, .. })
            | Self::Text { at, .. }
            | Self::Field { at, .. }
            | Self::Variable { at, .. }
            | Self::Function { at, .. }
            | Self::Chain { at, .. }
            | Self::Pipe(Pipe { at, .. }) => *at,
        }
    }
}
