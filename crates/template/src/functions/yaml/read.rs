//! A YAML text as the values that yaml.v2 makes of it: maps are `map[interface {}]interface {}`,
//! numbers are Go's own.

use std::rc::Rc;

use super::resolve::{Plain, resolve};
use crate::function::FunctionError;
use crate::functions::arg::fail;
use crate::functions::encoding::{STANDARD, decode};
use crate::value::{Key, List, Map, Type, UintType, Value};
use leasehold_base::tree::yaml::{YamlNode, YamlScalar, compose};

/// The values that a text may have, aliases followed.
const MOST_NODES: usize = 100_000;

/// The tags of YAML 1.1 begin with this.
const CORE: &str = "tag:yaml.org,2002:";

/// Returns the value of the first document of `text`.
pub(in crate::functions) fn read(text: &[u8]) -> Result<Value, FunctionError> {
    let wrong = |error: leasehold_base::tree::yaml::YamlError| FunctionError::new(format!("yaml: {error}"));
    compose(text, MOST_NODES).map_err(wrong)?.map_or(Ok(Value::Nil), |node| value(&node))
}

fn value(node: &YamlNode) -> Result<Value, FunctionError> {
    match node {
        YamlNode::Scalar(scalar) => self::scalar(scalar),
        YamlNode::List(items) => {
            let items = items.iter().map(|item| value(item)).collect::<Result<Vec<_>, _>>()?;
            Ok(Value::List(List::new(Type::Interface, items)))
        }
        YamlNode::Map(entries) => {
            let map = Map::with(Type::Interface, Type::Interface, Default::default());
            fill(&map, entries)?;
            Ok(Value::Map(map))
        }
    }
}

fn fill(map: &Map, entries: &[(Rc<YamlNode>, Rc<YamlNode>)]) -> Result<(), FunctionError> {
    for (key, item) in entries {
        if is_merge(key) {
            merge(map, item)?;
            continue;
        }
        let Some(key) = Key::from_value(&value(key)?) else {
            return fail("yaml: invalid map key");
        };
        map.insert(key, value(item)?)?;
    }
    Ok(())
}

/// Merges what other maps have into `map`, for the key `<<`. If several maps have an entry, that of the first map
/// counts.
fn merge(map: &Map, node: &YamlNode) -> Result<(), FunctionError> {
    match node {
        YamlNode::Map(entries) => fill(map, entries),
        YamlNode::List(items) => items.iter().rev().try_for_each(|item| match &**item {
            YamlNode::Map(entries) => fill(map, entries),
            _ => fail("yaml: map merge requires map or sequence of maps as the value"),
        }),
        YamlNode::Scalar(_) => fail("yaml: map merge requires map or sequence of maps as the value"),
    }
}

fn is_merge(key: &YamlNode) -> bool {
    match key {
        YamlNode::Scalar(scalar) => scalar.plain && scalar.text.expose() == b"<<",
        _ => false,
    }
}

fn scalar(scalar: &YamlScalar) -> Result<Value, FunctionError> {
    let whole = || Value::Text(scalar.text.clone());
    let tag = scalar.tag.as_deref().map(|tag| tag.strip_prefix(CORE).unwrap_or(tag));
    let text = scalar.text.expose_str().unwrap_or_default();
    match tag {
        None if !scalar.plain => return Ok(whole()),
        Some("str") => return Ok(whole()),
        Some("binary") => {
            return match decode(&STANDARD, scalar.text.expose()) {
                Some(bytes) => Ok(Value::text(bytes)),
                None => fail("yaml: !!binary value contains invalid base64 data"),
            };
        }
        None | Some("bool" | "int" | "float" | "null" | "timestamp") => {}
        Some(_) => return Ok(whole()),
    }
    let (value, kind) = match resolve(text) {
        Plain::Null => (Value::Nil, "null"),
        Plain::Bool(flag) => (Value::Bool(flag), "bool"),
        Plain::Int(number) => (Value::int(number), "int"),
        Plain::Uint(number) => (Value::Uint(UintType::Uint64, number), "int"),
        Plain::Float(number) => (Value::Float(number), "float"),
        Plain::Timestamp => (whole(), "timestamp"),
        Plain::Text => (whole(), "str"),
    };
    match (tag, value) {
        (Some("float"), Value::Int(_, number)) => Ok(Value::Float(as_float(number))),
        (Some(tag), _) if tag != kind => fail(format!("yaml: cannot decode !!{kind} as a !!{tag}")),
        (_, value) => Ok(value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
const fn as_float(number: i64) -> f64 {
    number as f64
}
