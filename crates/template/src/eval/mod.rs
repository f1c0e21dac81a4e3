//! The evaluator: it walks a template's nodes over data, in the order and with the words of Go's evaluator.

mod argument;
mod call;
mod control;
mod field;
mod scope;

pub(crate) use scope::A_STEP;
pub use scope::Scope;

use super::Template;
use super::buffer::Buffer;
use super::builtins::Operand;
use super::error::{ExecError, ExecErrorKind, Position};
use super::fmt;
use super::limits::Limits;
use super::node::{At, Body, Command, Node, Number, Pipe, Term};
use super::value::Value;
use crate::host::Host;
use leasehold_base::secret::Secret;
use scope::Rendering;

/// What a template gets for a key that a map does not have: Go's option `missingkey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// No value, which prints as `<no value>`. This is Go's default; it is also called `invalid`.
    Default,
    /// The zero value of the map's element type.
    Zero,
    /// An error. This is the default here.
    #[default]
    Error,
}

type Result<T> = std::result::Result<T, Box<ExecError>>;

/// Renders `template` with `data`.
pub(crate) fn execute(
    template: &Template,
    data: Value,
    missing_key: MissingKey,
    limits: Limits,
    host: &mut dyn Host,
) -> Result<Secret> {
    let mut rendering = Rendering::new(host, missing_key, limits);
    run(&mut rendering, template, template.name().as_bytes(), data)
}

/// Renders the template called `name` of a text, within a rendering.
fn run(rendering: &mut Rendering<'_>, template: &Template, name: &[u8], data: Value) -> Result<Secret> {
    let out = Buffer::new(rendering.limits.output.saturating_sub(rendering.written));
    let dot = Operand::plain(data);
    let mut state = Evaluation {
        rendering,
        template,
        executing: name,
        at: None,
        variables: vec![(b"$", dot.clone())],
        out,
    };
    let Some(body) = template.body(name) else {
        return Err(state.error(format!("{} is an incomplete or empty template", super::spell::quoted(name))));
    };
    state.body(&dot, body)?;
    let out = state.out.into_secret();
    rendering.written -= out.len();
    Ok(out)
}

/// The state of one execution of one template.
struct Evaluation<'t, 's, 'h> {
    rendering: &'s mut Rendering<'h>,
    template: &'t Template,
    /// The name of the template that is executing.
    executing: &'t [u8],
    /// The node that the next error is about.
    at: Option<At<'t>>,
    /// The variables, innermost last.
    variables: Vec<(&'t [u8], Operand)>,
    out: Buffer,
}

/// What a node does to the `range` that encloses it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Evaluation<'t, '_, '_> {
    /// Makes an error at the current node.
    fn error(&self, message: impl Into<String>) -> Box<ExecError> {
        let at = self.at.map(|at| {
            let place = Position::of(self.template.text(), at.at());
            (place, at.show(self.template.delimiters()))
        });
        Box::new(ExecError {
            name: self.template.name().to_owned(),
            executing: String::from_utf8_lossy(self.executing).into_owned(),
            at,
            message: message.into(),
            kind: ExecErrorKind::Other,
        })
    }

    /// Makes an error of `kind` at the current node.
    fn error_of(&self, kind: ExecErrorKind, message: impl Into<String>) -> Box<ExecError> {
        Box::new(ExecError { kind, ..*self.error(message) })
    }

    /// Makes the error of a limit that was reached.
    fn limit(&self, message: impl Into<String>) -> Box<ExecError> {
        self.error_of(ExecErrorKind::Limit, message)
    }

    /// Counts one step of work.
    fn step(&mut self) -> Result<()> {
        if self.rendering.step() { Ok(()) } else { Err(self.limit("too much work for one rendering")) }
    }

    /// Goes one level deeper; the caller comes back with `self.rendering.depth -= 1`.
    fn descend(&mut self) -> Result<()> {
        self.rendering.depth += 1;
        let most = self.rendering.limits.depth;
        if self.rendering.depth > most {
            return Err(self.limit(format!("exceeded maximum template depth ({most})")));
        }
        Ok(())
    }

    /// Walks a list of nodes; after an error the state is not used again.
    fn body(&mut self, dot: &Operand, body: &'t Body) -> Result<Flow> {
        self.descend()?;
        let mut flow = Flow::Next;
        for node in body {
            flow = self.node(dot, node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.rendering.depth -= 1;
        Ok(flow)
    }

    fn node(&mut self, dot: &Operand, node: &'t Node) -> Result<Flow> {
        self.at = Some(At::Node(node));
        self.step()?;
        match node {
            Node::Text(text) => {
                self.write(|out| out.push(&text.text))?;
                Ok(Flow::Next)
            }
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(node, &value.value)?;
                }
                Ok(Flow::Next)
            }
            Node::If(branch) => self.choose(dot, branch, false),
            Node::With(branch) => self.choose(dot, branch, true),
            Node::Range(branch) => self.range(dot, branch),
            Node::Template(invocation) => self.invoke(dot, node, invocation),
            Node::Break(_) => Ok(Flow::Break),
            Node::Continue(_) => Ok(Flow::Continue),
        }
    }

    /// Writes the value of an action.
    fn print(&mut self, node: &'t Node, value: &Value) -> Result<()> {
        self.at = Some(At::Node(node));
        if matches!(value, Value::Func(_) | Value::Channel(_)) {
            let shown = At::Node(node).show(self.template.delimiters());
            return Err(self.error(format!("can't print {shown} of type {}", Self::type_name(value))));
        }
        self.write(|out| fmt::print_action(value, out))
    }

    /// Writes to the output, which counts together with that of the templates that wait for this one.
    fn write(&mut self, what: impl FnOnce(&mut Buffer)) -> Result<()> {
        let before = self.out.len();
        what(&mut self.out);
        self.rendering.written += self.out.len() - before;
        if self.out.is_full() { Err(self.limit("too much output for one rendering")) } else { Ok(()) }
    }

    fn type_name(value: &Value) -> String {
        value.type_of().map_or_else(|| "nil".to_owned(), |of| of.to_string())
    }

    /// Evaluates a pipeline. The variables that it declares stay until the caller removes them.
    fn pipeline(&mut self, dot: &Operand, pipe: &'t Pipe) -> Result<Operand> {
        self.at = Some(At::Pipe(pipe));
        self.descend()?;
        let mut value = None;
        for command in &pipe.commands {
            self.step()?;
            let made = self.command(dot, command, value)?;
            // The next stage gets what an interface holds, not the interface.
            value = Some(Operand::plain(made.value));
        }
        self.rendering.depth -= 1;
        // The parser lets no pipeline be empty.
        let value = value.unwrap_or_default();
        for variable in &pipe.variables {
            if pipe.assign {
                self.assign(variable.expose(), value.clone())?;
            } else {
                self.variables.push((variable.expose(), value.clone()));
            }
        }
        Ok(value)
    }

    /// Assigns to the innermost variable of that name.
    fn assign(&mut self, name: &[u8], value: Operand) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => {
                *variable = value;
                Ok(())
            }
            None => Err(self.undefined(name)),
        }
    }

    fn variable(&self, name: &[u8]) -> Result<Operand> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, variable)) => Ok(variable.clone()),
            None => Err(self.undefined(name)),
        }
    }

    fn undefined(&self, name: &[u8]) -> Box<ExecError> {
        self.error(format!("undefined variable: {}", String::from_utf8_lossy(name)))
    }

    /// Evaluates one stage of a pipeline. `last` is the value of the stage before it.
    fn command(&mut self, dot: &Operand, command: &'t Command, last: Option<Operand>) -> Result<Operand> {
        let first = &command.terms[0];
        match first {
            Term::Field { names, .. } => self.field_term(dot, first, names, &command.terms, last),
            Term::Chain { base, fields, .. } => {
                self.chain_term(dot, first, base, fields, &command.terms, last)
            }
            Term::Function { callee, .. } => {
                self.function_term(dot, (first, *callee), At::Command(command), &command.terms, last)
            }
            Term::Pipe(pipe) => {
                self.not_a_function(&command.terms, last.as_ref())?;
                self.pipeline(dot, pipe)
            }
            Term::Variable { name, fields, .. } => {
                self.variable_term(dot, first, name.expose(), fields, &command.terms, last)
            }
            constant => {
                self.at = Some(At::Term(constant));
                self.not_a_function(&command.terms, last.as_ref())?;
                self.constant(dot, constant)
            }
        }
    }

    fn constant(&mut self, dot: &Operand, term: &'t Term) -> Result<Operand> {
        match term {
            Term::Dot(_) => Ok(dot.clone()),
            Term::Bool(_, flag) => Ok(Operand::plain(Value::Bool(*flag))),
            Term::Text { text, .. } => Ok(Operand::plain(Value::Text(text.clone()))),
            Term::Number(number) => self.ideal(term, number),
            _ => Err(self.error("nil is not a command")),
        }
    }

    /// Returns the value of a number literal where no parameter decides its type: the spelling decides.
    fn ideal(&mut self, term: &'t Term, number: &Number) -> Result<Operand> {
        self.at = Some(At::Term(term));
        let value = match (number.complex, number.float, number.int) {
            (Some(parts), ..) => Value::Complex(std::rc::Rc::new(parts)),
            (_, Some(float), _) if number.looks_like_float() => Value::Float(float),
            (.., Some(int)) => Value::int(int),
            _ => return Err(self.error(format!("{} overflows int", number.literal))),
        };
        Ok(Operand::plain(value))
    }

    fn not_a_function(&self, terms: &[Term], last: Option<&Operand>) -> Result<()> {
        if terms.len() > 1 || last.is_some() {
            let shown = At::Term(&terms[0]).show(self.template.delimiters());
            return Err(self.error(format!("can't give argument to non-function {shown}")));
        }
        Ok(())
    }
}
