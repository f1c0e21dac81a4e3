//! A map that is read often and never changed. It is one piece of memory, whereas a `BTreeMap` reserves
//! room for eleven entries however few there are: a thousand secrets are three thousand maps.

use std::collections::BTreeMap;

use super::Tree;

/// Entries sorted by key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Map(Box<[(Box<str>, Tree)]>);

impl Map {
    /// Returns the value under `key`, if there is one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Tree> {
        let at = self.0.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns all entries, sorted by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tree)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }
}

impl From<BTreeMap<String, Tree>> for Map {
    fn from(entries: BTreeMap<String, Tree>) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key.into_boxed_str(), value)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_come_in_order() {
        let keys = ["b", "", "a", "é", "ab"];
        let map = Map::from(BTreeMap::from(keys.map(|key| (key.to_owned(), Tree::text(key)))));
        for key in keys {
            assert_eq!(map.get(key).and_then(Tree::as_str), Some(key));
        }
        assert!(map.get("c").is_none());
        assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["", "a", "ab", "b", "é"]);
        assert!(map.len() == 5 && !map.is_empty() && Map::default().is_empty());
    }
}
