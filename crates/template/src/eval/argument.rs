//! Arguments: their values, and the check against the type of the parameter.

use super::{Evaluation, Operand, Result};
use crate::node::{At, Number, Term};
use crate::value::{Type, Value};

impl<'t> Evaluation<'t, '_, '_> {
    /// Evaluates a term as an argument for a parameter of type `of`; `None` takes any type.
    pub(super) fn argument(&mut self, dot: &Operand, of: Option<Type>, term: &'t Term) -> Result<Operand> {
        self.at = Some(At::Term(term));
        let value = match term {
            Term::Dot(_) => dot.clone(),
            Term::Nil(_) => {
                return match of {
                    Some(of) if of.can_be_nil() => Ok(Operand::of(Value::zero(of), of)),
                    Some(of) => Err(self.error(format!("cannot assign nil to {of}"))),
                    None => Ok(Operand::default()),
                };
            }
            Term::Field { names, .. } => {
                self.field_term(dot, term, names, std::slice::from_ref(term), None)?
            }
            Term::Variable { name, fields, .. } => {
                self.variable_term(dot, term, name.expose(), fields, &[], None)?
            }
            Term::Pipe(pipe) => self.pipeline(dot, pipe)?,
            Term::Function { callee, .. } => {
                self.function_term(dot, (term, *callee), At::Term(term), &[], None)?
            }
            Term::Chain { base, fields, .. } => self.chain_term(dot, term, base, fields, &[], None)?,
            constant => return self.constant_argument(dot, of, constant),
        };
        self.fit(value, of)
    }

    /// Evaluates a constant as an argument: its type follows the parameter's.
    fn constant_argument(&mut self, dot: &Operand, of: Option<Type>, term: &'t Term) -> Result<Operand> {
        let value = match (of, term) {
            (None | Some(Type::Interface | Type::Reflect), _) => return self.constant(dot, term),
            (Some(Type::Bool), Term::Bool(_, flag)) => Value::Bool(*flag),
            (Some(Type::String), Term::Text { text, .. }) => Value::Text(text.clone()),
            (Some(Type::JsonNumber), Term::Text { text, .. }) => Value::Number(text.clone()),
            (Some(Type::Int(size)), Term::Number(Number { int: Some(int), .. })) => {
                Value::Int(size, size.cut(*int))
            }
            (Some(Type::Uint(size)), Term::Number(Number { uint: Some(uint), .. })) => {
                Value::Uint(size, size.cut(*uint))
            }
            (Some(Type::Float64), Term::Number(Number { float: Some(float), .. })) => Value::Float(*float),
            (Some(Type::Complex128), Term::Number(Number { complex: Some(parts), .. })) => {
                Value::Complex(std::rc::Rc::new(*parts))
            }
            (Some(of), term) => return Err(self.wrong_constant(of, term)),
        };
        Ok(Operand::plain(value))
    }

    fn wrong_constant(&self, of: Type, term: &Term) -> Box<super::ExecError> {
        let shown = At::Term(term).show(self.template.delimiters());
        let expected = match of {
            Type::Bool => "bool",
            Type::String | Type::JsonNumber => "string",
            Type::Int(_) => "integer",
            Type::Uint(_) => "unsigned integer",
            Type::Float64 => "float",
            Type::Complex128 => "complex",
            _ => return self.error(format!("can't handle {shown} for arg of type {of}")),
        };
        self.error(format!("expected {expected}; found {shown}"))
    }

    /// Returns `value` as a parameter of type `of` takes it, out of its interface if that is needed.
    pub(super) fn fit(&self, value: Operand, of: Option<Type>) -> Result<Operand> {
        let Some(of) = of else { return Ok(value) };
        if value.is_invalid() {
            return match of {
                Type::Reflect => Ok(value),
                _ if of.can_be_nil() => Ok(Operand::of(Value::zero(of), of)),
                _ => Err(self.error(format!("invalid value; expected {of}"))),
            };
        }
        if matches!(of, Type::Reflect | Type::Interface) {
            return Ok(value);
        }
        match value.value.type_of() {
            Some(given) if given == of => Ok(Operand::plain(value.value)),
            // One dereference is allowed.
            Some(Type::Pointer(name)) if of == Type::Struct(name) && !value.value.is_nil() => Ok(value),
            Some(given) => Err(self.error(format!("wrong type for value; expected {of}; got {given}"))),
            None => Err(self.error(format!("wrong type for value; expected {of}; got interface {{}}"))),
        }
    }
}
