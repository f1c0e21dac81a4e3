//! Widths, precisions and quoting over every small value: `property!` says how a prover takes them further.

use leasehold_base::property;

use super::sprintf;
use crate::buffer::Buffer;
use crate::spell::{number, quote};
use crate::value::{IntType, Value};

const FLAGS: [&str; 5] = ["", "-", "0", "+", " "];
const VERBS: [char; 4] = ['d', 'x', 'o', 'b'];

fn print(format: &str, value: &Value) -> String {
    let mut out = Buffer::new(1000);
    sprintf(format.as_bytes(), std::slice::from_ref(value), &mut out);
    out.into_secret().expose_str().expect("text").to_owned()
}

fn int(value: i64) -> Value {
    Value::Int(IntType::Int, value)
}

property! {
    /// Checks that a width fills up and never cuts off. What is printed is as long as the width, or as the number if
    /// the number is longer. Without the filling, it is the number.
    fn a_width_fills_up_and_never_cuts_off(
        value: i64 in -70..=70, width: usize in 0..=9, flag: usize in 0..=4, verb: usize in 0..=3,
    ) {
        let (flag, verb) = (FLAGS[flag], VERBS[verb]);
        let plain = print(&format!("%{}{verb}", if "+ ".contains(flag) { flag } else { "" }), &int(value));
        let wide = print(&format!("%{flag}{width}{verb}"), &int(value));
        assert_eq!(wide.len(), plain.len().max(width), "{flag} {width} {verb} {value}: {wide:?}");
        let digits = wide.trim_matches(' ').trim_start_matches(['-', '+', '0']);
        assert_eq!(digits, plain.trim_matches(' ').trim_start_matches(['-', '+', '0']), "{wide:?}");
        assert_eq!(wide.contains('-'), value < 0);
    }

    /// Checks that a precision is the least number of digits.
    fn a_precision_is_the_least_number_of_digits(value: i64 in -1100..=1100, precision: usize in 0..=6) {
        let text = print(&format!("%.{precision}d"), &int(value));
        let digits = text.trim_start_matches('-');
        let own = if value == 0 { 0 } else { value.abs().to_string().len() };
        assert_eq!(digits.len(), own.max(precision), "{text:?}");
        assert_eq!(text.parse().unwrap_or(0), value, "{text:?}");
    }

    /// Checks that a text is cut by its precision and filled up to its width, both counted in characters.
    fn a_text_is_counted_in_characters(
        letters: usize in 0..=6, umlauts: usize in 0..=6, width: usize in 0..=14, precision: usize in 0..=14, minus: u8 in 0..=1,
    ) {
        let text = "a".repeat(letters) + &"\u{fc}".repeat(umlauts);
        let flag = if minus == 1 { "-" } else { "" };
        let printed = print(&format!("%{flag}{width}.{precision}s"), &Value::Text(text.as_str().into()));
        let cut: String = text.chars().take(precision).collect();
        assert_eq!(printed.chars().count(), cut.chars().count().max(width), "{printed:?}");
        assert_eq!(printed.trim_matches(' '), cut);
        assert!(if minus == 1 { printed.starts_with(&cut) } else { printed.ends_with(&cut) }, "{printed:?}");
    }

    /// Checks that every character comes back from its quoted form.
    fn a_quoted_character_is_read_as_itself(code: u32 in 0..=0x10_FFFF, ascii: u8 in 0..=1) {
        if let Some(rune) = char::from_u32(code) {
            let (mut text, mut literal) = ([0; 4], Vec::with_capacity(12));
            let text = rune.encode_utf8(&mut text).as_bytes();
            quote::quote(text, ascii == 1, &mut literal);
            assert!(quote::unquote(&literal).as_deref() == Ok(text), "U+{code:X}");
            assert!(ascii == 0 || literal.is_ascii(), "U+{code:X}");
        }
    }

    /// Checks that a number is read from each spelling of it.
    fn a_number_is_read_from_each_base(value: i64 in -20_000..=20_000) {
        let sign = if value < 0 { "-" } else { "" };
        let size = value.unsigned_abs();
        for text in [format!("{value}"), format!("{sign}0x{size:x}"), format!("{sign}0b{size:b}"), format!("{sign}0o{size:o}")] {
            assert_eq!(number::parse_int(&text), Some(value), "{text}");
        }
    }

    /// Checks that a buffer holds what was put in, or stops at its limit.
    fn a_buffer_never_holds_more_than_its_limit(limit: usize in 0..=24, first: usize in 0..=16, then: usize in 0..=16) {
        let mut buffer = Buffer::new(limit);
        buffer.repeat(b'a', first);
        buffer.push(&vec![b'b'; then]);
        assert!(buffer.len() <= limit);
        assert_eq!(buffer.is_full(), first > limit || first + then > limit);
        assert!(buffer.is_full() || buffer.len() == first + then);
    }
}
