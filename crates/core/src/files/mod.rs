//! What is made of secrets, and which notifiers and processes hear of it.

pub(crate) mod child;
pub(crate) mod inspect;
pub(crate) mod notice;
pub(crate) mod publishing;
pub(crate) mod shelf;
pub(crate) mod sinks;
