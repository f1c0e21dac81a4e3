//! Structured texts: JSON, YAML and TOML, both ways.

use super::arg::{Answer, any, text, written};
use super::json::{self, Style};
use super::{text, toml, yaml};
use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("parseJSON", &[Type::String], parse_json),
    Function::new("parseYAML", &[Type::String], parse_yaml),
    Function::new("toJSON", &[Type::Interface], to_json).returns(Type::String),
    Function::new("toJSONPretty", &[Type::Interface], to_json_pretty).returns(Type::String),
    Function::new("toTOML", &[Type::Interface], to_toml).returns(Type::String),
    Function::new("toUnescapedJSON", &[Type::Interface], to_unescaped_json).returns(Type::String),
    Function::new("toUnescapedJSONPretty", &[Type::Interface], to_unescaped_json_pretty)
        .returns(Type::String),
    Function::new("toYAML", &[Type::Interface], to_yaml).returns(Type::String),
];

fn parse_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.spend(text(args, 0).len())?;
    if text(args, 0).is_empty() { Ok(Value::map::<&str>([])) } else { json::read(text(args, 0)) }
}

fn parse_yaml(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.spend(text(args, 0).len())?;
    if text(args, 0).is_empty() { Ok(Value::map::<&str>([])) } else { yaml::read(text(args, 0)) }
}

fn to_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    named(scope, "toJSON", |out| json::write(any(args, 0), Style::COMPACT, out))
}

fn to_json_pretty(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    named(scope, "toJSONPretty", |out| json::write(any(args, 0), Style { html: true, pretty: true }, out))
}

fn to_unescaped_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    named(scope, "toUnescapedJSON", |out| {
        json::write(any(args, 0), Style { html: false, pretty: false }, out)
    })
}

fn to_unescaped_json_pretty(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let style = Style { html: false, pretty: true };
    named(scope, "toUnescapedJSONPretty", |out| json::write(any(args, 0), style, out))
}

fn to_yaml(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    trimmed(named(scope, "toYAML", |out| yaml::write(any(args, 0), out))?)
}

fn to_toml(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    trimmed(named(scope, "toTOML", |out| toml::write(any(args, 0), out))?)
}

/// Trims the space at both ends of what these encoders make, as the agents do.
fn trimmed(value: Value) -> Answer {
    let Value::Text(whole) = &value else { return Ok(value) };
    let trimmed = text::trim_space(whole.expose());
    if trimmed.len() == whole.len() { Ok(value) } else { Ok(Value::text(trimmed.to_vec())) }
}

fn named(
    scope: &mut Scope<'_, '_>,
    name: &str,
    write: impl FnOnce(&mut Buffer) -> Result<(), FunctionError>,
) -> Answer {
    written(scope, write).map_err(|error| error.of(name))
}
