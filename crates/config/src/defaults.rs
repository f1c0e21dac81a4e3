//! The values that hold if a configuration leaves a key out: as text for the reference, and as a value for the
//! checks. The compiler makes one of the other.

use std::time::Duration;

use super::signals::SIGTERM;

/// A default.
pub(super) struct Default<T> {
    /// The default as it is written in a configuration.
    pub(super) text: &'static str,
    /// The value that this text means.
    pub(super) value: T,
}

pub(super) const REQUEST: Default<Duration> = time("15s");
pub(super) const MAX_IN_FLIGHT: Default<u32> = Default { text: "8", value: digits("8", 10) };
pub(super) const MODE: Default<u32> = mode("\"0440\"");
pub(super) const DIR_MODE: Default<u32> = mode("\"0750\"");
pub(super) const REFRESH: Default<Duration> = time("5m");
pub(super) const INIT: Default<Duration> = time("2m");
/// The time that Kubernetes waits before it kills.
pub(super) const STOP: Default<Duration> = time("30s");
/// Kubernetes and systemd both stop with this.
pub(super) const STOP_SIGNAL: Default<i32> = Default { text: "TERM", value: SIGTERM };
pub(super) const REQUIRE_TMPFS: Default<bool> = Default { text: "true", value: true };
pub(super) const REVOKE: Default<bool> = Default { text: "true", value: true };

pub(super) const HTTP: Default<Duration> = time("5s");
pub(super) const HOOK: Default<Duration> = time("30s");
/// [`HTTP`] and [`HOOK`], which are the default of one key.
pub(super) const NOTIFIER: &str = "http: 5s, command: 30s";

/// Reads a number of seconds (`s`) or minutes (`m`).
const fn time(text: &'static str) -> Default<Duration> {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit.as_bytes() {
        b"s" => 1,
        b"m" => 60,
        _ => panic!("a default in seconds or minutes"),
    };
    Default { text, value: Duration::from_secs(digits(number, 10) as u64 * seconds) }
}

/// Reads octal digits in quotes.
const fn mode(text: &'static str) -> Default<u32> {
    let (_, inner) = text.split_at(1);
    let (inner, _) = inner.split_at(inner.len() - 1);
    Default { text, value: digits(inner, 8) }
}

const fn digits(text: &str, radix: u32) -> u32 {
    match u32::from_str_radix(text, radix) {
        Ok(number) => number,
        Err(_) => panic!("a default of digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_notifiers_is_that_of_their_kinds() {
        assert_eq!(NOTIFIER, format!("http: {}, command: {}", HTTP.text, HOOK.text));
    }
}
