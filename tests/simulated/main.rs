//! The core in simulated worlds: virtual time, a model server, and the promises of `sim::checks` looked at after
//! every step of every test here.

#[path = "../sim/mod.rs"]
mod sim;
#[path = "../support/mod.rs"]
mod support;

mod doubt;
mod exec;
mod fleet;
mod kills;
mod losses;
mod machine;
mod reboot;
mod reload;
mod server;
mod worlds;
