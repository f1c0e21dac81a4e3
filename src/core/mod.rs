//! The engine: decides everything, does nothing.
//!
//! PURE: no tokio, no files, no clock, no dice. [``Agent::handle` takes an event with the time it
//! happened and returns what to do; the driver does it and brings the result back as the next
//! event. Init, sidecar and exec are this one engine under different [`Policy`].

pub mod action;
pub mod event;
pub mod ids;
pub mod policy;
pub mod snapshot;
pub mod time;
pub mod view;
