//! Go's maps: references, sorted whenever they are walked or printed.
//!
//! A map of a secret shares the secret's tree. Only when a function changes it (`set`, `unset`)
//! does it get entries of its own, so a hundred files of one secret copy nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::unravel::unravel;
use super::{IntType, Type, UintType, Value};
use leasehold_base::secret::Secret;
use leasehold_base::tree::{self, Tree};

/// A map with the types of its keys (`string` or `interface {}`) and elements.
#[derive(Clone)]
pub struct Map(pub(super) Rc<Inner>);

pub(super) struct Inner {
    key: Type,
    elem: Type,
    store: RefCell<Store>,
}

enum Store {
    /// The tree's entries, and the containers among them that someone has seen: a second look must
    /// find the same map, since maps are references.
    Shared {
        tree: Arc<tree::Map>,
        opened: BTreeMap<String, Value>,
    },
    Own(BTreeMap<Key, Value>),
}

/// Sorted key-value pairs.
pub type Entries = Vec<(Key, Value)>;

/// A map's key. The order is the one Go prints and iterates in, within each kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `nil`, only of `map[interface {}]…`.
    Nil,
    /// A flag, only of `map[interface {}]…`.
    Bool(bool),
    /// A whole number, only of `map[interface {}]…`.
    Int(IntType, i64),
    /// An unsigned number, only of `map[interface {}]…`.
    Uint(UintType, u64),
    /// A float, by its bits made sortable; only of `map[interface {}]…`.
    Float(u64),
    /// A string.
    Text(Secret),
}

/// A map cannot be put into itself: Go would print it for ever, and it would never be wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cyclic;

impl fmt::Display for Cyclic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map cannot hold itself")
    }
}

impl std::error::Error for Cyclic {}

/// The sign bit of a float, flipped or with all others so that bits sort as numbers do.
const SIGN: u64 = 1 << 63;

impl Key {
    /// The key that `value` is, where it can be one.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Nil => Self::Nil,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Int(size, number) => Self::Int(*size, *number),
            Value::Uint(size, number) => Self::Uint(*size, *number),
            Value::Float(number) => {
                let bits = (number + 0.0).to_bits();
                Self::Float(if bits & SIGN == 0 { bits | SIGN } else { !bits })
            }
            Value::Text(text) => Self::Text(text.clone()),
            _ => return None,
        })
    }

    /// The key as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(size, number) => Value::Int(*size, *number),
            Self::Uint(size, number) => Value::Uint(*size, *number),
            Self::Float(bits) => {
                Value::Float(f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN }))
            }
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl Map {
    /// An empty `map[string]interface {}`.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Type::String, Type::Interface, BTreeMap::new())
    }

    /// A map of the given types; every entry must be of them.
    #[must_use]
    pub fn with(key: Type, elem: Type, entries: BTreeMap<Key, Value>) -> Self {
        Self(Rc::new(Inner { key, elem, store: RefCell::new(Store::Own(entries)) }))
    }

    /// A `map[string]interface {}` that shares a tree's entries.
    #[must_use]
    pub fn shared(tree: Arc<tree::Map>) -> Self {
        let store = RefCell::new(Store::Shared { tree, opened: BTreeMap::new() });
        Self(Rc::new(Inner { key: Type::String, elem: Type::Interface, store }))
    }

    /// The type of the keys.
    #[must_use]
    pub fn key_type(&self) -> Type {
        self.0.key
    }

    /// The type of the elements.
    #[must_use]
    pub fn elem(&self) -> Type {
        self.0.elem
    }

    /// The type of the map.
    #[must_use]
    pub fn type_of(&self) -> Type {
        match (self.0.key, self.0.elem) {
            (Type::Interface, _) => Type::ANY_MAP,
            (_, Type::String) => Type::STRING_MAP,
            (_, Type::Bool) => Type::Map(&Type::String, &Type::Bool),
            (_, Type::STRINGS) => Type::Map(&Type::String, &Type::STRINGS),
            _ => Type::MAP,
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &*self.0.store.borrow() {
            Store::Shared { tree, .. } => tree.len(),
            Store::Own(entries) => entries.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element under `key`, where there is one.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Value> {
        match &mut *self.0.store.borrow_mut() {
            Store::Own(entries) => entries.get(key).cloned(),
            Store::Shared { tree, opened } => {
                let Key::Text(key) = key else { return None };
                let key = key.expose_str()?;
                tree.get(key).map(|item| open(key, item, opened))
            }
        }
    }

    /// The element under a text, where there is one.
    #[must_use]
    pub fn get_text(&self, key: &Secret) -> Option<Value> {
        self.get(&Key::Text(key.clone()))
    }

    /// All entries, sorted by key.
    #[must_use]
    pub fn entries(&self) -> Entries {
        match &mut *self.0.store.borrow_mut() {
            Store::Own(entries) => entries.iter().map(|(key, item)| (key.clone(), item.clone())).collect(),
            Store::Shared { tree, opened } => {
                let entry = |(key, item): (&str, &Tree)| (text_key(key), open(key, item, opened));
                tree.iter().map(entry).collect()
            }
        }
    }

    /// Sets the element under `key`, for every holder of this map.
    ///
    /// # Errors
    /// [`Cyclic`] where `value` holds this map.
    pub fn insert(&self, key: Key, value: Value) -> Result<(), Cyclic> {
        if self.is_in(&value) {
            return Err(Cyclic);
        }
        self.own(|entries| entries.insert(key, value));
        Ok(())
    }

    /// Removes the element under `key`, for every holder of this map.
    pub fn remove(&self, key: &Key) {
        self.own(|entries| entries.remove(key));
    }

    /// Another map with the same elements.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::with(self.0.key, self.0.elem, self.entries().into_iter().collect())
    }

    /// Whether both are one map.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    fn own<T>(&self, change: impl FnOnce(&mut BTreeMap<Key, Value>) -> T) -> T {
        let mut store = self.0.store.borrow_mut();
        if let Store::Shared { tree, opened } = &mut *store {
            let own = tree.iter().map(|(key, item)| (text_key(key), open(key, item, opened))).collect();
            *store = Store::Own(own);
        }
        match &mut *store {
            Store::Own(entries) => change(entries),
            Store::Shared { .. } => unreachable!("made its own just above"),
        }
    }

    /// Whether `value` is or holds this map. A shared tree holds no map of the language, except
    /// through what was opened and then changed.
    fn is_in(&self, value: &Value) -> bool {
        // What was seen is kept alive by `value`, so an address names one container throughout.
        let mut seen = HashSet::new();
        let mut pending = vec![value.clone()];
        while let Some(value) = pending.pop() {
            match value {
                Value::Map(map) if map.is_same(self) => return true,
                Value::Map(map) if seen.insert(Rc::as_ptr(&map.0).cast::<()>()) => {
                    match &*map.0.store.borrow() {
                        Store::Own(entries) => pending.extend(entries.values().filter(is_container).cloned()),
                        Store::Shared { opened, .. } => pending.extend(opened.values().cloned()),
                    }
                }
                Value::List(list) if seen.insert(Rc::as_ptr(&list.0).cast::<()>()) => {
                    pending.extend(list.items().iter().filter(is_container).cloned());
                }
                _ => {}
            }
        }
        false
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    /// Moves every element that lives only here to `pending`.
    pub(super) fn take_values(&mut self, pending: &mut Vec<Value>) {
        match self.store.get_mut() {
            Store::Own(entries) => pending.extend(std::mem::take(entries).into_values()),
            Store::Shared { opened, .. } => pending.extend(std::mem::take(opened).into_values()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        self.take_values(&mut pending);
        unravel(pending);
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that `filter` asks for")]
fn is_container(value: &&Value) -> bool {
    matches!(value, Value::Map(_) | Value::List(_))
}

fn text_key(key: &str) -> Key {
    Key::Text(key.into())
}

/// The value of a tree's entry; containers are made once.
fn open(key: &str, item: &Tree, opened: &mut BTreeMap<String, Value>) -> Value {
    if !matches!(item, Tree::Map(_) | Tree::List(_)) {
        return Value::from_tree(item);
    }
    if let Some(value) = opened.get(key) {
        return value.clone();
    }
    let value = Value::from_tree(item);
    opened.insert(key.to_owned(), value.clone());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inner(value: &Value) -> Map {
        match value {
            Value::Map(map) => map.clone(),
            _ => panic!("a map"),
        }
    }

    #[test]
    fn a_change_is_seen_by_every_holder_and_leaves_the_tree_alone() {
        let tree = Tree::map([("data", Tree::map([("a", Tree::text("x"))]))]);
        let root = inner(&Value::from_tree(&tree));
        let data = inner(&root.get(&text_key("data")).expect("there"));
        data.insert(text_key("b"), Value::int(1)).expect("no cycle");
        let again = inner(&root.get(&text_key("data")).expect("there"));
        assert_eq!(again.len(), 2);
        root.insert(text_key("c"), Value::Nil).expect("no cycle");
        assert_eq!(inner(&root.get(&text_key("data")).expect("there")).len(), 2);
        assert_eq!(tree.get("data").and_then(Tree::as_map).map(tree::Map::len), Some(1));
    }

    #[test]
    fn a_map_cannot_hold_itself() {
        let map = Map::new();
        let around = Value::list([Value::map([("m", Value::Map(map.clone()))])]);
        assert_eq!(map.insert(text_key("self"), around), Err(Cyclic));
        assert!(map.is_empty());
    }

    #[test]
    fn float_keys_sort_as_numbers() {
        let keys: Vec<Key> =
            [-2.0, -1.0, 0.0, 0.5, 3.0].iter().filter_map(|f| Key::from_value(&Value::Float(*f))).collect();
        assert!(keys.is_sorted());
        assert!(matches!(keys[0].to_value(), Value::Float(f) if f == -2.0));
    }
}
