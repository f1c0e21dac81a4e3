//! Go's ways to print a float: `strconv.FormatFloat`.

/// No float has more digits after the point than this, so all further digits are zeros. (Rust formats
/// up to 65,535.)
const EXACT: usize = 1100;

/// The digits of a float and the position of its decimal point: `0.d1d2d3… * 10^point`.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

/// Appends `value` with its sign as `verb` (`e E f g G b x X`) prints it. A `precision` of `None` asks for the
/// fewest digits that read back as the same float.
pub(crate) fn format(value: f64, verb: u8, precision: Option<usize>, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend(b"NaN");
    }
    if value.is_infinite() {
        return out.extend(if value < 0.0 { b"-Inf" } else { b"+Inf" });
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    match verb {
        b'b' => binary(value, out),
        b'x' | b'X' => hexadecimal(value, verb, precision, out),
        b'f' => match precision {
            Some(precision) => {
                let exact = precision.min(EXACT);
                out.extend(format!("{value:.exact$}").as_bytes());
                out.extend(std::iter::repeat_n(b'0', precision - exact));
            }
            None => plain(&shortest(value), 0, out),
        },
        b'e' | b'E' => match precision {
            Some(precision) => exponential(&rounded(value, precision + 1), precision, verb, out),
            None => {
                let decimal = shortest(value);
                exponential(&decimal, decimal.digits.len().saturating_sub(1), verb, out);
            }
        },
        _ => general(value, verb, precision, out),
    }
}

/// Writes a float as `%g` does: with an exponent if the number is very small or very large, and plainly otherwise.
fn general(value: f64, verb: u8, precision: Option<usize>, out: &mut Vec<u8>) {
    let (mut decimal, limit) = match precision {
        // For the shortest form, Go decides by a precision of 6.
        None => (shortest(value), 6),
        Some(precision) => {
            let precision = precision.max(1);
            (rounded(value, precision), precision)
        }
    };
    while decimal.digits.len() > 1 && decimal.digits.last() == Some(&b'0') {
        decimal.digits.pop();
    }
    if value == 0.0 {
        decimal = Decimal { digits: Vec::new(), point: 0 };
    }
    let count = i32::try_from(decimal.digits.len()).unwrap_or(i32::MAX);
    let mut limit = i32::try_from(limit).unwrap_or(i32::MAX);
    if limit > count && count >= decimal.point {
        limit = count;
    }
    if precision.is_none() {
        limit = 6;
    }
    let exponent = decimal.point - 1;
    if exponent < -4 || exponent >= limit {
        let fraction = decimal.digits.len().saturating_sub(1);
        exponential(&decimal, fraction, if verb == b'G' { b'E' } else { b'e' }, out);
    } else {
        plain(&decimal, 0, out);
    }
}

fn shortest(value: f64) -> Decimal {
    decimal_of(&format!("{value:e}"))
}

/// Returns `digits` significant digits, rounded half to even on the exact value.
fn rounded(value: f64, digits: usize) -> Decimal {
    decimal_of(&format!("{value:.*e}", digits.saturating_sub(1).min(EXACT)))
}

fn decimal_of(exponential: &str) -> Decimal {
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((exponential, "0"));
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let zero = digits.iter().all(|&digit| digit == b'0');
    let exponent: i32 = exponent.parse().unwrap_or(0);
    Decimal { point: if zero { 0 } else { exponent + 1 }, digits }
}

/// Appends the digits without an exponent, with at least `fraction` digits after the point.
fn plain(decimal: &Decimal, fraction: usize, out: &mut Vec<u8>) {
    let Decimal { digits, point } = decimal;
    let whole = usize::try_from(*point).unwrap_or(0);
    if whole == 0 || digits.iter().all(|&digit| digit == b'0') {
        out.push(b'0');
    } else {
        out.extend((0..whole).map(|index| digits.get(index).copied().unwrap_or(b'0')));
    }
    let zero = digits.iter().all(|&digit| digit == b'0');
    let leading = usize::try_from(-point).unwrap_or(0);
    let rest = if zero { &[][..] } else { digits.get(whole..).unwrap_or_default() };
    let count = if rest.is_empty() { 0 } else { leading + rest.len() };
    if count.max(fraction) == 0 {
        return;
    }
    out.push(b'.');
    if count > 0 {
        out.extend(std::iter::repeat_n(b'0', leading));
        out.extend(rest);
    }
    out.extend(std::iter::repeat_n(b'0', fraction.saturating_sub(count)));
}

/// Appends `d.ddde±dd` with exactly `fraction` digits after the point.
fn exponential(decimal: &Decimal, fraction: usize, verb: u8, out: &mut Vec<u8>) {
    let digit = |index: usize| decimal.digits.get(index).copied().unwrap_or(b'0');
    out.push(digit(0));
    if fraction > 0 {
        out.push(b'.');
        out.extend((1..=fraction).map(digit));
    }
    let zero = decimal.digits.iter().all(|&digit| digit == b'0');
    let exponent = if zero { 0 } else { decimal.point - 1 };
    out.extend([verb, if exponent < 0 { b'-' } else { b'+' }]);
    out.extend(format!("{:02}", exponent.unsigned_abs()).as_bytes());
}

/// Returns the mantissa as a whole number of 53 bits, and the exponent of two that scales it.
const fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    let exponent = (bits >> 52) as i32 & 0x7ff;
    if exponent == 0 { (mantissa, -1074) } else { (mantissa | 1 << 52, exponent - 1075) }
}

/// Writes a float as `%b` does: `4503599627370496p-52`.
fn binary(value: f64, out: &mut Vec<u8>) {
    let (mantissa, exponent) = parts(value);
    out.extend(format!("{mantissa}p{exponent:+}").as_bytes());
}

/// Writes a float as `%x` does: `0x1.8p+01`. The mantissa is normalised so that one bit stands before the point.
fn hexadecimal(value: f64, verb: u8, precision: Option<usize>, out: &mut Vec<u8>) {
    let (mut mantissa, mut exponent) = parts(value);
    if mantissa == 0 {
        exponent = 0;
    } else {
        exponent += 52;
    }
    // One bit before the point at bit 60, so that 15 digits follow it.
    mantissa <<= 8;
    while mantissa != 0 && mantissa >> 60 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|&precision| precision < 15) {
        let shift = 60 - 4 * precision;
        let half = 1u64 << (shift - 1);
        let rest = mantissa & (2 * half - 1);
        mantissa >>= shift;
        mantissa += u64::from(rest > half || rest == half && mantissa & 1 == 1);
        mantissa <<= shift;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut text = format!("0x{}", mantissa >> 60);
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) if precision <= 15 => digits[..precision].to_owned(),
        Some(precision) => format!("{digits}{}", "0".repeat(precision - 15)),
    };
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(&fraction);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    text.push_str(&format!("p{sign}{:02}", exponent.unsigned_abs()));
    out.extend(if verb == b'X' { text.to_uppercase() } else { text }.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(value: f64, verb: char, precision: Option<usize>) -> String {
        let mut out = Vec::new();
        format(value, verb as u8, precision, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn the_shortest_form_turns_exponential_at_six_digits() {
        for (value, text) in [
            (12_345_678.0, "1.2345678e+07"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1e20, "1e+20"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.0, "0"),
            (-0.0, "-0"),
            (123_456.789, "123456.789"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(formatted(value, 'g', None), text);
        }
    }

    #[test]
    fn every_verb_prints_as_go_does() {
        for (value, verb, precision, text) in [
            (1.0, 'e', Some(6), "1.000000e+00"),
            (1234.5, 'E', Some(2), "1.23E+03"),
            (2.5, 'f', Some(0), "2"),
            (3.5, 'f', Some(0), "4"),
            (1e21, 'f', None, "1000000000000000000000"),
            (0.05, 'f', None, "0.05"),
            (1234.5678, 'g', Some(3), "1.23e+03"),
            (100.0, 'g', Some(3), "100"),
            (1.0, 'b', None, "4503599627370496p-52"),
            (3.0, 'x', None, "0x1.8p+01"),
            (1.0, 'X', Some(3), "0X1.000P+00"),
            (1.999, 'x', Some(0), "0x1p+01"),
            (0.0, 'x', None, "0x0p+00"),
        ] {
            assert_eq!(formatted(value, verb, precision), text, "{value} %{verb}");
        }
    }
}
