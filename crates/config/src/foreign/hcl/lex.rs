//! Makes tokens of characters.

use super::number;
use super::text;
use crate::foreign::tree::{Number, Text};
use crate::mark::Mark;
use crate::places::Span;
use crate::yaml_error::Flaw;

/// A token and the place where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
}

/// The kind of a token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A word that is no value: a key.
    Word(String),
    Flag(bool),
    /// A number, and how it is written.
    Number(Number, String),
    Text(Text),
    /// A text that is a block: never a key.
    Heredoc(Text),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Assign,
    End,
}

/// Walks over the characters of a text.
pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    /// The offset in the text, in bytes.
    pub(super) offset: usize,
    pub(super) mark: Mark,
    /// See [`super::Hcl::spans`].
    pub(super) spans: Vec<Span>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, offset: 0, mark: Mark::START, spans: Vec::new() }
    }

    /// Returns what has not been read yet.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.offset += next.len_utf8();
        if next == '\n' {
            self.mark = Mark { line: self.mark.line + 1, column: 1 };
        } else {
            self.mark.column += 1;
        }
        Some(next)
    }

    /// Reads on while `wanted` says so; what was read.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let start = self.offset;
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        &self.text[start..self.offset]
    }

    /// Reads the next token, and passes over comments.
    pub(super) fn token(&mut self) -> Result<Token, Flaw> {
        self.blank()?;
        let mark = self.mark;
        let Some(first) = self.peek() else { return Ok(Token { mark, kind: Kind::End }) };
        let kind = match first {
            '{' => self.sign(Kind::Open),
            '}' => self.sign(Kind::Close),
            '[' => self.sign(Kind::OpenList),
            ']' => self.sign(Kind::CloseList),
            ',' => self.sign(Kind::Comma),
            '=' => self.sign(Kind::Assign),
            '"' => self.value(|lexer| text::quoted(lexer).map(Kind::Text))?,
            '<' => self.value(|lexer| text::heredoc(lexer).map(Kind::Heredoc))?,
            '0'..='9' | '-' | '.' => self.value(number::read)?,
            _ if is_letter(first) => self.word(),
            '\'' => return Err(Flaw::new(mark, "a single quote", "write text in double quotes")),
            ':' => return Err(Flaw::new(mark, "a colon", "write `key = value`")),
            _ => {
                return Err(Flaw::new(mark, "a character that means nothing here", "remove it, or quote it"));
            }
        };
        Ok(Token { mark, kind })
    }

    fn sign(&mut self, kind: Kind) -> Kind {
        self.next();
        kind
    }

    /// Reads a value, and records its span.
    fn value(&mut self, read: impl FnOnce(&mut Self) -> Result<Kind, Flaw>) -> Result<Kind, Flaw> {
        let start = self.mark;
        let kind = read(self)?;
        self.spans.push(Span { start, end: self.mark, key: false });
        Ok(kind)
    }

    fn word(&mut self) -> Kind {
        let start = self.mark;
        let word = self.take_while(|c| is_letter(c) || c.is_numeric() || matches!(c, '-' | '.'));
        let kind = match word {
            "true" => Kind::Flag(true),
            "false" => Kind::Flag(false),
            word => Kind::Word(word.to_owned()),
        };
        let key = matches!(kind, Kind::Word(_));
        self.spans.push(Span { start, end: self.mark, key });
        kind
    }

    /// Reads over what separates tokens.
    fn blank(&mut self) -> Result<(), Flaw> {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let start = self.mark;
            let rest = self.rest();
            if rest.starts_with("/*") {
                self.block_comment()?;
            } else if rest.starts_with('#') || rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with('/') {
                return Err(Flaw::new(start, "a lone slash", "a comment begins with //, /* or #"));
            } else {
                return Ok(());
            }
            self.spans.push(Span { start, end: self.mark, key: false });
        }
    }

    fn block_comment(&mut self) -> Result<(), Flaw> {
        let start = self.mark;
        let Some(length) = self.rest()[2..].find("*/") else {
            return Err(Flaw::new(start, "a comment without an end", "close it with */"));
        };
        let end = self.offset + length + 4;
        while self.offset < end {
            self.next();
        }
        Ok(())
    }
}

/// Returns whether a word can begin with `c`.
pub(super) fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}
