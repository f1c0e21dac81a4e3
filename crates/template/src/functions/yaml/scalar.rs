//! The style of a text in YAML, and writing it in that style: libyaml's rules.

use super::emitter::{BEST_WIDTH, Emitter, INDENT};
use crate::functions::text::last_rune;
use crate::spell::rune;

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// What a text allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

/// Returns whether a rune is a line break of YAML 1.1.
const fn is_break(rune: char) -> bool {
    matches!(rune, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

const fn is_blank_or_break(rune: char) -> bool {
    matches!(rune, ' ' | '\t' | '\0') || is_break(rune)
}

/// Returns whether yaml.v2 calls a rune printable. It calls no rune beyond the basic plane printable.
const fn is_printable(rune: char) -> bool {
    matches!(rune, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// What stands where in a text, gathered rune by rune.
#[derive(Default)]
struct Seen {
    indicators: bool,
    breaks: bool,
    special: bool,
    leading: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
}

/// Analyses a text that is UTF-8.
pub(super) fn analyze(text: &[u8]) -> Analysis {
    if text.is_empty() {
        return Analysis { multiline: false, plain: true, single_quoted: true, block: false };
    }
    let mut seen =
        Seen { indicators: text.starts_with(b"---") || text.starts_with(b"..."), ..Seen::default() };
    let mut preceded = true;
    let (mut previous_space, mut previous_break) = (false, false);
    for (at, rune, size) in rune::runes(text) {
        let rest = &text[at + size..];
        let next = (!rest.is_empty()).then(|| rune::decode(rest).0);
        let followed = matches!(next, None | Some(' ' | '\t'));
        seen.indicators |= is_indicator(rune, at == 0, preceded, followed);
        seen.special |= !is_printable(rune);
        if rune == ' ' {
            seen.leading |= at == 0;
            seen.trailing_space |= next.is_none();
            seen.break_space |= previous_break;
        } else if is_break(rune) {
            seen.breaks = true;
            seen.leading |= at == 0;
            seen.trailing_break |= next.is_none();
            seen.space_break |= previous_space;
        }
        previous_space = rune == ' ';
        previous_break = is_break(rune);
        preceded = is_blank_or_break(rune);
    }
    let odd = seen.space_break || seen.special;
    let edges = seen.leading || seen.trailing_space || seen.trailing_break;
    Analysis {
        multiline: seen.breaks,
        plain: !(edges || seen.break_space || odd || seen.breaks || seen.indicators),
        single_quoted: !(seen.break_space || odd),
        block: !(seen.trailing_space || odd),
    }
}

/// Returns whether a rune would have a meaning in a plain text.
fn is_indicator(rune: char, first: bool, preceded: bool, followed: bool) -> bool {
    match rune {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
            if first =>
        {
            true
        }
        '?' | '-' if first => followed,
        ':' => followed,
        '#' => preceded,
        _ => false,
    }
}

impl Analysis {
    /// Returns the style that comes nearest to the one asked for.
    pub(super) const fn choose(self, asked: Style, empty: bool, key: bool) -> Style {
        let mut style = asked;
        if key && self.multiline {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Plain) && (!self.plain || empty && key) {
            style = Style::SingleQuoted;
        }
        if matches!(style, Style::SingleQuoted) && !self.single_quoted {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Literal) && (!self.block || key) {
            style = Style::DoubleQuoted;
        }
        style
    }
}

impl Emitter<'_> {
    /// Writes a text in a style that its analysis allows; lines are broken unless it is a key.
    pub(super) fn scalar(&mut self, text: &[u8], style: Style, key: bool) {
        match style {
            Style::Plain => self.plain(text, !key),
            Style::SingleQuoted => self.single_quoted(text, !key),
            Style::DoubleQuoted => self.double_quoted(text, !key),
            Style::Literal => self.literal(text),
        }
    }

    fn plain(&mut self, text: &[u8], allow_breaks: bool) {
        self.space();
        let mut spaces = false;
        for (at, byte) in text.iter().enumerate() {
            let fold = allow_breaks && !spaces && self.column > BEST_WIDTH && text.get(at + 1) != Some(&b' ');
            if *byte == b' ' {
                if fold {
                    self.write_indent();
                } else {
                    self.put(b" ");
                }
                spaces = true;
            } else {
                self.put_byte(*byte);
                self.indention = false;
                spaces = false;
            }
        }
        self.end_scalar();
    }

    fn single_quoted(&mut self, text: &[u8], allow_breaks: bool) {
        self.indicator(b"'", true, false);
        let (mut spaces, mut breaks) = (false, false);
        for (at, rune, size) in rune::runes(text) {
            let inside = at > 0 && at + 1 < text.len() && text[at + 1] != b' ';
            if rune == ' ' {
                if allow_breaks && !spaces && self.column > BEST_WIDTH && inside {
                    self.write_indent();
                } else {
                    self.put(b" ");
                }
                spaces = true;
            } else if is_break(rune) {
                if !breaks && rune == '\n' {
                    self.line_break();
                }
                self.write_break(&text[at..at + size]);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if rune == '\'' {
                    self.put(b"'");
                }
                self.put(&text[at..at + size]);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        self.indicator(b"'", false, false);
        self.end_scalar();
    }

    fn double_quoted(&mut self, text: &[u8], allow_breaks: bool) {
        self.indicator(b"\"", true, false);
        let mut spaces = false;
        // yaml.v2 looks for a byte order mark at the start, whichever rune it is at.
        let marked = text.starts_with("\u{feff}".as_bytes());
        for (at, rune, size) in rune::runes(text) {
            if marked || !is_printable(rune) || is_break(rune) || matches!(rune, '"' | '\\') {
                self.escape(rune);
                spaces = false;
            } else if rune == ' ' {
                if allow_breaks && !spaces && self.column > BEST_WIDTH && at > 0 && at + 1 < text.len() {
                    self.write_indent();
                    if text[at + 1] == b' ' {
                        self.put(b"\\");
                    }
                } else {
                    self.put(b" ");
                }
                spaces = true;
            } else {
                self.put(&text[at..at + size]);
                spaces = false;
            }
        }
        self.indicator(b"\"", false, false);
        self.end_scalar();
    }

    fn escape(&mut self, rune: char) {
        let short = match rune {
            '\0' => b'0',
            '\u{7}' => b'a',
            '\u{8}' => b'b',
            '\t' => b't',
            '\n' => b'n',
            '\u{b}' => b'v',
            '\u{c}' => b'f',
            '\r' => b'r',
            '\u{1b}' => b'e',
            '"' => b'"',
            '\\' => b'\\',
            '\u{85}' => b'N',
            '\u{a0}' => b'_',
            '\u{2028}' => b'L',
            '\u{2029}' => b'P',
            _ => 0,
        };
        self.put(b"\\");
        if short != 0 {
            return self.put(&[short]);
        }
        let code = u32::from(rune);
        let digits = match code {
            0..=0xff => format!("x{code:02X}"),
            0x100..=0xffff => format!("u{code:04X}"),
            _ => format!("U{code:08X}"),
        };
        for byte in digits.as_bytes() {
            self.put(std::slice::from_ref(byte));
        }
    }

    fn literal(&mut self, text: &[u8]) {
        self.indicator(b"|", true, false);
        if text.first() == Some(&b' ') || is_break(rune::decode(text).0) {
            self.indicator(INDENT.to_string().as_bytes(), false, false);
        }
        if let Some(hint) = chomp_hint(text) {
            self.indicator(hint, false, false);
        }
        self.line_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for (at, rune, size) in rune::runes(text) {
            if is_break(rune) {
                self.write_break(&text[at..at + size]);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(&text[at..at + size]);
                self.indention = false;
                breaks = false;
            }
        }
    }

    fn write_break(&mut self, rune: &[u8]) {
        if rune == b"\n" {
            self.line_break();
        } else {
            self.put(rune);
            self.column = 0;
        }
    }

    /// Writes one byte. Only the first byte of a character counts as a column.
    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
        if byte & 0xc0 == 0x80 {
            self.column -= 1;
        }
    }
}

/// Returns the hint about the end of a literal text: `-` if no line break ends the text, and `+` if more than one does.
fn chomp_hint(text: &[u8]) -> Option<&'static [u8]> {
    let (last, size) = last_rune(text);
    if !is_break(last) {
        return Some(b"-");
    }
    let rest = &text[..text.len() - size];
    (rest.is_empty() || is_break(last_rune(rest).0)).then_some(b"+")
}
