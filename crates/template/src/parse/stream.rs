//! The tokens with Go's look-ahead of three, and errors at the token read last.

use crate::error::{ParseError, Position};
use crate::lex::{Lexer, Token, TokenKind};
use crate::spell::quoted;
use crate::spell::rune;

pub(super) struct Stream<'t> {
    name: &'t str,
    text: &'t [u8],
    delimiters: (&'t [u8], &'t [u8]),
    lexer: Lexer<'t>,
    /// The token read last, and up to two that were put back before it.
    tokens: [Token; 3],
    peeked: usize,
    /// The line of the current action.
    pub(super) action_line: Option<usize>,
}

/// Tokens longer than this many bytes are cut in messages.
const SHOWN: usize = 10;

impl<'t> Stream<'t> {
    pub(super) fn new(name: &'t str, text: &'t [u8], delimiters: (&'t [u8], &'t [u8])) -> Self {
        let none = Token { kind: TokenKind::Eof, start: 0, end: 0, line: 1, error: None };
        Self {
            name,
            text,
            delimiters,
            lexer: Lexer::new(text, delimiters.0, delimiters.1),
            tokens: [none.clone(), none.clone(), none],
            peeked: 0,
            action_line: None,
        }
    }

    pub(super) const fn delimiters(&self) -> (&'t [u8], &'t [u8]) {
        self.delimiters
    }

    /// Returns the token's text.
    pub(super) fn value(&self, token: &Token) -> &'t [u8] {
        &self.text[token.start..token.end]
    }

    pub(super) fn next(&mut self) -> Token {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next_token();
        }
        self.tokens[self.peeked].clone()
    }

    pub(super) fn peek(&mut self) -> &Token {
        if self.peeked == 0 {
            self.peeked = 1;
            self.tokens[0] = self.lexer.next_token();
        }
        &self.tokens[self.peeked - 1]
    }

    pub(super) const fn back_up(&mut self) {
        self.peeked += 1;
    }

    /// Puts back the token read last, and `before` in front of it.
    pub(super) fn back_up_2(&mut self, before: Token) {
        self.tokens[1] = before;
        self.peeked = 2;
    }

    /// Puts back the token read last, and `first` and `second` in front of it.
    pub(super) fn back_up_3(&mut self, first: Token, second: Token) {
        self.tokens[1] = second;
        self.tokens[2] = first;
        self.peeked = 3;
    }

    pub(super) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.back_up();
        token
    }

    /// Makes an error at the token read last.
    pub(super) fn error(&self, message: String) -> Box<ParseError> {
        let token = &self.tokens[0];
        Box::new(ParseError {
            name: self.name.to_owned(),
            position: Position::of(self.text, token.start),
            line: token.line,
            message,
            hint: None,
        })
    }

    /// Moves the place for a caret to the token that starts at `start`.
    pub(super) fn shown_at(&self, start: usize, mut error: Box<ParseError>) -> Box<ParseError> {
        error.position = Position::of(self.text, start);
        error
    }

    /// Makes the error of a `token` that cannot stand in `context`, or that is no token at all.
    pub(super) fn unexpected(&self, token: &Token, context: &str) -> Box<ParseError> {
        let Some(message) = &token.error else {
            return self.error(format!("unexpected {} in {context}", self.shown(token)));
        };
        let started = match self.action_line {
            Some(line) if line != token.line => {
                // So that it does not read "unclosed action in action".
                let action = if message.ends_with(" action") { "" } else { " in action" };
                format!("{action} started at {}:{line}", self.name)
            }
            _ => String::new(),
        };
        self.error(format!("{message}{started}"))
    }

    fn shown(&self, token: &Token) -> String {
        let value = self.value(token);
        if token.kind == TokenKind::Eof {
            return "EOF".to_owned();
        }
        if token.kind.is_keyword() {
            return format!("<{}>", String::from_utf8_lossy(value));
        }
        if value.len() <= SHOWN {
            return quoted(value);
        }
        let end = rune::runes(value).nth(SHOWN).map_or(value.len(), |(at, ..)| at);
        format!("{}...", quoted(&value[..end]))
    }
}
