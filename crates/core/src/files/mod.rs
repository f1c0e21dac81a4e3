//! The files that secrets are rendered into, and the notifiers and the process that learn of a change.

pub(crate) mod child;
pub(crate) mod inspect;
pub(crate) mod notice;
pub(crate) mod publishing;
pub(crate) mod shelf;
pub(crate) mod sinks;
