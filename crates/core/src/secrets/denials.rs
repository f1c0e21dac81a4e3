//! Revocations that the server denies are tried again for a while. Each with pauses of its own, a thousand leases would be
//! a thousand requests in each round. So those that were denied before go in turns: one alone asks in each round, and
//! the others wait for its answer. One that was never asked for does not wait, since a policy can allow the leases of some
//! paths alone.

use std::time::Duration;

use crate::engine::Engine;
use crate::interface::ids::{LeaseId, TokenId};
use crate::secrets::lease::Lease;
use crate::secrets::namespace;
use crate::secrets::retire::{Retiree, Way};
use crate::tools::steps::step;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::login::{Login, Standing};
use leasehold_base::time::Moment;

/// The others of a round are this far apart at most. The one that was asked for goes after them in the next round: it
/// alone may be denied for good, such as a token that is dead.
const SPREAD: Duration = Duration::from_secs(1);

impl Engine {
    /// Lets the leases wait until `at` that were denied before like the lease `id`: by the same logins, in the same
    /// namespace.
    pub(crate) fn put_off_leases_denied_before(&mut self, id: &LeaseId, at: Moment) {
        // Those that wait were denied less often, but at least once.
        let Some(denied) = self.retirees.get(id).filter(|denied| denied.tries > 1) else { return };
        let (tries, ways, end) = (denied.tries, self.ways_to_revoke(&denied.lease), denied.lease.latest);
        let waits = |one: &&Retiree| {
            step();
            one.way == Way::Revoking
                && (1..tries).contains(&one.tries)
                && !self.work.is_under_way(&Job::RevokeLease(one.lease.id.clone()))
                && self.ways_to_revoke(&one.lease) == ways
        };
        let others: Vec<LeaseId> =
            self.retirees.iter().filter(waits).map(|one| one.lease.id.clone()).collect();
        if !others.is_empty() {
            self.timers.set(Timer::Retiree(id.clone()), at.after(SPREAD).min(end));
        }
        for other in others {
            let at = at.after(SPREAD.mul_f64(self.session_draw()));
            let Some(one) = self.retirees.get_mut(&other) else { continue };
            one.tries = tries;
            let at = at.min(one.lease.latest);
            self.work.remove(&Job::RevokeLease(other.clone()));
            self.timers.set(Timer::Retiree(other), at);
        }
    }

    /// Returns what decides whether the server lets us revoke a lease: its namespace, and its own login if that is not the
    /// current one.
    fn ways_to_revoke<'a>(&self, lease: &'a Lease) -> (&'a str, Option<TokenId>) {
        let session = &self.upstream.session;
        let own = Some(lease.token).filter(|own| session.current != Some(*own) && session.is_alive(*own));
        (namespace::of(&lease.id.0), own)
    }

    /// Lets the replaced tokens wait until `at` whose revocation was denied before like that of `id`.
    pub(crate) fn put_off_tokens_denied_before(&mut self, id: TokenId, at: Moment) {
        let Some(tries) = self.upstream.session.logins.get(&id).map(|login| login.unrevoked) else { return };
        let waits = |(other, login): &(&TokenId, &Login)| {
            login.state == Standing::Leaving
                && (1..tries).contains(&login.unrevoked)
                && !self.work.is_under_way(&Job::RevokeToken(**other))
        };
        let others: Vec<TokenId> =
            self.upstream.session.logins.iter().filter(waits).map(|(other, _)| *other).collect();
        if !others.is_empty() {
            self.timers.set(Timer::Leaving(id), at.after(SPREAD));
        }
        for other in others {
            let at = at.after(SPREAD.mul_f64(self.session_draw()));
            if let Some(login) = self.upstream.session.logins.get_mut(&other) {
                login.unrevoked = tries;
            }
            self.work.remove(&Job::RevokeToken(other));
            self.timers.set(Timer::Leaving(other), at);
        }
    }
}
