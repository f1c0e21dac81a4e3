//! Structs with fields and methods, and channels.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use super::{Type, Value};
use crate::function::Function;
use leasehold_base::secret::Secret;

/// What Go knows of a struct's type.
#[derive(Debug)]
pub struct Shape {
    /// The struct's name with its package, as Go prints it: `dependency.Secret`.
    pub name: &'static str,
    /// Whether values are pointers to it (`*dependency.Secret`) rather than the struct itself.
    pub pointer: bool,
    /// The exported fields, in Go's order.
    pub fields: &'static [&'static str],
    /// The exported methods. Each gets its receiver as first argument, which its parameters leave out.
    pub methods: &'static [Function],
}

impl Shape {
    /// The Go type of a value of this shape.
    #[must_use]
    pub const fn type_of(&self) -> Type {
        if self.pointer { Type::Pointer(self.name) } else { Type::Struct(self.name) }
    }
}

/// A struct, or a pointer to one.
pub trait Object {
    /// Its type.
    fn shape(&self) -> &'static Shape;

    /// The field at `index` of [`Shape::fields`].
    fn field(&self, index: usize) -> Value;

    /// The type of that field, where it is an `interface {}` holding something else.
    fn field_is_interface(&self, _index: usize) -> bool {
        false
    }

    /// What its method `String` or `Error` says, where it has one: that is then how it prints.
    fn text(&self) -> Option<Secret> {
        None
    }

    /// What JSON, YAML and TOML have for it, where that is a text and not its fields.
    fn encoded(&self) -> Option<String> {
        None
    }

    /// Itself, for a method that needs its receiver.
    fn as_any(&self) -> &dyn Any;
}

/// A struct that is nothing but its fields.
pub struct Record {
    shape: &'static Shape,
    values: Vec<Value>,
}

impl Record {
    /// A struct of `shape`, with a value for every one of its fields in order.
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

/// A channel that somebody has filled: `range` takes what comes, once.
#[derive(Clone)]
pub struct Channel(Rc<Filled>);

struct Filled {
    go_type: &'static str,
    items: RefCell<Box<dyn Iterator<Item = Value>>>,
}

impl Channel {
    /// A channel of the given Go type (`<-chan int64`) that gives `items` and is then closed.
    #[must_use]
    pub fn new(go_type: &'static str, items: impl Iterator<Item = Value> + 'static) -> Self {
        Self(Rc::new(Filled { go_type, items: RefCell::new(Box::new(items)) }))
    }

    /// The channel's Go type.
    #[must_use]
    pub fn go_type(&self) -> &'static str {
        self.0.go_type
    }

    /// Whether both are one channel.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The next item; `None` once it is closed.
    #[must_use]
    pub fn receive(&self) -> Option<Value> {
        self.0.items.borrow_mut().next()
    }
}
