//! What each fuzz target does with its input. One copy of it, which both the targets and
//! `tests/pure/fuzz.rs` use, so that the short run of every test run cannot drift from the long one.

pub mod annotations;
pub mod configuration;
pub mod handoff;
pub mod jwt;
pub mod listener;
pub mod request;
pub mod response;
pub mod review;
pub mod yaml;
