//! `leasehold exec`: the parent of an application, against a real server.

#![allow(clippy::disallowed_methods, reason = "tests write their own files and measure real time")]

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod codes;
mod environment;
mod orphans;
mod requests;
mod scene;
mod service;
mod signals;
mod terminal;
mod users;
