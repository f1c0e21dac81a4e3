//! `leasehold exec`: the parent of an application, against a real server.

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
