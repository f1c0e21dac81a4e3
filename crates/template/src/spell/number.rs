//! Go's number literals: prefixes, underscores, hexadecimal floats.

/// Reads an unsigned literal in any base that a prefix names; `None` if it is none or too large.
#[must_use]
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let (base, digits) = match text.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (2, &text[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &text[2..]),
        [b'0', b'x' | b'X', _, ..] => (16, &text[2..]),
        [b'0', _, ..] => (8, &text[1..]),
        [] => return None,
        _ => (10, text),
    };
    if text.contains('_') && !underscores_ok(text) {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits.chars().filter(|&digit| digit != '_') {
        value = value.checked_mul(base.into())?.checked_add(digit.to_digit(base)?.into())?;
    }
    Some(value)
}

/// Reads a signed literal; `None` if it is none or does not fit.
#[must_use]
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads a floating-point literal; `None` if it is none or too large.
#[must_use]
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if is_infinity(digits) {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if text.contains('_') && !underscores_ok(text) {
        return None;
    }
    let plain: String = digits.chars().filter(|&digit| digit != '_').collect();
    let magnitude = match plain.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => hex_float(&plain[2..])?,
        _ => decimal_float(&plain)?,
    };
    if magnitude.is_infinite() {
        return None;
    }
    Some(if negative { -magnitude } else { magnitude })
}

fn is_infinity(text: &str) -> bool {
    text.eq_ignore_ascii_case("inf") || text.eq_ignore_ascii_case("infinity")
}

/// Reads decimal digits. Rust's parser takes Go's syntax once signs, words and underscores are removed.
fn decimal_float(text: &str) -> Option<f64> {
    let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let starts = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if starts && text.bytes().all(digits) { text.parse().ok() } else { None }
}

/// Reads `1.8p3` without its `0x`: a hexadecimal mantissa and an exponent of two, which is required.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let sign = exponent.starts_with(['+', '-']);
    if !exponent[usize::from(sign)..].bytes().all(|byte| byte.is_ascii_digit())
        || exponent.len() == usize::from(sign)
    {
        return None;
    }
    let mut exponent =
        exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { -1 << 40 } else { 1 << 40 });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits: u64 = 0;
    let mut sticky = false;
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        if bits >> 58 == 0 {
            bits = bits << 4 | u64::from(digit);
            exponent -= if index >= whole.len() { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            exponent += if index < whole.len() { 4 } else { 0 };
        }
    }
    Some(scale(bits << 1 | u64::from(sticky), exponent - 1))
}

/// Returns `bits * 2^exponent`, rounded to nearest even once, also if the result is subnormal.
fn scale(bits: u64, exponent: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let top = i64::from(63 - bits.leading_zeros());
    let highest = top + exponent;
    if highest > 1023 {
        return f64::INFINITY;
    }
    // A double keeps 53 bits, fewer below its smallest normal exponent.
    let keep = (53 + (highest + 1022).min(0)).max(0);
    let drop = top + 1 - keep;
    let (kept, exponent) = if drop <= 0 {
        (bits, exponent)
    } else if drop > 63 {
        return 0.0;
    } else {
        let half = 1u64 << (drop - 1);
        let rest = bits & (2 * half - 1);
        let floor = bits >> drop;
        let up = rest > half || rest == half && floor & 1 == 1;
        (floor + u64::from(up), exponent + drop)
    };
    power_of_two_times(kept, exponent)
}

/// Returns `kept * 2^exponent`. The result is exact, since `kept` has at most 53 significant bits. The multiplication
/// takes two steps, so that no step leaves the range.
#[expect(clippy::cast_precision_loss, reason = "at most 53 significant bits")]
fn power_of_two_times(kept: u64, exponent: i64) -> f64 {
    let mut value = kept as f64;
    let mut exponent = exponent;
    while exponent > 0 {
        let step = exponent.min(1000);
        value *= 2f64.powi(i32::try_from(step).unwrap_or(1000));
        exponent -= step;
    }
    while exponent < 0 {
        let step = (-exponent).min(1000);
        value /= 2f64.powi(i32::try_from(step).unwrap_or(1000));
        exponent += step;
    }
    value
}

/// Checks that underscores stand between digits, or after the prefix of a base.
fn underscores_ok(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bytes = text.as_bytes();
    let prefix = bytes.len() >= 2 && bytes[0] == b'0' && matches!(bytes[1] | 0x20, b'b' | b'o' | b'x');
    let hex = prefix && bytes[1] | 0x20 == b'x';
    let mut after_digit = prefix;
    let mut after_underscore = false;
    for &byte in &bytes[if prefix { 2 } else { 0 }..] {
        let digit = byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit();
        if byte == b'_' && !after_digit || byte != b'_' && !digit && after_underscore {
            return false;
        }
        after_underscore = byte == b'_';
        after_digit = digit;
    }
    !after_underscore
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_prefixes_and_underscores() {
        for (text, value) in [
            ("0x_1F", Some(31)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("1_000", Some(1000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("089", None),
            ("0x", None),
            ("", None),
        ] {
            assert_eq!(parse_uint(text), value, "{text}");
        }
        assert_eq!(parse_int("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_int("9223372036854775808"), None);
        assert_eq!(parse_int("-0"), Some(0));
    }

    #[test]
    fn floats_may_be_hexadecimal() {
        for (text, value) in [
            ("1.5e3", Some(1500.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("0x1p-2", Some(0.25)),
            ("0x1.8p1", Some(3.0)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1p-1074", Some(f64::from_bits(1))),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1074", Some(f64::from_bits(2))),
            ("0x1p1024", None),
            ("0x1.8", None),
            ("1e400", None),
            ("1_0.2_5", Some(10.25)),
            ("1_.5", None),
            (".", None),
            ("1e", None),
            ("-Inf", Some(f64::NEG_INFINITY)),
            ("+infinity", Some(f64::INFINITY)),
            ("infin", None),
            ("-nan", None),
            ("+NaN", None),
        ] {
            assert_eq!(parse_float(text), value, "{text}");
        }
    }
}
