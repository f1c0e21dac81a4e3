//! `in`, `contains` and similar functions: whether a list has an element, or a text a part.

use super::arg::{Answer, any, fail, items};
use super::text::find;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{Type, Value};

const LIST_AND_ANY: &[Type] = &[Type::LIST, Type::Interface];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("contains", &[Type::Interface; 2], contains).returns(Type::Bool),
    Function::new("containsAll", LIST_AND_ANY, contains_all).returns(Type::Bool),
    Function::new("containsAny", LIST_AND_ANY, contains_any).returns(Type::Bool),
    Function::new("containsNone", LIST_AND_ANY, contains_none).returns(Type::Bool),
    Function::new("containsNotAll", LIST_AND_ANY, contains_not_all).returns(Type::Bool),
    Function::new("in", &[Type::Interface; 2], is_in).returns(Type::Bool),
];

/// Returns whether a collection has a value: `in collection value`.
fn is_in(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    has(any(args, 0), any(args, 1)).map(Value::Bool)
}

/// Returns whether a collection has a value: `contains value collection`.
fn contains(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    has(any(args, 1), any(args, 0)).map(Value::Bool)
}

fn contains_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    some(scope, args, false).map(|missing| Value::Bool(!missing))
}

fn contains_not_all(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    some(scope, args, false).map(Value::Bool)
}

fn contains_any(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    some(scope, args, true).map(Value::Bool)
}

fn contains_none(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    some(scope, args, true).map(|there| Value::Bool(!there))
}

/// Returns whether one of the values is in the collection, or is missing from it if `there` is false.
fn some(scope: &mut Scope<'_, '_>, args: &[Value], there: bool) -> Result<bool, FunctionError> {
    for value in items(args, 0) {
        scope.spend(items(args, 1).len())?;
        if has(any(args, 1), value)? == there {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether `value` is an element of a list or a part of a text. An element equals a value of its own type only:
/// a `json.Number` equals no text.
fn has(collection: &Value, value: &Value) -> Result<bool, FunctionError> {
    match collection {
        Value::List(list) => {
            for item in list.items() {
                let equal = match (item, value) {
                    (Value::Int(_, item), Value::Int(_, value)) => item == value,
                    (Value::Float(item), Value::Float(value)) => item == value,
                    (Value::Text(item), Value::Text(value)) => item == value,
                    (Value::Number(item), Value::Number(value)) => item == value,
                    (Value::Text(_) | Value::Number(_), Value::Nil) => return typeless(),
                    _ => false,
                };
                if equal {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Text(text) => match value {
            Value::Text(part) => Ok(find(text.expose(), part.expose()).is_some()),
            Value::Nil => typeless(),
            _ => Ok(false),
        },
        Value::Number(text) => match value {
            Value::Number(part) => Ok(find(text.expose(), part.expose()).is_some()),
            Value::Nil => typeless(),
            _ => Ok(false),
        },
        _ => Ok(false),
    }
}

/// Returns the error of Go, which compares types here: a nil has no type.
fn typeless<T>() -> Result<T, FunctionError> {
    fail("reflect: call of reflect.Value.Type on zero Value")
}
