//! Finds each key and value of a YAML text.

use libyaml_safer::ScalarStyle;

use super::keypath::{KeyPath, Step};
use super::mark::Mark;

/// The marks of one text. [`super::yaml`] makes them.
#[derive(Debug, Default)]
pub(super) struct Marks {
    nodes: Vec<Node>,
    pub(super) root: Option<Child>,
    /// Every scalar, in the order of the text.
    pub(super) scalars: Vec<Span>,
}

/// The place of a scalar, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Mark,
    /// The mark behind its last character.
    pub(super) end: Mark,
    /// True for the key of a map.
    pub(super) key: bool,
}

/// A use of a node. An alias uses a node a second time, at another mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child {
    /// The index of the node.
    pub(super) node: usize,
    pub(super) mark: Mark,
}

#[derive(Debug)]
pub(super) enum Node {
    Scalar(ScalarStyle),
    List(Vec<Child>),
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key as it is written, without quotes.
    pub(super) key: String,
    pub(super) mark: Mark,
    pub(super) value: Child,
}

/// The result of [`Marks::find`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The number of steps of the path that exist.
    pub(super) steps: usize,
    /// The key of the last of these steps. In a list and at the top, the mark of the value itself.
    pub(super) key: Mark,
    /// The value of that step.
    pub(super) value: Mark,
    /// True if the value is a literal block (`|`), whose lines are those of the text.
    pub(super) literal: bool,
    /// The style of a plain or quoted scalar, which starts where its text does.
    pub(super) inline: Option<ScalarStyle>,
}

impl Marks {
    /// Adds a node, and returns its index.
    pub(super) fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Returns the place of `path`, or of the longest beginning of it that exists.
    pub(super) fn find(&self, path: &KeyPath) -> Found {
        let Some(root) = self.root else {
            return Found { steps: 0, key: Mark::START, value: Mark::START, literal: false, inline: None };
        };
        let (mut at, mut key, mut steps) = (root, root.mark, 0);
        for step in path.steps() {
            let Some((mark, child)) = self.step(at, step) else { break };
            (key, at, steps) = (mark, child, steps + 1);
        }
        let style = match &self.nodes[at.node] {
            Node::Scalar(style) => Some(*style),
            _ => None,
        };
        Found {
            steps,
            key,
            value: at.mark,
            literal: style == Some(ScalarStyle::Literal),
            inline: style.filter(|style| !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)),
        }
    }

    fn step(&self, at: Child, step: &Step) -> Option<(Mark, Child)> {
        match (&self.nodes[at.node], step) {
            (Node::List(items), Step::Index(index)) => items.get(*index).map(|item| (item.mark, *item)),
            (Node::Map(entries), Step::Key(name)) => entries
                .iter()
                .find(|entry| entry.key == *name)
                .map(|entry| (entry.mark, entry.value))
                .or_else(|| self.merged(entries, step)),
            _ => None,
        }
    }

    /// Takes a step into what a merge key (`<<`) brings in. The text bounds the depth, so this ends.
    fn merged(&self, entries: &[Entry], step: &Step) -> Option<(Mark, Child)> {
        let merge = entries.iter().find(|entry| entry.key == "<<")?;
        match &self.nodes[merge.value.node] {
            Node::List(items) => items.iter().find_map(|item| self.step(*item, step)),
            _ => self.step(merge.value, step),
        }
    }
}
