//! Reads single values as people write them: durations, modes, signals. Each error says how to write the value.

use std::fmt;
use std::time::Duration;

use super::signals;

/// The longest duration. A longer one is never meant, and sums with the clock could overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A value that is not written as its kind asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadScalar {
    /// The problem. It does not repeat the value.
    pub(super) message: String,
    /// The right way to write the value.
    pub(super) hint: String,
}

impl fmt::Display for BadScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl std::error::Error for BadScalar {}

fn bad<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, BadScalar> {
    Err(BadScalar { message: message.into(), hint: hint.into() })
}

/// Reads a duration in humantime's words: `30s`, `1h 30m`.
pub(super) fn duration(text: &str) -> Result<Duration, BadScalar> {
    const EXAMPLE: &str = "write it like 30s, 5m, 1h30m or 250ms";
    if text.trim().parse::<f64>().is_ok() && text.trim() != "0" {
        return bad("a duration without a unit", EXAMPLE);
    }
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if duration > LONGEST => bad("a duration longer than ten years", EXAMPLE),
        Ok(duration) => Ok(duration),
        Err(_) => bad("not a duration", EXAMPLE),
    }
}

/// Reads permission bits in octal: `0440`, `440` or `0o440`.
pub(super) fn mode(text: &str) -> Result<u32, BadScalar> {
    const EXAMPLE: &str = "write octal digits in quotes, like \"0440\"";
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| matches!(b, b'0'..=b'7'));
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if octal && mode <= 0o7777 => Ok(mode),
        _ => bad("not a file mode", EXAMPLE),
    }
}

/// Returns the number of a signal: `HUP`, `SIGHUP`, or the number itself.
pub(super) fn signal(text: &str) -> Result<i32, BadScalar> {
    const EXAMPLE: &str = "write a name like HUP or SIGUSR1, or a number from 1 to 64";
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) { Ok(number) } else { bad("not a signal's number", EXAMPLE) };
    }
    let upper = text.to_ascii_uppercase();
    signals::number(upper.strip_prefix("SIG").unwrap_or(&upper))
        .map_or_else(|| bad("not a signal", EXAMPLE), Ok)
}

/// Reads the deadline that a command line gives, by the rules of `init.timeout`.
///
/// # Errors
/// What is wrong, and how to write it.
pub fn deadline(text: &str) -> Result<Duration, BadScalar> {
    match duration(text) {
        Ok(time) if time < Duration::from_secs(1) => bad("too short to log in", "use a second or more"),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_of_a_command_line_follows_the_rules_of_the_key() {
        assert_eq!(deadline("2m"), Ok(Duration::from_secs(120)));
        for (text, words) in
            [("0s", "too short to log in; "), ("11y", "longer than ten years; "), ("2x", "not a duration; ")]
        {
            let why = deadline(text).expect_err("refused").to_string();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn durations_need_a_unit_and_an_end() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for (text, message) in [
            ("30", "a duration without a unit"),
            ("1.5", "a duration without a unit"),
            ("5 minuets", "not a duration"),
            ("", "not a duration"),
            ("-5s", "not a duration"),
            ("99999999999999999999y", "not a duration"),
            ("11y", "a duration longer than ten years"),
        ] {
            assert_eq!(duration(text).expect_err(text).message, message, "{text}");
        }
    }

    #[test]
    fn modes_are_octal_whatever_their_prefix() {
        for text in ["0440", "440", "0o440", "00440"] {
            assert_eq!(mode(text), Ok(0o440), "{text}");
        }
        for text in ["", "0480", "rw-r-----", "+440", "010000", "0x120", "-440"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["HUP", "SIGHUP", "hup", "1"] {
            assert_eq!(signal(text), Ok(1), "{text}");
        }
        for text in ["", "SIG", "RELOAD", "0", "65", "-1", "SIGSIGHUP"] {
            assert!(signal(text).is_err(), "{text}");
        }
    }
}
