//! The bad day on real servers: what Leasehold does when OpenBao is killed, sealed, fails over, revokes or
//! says no, with every kind of token and of secret, and with a PostgreSQL that really logs people in.

#![allow(clippy::disallowed_methods, reason = "tests write their own files and measure real time")]

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod database;
mod doubt;
mod farewell;
mod kinds;
mod leftovers;
mod limits;
mod outages;
mod pages;
mod tokens;
