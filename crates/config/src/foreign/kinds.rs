//! Reads single values as leniently as the foreign programs do. Each refusal says how the value is written right,
//! and none repeats it.

use std::time::Duration;

use super::tree::{Node, Number, Value};

/// The reason why a value cannot be taken, and how to write it.
pub(super) type Bad = (String, String);

fn bad<T>(wanted: &str, node: &Node, hint: &str) -> Result<T, Bad> {
    Err((format!("expected {wanted}, found {}", found(&node.value)), hint.to_owned()))
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Flag(_) => "true or false",
        Value::Number(..) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Object(_) => "a block",
    }
}

/// Reads a text. A number stands for itself.
pub(super) fn text(node: &Node) -> Result<String, Bad> {
    match &node.value {
        Value::Text(text) => Ok(text.text.clone()),
        Value::Number(_, spelled) => Ok(spelled.clone()),
        _ => bad("text", node, "put it in double quotes"),
    }
}

/// Reads a truth value, in any of the words that Go reads as one.
pub(super) fn flag(node: &Node) -> Result<bool, Bad> {
    let word = match &node.value {
        Value::Flag(flag) => return Ok(*flag),
        Value::Text(text) => text.text.as_str(),
        Value::Number(_, spelled) => spelled,
        _ => "",
    };
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => bad("true or false", node, "write true or false, without quotes"),
    }
}

/// Reads a whole number that is not negative.
pub(super) fn count(node: &Node) -> Result<u64, Bad> {
    let number = match &node.value {
        Value::Number(Number::Whole(number), _) => u64::try_from(*number).ok(),
        Value::Text(text) => text.text.parse().ok(),
        _ => None,
    };
    number.map_or_else(|| bad("a whole number", node, "write digits"), Ok)
}

const UNITS: &str = "write it like \"30s\", \"5m\" or \"1h30m\"";

/// Reads a duration in Go's words; a bare number is seconds.
pub(super) fn seconds(node: &Node) -> Result<Duration, Bad> {
    let bare = match &node.value {
        Value::Number(Number::Whole(number), _) => u64::try_from(*number).ok().map(Duration::from_secs),
        Value::Number(Number::Fraction(number), _) => Duration::try_from_secs_f64(*number).ok(),
        Value::Text(text) => text.text.trim().parse().ok().map(Duration::from_secs),
        _ => None,
    };
    bare.map_or_else(|| duration(node), Ok)
}

/// Reads a duration in Go's words. consul-template takes a bare number for nanoseconds, which is never meant.
pub(super) fn duration(node: &Node) -> Result<Duration, Bad> {
    match &node.value {
        Value::Text(text) => match go_duration(text.text.trim()) {
            Some(duration) => Ok(duration),
            None => Err(("not a duration".to_owned(), UNITS.to_owned())),
        },
        Value::Number(..) => Err(("a duration without a unit".to_owned(), UNITS.to_owned())),
        _ => bad("a duration", node, UNITS),
    }
}

/// Reads `1h30m`, `1.5s`, `0`; `1d` is Vault's own addition.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(end);
        let nanoseconds = match unit {
            "ns" => 1.0,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        // Whole nanoseconds below 2^53 are exact, and that is 104 days.
        let part = Duration::try_from_secs_f64((number * nanoseconds).round() / 1e9).ok()?;
        sum = sum.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

/// Returns a duration as our own configuration writes it.
pub(super) fn spelled(duration: Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

/// Reads permission bits: a number as HCL reads it, so `0600` is octal, or octal digits in quotes. The reference's
/// modes have no bits for set-uid and its kind, so these are lost here, too.
pub(super) fn mode(node: &Node) -> Result<u32, Bad> {
    let bits = match &node.value {
        Value::Number(Number::Whole(number), _) => u32::try_from(*number).ok(),
        Value::Text(text) => u32::from_str_radix(text.text.trim(), 8).ok(),
        _ => return bad("a file mode", node, "write it like 0600"),
    };
    bits.filter(|bits| *bits <= 0o7777)
        .map(|bits| bits & 0o777)
        .ok_or_else(|| ("not a file mode".to_owned(), "write it like 0600, with the 0".to_owned()))
}

/// Reads a list of texts as they are; one text is a list of one.
pub(super) fn texts(node: &Node) -> Result<Vec<String>, Bad> {
    match &node.value {
        Value::List(items) => items.iter().map(text).collect(),
        _ => text(node).map(|text| vec![text]),
    }
}

/// Reads a list of texts; one text is the list that its commas make.
pub(super) fn words(node: &Node) -> Result<Vec<String>, Bad> {
    match &node.value {
        Value::List(items) => items.iter().map(text).collect(),
        Value::Text(text) => Ok(text.text.split(',').map(|word| word.trim().to_owned()).collect()),
        _ => bad("a list of texts", node, "write it like [\"one\", \"two\"]"),
    }
}

/// Reads a command as consul-template runs it: one text of several words goes to a shell. consul-template splits
/// that text at its commas first, which is never meant in a line for a shell.
pub(super) fn command(node: &Node) -> Result<Vec<String>, Bad> {
    let several = |line: &str| line.split_whitespace().nth(1).is_some();
    let line = match &node.value {
        Value::Text(text) => Some(&text.text),
        Value::List(items) => match &items[..] {
            [Node { value: Value::Text(text), .. }] => Some(&text.text),
            _ => None,
        },
        _ => None,
    };
    match line.filter(|line| several(line)) {
        Some(line) => Ok(["sh", "-c", line].map(str::to_owned).to_vec()),
        None => words(node),
    }
}
