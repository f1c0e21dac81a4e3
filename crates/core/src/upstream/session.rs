//! The logins: the current one, those that end while their leases move, and the state of the next login. Where the
//! server locks accounts, refused logins stop before its limit.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::TokenId;
use crate::interface::snapshot::Refusals;
use crate::secrets::namespace;
use crate::tools::dice::pause;
use crate::upstream::login::Login;
use leasehold_base::failure::Failure;
use leasehold_base::time::Moment;

/// How many logins in a row may be refused where the server locks accounts. The servers' user lockout begins at five,
/// and another client may have used one. A person's request (HUP, `POST /refresh`) or other credentials grant one
/// more, once in [`AFTER_REFUSALS`]. The server counts by account and not by credentials: one try for each of these
/// would make the fifth, after which good credentials are refused, too, for a quarter of an hour.
pub(crate) const MOST_REFUSALS: u32 = 3;
/// The time from the last of these refusals to the next login. The servers reset their lockout counter after as long.
pub(crate) const AFTER_REFUSALS: Duration = Duration::from_secs(15 * 60);
/// The first pause after a refused login, and the longest one, where the server locks no account: what it refuses
/// today (a reviewer is away, a role is made later) it may grant in a moment.
const REFUSED_FIRST: Duration = Duration::from_secs(1);
const REFUSED_MOST: Duration = Duration::from_secs(60);
/// A login that had to be replaced sooner than this makes the next one wait longer.
const STEADY: Duration = Duration::from_secs(60);
/// The state of the next login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// No login is wanted.
    Quiet,
    /// A login is queued or under way.
    Asked,
    /// A login is wanted, and put off.
    Resting,
}

/// All logins.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) logins: BTreeMap<TokenId, Login>,
    /// The namespace of all logins, as far as it is known. It stays, since an answer may come after its login is
    /// forgotten.
    pub(crate) home: String,
    /// The login that requests are made with.
    pub(crate) current: Option<TokenId>,
    pub(crate) entry: Entry,
    /// Whether the login that is wanted replaces one that still lives.
    pub(crate) planned: bool,
    pub(crate) refusals: Option<Refusals>,
    /// An earlier run used up the credentials at hand.
    pub(crate) used_up: bool,
    /// Whether refused logins lock the account on the server.
    locks_out: bool,
    /// The credentials have changed since the last refusal, or a person asks: one more try, however many were
    /// refused.
    pardoned: bool,
    /// Until when a refused login is tried again at a start.
    pub(crate) patience: Option<Moment>,
    /// Since when logins have failed.
    pub(crate) failing: Option<Moment>,
    /// Since when there has been no login to make requests with.
    pub(crate) logged_out: Option<Moment>,
    /// The login under way is not wanted any more.
    pub(crate) forgone: bool,
    /// How many logins in a row failed for reasons other than these.
    pub(crate) tries: u32,
    /// How many times in a row the credentials were not found.
    pub(crate) unfound: u32,
    /// The last failure, until the next success.
    pub(crate) trouble: Option<Failure>,
    /// Logins alone are answered by a proxy, or told to wait: the server answers other requests.
    pub(crate) alone: bool,
    pub(crate) draws: u64,
    last: Option<Moment>,
    /// How many logins in a row did not last.
    restless: u32,
    count: u64,
    /// Logins up to this number come from an earlier run.
    adopted: u64,
}

impl Session {
    /// Makes a session without a login; `locks_out` if refused logins lock the account on the server.
    pub(crate) fn new(locks_out: bool) -> Self {
        Self {
            locks_out,
            patience: None,
            failing: None,
            logged_out: None,
            forgone: false,
            logins: BTreeMap::new(),
            home: String::new(),
            current: None,
            entry: Entry::Quiet,
            planned: false,
            refusals: None,
            used_up: false,
            pardoned: false,
            tries: 0,
            unfound: 0,
            trouble: None,
            alone: false,
            draws: 0,
            last: None,
            restless: 0,
            count: 0,
            adopted: 0,
        }
    }

    /// Records since when there has been no login, to be shown.
    pub(crate) fn note_presence(&mut self, now: Moment) {
        match self.current {
            Some(_) => self.logged_out = None,
            None => drop(self.logged_out.get_or_insert(now)),
        }
    }

    /// Adds a login.
    pub(crate) fn add(&mut self, id: TokenId, login: Login) {
        self.at_home_in(&login.accessor);
        self.logins.insert(id, login);
    }

    /// Records the namespace of a login with this accessor, which may be over.
    pub(crate) fn at_home_in(&mut self, accessor: &str) {
        namespace::of(accessor).clone_into(&mut self.home);
    }

    /// Returns a number that no login has had.
    pub(crate) fn next_id(&mut self) -> TokenId {
        self.count += 1;
        TokenId(self.count)
    }

    /// Records a login that an earlier run made: numbers up to its own are taken.
    pub(crate) fn taken(&mut self, id: TokenId) {
        self.count = self.count.max(id.0);
        self.adopted = self.count;
    }

    /// Returns whether this run made the login, which may be over.
    pub(crate) fn is_of_this_run(&self, id: TokenId) -> bool {
        id.0 > self.adopted
    }

    /// Returns the current login.
    pub(crate) fn login(&self) -> Option<&Login> {
        self.logins.get(&self.current?)
    }

    /// Returns when the login `id` ends; `None` if it does not end or is not known.
    pub(crate) fn expires(&self, id: TokenId) -> Option<Moment> {
        self.logins.get(&id)?.expires
    }

    /// Returns whether the login `id` is not known to be over.
    pub(crate) fn is_alive(&self, id: TokenId) -> bool {
        self.logins.contains_key(&id)
    }

    /// Returns the earliest moment for the next login. A planned login, which replaces one in time, may go at once. A
    /// login after one that died waits longer the more logins have died young.
    pub(crate) fn earliest(&self, now: Moment, planned: bool, draw: f64) -> Moment {
        let after_death = match (planned, self.last) {
            (false, Some(last)) if self.restless > 0 || last.until(now) < STEADY => {
                last.after(pause(self.restless + 1, Duration::from_secs(1), STEADY, draw))
            }
            _ => now,
        };
        self.after_refusals(draw).unwrap_or(now).max(after_death).max(now)
    }

    fn after_refusals(&self, draw: f64) -> Option<Moment> {
        let refusals = self.refusals.as_ref()?;
        let wait = match (self.locks_out, self.pardoned) {
            (true, true) => return None,
            // Longer rather than shorter: the server must have reset its own counter.
            (true, false) if refusals.count >= MOST_REFUSALS => {
                AFTER_REFUSALS + Duration::from_secs(30).mul_f64(draw)
            }
            (true, false) => REFUSED_FIRST * refusals.count.max(1),
            // However often a person asks, or a script that repeats the request.
            (false, true) => REFUSED_FIRST,
            (false, false) => pause(refusals.count, REFUSED_FIRST, REFUSED_MOST, draw),
        };
        Some(refusals.last.after(wait))
    }

    /// Records that a login was granted, either `planned` or because the one before it was over.
    pub(crate) fn granted(&mut self, now: Moment, planned: bool) {
        let lasted = self.last.is_none_or(|last| last.until(now) >= STEADY);
        self.restless = if planned || lasted { 0 } else { self.restless.saturating_add(1) };
        self.last = Some(now);
        self.entry = Entry::Quiet;
        self.refusals = None;
        self.pardoned = false;
        self.settled();
    }

    /// Records that nothing is wrong with logging in, as far as is known.
    pub(crate) fn settled(&mut self) {
        self.tries = 0;
        self.unfound = 0;
        (self.trouble, self.alone) = (None, false);
        self.failing = None;
        self.patience = None;
    }

    /// Records that a login failed, and why.
    pub(crate) fn failed(&mut self, now: Moment, failure: Failure) {
        self.failing.get_or_insert(now);
        self.trouble = Some(failure);
    }

    /// Records that a login was refused, and why. Returns how many were refused in a row.
    pub(crate) fn refused(&mut self, now: Moment, why: &str) -> u32 {
        // After this time the server has begun to count anew.
        let forgotten = |before: &Refusals| before.last.until(now) >= AFTER_REFUSALS;
        let count = match &self.refusals {
            Some(before) if !self.locks_out || !forgotten(before) => before.count.saturating_add(1),
            Some(before) if before.count >= MOST_REFUSALS => MOST_REFUSALS,
            _ => 1,
        };
        self.pardoned = false;
        self.refusals = Some(Refusals { count, last: now, why: why.to_owned(), pardoned: false });
        count
    }

    /// Returns the refused logins as the next run gets them.
    pub(crate) fn kept_refusals(&self) -> Option<Refusals> {
        self.refusals.clone().map(|refusals| Refusals { pardoned: self.pardoned, ..refusals })
    }

    /// Takes over the refused logins of an earlier run.
    pub(crate) fn adopt_refusals(&mut self, refusals: Option<Refusals>, now: Moment) {
        self.refusals = refusals;
        if self.refusals.as_ref().is_some_and(|refusals| refusals.pardoned) {
            self.pardon(now);
        }
        if let (false, Some(refusals)) = (self.locks_out, &mut self.refusals) {
            // The person who starts the agent again has fixed something, or expects that it is fixed.
            refusals.count = 1;
        }
    }

    /// Returns whether so many logins were refused that none is tried for a quarter of an hour. After that time the
    /// server has forgotten them, and a later run tries again.
    pub(crate) fn is_locked(&self, now: Moment) -> bool {
        let many = |refusals: &Refusals| {
            refusals.count >= MOST_REFUSALS && refusals.last.until(now) < AFTER_REFUSALS
        };
        self.locks_out && !self.pardoned && self.refusals.as_ref().is_some_and(many)
    }

    /// Returns whether a login without an answer may have been refused and counted, as those before it were.
    pub(crate) fn may_be_counted(&self) -> bool {
        self.locks_out && self.refusals.is_some()
    }

    /// Returns whether a refused login was tried for long enough at a start.
    pub(crate) fn is_out_of_patience(&self, now: Moment) -> bool {
        self.patience.is_some_and(|until| until <= now)
    }

    /// Grants one more try, but not a whole run of them, after new credentials or a person's request: the server
    /// counts by account, whatever the credentials. After four refusals, further requests have to wait.
    pub(crate) fn pardon(&mut self, now: Moment) {
        let many = |refusals: &Refusals| {
            self.locks_out && refusals.count > MOST_REFUSALS && refusals.last.until(now) < AFTER_REFUSALS
        };
        self.pardoned = self.refusals.as_ref().is_some_and(|refusals| !many(refusals));
        self.tries = 0;
        self.unfound = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn three_refusals_in_a_row_stop_logins_for_a_quarter_of_an_hour_where_accounts_are_locked() {
        let mut session = Session::new(true);
        assert_eq!(session.earliest(at(100), true, 0.0), at(100));
        assert_eq!(session.refused(at(100), ""), 1);
        assert_eq!(session.earliest(at(100), true, 0.0), at(101));
        session.refused(at(101), "");
        assert_eq!(session.earliest(at(101), true, 0.0), at(103));
        assert!(!session.is_locked(at(101)));
        assert_eq!(session.refused(at(103), ""), 3);
        assert!(session.is_locked(at(103)));
        assert!(!session.is_locked(at(103 + 900)), "a run that begins so much later tries it");
        assert_eq!(session.earliest(at(200), true, 0.0), at(103 + 900));
        session.pardon(at(210));
        assert_eq!(session.earliest(at(210), true, 0.0), at(210), "new credentials are tried");
        session.refused(at(210), "");
        assert!(session.is_locked(at(211)), "once, not three times");
        session.pardon(at(220));
        assert!(session.is_locked(at(220)), "the server would lock us out at five");
        session.pardon(at(210 + 900));
        assert_eq!(session.earliest(at(210 + 900), true, 0.0), at(210 + 900), "it has forgotten by now");
    }

    #[test]
    fn refused_logins_go_on_once_a_minute_where_no_account_is_locked() {
        let mut session = Session::new(false);
        let (mut now, mut pauses) = (at(100), Vec::new());
        for _ in 0..10 {
            session.refused(now, "");
            let next = session.earliest(now, true, 1.0);
            pauses.push(now.until(next).as_secs());
            now = next;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert!(!session.is_locked(now));
        for _ in 0..9 {
            session.refused(now, "");
            session.pardon(now);
            assert_eq!(session.earliest(now, true, 1.0), now.after(Duration::from_secs(1)), "whoever asks");
        }
        session.adopt_refusals(session.kept_refusals(), now);
        assert_eq!(session.earliest(now, true, 1.0), now.after(Duration::from_secs(1)), "and at a start");
    }

    #[test]
    fn logins_that_keep_dying_young_are_followed_less_and_less_often() {
        let mut session = Session::new(false);
        let mut now = at(0);
        for _ in 0..20 {
            session.granted(now, false);
            now = session.earliest(now, false, 1.0);
        }
        let next = session.earliest(now, false, 1.0);
        session.granted(next, false);
        assert_eq!(next.until(session.earliest(next, false, 1.0)), STEADY);
        assert_eq!(session.earliest(next, true, 1.0), next, "one that is planned need not wait");
    }
}
