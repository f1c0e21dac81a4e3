//! Time as Go's `time` package has it: formatting and reading by example (`2006-01-02`), durations,
//! and the `time.Time` that Sprig's functions hand around.

mod civil;
mod duration;
mod layout;
mod parse;
mod zone;

use std::any::Any;
use std::rc::Rc;

use civil::Civil;

use super::arg::{Answer, answer, fail, name};
use crate::eval::Scope;
use crate::function::Function;
use crate::host::WallTime;
use crate::value::{IntType, Object, Shape, Type, Value};

pub(super) use duration::{Duration, parse_duration};
pub(super) use parse::parse;
pub(super) use zone::Zone;

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("timestamp", &[Type::String], timestamp).variadic().returns(Type::String)];

/// `time.RFC3339`
pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

/// `time.RFC3339Nano`
const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

/// How `time.Time` prints.
const STRING: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

/// A point in time and the zone it is seen from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::functions) struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub(super) seconds: i64,
    /// Nanoseconds within the second.
    pub(super) nanoseconds: u32,
    /// Where it is seen from.
    pub(super) zone: Zone,
}

/// Go's zero time is the first instant of the year 1.
impl Default for Time {
    fn default() -> Self {
        Self { seconds: -62_135_596_800, nanoseconds: 0, zone: Zone::Utc }
    }
}

/// In UTC.
impl From<WallTime> for Time {
    fn from(moment: WallTime) -> Self {
        Self { seconds: moment.seconds, nanoseconds: moment.nanoseconds, zone: Zone::Utc }
    }
}

impl Time {
    /// Returns the instant `seconds` after the beginning of 1970, in UTC.
    pub(super) const fn unix(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0, zone: Zone::Utc }
    }

    /// Returns the same instant seen from another zone.
    pub(super) fn seen_from(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Returns the instant `duration` later. The result stops at the ends of time.
    pub(super) fn plus(self, duration: Duration) -> Self {
        let nanoseconds =
            i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds) + i128::from(duration.0);
        let seconds = nanoseconds.div_euclid(1_000_000_000);
        let rest = nanoseconds.rem_euclid(1_000_000_000);
        Self {
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            nanoseconds: u32::try_from(rest).unwrap_or_default(),
            zone: self.zone,
        }
    }

    /// Returns how long after `earlier` this instant is.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        let seconds = i128::from(self.seconds) - i128::from(earlier.seconds);
        let nanoseconds =
            seconds * 1_000_000_000 + i128::from(self.nanoseconds) - i128::from(earlier.nanoseconds);
        Duration(i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Formats by a layout.
    pub(super) fn format(&self, layout: &[u8]) -> Vec<u8> {
        layout::format(self, layout)
    }

    /// Formats the time as JSON and YAML have it.
    pub(super) fn rfc3339_nano(&self) -> String {
        String::from_utf8(self.format(RFC3339_NANO.as_bytes())).unwrap_or_default()
    }

    fn civil(&self) -> Civil {
        Civil::of(self)
    }
}

static SHAPE: Shape = Shape { name: "time.Time", pointer: false, fields: &[], methods: METHODS };

static METHODS: &[Function] = &[
    Function::new("Add", &[Type::INT64], |_, args| {
        of(args, |time| value(time.plus(Duration(super::arg::int(args, 1)))))
    })
    .returns(Type::Struct("time.Time")),
    Function::new("Day", &[], |_, args| of(args, |time| Value::int(time.civil().day))).returns(Type::INT),
    Function::new("Format", &[Type::String], |_, args| match receiver(args) {
        Some(time) => answer(&time.format(super::arg::text(args, 1))),
        None => Ok(Value::Nil),
    })
    .returns(Type::String),
    Function::new("Hour", &[], |_, args| of(args, |time| Value::int(time.civil().hour))).returns(Type::INT),
    Function::new("IsZero", &[], |_, args| {
        of(args, |time| Value::Bool(time.seconds == Time::default().seconds && time.nanoseconds == 0))
    })
    .returns(Type::Bool),
    Function::new("Minute", &[], |_, args| of(args, |time| Value::int(time.civil().minute)))
        .returns(Type::INT),
    Function::new("Month", &[], |_, args| of(args, |time| word(IntType::Month, time.civil().month)))
        .returns(Type::Int(IntType::Month)),
    Function::new("Nanosecond", &[], |_, args| of(args, |time| Value::int(time.nanoseconds.into())))
        .returns(Type::INT),
    Function::new("Second", &[], |_, args| of(args, |time| Value::int(time.civil().second)))
        .returns(Type::INT),
    Function::new("String", &[], |_, args| of(args, |time| Value::text(time.format(STRING.as_bytes()))))
        .returns(Type::String),
    Function::new("UTC", &[], |_, args| of(args, |time| value(time.seen_from(Zone::Utc))))
        .returns(Type::Struct("time.Time")),
    Function::new("Unix", &[], |_, args| of(args, |time| Value::int64(time.seconds))).returns(Type::INT64),
    Function::new("UnixMilli", &[], |_, args| {
        of(args, |time| {
            Value::int64(time.seconds.wrapping_mul(1_000).wrapping_add((time.nanoseconds / 1_000_000).into()))
        })
    })
    .returns(Type::INT64),
    Function::new("UnixNano", &[], |_, args| {
        of(args, |time| {
            Value::int64(time.seconds.wrapping_mul(1_000_000_000).wrapping_add(time.nanoseconds.into()))
        })
    })
    .returns(Type::INT64),
    Function::new("Weekday", &[], |_, args| of(args, |time| word(IntType::Weekday, time.civil().week_day)))
        .returns(Type::Int(IntType::Weekday)),
    Function::new("Year", &[], |_, args| of(args, |time| Value::int(time.civil().year))).returns(Type::INT),
    Function::new("YearDay", &[], |_, args| of(args, |time| Value::int(time.civil().year_day)))
        .returns(Type::INT),
];

/// Makes a value of a month or a day of the week.
fn word(of: IntType, number: usize) -> Value {
    Value::Int(of, i64::try_from(number).unwrap_or_default())
}

impl Object for Time {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn field(&self, _: usize) -> Value {
        Value::Nil
    }

    fn text(&self) -> Option<leasehold_base::secret::Secret> {
        Some(self.format(STRING.as_bytes()).into())
    }

    fn encoded(&self) -> Option<String> {
        Some(self.rfc3339_nano())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Makes a value of a time.
pub(super) fn value(time: Time) -> Value {
    Value::Object(Rc::new(time))
}

/// Returns the time of a value that is one.
pub(super) fn time_of(value: &Value) -> Option<Time> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref::<Time>().cloned(),
        _ => None,
    }
}

fn receiver(args: &[Value]) -> Option<Time> {
    args.first().and_then(time_of)
}

fn of(args: &[Value], answer: impl Fn(Time) -> Value) -> Answer {
    Ok(receiver(args).map_or(Value::Nil, answer))
}

/// Returns the current time in UTC: `timestamp [layout]`. Without a layout, the format is RFC 3339. The layout `unix`
/// stands for the seconds since 1970.
fn timestamp(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let now = Time::from(scope.host().now());
    match args {
        [] => answer(&now.format(RFC3339.as_bytes())),
        [_] if name(args, 0) == "unix" => answer(now.seconds.to_string().as_bytes()),
        [_] => answer(&now.format(super::arg::text(args, 0))),
        _ => fail(format!("timestamp: wrong number of arguments, expected 0 or 1, but got {}", args.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_seen_from_their_zone() {
        let zone = Zone::Fixed { offset: 5400, name: "".into() };
        let time = Time { seconds: 1_700_000_000, nanoseconds: 120_000_000, zone };
        for (layout, text) in [
            (RFC3339, "2023-11-14T23:43:20+01:30"),
            (RFC3339_NANO, "2023-11-14T23:43:20.12+01:30"),
            ("Mon Jan _2 15:04:05.000 -0700 2006", "Tue Nov 14 23:43:20.120 +0130 2023"),
            ("Monday, January 2, 3:4:5PM 06 MST 002", "Tuesday, November 14, 11:43:20PM 23 +0130 318"),
            ("Januar Month .999999 ,99 Z07 20061", "Januar Month .12 ,12 +01 202311"),
        ] {
            assert_eq!(time.format(layout.as_bytes()), text.as_bytes(), "{layout}");
        }
    }

    #[test]
    fn a_fraction_may_be_longer_than_a_format_s_width() {
        let layout = format!("15:04:05.{}", "0".repeat(70_000));
        let text = Time::unix(0).format(layout.as_bytes());
        assert_eq!(text, format!("00:00:00.{}", "0".repeat(70_000)).as_bytes());
    }

    #[test]
    fn adding_goes_past_seconds_and_stays_in_the_zone() {
        let zone = Zone::Fixed { offset: 60, name: "LMT".into() };
        let time = Time { seconds: -1, nanoseconds: 500_000_000, zone: zone.clone() };
        assert_eq!(
            time.clone().plus(Duration(-600_000_000)),
            Time { seconds: -2, nanoseconds: 900_000_000, zone }
        );
        assert_eq!(time.since(&Time::unix(0)), Duration(-500_000_000));
    }

    #[test]
    fn the_zero_time_is_the_first_instant_of_the_year_one() {
        assert_eq!(Time::default().rfc3339_nano(), "0001-01-01T00:00:00Z");
    }
}
