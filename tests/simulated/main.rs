//! The core in simulated worlds: virtual time, a model server, and the promises of `sim::checks` looked at after
//! every step of every test here.

mod doubt;
mod exec;
mod fleet;
mod kills;
mod long;
mod losses;
mod machine;
mod reboot;
mod reload;
mod server;
mod stores;

use leasehold::observe::metrics::{Besides, render};
use leasehold_testkit::sim::stage::view;
use leasehold_testkit::sim::world::World;

/// What `/metrics` would answer.
fn metrics(world: &World) -> String {
    render(view(world), Besides::default())
}
