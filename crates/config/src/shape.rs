//! Compares a value with the table of keys, and reports all unknown keys and all values of the wrong kind. What is wrong
//! is taken out, so that the rest can still be checked.

use crate::value::{Mapping, Value};

use super::desk::Desk;
use super::keypath::KeyPath;
use super::keys::{Key, Kind, TOP};
use super::scalars::{self, BadScalar};

/// No list of files or notifiers is longer; a hostile text could have millions.
const MOST_ENTRIES: usize = 10_000;

/// Reports to `desk` what is wrong with `value` as a configuration, and takes it out of `value`.
pub(super) fn check(value: &mut Value, desk: &mut Desk<'_>) {
    if value.is_null() {
        *value = Value::Mapping(Mapping::new());
    }
    let Value::Mapping(map) = value else {
        desk.wrong_value(&KeyPath::top(), "a configuration is a map of keys", "start with `vault:`");
        *value = Value::Mapping(Mapping::new());
        return;
    };
    check_map(map, TOP, &KeyPath::top(), desk);
}

fn check_map(map: &mut Mapping, keys: &'static [Key], at: &KeyPath, desk: &mut Desk<'_>) {
    map.retain(|name, value| {
        let path = at.key(&spelled(name));
        let Some(name) = name.as_str() else {
            desk.wrong_key(&path, "a key that is not text", "write keys as plain words");
            return false;
        };
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            unknown(name, keys, &path, at, desk);
            return false;
        };
        // Nothing, or an explicit null that takes back what an earlier text said.
        if value.is_null() {
            return false;
        }
        check_value(value, &key.kind, &path, desk)
    });
}

/// Returns whether `value` can be kept.
fn check_value(value: &mut Value, kind: &'static Kind, at: &KeyPath, desk: &mut Desk<'_>) -> bool {
    match (kind, value) {
        (Kind::Map(keys) | Kind::TextOr(keys), Value::Mapping(map)) => {
            check_map(map, keys, at, desk);
            return true;
        }
        (Kind::Named(_), Value::Mapping(map)) if map.len() > MOST_ENTRIES => too_many(at, desk),
        (Kind::Named(kind), Value::Mapping(map)) => {
            check_named(map, kind, at, desk);
            return true;
        }
        (Kind::List(_), Value::Sequence(items)) if items.len() > MOST_ENTRIES => too_many(at, desk),
        (Kind::List(kind), Value::Sequence(items)) => {
            for (index, item) in items.iter_mut().enumerate() {
                if !check_value(item, kind, &at.index(index), desk) {
                    // Taking it out would give the ones behind it other numbers.
                    *item = placeholder(kind);
                }
            }
            return true;
        }
        (kind, value) => match scalar(value, kind) {
            Ok(()) => return true,
            Err(BadScalar { message, hint }) => desk.wrong_value(at, message, hint),
        },
    }
    false
}

fn too_many(at: &KeyPath, desk: &mut Desk<'_>) {
    desk.wrong_value(at, format!("more than {MOST_ENTRIES} entries"), "split the configuration");
}

fn check_named(map: &mut Mapping, kind: &'static Kind, at: &KeyPath, desk: &mut Desk<'_>) {
    map.retain(|name, value| {
        let path = at.key(&spelled(name));
        if name.as_str().is_some() {
            return check_value(value, kind, &path, desk);
        }
        desk.wrong_key(&path, "a name that is not text", "put it in quotes");
        false
    });
}

/// Returns a key as it is most likely typed, to find its place.
fn spelled(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => "null".to_owned(),
    }
}

fn placeholder(kind: &Kind) -> Value {
    match kind {
        Kind::Map(_) | Kind::Named(_) => Value::Mapping(Mapping::new()),
        _ => Value::String(String::new()),
    }
}

/// Checks that a single value is of its kind, or returns the problem.
fn scalar(value: &Value, kind: &Kind) -> Result<(), BadScalar> {
    match (kind, value) {
        (Kind::Text | Kind::Word | Kind::TextOr(_), Value::String(_)) | (Kind::Flag, Value::Bool(_)) => {
            Ok(())
        }
        (Kind::Word, Value::Number(number)) if number.as_u64().is_some() => Ok(()),
        (Kind::Duration, Value::String(text)) => scalars::duration(text).map(drop),
        (Kind::Mode, Value::String(text)) => scalars::mode(text).map(drop),
        (Kind::Choice(words), Value::String(word)) => choice(word, words),
        (Kind::Count, Value::Number(number)) => match number.as_u64() {
            Some(1..=0xffff_ffff) => Ok(()),
            _ => refuse("not a number from 1 to 4294967295", "write a whole number, like 8"),
        },
        (Kind::Rate, Value::Number(number)) => match number.as_f64() {
            rate if rate > 0.0 && rate.is_finite() => Ok(()),
            _ => refuse("not a number above 0", "write it like 20 or 0.5"),
        },
        (kind, value) => {
            let message = format!("expected {}, found {}", wanted(kind), found(value));
            refuse(message, mend(kind, value))
        }
    }
}

fn refuse(message: impl Into<String>, hint: impl Into<String>) -> Result<(), BadScalar> {
    Err(BadScalar { message: message.into(), hint: hint.into() })
}

fn choice(word: &str, words: &[&str]) -> Result<(), BadScalar> {
    if words.contains(&word) {
        return Ok(());
    }
    let hint = nearest(word, words).map_or_else(|| one_of(words), |near| format!("did you mean `{near}`?"));
    refuse("unknown value", hint)
}

fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("it can only be `{word}`"),
        words => format!("use one of {}", words.join(", ")),
    }
}

fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Word => "a name or a number",
        Kind::Flag => "true or false",
        Kind::Count => "a whole number",
        Kind::Rate => "a number",
        Kind::Duration => "a duration",
        Kind::Mode => "a file mode as text",
        Kind::Choice(_) => "a word",
        Kind::List(_) => "a list",
        Kind::Map(_) | Kind::Named(_) => "a map",
        Kind::TextOr(_) => "text or a map",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
        Value::Tagged(_) => "a YAML tag",
    }
}

/// Returns how to write what was probably meant.
fn mend(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Tagged(_)) => "remove the tag".into(),
        (Kind::Duration, Value::Number(number)) => format!("give it a unit: {number}s, {number}m"),
        (Kind::Mode, Value::Number(_)) => {
            "a number here could be octal or decimal: write octal digits in quotes, like \"0440\"".into()
        }
        (Kind::Text | Kind::Word | Kind::TextOr(_) | Kind::Choice(_), Value::Number(_) | Value::Bool(_)) => {
            "put it in quotes".into()
        }
        (Kind::Flag, Value::String(_)) => "write true or false, without quotes".into(),
        (Kind::Count | Kind::Rate, Value::String(_)) => "write the number without quotes".into(),
        (Kind::List(Kind::Text), Value::String(_)) => "write a list: [one, two]".into(),
        (Kind::List(_), _) => "begin each entry with `- `".into(),
        (Kind::Map(keys), _) => {
            format!("put its keys below it, like `{}: …`", keys.first().map_or("", |key| key.name))
        }
        (Kind::Named(_), _) => "put names of your own below it, each with its value".into(),
        (Kind::Text | Kind::Word | Kind::Choice(_), _) => {
            "write one text, without brackets and braces".into()
        }
        (Kind::TextOr(keys), _) => {
            let keys: Vec<String> = keys.iter().map(|key| format!("`{{{}: …}}`", key.name)).collect();
            format!("write one text, or {}", keys.join(", "))
        }
        (Kind::Flag, _) => "write true or false".into(),
        (Kind::Count | Kind::Rate, _) => "write one number".into(),
        (Kind::Duration, _) => "write it like 30s, 5m or 1h30m".into(),
        (Kind::Mode, _) => "write octal digits in quotes, like \"0440\"".into(),
    }
}

fn unknown(name: &str, keys: &[Key], path: &KeyPath, at: &KeyPath, desk: &mut Desk<'_>) {
    let message = format!("unknown key `{name}`");
    if desk.is_full() {
        return desk.wrong_key(path, message, "");
    }
    let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let agent = keys.iter().find(|key| key.also.contains(&name)).map(|key| key.name);
    if let Some(meant) = agent.or_else(|| nearest(name, &names)) {
        desk.wrong_key(path, message, format!("did you mean `{meant}`?"));
        // Or its absence would be a second problem with the same cause.
        desk.break_off(at.key(meant));
        return;
    }
    let hint = match home_of(name, TOP, "") {
        Some(home) => format!("it belongs in `{home}`"),
        None => format!("the keys here are {}", names.join(", ")),
    };
    desk.wrong_key(path, message, hint);
}

/// Returns the path of the table that has a key of this name.
fn home_of(name: &str, keys: &[Key], at: &str) -> Option<String> {
    let below = |key: &Key| if at.is_empty() { key.name.to_owned() } else { format!("{at}.{}", key.name) };
    if !at.is_empty() && keys.iter().any(|key| key.name == name) {
        return Some(at.to_owned());
    }
    keys.iter().find_map(|key| match &key.kind {
        Kind::Map(inner) => home_of(name, inner, &below(key)),
        Kind::List(Kind::Map(inner)) => home_of(name, inner, &format!("{}[]", below(key))),
        Kind::Named(Kind::Map(inner)) => home_of(name, inner, &format!("{}.NAME", below(key))),
        _ => None,
    })
}

/// Returns the nearest of `names` to a mistyped one: at most a third of its letters off.
pub(crate) fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let lower = typed.to_lowercase().replace('-', "_");
    names
        .iter()
        .map(|name| (strsim::osa_distance(&lower, name), *name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
