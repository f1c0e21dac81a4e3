//! Prints texts: padding, cutting, quoting, hexadecimal.

use zeroize::Zeroizing;

use super::Printer;
use crate::spell::{quote, rune};

impl Printer<'_> {
    /// Pads `text` to the width, with zeros if the flags say so.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width.filter(|&width| width > 0) else { return self.out.push(text) };
        let padding = width.saturating_sub(rune::count(text));
        if self.flags.minus {
            self.out.push(text);
            self.padding(padding);
        } else {
            self.padding(padding);
            self.out.push(text);
        }
    }

    /// Pads `text` to the width with spaces, whatever the flags say.
    pub(super) fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text);
        self.flags.zero = zero;
    }

    pub(super) fn padding(&mut self, count: usize) {
        let zero = self.flags.zero && !self.flags.minus;
        self.out.repeat(if zero { b'0' } else { b' ' }, count);
    }

    /// Prints a string kind by any verb. Returns false if the verb is not for texts.
    pub(super) fn text(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.plain(text),
            'x' => self.hex(text, b"0123456789abcdefx"),
            'X' => self.hex(text, b"0123456789ABCDEFX"),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    /// Prints a text as `%s` does.
    pub(super) fn plain(&mut self, text: &[u8]) {
        let text = self.cut(text);
        self.pad(text);
    }

    /// Prints a text as `%q` does.
    pub(super) fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        // The longest escape makes four bytes of one, so the buffer never moves.
        let mut out = Zeroizing::new(Vec::with_capacity(text.len() * 4 + 2));
        if self.flags.sharp && quote::can_backquote(text) {
            out.push(b'`');
            out.extend_from_slice(text);
            out.push(b'`');
        } else {
            quote::quote(text, self.flags.plus, &mut out);
        }
        self.pad(&out);
    }

    /// Returns as many runes as the precision allows.
    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let end = self.flags.precision.and_then(|precision| rune::runes(text).nth(precision));
        end.map_or(text, |(at, ..)| &text[..at])
    }

    /// Prints `%x` or `%X`. `digits` are the sixteen digits and, in the last place, the letter of the prefix.
    fn hex(&mut self, text: &[u8], digits: &[u8; 17]) {
        let text = &text[..self.flags.precision.unwrap_or(text.len()).min(text.len())];
        let width = self.flags.width.unwrap_or(0);
        if text.is_empty() {
            return self.padding(width);
        }
        let (space, sharp) = (self.flags.space, self.flags.sharp);
        let each = if space && sharp { 4 } else { 2 };
        let length = each * text.len() + if space { text.len() - 1 } else { 2 * usize::from(sharp) };
        if !self.flags.minus {
            self.padding(width.saturating_sub(length));
        }
        for (index, byte) in text.iter().enumerate() {
            if space && index > 0 {
                self.out.push(b" ");
            }
            if sharp && (space || index == 0) {
                self.out.push(&[b'0', digits[16]]);
            }
            self.out.push(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
        if self.flags.minus {
            self.padding(width.saturating_sub(length));
        }
    }
}
