//! Dates and durations. Zones by name come from the machine's time-zone database; where it has none, or
//! does not know the name, the rendering fails: an hour that is wrong is worse than no file.

use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, answer, any, fail, name, text};
use crate::functions::numbers::decimal;
use crate::functions::time::{Duration, Time, Zone, parse, parse_duration, time_of, value};
use crate::value::{IntType, Type, Value};

const ANY: Type = Type::Interface;
const TEXT: Type = Type::String;
const TIME: Type = Type::Struct("time.Time");

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_ago", &[ANY], ago).returns(TEXT),
    Function::new("sprig_date", &[TEXT, ANY], date).returns(TEXT),
    Function::new("sprig_dateInZone", &[TEXT, ANY, TEXT], date_in_zone).returns(TEXT),
    Function::new("sprig_dateModify", &[TEXT, TIME], date_modify).returns(TIME),
    Function::new("sprig_date_in_zone", &[TEXT, ANY, TEXT], date_in_zone).returns(TEXT),
    Function::new("sprig_date_modify", &[TEXT, TIME], date_modify).returns(TIME),
    Function::new("sprig_duration", &[ANY], duration).returns(TEXT),
    Function::new("sprig_durationRound", &[ANY], duration_round).returns(TEXT),
    Function::new("sprig_htmlDate", &[ANY], html_date).returns(TEXT),
    Function::new("sprig_htmlDateInZone", &[ANY, TEXT], html_date_in_zone).returns(TEXT),
    Function::new("sprig_mustDateModify", &[TEXT, TIME], must_date_modify).returns(TIME),
    Function::new("sprig_mustToDate", &[TEXT; 2], must_to_date).returns(TIME),
    Function::new("sprig_must_date_modify", &[TEXT, TIME], must_date_modify).returns(TIME),
    Function::new("sprig_now", &[], |scope, _| Ok(value(now(scope)))).returns(TIME),
    Function::new("sprig_toDate", &[TEXT; 2], to_date).returns(TIME),
    Function::new("sprig_unixEpoch", &[TIME], unix_epoch).returns(TEXT),
];

const HTML: &[u8] = b"2006-01-02";

fn now(scope: &mut Scope<'_, '_>) -> Time {
    let now = Time::from(scope.host().now());
    now.seen_from(Zone::local(scope))
}

/// Returns the instant of a value that is a time or the seconds since 1970; now if the value is neither.
fn instant(scope: &mut Scope<'_, '_>, of: &Value) -> Time {
    match of {
        Value::Int(IntType::Int | IntType::Int32 | IntType::Int64, seconds) => Time::unix(*seconds),
        other => time_of(other).unwrap_or_else(|| now(scope)),
    }
}

fn shown(scope: &mut Scope<'_, '_>, layout: &[u8], date: &Value, in_zone: &str) -> Answer {
    let zone = match in_zone {
        "Local" => Zone::local(scope),
        name => match Zone::named(scope, name) {
            Some(zone) => zone,
            None => return fail("dateInZone: this machine's time-zone database has no zone of that name"),
        },
    };
    answer(&instant(scope, date).seen_from(zone).format(layout))
}

/// Formats a time by a layout: `date layout time`.
fn date(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    shown(scope, text(args, 0), any(args, 1), "Local")
}

/// Formats a time by a layout, in a zone: `dateInZone layout time zone`.
fn date_in_zone(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    shown(scope, text(args, 0), any(args, 1), &name(args, 2))
}

fn html_date(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    shown(scope, HTML, any(args, 0), "Local")
}

fn html_date_in_zone(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    shown(scope, HTML, any(args, 0), &name(args, 1))
}

fn given(args: &[Value], index: usize) -> Time {
    args.get(index).and_then(time_of).unwrap_or_default()
}

/// Moves a time by a duration: `dateModify duration time`. If the text is no duration, the result is the time itself.
fn date_modify(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let time = given(args, 1);
    Ok(value(match parse_duration(&name(args, 0)) {
        Some(duration) => time.plus(duration),
        None => time,
    }))
}

fn must_date_modify(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match parse_duration(&name(args, 0)) {
        Some(duration) => Ok(value(given(args, 1).plus(duration))),
        None => fail("mustDateModify: invalid duration"),
    }
}

/// Parses a date by a layout: `toDate layout text`. A text that is no date becomes the first instant of the year 1.
fn to_date(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    must_to_date(scope, args).or_else(|_| Ok(value(Time::default())))
}

fn must_to_date(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let local = Zone::local(scope);
    match parse(&name(args, 0), text(args, 1), &local) {
        Some(time) => Ok(value(time)),
        None => fail("toDate: the text is no date of this layout"),
    }
}

fn unix_epoch(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(given(args, 0).seconds.to_string()))
}

fn ago(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let passed = now(scope).since(&instant(scope, any(args, 0)));
    Ok(Value::text(passed.rounded_to_seconds().to_string()))
}

/// Prints a number of seconds as a duration. The seconds are an `int64` or a text.
fn duration(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let seconds = match any(args, 0) {
        Value::Text(text) => decimal(text.expose()).unwrap_or_default(),
        Value::Int(IntType::Int64, seconds) => *seconds,
        _ => 0,
    };
    Ok(Value::text(Duration(seconds.wrapping_mul(1_000_000_000)).to_string()))
}

/// Prints a duration in its largest unit only. The duration is a text, nanoseconds as an `int64`, or what has passed
/// since a time.
fn duration_round(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3600 * SECOND;
    let duration = match any(args, 0) {
        Value::Text(_) => parse_duration(&name(args, 0)).map_or(0, |duration| duration.0),
        Value::Int(IntType::Int64, nanoseconds) => *nanoseconds,
        other => time_of(other).map_or(0, |time| now(scope).since(&time).0),
    };
    let size = duration.unsigned_abs();
    let units = [
        (365 * 24 * HOUR, "y"),
        (30 * 24 * HOUR, "mo"),
        (24 * HOUR, "d"),
        (HOUR, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    let largest = units.iter().find(|(unit, _)| size > *unit);
    Ok(Value::text(
        largest.map_or_else(|| "0s".to_owned(), |(unit, letter)| format!("{}{letter}", size / unit)),
    ))
}
