//! Tools that know nothing of secrets: timers, the queue of requests, jitter, small sets.

pub(crate) mod dice;
pub(crate) mod few;
pub(crate) mod pace;
#[cfg(any(test, kani))]
mod properties;
pub(crate) mod steps;
pub(crate) mod timers;
pub(crate) mod work;
