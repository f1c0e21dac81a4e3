//! Prints numbers: integers in every base, runes, floats and complex numbers.

use super::Printer;
use crate::spell::{float, quote, rune};

/// The magnitude and the sign of an integer. Printing needs nothing else of Go's integer types.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub(super) magnitude: u64,
    pub(super) negative: bool,
    pub(super) signed: bool,
}

impl Integer {
    pub(super) const fn signed(value: i64) -> Self {
        Self { magnitude: value.unsigned_abs(), negative: value < 0, signed: true }
    }

    pub(super) const fn unsigned(value: u64) -> Self {
        Self { magnitude: value, negative: false, signed: false }
    }

    /// Returns the rune with this number; U+FFFD if there is none.
    fn rune(self) -> char {
        let code = u32::try_from(self.magnitude).ok().filter(|_| !self.negative);
        code.and_then(char::from_u32).unwrap_or(rune::REPLACEMENT)
    }
}

impl Printer<'_> {
    /// Prints an integer by any verb. Returns false if the verb is not for integers.
    pub(super) fn integer(&mut self, value: Integer, verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v && !value.signed => self.hex_0x(value.magnitude, true),
            'v' | 'd' => self.digits(value, 10, verb),
            'b' => self.digits(value, 2, verb),
            'o' | 'O' => self.digits(value, 8, verb),
            'x' | 'X' => self.digits(value, 16, verb),
            'c' => {
                let rune = value.rune();
                self.pad(rune.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'q' => {
                let mut out = Vec::new();
                quote::quote_rune(value.rune(), self.flags.plus, &mut out);
                self.pad(&out);
            }
            'U' => self.unicode(value),
            _ => return false,
        }
        true
    }

    /// Prints hexadecimal digits with or without the prefix, whatever the flags say.
    pub(super) fn hex_0x(&mut self, value: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.digits(Integer::unsigned(value), 16, 'v');
        self.flags.sharp = sharp;
    }

    fn digits(&mut self, value: Integer, base: u32, verb: char) {
        let sign = match value.negative {
            true => "-",
            false if self.flags.plus => "+",
            false if self.flags.space => " ",
            false => "",
        };
        let least = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if value.magnitude == 0 => {
                // A value of 0 with a precision of 0 prints padding only.
                return self.out.repeat(b' ', self.flags.width.unwrap_or(0));
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width.saturating_sub(sign.len()),
            _ => 1,
        };
        let digits = match base {
            2 => format!("{:b}", value.magnitude),
            8 => format!("{:o}", value.magnitude),
            16 if verb == 'X' => format!("{:X}", value.magnitude),
            16 => format!("{:x}", value.magnitude),
            _ => format!("{}", value.magnitude),
        };
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        let prefix = match (self.flags.sharp, base) {
            (true, 2) => "0b",
            (true, 8) if zeros.is_empty() && !digits.starts_with('0') => "0",
            (true, 16) if verb == 'X' => "0X",
            (true, 16) => "0x",
            _ => "",
        };
        let octal = if verb == 'O' { "0o" } else { "" };
        self.pad_with_spaces(format!("{sign}{octal}{prefix}{zeros}{digits}").as_bytes());
    }

    /// Prints `%U`: `U+0040`, and the rune itself with the flag `#`.
    fn unicode(&mut self, value: Integer) {
        let code = if value.negative { value.magnitude.wrapping_neg() } else { value.magnitude };
        let digits = format!("{code:X}");
        let zeros = "0".repeat(self.flags.precision.unwrap_or(4).max(4).saturating_sub(digits.len()));
        let mut text = format!("U+{zeros}{digits}");
        let rune = u32::try_from(code).ok().and_then(char::from_u32);
        if let Some(rune) = rune.filter(|&rune| self.flags.sharp && rune::is_print(rune)) {
            text.push_str(&format!(" '{rune}'"));
        }
        self.pad_with_spaces(text.as_bytes());
    }

    /// Prints a float by any verb. Returns false if the verb is not for floats.
    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (letter, precision) = match verb {
            'v' => (b'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb as u8, None),
            'f' | 'e' | 'E' => (verb as u8, Some(6)),
            'F' => (b'f', Some(6)),
            _ => return false,
        };
        let precision = self.flags.precision.or(precision);
        let mut text = vec![b'+'];
        float::format(value, letter, precision, &mut text);
        if matches!(text[1], b'-' | b'+') {
            text.remove(0);
        }
        if self.flags.space && text[0] == b'+' && !self.flags.plus {
            text[0] = b' ';
        }
        if value.is_finite() {
            if self.flags.sharp && letter != b'b' {
                keep_point(&mut text, letter, precision);
            }
            self.pad_float(&text);
        } else {
            // NaN and infinities are not padded with zeros. NaN has no sign
            // unless one is asked for.
            let bare = value.is_nan() && !self.flags.space && !self.flags.plus;
            self.pad_with_spaces(&text[usize::from(bare)..]);
        }
        true
    }

    /// Prints a number that begins with its sign. A plus is shown only if the flag asks for it, and zeros go
    /// between the sign and the digits.
    fn pad_float(&mut self, text: &[u8]) {
        if !self.flags.plus && text[0] == b'+' {
            return self.pad(&text[1..]);
        }
        let width = self.flags.width.unwrap_or(0);
        if self.flags.zero && !self.flags.minus && width > text.len() {
            self.out.push(&text[..1]);
            self.padding(width - text.len());
            self.out.push(&text[1..]);
        } else {
            self.pad(text);
        }
    }

    /// Prints a complex number by any verb. Returns false if the verb is not for floats.
    pub(super) fn complex(&mut self, (real, imaginary): (f64, f64), verb: char) -> bool {
        if !matches!(verb, 'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E') {
            return false;
        }
        let plus = self.flags.plus;
        self.out.push(b"(");
        self.float(real, verb);
        self.flags.plus = true;
        self.float(imaginary, verb);
        self.out.push(b"i)");
        self.flags.plus = plus;
        true
    }
}

/// Applies the flag `#`: a decimal point always, and for `%g` the zeros that the precision asks for.
fn keep_point(text: &mut Vec<u8>, letter: u8, precision: Option<usize>) {
    let exponents: &[u8] = if matches!(letter, b'x' | b'X') { b"pP" } else { b"eE" };
    let tail = text.iter().position(|byte| exponents.contains(byte)).map(|at| text.split_off(at));
    let wanted = match letter {
        b'g' | b'G' | b'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let significant =
        text[1..].iter().filter(|&&byte| byte != b'.').skip_while(|&&byte| byte == b'0').count();
    let mut missing = wanted.saturating_sub(significant);
    if !text.contains(&b'.') {
        // A single 0 before the point counts as a digit.
        if text.len() == 2 && text[1] == b'0' {
            missing = missing.saturating_sub(1);
        }
        text.push(b'.');
    }
    text.extend(std::iter::repeat_n(b'0', missing));
    text.extend(tail.unwrap_or_default());
}
