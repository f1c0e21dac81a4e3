//! What another process removes or changes comes back. Until then, nothing is reported as ready.

use std::time::Duration;

use leasehold_core::view::Readiness;

use super::super::cluster::Api;
use super::super::faults::Fault;
use super::super::world::World;
use super::{Held, MINUTE, PATIENCE, is_serving, set_wait};

/// The time from a look to the file that is put back.
const PROMPT: Duration = Duration::from_secs(2);

/// Returns whether something was lost so recently that it may not be back yet.
pub(super) fn is_being_put_back(world: &World) -> bool {
    world.checks.lost_last.is_some_and(|at| at.max(world.asleep) + PATIENCE > world.now)
}

/// Checks that a lost file is put back. The longest time until a look at what is published is a minute. A file that
/// cannot be put back is tried again for as long as that lasts, and the run is not ready meanwhile.
pub(super) fn what_is_lost_comes_back(world: &mut World) -> Held {
    let lost = &world.disk.lost;
    world.checks.losses.retain(|file, _| lost.contains_key(file));
    if world.checks.losses.is_empty() || !is_serving(world) || world.asleep > world.now {
        return Ok(());
    }
    let Some(process) = &world.process else { return Ok(()) };
    let readiness = process.engine.outlook(world.clock()).readiness;
    let ready = readiness.is_ready();
    // What this run has not been able to publish at all it cannot put back.
    let published = !matches!(readiness, Readiness::NotRendered { .. });
    let full = world.faults.contains(&Fault::DiskFull);
    if world.has(Api::Away) {
        // Nobody sees anything of it.
        return Ok(());
    }
    for (file, since) in &world.checks.losses {
        let quiet = set_wait(world, *file);
        let from = (*since).max(world.started).max(world.asleep).max(world.cluster.back);
        let noticed = from + MINUTE + PROMPT + quiet;
        if ready && noticed < world.now {
            return Err(format!("ready, and {file:?} has been lost since {since:?}"));
        }
        // After a failure it is tried again within a minute.
        let back = noticed.max(world.calm + PATIENCE);
        if published && !full && back < world.now && world.calm_for() > PATIENCE {
            return Err(format!("{file:?} has been lost since {since:?} and is not put back"));
        }
    }
    Ok(())
}
