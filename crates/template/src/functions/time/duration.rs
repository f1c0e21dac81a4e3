//! Go's durations: `1h30m0.5s`.

/// A length of time in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::functions) struct Duration(pub(in crate::functions) i64);

/// Nanoseconds of each unit. Both spellings of the micro sign are taken.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `text`; `None` where it is no duration.
pub(in crate::functions) fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(Duration(0));
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|byte: char| !byte.is_ascii_digit() && byte != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail.find(|byte: char| byte.is_ascii_digit() || byte == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *scale)?)?;
        rest = tail;
    }
    let total = if negative { 0_i64.checked_sub_unsigned(total)? } else { i64::try_from(total).ok()? };
    Some(Duration(total))
}

fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanoseconds = whole.checked_mul(scale)?;
    let mut unit = scale as u128;
    let mut part: u128 = 0;
    let mut divisor: u128 = 1;
    for digit in fraction.bytes().take(18) {
        part = part * 10 + u128::from(digit - b'0');
        divisor *= 10;
    }
    unit *= part;
    nanoseconds = nanoseconds.checked_add(u64::try_from(unit / divisor).ok()?)?;
    Some(nanoseconds)
}

impl Duration {
    /// Rounds to the nearest second. Halves are rounded away from zero.
    pub(in crate::functions) const fn rounded_to_seconds(self) -> Self {
        let rest = self.0 % 1_000_000_000;
        let whole = self.0 - rest;
        Self(if rest >= 500_000_000 {
            whole.saturating_add(1_000_000_000)
        } else if rest <= -500_000_000 {
            whole.saturating_sub(1_000_000_000)
        } else {
            whole
        })
    }
}

/// As Go prints it.
impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanoseconds = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (scale, unit) = match nanoseconds {
            0 => return f.write_str("0s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "\u{b5}s"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => {
                let seconds = nanoseconds / 1_000_000_000;
                if seconds >= 3600 {
                    write!(f, "{}h", seconds / 3600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                return write!(f, "{}s", decimal(nanoseconds % 60_000_000_000, 1_000_000_000));
            }
        };
        write!(f, "{}{unit}", decimal(nanoseconds, scale))
    }
}

fn decimal(value: u64, scale: u64) -> String {
    let digits = scale.ilog10() as usize;
    let text = format!("{}.{:0digits$}", value / scale, value % scale);
    let text =
        if digits == 0 { text.split('.').next().unwrap_or_default() } else { text.trim_end_matches('0') };
    text.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_they_are_read() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("-1.5h", "-1h30m0s"),
            ("1h0.25s", "1h0m0.25s"),
            ("100ms", "100ms"),
            ("1500us", "1.5ms"),
            ("3ns", "3ns"),
            ("0", "0s"),
            ("10h", "10h0m0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
        ] {
            assert_eq!(parse_duration(text).map(|duration| duration.to_string()).as_deref(), Some(printed));
        }
        for text in ["", "1", "1x", "h", ".s", "1..2s", "9999999h", "-"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
