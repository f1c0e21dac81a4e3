//! Number tokens. Like Go's, the scanner accepts a little too much, and the parser reports it.

use super::{Lexer, Token, TokenKind};
use crate::spell::{quote, rune};

impl Lexer<'_> {
    pub(super) fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.bad_number();
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            return self.token(TokenKind::Number);
        }
        // Complex: 1+2i, without spaces, ending in i.
        if !self.scan_number() || self.text[self.at - 1] != b'i' {
            return self.bad_number();
        }
        self.token(TokenKind::Complex)
    }

    fn bad_number(&mut self) -> Token {
        let mut message = b"bad number syntax: ".to_vec();
        quote::quote(&self.text[self.start..self.at], false, &mut message);
        self.error(String::from_utf8_lossy(&message).into_owned())
    }

    /// Consumes a number. Returns false if a letter or a digit follows that does not belong to it.
    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let mut exponent: &[u8] = b"eE";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
                exponent = b"pP";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
                exponent = b"";
            } else if self.accept(b"bB") {
                digits = b"01_";
                exponent = b"";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if self.peek().is_some_and(rune::is_alphanumeric) {
            self.next();
            return false;
        }
        true
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let here = self.rest().first().is_some_and(|byte| valid.contains(byte));
        self.at += usize::from(here);
        here
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }
}
