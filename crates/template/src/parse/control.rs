//! Actions: the keywords and their parts.

use super::{Ending, Item, Parser};
use crate::error::ParseError;
use crate::lex::{Token, TokenKind};
use crate::node::{Body, Branch, Invocation, Node};

/// The actions that have a pipeline and a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Control {
    If,
    With,
    Range,
}

impl Control {
    const fn context(self) -> &'static str {
        match self {
            Self::If => "if",
            Self::With => "with",
            Self::Range => "range",
        }
    }

    /// Returns the keyword that may follow `else` in the same action.
    const fn chains_with(self) -> Option<TokenKind> {
        match self {
            Self::If => Some(TokenKind::If),
            Self::With => Some(TokenKind::With),
            Self::Range => None,
        }
    }
}

impl Parser<'_> {
    /// Parses an action. Its left delimiter has been read.
    pub(super) fn action(&mut self) -> Result<Item, Box<ParseError>> {
        let token = self.stream.next_non_space();
        let node = match token.kind {
            TokenKind::Block => self.opened(&token, Self::block)?,
            TokenKind::Break => self.jump(&token, "break", Node::Break)?,
            TokenKind::Continue => self.jump(&token, "continue", Node::Continue)?,
            TokenKind::Else => return self.otherwise(),
            TokenKind::End => {
                self.expect(TokenKind::RightDelim, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            TokenKind::If => self.opened(&token, |parser| parser.control(Control::If))?,
            TokenKind::Range => self.opened(&token, |parser| parser.control(Control::Range))?,
            TokenKind::Template => self.invocation()?,
            TokenKind::With => self.opened(&token, |parser| parser.control(Control::With))?,
            _ => {
                self.stream.back_up();
                Node::Action(self.pipeline("command", TokenKind::RightDelim)?)
            }
        };
        Ok(Item::Node(node))
    }

    /// Parses what `keyword` opens, up to its `end`.
    fn opened(
        &mut self,
        keyword: &Token,
        parse: impl FnOnce(&mut Self) -> Result<Node, Box<ParseError>>,
    ) -> Result<Node, Box<ParseError>> {
        self.open.push(keyword.start);
        let node = parse(self)?;
        self.open.pop();
        Ok(node)
    }

    fn jump(&mut self, token: &Token, word: &str, node: fn(usize) -> Node) -> Result<Node, Box<ParseError>> {
        let next = self.stream.next_non_space();
        if next.kind != TokenKind::RightDelim {
            return Err(self.stream.unexpected(&next, &format!("{{{{{word}}}}}")));
        }
        if self.ranges == 0 {
            return Err(self.stream.error(format!("{{{{{word}}}}} outside {{{{range}}}}")));
        }
        Ok(node(token.start))
    }

    /// Parses `{{else}}`, or the `else` of `{{else if …}}`. [`Self::else_body`] reads that `if`.
    fn otherwise(&mut self) -> Result<Item, Box<ParseError>> {
        if !matches!(self.stream.peek_non_space().kind, TokenKind::If | TokenKind::With) {
            self.expect(TokenKind::RightDelim, "else")?;
        }
        Ok(Item::Ending(Ending::Else))
    }

    fn control(&mut self, control: Control) -> Result<Node, Box<ParseError>> {
        let variables = self.variables.len();
        let pipe = self.pipeline(control.context(), TokenKind::RightDelim)?;
        let range = usize::from(control == Control::Range);
        self.ranges += range;
        let (body, ending) = self.body()?;
        self.ranges -= range;
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else => Some(self.else_body(control)?),
        };
        self.variables.truncate(variables);
        let branch = Branch { at: pipe.at, pipe, body, otherwise };
        Ok(match control {
            Control::If => Node::If(branch),
            Control::With => Node::With(branch),
            Control::Range => Node::Range(branch),
        })
    }

    /// Parses what follows `else`: a body with its `end`, or another `if` that shares the `end`.
    fn else_body(&mut self, control: Control) -> Result<Body, Box<ParseError>> {
        if control.chains_with().is_some_and(|kind| self.stream.peek().kind == kind) {
            self.stream.next();
            self.deeper()?;
            let node = self.control(control)?;
            self.nesting -= 1;
            return Ok(vec![node]);
        }
        match self.body()? {
            (body, Ending::End) => Ok(body),
            (_, Ending::Else) => {
                let (left, right) = self.stream.delimiters();
                let (left, right) = (String::from_utf8_lossy(left), String::from_utf8_lossy(right));
                Err(self.stream.error(format!("expected end; found {left}else{right}")))
            }
        }
    }

    /// Parses `{{block "name" pipeline}} … {{end}}`: a definition and its invocation in one.
    fn block(&mut self) -> Result<Node, Box<ParseError>> {
        const CONTEXT: &str = "block clause";
        let token = self.stream.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let body = self.separate_body(CONTEXT)?;
        self.define(name.clone(), body)?;
        Ok(Node::Template(Invocation { at: token.start, name, pipe: Some(pipe) }))
    }

    fn invocation(&mut self) -> Result<Node, Box<ParseError>> {
        const CONTEXT: &str = "template clause";
        let token = self.stream.next_non_space();
        let name = self.template_name(&token, CONTEXT)?;
        let pipe = if self.stream.next_non_space().kind == TokenKind::RightDelim {
            None
        } else {
            self.stream.back_up();
            Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?)
        };
        Ok(Node::Template(Invocation { at: token.start, name, pipe }))
    }

    fn template_name(&self, token: &Token, context: &str) -> Result<Vec<u8>, Box<ParseError>> {
        if matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            self.unquote(token)
        } else {
            Err(self.stream.unexpected(token, context))
        }
    }
}
