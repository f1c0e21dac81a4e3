//! Reads numbers: `0600` is octal, `0x1f` is hexadecimal.

use super::lex::{Kind, Lexer, is_letter};
use crate::foreign::tree::Number;
use crate::yaml_error::Flaw;

/// Reads the number that begins here.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Result<Kind, Flaw> {
    let mark = lexer.mark;
    let start = lexer.offset;
    // A sign counts at the start and behind an exponent; a letter ends what can be a number, and is
    // taken along so that the whole of it is refused.
    let mut before = '\0';
    while let Some(next) = lexer.peek() {
        let sign = matches!(next, '-' | '+') && matches!(before, '\0' | 'e' | 'E');
        if !(sign || next == '.' || is_letter(next) || next.is_ascii_digit()) {
            break;
        }
        before = next;
        lexer.next();
    }
    let spelled = &lexer.text[start..lexer.offset];
    match value(spelled) {
        Some(number) => Ok(Kind::Number(number, spelled.to_owned())),
        None => Err(Flaw::new(mark, "not a number", hint(spelled))),
    }
}

fn value(spelled: &str) -> Option<Number> {
    let (negative, digits) = match spelled.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, spelled),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let whole = |digits: &str, radix| {
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
        plain.then(|| i64::from_str_radix(&signed, radix).ok()).flatten().map(Number::Whole)
    };
    if let Some(digits) = hexadecimal {
        return whole(digits, 16);
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return if digits.len() > 1 && digits.starts_with('0') {
            whole(digits, 8)
        } else {
            whole(digits, 10)
        };
    }
    let decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    let number: f64 = decimal.then(|| spelled.parse().ok()).flatten()?;
    number.is_finite().then_some(Number::Fraction(number))
}

fn hint(spelled: &str) -> &'static str {
    let digits = spelled.trim_start_matches('-');
    if digits.bytes().all(|b| b.is_ascii_digit()) && digits.starts_with('0') {
        "a number that begins with 0 is octal: its digits are 0 to 7"
    } else if spelled.contains(is_letter) {
        "put it in quotes: \"30s\""
    } else {
        "write digits"
    }
}
