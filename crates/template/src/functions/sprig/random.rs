//! Random values, from the rendering's host. Each rendering makes other bytes.

use base64::Engine as _;
use zeroize::Zeroizing;

use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, fail, int, text};
use crate::functions::encoding::{STANDARD, hex};
use crate::spell::rune;
use crate::value::{Type, Value};

const COUNT: &[Type] = &[Type::INT];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_randAlpha", COUNT, |scope, args| {
        from(scope, args, |byte| byte.is_ascii_alphabetic())
    })
    .returns(Type::String),
    Function::new("sprig_randAlphaNum", COUNT, |scope, args| {
        from(scope, args, |byte| byte.is_ascii_alphanumeric())
    })
    .returns(Type::String),
    Function::new("sprig_randAscii", COUNT, |scope, args| from(scope, args, |byte| matches!(byte, 32..=126)))
        .returns(Type::String),
    Function::new("sprig_randBytes", COUNT, bytes).returns(Type::String),
    Function::new("sprig_randInt", &[Type::INT; 2], number).returns(Type::INT),
    Function::new("sprig_randNumeric", COUNT, |scope, args| from(scope, args, |byte| byte.is_ascii_digit()))
        .returns(Type::String),
    Function::new("sprig_shuffle", &[Type::String], shuffle).returns(Type::String),
    Function::new("sprig_uuidv4", &[], uuid).returns(Type::String),
];

/// Returns a number below `bound`. All are equally likely.
fn below(scope: &mut Scope<'_, '_>, bound: u64) -> u64 {
    let most = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        scope.host().random(&mut bytes);
        let number = u64::from_ne_bytes(bytes);
        if number < most {
            return number % bound;
        }
    }
}

/// Returns a random text of the bytes that `allowed` names. The argument says how many; a negative count makes none.
fn from(scope: &mut Scope<'_, '_>, args: &[Value], allowed: fn(&u8) -> bool) -> Answer {
    let count = usize::try_from(int(args, 0)).unwrap_or(0);
    scope.spend(count.saturating_mul(8))?;
    let letters: Vec<u8> = (0..=127).filter(allowed).collect();
    let text = (0..count).map(|_| letters[below_len(scope, letters.len())]).collect::<Vec<u8>>();
    Ok(Value::text(text))
}

fn below_len(scope: &mut Scope<'_, '_>, len: usize) -> usize {
    usize::try_from(below(scope, len as u64)).unwrap_or_default()
}

/// Returns random bytes in base64. The argument says how many.
fn bytes(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Ok(count) = usize::try_from(int(args, 0)) else { return fail("randBytes: negative count") };
    scope.spend(count)?;
    let mut bytes = Zeroizing::new(vec![0; count]);
    scope.host().random(&mut bytes);
    Ok(Value::text(STANDARD.encode(&*bytes)))
}

/// Returns a random number from `from` to before `to`: `randInt from to`.
fn number(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (from, to) = (int(args, 0), int(args, 1));
    if to <= from {
        return fail("randInt: the second number is not larger than the first");
    }
    let offset = below(scope, to.abs_diff(from));
    Ok(Value::int(from.wrapping_add_unsigned(offset)))
}

fn shuffle(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let text = text(args, 0);
    let mut runes: Vec<&[u8]> = rune::runes(text).map(|(at, _, size)| &text[at..at + size]).collect();
    scope.spend(runes.len().saturating_mul(16))?;
    for index in (1..runes.len()).rev() {
        let other = below_len(scope, index + 1);
        runes.swap(index, other);
    }
    Ok(Value::text(runes.concat()))
}

fn uuid(scope: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    let mut bytes = [0; 16];
    scope.host().random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    Ok(Value::text(parts.map(hex).join("-")))
}
