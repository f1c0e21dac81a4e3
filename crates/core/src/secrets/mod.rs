//! What is read from the server: how long it is good, when it is read again, and how it is revoked.

mod denials;
mod earlier;
pub(crate) mod graph;
pub(crate) mod lag;
pub(crate) mod lease;
pub(crate) mod leaving;
pub(crate) mod life;
pub(crate) mod namespace;
pub(crate) mod newcomers;
mod places;
#[cfg(any(test, kani))]
mod properties;
pub(crate) mod refresh;
pub(crate) mod retire;
pub(crate) mod schedule;
