//! Making maps of maps, and counting.

use super::arg::{Answer, fail, map};
use super::merge::{self, Merge};
use super::numbers::decimal;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{Channel, Key, Map, Type, Value};
use leasehold_base::secret::Secret;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("explodeMap", &[Type::MAP], explode_map).returns(Type::MAP),
    Function::new("loop", &[Type::Interface], count).variadic().returns(Type::Chan("<-chan int64")),
    Function::new("mergeMap", &[Type::MAP, Type::MAP], merge_map).returns(Type::MAP),
    Function::new("mergeMapWithOverride", &[Type::MAP, Type::MAP], merge_map_with_override)
        .returns(Type::MAP),
];

/// Makes a map in which keys with slashes become maps in maps: `explodeMap map`.
fn explode_map(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let exploded = Map::new();
    for (key, value) in map(args, 0).map(Map::entries).unwrap_or_default() {
        if let Key::Text(key) = &key {
            explode(&exploded, key, value)?;
        }
    }
    Ok(Value::Map(exploded))
}

fn explode(into: &Map, key: &Secret, value: Value) -> Result<(), FunctionError> {
    let mut parts = key.expose().split(|&byte| byte == b'/').peekable();
    let mut into = into.clone();
    while let Some(part) = parts.next() {
        let key = Key::Text(part.to_vec().into());
        if parts.peek().is_none() {
            if !part.is_empty() {
                into.insert(key, value)?;
            }
            return Ok(());
        }
        into = match into.get(&key) {
            Some(Value::Map(map)) if map.type_of() == Type::MAP => map,
            Some(_) => return fail("explodeMap: not a map: a key goes on below another one's value"),
            None => {
                let below = Map::new();
                into.insert(key, Value::Map(below.clone()))?;
                below
            }
        };
    }
    Ok(())
}

/// Sets what `into` lacks or has empty: `mergeMap into from`.
fn merge_map(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    merged(scope, args, Merge::Fill)
}

fn merge_map_with_override(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    merged(scope, args, Merge::Overwrite)
}

/// Changes the first map itself, as consul-template does: every variable with this map sees the change.
fn merged(scope: &mut Scope<'_, '_>, args: &[Value], how: Merge) -> Answer {
    let into = map(args, 0).cloned().unwrap_or_default();
    if let Some(from) = map(args, 1) {
        merge::merge(scope, &into, from, how)?;
    }
    Ok(Value::Map(into))
}

/// Returns the numbers from `from`, which is 0 if not given, up to but not including `to`: `loop [from] to`.
fn count(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (from, to) = match args {
        [to] => (0, bound(to)?),
        [from, to] => (bound(from)?, bound(to)?),
        _ => {
            return fail(format!("loop: wrong number of arguments, expected 1 or 2, but got {}", args.len()));
        }
    };
    Ok(Value::Channel(Channel::new("<-chan int64", (from..to).map(Value::int64))))
}

#[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
fn bound(value: &Value) -> Result<i64, FunctionError> {
    match value {
        Value::Int(_, number) => Ok(*number),
        Value::Uint(_, number) => Ok(*number as i64),
        Value::Text(text) | Value::Number(text) if text.is_empty() => Ok(0),
        Value::Text(text) | Value::Number(text) => decimal(text.expose())
            .ok_or_else(|| FunctionError::new("loop: parseInt: invalid syntax or out of range")),
        other => {
            let of = other.type_of().map_or_else(|| "<nil>".to_owned(), |of| of.to_string());
            fail(format!("loop: bad argument type: {of}"))
        }
    }
}
