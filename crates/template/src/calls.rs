//! Which functions a template calls with which constants, without rendering it. The agent's `policy` and `plan` learn from
//! this which paths a template asks for.

use super::Template;
use super::error::{Lines, Position};
use super::node::{Body, Command, Node, Pipe, Term};
use leasehold_base::secret::Secret;

/// A call of a function, as the template writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'t> {
    /// The function's name.
    pub function: &'t str,
    /// The arguments: the text of a string constant, or `None` for a value that only a rendering can know. The value that a
    /// pipeline passes on comes last.
    pub args: Vec<Option<&'t Secret>>,
    /// The position of the function's name.
    pub position: Position,
}

impl Template {
    /// Returns every call in the text and in the templates that it defines, without rendering it. Calls are in the order of
    /// the text within each template, also those in branches that a rendering would not take.
    ///
    /// ```
    /// use leasehold_template::{Template, functions};
    ///
    /// let text = br#"{{ with secret "secret/web" }}{{ .Data.key }}{{ end }}"#;
    /// let template = Template::parse("t", text, None, functions::all())?;
    /// let calls = template.calls();
    /// assert_eq!(calls[0].function, "secret");
    /// assert_eq!(calls[0].args[0].map(|path| path.expose()), Some(&b"secret/web"[..]));
    /// # Ok::<(), leasehold_template::ParseError>(())
    /// ```
    #[must_use]
    pub fn calls(&self) -> Vec<Call<'_>> {
        let mut walker = Walker { lines: Lines::of(self.text()), calls: Vec::new() };
        self.trees.iter().for_each(|(_, body)| walker.body(body));
        walker.calls
    }
}

struct Walker<'t> {
    lines: Lines,
    calls: Vec<Call<'t>>,
}

impl<'t> Walker<'t> {
    fn body(&mut self, body: &'t Body) {
        for node in body {
            match node {
                Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
                Node::Action(pipe) => self.pipe(pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                    self.pipe(&branch.pipe);
                    self.body(&branch.body);
                    branch.otherwise.iter().for_each(|body| self.body(body));
                }
                Node::Template(invocation) => invocation.pipe.iter().for_each(|pipe| self.pipe(pipe)),
            }
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe) {
        let mut before = None;
        for command in &pipe.commands {
            self.command(command, before);
            before = Some(match command.terms.as_slice() {
                [only] => constant(only),
                _ => None,
            });
        }
    }

    /// Walks a stage of a pipeline. `before` is the value that the stage before it passes on, if there is one.
    fn command(&mut self, command: &'t Command, before: Option<Option<&'t Secret>>) {
        let Some((first, args)) = command.terms.split_first() else { return };
        if let Term::Function { .. } = first {
            self.call(first, args.iter().map(constant).chain(before).collect());
        } else {
            self.term(first);
        }
        args.iter().for_each(|term| self.term(term));
    }

    fn term(&mut self, term: &'t Term) {
        match term {
            Term::Function { .. } => self.call(term, Vec::new()),
            Term::Chain { base, .. } => self.term(base),
            Term::Pipe(pipe) => self.pipe(pipe),
            _ => {}
        }
    }

    fn call(&mut self, term: &'t Term, args: Vec<Option<&'t Secret>>) {
        if let Term::Function { at, name, .. } = term {
            // The parser found a function of this name, and those have names in UTF-8.
            let function = std::str::from_utf8(name).unwrap_or_default();
            self.calls.push(Call { function, args, position: self.lines.position(*at) });
        }
    }
}

/// Returns the text of `term` if the term is a constant.
pub(super) fn constant(term: &Term) -> Option<&Secret> {
    match term {
        Term::Text { text, .. } => Some(text),
        Term::Pipe(Pipe { commands, variables, .. }) => match (commands.as_slice(), variables.as_slice()) {
            ([Command { terms, .. }], []) => match terms.as_slice() {
                [only] => constant(only),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Functions;

    #[test]
    fn a_place_in_counted_lines_is_the_one_that_is_counted_from_the_start() {
        for text in ["", "a", "\n", "a\n", "\n\nab\r\nc", "one\ntwo\n\n{{ three }}"] {
            let lines = Lines::of(text.as_bytes());
            for offset in 0..text.len() + 3 {
                assert_eq!(
                    lines.position(offset),
                    Position::of(text.as_bytes(), offset),
                    "{text:?} {offset}"
                );
            }
        }
    }

    #[test]
    fn calls_are_found_wherever_they_stand() {
        let text = r#"{{ with print "a" (html "b") }}{{ "c" | js }}{{ else }}{{ len . | print ("d") }}{{ end }}
            {{ define "x" }}{{ (urlquery "e").y }}{{ template "x" not "f" }}{{ end }}"#;
        let template = Template::parse("t", text.as_bytes(), None, &Functions::new()).expect("a template");
        let calls: Vec<(&str, Vec<Option<&[u8]>>)> = template
            .calls()
            .into_iter()
            .map(|call| (call.function, call.args.into_iter().map(|arg| arg.map(Secret::expose)).collect()))
            .collect();
        assert_eq!(
            calls,
            [
                ("print", vec![Some(&b"a"[..]), None]),
                ("html", vec![Some(b"b")]),
                ("js", vec![Some(b"c")]),
                ("len", vec![None]),
                ("print", vec![Some(b"d"), None]),
                ("urlquery", vec![Some(b"e")]),
                ("not", vec![Some(b"f")]),
            ]
        );
    }
}
