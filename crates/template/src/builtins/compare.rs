//! `eq` and `lt`, from which the other comparisons follow.
//!
//! Go's messages for what cannot be compared show the values; ours show their types.

use super::Operand;
use crate::function::FunctionError;
use crate::value::{Object, Type, Value};
use std::cmp::Ordering;
use std::rc::Rc;

/// The kinds that compare by content.
#[derive(Clone, Copy)]
enum Basic<'v> {
    Bool(bool),
    Complex((f64, f64)),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(&'v [u8]),
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match value {
        Value::Bool(flag) => Basic::Bool(*flag),
        Value::Complex(parts) => Basic::Complex(**parts),
        Value::Int(_, number) => Basic::Int(*number),
        Value::Uint(_, number) => Basic::Uint(*number),
        Value::Float(number) => Basic::Float(*number),
        Value::Text(text) | Value::Number(text) => Basic::Text(text.expose()),
        _ => return None,
    })
}

/// Compares two values of one kind, or two integers of either sign. The outer `None` stands for two different kinds.
fn order(a: Basic<'_>, b: Basic<'_>) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Basic::Bool(a), Basic::Bool(b)) => (a == b).then_some(Ordering::Equal),
        (Basic::Complex(a), Basic::Complex(b)) => (a == b).then_some(Ordering::Equal),
        (Basic::Int(a), Basic::Int(b)) => Some(a.cmp(&b)),
        (Basic::Uint(a), Basic::Uint(b)) => Some(a.cmp(&b)),
        (Basic::Int(a), Basic::Uint(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Basic::Uint(a), Basic::Int(b)) => Some(i128::from(a).cmp(&i128::from(b))),
        (Basic::Float(a), Basic::Float(b)) => a.partial_cmp(&b),
        (Basic::Text(a), Basic::Text(b)) => Some(a.cmp(b)),
        _ => return None,
    })
}

fn name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |of| of.to_string())
}

fn incompatible(a: &Value, b: &Value) -> FunctionError {
    FunctionError::new(format!("incompatible types for comparison: {} and {}", name(a), name(b)))
}

/// Returns whether the first value equals any of the others.
pub(super) fn eq(args: &[Operand]) -> Result<bool, FunctionError> {
    let (first, others) =
        args.split_first().ok_or_else(|| FunctionError::new("missing argument for comparison"))?;
    if others.is_empty() {
        return Err(FunctionError::new("missing argument for comparison"));
    }
    for other in others {
        if equal(&first.value, &other.value)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(a: &Value, b: &Value) -> Result<bool, FunctionError> {
    match (basic(a), basic(b)) {
        (Some(x), Some(y)) => {
            order(x, y).map(|order| order == Some(Ordering::Equal)).ok_or_else(|| incompatible(a, b))
        }
        (None, None) => equal_others(a, b),
        _ if matches!(a, Value::Nil) || matches!(b, Value::Nil) => Ok(false),
        _ => Err(incompatible(a, b)),
    }
}

/// Compares containers, structs, functions and nils.
fn equal_others(a: &Value, b: &Value) -> Result<bool, FunctionError> {
    if !matches!(a, Value::Nil) && !matches!(b, Value::Nil) && kind(a) != kind(b) {
        return Err(FunctionError::new(format!("non-comparable types {}, {}", name(a), name(b))));
    }
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() == b.is_nil());
    }
    if b.type_of().is_some_and(|of| !of.is_comparable()) {
        return Err(FunctionError::new(format!("non-comparable type {}", name(b))));
    }
    Ok(match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_object(a, b),
        (Value::Channel(a), Value::Channel(b)) => a.is_same(b),
        _ => false,
    })
}

fn same_object(a: &Rc<dyn Object>, b: &Rc<dyn Object>) -> bool {
    std::ptr::addr_eq(Rc::as_ptr(a), Rc::as_ptr(b))
}

/// Returns Go's kind of a value that has no content to compare.
fn kind(value: &Value) -> u8 {
    match value.type_of() {
        Some(Type::Slice(_)) => 1,
        Some(Type::Map(..)) => 2,
        Some(Type::Pointer(_)) => 3,
        Some(Type::Struct(_)) => 4,
        Some(Type::Func(_)) => 5,
        Some(Type::Chan(_)) => 6,
        _ => 0,
    }
}

/// Returns whether the first value is less than the second.
pub(super) fn lt(args: &[Operand]) -> Result<bool, FunctionError> {
    let (a, b) = (&args[0].value, &args[1].value);
    let (Some(x), Some(y)) = (basic(a), basic(b)) else { return Err(bad_type()) };
    match (x, order(x, y)) {
        (_, None) => Err(incompatible(a, b)),
        (Basic::Bool(_) | Basic::Complex(_), _) => Err(bad_type()),
        (_, Some(order)) => Ok(order == Some(Ordering::Less)),
    }
}

/// Returns whether the first value is less than or equal to the second.
pub(super) fn le(args: &[Operand]) -> Result<bool, FunctionError> {
    Ok(lt(args)? || eq(args)?)
}

fn bad_type() -> FunctionError {
    FunctionError::new("invalid type for comparison")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(values: &[Value]) -> Vec<Operand> {
        values.iter().cloned().map(Operand::plain).collect()
    }

    #[test]
    fn a_json_number_equals_its_text_and_no_int() {
        let port = Value::Number("5432".into());
        assert_eq!(eq(&args(&[port.clone(), Value::text("5432")])), Ok(true));
        let error = eq(&args(&[port, Value::int(5432)])).expect_err("kinds differ");
        assert_eq!(error.to_string(), "incompatible types for comparison: json.Number and int");
    }

    #[test]
    fn messages_have_types_and_no_values() {
        let secret = Value::list([Value::text("hunter2")]);
        let error = eq(&args(&[secret.clone(), secret])).expect_err("slices do not compare");
        assert_eq!(error.to_string(), "non-comparable type []interface {}");
    }

    #[test]
    fn integers_compare_whatever_their_sign() {
        let (minus, max) = (Value::int(-1), Value::Uint(crate::value::UintType::Uint64, u64::MAX));
        assert_eq!(lt(&args(&[minus.clone(), max.clone()])), Ok(true));
        assert_eq!(eq(&args(&[minus, max])), Ok(false));
    }
}
