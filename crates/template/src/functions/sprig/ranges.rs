//! Whole numbers and floats: conversion, arithmetic, rows of numbers.

use super::convert::{float_of, int_of, printed};
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, any, fail, int, text};
use crate::value::{List, Type, Value};

const ANY: Type = Type::Interface;
const INT: Type = Type::INT;
const INT64: Type = Type::INT64;
const FLOAT: Type = Type::Float64;
const INTS: Type = Type::Slice(&Type::INT);

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_add", &[ANY], add).variadic().returns(INT64),
    Function::new("sprig_add1", &[ANY], add_one).returns(INT64),
    Function::new("sprig_atoi", &[Type::String], atoi).returns(INT),
    Function::new("sprig_biggest", &[ANY, ANY], max).variadic().returns(INT64),
    Function::new("sprig_ceil", &[ANY], |_, args| Ok(Value::Float(float_of(any(args, 0)).ceil())))
        .returns(FLOAT),
    Function::new("sprig_div", &[ANY; 2], div).returns(INT64),
    Function::new("sprig_float64", &[ANY], |_, args| Ok(Value::Float(float_of(any(args, 0))))).returns(FLOAT),
    Function::new("sprig_floor", &[ANY], |_, args| Ok(Value::Float(float_of(any(args, 0)).floor())))
        .returns(FLOAT),
    Function::new("sprig_int", &[ANY], |_, args| Ok(Value::int(int_of(any(args, 0))))).returns(INT),
    Function::new("sprig_int64", &[ANY], |_, args| Ok(Value::int64(int_of(any(args, 0))))).returns(INT64),
    Function::new("sprig_max", &[ANY, ANY], max).variadic().returns(INT64),
    Function::new("sprig_maxf", &[ANY, ANY], max_float).variadic().returns(FLOAT),
    Function::new("sprig_min", &[ANY, ANY], min).variadic().returns(INT64),
    Function::new("sprig_minf", &[ANY, ANY], min_float).variadic().returns(FLOAT),
    Function::new("sprig_mod", &[ANY; 2], modulo).returns(INT64),
    Function::new("sprig_mul", &[ANY, ANY], mul).variadic().returns(INT64),
    Function::new("sprig_round", &[ANY, INT, FLOAT], round).variadic().returns(FLOAT),
    Function::new("sprig_seq", &[INT], seq).variadic().returns(Type::String),
    Function::new("sprig_sub", &[ANY; 2], sub).returns(INT64),
    Function::new("sprig_toDecimal", &[ANY], from_octal).returns(INT64),
    Function::new("sprig_until", &[INT], until).returns(INTS),
    Function::new("sprig_untilStep", &[INT; 3], until_step).returns(INTS),
];

fn add(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(args.iter().map(int_of).fold(0, i64::wrapping_add)))
}

fn add_one(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(int_of(any(args, 0)).wrapping_add(1)))
}

fn sub(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(int_of(any(args, 0)).wrapping_sub(int_of(any(args, 1)))))
}

fn mul(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(args.iter().map(int_of).fold(1, i64::wrapping_mul)))
}

fn div(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match int_of(any(args, 1)) {
        0 => fail("integer divide by zero"),
        divisor => Ok(Value::int64(int_of(any(args, 0)).wrapping_div(divisor))),
    }
}

fn modulo(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match int_of(any(args, 1)) {
        0 => fail("integer divide by zero"),
        divisor => Ok(Value::int64(int_of(any(args, 0)).wrapping_rem(divisor))),
    }
}

fn max(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(args.iter().map(int_of).max().unwrap_or_default()))
}

fn min(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::int64(args.iter().map(int_of).min().unwrap_or_default()))
}

/// Chooses a number as Go's `math.Max` and `math.Min` do. A value that is no number wins over all but the `farthest`.
fn chosen(args: &[Value], farthest: f64, choose: fn(f64, f64) -> f64) -> Answer {
    let of_two = |a: f64, b: f64| match (a, b) {
        (a, b) if a.total_cmp(&farthest).is_eq() || b.total_cmp(&farthest).is_eq() => farthest,
        (a, b) if a.is_nan() || b.is_nan() => f64::NAN,
        (a, b) => choose(a, b),
    };
    let first = float_of(any(args, 0));
    Ok(Value::Float(args.iter().skip(1).map(float_of).fold(first, of_two)))
}

fn max_float(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    chosen(args, f64::INFINITY, f64::max)
}

fn min_float(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    chosen(args, f64::NEG_INFINITY, f64::min)
}

/// Rounds a number: `round number places [from]`. It is rounded up if the rest is at least `from`, which is a half
/// unless given.
fn round(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let from = if args.len() > 2 { float_of(any(args, 2)) } else { 0.5 };
    let scale = 10_f64.powf(float_of(any(args, 1)));
    let shifted = scale * float_of(any(args, 0));
    let rounded = if shifted.fract() >= from { shifted.ceil() } else { shifted.floor() };
    Ok(Value::Float(rounded / scale))
}

/// Parses a whole number. A number that does not fit becomes the nearest number that does. A text that is no number
/// becomes 0.
fn atoi(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let text = text(args, 0);
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok(Value::int(0));
    }
    let farthest = if text.starts_with(b"-") { i64::MIN } else { i64::MAX };
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    Ok(Value::int(parsed.unwrap_or(farthest)))
}

/// Parses an octal number, for `toDecimal`.
fn from_octal(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let shown = printed(scope, any(args, 0))?;
    let number = shown.expose_str().and_then(|text| i64::from_str_radix(text, 8).ok());
    Ok(Value::int64(number.unwrap_or_default()))
}

/// Returns the numbers from `start`, up or down to but not including `stop`.
fn numbers(scope: &mut Scope<'_, '_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, FunctionError> {
    if step == 0 || (stop < start) != (step < 0) {
        return Ok(Vec::new());
    }
    let distance = stop.abs_diff(start);
    let count = usize::try_from(distance.div_ceil(step.unsigned_abs())).unwrap_or(usize::MAX);
    scope.spend(count.saturating_mul(size_of::<Value>()))?;
    Ok(std::iter::successors(Some(start), |number| number.checked_add(step)).take(count).collect())
}

fn list(numbers: Vec<i64>) -> Value {
    Value::List(List::new(INT, numbers.into_iter().map(Value::int).collect()))
}

fn until(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let stop = int(args, 0);
    numbers(scope, 0, stop, if stop < 0 { -1 } else { 1 }).map(list)
}

/// Returns a list of the numbers from `start`, up or down to but not including `stop`: `untilStep start stop step`.
fn until_step(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    numbers(scope, int(args, 0), int(args, 1), int(args, 2)).map(list)
}

/// Returns the numbers up to and including `end`, with spaces between them: `seq [start [step]] end`.
fn seq(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (start, step, end) = match args.len() {
        1 => (1, None, int(args, 0)),
        2 => (int(args, 0), None, int(args, 1)),
        3 => (int(args, 0), Some(int(args, 1)), int(args, 2)),
        _ => return Ok(Value::text("")),
    };
    let direction = if end < start { -1 } else { 1 };
    if direction < 0 && step.is_some_and(|step| step > 0) {
        return Ok(Value::text(""));
    }
    let numbers = numbers(scope, start, end.saturating_add(direction), step.unwrap_or(direction))?;
    let shown: Vec<String> = numbers.iter().map(i64::to_string).collect();
    Ok(Value::text(shown.join(" ")))
}
