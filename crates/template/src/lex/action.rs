//! The tokens inside an action.

use super::{Lexer, TRIM_MARKER, Token, TokenKind, has_right_marker};
use crate::spell::rune;

impl Lexer<'_> {
    pub(super) fn action_token(&mut self) -> Token {
        if let Some(trim) = self.right_delimiter_here() {
            return if self.parens == 0 {
                self.right_delimiter(trim)
            } else {
                self.error("unclosed left paren")
            };
        }
        let Some(rune) = self.peek() else { return self.error("unclosed action") };
        if rune::is_space(rune) {
            return self.space();
        }
        if matches!(rune, '+' | '-' | '0'..='9') {
            return self.number();
        }
        if rune::is_alphanumeric(rune) {
            return self.identifier();
        }
        self.next();
        match rune {
            '=' => self.token(TokenKind::Assign),
            ':' if self.peek() == Some('=') => {
                self.next();
                self.token(TokenKind::Declare)
            }
            ':' => self.error("expected :="),
            '|' => self.token(TokenKind::Pipe),
            '"' => self.quoted('"', TokenKind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', TokenKind::CharConstant, "unterminated character constant"),
            '`' => self.raw(),
            '$' => self.field_or_variable(TokenKind::Variable),
            '.' => self.dot(),
            '(' => {
                self.parens += 1;
                self.token(TokenKind::LeftParen)
            }
            ')' if self.parens == 0 => self.error("unexpected right paren"),
            ')' => {
                self.parens -= 1;
                self.token(TokenKind::RightParen)
            }
            rune if rune.is_ascii() && rune::is_print(rune) => self.token(TokenKind::Char),
            rune => self.error(format!("unrecognized character in action: {}", rune::name(rune))),
        }
    }

    /// Reads a run of space, except for the space before a right delimiter with a trim marker.
    fn space(&mut self) -> Token {
        let mut spaces = 0;
        while self.peek().is_some_and(rune::is_space) {
            self.next();
            spaces += 1;
        }
        let last = &self.text[self.at - 1..];
        if has_right_marker(last) && last[TRIM_MARKER..].starts_with(self.right) {
            self.at -= 1;
            self.line -= usize::from(self.text[self.at] == b'\n');
            if spaces == 1 {
                return self.right_delimiter(true);
            }
        }
        self.token(TokenKind::Space)
    }

    fn identifier(&mut self) -> Token {
        self.skip_alphanumeric();
        if let Some(error) = self.bad_end() {
            return error;
        }
        let word = &self.text[self.start..self.at];
        let kind = match word {
            b"true" | b"false" => TokenKind::Bool,
            _ => TokenKind::keyword(word).unwrap_or(TokenKind::Identifier),
        };
        self.token(kind)
    }

    /// Reads what follows a dot: the fraction of a number, a field, or nothing.
    fn dot(&mut self) -> Token {
        if self.peek().is_some_and(|rune| rune.is_ascii_digit()) {
            self.at -= 1;
            return self.number();
        }
        self.field_or_variable(TokenKind::Field)
    }

    fn field_or_variable(&mut self, kind: TokenKind) -> Token {
        if self.at_terminator() {
            return self.token(if kind == TokenKind::Variable { kind } else { TokenKind::Dot });
        }
        self.skip_alphanumeric();
        self.bad_end().unwrap_or_else(|| self.token(kind))
    }

    fn skip_alphanumeric(&mut self) {
        while self.peek().is_some_and(rune::is_alphanumeric) {
            self.next();
        }
    }

    /// Makes the error of a word that is followed by a wrong character.
    fn bad_end(&mut self) -> Option<Token> {
        if self.at_terminator() {
            return None;
        }
        // Not at the end, which is a terminator.
        let rune = self.peek().unwrap_or(rune::REPLACEMENT);
        Some(self.error(format!("bad character {}", rune::name(rune))))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(rune) => rune::is_space(rune) || self.rest().starts_with(self.right),
        }
    }

    /// Reads the rest of a literal in quotes of either kind. The parser checks the content.
    fn quoted(&mut self, quote: char, kind: TokenKind, unterminated: &str) -> Token {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|rune| rune != '\n') => {
                    self.next();
                }
                None | Some('\n' | '\\') => return self.error(unterminated),
                Some(rune) if rune == quote => return self.token(kind),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self) -> Token {
        loop {
            match self.next() {
                None => return self.error("unterminated raw quoted string"),
                Some('`') => return self.token(TokenKind::RawString),
                Some(_) => {}
            }
        }
    }
}
