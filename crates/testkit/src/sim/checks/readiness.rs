//! When a run reports that it is ready, and when it does not.

use super::super::setup::Kind;
use super::super::world::World;
use super::losses;
use super::{Held, MINUTE, is_counted, is_serving, longest_refresh, on_disk, patience};

/// Checks that a run is not ready while a file is made of a lease that has ended by itself or was given back. After
/// enough calm, the run has to be ready.
pub(super) fn never_ready_when_expired(world: &World) -> Held {
    let Some(process) = world.process.as_ref().filter(|_| is_serving(world) && world.asleep <= world.now)
    else {
        return Ok(());
    };
    let readiness = process.engine.outlook(world.clock()).readiness;
    let good = readiness.is_ready();
    if good {
        for (file, id) in on_disk(world) {
            let Some(lease) = world.server.leases.get(id) else { continue };
            let end = world.server.end_of(lease);
            if end < world.now {
                return Err(format!("ready, and {file:?} serves {id:?}, which ended at {end:?}"));
            }
            // Whatever became of the run that did it.
            if lease.given_back {
                return Err(format!("ready, and {file:?} serves {id:?}, which was given back"));
            }
        }
    } else if world.calm_for() > patience(world) + MINUTE
        && !has_wrong_clock(world)
        && !is_counted(world)
        && !losses::is_being_put_back(world)
    {
        // That a token was revoked shows with its next use.
        let longest = world.setup.paths.iter().map(|(_, kind)| match kind {
            Kind::Dynamic { ttl: life, .. } | Kind::Certificate { life } | Kind::Static { period: life } => {
                *life
            }
            Kind::Kv => MINUTE,
        });
        let longest = longest.max().unwrap_or(MINUTE);
        let longest = longest.max(world.setup.role.ttl.unwrap_or_default()).max(longest_refresh(world));
        if world.calm_for() > patience(world) + MINUTE + longest {
            return Err(format!("not ready after {:?} of calm: {:?}", world.calm_for(), readiness));
        }
    }
    Ok(())
}

/// Returns whether the wall clock is wrong in a world with certificates. A certificate ends when this machine's clock
/// says so, right or wrong.
fn has_wrong_clock(world: &World) -> bool {
    let dated = world.setup.paths.iter().any(|(_, kind)| matches!(kind, Kind::Certificate { .. }));
    dated && world.wall != world.true_wall()
}
