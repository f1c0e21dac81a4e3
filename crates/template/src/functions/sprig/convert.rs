//! What Sprig makes of a value that is not of the type it works on: texts and numbers out of
//! anything, never an error.

use crate::eval::Scope;
use crate::fmt;
use crate::function::FunctionError;
use crate::functions::arg::fail;
use crate::functions::numbers;
use crate::spell::number;
use crate::value::{IntType, List, Type, Value};
use leasehold_base::secret::Secret;

/// Returns a value as a text, as Sprig's `strval` does: a text as it is, bytes as a text, all else as `%v` prints it.
pub(super) fn text_of(scope: &mut Scope<'_, '_>, value: &Value) -> Result<Secret, FunctionError> {
    match value {
        Value::Text(text) | Value::Number(text) => Ok(text.clone()),
        Value::List(list) if list.type_of() == Type::BYTES => Ok(bytes_of(list)),
        value => printed(scope, value),
    }
}

/// Returns a value as `%v` prints it.
pub(super) fn printed(scope: &mut Scope<'_, '_>, value: &Value) -> Result<Secret, FunctionError> {
    scope.write(|out| {
        fmt::print(value, out);
        Ok(())
    })
}

fn bytes_of(list: &List) -> Secret {
    let byte = |item: &Value| match item {
        Value::Uint(_, byte) => u8::try_from(*byte).unwrap_or_default(),
        _ => 0,
    };
    Secret::new(list.items().iter().map(byte).collect::<Vec<u8>>())
}

/// Returns texts as Sprig's `strslice` does: the elements of a list without its nils, one text for any other value, and
/// none for nil.
pub(super) fn texts_of(scope: &mut Scope<'_, '_>, value: &Value) -> Result<Vec<Secret>, FunctionError> {
    let items = match value {
        Value::Nil | Value::NilOf(Type::Slice(_)) => &[],
        Value::List(list) => list.items(),
        value => std::slice::from_ref(value),
    };
    items.iter().filter(|item| !matches!(item, Value::Nil)).map(|item| text_of(scope, item)).collect()
}

/// Converts a value as `ToInt64` of the library `cast` does; 0 if the value is no number. A text may name its base
/// (`0x1f`, `010`) and end in a fraction of zeros.
pub(super) fn int_of(value: &Value) -> i64 {
    match value {
        Value::Int(_, number) => *number,
        Value::Uint(_, number) => number.cast_signed(),
        Value::Float(number) => truncated(*number),
        Value::Bool(flag) => i64::from(*flag),
        Value::Text(text) | Value::Number(text) => text
            .expose_str()
            .and_then(|text| number::parse_int(without_zero_fraction(text)))
            .unwrap_or_default(),
        _ => 0,
    }
}

/// Converts a float as amd64 does: a float that does not fit becomes the smallest number there is.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked")]
fn truncated(number: f64) -> i64 {
    let fits = number >= i64::MIN as f64 && number < i64::MAX as f64;
    if fits { number as i64 } else { i64::MIN }
}

fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => text,
    }
}

/// Converts a value as `ToFloat64` of the library `cast` does; 0 if the value is no number.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn float_of(value: &Value) -> f64 {
    match value {
        Value::Int(_, number) => *number as f64,
        Value::Uint(_, number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Text(text) | Value::Number(text) => numbers::float(text.expose()).unwrap_or_default(),
        _ => 0.0,
    }
}

/// Returns the elements of any list; an error for any other value.
pub(super) fn list_of<'v>(value: &'v Value, function: &str) -> Result<&'v [Value], FunctionError> {
    match value {
        Value::List(list) => Ok(list.items()),
        Value::NilOf(Type::Slice(_)) => Ok(&[]),
        other => fail(format!("{function}: not a list but {}", kind(other))),
    }
}

/// Returns Go's kind of a value, as `reflect` names it.
pub(super) fn kind(value: &Value) -> String {
    match value.type_of() {
        None => "invalid".to_owned(),
        Some(Type::JsonNumber) => "string".to_owned(),
        Some(Type::Int(IntType::Month | IntType::Weekday)) => "int".to_owned(),
        Some(Type::Slice(_)) => "slice".to_owned(),
        Some(Type::Map(..)) => "map".to_owned(),
        Some(Type::Pointer(_)) => "ptr".to_owned(),
        Some(Type::Struct(_)) => "struct".to_owned(),
        Some(Type::Func(_)) => "func".to_owned(),
        Some(Type::Chan(_)) => "chan".to_owned(),
        Some(other) => other.to_string(),
    }
}
