//! A start that fails has first tried what it fails for.

use std::time::Duration;

use leasehold_base::exit::{Cause, Ending};

use super::{Held, MINUTE};
use crate::sim::world::World;

/// The server forgets refused logins after a quarter of an hour, and the engine tries again up to half a minute later.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60 + 30);

/// Checks that a run that ends because its login is refused has asked for one. Otherwise, in a crash loop, a role that
/// was mended would never be tried. A run is exempt if refusals that the server still counts hold it back.
pub(super) fn no_vain_end(world: &World, ending: &Ending) -> Held {
    let Some(process) = &world.process else { return Ok(()) };
    // A daemon is stopped whenever somebody wants, and logins are kept for a minute.
    let early = !process.is_daemon() && world.now < world.started + MINUTE;
    let tried = world.checks.logins.back().is_some_and(|last| *last >= world.started);
    // What a token's last use brought is dead, and the ending says that the role is to blame.
    let spent = super::is_counted(world);
    if !early || ending.cause != Cause::Denied || !process.tokens.is_empty() || tried || spent {
        return Ok(());
    }
    let now = world.boot.moment(world.now);
    let over = |last| now.since_boot().saturating_sub(last) > FORGOTTEN;
    match process.engine.snapshot().refusals {
        Some(refusals) if over(refusals.last.since_boot()) => {
            Err(format!("a start ends for a login that it has not tried: {}", ending.what))
        }
        _ => Ok(()),
    }
}
