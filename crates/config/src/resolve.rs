//! Finds out what a scalar of YAML is: nothing, a flag, a number or text. The rules are those of serde_yaml, by
//! which configurations were always read. A test compares the two.

use libyaml_safer::ScalarStyle;

use super::value::{Number, Value};

/// The beginning of the standard tags (`!!int`).
const STANDARD: &str = "tag:yaml.org,2002:";

/// Resolves a scalar; `None` if the text does not fit its tag.
pub(super) fn scalar(text: String, tag: Option<&str>, style: ScalarStyle) -> Option<Value> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        None => Some(if plain { resolved(text) } else { Value::String(text) }),
        Some(tag) if tag.starts_with('!') => {
            Some(Value::Tagged(Box::new(if plain { resolved(text) } else { Value::String(text) })))
        }
        Some(tag) => match tag.strip_prefix(STANDARD) {
            Some("null") => is_null(&text).then_some(Value::Null),
            Some("bool") => flag(&text).map(Value::Bool),
            Some("int") => integer(&text).map(Value::Number),
            Some("float") => real(&text).map(|number| Value::Number(Number::Real(number))),
            _ => Some(Value::String(text)),
        },
    }
}

fn resolved(text: String) -> Value {
    if text.is_empty() || is_null(&text) {
        return Value::Null;
    }
    flag(&text).map(Value::Bool).or_else(|| number(&text).map(Value::Number)).unwrap_or(Value::String(text))
}

fn is_null(text: &str) -> bool {
    matches!(text, "null" | "Null" | "NULL" | "~")
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    // Most scalars are words, and no number begins like one.
    if !(first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')) {
        return None;
    }
    integer(text).or_else(|| real(text).filter(|_| !is_zero_led(text)).map(Number::Real))
}

/// Reads a whole number. One that is too large for 64 bits is a fraction, as in JSON.
#[expect(clippy::cast_precision_loss, reason = "a number of 65 bits is refused or rounded by every key")]
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ if is_zero_led(text) => return None,
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = u128::from_str_radix(digits, radix).ok()?;
    Some(match (negative, u64::try_from(size)) {
        (false, Ok(size)) => Number::Whole(size),
        (false, Err(_)) => Number::Real(size as f64),
        (true, _) => match i64::try_from(size).map(|size| -size) {
            Ok(size) => Number::from(size),
            Err(_) if size == u128::from(i64::MIN.unsigned_abs()) => Number::Negative(i64::MIN),
            Err(_) => Number::Real(-(size as f64)),
        },
    })
}

fn real(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    match (text, unsigned) {
        (_, ".inf" | ".Inf" | ".INF") => return Some(f64::INFINITY),
        ("-.inf" | "-.Inf" | "-.INF", _) => return Some(f64::NEG_INFINITY),
        (".nan" | ".NaN" | ".NAN", _) => return Some(f64::NAN),
        _ => {}
    }
    if text.starts_with('+') && unsigned.starts_with(['+', '-']) {
        return None;
    }
    unsigned.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Returns true for digits behind a zero, which YAML 1.2 reads as text: a mode, the number of an account.
fn is_zero_led(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns what serde_yaml makes of a plain scalar.
    fn theirs(text: &str) -> Option<Value> {
        Some(match serde_yaml::from_str::<serde_yaml::Value>(&format!("a: {text}")).ok()?.get("a")?.clone() {
            serde_yaml::Value::Null => Value::Null,
            serde_yaml::Value::Bool(flag) => Value::Bool(flag),
            serde_yaml::Value::Number(number) => Value::Number(
                number
                    .as_u64()
                    .map(Number::Whole)
                    .or_else(|| number.as_i64().map(Number::from))
                    .unwrap_or(Number::Real(number.as_f64().expect("a number"))),
            ),
            serde_yaml::Value::String(text) => Value::String(text),
            _ => return None,
        })
    }

    #[test]
    fn numbers_have_signs_bases_and_ends() {
        for text in [
            "0",
            "-0",
            "+1",
            "-1",
            "--1",
            "+-1",
            "0x1f",
            "-0x1f",
            "+0x1f",
            "0x-1",
            "0xg",
            "0o17",
            "0b11",
            "0b2",
            "007",
            "-007",
            "0.5",
            ".5",
            "5.",
            "1e3",
            "1e999",
            ".inf",
            "-.INF",
            "+.Inf",
            ".nan",
            "inf",
            "nan",
            "1_000",
            "18446744073709551615",
            "-9223372036854775808",
            "-9223372036854775807",
            "0755",
            "08",
            "1:30",
            "12e",
            "0x",
            "+",
            "-",
            ".",
            "~",
            "Null",
            "TRUE",
            "yes",
        ] {
            let (ours, theirs) = (resolved(text.to_owned()), theirs(text));
            let nan = format!("{ours:?}") == "Number(Real(NaN))" && text == ".nan";
            assert!(nan || theirs.is_none_or(|theirs| theirs == ours), "{text}: {ours:?}");
        }
        assert_eq!(number("18446744073709551616"), Some(Number::Real(18_446_744_073_709_551_616.0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_plain_scalar_is_what_it_is_for_serde_yaml(text in "[-+]{0,2}(0[xob])?[0-9a-f.+_-]{1,6}(e[-+]?[0-9])?") {
            if let Some(theirs) = theirs(&text) {
                prop_assert_eq!(resolved(text), theirs);
            }
        }
    }
}
