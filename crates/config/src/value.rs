//! A value of a configuration, as a text says it: nothing of it is checked yet.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// A value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Sequence(Vec<Value>),
    Mapping(Mapping),
    /// A value with a tag of its own (`!x`). No key takes one.
    Tagged(Box<Value>),
}

/// A number. Equal numbers are written in different ways, but an integer is never equal to a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    /// A number below zero.
    Negative(i64),
    Real(f64),
}

impl Number {
    pub(super) const fn as_u64(self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn as_i64(self) -> Option<i64> {
        match self {
            Self::Whole(number) => i64::try_from(number).ok(),
            Self::Negative(number) => Some(number),
            Self::Real(_) => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate of 2^53 requests is as good as one more")]
    pub(super) const fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Negative(number) => number as f64,
            Self::Real(number) => number,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Negative(number) => number.fmt(f),
            Self::Real(number) if number.is_nan() => f.write_str(".nan"),
            Self::Real(number) if number.is_infinite() => {
                f.write_str(if *number < 0.0 { "-.inf" } else { ".inf" })
            }
            Self::Real(number) => write!(f, "{number:?}"),
        }
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative(number), Self::Whole)
    }
}

impl Value {
    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) const fn is_mapping(&self) -> bool {
        matches!(self, Self::Mapping(_))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) const fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match self {
            Self::Mapping(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the value under `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Mapping(map) => map.get(key),
            _ => None,
        }
    }

    /// Returns the item at `index`, if this is a list that has it.
    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        match self {
            Self::Sequence(items) => items.get(index),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(Number::Whole(number))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Sequence(items.into_iter().map(Into::into).collect())
    }
}

impl From<Mapping> for Value {
    fn from(map: Mapping) -> Self {
        Self::Mapping(map)
    }
}

/// The entries of a map, in the order of the text. Each key is there once.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Mapping(Vec<(Value, Value)>);

impl Mapping {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Returns the value under `key`, and puts `Null` there first if there is none.
    pub(super) fn slot(&mut self, key: &str) -> &mut Value {
        let index = self.0.iter().position(|(name, _)| name.as_str() == Some(key));
        let index = index.unwrap_or_else(|| {
            self.0.push((Value::from(key), Value::Null));
            self.0.len() - 1
        });
        &mut self.0[index].1
    }

    /// Returns the value under `key` to be changed.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// Returns all values to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Adds an entry whose key is not there yet.
    pub(super) fn push(&mut self, key: Value, value: Value) {
        self.0.push((key, value));
    }

    /// Removes the entry of `key`.
    pub(super) fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| name.as_str() == Some(key))?;
        Some(self.0.remove(index).1)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Value, &mut Value) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// Lays each entry of `over` upon the one with the same key: `both` gets the name and the two values.
    /// The other entries are added.
    pub(super) fn lay(&mut self, over: Self, mut both: impl FnMut(&str, &mut Value, Value)) {
        let names = self.0.iter().enumerate();
        // One look-up an entry: two texts may have thousands of names each.
        let places: BTreeMap<String, usize> =
            names.filter_map(|(index, (name, _))| Some((name.as_str()?.to_owned(), index))).gather();
        for (name, value) in over.0 {
            match name.as_str().and_then(|name| Some((name, *places.get(name)?))) {
                Some((name, index)) => both(name, &mut self.0[index].1, value),
                None => self.0.push((name, value)),
            }
        }
    }
}

/// Reads the types of [`super::file`] out of a value.
impl<'de> Deserializer<'de> for Value {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(flag) => visitor.visit_bool(flag),
            Self::Number(Number::Whole(number)) => visitor.visit_u64(number),
            Self::Number(Number::Negative(number)) => visitor.visit_i64(number),
            Self::Number(Number::Real(number)) => visitor.visit_f64(number),
            Self::String(text) => visitor.visit_string(text),
            Self::Sequence(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Self::Mapping(map) => visitor.visit_map(MapDeserializer::new(map.0.into_iter())),
            Self::Tagged(value) => value.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::String(word) => word.into_deserializer().deserialize_enum(name, variants, visitor),
            value => value.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
