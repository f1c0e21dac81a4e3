//! The arithmetic of leases over every small value: `property!` says how a prover takes them further.

use std::time::Duration;

use leasehold_base::property;
use leasehold_base::time::Moment;

use crate::interface::event::{Granted, LeaseFacts};
use crate::interface::ids::{LeaseId, TokenId};
use crate::interface::view::NextAction;
use crate::secrets::lease::{Lease, is_clamped, retry};

/// Draws are tried in steps of this part.
const STEPS: u32 = 16;
/// When leases begin here.
const BEGIN: u64 = 1000;
/// The least time from a request to what is planned next.
const LEAST: Duration = Duration::from_millis(500);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Moment {
    Moment::new(secs(seconds))
}

fn draw(step: u32) -> f64 {
    f64::from(step) / f64::from(STEPS)
}

fn lease(ttl: u64, renewable: bool) -> Lease {
    let facts = LeaseFacts { id: LeaseId("l".into()), ttl: secs(ttl), renewable, orphan: false };
    Lease::minted(facts, TokenId(0), (at(BEGIN), at(BEGIN)), secs(300))
}

property! {
    /// Whatever the server grants, the next step comes before the end, but never at once.
    fn the_next_step_of_a_lease_is_within_its_life(ttl: u64 in 0..=4096, step: u32 in 0..=STEPS, kind: u8 in 0..=3) {
        let mut lease = lease(ttl, kind.is_multiple_of(2));
        lease.worn = kind == 3;
        let wait = at(BEGIN).until(lease.next(draw(step)).1);
        let life = at(BEGIN).until(lease.expires);
        assert!(wait >= LEAST && wait <= life.max(LEAST), "{ttl} {wait:?}");
    }

    /// A renewal has time for more tries: at least nine twentieths of the life are left, and a second at least from two
    /// seconds on.
    fn a_renewal_leaves_time_for_more(ttl: u64 in 2..=4096, step: u32 in 0..=STEPS) {
        let lease = lease(ttl, true);
        let (what, when) = lease.next(draw(step));
        let left = when.until(lease.expires);
        assert_eq!(what, NextAction::Renew);
        // A float may be a nanosecond off.
        assert!(left + Duration::from_nanos(2) >= secs(ttl) * 9 / 20, "{ttl} {left:?}");
    }

    /// A lease that cannot be renewed is replaced with overlap: a quarter of its life is left.
    fn a_replacement_overlaps_with_what_it_replaces(ttl: u64 in 4..=4096, step: u32 in 0..=STEPS) {
        let lease = lease(ttl, false);
        let (what, when) = lease.next(draw(step));
        assert_eq!(what, NextAction::Replace);
        assert!(when.until(lease.expires) >= secs(ttl) / 4, "{ttl}");
    }

    /// `max_ttl` was met exactly where less than nine tenths were granted.
    fn less_than_nine_tenths_of_the_first_ttl_is_max_ttl(first: u64 in 0..=1200, ttl: u64 in 0..=1200) {
        assert_eq!(is_clamped(secs(first), secs(ttl)), ttl * 10 < first * 9, "{first} {ttl}");
    }

    /// The server may keep a lease longer than we rely on it, and never shorter: in any order of sending and hearing.
    fn a_lease_is_never_relied_on_longer_than_the_server_may_keep_it(
        ttl: u64 in 0..=40, late: u64 in 0..=12, renewal: u64 in 0..=40, heard: u64 in 0..=12, answered: u8 in 0..=1,
    ) {
        let facts = LeaseFacts { id: LeaseId("l".into()), ttl: secs(ttl), renewable: true, orphan: false };
        let (sent, now) = (at(BEGIN), at(BEGIN + late));
        let mut lease = Lease::minted(facts, TokenId(0), (sent, now), secs(300));
        let kept = |lease: &Lease| lease.latest >= lease.expires;
        assert!(kept(&lease));
        let (sent, now) = (now.after(secs(1)), now.after(secs(1 + heard)));
        lease.renewing(sent);
        assert!(kept(&lease) && lease.latest >= sent.after(lease.granted));
        if answered == 1 {
            lease.renewed(sent, now, Granted { ttl: secs(renewal), renewable: true });
            assert!(kept(&lease) && lease.expires == sent.after(secs(renewal)));
        }
    }

    /// A dead lease is not good any more, and one that may be dead is not relied on either.
    fn a_lease_whose_login_is_dead_is_over(ttl: u64 in 0..=400, age: u64 in 0..=400, orphan: u8 in 0..=1) {
        let mut lease = lease(ttl, true);
        let (latest, now) = (lease.latest, at(BEGIN + age));
        if orphan == 1 {
            lease.orphaned(now);
            assert_eq!(lease.latest, latest, "it has to be given back as long as it may live");
        } else {
            lease.died(now);
            assert!(lease.latest <= now);
        }
        assert!(lease.expires <= now);
    }

    /// A lease that goes on in another run is as good there as it was.
    fn an_adopted_lease_has_the_times_that_it_had(ttl: u64 in 1..=400, read: u64 in 0..=400) {
        let lease = lease(ttl, true);
        let adopted = Lease::adopted(lease.kept(), at(BEGIN.min(read)));
        assert_eq!((adopted.expires, adopted.latest), (lease.expires, lease.latest));
        assert_eq!(adopted.next(0.5), lease.next(0.5));
    }

    /// Tries to renew are neither a hot loop nor rare, and come before the end where two seconds are left.
    fn tries_to_renew_come_in_time_and_not_too_often(left: u64 in 0..=1200, step: u32 in 0..=STEPS) {
        let (now, end) = (at(BEGIN), at(BEGIN + left));
        let again = retry(now, end, draw(step));
        let wait = now.until(again);
        assert!(wait >= secs(1) && wait <= secs(33), "{left} {wait:?}");
        assert!(left < 2 || again < end, "{left} {wait:?}");
    }
}
