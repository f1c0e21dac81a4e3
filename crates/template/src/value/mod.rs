//! The values that a template computes with. They keep Go's types apart: an `int` is no `int64`, and a `json.Number` is no
//! `string`.
//!
//! A clone copies a pointer at most. A value belongs to one rendering on one thread (`Rc`). What outlives a rendering is a
//! [`Tree`] or a [`Secret`]. `Debug` shows the type of a value and never its content.

mod list;
mod map;
mod named;
mod object;
mod types;
mod unravel;

pub(crate) use list::A_LIST;
pub use list::List;
pub(crate) use map::{A_MAP, AN_ENTRY};
pub use map::{Cyclic, Entries, Key, Map};
pub(crate) use named::{DAYS, MONTHS};
pub use object::{Channel, Object, Record, Shape};
pub use types::{IntType, Type, UintType};

use std::fmt;
use std::rc::Rc;

use crate::function::Function;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// A value of the language.
#[derive(Clone, Default)]
pub enum Value {
    /// The nil without a type: the constant `nil`, a missing key, JSON's `null`.
    #[default]
    Nil,
    /// A nil with a type: of a pointer, slice, map, function or channel.
    NilOf(Type),
    /// `bool`
    Bool(bool),
    /// A signed integer of one of Go's sizes.
    Int(IntType, i64),
    /// An unsigned integer of one of Go's sizes.
    Uint(UintType, u64),
    /// `float64`
    Float(f64),
    /// `complex128`: the real and the imaginary part.
    Complex(Rc<(f64, f64)>),
    /// `string`: bytes, which need not be UTF-8.
    Text(Secret),
    /// `json.Number`: a string kind whose content is a number's spelling.
    Number(Secret),
    /// `[]T`
    List(List),
    /// `map[K]V`, a reference: a change is seen through every clone.
    Map(Map),
    /// A struct, or a pointer to one, with fields and methods.
    Object(Rc<dyn Object>),
    /// A function as a value, for `call`.
    Func(&'static Function),
    /// A channel that `range` empties.
    Channel(Channel),
}

impl Value {
    /// Makes an `int`.
    #[must_use]
    pub const fn int(value: i64) -> Self {
        Self::Int(IntType::Int, value)
    }

    /// Makes an `int64`.
    #[must_use]
    pub const fn int64(value: i64) -> Self {
        Self::Int(IntType::Int64, value)
    }

    /// Makes a `string`.
    pub fn text(text: impl Into<Secret>) -> Self {
        Self::Text(text.into())
    }

    /// Makes a `[]string`.
    pub fn texts<T: Into<Secret>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(List::new(Type::String, texts.into_iter().map(Self::text).collect()))
    }

    /// Makes an `[]interface {}`.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(List::new(Type::Interface, items.into_iter().collect()))
    }

    /// Makes a `[]byte`.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        let items = bytes.iter().map(|&byte| Self::Uint(UintType::Uint8, byte.into())).collect();
        Self::List(List::new(Type::BYTE, items))
    }

    /// Makes a `map[string]interface {}` from pairs.
    pub fn map<K: Into<Secret>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Self {
        let entries = pairs.into_iter().map(|(key, value)| (Key::Text(key.into()), value)).collect();
        Self::Map(Map::with(Type::String, Type::Interface, entries))
    }

    /// Makes the value that a template sees of a secret: numbers are `json.Number`, lists are `[]interface {}`, and maps are
    /// `map[string]interface {}`. A map shares the tree until a function changes it.
    #[must_use]
    pub fn from_tree(tree: &Tree) -> Self {
        match tree {
            Tree::Null => Self::Nil,
            Tree::Bool(flag) => Self::Bool(*flag),
            Tree::Number(spelling) => Self::Number(spelling.clone()),
            Tree::Text(text) => Self::Text(text.clone()),
            Tree::List(items) => {
                Self::List(List::new(Type::Interface, items.iter().map(Self::from_tree).collect()))
            }
            Tree::Map(entries) => Self::Map(Map::shared(entries.clone())),
        }
    }

    /// Makes a value of data as a person writes it. It is like [`Value::from_tree`], but whole numbers are `int` and other
    /// numbers `float64`, as constants in a template are.
    #[must_use]
    pub fn from_data(tree: &Tree) -> Self {
        match tree {
            Tree::Number(spelling) => {
                let spelling = spelling.expose_str().unwrap_or_default();
                let int = spelling.parse().map(Self::int);
                int.unwrap_or_else(|_| Self::Float(spelling.parse().unwrap_or(f64::NAN)))
            }
            Tree::List(items) => Self::list(items.iter().map(Self::from_data)),
            Tree::Map(entries) => Self::map(entries.iter().map(|(key, item)| (key, Self::from_data(item)))),
            other => Self::from_tree(other),
        }
    }

    /// Returns the value's Go type; `None` for the nil without a type.
    #[must_use]
    pub fn type_of(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::NilOf(of) => *of,
            Self::Bool(_) => Type::Bool,
            Self::Int(size, _) => Type::Int(*size),
            Self::Uint(size, _) => Type::Uint(*size),
            Self::Float(_) => Type::Float64,
            Self::Complex(_) => Type::Complex128,
            Self::Text(_) => Type::String,
            Self::Number(_) => Type::JsonNumber,
            Self::List(list) => list.type_of(),
            Self::Map(map) => map.type_of(),
            Self::Object(object) => object.shape().type_of(),
            Self::Func(function) => Type::Func(function.go_type),
            Self::Channel(channel) => Type::Chan(channel.go_type()),
        })
    }

    /// Returns the zero value of the type `of`: `""`, `0`, `false`, or nil.
    #[must_use]
    pub fn zero(of: Type) -> Self {
        match of {
            Type::Interface | Type::Reflect => Self::Nil,
            Type::Bool => Self::Bool(false),
            Type::Int(size) => Self::Int(size, 0),
            Type::Uint(size) => Self::Uint(size, 0),
            Type::Float64 => Self::Float(0.0),
            Type::Complex128 => Self::Complex(Rc::new((0.0, 0.0))),
            Type::String => Self::Text(Secret::default()),
            Type::JsonNumber => Self::Number(Secret::default()),
            Type::Slice(_)
            | Type::Map(..)
            | Type::Pointer(_)
            | Type::Struct(_)
            | Type::Func(_)
            | Type::Chan(_) => Self::NilOf(of),
        }
    }

    /// Returns what `if` makes of the value, by Go's rule: true unless it is the zero of its type. A struct is always true, and so
    /// is the `json.Number` `0`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::NilOf(_) => false,
            Self::Bool(flag) => *flag,
            Self::Int(_, value) => *value != 0,
            Self::Uint(_, value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Complex(value) => **value != (0.0, 0.0),
            Self::Text(text) | Self::Number(text) => !text.is_empty(),
            Self::List(list) => !list.items().is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(_) | Self::Func(_) | Self::Channel(_) => true,
        }
    }

    /// Returns whether this is a nil, with a type or without.
    #[must_use]
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Nil | Self::NilOf(_))
    }

    /// Returns the bytes of a string kind (`string` or `json.Number`).
    #[must_use]
    pub const fn as_bytes_kind(&self) -> Option<&Secret> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }
}

/// Shows the type of the value, and never its content.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.type_of() {
            None => f.write_str("[nil]"),
            Some(of) => write!(f, "[{of}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_type_and_nothing_else() {
        let value = Value::from_tree(&Tree::map([("password", Tree::text("hunter2"))]));
        assert_eq!(format!("{value:?}"), "[map[string]interface {}]");
        assert_eq!(format!("{:?}", Value::text("hunter2")), "[string]");
    }

    #[test]
    fn a_json_number_of_zero_is_true() {
        assert!(Value::Number("0".into()).is_true());
        assert!(!Value::int(0).is_true());
    }

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
