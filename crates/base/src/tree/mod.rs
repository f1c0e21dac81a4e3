//! JSON as the server sent it, in a tree that wipes itself.
//!
//! Numbers keep their spelling (Go's `json.Number`): `1.50` stays `1.50` and a 64-bit identifier
//! does not pass through a float. Maps are sorted, as Go prints and iterates them. Sharing is
//! cheap: a clone of any node copies a pointer.
//!
//! The reader and the writer are our own (`json`), because `serde_json` respells numbers (`1e3`
//! becomes `1e+3`), which would change a rendered file, and keeps unwiped copies of every text.

pub mod comma;
mod json;
mod map;
pub mod yaml;

pub use json::{JsonError, JsonProblem, MAX_DEPTH};
pub use map::Map;
pub use yaml::YamlError;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::secret::Secret;

/// A JSON value whose texts and numbers are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number in the spelling it arrived in.
    Number(Secret),
    /// A text.
    Text(Secret),
    /// A list.
    List(Arc<Vec<Tree>>),
    /// A map, sorted by key. Keys are names, not secrets: they may appear in messages only where
    /// the configuration itself names them.
    Map(Arc<Map>),
}

impl Tree {
    /// A map from pairs.
    pub fn map<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Tree)>) -> Self {
        let pairs: BTreeMap<String, Tree> = pairs.into_iter().map(|(k, v)| (k.into(), v)).collect();
        Self::Map(Arc::new(pairs.into()))
    }

    /// A list from values.
    pub fn list(values: impl IntoIterator<Item = Tree>) -> Self {
        Self::List(Arc::new(values.into_iter().collect()))
    }

    /// A text.
    pub fn text(text: impl Into<Secret>) -> Self {
        Self::Text(text.into())
    }

    /// The value under `key`, where this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// The map, where this is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text as UTF-8, where this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.expose_str(),
            _ => None,
        }
    }

    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&Secret> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The list, where this is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Tree]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The flag, where this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number as a float, where this is one (OpenBao sends some whole seconds as floats).
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
