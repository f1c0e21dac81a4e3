//! Fields, chains and variables: `.a.b`, `(pipeline).a`, `$x.a`.

use super::call::Callable;
use super::{Evaluation, MissingKey, Operand, Result};
use crate::error::ExecErrorKind;
use crate::node::{At, Name, Term};
use crate::spell::quoted;
use crate::value::{Map, Object, Type, Value};

impl<'t> Evaluation<'t, '_, '_> {
    pub(super) fn field_term(
        &mut self,
        dot: &Operand,
        term: &'t Term,
        names: &'t [Name],
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        self.at = Some(At::Term(term));
        self.field_chain(dot, dot.clone(), term, names, terms, last)
    }

    pub(super) fn chain_term(
        &mut self,
        dot: &Operand,
        term: &'t Term,
        base: &'t Term,
        fields: &'t [Name],
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        self.at = Some(At::Term(term));
        let receiver = self.argument(dot, None, base)?;
        self.field_chain(dot, receiver, term, fields, terms, last)
    }

    pub(super) fn variable_term(
        &mut self,
        dot: &Operand,
        term: &'t Term,
        name: &[u8],
        fields: &'t [Name],
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        self.at = Some(At::Term(term));
        let value = self.variable(name)?;
        if fields.is_empty() {
            if !terms.is_empty() {
                self.not_a_function(terms, last.as_ref())?;
            }
            return Ok(value);
        }
        self.field_chain(dot, value, term, fields, terms, last)
    }

    /// Evaluates field after field. If the last one is a method, it gets the arguments.
    fn field_chain(
        &mut self,
        dot: &Operand,
        mut receiver: Operand,
        term: &'t Term,
        names: &'t [Name],
        terms: &'t [Term],
        mut last: Option<Operand>,
    ) -> Result<Operand> {
        for (index, name) in names.iter().enumerate() {
            let is_last = index + 1 == names.len();
            let (terms, last) = if is_last { (terms, last.take()) } else { (&[][..], None) };
            receiver = self.field(dot, name, term, terms, last, receiver)?;
        }
        Ok(receiver)
    }

    fn field(
        &mut self,
        dot: &Operand,
        name: &'t Name,
        term: &'t Term,
        terms: &'t [Term],
        last: Option<Operand>,
        receiver: Operand,
    ) -> Result<Operand> {
        let shown = || String::from_utf8_lossy(name.expose()).into_owned();
        if receiver.is_invalid() {
            return match self.rendering.missing_key {
                MissingKey::Error => {
                    Err(self.error(format!("nil data; no entry for key {}", quoted(name.expose()))))
                }
                _ => Ok(Operand::default()),
            };
        }
        let methods = match &receiver.value {
            Value::Object(object) => object.shape().methods,
            Value::Int(of, _) => of.methods(),
            _ => &[],
        };
        if let Some(method) = methods.iter().find(|method| method.name.as_bytes() == name.expose()) {
            let callable = Callable::Method(method, receiver.value.clone());
            return self.call(dot, &callable, At::Term(term), &shown(), terms, last);
        }
        let has_args = terms.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil | Value::NilOf(Type::Pointer(_)) => {
                let of_any = receiver.boxed || receiver.value.type_of().is_none();
                let kind = ExecErrorKind::Nil { field: shown(), of_any };
                Err(self
                    .error_of(kind, format!("nil pointer evaluating {}.{}", receiver.type_name(), shown())))
            }
            Value::Object(object) => self.struct_field(object.as_ref(), name, has_args, &receiver),
            Value::Map(map) => self.entry(Some(map), map.elem(), name, has_args),
            Value::NilOf(Type::Map(Type::String | Type::Interface, elem)) => {
                self.entry(None, **elem, name, has_args)
            }
            _ => {
                Err(self.error(format!("can't evaluate field {} in type {}", shown(), receiver.type_name())))
            }
        }
    }

    fn struct_field(
        &self,
        object: &dyn Object,
        name: &Name,
        has_args: bool,
        receiver: &Operand,
    ) -> Result<Operand> {
        let shown = String::from_utf8_lossy(name.expose());
        let Some(index) = object.shape().fields.iter().position(|field| field.as_bytes() == name.expose())
        else {
            return Err(self.error(format!("can't evaluate field {shown} in type {}", receiver.type_name())));
        };
        if has_args {
            return Err(self.error(format!("{shown} has arguments but cannot be invoked as function")));
        }
        Ok(Operand { value: object.field(index), boxed: object.field_is_interface(index) })
    }

    fn entry(&self, map: Option<&Map>, elem: Type, name: &Name, has_args: bool) -> Result<Operand> {
        if has_args {
            let shown = String::from_utf8_lossy(name.expose());
            return Err(self.error(format!("{shown} is not a method but has arguments")));
        }
        if let Some(value) = map.and_then(|map| map.get_text(name)) {
            return Ok(Operand::of(value, elem));
        }
        match self.rendering.missing_key {
            MissingKey::Default => Ok(Operand::default()),
            MissingKey::Zero => Ok(Operand::of(Value::zero(elem), elem)),
            MissingKey::Error => {
                let key = String::from_utf8_lossy(name.expose()).into_owned();
                Err(self.error_of(
                    ExecErrorKind::NoEntry(key),
                    format!("map has no entry for key {}", quoted(name.expose())),
                ))
            }
        }
    }
}
