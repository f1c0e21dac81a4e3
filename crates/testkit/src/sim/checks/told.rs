//! Which notifiers are notified of a change.

use std::time::Duration;

use super::{Held, PATIENCE, is_serving};
use crate::sim::world::World;

/// Checks that each notifier of a changed file is notified after the change was committed.
pub(super) fn all_are_told(world: &World) -> Held {
    // A restart that fails takes as long as one that does not, and so does the one that follows its pause.
    let patience = PATIENCE + 2 * world.rollout();
    let serving = is_serving(world) && world.calm_for() > patience;
    if !serving || world.checks.lost {
        return Ok(());
    }
    for (file, changed) in &world.disk.changed {
        // One restart of workloads may be under way, and another follows it.
        // Another engine has it all told anew.
        let from = if world.rollout().is_zero() { *changed } else { world.calm.max(*changed) };
        let due = from + Duration::from_secs(3) + 2 * world.rollout();
        let Some(notifier) = world.setup.notifier_of(*file) else { continue };
        let told = world.told.get(&notifier).is_some_and(|told| told >= changed);
        if !told && due < world.now {
            return Err(format!("{notifier:?} was not told of {file:?}, which changed at {changed:?}"));
        }
    }
    Ok(())
}
