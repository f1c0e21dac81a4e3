//! Arithmetic on decimal fractions, so that `addf 0.1 0.2` is 0.3.

use super::convert::float_of;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, fail};
use crate::spell::float;
use crate::value::{Type, Value};

const TWO: &[Type] = &[Type::Interface, Type::Interface];
const FLOAT: Type = Type::Float64;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_add1f", &[Type::Interface], add_one).returns(FLOAT),
    Function::new("sprig_addf", &[Type::Interface], add).variadic().returns(FLOAT),
    Function::new("sprig_divf", TWO, div).variadic().returns(FLOAT),
    Function::new("sprig_mulf", TWO, mul).variadic().returns(FLOAT),
    Function::new("sprig_subf", TWO, sub).variadic().returns(FLOAT),
];

/// How many places a quotient has.
const PLACES: i32 = 16;

/// `digits * 10^exponent`
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    const ZERO: Self = Self { digits: 0, exponent: 0 };

    /// Returns the decimal with the fewest digits that reads back as the same float; `None` for a float that is
    /// infinite or no number.
    fn of(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        let mut spelled = Vec::new();
        float::format(number, b'e', None, &mut spelled);
        let spelled = String::from_utf8(spelled).ok()?;
        let (mantissa, exponent) = spelled.split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self { digits, exponent: exponent - i32::try_from(fraction.len()).ok()? })
    }

    fn float(self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or_default()
    }

    /// Returns the digits of the same number with a smaller exponent.
    fn scaled(self, exponent: i32) -> Option<i128> {
        let factor = 10_i128.checked_pow(u32::try_from(self.exponent - exponent).ok()?)?;
        self.digits.checked_mul(factor)
    }

    fn plus(self, other: Self) -> Option<Self> {
        let exponent = match (self.digits, other.digits) {
            (0, _) => return Some(other),
            (_, 0) => return Some(self),
            _ => self.exponent.min(other.exponent),
        };
        let digits = self.scaled(exponent)?.checked_add(other.scaled(exponent)?)?;
        Some(Self { digits, exponent })
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { digits: -other.digits, ..other })
    }

    fn times(self, other: Self) -> Option<Self> {
        let digits = self.digits.checked_mul(other.digits)?;
        Some(Self { digits, exponent: self.exponent + other.exponent })
    }

    /// Divides by `other` to [`PLACES`] places. Halves are rounded away from zero.
    fn over(self, other: Self) -> Option<Self> {
        let shift = self.exponent - other.exponent + PLACES;
        let power = match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(power) => power,
            // Far below the last place.
            None if shift < 0 => return Some(Self::ZERO),
            None => return None,
        };
        let (dividend, divisor) = if shift < 0 {
            (self.digits, other.digits.checked_mul(power)?)
        } else {
            (self.digits.checked_mul(power)?, other.digits)
        };
        let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
        let away = if rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs() {
            dividend.signum() * divisor.signum()
        } else {
            0
        };
        Some(Self { digits: quotient + away, exponent: -PLACES })
    }
}

/// An operation on decimals, and on floats where decimals would have too many digits.
type Operation = (fn(Decimal, Decimal) -> Option<Decimal>, fn(f64, f64) -> f64);

const PLUS: Operation = (Decimal::plus, |a, b| a + b);
const MINUS: Operation = (Decimal::minus, |a, b| a - b);
const TIMES: Operation = (Decimal::times, |a, b| a * b);
const OVER: Operation = (Decimal::over, |a, b| a / b);

fn decimal(number: f64) -> Result<Decimal, FunctionError> {
    Decimal::of(number).map_or_else(|| fail("cannot compute with a float that is no number"), Ok)
}

fn folded(first: f64, rest: &[Value], (exact, rough): Operation) -> Answer {
    let mut result = decimal(first)?;
    for operand in rest.iter().map(float_of) {
        result = match exact(result, decimal(operand)?) {
            Some(result) => result,
            None => decimal(rough(result.float(), operand))?,
        };
    }
    Ok(Value::Float(result.float()))
}

fn add(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    folded(0.0, args, PLUS)
}

fn add_one(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    folded(1.0, args, PLUS)
}

/// Applies the operation to the first argument, with each of the others in turn.
fn from_first(args: &[Value], operation: Operation) -> Answer {
    let Some((first, rest)) = args.split_first() else { return fail("no numbers") };
    folded(float_of(first), rest, operation)
}

fn sub(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    from_first(args, MINUS)
}

fn mul(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    from_first(args, TIMES)
}

fn div(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if args.iter().skip(1).map(float_of).any(|divisor| divisor == 0.0) {
        return fail("decimal division by 0");
    }
    from_first(args, OVER)
}
