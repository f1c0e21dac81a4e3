//! The built `leasehold-kubernetes sync` on a real API server with a real OpenBao.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

mod azure;
mod dashboard;
mod drop_in;
mod edits;
mod ends;
mod facts;
mod failover;
mod faults;
mod gate;
mod handoffs;
mod hands;
mod kinds;
mod manifests;
mod others;
mod restarts;
mod rights;
mod rules;
mod scale;
mod shown;
mod stage;
mod statuses;
#[path = "../webhook/support.rs"]
mod support;
mod synced;
mod tenancy;
