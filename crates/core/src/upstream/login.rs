//! One login: how long it lives, what the server said about it, and what comes next for it.

use std::time::Duration;

use crate::interface::event::{Granted, TokenFacts};
use crate::interface::ids::TokenId;
use crate::interface::snapshot::KeptToken;
use crate::interface::view::NextAction;
use crate::secrets::lease::is_clamped;
use crate::tools::dice::around;
use leasehold_base::time::Moment;

/// For this long after a login, a standby may not know the token yet.
const STANDBY_LAG: Duration = Duration::from_secs(10);

/// One login.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) accessor: String,
    /// When it was last granted time, by its login, a renewal or a look-up.
    pub(crate) asked: Moment,
    pub(crate) expires: Option<Moment>,
    /// Until when the server may keep it, even if the answer to a renewal was lost.
    pub(crate) latest: Option<Moment>,
    /// `latest` as it was before the renewal that is under way.
    before: Option<Moment>,
    /// The TTL that it was granted at login.
    pub(crate) granted: Option<Duration>,
    pub(crate) renewable: bool,
    pub(crate) batch: bool,
    /// The requests that are left, where they are counted.
    pub(crate) uses: Option<u64>,
    /// A renewal met the token's `max_ttl`.
    pub(crate) clamped: bool,
    /// When the last request was made with it that the server granted.
    pub(crate) used: Option<Moment>,
    /// It comes from another boot, and the server has not said yet how long it lives.
    pub(crate) undated: bool,
    /// Since when an earlier run may have revoked it; `None` if nothing suggests that.
    pub(crate) doubted: Option<Moment>,
    /// The server does not answer a look-up of it. Work goes on with it, but what it made is not called good.
    pub(crate) unanswered: bool,
    /// An earlier run left it to be revoked, which is done only once everything is published without it.
    pub(crate) stray: bool,
    /// The token is ours to revoke.
    pub(crate) owned: bool,
    /// The token was shown where it must not be known any longer: another login follows it, whatever else happens.
    pub(crate) exposed: bool,
    /// When it logged in; `None` if it comes from an earlier run.
    pub(crate) since: Option<Moment>,
    /// When it took over, which may be long after its request was sent; `None` if it comes from an earlier run.
    pub(crate) in_use: Option<Moment>,
    pub(crate) state: Standing,
    /// How many times in a row its renewal failed.
    pub(crate) tries: u32,
    /// How often its revocation failed.
    pub(crate) unrevoked: u32,
    /// Its last renewal failed although the server was not away.
    pub(crate) unrenewed: bool,
    /// Its next renewal goes no sooner, since the server asked for a pause.
    pub(crate) paused: Moment,
}

/// How a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In use.
    Good,
    /// A newer login has taken over. This one stays until its leases have moved.
    Leaving,
    /// The server denies it, but perhaps only its look-up. It is judged after the next login.
    Doubtful,
}

impl Login {
    /// Makes a login as it was granted; `owned` if the token is ours to revoke.
    pub(crate) fn new(facts: TokenFacts, sent: Moment, owned: bool) -> Self {
        Self {
            accessor: facts.accessor,
            asked: sent,
            expires: facts.ttl.map(|ttl| sent.after(ttl)),
            latest: facts.ttl.map(|ttl| sent.after(ttl)),
            before: None,
            granted: facts.ttl,
            renewable: facts.renewable && !facts.batch,
            batch: facts.batch,
            uses: facts.uses,
            clamped: false,
            used: None,
            undated: false,
            doubted: None,
            unanswered: false,
            stray: false,
            owned,
            since: Some(sent),
            in_use: None,
            exposed: false,
            state: Standing::Good,
            tries: 0,
            unrevoked: 0,
            unrenewed: false,
            paused: Moment::default(),
        }
    }

    /// Makes a login from one of an earlier run.
    pub(crate) fn adopted(kept: &KeptToken, now: Moment) -> Self {
        let asked = match (kept.expires, kept.granted) {
            (Some(expires), Some(granted)) => expires.before(granted).min(now),
            _ => now,
        };
        Self {
            accessor: kept.accessor.clone(),
            asked,
            expires: kept.expires,
            latest: kept.latest,
            before: None,
            granted: kept.granted,
            renewable: kept.renewable,
            batch: kept.batch,
            uses: kept.uses,
            clamped: false,
            used: None,
            undated: kept.undated,
            doubted: None,
            unanswered: false,
            stray: kept.leaving,
            owned: kept.owned,
            since: None,
            in_use: None,
            exposed: kept.exposed,
            state: Standing::Good,
            tries: 0,
            unrevoked: 0,
            unrenewed: false,
            paused: Moment::default(),
        }
    }

    /// Returns the login as the next run gets it.
    pub(crate) fn kept(&self, id: TokenId) -> KeptToken {
        KeptToken {
            id,
            accessor: self.accessor.clone(),
            expires: self.expires,
            latest: self.latest,
            granted: self.granted,
            renewable: self.renewable,
            batch: self.batch,
            uses: self.uses,
            undated: self.undated,
            leaving: self.state == Standing::Leaving,
            exposed: self.exposed,
            owned: self.owned,
        }
    }

    /// Returns whether the token can be revoked and is ours to revoke. If not, its leases are revoked one by one.
    pub(crate) fn is_ours(&self) -> bool {
        self.owned && !self.batch
    }

    /// Records that a renewal is sent. The server may grant it even if its answer is lost.
    pub(crate) fn renewing(&mut self, now: Moment) {
        self.before = self.latest;
        if let (Some(latest), Some(ttl)) = (&mut self.latest, self.granted) {
            *latest = now.after(ttl).max(*latest);
        }
    }

    /// Records that the server did not renew the token.
    pub(crate) fn not_renewed(&mut self) {
        self.latest = self.before.take().or(self.latest);
    }

    /// Returns whether the server may still keep the token.
    pub(crate) fn may_live(&self, now: Moment) -> bool {
        self.latest.is_none_or(|latest| latest > now)
    }

    /// Records that the server renewed the token.
    pub(crate) fn renewed(&mut self, sent: Moment, granted: Granted) {
        self.asked = sent;
        self.undated = false;
        self.expires = Some(sent.after(granted.ttl));
        self.latest = self.expires;
        self.renewable = granted.renewable;
        self.clamped = self.granted.is_some_and(|first| is_clamped(first, granted.ttl));
        self.tries = 0;
    }

    /// Records what a look-up says about the token.
    pub(crate) fn looked_up(&mut self, sent: Moment, facts: TokenFacts) {
        let before = self.expires;
        self.expires = facts.ttl.map(|ttl| sent.after(ttl));
        self.latest = self.expires;
        self.renewable = facts.renewable && !facts.batch;
        self.batch = facts.batch;
        self.uses = facts.uses;
        self.undated = false;
        self.doubted = None;
        if self.granted.is_none() {
            self.granted = facts.ttl;
            self.asked = sent;
        }
        // A later end comes of a renewal that nobody wrote down, or heard of. The second is what servers leave out.
        if let (Some(expires), Some(granted), Some(before)) = (self.expires, self.granted, before)
            && expires > before.after(Duration::from_secs(1))
        {
            self.asked = expires.before(granted).clamp(self.asked.min(sent), sent);
        }
    }

    /// Returns what comes next for the login, and when: its renewal at half-life, or another login where it cannot be
    /// renewed. `None` if it does not expire.
    pub(crate) fn next(&self, draw: f64) -> Option<(NextAction, Moment)> {
        let expires = self.expires?;
        let life = self.asked.until(expires);
        let (what, part) = if self.clamped {
            (NextAction::LogIn, 0.5)
        } else if self.renewable {
            (NextAction::Renew, 0.5)
        } else {
            (NextAction::LogIn, 2.0 / 3.0)
        };
        let step = around(life.mul_f64(part), draw).min(life).max(Duration::from_secs(1).min(life));
        Some((what, self.asked.after(step)))
    }

    /// Returns when another login must follow at the latest, if its renewals go on failing.
    pub(crate) fn last_call(&self) -> Option<Moment> {
        let life = self.asked.until(self.expires?);
        Some(self.asked.after(life.mul_f64(0.75)))
    }

    /// Returns whether its renewals go on failing and its successor is due: little time is left, or it is not known
    /// how much.
    pub(crate) fn wants_successor(&self, now: Moment) -> bool {
        self.unrenewed && (self.undated || self.last_call().is_some_and(|call| call <= now))
    }

    /// Returns whether work waits until the server has said whether the token lives, and for how long.
    pub(crate) fn is_awaited(&self) -> bool {
        (self.undated || self.doubted.is_some()) && !self.unanswered
    }

    /// Returns since when it is not known whether what the token made is still good; `None` if that is known.
    pub(crate) fn unknown_since(&self) -> Option<Moment> {
        self.doubted.or(self.expires.filter(|_| self.undated).map(|_| self.asked))
    }

    /// Returns whether so little of its life is left that whatever it mints would die with it.
    pub(crate) fn is_nearly_over(&self, now: Moment) -> bool {
        match (self.expires, self.granted) {
            (Some(expires), Some(granted)) => now.until(expires) < granted / 10,
            _ => false,
        }
    }

    /// Returns whether it has been in use for so short a time that a standby may not know it yet. The time that the
    /// login itself took does not count: where logins are slow, the questions that come after it would come too late.
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        self.in_use.is_some_and(|since| since.until(now) < STANDBY_LAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn facts(ttl: Option<u64>, renewable: bool) -> TokenFacts {
        TokenFacts {
            accessor: "a".into(),
            ttl: ttl.map(Duration::from_secs),
            renewable,
            batch: false,
            uses: None,
        }
    }

    #[test]
    fn a_renewable_token_is_renewed_at_half_life_and_followed_when_max_ttl_cuts_it() {
        let mut login = Login::new(facts(Some(1000), true), at(0), true);
        assert_eq!(login.next(0.5), Some((NextAction::Renew, at(500))));
        login.renewed(at(500), Granted { ttl: Duration::from_secs(200), renewable: true });
        assert_eq!(login.next(0.5), Some((NextAction::LogIn, at(600))));
    }

    #[test]
    fn a_look_up_that_tells_of_a_later_end_tells_of_a_renewal() {
        let mut login = Login::new(facts(Some(300), true), at(0), true);
        login.looked_up(at(229), facts(Some(214), true));
        assert_eq!(login.last_call(), Some(at(143 + 225)));
        // What is left of the same grant is none.
        login.looked_up(at(343), facts(Some(100), true));
        assert_eq!(login.last_call(), Some(at(143 + 225)));
        // A renewal may grant more than the login.
        login.renewed(at(350), Granted { ttl: Duration::from_secs(3600), renewable: true });
        login.looked_up(at(950), facts(Some(3000), true));
        assert_eq!(login.last_call(), Some(at(350 + 2700)));
    }

    #[test]
    fn a_token_that_cannot_be_renewed_is_followed_at_two_thirds_and_one_without_end_never() {
        assert_eq!(
            Login::new(facts(Some(900), false), at(0), true).next(0.5),
            Some((NextAction::LogIn, at(600)))
        );
        assert_eq!(Login::new(facts(None, false), at(0), true).next(0.5), None);
    }
}
