//! Nodes as Go prints them: the `<…>` of an execution error. They show the template's own text, and
//! no data.

use super::{Branch, Command, Invocation, Name, Node, Pipe, Term};
use crate::spell::quote;

/// A node that an error can point at.
#[derive(Clone, Copy)]
pub(crate) enum At<'t> {
    Node(&'t Node),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Term(&'t Term),
}

impl At<'_> {
    /// Returns its position.
    pub(crate) const fn at(self) -> usize {
        match self {
            Self::Node(node) => node.at(),
            Self::Pipe(pipe) => pipe.at,
            Self::Command(command) => command.at,
            Self::Term(term) => term.at(),
        }
    }

    /// Returns the node's text, in a template whose actions stand between `left` and `right`.
    pub(crate) fn show(self, (left, right): (&[u8], &[u8])) -> String {
        let mut out = Vec::new();
        match self {
            Self::Node(node) => node_in(node, left, right, &mut out),
            Self::Pipe(pipe) => pipe_in(pipe, &mut out),
            Self::Command(command) => command_in(command, &mut out),
            Self::Term(term) => term_in(term, &mut out),
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl Node {
    pub(crate) const fn at(&self) -> usize {
        match self {
            Self::Text(text) => text.at,
            Self::Action(pipe) => pipe.at,
            Self::If(branch) | Self::With(branch) | Self::Range(branch) => branch.at,
            Self::Template(invocation) => invocation.at,
            Self::Break(at) | Self::Continue(at) => *at,
        }
    }
}

/// Shows the action only, because its body could fill a page.
fn node_in(node: &Node, left: &[u8], right: &[u8], out: &mut Vec<u8>) {
    let branch = |keyword: &[u8], branch: &Branch, out: &mut Vec<u8>| {
        out.extend(keyword);
        pipe_in(&branch.pipe, out);
    };
    out.extend(left);
    match node {
        Node::Text(_) => out.extend(b"text"),
        Node::Action(pipe) => pipe_in(pipe, out),
        Node::If(node) => branch(b"if ", node, out),
        Node::With(node) => branch(b"with ", node, out),
        Node::Range(node) => branch(b"range ", node, out),
        Node::Template(node) => invocation_in(node, out),
        Node::Break(_) => out.extend(b"break"),
        Node::Continue(_) => out.extend(b"continue"),
    }
    out.extend(right);
}

fn invocation_in(node: &Invocation, out: &mut Vec<u8>) {
    out.extend(b"template ");
    quote::quote(&node.name, false, out);
    if let Some(pipe) = &node.pipe {
        out.push(b' ');
        pipe_in(pipe, out);
    }
}

fn pipe_in(pipe: &Pipe, out: &mut Vec<u8>) {
    for (index, variable) in pipe.variables.iter().enumerate() {
        out.extend(if index > 0 { &b", "[..] } else { b"" });
        out.extend(variable.expose());
    }
    if !pipe.variables.is_empty() {
        out.extend(if pipe.assign { &b" = "[..] } else { b" := " });
    }
    for (index, command) in pipe.commands.iter().enumerate() {
        out.extend(if index > 0 { &b" | "[..] } else { b"" });
        command_in(command, out);
    }
}

fn command_in(command: &Command, out: &mut Vec<u8>) {
    for (index, term) in command.terms.iter().enumerate() {
        out.extend(if index > 0 { &b" "[..] } else { b"" });
        nested_in(term, out);
    }
}

/// Shows a term as part of something else, with parentheses around a pipeline.
fn nested_in(term: &Term, out: &mut Vec<u8>) {
    match term {
        Term::Pipe(pipe) => {
            out.push(b'(');
            pipe_in(pipe, out);
            out.push(b')');
        }
        term => term_in(term, out),
    }
}

fn term_in(term: &Term, out: &mut Vec<u8>) {
    match term {
        Term::Dot(_) => out.push(b'.'),
        Term::Nil(_) => out.extend(b"nil"),
        Term::Bool(_, flag) => out.extend(if *flag { &b"true"[..] } else { b"false" }),
        Term::Number(number) => out.extend(number.literal.as_bytes()),
        Term::Text { literal, .. } => out.extend(literal),
        Term::Field { names, .. } => fields_in(names, out),
        Term::Variable { name, fields, .. } => {
            out.extend(name.expose());
            fields_in(fields, out);
        }
        Term::Function { name, .. } => out.extend(name),
        Term::Chain { base, fields, .. } => {
            nested_in(base, out);
            fields_in(fields, out);
        }
        Term::Pipe(pipe) => pipe_in(pipe, out),
    }
}

fn fields_in(fields: &[Name], out: &mut Vec<u8>) {
    for field in fields {
        out.push(b'.');
        out.extend(field.expose());
    }
}
