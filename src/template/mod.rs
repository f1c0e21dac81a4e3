//! Go's `text/template` language, byte for byte.
//!
//! The templates of this field are Go's. `lex` cuts a text into tokens, `parse` makes a tree of
//! nodes, `eval` walks it over [`value::Value`]s (Go's kinds kept apart), `fmt` prints as Go's `fmt`
//! does, `builtins` are the functions that every template has. What else a template may call is
//! registered by its [`function::Function`] signature, and reaches the world only through a
//! [`host::Host`].
//!
//! The room is pure: the same template, data and host give the same bytes. Everything is bounded by
//! [`limits::Limits`], no input makes it panic, and no error holds a value.

pub mod error;
pub mod eval;
pub mod function;
pub mod host;
pub mod limits;
pub mod value;
