//! Go's `reflect.DeepEqual`.

use crate::eval::{A_STEP, Scope};
use crate::function::FunctionError;
use crate::value::Value;

/// Deeper values are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 200;

/// Returns whether both have the same type and are equal at every level.
pub(super) fn deep_equal(scope: &mut Scope<'_, '_>, a: &Value, b: &Value) -> Result<bool, FunctionError> {
    equal(scope, a, b, 0)
}

fn equal(scope: &mut Scope<'_, '_>, a: &Value, b: &Value, depth: usize) -> Result<bool, FunctionError> {
    if depth > MAX_DEPTH {
        return Err(FunctionError::beyond("values nested too deeply to be compared"));
    }
    scope.spend(A_STEP)?;
    if a.type_of() != b.type_of() {
        return Ok(false);
    }
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) | (Value::NilOf(_), Value::NilOf(_)) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(_, a), Value::Int(_, b)) => a == b,
        (Value::Uint(_, a), Value::Uint(_, b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a), Value::Complex(b)) => a == b,
        (Value::Text(a), Value::Text(b)) | (Value::Number(a), Value::Number(b)) => a == b,
        (Value::Channel(a), Value::Channel(b)) => a.is_same(b),
        (Value::List(a), Value::List(b)) => {
            return all(scope, a.items().iter().zip(b.items()), a.items().len() == b.items().len(), depth);
        }
        (Value::Map(a), Value::Map(b)) => {
            let (a, b) = (a.entries(), b.entries());
            let keys = a.len() == b.len() && a.iter().zip(&b).all(|((a, _), (b, _))| a == b);
            return all(scope, a.iter().zip(&b).map(|((_, a), (_, b))| (a, b)), keys, depth);
        }
        (Value::Object(a), Value::Object(b)) => {
            let fields = a.shape().fields.len();
            let fields: Vec<_> = (0..fields).map(|index| (a.field(index), b.field(index))).collect();
            // There are no fields to compare, so the printed texts are compared.
            return all(scope, fields.iter().map(|(a, b)| (a, b)), a.text() == b.text(), depth);
        }
        _ => false,
    })
}

fn all<'v>(
    scope: &mut Scope<'_, '_>,
    mut pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    same: bool,
    depth: usize,
) -> Result<bool, FunctionError> {
    if !same {
        return Ok(false);
    }
    pairs.try_fold(true, |same, (a, b)| Ok(same && equal(scope, a, b, depth + 1)?))
}
