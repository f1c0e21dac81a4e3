//! What needs neither a server nor privileges: documents, the template language, configurations.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod broken;
mod commands;
mod documents;
mod examples;
mod functions;
mod fuzz;
mod mistakes;
mod readme;
mod reference;
mod render;
mod template;
mod versions;
mod walls;

// The sample of a scrape names the room as it does where it lives.
use leasehold::{core, observe, sandbox, vault};
