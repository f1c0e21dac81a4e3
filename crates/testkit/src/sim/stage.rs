//! What named scenarios have in common: worlds of one seed with planned faults, and functions that read their state.

use std::time::Duration;

use leasehold_base::exit::Cause;
use leasehold_core::view::View;

use super::clock::BEGIN;
use super::faults::{Fault, Planned};
use super::server::Health;
use super::setup::{Kind, Setup};
use super::world::World;
use super::{DB, HOUR};

/// Returns the kind of credentials that can be renewed.
pub fn dynamic(ttl: Duration, max: Duration) -> Kind {
    Kind::Dynamic { ttl, max, renewable: true }
}

/// Returns the setup of one file that is made of credentials. They live for an hour, and for a day at most.
pub fn database() -> Setup {
    Setup::plain(DB, dynamic(HOUR, 24 * HOUR))
}

/// Makes a world with these faults. Each is given by when it begins, how long it lasts and what it is.
pub fn with<const N: usize>(setup: Setup, faults: [(Duration, Duration, Fault); N]) -> World {
    let mut world = World::new(7, Setup { quiet: true, ..setup });
    for (at, lasts, fault) in faults {
        plan(&mut world, at, lasts, fault);
    }
    world
}

pub fn plan(world: &mut World, at: Duration, lasts: Duration, fault: Fault) {
    world.plan(Planned { at, lasts, fault });
}

pub fn down(at: Duration, lasts: Duration) -> (Duration, Duration, Fault) {
    (at, lasts, Fault::Health(Health::Down))
}

/// Lives up to `at` after the beginning.
pub fn until(world: &mut World, at: Duration) {
    world.live_until(at).expect("every promise holds");
}

/// Kills the process now. It is started again.
pub fn kill(world: &mut World) {
    world.begin(Fault::Kill, Duration::ZERO).expect("every promise holds");
}

pub fn view(world: &World) -> View {
    world.process.as_ref().expect("it runs").engine.view(world.clock())
}

/// Returns how many leases are alive on the server.
pub fn living(world: &mut World) -> usize {
    let now = world.now;
    world.server.living(now).count()
}

/// Returns the exit code of a run that has ended.
pub fn code(world: &World, index: usize) -> Option<i32> {
    let (_, result) = &world.exits[index];
    Some(result.as_ref().map_or_else(|ending| ending.cause.code().into(), |()| 0))
}

/// Returns when a run ended, counted from the beginning, and how it ended.
pub fn exit(world: &World, index: usize) -> (Duration, Result<(), Cause>) {
    let (at, result) = &world.exits[index];
    (*at - BEGIN, result.clone().map_err(|ending| ending.cause))
}
