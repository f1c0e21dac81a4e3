//! The lexer: it cuts a template's text into tokens, as Go's does. It handles the trim markers, and it
//! makes the errors for text that is no token.

mod action;
mod scan;
mod token;

pub(crate) use token::{Token, TokenKind};

use super::spell::rune;

const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// The marker and the space that must stand beside it.
const TRIM_MARKER: usize = 2;

/// A scanner over one text.
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    left: &'t [u8],
    right: &'t [u8],
    at: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    inside: bool,
    failed: bool,
}

impl<'t> Lexer<'t> {
    /// Makes a scanner of `text`, whose actions stand between `left` and `right`.
    pub(crate) const fn new(text: &'t [u8], left: &'t [u8], right: &'t [u8]) -> Self {
        Self {
            text,
            left,
            right,
            at: 0,
            start: 0,
            line: 1,
            start_line: 1,
            parens: 0,
            inside: false,
            failed: false,
        }
    }

    /// Returns the next token; at the end always `TokenKind::Eof`.
    pub(crate) fn next_token(&mut self) -> Token {
        if self.failed {
            return Token {
                kind: TokenKind::Eof,
                start: self.at,
                end: self.at,
                line: self.start_line,
                error: None,
            };
        }
        if self.inside { self.action_token() } else { self.text_token() }
    }

    fn rest(&self) -> &'t [u8] {
        &self.text[self.at..]
    }

    /// Consumes the next rune and returns it; `None` at the end.
    fn next(&mut self) -> Option<char> {
        let (rune, size) = rune::decode(self.rest());
        self.at += size;
        self.line += usize::from(rune == '\n');
        (size > 0).then_some(rune)
    }

    fn peek(&self) -> Option<char> {
        let (rune, size) = rune::decode(self.rest());
        (size > 0).then_some(rune)
    }

    fn token(&mut self, kind: TokenKind) -> Token {
        let token = Token { kind, start: self.start, end: self.at, line: self.start_line, error: None };
        self.start = self.at;
        self.start_line = self.line;
        token
    }

    /// Skips the text between `start` and here, which `next` has not read.
    fn ignore(&mut self) {
        self.count_lines();
        self.start = self.at;
        self.start_line = self.line;
    }

    fn count_lines(&mut self) {
        self.line += self.text[self.start..self.at].iter().filter(|&&byte| byte == b'\n').count();
    }

    fn error(&mut self, message: impl Into<String>) -> Token {
        self.failed = true;
        Token {
            kind: TokenKind::Error,
            start: self.start,
            end: self.at,
            line: self.start_line,
            error: Some(message.into()),
        }
    }

    /// Reads text up to the next action, then the action's delimiter. Comments are left out.
    fn text_token(&mut self) -> Token {
        loop {
            let Some(found) = find(self.rest(), self.left) else {
                self.at = self.text.len();
                self.count_lines();
                let kind = if self.at > self.start { TokenKind::Text } else { TokenKind::Eof };
                return self.token(kind);
            };
            if found > 0 {
                self.at += found;
                let trimmed = self.trimmed_before();
                self.at -= trimmed;
                self.count_lines();
                let token = self.token(TokenKind::Text);
                self.at += trimmed;
                self.ignore();
                if token.end > token.start {
                    return token;
                }
            }
            match self.left_delimiter() {
                Some(token) => return token,
                None => continue,
            }
        }
    }

    /// Returns how much space before this delimiter is trimmed; 0 without a trim marker.
    fn trimmed_before(&self) -> usize {
        if !has_left_marker(&self.text[self.at + self.left.len()..]) {
            return 0;
        }
        self.text[self.start..self.at].iter().rev().take_while(|&&byte| is_space_byte(byte)).count()
    }

    /// Reads the left delimiter here; `None` if it opened a comment, which has been skipped.
    fn left_delimiter(&mut self) -> Option<Token> {
        self.at += self.left.len();
        let marker = if has_left_marker(self.rest()) { TRIM_MARKER } else { 0 };
        if self.text[self.at + marker..].starts_with(LEFT_COMMENT) {
            self.at += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.token(TokenKind::LeftDelim);
        self.inside = true;
        self.at += marker;
        self.ignore();
        self.parens = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        let Some(length) = find(&self.rest()[LEFT_COMMENT.len()..], RIGHT_COMMENT) else {
            return Some(self.error("unclosed comment"));
        };
        self.at += LEFT_COMMENT.len() + length + RIGHT_COMMENT.len();
        let Some(trim) = self.right_delimiter_here() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        self.at += if trim { TRIM_MARKER } else { 0 } + self.right.len();
        if trim {
            self.skip_space();
        }
        self.ignore();
        None
    }

    /// Returns `Some` if the right delimiter stands here: `Some(true)` with a trim marker before it.
    fn right_delimiter_here(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_marker(rest) && rest[TRIM_MARKER..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn right_delimiter(&mut self, trim: bool) -> Token {
        if trim {
            self.at += TRIM_MARKER;
            self.ignore();
        }
        self.at += self.right.len();
        let token = self.token(TokenKind::RightDelim);
        if trim {
            self.skip_space();
            self.ignore();
        }
        self.inside = false;
        token
    }

    fn skip_space(&mut self) {
        self.at += self.rest().iter().take_while(|&&byte| is_space_byte(byte)).count();
    }
}

const fn is_space_byte(byte: u8) -> bool {
    rune::is_space(byte as char)
}

fn has_left_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space_byte(*space))
}

fn has_right_marker(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space_byte(*space))
}

/// Returns the offset of the first `what` in `text`.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(TokenKind, String, usize)> {
        let mut lexer = Lexer::new(text.as_bytes(), b"{{", b"}}");
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next_token();
            let value = token.error.clone().unwrap_or_else(|| text[token.start..token.end].to_owned());
            tokens.push((token.kind, value, token.line));
            if matches!(token.kind, TokenKind::Eof | TokenKind::Error) {
                return tokens;
            }
        }
    }

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokens(text).into_iter().map(|(kind, ..)| kind).collect()
    }

    #[test]
    fn trim_markers_eat_the_space_around_an_action() {
        let texts: Vec<String> = tokens("a \n{{- 3 -}} \n b").into_iter().map(|(_, text, _)| text).collect();
        assert_eq!(texts, ["a", "{{", "3", "}}", "b", ""]);
        assert_eq!(
            kinds("{{-3}}"),
            [TokenKind::LeftDelim, TokenKind::Number, TokenKind::RightDelim, TokenKind::Eof]
        );
    }

    #[test]
    fn comments_vanish_and_lines_are_counted_through_them() {
        assert_eq!(
            tokens("{{/*\n*/}}x{{.}}"),
            [
                (TokenKind::Text, "x".to_owned(), 2),
                (TokenKind::LeftDelim, "{{".to_owned(), 2),
                (TokenKind::Dot, ".".to_owned(), 2),
                (TokenKind::RightDelim, "}}".to_owned(), 2),
                (TokenKind::Eof, String::new(), 2),
            ]
        );
    }

    #[test]
    fn what_is_no_token_is_an_error_with_gos_words() {
        for (text, message) in [
            ("{{/*", "unclosed comment"),
            ("{{/* x */ }}", "comment ends before closing delimiter"),
            ("{{", "unclosed action"),
            ("{{(}}", "unclosed left paren"),
            ("{{)}}", "unexpected right paren"),
            ("{{\"x\n\"}}", "unterminated quoted string"),
            ("{{`x}}", "unterminated raw quoted string"),
            ("{{'x}}", "unterminated character constant"),
            ("{{3k}}", "bad number syntax: \"3k\""),
            ("{{x:y}}", "expected :="),
            ("{{\u{1}}}", "unrecognized character in action: U+0001"),
            ("{{$x+2}}", "bad character U+002B '+'"),
        ] {
            assert_eq!(tokens(text).last().map(|(_, text, _)| text.as_str()), Some(message), "{text}");
        }
    }
}
