//! A simulator of everything around the core: virtual time that jumps from one event to the next, a model server, a
//! model driver, and faults drawn from a seed. After every step, the simulator checks the invariants in `checks`. One
//! seed is one world. The report of a violation has the command line that replays the world.
//!
//! This crate's `tests/worlds.rs`, the agent's `tests/simulated` and the example `simulate` share the simulator.

#![allow(missing_docs, reason = "the names of the model are those of the engine and the server")]

pub mod application;
pub mod checks;
pub mod clock;
pub mod cluster;
pub mod dice;
pub mod driver;
pub mod faults;
pub mod fleet;
pub mod handoff;
pub mod holdings;
pub mod long;
pub mod mishaps;
pub mod network;
pub mod proxy;
pub mod server;
pub mod setup;
pub mod stage;
pub mod stores;
pub mod world;

use std::time::Duration;

pub const MINUTE: Duration = secs(60);
pub const HOUR: Duration = secs(3600);
/// The paths of named scenarios: this one is of credentials with a lease, and the next one is of KV v2.
pub const DB: &str = "database/creds/web";
pub const KV: &str = "secret/data/web";

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Lives through the world of `seed` to its end, and returns its totals.
///
/// # Errors
/// The first invariant that did not hold, with the line that replays the world.
pub fn run(seed: u64) -> Result<world::Totals, String> {
    live(world::World::new(seed, setup::Setup::random(seed)))
}

/// Lives through a world to its end, and returns its totals.
///
/// # Errors
/// As [`run`].
pub fn live(mut world: world::World) -> Result<world::Totals, String> {
    let seed = world.seed;
    world.live().map_err(|why| {
        format!("seed {seed}: {why}\nreplay: cargo run --profile worlds --example simulate -- --seed {seed} --trace")
    })
}
