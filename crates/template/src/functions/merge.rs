//! Merges maps as the Go library `mergo` does, which the agents use.

use crate::eval::{A_STEP, Scope};
use crate::function::FunctionError;
use crate::value::{Map, Value};

/// Which value counts if both maps have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// The value of the first map, unless it is empty.
    Fill,
    /// The value of the second map. Two maps are merged at every level.
    Overwrite,
}

/// Deeper maps are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 200;

/// Returns whether a value is empty for `mergo` and Sprig: zero, false, without elements, or nil.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Func(_) | Value::Channel(_) => false,
        value => !value.is_true(),
    }
}

/// Merges `from` into `into`.
pub(super) fn merge(
    scope: &mut Scope<'_, '_>,
    into: &Map,
    from: &Map,
    how: Merge,
) -> Result<(), FunctionError> {
    merge_at(scope, into, from, how, 0)
}

fn merge_at(
    scope: &mut Scope<'_, '_>,
    into: &Map,
    from: &Map,
    how: Merge,
    depth: usize,
) -> Result<(), FunctionError> {
    if depth > MAX_DEPTH {
        return Err(FunctionError::beyond("maps nested too deeply to be merged"));
    }
    let into_was_empty = into.is_empty();
    for (key, value) in from.entries() {
        scope.spend(A_STEP)?;
        let old = into.get(&key);
        let replace = match &value {
            Value::Nil | Value::NilOf(_) => how == Merge::Overwrite,
            Value::Map(below) => {
                if let Some(Value::Map(old)) = &old {
                    merge_at(scope, old, below, how, depth + 1)?;
                }
                let not_a_map = !matches!(old, Some(Value::Map(_)));
                how == Merge::Overwrite && not_a_map || old.as_ref().is_none_or(is_empty)
            }
            Value::List(_) => {
                let whole = how == Merge::Overwrite || into_was_empty;
                whole || old.as_ref().is_none_or(is_empty)
            }
            _ => how == Merge::Overwrite || old.as_ref().is_none_or(is_empty),
        };
        if replace {
            into.insert(key, value)?;
        }
    }
    Ok(())
}
