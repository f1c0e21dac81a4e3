//! Structs with fields and methods, and channels.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use super::{Type, Value};
use crate::function::Function;
use leasehold_base::secret::Secret;

/// The type of a struct: its name, its fields and its methods.
#[derive(Debug)]
pub struct Shape {
    /// The struct's name with its package, as Go prints it: `dependency.Secret`.
    pub name: &'static str,
    /// Whether values are pointers to it (`*dependency.Secret`) rather than the struct itself.
    pub pointer: bool,
    /// The exported fields, in Go's order.
    pub fields: &'static [&'static str],
    /// The exported methods. Each gets its receiver as the first argument; its parameters do not list the receiver.
    pub methods: &'static [Function],
}

impl Shape {
    /// Returns the Go type of a value of this shape.
    #[must_use]
    pub const fn type_of(&self) -> Type {
        if self.pointer { Type::Pointer(self.name) } else { Type::Struct(self.name) }
    }
}

/// A struct, or a pointer to a struct.
pub trait Object {
    /// Returns the type.
    fn shape(&self) -> &'static Shape;

    /// Returns the field at `index` of [`Shape::fields`].
    fn field(&self, index: usize) -> Value;

    /// Returns whether the type of that field is `interface {}`, whatever it holds.
    fn field_is_interface(&self, _index: usize) -> bool {
        false
    }

    /// Returns the result of the method `String` or `Error`, if the type has one. The value then prints as this text.
    fn text(&self) -> Option<Secret> {
        None
    }

    /// Returns what stands for the value in JSON, YAML and TOML, if that is a text and not its fields.
    fn encoded(&self) -> Option<String> {
        None
    }

    /// Returns itself, for a method that needs its receiver.
    fn as_any(&self) -> &dyn Any;
}

/// A struct with fields and no state of its own.
pub struct Record {
    shape: &'static Shape,
    values: Vec<Value>,
}

impl Record {
    /// Makes a struct of `shape`. `values` has a value for each of its fields, in their order.
    #[must_use]
    pub fn value(shape: &'static Shape, values: Vec<Value>) -> Value {
        debug_assert_eq!(shape.fields.len(), values.len(), "a value for every field");
        Value::Object(Rc::new(Self { shape, values }))
    }
}

impl Object for Record {
    fn shape(&self) -> &'static Shape {
        self.shape
    }

    fn field(&self, index: usize) -> Value {
        self.values.get(index).cloned().unwrap_or_default()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A channel. `range` receives its items, each once.
#[derive(Clone)]
pub struct Channel(Rc<Filled>);

struct Filled {
    go_type: &'static str,
    items: RefCell<Box<dyn Iterator<Item = Value>>>,
}

impl Channel {
    /// Makes a channel of the given Go type (`<-chan int64`), which gives `items` and is then closed.
    #[must_use]
    pub fn new(go_type: &'static str, items: impl Iterator<Item = Value> + 'static) -> Self {
        Self(Rc::new(Filled { go_type, items: RefCell::new(Box::new(items)) }))
    }

    /// Returns the channel's Go type.
    #[must_use]
    pub fn go_type(&self) -> &'static str {
        self.0.go_type
    }

    /// Returns whether both are the same channel.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Receives the next item; `None` if the channel is closed.
    #[must_use]
    pub fn receive(&self) -> Option<Value> {
        self.0.items.borrow_mut().next()
    }
}
