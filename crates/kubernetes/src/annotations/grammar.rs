//! The grammar of values: what vault-k8s takes, and nothing else.

use std::time::Duration;

/// Reads a boolean of Go; an empty text is false.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Reads a duration of Go, such as `1h30m` or `1.5s`; neither a sign nor a bare number.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, behind) = rest.split_at(number);
        let unit = behind.len() - behind.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, behind) = behind.split_at(unit);
        nanos = nanos.checked_add(scaled(digits, nanos_of(unit)?)?)?;
        rest = behind;
    }
    // As many as Go's own type holds.
    let nanos = u64::try_from(nanos).ok().filter(|nanos| *nanos <= i64::MAX as u64)?;
    (!text.is_empty()).then(|| Duration::from_nanos(nanos))
}

/// Writes a duration as Leasehold reads it.
pub(crate) fn duration_text(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis().max(1))
    }
}

fn nanos_of(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// Returns a decimal number times `scale`. What is smaller than one is cut off.
fn scaled(digits: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let number = |part: &str| if part.is_empty() { Some(0) } else { part.parse::<u128>().ok() };
    let below = number(fraction)? * scale / 10u128.pow(u32::try_from(fraction.len()).ok()?);
    number(whole)?.checked_mul(scale)?.checked_add(below)
}

/// Returns whether a text is a quantity of Kubernetes, such as `250m`, `64Mi` or `1e3`.
pub(crate) fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, suffix) = unsigned.split_at(number);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let decimal = (1..=18).contains(&digits) && number.len() - digits <= 1;
    decimal && is_suffix(suffix)
}

fn is_suffix(suffix: &str) -> bool {
    const SUFFIXES: [&str; 16] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = || {
        let power = suffix.strip_prefix(['e', 'E'])?;
        let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
        Some((1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    SUFFIXES.contains(&suffix) || exponent() == Some(true)
}

/// Returns whether a text is a mode in octal digits, such as `0640`.
pub(crate) fn is_mode(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

/// Returns whether a text is a name that an object of Kubernetes may have (RFC 1123, with dots).
pub(crate) fn is_object_name(text: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges = bytes.first().is_some_and(is_edge) && bytes.last().is_some_and(is_edge);
    edges && bytes.len() <= 253 && bytes.iter().all(|byte| is_edge(byte) || matches!(byte, b'-' | b'.'))
}

/// Returns whether a path can be a mount. Such a path is absolute and not `/` itself. It has no segment `.` or `..`, no
/// `:`, no NUL and no newline.
pub(crate) fn is_mount_path(path: &str) -> bool {
    path.starts_with('/') && path != "/" && !path.contains([':', '\0', '\n']) && has_no_dots(path)
}

/// Returns whether a path is free of the segments `.` and `..`.
pub(crate) fn has_no_dots(path: &str) -> bool {
    path.split('/').all(|segment| segment != ".." && segment != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in
            [("1s", 1000), ("1m", 60_000), ("1h2m3.5s", 3_723_500), ("250ms", 250), ("0", 0), (".5s", 500)]
        {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for text in ["", "x", "5", "-1s", "1d", "1.2.3s", ".s", "s", "1s ", "99999999999999999h"] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for text in ["0", "250m", "64Mi", "1.5Gi", "1e3", "1E", "+1", ".5", "12E-2"] {
            assert!(is_quantity(text), "{text}");
        }
        for text in ["", "64mb", "Mi", "1.2.3", "1 Mi", "e3", "1e", "1e+", "0x1"] {
            assert!(!is_quantity(text), "{text}");
        }
    }
}
