//! Our configuration in the making: what a foreign one means, where each part came from, and what
//! has no equivalent.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{Mapping, Value};

use super::tree::{At, Item, Lies};
use crate::keypath::{KeyPath, Step};

/// A configuration of ours that a conversion makes.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The value, in the words of our own configuration.
    pub(crate) value: Value,
    /// The place that each of its keys came from. The foreign program's defaults came from no place.
    pub(crate) origins: BTreeMap<KeyPath, Origin>,
    pub(crate) notes: Vec<Note>,
    /// The keys that could not be made, so that their absence is not reported as a second mistake.
    pub(crate) broken: BTreeSet<KeyPath>,
}

/// The place that a key of ours came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) key: At,
    pub(crate) value: At,
    pub(crate) lies: Lies,
}

impl Origin {
    /// Returns the origin that is an item and its value.
    pub(super) fn of(item: &Item) -> Self {
        Self::part(item, item.value.at, Lies::Somewhere)
    }

    /// Returns the origin that is an item and a part of its value.
    pub(super) fn part(item: &Item, value: At, lies: Lies) -> Self {
        Self { key: item.at, value, lies }
    }
}

/// A note on a foreign key.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) weight: Weight,
    pub(crate) at: At,
    /// The foreign key, as `template[2].backup`.
    pub(crate) key: String,
    /// The part of ours that it is about.
    pub(crate) home: KeyPath,
    pub(crate) message: String,
    pub(crate) hint: String,
}

/// The importance of a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Nothing runs with this: it would do less than was asked for, or is a mistake.
    Refused,
    /// It runs, without this.
    Lost,
    /// It runs, but not everywhere. It is reported if somebody asks what a configuration means.
    Partly,
    /// Nothing is lost. Only `convert` reports it.
    Moot,
}

impl Draft {
    /// Sets `path`, and makes the maps above it.
    pub(super) fn put(&mut self, path: &KeyPath, value: impl Into<Value>, origin: Option<Origin>) {
        if let Some(slot) = slot(&mut self.value, path.steps()) {
            *slot = value.into();
        }
        if let Some(origin) = origin {
            self.origins.insert(path.clone(), origin);
        }
    }

    /// Sets `path` if nothing has set it, to what the foreign program does without the key.
    pub(super) fn put_default(&mut self, path: &[&str], value: impl Into<Value>) {
        let path = KeyPath::of(path);
        if let Some(slot @ Value::Null) = slot(&mut self.value, path.steps()) {
            *slot = value.into();
        }
    }

    /// Returns the value of `path`.
    pub(super) fn get(&self, path: &KeyPath) -> Option<&Value> {
        path.steps().iter().try_fold(&self.value, |value, step| match step {
            Step::Key(name) => value.get(name),
            Step::Index(index) => value.item(*index),
        })
    }

    /// Says that `home` was meant and could not be made.
    pub(super) fn broken(&mut self, home: &KeyPath) {
        self.broken.insert(home.clone());
    }
}

/// Returns the value at `steps`, which is made if it is not there. `None` if something else is on the way.
fn slot<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value) };
    let below = match step {
        Step::Key(name) => {
            if value.is_null() {
                *value = Value::Mapping(Mapping::new());
            }
            value.as_mapping_mut()?.slot(name)
        }
        Step::Index(index) => {
            if value.is_null() {
                *value = Value::Sequence(Vec::new());
            }
            let Value::Sequence(items) = value else { return None };
            if items.len() == *index {
                items.push(Value::Null);
            }
            items.get_mut(*index)?
        }
    };
    slot(below, rest)
}
