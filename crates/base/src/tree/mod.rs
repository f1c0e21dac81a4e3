//! JSON as the server sent it, in a tree that wipes itself.
//!
//! Numbers keep their spelling, as Go's `json.Number` does: `1.50` stays `1.50`, and a 64-bit identifier
//! does not pass through a float. Maps are sorted, as Go prints and iterates them. Sharing is
//! cheap: a clone of any node copies a pointer.
//!
//! The reader and the writer are this crate's own, because `serde_json` respells numbers (`1e3`
//! becomes `1e+3`), which would change a rendered file, and leaves unwiped copies of every text.

mod json;
mod map;
pub mod yaml;

pub use json::{JsonError, JsonProblem, MAX_DEPTH, append};
pub use map::Map;
pub use yaml::YamlError;

use crate::gather::Gather as _;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// A JSON value. Its texts and numbers are wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, in the spelling in which it arrived.
    Number(Secret),
    /// A text.
    Text(Secret),
    /// A list.
    List(Arc<Vec<Tree>>),
    /// A map, sorted by key. Keys are names and not secrets. Even so, a message may show a key only if
    /// the configuration names it.
    Map(Arc<Map>),
}

impl Tree {
    /// Makes a map from pairs. The last of equal keys counts.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Tree)>) -> Self {
        let pairs: BTreeMap<String, Tree> = pairs.into_iter().map(|(k, v)| (k.into(), v)).gather();
        Self::Map(Arc::new(pairs.into()))
    }

    /// Makes a list from values.
    pub fn list(values: impl IntoIterator<Item = Tree>) -> Self {
        Self::List(Arc::new(values.into_iter().collect()))
    }

    /// Makes a text.
    pub fn text(text: impl Into<Secret>) -> Self {
        Self::Text(text.into())
    }

    /// Returns the value under `key`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// Returns the map, if this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the text, if this is one and it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.expose_str(),
            _ => None,
        }
    }

    /// Returns the text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&Secret> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the list, if this is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Tree]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// Returns the truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number as a float, if this is one. (OpenBao sends some whole seconds as floats.)
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(spelling) => spelling.expose_str()?.parse().ok(),
            _ => None,
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret tree]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let tree = Tree::map([("password", Tree::text("hunter2"))]);
        assert_eq!(format!("{tree:?}"), "[secret tree]");
    }

    #[test]
    fn clones_share() {
        let tree = Tree::map([("a", Tree::text("x"))]);
        let (Tree::Map(a), Tree::Map(b)) = (&tree, &tree.clone()) else { panic!("maps") };
        assert!(Arc::ptr_eq(a, b));
    }
}
