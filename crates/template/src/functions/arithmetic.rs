//! Arithmetic on whole numbers and floats of any of Go's sizes.
//!
//! As in Go, the left operand comes last, so that a pipeline can pass it. The types of both operands decide the type of
//! the result: two unsigned integers make an unsigned one, anything with a float makes a float, and all
//! else makes an `int64`. Integers wrap around.

use super::arg::{Answer, any, fail};
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{Type, UintType, Value};

const TWO: &[Type] = &[Type::Interface; 2];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("add", TWO, add),
    Function::new("divide", TWO, divide),
    Function::new("maximum", TWO, maximum),
    Function::new("minimum", TWO, minimum),
    Function::new("modulo", TWO, modulo),
    Function::new("multiply", TWO, multiply),
    Function::new("subtract", TWO, subtract),
];

/// A number of one of Go's three families.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

/// Two numbers, converted to the family of the result.
enum Pair {
    Int(i64, i64),
    Uint(u64, u64),
    Float(f64, f64),
}

impl Number {
    fn of(value: &Value, function: &str) -> Result<Self, FunctionError> {
        match value {
            Value::Int(_, number) => Ok(Self::Int(*number)),
            Value::Uint(_, number) => Ok(Self::Uint(*number)),
            Value::Float(number) => Ok(Self::Float(*number)),
            other => {
                let of = other.type_of().map_or_else(|| "<nil>".to_owned(), |of| of.to_string());
                fail(format!("{function}: unknown type ({of})"))
            }
        }
    }

    const fn value(self) -> Value {
        match self {
            Self::Int(number) => Value::int64(number),
            Self::Uint(number) => Value::Uint(UintType::Uint64, number),
            Self::Float(number) => Value::Float(number),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    const fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Uint(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// Returns the left operand, which is the second argument, and the right one.
fn operands(args: &[Value], function: &str) -> Result<(Number, Number), FunctionError> {
    Ok((Number::of(any(args, 1), function)?, Number::of(any(args, 0), function)?))
}

#[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
const fn pair(left: Number, right: Number) -> Pair {
    match (left, right) {
        (Number::Uint(left), Number::Uint(right)) => Pair::Uint(left, right),
        (Number::Int(left), Number::Int(right)) => Pair::Int(left, right),
        (Number::Int(left), Number::Uint(right)) => Pair::Int(left, right as i64),
        (Number::Uint(left), Number::Int(right)) => Pair::Int(left as i64, right),
        _ => Pair::Float(left.float(), right.float()),
    }
}

fn add(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "add")?;
    Ok(match pair(left, right) {
        Pair::Int(left, right) => Number::Int(left.wrapping_add(right)),
        Pair::Uint(left, right) => Number::Uint(left.wrapping_add(right)),
        Pair::Float(left, right) => Number::Float(left + right),
    }
    .value())
}

fn subtract(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "subtract")?;
    Ok(match pair(left, right) {
        Pair::Int(left, right) => Number::Int(left.wrapping_sub(right)),
        Pair::Uint(left, right) => Number::Uint(left.wrapping_sub(right)),
        Pair::Float(left, right) => Number::Float(left - right),
    }
    .value())
}

fn multiply(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "multiply")?;
    Ok(match pair(left, right) {
        Pair::Int(left, right) => Number::Int(left.wrapping_mul(right)),
        Pair::Uint(left, right) => Number::Uint(left.wrapping_mul(right)),
        Pair::Float(left, right) => Number::Float(left * right),
    }
    .value())
}

fn divide(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "divide")?;
    Ok(match pair(left, right) {
        Pair::Int(_, 0) | Pair::Uint(_, 0) => return fail("integer divide by zero"),
        Pair::Int(left, right) => Number::Int(left.wrapping_div(right)),
        Pair::Uint(left, right) => Number::Uint(left / right),
        Pair::Float(left, right) => Number::Float(left / right),
    }
    .value())
}

fn modulo(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "modulo")?;
    Ok(match pair(left, right) {
        Pair::Int(_, 0) | Pair::Uint(_, 0) => return fail("integer divide by zero"),
        Pair::Int(left, right) => Number::Int(left.wrapping_rem(right)),
        Pair::Uint(left, right) => Number::Uint(left % right),
        Pair::Float(..) => return fail("modulo: unknown type (float64)"),
    }
    .value())
}

fn minimum(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "minimum")?;
    let less = match pair(left, right) {
        Pair::Int(left, right) => left < right,
        Pair::Uint(left, right) => left < right,
        Pair::Float(left, right) => left < right,
    };
    Ok(if less { left } else { right }.value())
}

fn maximum(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (left, right) = operands(args, "maximum")?;
    let more = match pair(left, right) {
        Pair::Int(left, right) => left > right,
        Pair::Uint(left, right) => left > right,
        Pair::Float(left, right) => left > right,
    };
    Ok(if more { left } else { right }.value())
}
