//! What a proxy's answer must not cause. Such an answer proves nothing about a login, a lease or a secret.

use std::time::Duration;

use leasehold_core::action::{Action, Question};
use leasehold_core::ids::LeaseId;

use super::super::faults::Fault;
use super::super::proxy::{Asking, FOREIGN, Reach};
use super::super::server::Lease;
use super::super::world::World;
use super::{Held, is_serving, on_disk};

/// While more than this part of the granted time of a token is left, no login replaces the token if it can be renewed.
/// If its renewals go on failing, another login follows when a quarter is left.
const EARLY: f64 = 0.27;
/// While more than this time is left, a lease that can be renewed is not minted anew.
const LATE: Duration = Duration::from_secs(5);
/// What ends within this time is replaced with whatever token there is.
const FIRST: Duration = Duration::from_secs(2);
/// A lease is renewed at least this long before its end, if its renewal gets through.
const IN_TIME: Duration = Duration::from_secs(20);

/// Checks that a login or a read does not replace a login or a lease that lives, can be renewed and has enough time
/// left.
pub(super) fn replaces_nothing_good(world: &World, action: &Action) -> Held {
    let role = world.setup.role;
    let judged = role.default_policy && role.uses.is_none() && world.setup.standby_lag.is_zero();
    let Some(process) = world.process.as_ref().filter(|_| judged && !world.misled) else { return Ok(()) };
    let left = |expires| world.boot.time(expires).saturating_sub(world.now);
    match action {
        Action::Ask(Question::LogIn(_)) => {
            let snapshot = process.engine.snapshot();
            // One that another login has followed is there to be revoked.
            let Some(kept) = snapshot.tokens.last().filter(|kept| !kept.leaving) else { return Ok(()) };
            let (Some(expires), Some(granted)) = (kept.expires, kept.granted) else { return Ok(()) };
            let own = process.tokens.get(&kept.id).copied().unwrap_or_default();
            let lives = world.server.is_token_alive(own, world.now) && kept.renewable && !kept.undated;
            let more = world.server.tokens.get(&own).is_some_and(|token| {
                token.last.is_none_or(|last| token.expires.is_some_and(|end| end < last))
            });
            if lives && more && left(expires) > granted.mul_f64(EARLY) {
                return Err(format!("a login, while {:?} lives and has time", kept.id));
            }
        }
        Action::Ask(Question::Read { request, token, .. }) => {
            let snapshot = process.engine.snapshot();
            let kept = snapshot.secrets.iter().find(|kept| kept.request.path == request.path);
            let Some(lease) = kept.and_then(|kept| kept.lease.as_ref()) else { return Ok(()) };
            let lives =
                world.server.is_lease_alive(&lease.id, world.now) && lease.renewable && !lease.undated;
            // One under a batch token ends with it, whatever is asked for.
            let more = !role.batch
                && world.server.leases.get(&lease.id).is_some_and(|lease| lease.expires < lease.last);
            if lives && more && lease.token == *token && left(lease.expires) > LATE {
                return Err(format!("{} is read, while {:?} lives and has time", request.path, lease.id));
            }
            let alive = world.server.is_lease_alive(&lease.id, world.now) && !lease.undated;
            let made_by = snapshot.tokens.iter().find(|kept| kept.id == lease.token && kept.id == *token);
            let bound = made_by.is_some_and(|login| {
                let spare = login.granted.unwrap_or_default() / 10;
                login.expires.is_some_and(|end| lease.expires.after(spare) >= end)
            });
            // A login that was asked for when the token seemed to be over succeeds nothing, if that lives after all.
            let succeeds = process.logging_in && world.checks.succeeds;
            if succeeds && alive && bound && left(lease.expires) > FIRST {
                return Err(format!(
                    "{} is read with a token whose successor is under way, while {:?} lives as long as that",
                    request.path, lease.id
                ));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Checks that no file has a proxy's answer in it.
pub(super) fn no_page_is_published(world: &World) -> Held {
    for (file, content) in &world.disk.files {
        if let Some((path, _)) = content.iter().find(|(_, value)| value.version == FOREIGN) {
            return Err(format!("{file:?} has a proxy's answer in the place of {path}"));
        }
    }
    Ok(())
}

/// Checks that a lease whose renewal gets through does not end, whatever else a proxy answers for.
pub(super) fn what_can_be_renewed_is(world: &mut World) -> Held {
    let hindered = world.faults.iter().any(|fault| match fault {
        Fault::Proxy(proxy) => hinders_renewals(&proxy.reach),
        _ => true,
    });
    if hindered || !is_serving(world) || world.asleep > world.now {
        world.checks.hindered = world.now;
        return Ok(());
    }
    let free = world.checks.hindered.max(world.started).max(world.asleep);
    for (file, id) in on_disk(world) {
        let Some(lease) = world.server.leases.get(id) else { continue };
        let end = world.server.end_of(lease);
        let over = end <= world.now
            && lease.revoked.is_none()
            && free + IN_TIME < end
            && free < lease.asked + lease.ttl.mul_f64(0.9);
        let calm = world.calm_for() > IN_TIME && world.calm + IN_TIME < end;
        // The successor of a login is needed for that, and whatever is in its way.
        let over = over && (is_of_the_current_login(world, lease) || calm);
        if over && can_be_renewed(world, lease) && is_held(world, id) {
            return Err(format!("{file:?} has {id:?}, which ended at {end:?} and could be renewed"));
        }
    }
    Ok(())
}

/// Returns whether a proxy with this reach keeps a lease from its renewal. A proxy in the way of one path, of logins or
/// of look-ups does not. If it is in the way of the token's renewal alone, another login follows in time.
fn hinders_renewals(reach: &Reach) -> bool {
    match reach {
        Reach::All => true,
        Reach::Path(_) => false,
        Reach::Kind(kind) => matches!(kind, Asking::Renew | Asking::Probe),
    }
}

/// Returns whether the run that serves knows of the lease. What a lost run left can only end by itself.
fn is_held(world: &World, id: &LeaseId) -> bool {
    let snapshot = world.process.as_ref().map(|process| process.engine.snapshot()).unwrap_or_default();
    snapshot.secrets.iter().any(|kept| kept.lease.as_ref().is_some_and(|lease| lease.id == *id))
}

fn is_of_the_current_login(world: &World, lease: &Lease) -> bool {
    let Some(process) = &world.process else { return false };
    let snapshot = process.engine.snapshot();
    let current = snapshot.tokens.iter().rev().find(|token| !token.leaving);
    current.is_some_and(|token| process.tokens.get(&token.id) == Some(&lease.token))
}

fn can_be_renewed(world: &World, lease: &Lease) -> bool {
    let Some(token) = world.server.tokens.get(&lease.token) else { return false };
    let endless = token.expires.is_none()
        || token.role.renewable && token.last.is_none_or(|last| token.expires < Some(last));
    let may = token.role.default_policy && token.role.uses.is_none() && !token.revoked;
    // One that outlives its login is renewed with that, and is minted anew once that is over.
    let held = !lease.elsewhere || token.expires.is_none_or(|end| end > lease.expires);
    lease.renewable && lease.expires < lease.last && endless && held && may && !world.misled
}
