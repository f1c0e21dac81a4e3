//! What the driver and the engine say to each other.

pub mod action;
pub mod event;
pub mod ids;
mod outlook;
pub mod policy;
pub mod snapshot;
pub mod view;
