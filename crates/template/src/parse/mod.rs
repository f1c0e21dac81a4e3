//! The parser: it makes nodes of tokens, with Go's grammar and Go's messages.
//!
//! Like Go's, the parser stops at the first error of a text.

mod control;
mod pipeline;
mod stream;

use std::collections::BTreeMap;

use super::error::ParseError;
use super::function::Functions;
use super::lex::{Token, TokenKind};
use super::node::{Body, Node, TextNode};
use super::spell::quote;
use stream::Stream;

/// The depth to which actions and parentheses may nest. Go takes 10,000 parentheses. No real template
/// comes near this, and the parser's stack must have room for it.
const MAX_NESTING: usize = 200;

/// The templates that one text defines, by name. The text itself is one of them.
pub(crate) type Trees = BTreeMap<Vec<u8>, Body>;

/// Parses `text`, which is called `name`.
///
/// # Errors
/// The first thing in `text` that is not the language.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    delimiters: (&[u8], &[u8]),
    functions: &Functions,
) -> Result<Trees, Box<ParseError>> {
    let stream = Stream::new(name, text, delimiters);
    let mut parser = Parser {
        stream,
        functions,
        trees: Trees::new(),
        variables: vec![b"$".to_vec()],
        ranges: 0,
        nesting: 0,
        open: Vec::new(),
    };
    let body = parser.top()?;
    parser.define(name.as_bytes().to_vec(), body)?;
    Ok(parser.trees)
}

struct Parser<'t> {
    stream: Stream<'t>,
    functions: &'t Functions,
    trees: Trees,
    /// The variables in scope.
    variables: Vec<Vec<u8>>,
    /// The number of `range`s around the current position.
    ranges: usize,
    nesting: usize,
    /// Where the keywords are whose `end` is still to come.
    open: Vec<usize>,
}

/// The keyword that ends a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

/// A node, or the end of the list of nodes.
enum Item {
    Node(Node),
    Ending(Ending),
}

impl Parser<'_> {
    /// Parses the text itself: nodes and definitions, to its end.
    fn top(&mut self) -> Result<Body, Box<ParseError>> {
        let mut body = Body::new();
        while self.stream.peek().kind != TokenKind::Eof {
            if self.stream.peek().kind == TokenKind::LeftDelim {
                let delimiter = self.stream.next();
                let keyword = self.stream.next_non_space();
                if keyword.kind == TokenKind::Define {
                    self.open.push(keyword.start);
                    self.definition()?;
                    self.open.pop();
                    continue;
                }
                self.stream.back_up_2(delimiter);
            }
            match self.text_or_action()? {
                Item::Node(node) => body.push(node),
                Item::Ending(ending) => return Err(self.unexpected_ending(ending, "")),
            }
        }
        body.shrink_to_fit();
        Ok(body)
    }

    /// Parses `{{define "name"}} … {{end}}`. The keyword has been read.
    fn definition(&mut self) -> Result<(), Box<ParseError>> {
        const CONTEXT: &str = "define clause";
        let token = self.stream.next_non_space();
        if !matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            return Err(self.stream.unexpected(&token, CONTEXT));
        }
        let name = self.unquote(&token)?;
        self.expect(TokenKind::RightDelim, CONTEXT)?;
        let body = self.separate_body(CONTEXT)?;
        self.define(name, body)
    }

    /// Parses the body of a template of its own, which does not see the variables around it.
    fn separate_body(&mut self, context: &str) -> Result<Body, Box<ParseError>> {
        let variables = std::mem::replace(&mut self.variables, vec![b"$".to_vec()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, ending) = self.body()?;
        self.variables = variables;
        self.ranges = ranges;
        match ending {
            Ending::End => Ok(body),
            Ending::Else => Err(self.unexpected_ending(ending, &format!(" in {context}"))),
        }
    }

    /// Adds a template. A template of space only is replaced by another of the same name.
    fn define(&mut self, name: Vec<u8>, body: Body) -> Result<(), Box<ParseError>> {
        match self.trees.get(&name) {
            Some(other) if !is_empty(other) => {
                if is_empty(&body) {
                    return Ok(());
                }
                let name = crate::spell::quoted(&name);
                Err(self.stream.error(format!("template: multiple definition of template {name}")))
            }
            _ => {
                self.trees.insert(name, body);
                Ok(())
            }
        }
    }

    /// Parses nodes up to an `end` or `else`, which is consumed too.
    fn body(&mut self) -> Result<(Body, Ending), Box<ParseError>> {
        self.deeper()?;
        let mut body = Body::new();
        while self.stream.peek_non_space().kind != TokenKind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => body.push(node),
                Item::Ending(ending) => {
                    self.nesting -= 1;
                    body.shrink_to_fit();
                    return Ok((body, ending));
                }
            }
        }
        let error = self.stream.error("unexpected EOF".to_owned());
        // Go's message names the last line. The mistake is where something is open.
        Err(match self.open.last() {
            Some(start) => self.stream.shown_at(*start, error),
            None => error,
        })
    }

    fn text_or_action(&mut self) -> Result<Item, Box<ParseError>> {
        let token = self.stream.next_non_space();
        match token.kind {
            TokenKind::Text => {
                let text = self.stream.value(&token).to_vec();
                Ok(Item::Node(Node::Text(TextNode { at: token.start, text })))
            }
            TokenKind::LeftDelim => {
                self.stream.action_line = Some(token.line);
                let item = self.action()?;
                self.stream.action_line = None;
                Ok(item)
            }
            _ => Err(self.stream.unexpected(&token, "input")),
        }
    }

    /// Counts one more level of nesting. The caller counts back at its end.
    fn deeper(&mut self) -> Result<(), Box<ParseError>> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.stream.error("max expression depth exceeded".to_owned()));
        }
        Ok(())
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Result<Token, Box<ParseError>> {
        let token = self.stream.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.stream.unexpected(&token, context)) }
    }

    fn unquote(&self, token: &Token) -> Result<Vec<u8>, Box<ParseError>> {
        quote::unquote(self.stream.value(token)).map_err(|error| self.stream.error(error.to_string()))
    }

    fn unexpected_ending(&self, ending: Ending, context: &str) -> Box<ParseError> {
        let (left, right) = self.stream.delimiters();
        let word = if ending == Ending::End { "end" } else { "else" };
        let (left, right) = (String::from_utf8_lossy(left), String::from_utf8_lossy(right));
        self.stream.error(format!("unexpected {left}{word}{right}{context}"))
    }
}

/// Returns whether a template has nothing but space.
fn is_empty(body: &Body) -> bool {
    body.iter().all(|node| match node {
        Node::Text(text) => String::from_utf8_lossy(&text.text).trim().is_empty(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{Function, Functions};
    use crate::value::{Type, Value};

    static KNOWN: [Function; 1] =
        [Function::new("secret", &[Type::String], |_, _| Ok(Value::Nil)).variadic()];

    fn error(text: &str) -> ParseError {
        let mut functions = Functions::new();
        functions.add(&KNOWN);
        functions.forbid("service", "it asks Consul, which is not here");
        let parsed = parse("web", text.as_bytes(), (b"{{", b"}}"), &functions);
        *parsed.err().expect("an error")
    }

    #[test]
    fn an_unknown_function_is_answered_with_the_nearest_name() {
        let typo = error(r#"{{ secrte "secret/web" }}"#);
        assert_eq!(typo.message, r#"function "secrte" not defined"#);
        assert_eq!(typo.hint.as_deref(), Some(r#"did you mean "secret"?"#));
        assert_eq!(error("{{ pritnf }}").hint.as_deref(), Some(r#"did you mean "printf"?"#));
        assert_eq!(error("{{ zzzzzzzz }}").hint, None);
        assert_eq!(error(&format!("{{{{ {} }}}}", "s".repeat(100_000))).hint, None);
    }

    #[test]
    fn a_function_that_is_left_out_says_why() {
        let error = error("{{ service }}");
        let said = r#"template: web:1: function "service" not defined (it asks Consul, which is not here)"#;
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn errors_have_a_place_for_a_caret() {
        let unclosed = error("one\n  {{ .x }} {{ .y ] }}");
        assert_eq!((unclosed.position.line, unclosed.position.column, unclosed.line), (2, 17, 2));
    }

    #[test]
    fn a_text_that_ends_too_soon_is_shown_where_something_is_open() {
        for (text, open) in [
            ("{{ if .x }}\n", 3),
            ("{{ if .x }}\n{{ with .y }}a{{ end }}\n", 3),
            ("{{ if .x }}\n{{ with .y }}a{{ else }}b\n", 15),
            ("{{ if .x }}a{{ else if .y }}b", 3),
            ("{{ if .x }}a{{ end }}{{ range .y }}", 24),
            ("{{ define \"a\" }}b", 3),
            ("{{ block \"a\" . }}b", 3),
        ] {
            let error = error(text);
            assert_eq!((error.position.offset, error.message.as_str()), (open, "unexpected EOF"), "{text}");
            assert_eq!(error.line, 1 + text.matches('\n').count(), "Go's line: {text}");
        }
    }
}
