//! Taking arguments apart and putting answers together.
//!
//! The engine has checked count and types, so a missing or other value cannot come; the accessors
//! answer the type's zero then, which keeps them free of panics.

use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::FunctionError;
use crate::value::{Map, Value};
use leasehold_base::secret::Secret;

/// What a function answers.
pub(super) type Answer = Result<Value, FunctionError>;

/// The bytes of the text at `index`.
pub(super) fn text(args: &[Value], index: usize) -> &[u8] {
    match args.get(index) {
        Some(Value::Text(text) | Value::Number(text)) => text.expose(),
        _ => b"",
    }
}

/// The text at `index`, shared.
pub(super) fn secret(args: &[Value], index: usize) -> Secret {
    match args.get(index) {
        Some(Value::Text(text) | Value::Number(text)) => text.clone(),
        _ => Secret::default(),
    }
}

/// The text at `index` as a name (a path, a layout, a variable); of bytes that are not UTF-8 each
/// becomes U+FFFD.
pub(super) fn name(args: &[Value], index: usize) -> String {
    String::from_utf8_lossy(text(args, index)).into_owned()
}

/// The whole number at `index`.
pub(super) fn int(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(_, number)) => *number,
        _ => 0,
    }
}

/// The flag at `index`.
pub(super) fn flag(args: &[Value], index: usize) -> bool {
    matches!(args.get(index), Some(Value::Bool(true)))
}

/// The elements of the list at `index`; none of a nil one.
pub(super) fn items(args: &[Value], index: usize) -> &[Value] {
    match args.get(index) {
        Some(Value::List(list)) => list.items(),
        _ => &[],
    }
}

/// The map at `index`; `None` for a nil one.
pub(super) fn map(args: &[Value], index: usize) -> Option<&Map> {
    match args.get(index) {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    }
}

/// The argument at `index`, whatever it is.
pub(super) fn any(args: &[Value], index: usize) -> &Value {
    args.get(index).unwrap_or(&Value::Nil)
}

/// A text made of a slice of one that is there already.
pub(super) fn answer(text: &[u8]) -> Answer {
    Ok(Value::text(text.to_vec()))
}

/// An error that says `why`.
pub(super) fn fail<T>(why: impl Into<String>) -> Result<T, FunctionError> {
    Err(FunctionError::new(why))
}

/// `nothing`, for functions that answer it where others fail; but not in place of what Go would have made.
pub(super) fn or_nothing(error: FunctionError, nothing: Value) -> Answer {
    if error.is_limit() { Err(error) } else { Ok(nothing) }
}

/// A text made by `write`, counted as work and no longer than the limits allow.
pub(super) fn written(
    scope: &mut Scope<'_, '_>,
    write: impl FnOnce(&mut Buffer) -> Result<(), FunctionError>,
) -> Answer {
    let mut out = Buffer::new(scope.limits().output);
    write(&mut out)?;
    if out.is_full() {
        return Err(FunctionError::too_much());
    }
    scope.spend(out.len())?;
    Ok(Value::Text(out.into_secret()))
}
