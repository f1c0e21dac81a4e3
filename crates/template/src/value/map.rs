//! Go's maps: references, which are sorted whenever they are iterated or printed.
//!
//! A map of a secret shares the secret's tree. It gets entries of its own only when a function changes it (`set`, `unset`). So a
//! hundred files made of one secret copy nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::unravel::unravel;
use super::{IntType, Type, UintType, Value};
use leasehold_base::held::Held;
use leasehold_base::secret::Secret;
use leasehold_base::tree::{self, Tree};

/// A map with the type of its keys (`string` or `interface {}`) and the type of its elements. A clone is the same map.
#[derive(Clone)]
pub struct Map(pub(super) Rc<Inner>);

pub(super) struct Inner {
    key: Type,
    elem: Type,
    store: RefCell<Store>,
}

enum Store {
    /// The tree's entries, and the containers among them that have been read. Maps are references, so a second read must find the
    /// same map.
    Shared {
        tree: Arc<tree::Map>,
        opened: BTreeMap<String, Value>,
    },
    Own(Own),
}

struct Own {
    entries: BTreeMap<Key, Value>,
    held: Held,
}

/// What a map of its own takes in addition to its entries: the first node of the tree has room for eleven.
pub(crate) const A_MAP: usize = 640;

/// What each entry of a map takes.
pub(crate) const AN_ENTRY: usize = 2 * size_of::<Value>();

impl Own {
    fn new(entries: BTreeMap<Key, Value>) -> Self {
        let held = Held::new(Self::size(&entries));
        Self { entries, held }
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeMap<Key, Value>) -> T) -> T {
        let made = change(&mut self.entries);
        self.held.set(Self::size(&self.entries));
        made
    }

    fn size(entries: &BTreeMap<Key, Value>) -> usize {
        A_MAP + AN_ENTRY * entries.len()
    }
}

/// Pairs of key and value, sorted by key.
pub type Entries = Vec<(Key, Value)>;

/// The key of a map. Within each kind, keys sort in the order in which Go prints and iterates them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `nil`, in a `map[interface {}]…` only.
    Nil,
    /// A `bool`, in a `map[interface {}]…` only.
    Bool(bool),
    /// A signed integer, in a `map[interface {}]…` only.
    Int(IntType, i64),
    /// An unsigned integer, in a `map[interface {}]…` only.
    Uint(UintType, u64),
    /// A float, as bits that sort as the numbers do; in a `map[interface {}]…` only.
    Float(u64),
    /// A string.
    Text(Secret),
}

/// The error of putting a map into itself. Go would print such a map without end, and its memory would never be wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cyclic;

impl fmt::Display for Cyclic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map cannot hold itself")
    }
}

impl std::error::Error for Cyclic {}

/// The sign bit of a float. It is flipped in positive numbers, and with all other bits in negative ones, so that bits sort as
/// numbers do.
const SIGN: u64 = 1 << 63;

impl Key {
    /// Returns `value` as a key, or `None` if it cannot be one.
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

    /// Returns the key as a value.
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
    /// Makes an empty `map[string]interface {}`.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Type::String, Type::Interface, BTreeMap::new())
    }

    /// Makes a map of the given types. Every entry must have them.
    #[must_use]
    pub fn with(key: Type, elem: Type, entries: BTreeMap<Key, Value>) -> Self {
        Self(Rc::new(Inner { key, elem, store: RefCell::new(Store::Own(Own::new(entries))) }))
    }

    /// Makes a `map[string]interface {}` that shares the entries of a tree.
    #[must_use]
    pub fn shared(tree: Arc<tree::Map>) -> Self {
        let store = RefCell::new(Store::Shared { tree, opened: BTreeMap::new() });
        Self(Rc::new(Inner { key: Type::String, elem: Type::Interface, store }))
    }

    /// Returns the type of the keys.
    #[must_use]
    pub fn key_type(&self) -> Type {
        self.0.key
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn elem(&self) -> Type {
        self.0.elem
    }

    /// Returns the type of the map.
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

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match &*self.0.store.borrow() {
            Store::Shared { tree, .. } => tree.len(),
            Store::Own(own) => own.entries.len(),
        }
    }

    /// Returns whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the element under `key`, if there is one.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Value> {
        match &mut *self.0.store.borrow_mut() {
            Store::Own(own) => own.entries.get(key).cloned(),
            Store::Shared { tree, opened } => {
                let Key::Text(key) = key else { return None };
                let key = key.expose_str()?;
                tree.get(key).map(|item| open(key, item, opened))
            }
        }
    }

    /// Returns the element under the string `key`, if there is one.
    #[must_use]
    pub fn get_text(&self, key: &Secret) -> Option<Value> {
        self.get(&Key::Text(key.clone()))
    }

    /// Returns all entries, sorted by key.
    #[must_use]
    pub fn entries(&self) -> Entries {
        match &mut *self.0.store.borrow_mut() {
            Store::Own(own) => own.entries.iter().map(|(key, item)| (key.clone(), item.clone())).collect(),
            Store::Shared { tree, opened } => {
                let entry = |(key, item): (&str, &Tree)| (text_key(key), open(key, item, opened));
                tree.iter().map(entry).collect()
            }
        }
    }

    /// Sets the element under `key`, in every clone of this map.
    ///
    /// # Errors
    /// [`Cyclic`] if `value` is or holds this map.
    pub fn insert(&self, key: Key, value: Value) -> Result<(), Cyclic> {
        if self.is_in(&value) {
            return Err(Cyclic);
        }
        self.own(|entries| entries.insert(key, value));
        Ok(())
    }

    /// Removes the element under `key`, in every clone of this map.
    pub fn remove(&self, key: &Key) {
        self.own(|entries| entries.remove(key));
    }

    /// Makes another map with the same elements.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::with(self.0.key, self.0.elem, self.entries().into_iter().collect())
    }

    /// Returns whether both are the same map, and not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    fn own<T>(&self, change: impl FnOnce(&mut BTreeMap<Key, Value>) -> T) -> T {
        let mut store = self.0.store.borrow_mut();
        if let Store::Shared { tree, opened } = &mut *store {
            let own = tree.iter().map(|(key, item)| (text_key(key), open(key, item, opened))).collect();
            *store = Store::Own(Own::new(own));
        }
        match &mut *store {
            Store::Own(own) => own.change(change),
            Store::Shared { .. } => unreachable!("made its own just above"),
        }
    }

    /// Returns whether `value` is or holds this map. A shared tree can hold a map only through containers that were read and then
    /// changed.
    fn is_in(&self, value: &Value) -> bool {
        // `value` keeps every container alive that was seen, so an address stands for one container throughout.
        let mut seen = HashSet::new();
        let mut pending = vec![value.clone()];
        while let Some(value) = pending.pop() {
            match value {
                Value::Map(map) if map.is_same(self) => return true,
                Value::Map(map) if seen.insert(Rc::as_ptr(&map.0).cast::<()>()) => {
                    match &*map.0.store.borrow() {
                        Store::Own(own) => pending.extend(own.entries.values().filter(is_container).cloned()),
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
    /// Moves every element to `pending`.
    pub(super) fn take_values(&mut self, pending: &mut Vec<Value>) {
        match self.store.get_mut() {
            Store::Own(own) => pending.extend(std::mem::take(&mut own.entries).into_values()),
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

/// Returns the value of a tree's entry. A container is made once, and the same one is returned afterwards.
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
