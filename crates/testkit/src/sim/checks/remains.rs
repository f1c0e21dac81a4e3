//! What a run that ends leaves to the server and to the next run.

use std::collections::BTreeSet;

use super::{Held, MINUTE, is_counted, known_elsewhere, patience};
use crate::sim::handoff::Handoff;
use crate::sim::world::World;

/// Checks that a stop in calm leaves nothing on the server that this run knows of.
pub(super) fn nothing_left(world: &World) -> Held {
    let Some(process) = world.process.as_ref().filter(|process| process.is_daemon()) else { return Ok(()) };
    // A controller that hands over leaves everything to the next leader.
    let hands_over = world.setup.cluster.is_some() && world.setup.handoff;
    if world.calm_for() < patience(world) + MINUTE || world.checks.lost || hands_over {
        return Ok(());
    }
    let role = world.setup.role;
    let ours = world.setup.owns_token && !role.batch && role.default_policy;
    let tokens: BTreeSet<u64> = process.tokens.values().copied().collect();
    let is_known_elsewhere = known_elsewhere(world);
    for (id, lease) in &world.server.leases {
        let knows = lease.known && (tokens.contains(&lease.token) || is_known_elsewhere(lease));
        // The last use of a counted token, or whoever revokes one, may come before the last revocation, and does not
        // end leases elsewhere.
        let spent = lease.elsewhere && (is_counted(world) || world.meddled);
        if knows && !spent && world.server.is_lease_alive(id, world.now) {
            return Err(format!("{id:?} is left behind"));
        }
    }
    for (id, token) in &process.tokens {
        if ours && world.server.is_token_alive(*token, world.now) {
            return Err(format!("{id:?} is left behind"));
        }
    }
    // A token may have died of its last use, unknown to the run that took it over.
    // Refused logins are remembered where the server counts them, whoever refused them.
    let refused = !world.server.refused.is_empty() || process.engine.snapshot().refusals.is_some();
    let judged = !world.meddled && !refused && !is_counted(world);
    // Whom to tell it keeps also where there is nothing else to keep.
    let untold = |kept: &Handoff| kept.tokens.is_empty() && !kept.snapshot.untold.is_empty();
    // A token past its end that may have been renewed unheard is denied its revocation, dead or not: the next run finds
    // out what became of it.
    let over = |end| world.boot.time(end) <= world.now;
    let unheard = |kept: &Handoff| {
        let mut tokens = kept.snapshot.tokens.iter();
        !kept.tokens.is_empty() && tokens.all(|token| token.expires.is_some_and(over))
    };
    let empty = |kept: &Handoff| untold(kept) || unheard(kept);
    if ours && judged && world.handoff.as_ref().is_some_and(|kept| !empty(kept)) {
        return Err("the handoff is left behind".to_owned());
    }
    Ok(())
}
