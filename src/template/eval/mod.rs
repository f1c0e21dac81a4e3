//! Walking a template's nodes over data.

mod scope;

pub use scope::{Scope, Session};
