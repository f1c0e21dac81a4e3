//! A number literal, in all forms that it can take: the context decides between them.

use std::fmt;

use super::super::spell::number::{parse_float, parse_int, parse_uint};
use super::super::spell::quote::{self, BadSyntax, QuotedUnit};

/// A number literal. Each field is set if the number has that form without loss.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) at: usize,
    pub(crate) literal: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

/// Why a token is no number. It prints as Go's error does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NumberError {
    Overflow(String),
    Syntax(String),
    /// A rune that is not quoted right.
    Quote(BadSyntax),
    /// Quotes with more than one character between them.
    Rune(String),
    Complex,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow(literal) => write!(f, "integer overflow: {literal:?}"),
            Self::Syntax(literal) => write!(f, "illegal number syntax: {literal:?}"),
            Self::Quote(error) => error.fmt(f),
            Self::Rune(literal) => write!(f, "malformed character constant: {literal}"),
            Self::Complex => f.write_str("syntax error scanning complex number"),
        }
    }
}

impl Number {
    /// Reads the number that a token spells.
    ///
    /// # Errors
    /// Go's message for a token that is no number.
    pub(crate) fn plain(at: usize, literal: &str) -> Result<Self, NumberError> {
        let mut number = Self { at, literal: literal.to_owned(), ..Self::default() };
        if let Some(imaginary) = literal.strip_suffix('i').and_then(parse_float) {
            number.set_complex(0.0, imaginary);
            return Ok(number);
        }
        number.uint = parse_uint(literal);
        number.int = parse_int(literal);
        if number.int == Some(0) {
            number.uint = Some(0);
        }
        if let Some(int) = number.int {
            #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
            let float = int as f64;
            number.float = Some(float);
        } else if let Some(uint) = number.uint {
            #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
            let float = uint as f64;
            number.float = Some(float);
        } else if let Some(float) = parse_float(literal) {
            if !literal.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(NumberError::Overflow(literal.to_owned()));
            }
            number.set_float(float);
        } else {
            return Err(NumberError::Syntax(literal.to_owned()));
        }
        Ok(number)
    }

    /// Reads the rune in quotes that a token spells, as a number.
    ///
    /// # Errors
    /// Go's message for a token that is no number.
    pub(crate) fn rune(at: usize, literal: &[u8]) -> Result<Self, NumberError> {
        let inside = literal.get(1..).unwrap_or_default();
        let (unit, tail) = quote::unquote_unit(inside, b'\'').map_err(NumberError::Quote)?;
        let literal = String::from_utf8_lossy(literal).into_owned();
        if tail != b"'" {
            return Err(NumberError::Rune(literal));
        }
        let code = match unit {
            QuotedUnit::Byte(byte) => u32::from(byte),
            QuotedUnit::Rune(rune) => u32::from(rune),
        };
        Ok(Self {
            at,
            literal,
            int: Some(code.into()),
            uint: Some(code.into()),
            float: Some(code.into()),
            complex: None,
        })
    }

    /// Reads the complex number that a token spells: `1+2i`.
    ///
    /// # Errors
    /// Go's message for a token that is no number.
    pub(crate) fn complex(at: usize, literal: &str) -> Result<Self, NumberError> {
        let mut number = Self { at, literal: literal.to_owned(), ..Self::default() };
        let sum = literal.strip_suffix('i').unwrap_or(literal);
        // The sign between the parts, not one that begins the number or an exponent.
        let between = |&(index, sign): &(usize, char)| {
            let before = sum[..index].chars().last();
            matches!(sign, '+' | '-') && before.is_some_and(|before| !is_exponent(sum, before))
        };
        let split = sum.char_indices().rfind(between).map(|(index, _)| sum.split_at(index));
        match split.map(|(real, imaginary)| (parse_float(real), parse_float(imaginary))) {
            Some((Some(real), Some(imaginary))) => {
                number.set_complex(real, imaginary);
                Ok(number)
            }
            _ => Err(NumberError::Complex),
        }
    }

    /// Returns whether the spelling is a float's. It decides the type if nothing else does.
    pub(crate) fn looks_like_float(&self) -> bool {
        let literal = &self.literal;
        let hex = literal.starts_with("0x") || literal.starts_with("0X");
        let hex_int = hex && literal.len() > 2 && !literal.contains(['p', 'P']);
        !hex_int && !literal.starts_with('\'') && literal.contains(['.', 'e', 'E', 'p', 'P'])
    }

    fn set_complex(&mut self, real: f64, imaginary: f64) {
        self.complex = Some((real, imaginary));
        if imaginary == 0.0 {
            self.set_float(real);
        }
    }

    /// Makes the forms of a float: itself, and the whole numbers that it equals.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "taken only where nothing is lost"
    )]
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "compared to see that nothing is lost")]
    fn set_float(&mut self, float: f64) {
        self.float = Some(float);
        // The upper limits round up as floats, so a float that equals one does not fit.
        if float < i64::MAX as f64 && float as i64 as f64 == float {
            self.int = Some(float as i64);
        }
        if float < u64::MAX as f64 && float as u64 as f64 == float {
            self.uint = Some(float as u64);
        }
    }
}

fn is_exponent(literal: &str, before: char) -> bool {
    let hex = literal.trim_start_matches(['+', '-']).starts_with("0x") || literal.contains(['p', 'P']);
    if hex { matches!(before, 'p' | 'P') } else { matches!(before, 'e' | 'E') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_all_it_can_be() {
        let number = Number::plain(0, "1e3").expect("a number");
        assert_eq!((number.int, number.uint, number.float), (Some(1000), Some(1000), Some(1000.0)));
        let number = Number::plain(0, "-0x10").expect("a number");
        assert_eq!((number.int, number.uint, number.float), (Some(-16), None, Some(-16.0)));
        let number = Number::rune(0, br"'\377'").expect("a number");
        assert_eq!(number.int, Some(255));
    }

    #[test]
    fn complex_numbers_have_two_parts() {
        assert_eq!(Number::complex(0, "1+2i").expect("complex").complex, Some((1.0, 2.0)));
        assert_eq!(Number::complex(0, "-1.2e-4+3e+2i").expect("complex").complex, Some((-1.2e-4, 300.0)));
        let real = Number::complex(0, "4+0i").expect("complex");
        assert_eq!((real.int, real.complex), (Some(4), Some((4.0, 0.0))));
        assert_eq!(Number::plain(0, "3i").expect("imaginary").complex, Some((0.0, 3.0)));
    }

    #[test]
    fn what_is_no_number_says_so_as_go_does() {
        assert_eq!(Number::plain(0, "0x"), Err(NumberError::Syntax("0x".to_owned())));
        assert_eq!(
            Number::plain(0, "99999999999999999999"),
            Err(NumberError::Overflow("99999999999999999999".to_owned()))
        );
        assert_eq!(Number::rune(0, b"'ab'"), Err(NumberError::Rune("'ab'".to_owned())));
    }
}
