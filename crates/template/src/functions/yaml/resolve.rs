//! What a plain (unquoted) text means in YAML 1.1, as yaml.v2 has it.

use crate::functions::time;
use crate::spell::number;

/// The meaning of a plain text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A date or a time, which stays the text it is.
    Timestamp,
    Text,
}

/// Returns what `text` means without quotes.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Plain::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Plain::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Plain::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Plain::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Plain::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => go_float(text).map_or(Plain::Text, Plain::Float),
            b'+' | b'-' | b'0'..=b'9' => numeric(text),
            _ => Plain::Text,
        },
    }
}

fn numeric(text: &str) -> Plain {
    if is_timestamp(text) {
        return Plain::Timestamp;
    }
    let plain = text.replace('_', "");
    if let Some(number) = number::parse_int(&plain) {
        return Plain::Int(number);
    }
    if plain.starts_with(|first: char| first.is_ascii_digit())
        && let Some(number) = number::parse_uint(&plain)
    {
        return Plain::Uint(number);
    }
    if is_yaml_float(&plain) {
        return go_float(&plain).map_or(Plain::Text, Plain::Float);
    }
    Plain::Text
}

/// Parses a text that begins with a digit, a sign or a dot, as Go's `strconv.ParseFloat` does.
fn go_float(text: &str) -> Option<f64> {
    crate::functions::numbers::float(text.as_bytes())
}

/// Returns whether `text` matches `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let mantissa = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa && exponent
}

/// Returns whether `text` is hours, minutes and seconds, which older parsers read as one number. Such a text is quoted.
pub(super) fn is_base60_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !first.starts_with(|byte: char| byte.is_ascii_digit()) || !digits(first) {
        return false;
    }
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let sixty = |part: &str| match part.as_bytes() {
        [units] => units.is_ascii_digit(),
        [tens, units] => (b'0'..=b'5').contains(tens) && units.is_ascii_digit(),
        _ => false,
    };
    middle.iter().all(|part| sixty(part)) && sixty(last) && digits(fraction)
}

/// Returns whether `text` has one of the shapes of a date that yaml.v2 knows. Most of their places have one or two
/// digits.
fn is_timestamp(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    year == 4
        && text.as_bytes().get(4) == Some(&b'-')
        && [
            "2006-1-2T15:4:5.999999999Z07:00",
            "2006-1-2t15:4:5.999999999Z07:00",
            "2006-1-2 15:4:5.999999999",
            "2006-1-2",
        ]
        .iter()
        .any(|layout| time::parse(layout, text.as_bytes(), &time::Zone::Utc).is_some())
}
