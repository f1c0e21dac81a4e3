//! Publishing on a real tmpfs: what readers find, what a hostile volume can do, what a kill leaves.

#[path = "../support/mod.rs"]
mod support;

mod fixture;
mod set;
