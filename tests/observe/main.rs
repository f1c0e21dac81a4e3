//! What is seen of a running Leasehold from outside: status, metrics, log, listener, and what Prometheus
//! makes of it.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

#[path = "../support/mod.rs"]
mod support;

mod abuse;
mod log;
mod status;
