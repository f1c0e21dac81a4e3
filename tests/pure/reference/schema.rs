//! The configuration's shape as JSON Schema, for editors. What belongs together and what must be there only
//! `leasehold check` knows: a configuration may be laid upon another, or take its address from the environment.

use leasehold::config::keys::{Key, Kind, TOP};
use serde_json::{Map, Value, json};

/// As humantime reads them: numbers, each with its unit; `0` needs none.
const DURATION: &str = "^\\s*(0|([0-9]+\\s*(nsec|ns|usec|us|msec|ms|millis|seconds|second|secs|sec|s|minutes|minute|mins|min|m\
    |hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y)\\s*)+)\\s*$";
/// As the table's mode is read.
const MODE: &str = "^(0o)?[0-7]{1,5}$";

pub(crate) fn text() -> String {
    let mut schema = map(TOP);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Configuration of Leasehold".into();
    // Nothing but comments is a configuration that others are laid upon.
    schema["type"] = json!(["object", "null"]);
    serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n"
}

fn map(keys: &[Key]) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// A key may hold nothing, which takes back what an earlier text said.
fn property(key: &Key) -> Value {
    let mut schema = json!({ "anyOf": [kind(&key.kind), { "type": "null" }] });
    schema["description"] = key.doc.into();
    if let Some(default) = default(key) {
        schema["default"] = default;
    }
    schema
}

fn kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Word => json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": 0 }] }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        Kind::Rate => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::Duration => json!({ "type": "string", "pattern": DURATION }),
        Kind::Mode => json!({ "type": "string", "pattern": MODE }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::List(inner) => json!({ "type": "array", "items": self::kind(inner) }),
        Kind::Map(keys) => map(keys),
        Kind::Named(inner) => json!({ "type": "object", "additionalProperties": self::kind(inner) }),
        Kind::TextOr(keys) => json!({ "anyOf": [{ "type": "string" }, map(keys)] }),
    }
}

/// What the table says as a value of the key's kind; words that say where a default comes from are none.
fn default(key: &Key) -> Option<Value> {
    let value: Value = serde_yaml::from_str(key.default).ok()?;
    let fits = match key.kind {
        Kind::Flag => value.is_boolean(),
        Kind::Count => value.is_u64(),
        Kind::List(_) => value.is_array(),
        Kind::Choice(words) => words.iter().any(|word| value == **word),
        Kind::Duration => {
            value.is_string()
                && !key.default.contains(' ')
                && key.default.starts_with(|c: char| c.is_ascii_digit())
        }
        Kind::Mode => key.default.starts_with('"'),
        _ => false,
    };
    fits.then_some(value)
}
