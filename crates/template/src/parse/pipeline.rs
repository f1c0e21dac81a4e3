//! Pipelines, commands and terms.

use super::Parser;
use crate::builtins::Builtin;
use crate::error::ParseError;
use crate::lex::{Token, TokenKind};
use crate::node::{Callee, Command, Name, Number, Pipe, Term};
use crate::spell::distance::distance;
use crate::spell::quoted;
use leasehold_base::secret::Secret;

impl Parser<'_> {
    /// Parses `declarations? command ('|' command)*` up to `end`, which is consumed.
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipe, Box<ParseError>> {
        let at = self.stream.peek_non_space().start;
        let mut pipe = Pipe { at, assign: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.stream.next_non_space();
            match token.kind {
                kind if kind == end => break,
                TokenKind::Bool
                | TokenKind::CharConstant
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::String
                | TokenKind::Variable
                | TokenKind::LeftParen => {
                    self.stream.back_up();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.stream.unexpected(&token, context)),
            }
        }
        self.check(&pipe, context)?;
        pipe.commands.shrink_to_fit();
        Ok(pipe)
    }

    /// Parses `$x :=`, `$x =` or, in a range, `$x, $y :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Box<ParseError>> {
        loop {
            let variable = self.stream.peek_non_space();
            if variable.kind != TokenKind::Variable {
                return Ok(());
            }
            self.stream.next();
            // In "$x foo" only the token after the space shows that $x is an argument. So the space is
            // remembered too, and put back.
            let after = self.stream.peek().clone();
            let next = self.stream.peek_non_space();
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    pipe.assign = next.kind == TokenKind::Assign;
                    self.stream.next_non_space();
                    self.declare(pipe, &variable);
                    return Ok(());
                }
                TokenKind::Char if self.stream.value(&next) == b"," => {
                    self.stream.next_non_space();
                    self.declare(pipe, &variable);
                    self.second_declaration(pipe, context)?;
                }
                _ if after.kind == TokenKind::Space => {
                    self.stream.back_up_3(variable, after);
                    return Ok(());
                }
                _ => {
                    self.stream.back_up_2(variable);
                    return Ok(());
                }
            }
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: &Token) {
        let name = self.stream.value(variable).to_vec();
        pipe.variables.push(Secret::new(name.clone()));
        self.variables.push(name);
    }

    fn second_declaration(&mut self, pipe: &Pipe, context: &str) -> Result<(), Box<ParseError>> {
        if context == "range" && pipe.variables.len() < 2 {
            return match self.stream.peek_non_space().kind {
                TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen => Ok(()),
                _ => Err(self.stream.error("range can only initialize variables".to_owned())),
            };
        }
        Err(self.stream.error(format!("too many declarations in {context}")))
    }

    /// Checks that the pipeline is not empty, and that only its first stage is a constant.
    fn check(&self, pipe: &Pipe, context: &str) -> Result<(), Box<ParseError>> {
        if pipe.commands.is_empty() {
            return Err(self.stream.error(format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.terms[0],
                Term::Bool(..) | Term::Dot(_) | Term::Nil(_) | Term::Number(_) | Term::Text { .. }
            ) {
                let message = format!("non executable command in pipeline stage {}", index + 1);
                return Err(self.stream.error(message));
            }
        }
        Ok(())
    }

    /// Parses terms up to a pipe, which is consumed, or up to the pipeline's end, which is not.
    fn command(&mut self) -> Result<Command, Box<ParseError>> {
        let at = self.stream.peek_non_space().start;
        let mut terms = Vec::new();
        loop {
            self.stream.peek_non_space();
            if let Some(term) = self.operand()? {
                terms.push(term);
            }
            let token = self.stream.next();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelim | TokenKind::RightParen => self.stream.back_up(),
                TokenKind::Pipe => {}
                _ => return Err(self.stream.unexpected(&token, "operand")),
            }
            break;
        }
        if terms.is_empty() {
            return Err(self.stream.error("empty command".to_owned()));
        }
        // The terms live as long as the file. Without this, the vector's reserve would be most of their memory.
        terms.shrink_to_fit();
        Ok(Command { at, terms })
    }

    /// Parses a term and the fields that follow it without a space.
    fn operand(&mut self) -> Result<Option<Term>, Box<ParseError>> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.stream.peek().kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let at = self.stream.peek().start;
        let mut more = Vec::new();
        while self.stream.peek().kind == TokenKind::Field {
            let token = self.stream.next();
            more.push(self.field_name(&token));
        }
        Ok(Some(match term {
            Term::Field { mut names, .. } => {
                names.append(&mut more);
                Term::Field { at, names }
            }
            Term::Variable { name, mut fields, .. } => {
                fields.append(&mut more);
                Term::Variable { at, name, fields }
            }
            Term::Bool(..) | Term::Text { .. } | Term::Number(_) | Term::Nil(_) | Term::Dot(_) => {
                let shown = crate::node::At::Term(&term).show(self.stream.delimiters());
                let message = format!("unexpected . after term {}", quoted(shown.as_bytes()));
                return Err(self.stream.error(message));
            }
            base => Term::Chain { at, base: Box::new(base), fields: more },
        }))
    }

    /// Returns the field's name without its dot.
    fn field_name(&self, token: &Token) -> Name {
        Secret::new(self.stream.value(token)[1..].to_vec())
    }

    fn term(&mut self) -> Result<Option<Term>, Box<ParseError>> {
        let token = self.stream.next_non_space();
        let at = token.start;
        let value = self.stream.value(&token);
        Ok(Some(match token.kind {
            TokenKind::Identifier => self.function(&token)?,
            TokenKind::Dot => Term::Dot(at),
            TokenKind::Nil => Term::Nil(at),
            TokenKind::Variable => self.variable(&token)?,
            TokenKind::Field => Term::Field { at, names: vec![self.field_name(&token)] },
            TokenKind::Bool => Term::Bool(at, value == b"true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                Term::Number(self.number(&token)?)
            }
            TokenKind::LeftParen => {
                self.deeper()?;
                let pipe = self.pipeline("parenthesized pipeline", TokenKind::RightParen)?;
                self.nesting -= 1;
                Term::Pipe(pipe)
            }
            TokenKind::String | TokenKind::RawString => {
                let text = Secret::new(self.unquote(&token)?);
                Term::Text { at, literal: value.to_vec(), text }
            }
            _ => {
                self.stream.back_up();
                return Ok(None);
            }
        }))
    }

    fn number(&self, token: &Token) -> Result<Number, Box<ParseError>> {
        let value = self.stream.value(token);
        // Number tokens are ASCII, except for those that the lexer refused.
        let text = String::from_utf8_lossy(value);
        match token.kind {
            TokenKind::CharConstant => Number::rune(token.start, value),
            TokenKind::Complex => Number::complex(token.start, &text),
            _ => Number::plain(token.start, &text),
        }
        .map_err(|error| self.stream.error(error.to_string()))
    }

    fn variable(&self, token: &Token) -> Result<Term, Box<ParseError>> {
        let name = self.stream.value(token);
        if !self.variables.iter().any(|known| known == name) {
            return Err(self.stream.error(format!("undefined variable {}", quoted(name))));
        }
        Ok(Term::Variable { at: token.start, name: Secret::new(name.to_vec()), fields: Vec::new() })
    }

    fn function(&self, token: &Token) -> Result<Term, Box<ParseError>> {
        let name = self.stream.value(token);
        let text = String::from_utf8_lossy(name);
        let callee = match self.functions.get(&text) {
            Some(function) => Callee::Function(function),
            None => match Builtin::named(&text) {
                Some(builtin) => Callee::Builtin(builtin),
                None => return Err(self.unknown_function(&text)),
            },
        };
        Ok(Term::Function { at: token.start, name: name.to_vec(), callee })
    }

    /// Makes the error of an unknown function. The hint is the reason why it is not available, or the name that was
    /// probably meant.
    fn unknown_function(&self, name: &str) -> Box<ParseError> {
        let why = self.functions.why_absent(name).map(str::to_owned);
        let nearest = || {
            let names = self.functions.names().chain(Builtin::ALL.iter().map(|builtin| builtin.name()));
            let near = names.map(|known| (distance(name, known), known)).min()?;
            (near.0 <= 1 + name.len() / 4).then(|| format!("did you mean {}?", quoted(near.1.as_bytes())))
        };
        // Helm and others have Sprig's functions without a prefix; consul-template has all of them behind this one.
        let sprig = self.functions.get(&format!("sprig_{name}"));
        let sprig = sprig.map(|known| format!("Sprig's is called {}", quoted(known.name.as_bytes())));
        let mut error = self.stream.error(format!("function {} not defined", quoted(name.as_bytes())));
        error.hint = why.or(sprig).or_else(|| if name.len() <= LONGEST_NAME { nearest() } else { None });
        error
    }
}

/// Longer names are not compared: the comparison takes time, and they are no typing errors.
const LONGEST_NAME: usize = 64;
