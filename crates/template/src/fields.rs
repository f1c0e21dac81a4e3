//! Which fields a template takes from the answers of calls that it makes with constants, without rendering it:
//! what `check` can know of a key that is looked for on the wrong level.

use super::Template;
use super::calls::constant;
use super::error::{Lines, Position};
use super::node::{Body, Branch, Command, Name, Node, Pipe, Term};
use leasehold_base::secret::Secret;

/// A field of an answer, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldOf<'t> {
    /// The call's only argument: the path.
    pub path: &'t Secret,
    /// The names, from the answer on: `Data`, `password`. Where `index` takes the last with a constant, it is among
    /// them.
    pub names: Vec<&'t Secret>,
    /// Whether the last name is an argument of `index`.
    pub indexed: bool,
    /// Where the field stands.
    pub place: Position,
}

impl Template {
    /// Returns every field that the template takes from an answer of `function`, where the call has one constant
    /// argument. A field is found inside a `with` of the call, through a variable that holds the answer, or at the call
    /// itself. What only a rendering can know is left out.
    #[must_use]
    pub fn fields_of(&self, function: &str) -> Vec<FieldOf<'_>> {
        let mut walker = Walker {
            lines: Lines::of(self.text()),
            function,
            dot: None,
            variables: Vec::new(),
            found: Vec::new(),
        };
        for (_, body) in &self.trees {
            walker.dot = None;
            walker.scope(|walker| walker.body(body));
        }
        walker.found
    }
}

/// What a value is: the answer to a call with this path, or not known.
type Origin<'t> = Option<&'t Secret>;

struct Walker<'t, 'f> {
    lines: Lines,
    function: &'f str,
    dot: Origin<'t>,
    variables: Vec<(&'t Name, Origin<'t>)>,
    found: Vec<FieldOf<'t>>,
}

impl<'t> Walker<'t, '_> {
    /// Runs `inner`; the variables that it declares end with it.
    fn scope(&mut self, inner: impl FnOnce(&mut Self)) {
        let (known, dot) = (self.variables.len(), self.dot);
        inner(self);
        self.variables.truncate(known);
        self.dot = dot;
    }

    fn body(&mut self, body: &'t Body) {
        for node in body {
            match node {
                Node::Text(_) | Node::Break(_) | Node::Continue(_) => {}
                Node::Action(pipe) => {
                    self.pipe(pipe);
                    let origin = self.origin(pipe);
                    self.declare(pipe, origin);
                }
                Node::If(branch) => self.branch(branch, self.dot, self.origin(&branch.pipe)),
                Node::With(branch) => {
                    let origin = self.origin(&branch.pipe);
                    self.branch(branch, origin, origin);
                }
                Node::Range(branch) => self.branch(branch, None, None),
                Node::Template(invocation) => invocation.pipe.iter().for_each(|pipe| self.pipe(pipe)),
            }
        }
    }

    /// Walks the pipeline and the bodies of `branch`. `dot` is the origin of dot within the branch. `variable` is the
    /// origin of a variable that the pipeline declares.
    fn branch(&mut self, branch: &'t Branch, dot: Origin<'t>, variable: Origin<'t>) {
        self.pipe(&branch.pipe);
        self.scope(|walker| {
            walker.declare(&branch.pipe, variable);
            branch.otherwise.iter().for_each(|body| walker.scope(|walker| walker.body(body)));
            walker.dot = dot;
            walker.scope(|walker| walker.body(&branch.body));
        });
    }

    /// Records the variables that `pipe` declares, with the origin of their value. A variable that is assigned to may
    /// hold either value afterwards, so its origin is no longer known.
    fn declare(&mut self, pipe: &'t Pipe, origin: Origin<'t>) {
        for name in &pipe.variables {
            if pipe.assign {
                let same = self.variables.iter_mut().filter(|(known, _)| *known == name);
                same.for_each(|(_, origin)| *origin = None);
            } else {
                self.variables.push((name, origin));
            }
        }
    }

    /// Returns the origin of the pipeline's value.
    fn origin(&self, pipe: &'t Pipe) -> Origin<'t> {
        match pipe.commands.as_slice() {
            [Command { terms, .. }] => match terms.as_slice() {
                [only] => self.origin_of(only),
                [Term::Function { name, .. }, path] if name == self.function.as_bytes() => constant(path),
                _ => None,
            },
            [Command { terms, .. }, Command { terms: last, .. }] => match (terms.as_slice(), last.as_slice())
            {
                ([path], [Term::Function { name, .. }]) if name == self.function.as_bytes() => constant(path),
                _ => None,
            },
            _ => None,
        }
    }

    fn origin_of(&self, term: &'t Term) -> Origin<'t> {
        match term {
            Term::Dot(_) => self.dot,
            Term::Variable { name, fields, .. } if fields.is_empty() => self.variable(name),
            Term::Pipe(pipe) => self.origin(pipe),
            _ => None,
        }
    }

    fn variable(&self, name: &Name) -> Origin<'t> {
        self.variables.iter().rev().find(|(known, _)| *known == name).and_then(|(_, origin)| *origin)
    }

    fn pipe(&mut self, pipe: &'t Pipe) {
        pipe.commands.iter().for_each(|command| self.command(command));
    }

    fn command(&mut self, command: &'t Command) {
        if let [Term::Function { name, .. }, base, key, ..] = command.terms.as_slice()
            && name == b"index"
            && let Some(key) = constant(key)
            && let Some((path, mut names)) = self.field(base)
        {
            names.push(key);
            self.add(path, names, true, base.at());
        }
        command.terms.iter().for_each(|term| self.term(term));
    }

    fn term(&mut self, term: &'t Term) {
        if let Some((path, names)) = self.field(term) {
            self.add(path, names, false, term.at());
        }
        match term {
            Term::Chain { base, .. } => self.term(base),
            Term::Pipe(pipe) => self.pipe(pipe),
            _ => {}
        }
    }

    fn add(&mut self, path: &'t Secret, names: Vec<&'t Secret>, indexed: bool, at: usize) {
        let place = self.lines.position(at);
        self.found.push(FieldOf { path, names, indexed, place });
    }

    /// Returns the answer that `term` takes a field from, and the names of the field.
    fn field(&self, term: &'t Term) -> Option<(&'t Secret, Vec<&'t Secret>)> {
        let (origin, names) = match term {
            Term::Field { names, .. } => (self.dot, names),
            Term::Variable { name, fields, .. } if !fields.is_empty() => (self.variable(name), fields),
            Term::Chain { base, fields, .. } => (self.origin_of(base), fields),
            Term::Pipe(Pipe { commands, variables, .. }) if variables.is_empty() => {
                return match commands.as_slice() {
                    [Command { terms, .. }] if terms.len() == 1 => self.field(&terms[0]),
                    _ => None,
                };
            }
            _ => return None,
        };
        Some((origin?, names.iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Functions;

    fn found(text: &str) -> Vec<String> {
        let template = Template::parse("t", text.as_bytes(), None, &Functions::new()).expect("a template");
        let spelled = |field: FieldOf<'_>| {
            let words: Vec<&str> =
                std::iter::once(field.path).chain(field.names).filter_map(Secret::expose_str).collect();
            format!("{}{}", words.join("."), if field.indexed { "[]" } else { "" })
        };
        template.fields_of("html").into_iter().map(spelled).collect()
    }

    #[test]
    fn fields_are_found_wherever_the_answer_is() {
        for (text, fields) in [
            (r#"{{ with html "p" }}{{ .Data.a }}{{ end }}"#, &["p.Data.a"][..]),
            (
                r#"{{ with "p" | html }}{{ if .Data.a }}{{ .Data.b }}{{ end }}{{ end }}"#,
                &["p.Data.a", "p.Data.b"],
            ),
            (r#"{{ with $s := (html "p") }}{{ $s.Data.a | print }}{{ end }}"#, &["p.Data.a"]),
            (
                r#"{{ $s := html "p" }}{{ range $s.Data.a }}{{ $s.Data.b }}{{ .c }}{{ end }}"#,
                &["p.Data.a", "p.Data.b"],
            ),
            (r#"{{ (html "p").Data.a }}"#, &["p.Data.a"]),
            (r#"{{ with html "p" }}{{ index .Data "a-b" }}{{ end }}"#, &["p.Data.a-b[]", "p.Data"]),
            (r#"{{ with html "p" }}{{ with .Data }}{{ .a }}{{ end }}{{ end }}"#, &["p.Data"]),
            (
                r#"{{ with html "p" }}{{ with html "q" }}{{ .x }}{{ end }}{{ .y }}{{ else }}{{ .z }}{{ end }}"#,
                &["q.x", "p.y"],
            ),
        ] {
            assert_eq!(found(text), fields, "{text}");
        }
    }

    #[test]
    fn what_only_a_rendering_can_know_is_left_out() {
        for text in [
            r#"{{ with html (print "p") }}{{ .Data.a }}{{ end }}"#,
            r#"{{ with html "p" "q" }}{{ .Data.a }}{{ end }}"#,
            r#"{{ range html "p" }}{{ .Data.a }}{{ end }}"#,
            r#"{{ if html "p" }}{{ .Data.a }}{{ end }}"#,
            r#"{{ $s := html "p" }}{{ $s = . }}{{ $s.Data.a }}"#,
            r#"{{ if . }}{{ $s := html "p" }}{{ end }}{{ with $s := . }}{{ $s.Data.a }}{{ end }}"#,
            r#"{{ define "d" }}{{ .Data.a }}{{ end }}{{ with html "p" }}{{ template "d" . }}{{ end }}"#,
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
