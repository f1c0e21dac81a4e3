//! Maps, called dictionaries: `map[string]interface {}` only. `set`, `unset` and `merge` change the
//! map itself: every variable with this map sees the change.

use std::collections::BTreeMap;

use super::convert::text_of;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, any, fail, map, secret};
use crate::functions::merge::{Merge, merge as merge_into};
use crate::value::{Key, Map, Type, Value};

const ANY: Type = Type::Interface;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_dict", &[ANY], dict).variadic().returns(Type::MAP),
    Function::new("sprig_dig", &[ANY], dig).variadic(),
    Function::new("sprig_get", &[Type::MAP, Type::String], get),
    Function::new("sprig_hasKey", &[Type::MAP, Type::String], has_key).returns(Type::Bool),
    Function::new("sprig_keys", &[Type::MAP], keys).variadic().returns(Type::STRINGS),
    Function::new("sprig_merge", &[Type::MAP; 2], merge).variadic(),
    Function::new("sprig_mergeOverwrite", &[Type::MAP; 2], merge_overwrite).variadic(),
    Function::new("sprig_mustMerge", &[Type::MAP; 2], merge).variadic(),
    Function::new("sprig_mustMergeOverwrite", &[Type::MAP; 2], merge_overwrite).variadic(),
    Function::new("sprig_omit", &[Type::MAP, Type::String], omit).variadic().returns(Type::MAP),
    Function::new("sprig_pick", &[Type::MAP, Type::String], pick).variadic().returns(Type::MAP),
    Function::new("sprig_pluck", &[Type::String, Type::MAP], pluck).variadic().returns(Type::LIST),
    Function::new("sprig_set", &[Type::MAP, Type::String, ANY], set).returns(Type::MAP),
    Function::new("sprig_unset", &[Type::MAP, Type::String], unset).returns(Type::MAP),
    Function::new("sprig_values", &[Type::MAP], values).returns(Type::LIST),
];

/// Returns the text at `index` as a key.
fn key(args: &[Value], index: usize) -> Key {
    Key::Text(secret(args, index))
}

fn entries(map: Option<&Map>) -> Vec<(Key, Value)> {
    map.map(Map::entries).unwrap_or_default()
}

/// Makes a map of keys and values: `dict key value…`. A last key without a value has the empty text.
fn dict(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut made = BTreeMap::new();
    for pair in args.chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::text(""));
        made.insert(Key::Text(text_of(scope, any(pair, 0))?), value);
    }
    Ok(Value::Map(Map::with(Type::String, ANY, made)))
}

/// Returns the value under a key; the empty text if the map has no such key.
fn get(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(map(args, 0).and_then(|map| map.get(&key(args, 1))).unwrap_or_else(|| Value::text("")))
}

fn has_key(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(map(args, 0).is_some_and(|map| map.get(&key(args, 1)).is_some())))
}

fn set(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Some(map) = map(args, 0) else { return fail("set: assignment to entry in nil map") };
    map.insert(key(args, 1), any(args, 2).clone())?;
    Ok(any(args, 0).clone())
}

fn unset(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if let Some(map) = map(args, 0) {
        map.remove(&key(args, 1));
    }
    Ok(any(args, 0).clone())
}

fn keys(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut keys = Vec::new();
    for index in 0..args.len() {
        for (key, _) in entries(map(args, index)) {
            keys.push(text_of(scope, &key.to_value())?);
        }
    }
    Ok(Value::texts(keys))
}

fn values(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::list(entries(map(args, 0)).into_iter().map(|(_, value)| value)))
}

/// Returns a map with the given keys only: `pick map key…`.
fn pick(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    filtered(args, true)
}

/// Returns a map without the given keys: `omit map key…`.
fn omit(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    filtered(args, false)
}

fn filtered(args: &[Value], named: bool) -> Answer {
    let names: Vec<Key> = (1..args.len()).map(|index| key(args, index)).collect();
    let kept = entries(map(args, 0)).into_iter().filter(|(key, _)| names.contains(key) == named);
    Ok(Value::Map(Map::with(Type::String, ANY, kept.collect())))
}

/// Returns the values under the key, of the maps that have it: `pluck key map…`.
fn pluck(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let found = (1..args.len()).filter_map(|index| map(args, index)?.get(&key(args, 0)));
    Ok(Value::list(found))
}

fn merge(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    merged(scope, args, Merge::Fill)
}

fn merge_overwrite(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    merged(scope, args, Merge::Overwrite)
}

fn merged(scope: &mut Scope<'_, '_>, args: &[Value], how: Merge) -> Answer {
    let into = map(args, 0).cloned();
    let sources: Vec<&Map> = (1..args.len()).filter_map(|index| map(args, index)).collect();
    if into.is_none() && sources.is_empty() {
        return Ok(Value::NilOf(Type::MAP));
    }
    let into = into.unwrap_or_default();
    for source in sources {
        merge_into(scope, &into, source, how)?;
    }
    Ok(Value::Map(into))
}

/// Returns what stands under the keys, one below another: `dig key… fallback map`.
fn dig(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let [path @ .., fallback, dict] = args else { return fail("dig needs at least three arguments") };
    if path.is_empty() {
        return fail("dig needs at least three arguments");
    }
    let mut found = dict.clone();
    for key in path {
        let Value::Text(key) = key else { return fail("dig: a key is not a text") };
        found = match step(&found, key)? {
            Some(found) => found,
            None => return Ok(fallback.clone()),
        };
    }
    Ok(found)
}

fn step(value: &Value, key: &leasehold_base::secret::Secret) -> Result<Option<Value>, FunctionError> {
    match value {
        Value::Map(map) if map.type_of() == Type::MAP => Ok(map.get_text(key)),
        Value::NilOf(Type::MAP) => Ok(None),
        _ => fail("dig: a value on the way is not a map[string]interface {}"),
    }
}
