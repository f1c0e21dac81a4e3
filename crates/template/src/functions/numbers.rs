//! Reads numbers and truth values out of texts. The empty text is zero, or false.

use super::arg::{Answer, fail, text};
use crate::eval::Scope;
use crate::function::Function;
use crate::spell::number;
use crate::value::{Type, UintType, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("parseBool", &[Type::String], parse_bool).returns(Type::Bool),
    Function::new("parseFloat", &[Type::String], parse_float).returns(Type::Float64),
    Function::new("parseInt", &[Type::String], parse_int).returns(Type::INT64),
    Function::new("parseUint", &[Type::String], parse_uint).returns(Type::UINT64),
];

/// Parses a whole number as Go's `strconv.ParseInt` does in base 10.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Parses a boolean as Go's `strconv.ParseBool` does.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Some(false),
        _ => None,
    }
}

/// Parses a float as Go's `strconv.ParseFloat` does.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    number::parse_float(std::str::from_utf8(text).ok()?)
}

fn parse_bool(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match text(args, 0) {
        b"" => Ok(Value::Bool(false)),
        text => boolean(text).map_or_else(|| fail("parseBool: invalid syntax"), |flag| Ok(Value::Bool(flag))),
    }
}

fn parse_float(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match text(args, 0) {
        b"" => Ok(Value::Float(0.0)),
        text => float(text).map_or_else(
            || fail("parseFloat: invalid syntax or out of range"),
            |number| Ok(Value::Float(number)),
        ),
    }
}

pub(super) fn parse_int(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match text(args, 0) {
        b"" => Ok(Value::int64(0)),
        text => decimal(text).map_or_else(
            || fail("parseInt: invalid syntax or out of range"),
            |number| Ok(Value::int64(number)),
        ),
    }
}

fn parse_uint(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let text = text(args, 0);
    let digits = text.iter().all(u8::is_ascii_digit);
    match std::str::from_utf8(text).map(str::parse) {
        _ if text.is_empty() => Ok(Value::Uint(UintType::Uint64, 0)),
        Ok(Ok(number)) if digits => Ok(Value::Uint(UintType::Uint64, number)),
        _ => fail("parseUint: invalid syntax or out of range"),
    }
}
