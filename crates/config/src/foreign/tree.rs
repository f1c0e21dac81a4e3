//! The tree of a foreign configuration, whether it was written in HCL or in its JSON form: objects of items in
//! their order, each key and value with its place.

use crate::mark::Mark;

/// A place in one of several texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    /// The text, from 0.
    pub(crate) source: usize,
    /// The place in it.
    pub(crate) mark: Mark,
}

impl At {
    /// Returns the beginning of a text.
    pub(crate) const fn start(source: usize) -> Self {
        Self { source, mark: Mark::START }
    }
}

/// Items in their order; a key may stand more than once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Object {
    pub(crate) items: Vec<Item>,
}

impl Object {
    /// Returns whether one of the items has this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.items.iter().any(|item| item.key == key)
    }
}

/// `key = value`, `key { … }` or `key "label" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) at: At,
    /// The labels between the key and the block.
    pub(crate) labels: Vec<(String, At)>,
    pub(crate) value: Node,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
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
pub(crate) enum Number {
    Whole(i64),
    Fraction(f64),
}

/// A text, and how its lines lie in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) lies: Lies,
}

/// The place of the characters of a text in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lies {
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
