//! `index`, `slice` and `len`.

use super::{Made, Operand};
use crate::function::FunctionError;
use crate::value::{Key, List, Map, Type, UintType, Value};
use leasehold_base::secret::Secret;

fn failed<T>(why: impl Into<String>) -> Result<T, FunctionError> {
    Err(FunctionError::new(why))
}

/// Returns the value that one index after another leads to: `index x 1 2 3` is `x[1][2][3]`.
pub(super) fn index(args: &[Operand]) -> Made {
    let Some((item, indexes)) = args.split_first() else { return failed("index of untyped nil") };
    if matches!(item.value, Value::Nil) {
        return failed("index of untyped nil");
    }
    let mut item = item.clone();
    for index in indexes {
        item = step(&item.value, &index.value)?;
    }
    Ok(item)
}

fn step(item: &Value, index: &Value) -> Made {
    match item {
        Value::List(list) => {
            let at = position(index, list.items().len())?;
            match list.items().get(at) {
                Some(value) => Ok(Operand::of(value.clone(), list.elem())),
                None => failed("reflect: slice index out of range"),
            }
        }
        Value::NilOf(Type::Slice(_)) => {
            position(index, 0)?;
            failed("reflect: slice index out of range")
        }
        Value::Text(text) | Value::Number(text) => {
            let at = position(index, text.len())?;
            match text.expose().get(at) {
                Some(&byte) => Ok(Operand::plain(Value::Uint(UintType::Uint8, byte.into()))),
                None => failed("reflect: string index out of range"),
            }
        }
        Value::Map(map) => entry(map, index),
        Value::NilOf(Type::Map(key, elem)) => {
            key_of(index, **key)?;
            Ok(Operand::of(Value::zero(**elem), **elem))
        }
        Value::Nil | Value::NilOf(Type::Pointer(_)) => failed("index of nil pointer"),
        other => failed(format!("can't index item of type {}", dereferenced(other))),
    }
}

fn entry(map: &Map, index: &Value) -> Made {
    let key = key_of(index, map.key_type())?;
    let value = map.get(&key).unwrap_or_else(|| Value::zero(map.elem()));
    Ok(Operand::of(value, map.elem()))
}

/// Returns `index` as a key of a map whose keys have the type `keys`.
fn key_of(index: &Value, keys: Type) -> Result<Key, FunctionError> {
    match (index, keys) {
        (Value::Nil, Type::Interface) => Ok(Key::Nil),
        (Value::Nil, _) => failed(format!("value is nil; should be of type {keys}")),
        (Value::Text(text), Type::String) => Ok(Key::Text(text.clone())),
        (index, Type::Interface) => Key::from_value(index).ok_or_else(|| {
            FunctionError::new(format!("runtime error: hash of unhashable type {}", name(index)))
        }),
        (index, _) => failed(format!("value has type {}; should be {keys}", name(index))),
    }
}

fn name(value: &Value) -> String {
    value.type_of().unwrap_or(Type::Interface).to_string()
}

/// Returns the type that a pointer points to; for anything else its own type.
fn dereferenced(value: &Value) -> String {
    match value.type_of() {
        Some(Type::Pointer(name)) => name.to_owned(),
        _ => name(value),
    }
}

/// Returns the value as an index from 0 to `most`.
fn position(index: &Value, most: usize) -> Result<usize, FunctionError> {
    let index = match index {
        Value::Int(_, number) => *number,
        // Beyond i64 Go wraps to a negative number.
        Value::Uint(_, number) => number.cast_signed(),
        Value::Nil => return failed("cannot index slice/array with nil"),
        other => return failed(format!("cannot index slice/array with type {}", name(other))),
    };
    usize::try_from(index)
        .ok()
        .filter(|&index| index <= most)
        .ok_or_else(|| FunctionError::new(format!("index out of range: {index}")))
}

/// Returns a part of a text or a list: `slice x 1 2` is `x[1:2]`. The capacity of a list is its length.
pub(super) fn slice(args: &[Operand]) -> Made {
    let Some((item, indexes)) = args.split_first() else { return failed("slice of untyped nil") };
    let length = match &item.value {
        Value::Nil => return failed("slice of untyped nil"),
        Value::NilOf(Type::Pointer(_)) => return failed("slice of nil pointer"),
        _ if indexes.len() > 3 => return failed(format!("too many slice indexes: {}", indexes.len())),
        Value::Text(_) | Value::Number(_) if indexes.len() == 3 => {
            return failed("cannot 3-index slice a string");
        }
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::NilOf(Type::Slice(_)) => 0,
        other => return failed(format!("can't slice item of type {}", dereferenced(other))),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = position(&index.value, length)?;
    }
    let [start, end, most] = bounds;
    if start > end {
        return failed(format!("invalid slice index: {start} > {end}"));
    }
    if end > most {
        return failed(format!("invalid slice index: {end} > {most}"));
    }
    Ok(Operand::plain(match &item.value {
        Value::Text(text) => Value::Text(Secret::new(text.expose()[start..end].to_vec())),
        Value::Number(text) => Value::Number(Secret::new(text.expose()[start..end].to_vec())),
        Value::List(list) => Value::List(List::new(list.elem(), list.items()[start..end].to_vec())),
        other => other.clone(),
    }))
}

/// Returns the length of a value that has one.
pub(super) fn len(item: &Operand) -> Made {
    let length = match &item.value {
        Value::Text(text) | Value::Number(text) => text.len(),
        Value::List(list) => list.items().len(),
        Value::Map(map) => map.len(),
        Value::NilOf(Type::Slice(_) | Type::Map(..) | Type::Chan(_)) | Value::Channel(_) => 0,
        // Go's own words for a missing value.
        Value::Nil if !item.boxed => return failed("reflect: call of reflect.Value.Type on zero Value"),
        Value::Nil | Value::NilOf(Type::Pointer(_)) => return failed("len of nil pointer"),
        other => return failed(format!("len of type {}", dereferenced(other))),
    };
    Ok(Operand::plain(Value::int(i64::try_from(length).unwrap_or(i64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(values: &[Value]) -> Vec<Operand> {
        values.iter().cloned().map(Operand::plain).collect()
    }

    fn why(made: Made) -> String {
        made.err().expect("an error").to_string()
    }

    #[test]
    fn indexing_goes_through_maps_and_lists() {
        let data = Value::map([("a", Value::list([Value::text("x")]))]);
        let found = index(&args(&[data, Value::text("a"), Value::int(0), Value::int(0)])).expect("there");
        assert!(matches!(found.value, Value::Uint(UintType::Uint8, 120)));
    }

    #[test]
    fn indexes_out_of_range_are_errors_with_gos_words() {
        let list = Value::list([Value::int(1)]);
        assert_eq!(why(index(&args(&[list.clone(), Value::int(1)]))), "reflect: slice index out of range");
        assert_eq!(why(index(&args(&[list.clone(), Value::int(2)]))), "index out of range: 2");
        assert_eq!(why(index(&args(&[list, Value::Nil]))), "cannot index slice/array with nil");
        assert_eq!(
            why(slice(&args(&[Value::text("abc"), Value::int(2), Value::int(1)]))),
            "invalid slice index: 2 > 1"
        );
    }

    #[test]
    fn a_missing_entry_is_the_zero_of_its_type() {
        let found = index(&args(&[Value::map([("a", Value::Nil)]), Value::text("b")])).expect("nil");
        assert!(matches!(found.value, Value::Nil) && found.boxed);
        let typed = Value::NilOf(Type::STRING_MAP);
        assert!(matches!(index(&args(&[typed, Value::text("b")])).expect("empty").value, Value::Text(_)));
    }
}
