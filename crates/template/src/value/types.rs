//! Go's types, as far as a template can meet them. They decide what an argument may be and what a missing entry is, and
//! `%T`, `%#v` and error messages show their names.

use std::fmt;

/// The type of a value, a parameter, or a container's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything.
    Interface,
    /// `reflect.Value`: the parameters of the built-ins. Anything, and a nil stays a nil.
    Reflect,
    /// `bool`
    Bool,
    /// `int` and its sizes.
    Int(IntType),
    /// `uint` and its sizes.
    Uint(UintType),
    /// `float64`
    Float64,
    /// `complex128`
    Complex128,
    /// `string`
    String,
    /// `json.Number`: a number of a secret, in the spelling it arrived in. A *string* kind.
    JsonNumber,
    /// `[]T`
    Slice(&'static Type),
    /// `map[K]V`
    Map(&'static Type, &'static Type),
    /// `*name`, a pointer to a struct.
    Pointer(&'static str),
    /// `name`, a struct.
    Struct(&'static str),
    /// A function, by its Go signature (`func(string) string`).
    Func(&'static str),
    /// A channel, by its Go type (`<-chan int64`).
    Chan(&'static str),
}

/// Go's signed integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntType {
    /// `int`: 64 bits wide, as Go's is on 64-bit platforms.
    Int,
    /// `int8`
    Int8,
    /// `int16`
    Int16,
    /// `int32`, also called `rune`.
    Int32,
    /// `int64`
    Int64,
    /// `time.Month`, an `int` from 1 that prints as a word.
    Month,
    /// `time.Weekday`, an `int` from 0 for Sunday that prints as a word.
    Weekday,
}

/// Go's unsigned integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UintType {
    /// `uint`
    Uint,
    /// `uint8`, also called `byte`.
    Uint8,
    /// `uint16`
    Uint16,
    /// `uint32`
    Uint32,
    /// `uint64`
    Uint64,
}

impl Type {
    /// `int`
    pub const INT: Self = Self::Int(IntType::Int);
    /// `int64`
    pub const INT64: Self = Self::Int(IntType::Int64);
    /// `uint64`
    pub const UINT64: Self = Self::Uint(UintType::Uint64);
    /// `uint8`
    pub const BYTE: Self = Self::Uint(UintType::Uint8);
    /// `[]interface {}`
    pub const LIST: Self = Self::Slice(&Self::Interface);
    /// `[]string`
    pub const STRINGS: Self = Self::Slice(&Self::String);
    /// `[]uint8`
    pub const BYTES: Self = Self::Slice(&Self::BYTE);
    /// `map[string]interface {}`
    pub const MAP: Self = Self::Map(&Self::String, &Self::Interface);
    /// `map[string]string`
    pub const STRING_MAP: Self = Self::Map(&Self::String, &Self::String);
    /// `map[interface {}]interface {}`, as yaml.v2 makes them.
    pub const ANY_MAP: Self = Self::Map(&Self::Interface, &Self::Interface);

    /// Returns whether `nil` can be a value of this type.
    #[must_use]
    pub const fn can_be_nil(self) -> bool {
        matches!(
            self,
            Self::Interface
                | Self::Reflect
                | Self::Slice(_)
                | Self::Map(..)
                | Self::Pointer(_)
                | Self::Func(_)
                | Self::Chan(_)
        )
    }

    /// Returns whether values of this type can be compared with `==` in Go.
    #[must_use]
    pub const fn is_comparable(self) -> bool {
        !matches!(self, Self::Slice(_) | Self::Map(..) | Self::Func(_))
    }
}

impl IntType {
    const fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Month => "time.Month",
            Self::Weekday => "time.Weekday",
        }
    }

    /// Returns `value` cut to this size, as a Go conversion does.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "cutting is what a Go conversion does")]
    pub const fn cut(self, value: i64) -> i64 {
        match self {
            Self::Int | Self::Int64 | Self::Month | Self::Weekday => value,
            Self::Int8 => value as i8 as i64,
            Self::Int16 => value as i16 as i64,
            Self::Int32 => value as i32 as i64,
        }
    }
}

impl UintType {
    const fn name(self) -> &'static str {
        match self {
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
        }
    }

    /// Returns `value` cut to this size, as a Go conversion does.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "cutting is what a Go conversion does")]
    pub const fn cut(self, value: u64) -> u64 {
        match self {
            Self::Uint | Self::Uint64 => value,
            Self::Uint8 => value as u8 as u64,
            Self::Uint16 => value as u16 as u64,
            Self::Uint32 => value as u32 as u64,
        }
    }
}

/// Prints the type's name as Go does.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface => f.write_str("interface {}"),
            Self::Reflect => f.write_str("reflect.Value"),
            Self::Bool => f.write_str("bool"),
            Self::Int(size) => f.write_str(size.name()),
            Self::Uint(size) => f.write_str(size.name()),
            Self::Float64 => f.write_str("float64"),
            Self::Complex128 => f.write_str("complex128"),
            Self::String => f.write_str("string"),
            Self::JsonNumber => f.write_str("json.Number"),
            Self::Slice(elem) => write!(f, "[]{elem}"),
            Self::Map(key, elem) => write!(f, "map[{key}]{elem}"),
            Self::Pointer(name) => write!(f, "*{name}"),
            Self::Struct(name) | Self::Func(name) | Self::Chan(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_go_names_them() {
        assert_eq!(Type::MAP.to_string(), "map[string]interface {}");
        assert_eq!(Type::BYTES.to_string(), "[]uint8");
        assert_eq!(Type::Pointer("dependency.Secret").to_string(), "*dependency.Secret");
    }

    #[test]
    fn conversions_cut_as_go_does() {
        assert_eq!(IntType::Int8.cut(200), -56);
        assert_eq!(UintType::Uint8.cut(0x1ff), 0xff);
    }
}
