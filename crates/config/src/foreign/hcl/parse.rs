//! Makes objects of tokens.

use super::lex::{Kind, Lexer, Token};
use super::{Hcl, MAX_DEPTH};
use crate::foreign::tree::{At, Item, Node, Object, Value};
use crate::mark::Mark;
use crate::yaml_error::Flaw;

/// Reads one text, one token ahead.
pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    source: usize,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, source: usize) -> Self {
        Self { lexer: Lexer::new(text), source }
    }

    pub(super) fn read(mut self) -> Result<Hcl, Flaw> {
        let top = self.object(None, 0)?;
        Ok(Hcl { top, spans: self.lexer.spans })
    }

    fn at(&self, mark: Mark) -> At {
        At { source: self.source, mark }
    }

    /// Items up to the brace that closes what was opened at `open`, or to the end.
    fn object(&mut self, open: Option<Mark>, depth: usize) -> Result<Object, Flaw> {
        let mut object = Object::default();
        loop {
            let token = self.lexer.token()?;
            match (token.kind, open) {
                (Kind::End, None) | (Kind::Close, Some(_)) => return Ok(object),
                (Kind::End, Some(open)) => {
                    return Err(Flaw::new(open, "a brace that is never closed", "close it with }"));
                }
                (Kind::Close, None) => {
                    return Err(Flaw::new(token.mark, "a closing brace without an opening one", "remove it"));
                }
                (Kind::Comma, _) if !object.items.is_empty() => {}
                (Kind::Word(key), _) => object.items.push(self.item(key, token.mark, depth)?),
                (Kind::Text(key), _) => {
                    self.last_is_key();
                    object.items.push(self.item(key.text, token.mark, depth)?);
                }
                _ => {
                    let hint = "write `key = value` or `key { … }`";
                    return Err(Flaw::new(token.mark, "something else than a key", hint));
                }
            }
        }
    }

    /// Records that the last value is a key. A quoted key is shown like any other.
    fn last_is_key(&mut self) {
        if let Some(span) = self.lexer.spans.last_mut() {
            span.key = true;
        }
    }

    /// Reads what follows a key.
    fn item(&mut self, key: String, mark: Mark, depth: usize) -> Result<Item, Flaw> {
        let at = self.at(mark);
        let mut labels = Vec::new();
        loop {
            let token = self.lexer.token()?;
            let at_token = self.at(token.mark);
            match token.kind {
                Kind::Assign if labels.is_empty() => {
                    let first = self.lexer.token()?;
                    return Ok(Item { key, at, labels, value: self.value(first, depth)? });
                }
                Kind::Assign => {
                    return Err(Flaw::new(token.mark, "`=` behind a label", "a labelled block has none"));
                }
                Kind::Open => {
                    let value = Value::Object(self.inner(token.mark, depth)?);
                    return Ok(Item { key, at, labels, value: Node { at: at_token, value } });
                }
                Kind::Word(label) => labels.push((label, at_token)),
                Kind::Text(label) => {
                    self.last_is_key();
                    labels.push((label.text, at_token));
                }
                _ => {
                    let message = format!("`{}` without a value", shown(&key));
                    return Err(Flaw::new(mark, message, "write `key = value` or `key { … }`"));
                }
            }
        }
    }

    fn inner(&mut self, open: Mark, depth: usize) -> Result<Object, Flaw> {
        deeper(open, depth)?;
        self.object(Some(open), depth + 1)
    }

    /// Reads the value that begins with `token`.
    fn value(&mut self, token: Token, depth: usize) -> Result<Node, Flaw> {
        let value = match token.kind {
            Kind::Flag(flag) => Value::Flag(flag),
            Kind::Number(number, spelled) => Value::Number(number, spelled),
            Kind::Text(text) | Kind::Heredoc(text) => Value::Text(text),
            Kind::Open => Value::Object(self.inner(token.mark, depth)?),
            Kind::OpenList => Value::List(self.list(token.mark, depth)?),
            Kind::Word(_) => {
                return Err(Flaw::new(token.mark, "a bare word as a value", "put it in double quotes"));
            }
            _ => {
                return Err(Flaw::new(
                    token.mark,
                    "no value behind the `=`",
                    "write one, or take the key out",
                ));
            }
        };
        Ok(Node { at: self.at(token.mark), value })
    }

    fn list(&mut self, open: Mark, depth: usize) -> Result<Vec<Node>, Flaw> {
        deeper(open, depth)?;
        let (mut items, mut separated) = (Vec::new(), true);
        loop {
            let token = self.lexer.token()?;
            match token.kind {
                Kind::CloseList => return Ok(items),
                Kind::End => {
                    return Err(Flaw::new(open, "a bracket that is never closed", "close it with ]"));
                }
                Kind::Comma => separated = true,
                _ if !separated => {
                    return Err(Flaw::new(
                        token.mark,
                        "two values of a list side by side",
                        "put a comma between",
                    ));
                }
                _ => {
                    items.push(self.value(token, depth + 1)?);
                    separated = false;
                }
            }
        }
    }
}

fn deeper(mark: Mark, depth: usize) -> Result<(), Flaw> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(Flaw::new(mark, format!("nested deeper than {MAX_DEPTH} levels"), "flatten it"))
}

/// Returns the beginning of a key for a message. A long key may be anything.
fn shown(key: &str) -> String {
    key.chars().take(40).filter(|c| !c.is_control()).collect()
}
