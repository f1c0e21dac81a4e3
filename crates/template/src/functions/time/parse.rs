//! Reading a time by a layout, as Go's `time.Parse` does.

use super::civil::{day_number, days_in};
use super::layout::{Item, Offset, next};
use super::{Time, Zone};
use crate::value::{DAYS, MONTHS};

/// What was read so far.
struct Parts<'t> {
    year: i64,
    month: i64,
    day: i64,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    /// `Z` or `UTC` was there.
    utc: bool,
    /// Seconds east of UTC, where they were given.
    offset: Option<i32>,
    /// The zone's abbreviation, where one was given.
    zone: &'t str,
}

/// Parses `text` by `layout`. If the text has no zone, the time is that of a clock in `local`. `local` also decides
/// what abbreviations mean.
pub(in crate::functions) fn parse(layout: &str, text: &[u8], local: &Zone) -> Option<Time> {
    let mut parts = Parts {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanoseconds: 0,
        afternoon: None,
        utc: false,
        offset: None,
        zone: "",
    };
    let (mut layout, mut text) = (layout.as_bytes(), text);
    loop {
        let (before, item, rest) = next(layout);
        text = skip(text, before)?;
        let Some(item) = item else { break };
        text = parts.read(item, text, rest)?;
        layout = rest;
    }
    if text.is_empty() { parts.time(local) } else { None }
}

/// Returns `text` without `prefix`; `None` if the text does not begin with it. A run of spaces matches a run of spaces.
fn skip<'a>(mut text: &'a [u8], mut prefix: &[u8]) -> Option<&'a [u8]> {
    while let Some(&first) = prefix.first() {
        if first == b' ' {
            if text.first().is_some_and(|&byte| byte != b' ') {
                return None;
            }
            prefix = &prefix[prefix.iter().take_while(|&&byte| byte == b' ').count()..];
            text = &text[text.iter().take_while(|&&byte| byte == b' ').count()..];
            continue;
        }
        text = text.strip_prefix(&[first])?;
        prefix = &prefix[1..];
    }
    Some(text)
}

/// Reads a number of one or two digits. If `fixed` is true, there must be two.
fn two(text: &[u8], fixed: bool) -> Option<(i64, &[u8])> {
    let digits = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || fixed && digits < 2 { None } else { number(text, digits) }
}

fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    if !head.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((std::str::from_utf8(head).ok()?.parse().ok()?, rest))
}

fn named<'a>(text: &'a [u8], names: &[&str], short: bool) -> Option<(usize, &'a [u8])> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        let (head, rest) = text.split_at_checked(name.len())?;
        head.eq_ignore_ascii_case(name.as_bytes()).then_some((index, rest))
    })
}

impl<'t> Parts<'t> {
    fn read(&mut self, item: Item, text: &'t [u8], layout: &[u8]) -> Option<&'t [u8]> {
        let (value, rest) = match item {
            Item::MonthName | Item::MonthAbbreviated => {
                let (index, rest) = named(text, &MONTHS, item == Item::MonthAbbreviated)?;
                self.month = i64::try_from(index).ok()? + 1;
                return Some(rest);
            }
            Item::WeekDay | Item::WeekDayAbbreviated => {
                return named(text, &DAYS, item == Item::WeekDayAbbreviated).map(|(_, rest)| rest);
            }
            Item::Year => number(text, 4)?,
            Item::YearShort => number(text, 2)?,
            Item::YearDayUnder => {
                let spaces = text.iter().take(2).take_while(|&&byte| byte == b' ').count();
                let text = &text[spaces..];
                let digits = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                number(text, digits.max(1))?
            }
            Item::YearDayZero => number(text, 3)?,
            Item::DayUnder => two(text.strip_prefix(b" ").unwrap_or(text), false)?,
            Item::MonthZero | Item::DayZero | Item::Hour12Zero | Item::MinuteZero | Item::SecondZero => {
                two(text, true)?
            }
            Item::Month | Item::Day | Item::Hour | Item::Hour12 | Item::Minute | Item::Second => {
                two(text, false)?
            }
            Item::HalfUpper | Item::HalfLower => return self.half(item, text),
            Item::Zone => return self.zone(text),
            Item::Offset(style) => return self.offset(style, text),
            Item::Fraction { digits, trimmed, .. } => return self.fraction(digits, trimmed, text),
        };
        self.set(item, value)?;
        if matches!(item, Item::Second | Item::SecondZero) {
            return self.unannounced_fraction(rest, layout);
        }
        Some(rest)
    }

    fn set(&mut self, item: Item, value: i64) -> Option<()> {
        let (place, limits) = match item {
            Item::Year => (&mut self.year, 0..=9999),
            Item::YearShort => {
                self.year = if value >= 69 { 1900 + value } else { 2000 + value };
                return Some(());
            }
            Item::YearDayUnder | Item::YearDayZero => {
                self.year_day = Some(value);
                return (1..=366).contains(&value).then_some(());
            }
            Item::Month | Item::MonthZero => (&mut self.month, 1..=12),
            Item::Day | Item::DayZero | Item::DayUnder => (&mut self.day, 1..=31),
            Item::Hour => (&mut self.hour, 0..=23),
            Item::Hour12 | Item::Hour12Zero => (&mut self.hour, 0..=12),
            Item::Minute | Item::MinuteZero => (&mut self.minute, 0..=59),
            _ => (&mut self.second, 0..=59),
        };
        *place = value;
        limits.contains(&value).then_some(())
    }

    fn half(&mut self, item: Item, text: &'t [u8]) -> Option<&'t [u8]> {
        let (head, rest) = text.split_at_checked(2)?;
        let afternoon = if item == Item::HalfUpper { [b"PM", b"AM"] } else { [b"pm", b"am"] };
        self.afternoon = Some(head == afternoon[0]);
        (head == afternoon[0] || head == afternoon[1]).then_some(rest)
    }

    fn offset(&mut self, style: Offset, text: &'t [u8]) -> Option<&'t [u8]> {
        if style.z
            && let Some(rest) = text.strip_prefix(b"Z")
        {
            self.utc = true;
            return Some(rest);
        }
        let (sign, text) = text.split_first()?;
        let sign = match sign {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, mut text) = number(text, 2)?;
        let mut seconds = hours * 3600;
        for (there, unit) in [(style.minutes, 60), (style.seconds, 1)] {
            if there {
                if style.colon {
                    text = text.strip_prefix(b":")?;
                }
                let (value, rest) = number(text, 2)?;
                seconds += value * unit;
                text = rest;
            }
        }
        self.offset = Some(i32::try_from(sign * seconds).ok()?);
        Some(text)
    }

    fn fraction(&mut self, digits: usize, trimmed: bool, text: &'t [u8]) -> Option<&'t [u8]> {
        if !text.first().is_some_and(|byte| matches!(byte, b'.' | b',')) {
            return trimmed.then_some(text);
        }
        let found = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if trimmed {
            return if found == 0 { Some(text) } else { self.nanoseconds(text, found.min(9)) };
        }
        if found < digits {
            return None;
        }
        // What is finer than nanoseconds is read, and does not count.
        self.nanoseconds(text, digits.min(9)).map(|_| &text[1 + digits..])
    }

    /// Reads a fraction of a second that the layout does not mention, if the text has one.
    fn unannounced_fraction(&mut self, text: &'t [u8], layout: &[u8]) -> Option<&'t [u8]> {
        let announced = matches!(next(layout), (b"", Some(Item::Fraction { .. }), _));
        let starts = matches!(text, [b'.' | b',', digit, ..] if digit.is_ascii_digit());
        if announced || !starts {
            return Some(text);
        }
        let found = text[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = &text[1 + found..];
        self.nanoseconds(text, found.min(9)).map(|_| rest)
    }

    fn nanoseconds(&mut self, text: &'t [u8], digits: usize) -> Option<&'t [u8]> {
        let (value, rest) = number(&text[1..], digits)?;
        let scale = 10_i64.pow(u32::try_from(9_usize.checked_sub(digits)?).ok()?);
        self.nanoseconds = u32::try_from(value * scale).ok()?;
        Some(rest)
    }

    fn time(mut self, local: &Zone) -> Option<Time> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        if let Some(year_day) = self.year_day {
            let number = day_number(self.year, 1, 1) + year_day - 1;
            return Some(self.at(number, local));
        }
        if self.day > days_in(self.year, self.month) {
            return None;
        }
        let number = day_number(self.year, self.month, self.day);
        Some(self.at(number, local))
    }

    /// Reads a zone by its abbreviation.
    fn zone(&mut self, text: &'t [u8]) -> Option<&'t [u8]> {
        if let Some(rest) = text.strip_prefix(b"UTC") {
            self.utc = true;
            return Some(rest);
        }
        let (name, rest) = text.split_at(abbreviation(text)?);
        self.zone = std::str::from_utf8(name).ok()?;
        Some(rest)
    }

    /// Returns the instant at which clocks show what was read, in the zone that it is seen from, by Go's rules.
    fn at(&self, day: i64, local: &Zone) -> Time {
        let shown = day * 86_400 + self.hour * 3600 + self.minute * 60 + self.second;
        let fixed = |offset| Zone::Fixed { offset, name: self.zone.into() };
        let (seconds, zone) = if self.utc {
            (shown, Zone::Utc)
        } else if let Some(offset) = self.offset {
            let seconds = shown - i64::from(offset);
            let (here, name) = local.at(seconds);
            let at_home = here == offset && (self.zone.is_empty() || self.zone == name);
            (seconds, if at_home { local.clone() } else { fixed(offset) })
        } else if self.zone.is_empty() {
            (shown - i64::from(local.offset_of_clock(shown)), local.clone())
        } else if let Some(offset) = local.offset_called(self.zone, shown) {
            (shown - i64::from(offset), local.clone())
        } else {
            // The offset is unknown, and Go takes the clock for UTC's. An abbreviation like GMT+3 sets the offset that is shown.
            let hours = self.zone.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok());
            (shown, fixed(hours.unwrap_or_default() * 3600))
        };
        Time { seconds, nanoseconds: self.nanoseconds, zone }
    }
}

/// Returns the length of the abbreviation of a zone at the beginning of `text`. An abbreviation is three capitals, or
/// four or five capitals that end in `T`. Others are `WITA`, `ChST`, `MeST`, `GMT+3` and `+03`.
fn abbreviation(text: &[u8]) -> Option<usize> {
    let capitals = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match (text.get(..3)?, capitals) {
        (b"ChS" | b"MeS", _) if text.get(3) == Some(&b'T') => Some(4),
        (b"GMT", _) => Some(3 + signed_hours(&text[3..]).unwrap_or(0)),
        ([b'+' | b'-', ..], _) => signed_hours(text),
        (_, 3) => Some(3),
        (_, 4) if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        (_, 5) if text[4] == b'T' => Some(5),
        _ => None,
    }
}

/// Returns the length of signed hours such as `+3` or `-11` at the beginning of `text`. The hours go up to 23.
fn signed_hours(text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-"))?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let hours: u32 = std::str::from_utf8(&digits[..count]).ok()?.parse().ok()?;
    (hours <= 23).then_some(1 + count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::time::RFC3339;

    #[test]
    fn times_are_read_by_their_layout() {
        for (layout, text, seconds) in [
            (RFC3339, "2023-11-14T22:13:20Z", Some(1_700_000_000)),
            (RFC3339, "2023-11-14T23:43:20.5+01:30", Some(1_700_000_000)),
            ("2006-01-02", "2024-02-29", Some(1_709_164_800)),
            ("2006-01-02", "2023-02-29", None),
            ("2006-01-02", "2023-2-9", None),
            ("2006-1-2", "2023-2-9", Some(1_675_900_800)),
            ("Jan 2 2006 3:04 PM", "nov 14 2023 10:13 PM", Some(1_699_999_980)),
            ("02 Jan 06 15:04 MST", "14 Nov 23 22:13 UTC", Some(1_699_999_980)),
            ("2006-01-02", "2024-02-29 ", None),
            (RFC3339, "2023-11-14T24:13:20Z", None),
            ("2006 \n01", "2020 \n05", Some(1_588_291_200)),
            ("2006 01", "2020\t05", None),
            ("2006-01-02 15:04:05.000000000000", "2020-05-01 00:00:01.123456789012", Some(1_588_291_201)),
            ("2006-002", "2020-122", Some(1_588_291_200)),
            ("2006 __2", "2020  32", Some(1_580_515_200)),
            ("2006 __2", "2020   5", Some(1_578_182_400)),
            ("2006 __2", "2020    ", None),
        ] {
            assert_eq!(
                parse(layout, text.as_bytes(), &Zone::Utc).map(|time| time.seconds),
                seconds,
                "{text}"
            );
        }
    }
}
