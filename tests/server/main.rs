//! The built program, and the client in it, beside a real OpenBao server of its own for each test.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

#[path = "../support/mod.rs"]
mod support;

mod agents;
mod backends;
mod bad_input;
mod canary;
mod clouds;
mod differential;
mod dry_run;
mod exec;
mod field;
mod folder;
mod harness;
mod incidents;
mod init;
mod injected;
mod logins;
mod mistakes;
mod model;
mod mounts;
mod observe;
mod pki;
mod plan;
mod real;
mod shown;
mod sidecar;
mod sinks;
mod starting;
mod terminal;
mod vault;
