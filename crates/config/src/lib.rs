//! Configuration: what people type, made into a [`plan::Plan`] that is valid and immutable, or
//! into every problem at once, each with its place and what to do about it.
//!
//! ```text
//! sources ── texts ─▶ document ── value, marks ─▶ layers ─▶ shape ─▶ file ─▶ check ─▶ plan
//! (files, stdin,      (YAML: limits,              (merge,   (keys:   (typed)  (what belongs
//!  environment)        places, duplicates)         env)      table)            together)
//!                 └─▶ foreign ── value, places ─▶
//!                     (Vault Agent, consul-template, envconsul: HCL 1 or its JSON form)
//! ```
//!
//! Each step tells what it finds to a `desk`, takes the wrong part out and goes on, so that one run
//! shows everything. Nothing here touches files or the environment: the agent's `sources` does, and gives them. So the
//! same code reads a configuration in a browser.

pub mod accounts;
mod check;
mod defaults;
mod desk;
mod digest;
mod document;
mod excerpt;
pub mod exposed;
mod file;
pub mod foreign;
pub mod keypath;
pub mod keys;
pub mod lasting;
mod layers;
mod mark;
mod places;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod read;
pub mod references;
mod relative;
pub mod report;
mod resolve;
mod scalars;
mod shape;
mod signals;
#[cfg(test)]
mod tests;
mod value;
mod writes;
mod yaml;
mod yaml_error;

pub use layers::Setting;
pub use problem::{Problem, Rejected, Severity};
pub use scalars::deadline;
pub use yaml::{MAX_BYTES, MAX_DEPTH};
