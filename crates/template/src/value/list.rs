//! Go's slices. No template can change an element, so a list is shared and never copied.

use std::rc::Rc;

use super::unravel::unravel;
use super::{Type, Value};
use leasehold_base::held::Held;

/// A slice with the type of its elements.
#[derive(Clone)]
pub struct List(pub(super) Rc<Items>);

pub(super) struct Items {
    elem: Type,
    pub(super) items: Vec<Value>,
    _held: Held,
}

/// What a list takes in addition to its elements.
pub(crate) const A_LIST: usize = 96;

impl List {
    /// Makes a slice whose elements have the type `elem`. Every item must have it.
    #[must_use]
    pub fn new(elem: Type, items: Vec<Value>) -> Self {
        let held = Held::new(A_LIST + items.capacity() * size_of::<Value>());
        Self(Rc::new(Items { elem, items, _held: held }))
    }

    /// Returns the elements.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// Returns the type of the elements.
    #[must_use]
    pub fn elem(&self) -> Type {
        self.0.elem
    }

    /// Returns the type of the slice.
    #[must_use]
    pub fn type_of(&self) -> Type {
        match self.0.elem {
            Type::Interface => Type::LIST,
            Type::String => Type::STRINGS,
            Type::Uint(super::UintType::Uint8) => Type::BYTES,
            Type::Int(super::IntType::Int) => Type::Slice(&Type::INT),
            Type::Int(super::IntType::Int64) => Type::Slice(&Type::INT64),
            Type::Float64 => Type::Slice(&Type::Float64),
            Type::Bool => Type::Slice(&Type::Bool),
            Type::MAP => Type::Slice(&Type::MAP),
            Type::STRING_MAP => Type::Slice(&Type::STRING_MAP),
            Type::STRINGS => Type::Slice(&Type::STRINGS),
            Type::LIST => Type::Slice(&Type::LIST),
            _ => Type::LIST,
        }
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        unravel(std::mem::take(&mut self.items));
    }
}
