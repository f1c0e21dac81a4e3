//! Calling functions and methods, with the checks that Go's reflection makes.

use super::scope::Scope;
use super::{Evaluation, Operand, Result};
use crate::builtins::{Builtin, Made};
use crate::error::ExecErrorKind;
use crate::function::{Function, FunctionError};
use crate::node::{At, Callee, Term};
use crate::value::{Type, Value};

/// A callee.
pub(super) enum Callable {
    Builtin(Builtin),
    Function(&'static Function),
    /// A method, and the value that it is called on.
    Method(&'static Function, Value),
}

impl Callable {
    const fn params(&self) -> (&'static [Type], bool) {
        match self {
            Self::Builtin(builtin) => builtin.params(),
            Self::Function(function) | Self::Method(function, _) => (function.params, function.variadic),
        }
    }
}

impl<'t> Evaluation<'t, '_, '_> {
    /// Calls the function that `term` names. An error of the function is reported at `node`.
    pub(super) fn function_term(
        &mut self,
        dot: &Operand,
        (term, callee): (&'t Term, Callee),
        node: At<'t>,
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        self.at = Some(At::Term(term));
        let (callable, name) = match callee {
            Callee::Builtin(builtin) => (Callable::Builtin(builtin), builtin.name()),
            Callee::Function(function) => (Callable::Function(function), function.name),
        };
        self.call(dot, &callable, node, name, terms, last)
    }

    /// Calls with the arguments of `terms` (the first is the function itself) and `last`, the value
    /// of the pipeline so far.
    pub(super) fn call(
        &mut self,
        dot: &Operand,
        callable: &Callable,
        node: At<'t>,
        name: &str,
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        self.step()?;
        let terms = terms.get(1..).unwrap_or_default();
        let (params, variadic) = callable.params();
        self.check_count(name, params.len(), variadic, terms.len(), last.is_some())?;
        if let Callable::Builtin(builtin @ (Builtin::And | Builtin::Or)) = callable {
            return self.and_or(*builtin == Builtin::Or, dot, terms, last);
        }
        let param = |index: usize| params.get(index).or(params.last()).copied();
        let mut args = Vec::with_capacity(terms.len() + 2);
        for (index, term) in terms.iter().enumerate() {
            args.push(self.argument(dot, param(index), term)?);
        }
        if let Some(last) = last {
            args.push(self.fit(last, param(terms.len()))?);
        }
        let made = match callable {
            Callable::Builtin(Builtin::Call) => self.call_value(terms, &args),
            Callable::Builtin(builtin) => self.call_builtin(*builtin, &args),
            Callable::Function(function) => self.call_function(function, None, args),
            Callable::Method(method, receiver) => self.call_function(method, Some(receiver.clone()), args),
        };
        made.map_err(|error| {
            self.at = Some(node);
            let message = format!("error calling {name}: {error}");
            let kind = match error.kind() {
                ExecErrorKind::Other => ExecErrorKind::Function(name.to_owned()),
                kind => kind.clone(),
            };
            self.error_of(kind, message)
        })
    }

    fn check_count(&self, name: &str, params: usize, variadic: bool, terms: usize, last: bool) -> Result<()> {
        let given = terms + usize::from(last);
        if variadic && given < params - 1 {
            let least = params - 1;
            return Err(
                self.error(format!("wrong number of args for {name}: want at least {least} got {terms}"))
            );
        }
        if !variadic && given != params {
            return Err(self.error(format!("wrong number of args for {name}: want {params} got {given}")));
        }
        Ok(())
    }

    /// Evaluates the arguments of `and` or `or` up to the first that decides, and none after it.
    fn and_or(
        &mut self,
        or: bool,
        dot: &Operand,
        terms: &'t [Term],
        last: Option<Operand>,
    ) -> Result<Operand> {
        let mut value = Operand::default();
        for term in terms {
            value = self.argument(dot, Some(Type::Reflect), term)?;
            if value.value.is_true() == or {
                return Ok(value);
            }
        }
        match last {
            Some(last) => self.fit(last, Some(Type::Reflect)),
            None => Ok(value),
        }
    }

    fn call_builtin(&mut self, builtin: Builtin, args: &[Operand]) -> Made {
        let longest = self.rendering.longest();
        let made = builtin.run(args, longest).map_err(|error| self.rendering.explain(error, longest))?;
        self.spend(&made.value)?;
        Ok(made)
    }

    fn call_function(
        &mut self,
        function: &'static Function,
        receiver: Option<Value>,
        args: Vec<Operand>,
    ) -> Made {
        let values: Vec<Value> = receiver.into_iter().chain(args.into_iter().map(|arg| arg.value)).collect();
        let mut scope = Scope::new(self.rendering, self.template);
        let value = (function.run)(&mut scope, &values)?;
        self.spend(&value)?;
        Ok(Operand::of(value, function.returns))
    }

    /// Counts what a function made.
    fn spend(&mut self, value: &Value) -> std::result::Result<(), FunctionError> {
        match value {
            Value::Text(text) | Value::Number(text) => self.rendering.made(text.len())?,
            Value::List(_) | Value::Map(_) | Value::Object(_) => {}
            _ => return Ok(()),
        }
        self.rendering.room_for(0)
    }

    /// Evaluates `call f 1 2`, where the function is a value.
    fn call_value(&mut self, terms: &[Term], args: &[Operand]) -> Made {
        let Some((callee, args)) = args.split_first() else { return Err(FunctionError::new("call of nil")) };
        let name = match terms.first() {
            Some(term) => At::Term(term).show(self.template.delimiters()),
            None => format!("<{} Value>", callee.type_name()),
        };
        let function = match &callee.value {
            Value::Nil => return Err(FunctionError::new("call of nil")),
            Value::Func(function) => function,
            other => {
                let of = Self::type_name(other);
                return Err(FunctionError::new(format!("non-function {name} of type {of}")));
            }
        };
        let (given, fixed) = (args.len(), function.fixed());
        if function.variadic && given < fixed {
            let why = format!("wrong number of args for {name}: got {given} want at least {fixed}");
            return Err(FunctionError::new(why));
        }
        if !function.variadic && given != fixed {
            return Err(FunctionError::new(format!(
                "wrong number of args for {name}: got {given} want {fixed}"
            )));
        }
        let mut fitting = Vec::with_capacity(given);
        for (index, arg) in args.iter().enumerate() {
            let value = prepare(&arg.value, function.param(index));
            let value = value.map_err(|error| FunctionError::new(format!("arg {index}: {error}")))?;
            fitting.push(Operand::plain(value));
        }
        self.call_function(function, None, fitting)
    }
}

/// Returns `value` as an argument of type `of`. Integers of all sizes convert.
fn prepare(value: &Value, of: Type) -> std::result::Result<Value, FunctionError> {
    let Some(given) = value.type_of() else {
        return if of.can_be_nil() {
            Ok(Value::zero(of))
        } else {
            Err(FunctionError::new(format!("value is nil; should be of type {of}")))
        };
    };
    match (value, of) {
        _ if of == Type::Interface || given == of => Ok(value.clone()),
        (Value::Int(_, number), Type::Int(size)) => Ok(Value::Int(size, size.cut(*number))),
        (Value::Int(_, number), Type::Uint(size)) => Ok(Value::Uint(size, size.cut(number.cast_unsigned()))),
        (Value::Uint(_, number), Type::Int(size)) => Ok(Value::Int(size, size.cut(number.cast_signed()))),
        (Value::Uint(_, number), Type::Uint(size)) => Ok(Value::Uint(size, size.cut(*number))),
        _ => Err(FunctionError::new(format!("value has type {given}; should be {of}"))),
    }
}
