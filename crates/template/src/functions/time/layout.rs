//! Go's layouts: a time is shown as the reference time `Mon Jan 2 15:04:05 MST 2006` is written in
//! the layout.

use super::Time;
use super::civil::Civil;
use crate::value::{DAYS, MONTHS};

/// One element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    MonthName,
    MonthAbbreviated,
    Month,
    MonthZero,
    WeekDay,
    WeekDayAbbreviated,
    Day,
    DayUnder,
    DayZero,
    YearDayUnder,
    YearDayZero,
    Hour,
    Hour12,
    Hour12Zero,
    Minute,
    MinuteZero,
    Second,
    SecondZero,
    Year,
    YearShort,
    HalfUpper,
    HalfLower,
    Zone,
    /// A numeric zone.
    Offset(Offset),
    /// A fraction of a second with its separator, so many digits, kept or cut of trailing zeros.
    Fraction {
        separator: u8,
        digits: usize,
        trimmed: bool,
    },
}

/// How a numeric zone is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// True if UTC is written as `Z`.
    pub(super) z: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
    pub(super) colon: bool,
}

/// Splits off the first element: what stands before it, the element, and the rest.
pub(super) fn next(layout: &[u8]) -> (&[u8], Option<Item>, &[u8]) {
    for at in 0..layout.len() {
        if let Some((before, item, len)) = item_at(&layout[at..]) {
            return (&layout[..at + before], Some(item), &layout[at + before + len..]);
        }
    }
    (layout, None, &[])
}

/// Returns the element that `rest` begins with: how many bytes to leave before it, the element, and its length.
fn item_at(rest: &[u8]) -> Option<(usize, Item, usize)> {
    let fixed = |text: &[u8]| rest.starts_with(text);
    let item = match rest[0] {
        b'J' if fixed(b"January") => (Item::MonthName, 7),
        b'J' if fixed(b"Jan") && !lower_follows(rest) => (Item::MonthAbbreviated, 3),
        b'M' if fixed(b"Monday") => (Item::WeekDay, 6),
        b'M' if fixed(b"Mon") && !lower_follows(rest) => (Item::WeekDayAbbreviated, 3),
        b'M' if fixed(b"MST") => (Item::Zone, 3),
        b'0' if fixed(b"01") => (Item::MonthZero, 2),
        b'0' if fixed(b"02") => (Item::DayZero, 2),
        b'0' if fixed(b"03") => (Item::Hour12Zero, 2),
        b'0' if fixed(b"04") => (Item::MinuteZero, 2),
        b'0' if fixed(b"05") => (Item::SecondZero, 2),
        b'0' if fixed(b"06") => (Item::YearShort, 2),
        b'0' if fixed(b"002") => (Item::YearDayZero, 3),
        b'1' if fixed(b"15") => (Item::Hour, 2),
        b'1' => (Item::Month, 1),
        b'2' if fixed(b"2006") => (Item::Year, 4),
        b'2' => (Item::Day, 1),
        b'_' if fixed(b"_2006") => return Some((1, Item::Year, 4)),
        b'_' if fixed(b"_2") => (Item::DayUnder, 2),
        b'_' if fixed(b"__2") => (Item::YearDayUnder, 3),
        b'3' => (Item::Hour12, 1),
        b'4' => (Item::Minute, 1),
        b'5' => (Item::Second, 1),
        b'P' if fixed(b"PM") => (Item::HalfUpper, 2),
        b'p' if fixed(b"pm") => (Item::HalfLower, 2),
        b'-' | b'Z' => offset_at(rest)?,
        b'.' | b',' => fraction_at(rest)?,
        _ => return None,
    };
    Some((0, item.0, item.1))
}

fn lower_follows(rest: &[u8]) -> bool {
    rest.get(3).is_some_and(u8::is_ascii_lowercase)
}

fn offset_at(rest: &[u8]) -> Option<(Item, usize)> {
    let z = rest[0] == b'Z';
    let digits = &rest[1..];
    let (minutes, seconds, colon, len) = if digits.starts_with(b"070000") {
        (true, true, false, 7)
    } else if digits.starts_with(b"07:00:00") {
        (true, true, true, 9)
    } else if digits.starts_with(b"0700") {
        (true, false, false, 5)
    } else if digits.starts_with(b"07:00") {
        (true, false, true, 6)
    } else if digits.starts_with(b"07") {
        (false, false, false, 3)
    } else {
        return None;
    };
    Some((Item::Offset(Offset { z, minutes, seconds, colon }), len))
}

fn fraction_at(rest: &[u8]) -> Option<(Item, usize)> {
    let digit = *rest.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = rest[1..].iter().take_while(|&&byte| byte == digit).count();
    if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((Item::Fraction { separator: rest[0], digits, trimmed: digit == b'9' }, 1 + digits))
}

/// Formats `time` by `layout`.
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let civil = Civil::of(time);
    let mut out = Vec::with_capacity(layout.len() + 16);
    let mut rest = layout;
    loop {
        let (before, item, after) = next(rest);
        out.extend_from_slice(before);
        let Some(item) = item else { return out };
        push(item, time, &civil, &mut out);
        rest = after;
    }
}

fn push(item: Item, time: &Time, civil: &Civil, out: &mut Vec<u8>) {
    let (east, zone) = time.zone.at(time.seconds);
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    let text = match item {
        Item::MonthName => MONTHS[civil.month - 1].to_owned(),
        Item::MonthAbbreviated => MONTHS[civil.month - 1][..3].to_owned(),
        Item::Month => civil.month.to_string(),
        Item::MonthZero => format!("{:02}", civil.month),
        Item::WeekDay => DAYS[civil.week_day].to_owned(),
        Item::WeekDayAbbreviated => DAYS[civil.week_day][..3].to_owned(),
        Item::Day => civil.day.to_string(),
        Item::DayUnder => format!("{:2}", civil.day),
        Item::DayZero => format!("{:02}", civil.day),
        Item::YearDayUnder => format!("{:3}", civil.year_day),
        Item::YearDayZero => format!("{:03}", civil.year_day),
        Item::Hour => format!("{:02}", civil.hour),
        Item::Hour12 => hour12.to_string(),
        Item::Hour12Zero => format!("{hour12:02}"),
        Item::Minute => civil.minute.to_string(),
        Item::MinuteZero => format!("{:02}", civil.minute),
        Item::Second => civil.second.to_string(),
        Item::SecondZero => format!("{:02}", civil.second),
        Item::Year if civil.year < 0 => format!("-{:04}", -civil.year),
        Item::Year => format!("{:04}", civil.year),
        Item::YearShort => format!("{:02}", civil.year.rem_euclid(100)),
        Item::HalfUpper => (if civil.hour >= 12 { "PM" } else { "AM" }).to_owned(),
        Item::HalfLower => (if civil.hour >= 12 { "pm" } else { "am" }).to_owned(),
        // A zone without a name is shown by its number.
        Item::Zone if !zone.is_empty() => zone.to_owned(),
        Item::Zone => offset(east, Offset { z: false, minutes: true, seconds: false, colon: false }),
        Item::Offset(style) => offset(east, style),
        Item::Fraction { separator, digits, trimmed } => {
            return fraction(time.nanoseconds, separator, digits, trimmed, out);
        }
    };
    out.extend_from_slice(text.as_bytes());
}

fn offset(seconds: i32, style: Offset) -> String {
    if style.z && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.unsigned_abs();
    let colon = if style.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if style.minutes {
        text.push_str(&format!("{colon}{:02}", seconds / 60 % 60));
    }
    if style.seconds {
        text.push_str(&format!("{colon}{:02}", seconds % 60));
    }
    text
}

fn fraction(nanoseconds: u32, separator: u8, digits: usize, trimmed: bool, out: &mut Vec<u8>) {
    let mut all = format!("{nanoseconds:09}");
    // Not by a width of the format: beyond 65,535 that is a panic, and a layout may ask for more.
    all.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
    let mut shown = &all[..digits];
    if trimmed {
        shown = shown.trim_end_matches('0');
        if shown.is_empty() {
            return;
        }
    }
    out.push(separator);
    out.extend_from_slice(shown.as_bytes());
}
