//! Reading arguments and making results.
//!
//! The engine has checked the number and the types of the arguments. The accessors
//! return the zero of the type for any other value, so that they need no panic.

use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::FunctionError;
use crate::value::{Map, Value};
use leasehold_base::secret::Secret;

/// The result of a function.
pub(super) type Answer = Result<Value, FunctionError>;

/// Returns the bytes of the text at `index`.
pub(super) fn text(args: &[Value], index: usize) -> &[u8] {
    match args.get(index) {
        Some(Value::Text(text) | Value::Number(text)) => text.expose(),
        _ => b"",
    }
}

/// Returns the text at `index`, shared.
pub(super) fn secret(args: &[Value], index: usize) -> Secret {
    match args.get(index) {
        Some(Value::Text(text) | Value::Number(text)) => text.clone(),
        _ => Secret::default(),
    }
}

/// Returns the text at `index` as a name (a path, a layout, a variable). Each byte that is not UTF-8
/// becomes U+FFFD.
pub(super) fn name(args: &[Value], index: usize) -> String {
    String::from_utf8_lossy(text(args, index)).into_owned()
}

/// Returns the whole number at `index`.
pub(super) fn int(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(_, number)) => *number,
        _ => 0,
    }
}

/// Returns the truth value at `index`.
pub(super) fn flag(args: &[Value], index: usize) -> bool {
    matches!(args.get(index), Some(Value::Bool(true)))
}

/// Returns the elements of the list at `index`; none if it is nil.
pub(super) fn items(args: &[Value], index: usize) -> &[Value] {
    match args.get(index) {
        Some(Value::List(list)) => list.items(),
        _ => &[],
    }
}

/// Returns the map at `index`; `None` if it is nil.
pub(super) fn map(args: &[Value], index: usize) -> Option<&Map> {
    match args.get(index) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

/// Returns the argument at `index`, whatever it is.
pub(super) fn any(args: &[Value], index: usize) -> &Value {
    args.get(index).unwrap_or(&Value::Nil)
}

/// Makes a text of a slice of an existing one.
pub(super) fn answer(text: &[u8]) -> Answer {
    Ok(Value::text(text.to_vec()))
}

/// Makes an error that says `why`.
pub(super) fn fail<T>(why: impl Into<String>) -> Result<T, FunctionError> {
    Err(FunctionError::new(why))
}

/// Returns `nothing` in place of an error, for functions that do so. A limit remains an error, because Go would have returned
/// a result.
pub(super) fn or_nothing(error: FunctionError, nothing: Value) -> Answer {
    if error.is_limit() { Err(error) } else { Ok(nothing) }
}

/// Makes a text with `write`. It counts as work, and is no longer than the limits allow.
pub(super) fn written(
    scope: &mut Scope<'_, '_>,
    write: impl FnOnce(&mut Buffer) -> Result<(), FunctionError>,
) -> Answer {
    scope.write(write).map(Value::Text)
}
