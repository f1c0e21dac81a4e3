//! What a foreign configuration says, whether it was written in HCL or in its JSON form: objects of
//! items in their order, each key and value with its place.

use crate::config::mark::Mark;

/// A place in one of several texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct At {
    /// Which text, from 0.
    pub(in crate::config) source: usize,
    /// Where in it.
    pub(in crate::config) mark: Mark,
}

impl At {
    /// The beginning of a text.
    pub(in crate::config) const fn start(source: usize) -> Self {
        Self { source, mark: Mark::START }
    }
}

/// Items in their order; a key may stand more than once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::config) struct Object {
    pub(in crate::config) items: Vec<Item>,
}

impl Object {
    /// Whether one of the items is called so.
    pub(in crate::config) fn has(&self, key: &str) -> bool {
        self.items.iter().any(|item| item.key == key)
    }
}

/// `key = value`, `key { … }` or `key "label" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Item {
    pub(in crate::config) key: String,
    pub(in crate::config) at: At,
    /// What stands between key and block.
    pub(in crate::config) labels: Vec<(String, At)>,
    pub(in crate::config) value: Node,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Node {
    pub(in crate::config) at: At,
    pub(in crate::config) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Value {
    Null,
    Flag(bool),
    /// A number, and how it is written.
    Number(Number, String),
    Text(Text),
    List(Vec<Node>),
    Object(Object),
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::config) enum Number {
    Whole(i64),
    Fraction(f64),
}

/// A text, and how its lines lie in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Text {
    pub(in crate::config) text: String,
    pub(in crate::config) lies: Lies,
}

/// Where the characters of a text stand in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Lies {
    /// One behind the other, from one column behind the value's place: a string without escapes.
    Verbatim,
    /// Line by line below the value's place, each less as many columns: a heredoc.
    Below {
        /// The columns that each line lost.
        indent: usize,
    },
    /// Only the value's own place is known.
    Somewhere,
}
