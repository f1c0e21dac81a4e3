//! The tree of a foreign configuration, whether it was written in HCL or in its JSON form: objects of items in
//! their order, each key and value with its place.

use crate::config::mark::Mark;

/// A place in one of several texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct At {
    /// The text, from 0.
    pub(in crate::config) source: usize,
    /// The place in it.
    pub(in crate::config) mark: Mark,
}

impl At {
    /// Returns the beginning of a text.
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
    /// Returns whether one of the items has this key.
    pub(in crate::config) fn has(&self, key: &str) -> bool {
        self.items.iter().any(|item| item.key == key)
    }
}

/// `key = value`, `key { … }` or `key "label" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Item {
    pub(in crate::config) key: String,
    pub(in crate::config) at: At,
    /// The labels between the key and the block.
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

/// The value of a number.
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

/// The place of the characters of a text in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Lies {
    /// They stand one behind the other, from one column behind the value's place: a string without escapes.
    Verbatim,
    /// They stand line by line below the value's place, and each line lost the same number of columns: a heredoc.
    Below {
        /// The columns that each line lost.
        indent: usize,
    },
    /// The place of the value itself is known, and no more.
    Somewhere,
}
