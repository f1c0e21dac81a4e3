//! The arithmetic of one lease: when to renew it, when to replace it, when it ends. Nothing here asks the server or
//! remembers anything else.

use std::time::Duration;

use crate::interface::event::{Granted, LeaseFacts};
use crate::interface::ids::{LeaseId, TokenId};
use crate::interface::snapshot::KeptLease;
use crate::interface::view::NextAction;
use crate::secrets::namespace;
use crate::tools::dice::around;
use leasehold_base::time::Moment;

/// The part of its life after which a lease that cannot be renewed is replaced.
const REPLACE_AT: f64 = 2.0 / 3.0;
/// The same for a lease that the server will not renew although it was already minted anew for that reason.
const WORN_REPLACE_AT: f64 = 0.9;
/// A renewal that grants less than this part of the first TTL has met `max_ttl`.
const CLAMPED_BELOW: f64 = 0.9;
/// The server answers in whole seconds, and also grants the fraction that it leaves out.
const UNSAID: Duration = Duration::from_secs(1);
/// The least time between a request and the next step, whatever TTL the server grants.
const LEAST_STEP: Duration = Duration::from_millis(500);

/// A lease that we hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) id: LeaseId,
    /// The login that made it, and with which it dies.
    pub(crate) token: TokenId,
    /// When its last renewal, or the request that minted it, was sent.
    pub(crate) asked: Moment,
    /// When it ends by itself, as far as the server has said.
    pub(crate) expires: Moment,
    /// Until when the server may keep it. That is a little later than `expires`, since the server counts from when it
    /// received the request, and much later if the answer to a renewal was lost.
    pub(crate) latest: Moment,
    /// The TTL it was minted with.
    pub(crate) granted: Duration,
    pub(crate) renewable: bool,
    /// The lease is a token that outlives the login that made it.
    pub(crate) orphan: bool,
    /// A renewal met `max_ttl`, so no further renewal helps.
    pub(crate) clamped: bool,
    /// The server does not renew it, and minting another one has not changed that.
    pub(crate) worn: bool,
    /// It comes from another boot. Only a renewal shows what is left of it, and until then it does not count as good.
    pub(crate) undated: bool,
}

impl Lease {
    /// Makes a lease as it was minted: asked for at `sent`, answered at `now`. A TTL of 0 is an anomaly, not "for
    /// ever" (CVE-2021-32923): such a lease counts as living for `otherwise`.
    pub(crate) fn minted(
        facts: LeaseFacts,
        token: TokenId,
        (sent, now): (Moment, Moment),
        otherwise: Duration,
    ) -> Self {
        let ttl = if facts.ttl.is_zero() { otherwise } else { facts.ttl };
        Self {
            id: facts.id,
            token,
            asked: sent,
            expires: sent.after(ttl),
            latest: now.after(ttl.saturating_add(UNSAID)),
            granted: ttl,
            renewable: facts.renewable && !facts.ttl.is_zero(),
            orphan: facts.orphan,
            clamped: false,
            worn: false,
            undated: false,
        }
    }

    /// Makes a lease from one of an earlier run. The time of its last renewal is not kept. It was not before the read
    /// of the secret, and not more than a full TTL before the end.
    pub(crate) fn adopted(kept: KeptLease, read: Moment) -> Self {
        Self {
            asked: kept.expires.before(kept.granted).max(read),
            id: kept.id,
            token: kept.token,
            expires: kept.expires,
            latest: kept.latest,
            granted: kept.granted,
            renewable: kept.renewable,
            orphan: kept.orphan,
            clamped: false,
            worn: false,
            undated: kept.undated,
        }
    }

    /// Returns the lease as the next run gets it.
    pub(crate) fn kept(&self) -> KeptLease {
        KeptLease {
            id: self.id.clone(),
            token: self.token,
            expires: self.expires,
            latest: self.latest,
            granted: self.granted,
            renewable: self.renewable,
            orphan: self.orphan,
            undated: self.undated,
        }
    }

    /// Returns whether it may live on without the login that made it, whose namespace is `home`. With a token the
    /// server revokes what is in the token's own namespace, except for orphans.
    pub(crate) fn outlives(&self, home: &str) -> bool {
        self.orphan || namespace::of(&self.id.0) != home
    }

    /// Records that a renewal is sent. The server may grant it even if its answer is lost.
    pub(crate) fn renewing(&mut self, now: Moment) {
        self.latest = self.latest.max(now.after(self.granted.saturating_add(UNSAID)));
    }

    /// Records that its login is dead, and the lease with it.
    pub(crate) fn died(&mut self, now: Moment) {
        self.expires = self.expires.min(now);
        self.latest = self.latest.min(now);
        self.undated = false;
    }

    /// Records that its login is dead, while the lease may live on. It no longer counts as good, and is to be
    /// revoked.
    pub(crate) fn orphaned(&mut self, now: Moment) {
        self.expires = self.expires.min(now);
        self.undated = false;
    }

    /// Records that the server granted a renewal that was sent at `sent` and is answered at `now`.
    pub(crate) fn renewed(&mut self, sent: Moment, now: Moment, granted: Granted) {
        self.asked = sent;
        self.expires = sent.after(granted.ttl);
        self.latest = now.after(granted.ttl.saturating_add(UNSAID));
        self.renewable = granted.renewable;
        self.clamped = is_clamped(self.granted, granted.ttl);
        self.worn = false;
        self.undated = false;
    }

    /// Returns what comes next for it, and when; `draw` from 0 to 1 spreads the time by ±10 %.
    pub(crate) fn next(&self, draw: f64) -> (NextAction, Moment) {
        let life = self.asked.until(self.expires);
        let (what, part) = if self.worn {
            (NextAction::Replace, WORN_REPLACE_AT)
        } else if self.clamped {
            (NextAction::Replace, 0.5)
        } else if self.renewable {
            (NextAction::Renew, 0.5)
        } else {
            (NextAction::Replace, REPLACE_AT)
        };
        let step = around(life.mul_f64(part), draw).min(life).max(LEAST_STEP);
        (what, self.asked.after(step))
    }
}

/// Returns whether a renewal has met `max_ttl`: it granted `ttl` where `first` was granted when the lease was minted.
pub(crate) fn is_clamped(first: Duration, ttl: Duration) -> bool {
    ttl < first.mul_f64(CLAMPED_BELOW)
}

/// Returns when to retry the renewal of something that lives until `expires`: after an eighth of what is left, so
/// that a long lease is not hammered and a short one gets several tries. The pause is 1 s to 30 s, which bounds the
/// rate in any case.
pub(crate) fn retry(now: Moment, expires: Moment, draw: f64) -> Moment {
    let left = now.until(expires);
    let wait = (left / 8).clamp(Duration::from_secs(1), Duration::from_secs(30));
    now.after(around(wait, draw).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn lease(ttl: u64, renewable: bool) -> Lease {
        let facts =
            LeaseFacts { id: LeaseId("l".into()), ttl: Duration::from_secs(ttl), renewable, orphan: false };
        Lease::minted(facts, TokenId(0), (at(1000), at(1000)), Duration::from_secs(300))
    }

    fn granted(ttl: u64) -> Granted {
        Granted { ttl: Duration::from_secs(ttl), renewable: true }
    }

    #[test]
    fn a_renewable_lease_is_renewed_at_half_life_give_or_take_a_tenth() {
        let lease = lease(1000, true);
        assert_eq!(lease.next(0.5), (NextAction::Renew, at(1500)));
        assert_eq!(lease.next(0.0), (NextAction::Renew, at(1450)));
        assert_eq!(lease.next(1.0), (NextAction::Renew, at(1550)));
    }

    #[test]
    fn a_lease_that_cannot_be_renewed_is_replaced_at_two_thirds() {
        assert_eq!(lease(900, false).next(0.5), (NextAction::Replace, at(1600)));
    }

    #[test]
    fn a_renewal_cut_by_max_ttl_leads_to_a_replacement_at_half_of_what_remains() {
        let mut lease = lease(1000, true);
        lease.renewed(at(1500), at(1500), granted(1000));
        assert_eq!(lease.next(0.5), (NextAction::Renew, at(2000)));
        lease.renewed(at(2000), at(2000), granted(100));
        assert_eq!(lease.next(0.5), (NextAction::Replace, at(2050)));
        assert_eq!(lease.expires, at(2100));
    }

    #[test]
    fn rounding_of_the_granted_ttl_is_not_taken_for_max_ttl() {
        assert!(!is_clamped(Duration::from_secs(3600), Duration::from_secs(3599)));
        assert!(is_clamped(Duration::from_secs(3600), Duration::from_secs(3000)));
    }

    #[test]
    fn a_ttl_at_the_limit_of_what_a_number_holds_ends_at_the_end_of_time() {
        for ttl in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
            let mut lease = lease(ttl, true);
            lease.renewing(at(2000));
            lease.renewed(at(2000), at(2001), granted(u64::MAX));
            assert!(lease.expires > at(1 << 40) && lease.latest >= lease.expires);
            assert!(lease.next(1.0).1 > at(1 << 40));
            let _ = retry(at(1000), lease.expires, 1.0);
        }
    }

    #[test]
    fn a_ttl_of_nothing_is_an_anomaly_and_not_for_ever() {
        let lease = lease(0, true);
        assert_eq!(lease.expires, at(1300));
        assert_eq!(lease.next(0.5), (NextAction::Replace, at(1200)));
    }

    #[test]
    fn an_adopted_lease_goes_on_where_it_was() {
        let mut kept = lease(1000, true).kept();
        let lease = Lease::adopted(kept.clone(), at(1000));
        assert_eq!(lease.next(0.5), (NextAction::Renew, at(1500)));
        kept.expires = at(1600);
        let cut = Lease::adopted(kept, at(1000));
        assert_eq!(cut.next(0.5).1, at(1300), "half of what it had after it was cut short");
    }

    #[test]
    fn tries_to_renew_are_never_closer_than_a_second_nor_further_than_thirty() {
        for draw in [0.0, 0.5, 1.0] {
            assert!(at(10).until(retry(at(10), at(10), draw)) >= Duration::from_secs(1));
            let far = at(10).until(retry(at(10), at(100_000), draw));
            assert!(far >= Duration::from_secs(27) && far <= Duration::from_secs(33), "{far:?}");
        }
    }

    #[test]
    fn even_a_ttl_of_a_second_does_not_make_a_hot_loop() {
        let lease = lease(1, true);
        let wait = at(1000).until(lease.next(0.0).1);
        assert!(wait >= LEAST_STEP, "{wait:?}");
    }
}
