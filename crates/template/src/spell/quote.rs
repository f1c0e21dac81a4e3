//! Go's quoted texts and runes, both ways.

use std::fmt;

use super::rune;

/// The error of a quoted text that breaks Go's syntax, in Go's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadSyntax;

impl fmt::Display for BadSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid syntax")
    }
}

impl std::error::Error for BadSyntax {}

/// Appends `text` as a double-quoted Go literal, in ASCII only if `ascii` is set.
pub(crate) fn quote(text: &[u8], ascii: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    for (at, rune, size) in rune::runes(text) {
        if rune == rune::REPLACEMENT && size == 1 {
            hex(u32::from(text[at]), 'x', 2, out);
        } else {
            escape(rune, '"', ascii, out);
        }
    }
    out.push(b'"');
}

/// Appends `rune` as a single-quoted Go literal, in ASCII only if `ascii` is set.
pub(crate) fn quote_rune(rune: char, ascii: bool, out: &mut Vec<u8>) {
    out.push(b'\'');
    escape(rune, '\'', ascii, out);
    out.push(b'\'');
}

fn escape(rune: char, quote: char, ascii: bool, out: &mut Vec<u8>) {
    let short = match rune {
        '\u{7}' => b'a',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{b}' => b'v',
        '\\' => b'\\',
        '"' | '\'' if rune == quote => quote as u8,
        _ if rune::is_print(rune) && (rune.is_ascii() || !ascii) => {
            out.extend(rune.encode_utf8(&mut [0; 4]).as_bytes());
            return;
        }
        _ => return escape_code(rune, out),
    };
    out.extend([b'\\', short]);
}

fn escape_code(rune: char, out: &mut Vec<u8>) {
    let code = u32::from(rune);
    match code {
        0..=0x1f | 0x7f => hex(code, 'x', 2, out),
        0..=0xffff => hex(code, 'u', 4, out),
        _ => hex(code, 'U', 8, out),
    }
}

fn hex(code: u32, letter: char, width: usize, out: &mut Vec<u8>) {
    out.extend(format!("\\{letter}{code:0width$x}").as_bytes());
}

/// Returns whether `text` can stand between backquotes unchanged.
#[must_use]
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    rune::runes(text).all(|(_, rune, size)| match rune {
        rune::REPLACEMENT => size > 1,
        '\u{feff}' | '`' | '\u{7f}' => false,
        '\t' => true,
        _ => rune >= ' ',
    })
}

/// Reads a Go literal in double quotes or backquotes.
///
/// # Errors
/// [`BadSyntax`] if it is none.
pub(crate) fn unquote(literal: &[u8]) -> Result<Vec<u8>, BadSyntax> {
    let (Some(&quote), true) = (literal.first(), literal.len() >= 2) else { return Err(BadSyntax) };
    if literal.last() != Some(&quote) {
        return Err(BadSyntax);
    }
    let mut rest = &literal[1..literal.len() - 1];
    if quote == b'`' {
        // Go's reader of raw strings drops carriage returns, too.
        return Ok(rest.iter().copied().filter(|&byte| byte != b'\r').collect());
    }
    let mut text = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (unit, tail) = unquote_unit(rest, quote)?;
        match unit {
            QuotedUnit::Byte(byte) => text.push(byte),
            QuotedUnit::Rune(rune) => text.extend(rune.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = tail;
    }
    Ok(text)
}

/// One unit of a quoted literal: a byte (`\x`, octal, ASCII) or a rune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuotedUnit {
    /// A byte, which need not be part of UTF-8.
    Byte(u8),
    /// A rune.
    Rune(char),
}

/// Reads the first byte or rune of the inside of a literal. Returns it and the rest.
///
/// # Errors
/// [`BadSyntax`] for a bare quote or an unknown escape.
pub(crate) fn unquote_unit(text: &[u8], quote: u8) -> Result<(QuotedUnit, &[u8]), BadSyntax> {
    match text {
        [] => Err(BadSyntax),
        [byte, ..] if *byte == quote => Err(BadSyntax),
        [b'\\', letter, rest @ ..] => unescape(*letter, rest, quote),
        [b'\\'] => Err(BadSyntax),
        [byte, rest @ ..] if byte.is_ascii() => Ok((QuotedUnit::Byte(*byte), rest)),
        _ => {
            let (rune, size) = rune::decode(text);
            Ok((QuotedUnit::Rune(rune), &text[size..]))
        }
    }
}

fn unescape(letter: u8, rest: &[u8], quote: u8) -> Result<(QuotedUnit, &[u8]), BadSyntax> {
    let byte = match letter {
        b'a' => 7,
        b'b' => 8,
        b'f' => 0xc,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0xb,
        b'\\' => b'\\',
        b'\'' | b'"' if letter == quote => quote,
        b'x' => return digits(rest, 2, 16).and_then(byte_unit),
        b'u' => return digits(rest, 4, 16).and_then(rune_unit),
        b'U' => return digits(rest, 8, 16).and_then(rune_unit),
        b'0'..=b'7' => {
            let (low, tail) = digits(rest, 2, 8)?;
            return byte_unit((u32::from(letter - b'0') * 64 + low, tail));
        }
        _ => return Err(BadSyntax),
    };
    Ok((QuotedUnit::Byte(byte), rest))
}

fn digits(text: &[u8], count: usize, base: u32) -> Result<(u32, &[u8]), BadSyntax> {
    let (digits, rest) = text.split_at_checked(count).ok_or(BadSyntax)?;
    let step = |code: u32, &digit: &u8| Some(code * base + char::from(digit).to_digit(base)?);
    // Eight hexadecimal digits at most: they fill a u32 and never overflow it.
    digits.iter().try_fold(0, step).map(|code| (code, rest)).ok_or(BadSyntax)
}

fn byte_unit((code, rest): (u32, &[u8])) -> Result<(QuotedUnit, &[u8]), BadSyntax> {
    u8::try_from(code).map(|byte| (QuotedUnit::Byte(byte), rest)).map_err(|_| BadSyntax)
}

fn rune_unit((code, rest): (u32, &[u8])) -> Result<(QuotedUnit, &[u8]), BadSyntax> {
    char::from_u32(code).map(|rune| (QuotedUnit::Rune(rune), rest)).ok_or(BadSyntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &[u8], ascii: bool) -> String {
        let mut out = Vec::new();
        quote(text, ascii, &mut out);
        String::from_utf8(out).expect("quotes make ASCII or keep UTF-8")
    }

    #[test]
    fn quoting_escapes_what_does_not_print() {
        assert_eq!(
            quoted("a\"\n\u{1}é\u{a0}\u{10ffff}".as_bytes(), false),
            r#""a\"\n\x01é\u00a0\U0010ffff""#
        );
        assert_eq!(quoted("é'".as_bytes(), true), r#""\u00e9'""#);
        assert_eq!(quoted(b"\xff\x80", false), r#""\xff\x80""#);
    }

    #[test]
    fn unquoting_reverses_quoting() {
        for text in [&b"plain"[..], b"\xff\x00\n\"`\\", "é\u{a0}😀".as_bytes(), b""] {
            for ascii in [false, true] {
                assert_eq!(unquote(quoted(text, ascii).as_bytes()).as_deref(), Ok(text));
            }
        }
    }

    #[test]
    fn octal_and_raw_literals_are_read() {
        assert_eq!(unquote(br#""\377\101""#).as_deref(), Ok(&b"\xffA"[..]));
        assert_eq!(unquote(b"`a\\n\r`").as_deref(), Ok(&b"a\\n"[..]));
    }

    #[test]
    fn broken_literals_are_refused() {
        for bad in [&br#""\400""#[..], br#""\q""#, br#""\'""#, br#""\ud800""#, br#""\x4""#, b"\"", b"\"a'"] {
            assert_eq!(unquote(bad), Err(BadSyntax));
        }
    }
}
