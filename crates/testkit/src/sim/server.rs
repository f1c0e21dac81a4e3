//! The model server: tokens and the leases that die with them, TTL and max_ttl, policies, lockout, quota, standby lag,
//! seal, versions of KV. It does what OpenBao does, as far as the core can notice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_core::event::{Granted, LeaseFacts, Life, ReadFacts, TokenFacts};
use leasehold_core::ids::LeaseId;

pub use super::holdings::{Lease, Path, Token, Value};
use super::setup::{Kind, Role, Setup};

/// The health of the server as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Good,
    /// The server answers 503.
    Sealed,
    /// Connections are refused.
    Down,
    /// Connections are accepted, and no answer comes.
    Hanging,
    /// The server answers 429, with or without a time for the next try.
    Busy(Option<Duration>),
}

#[derive(Debug)]
pub struct Server {
    pub health: Health,
    pub role: Role,
    pub refuses_logins: bool,
    /// Something in front of the server denies everything, in the words of the server.
    pub denies_all: bool,
    /// Renewals of tokens fail.
    pub renews_no_tokens: bool,
    /// Whether refused logins lock the account.
    pub locks_out: bool,
    /// Another client unwraps what a login is granted.
    pub wrapping_stolen: bool,
    /// Renewals of leases are answered "lease not found".
    pub forgets_leases: bool,
    /// The KV engine is of version 1 for a while.
    pub kv1: bool,
    pub tokens: BTreeMap<u64, Token>,
    pub leases: BTreeMap<LeaseId, Lease>,
    /// The leases that may still be alive.
    recent: Vec<LeaseId>,
    pub paths: BTreeMap<String, Path>,
    pub standby_lag: Duration,
    pub logins: u64,
    /// When logins were refused since one was granted. The lockout counts these.
    pub refused: Vec<Duration>,
    /// How long a refusal is remembered, and how long the lockout lasts.
    pub lockout: Duration,
    /// When a login was last not granted, for whatever reason.
    pub turned_away: Option<Duration>,
    count: u64,
}

/// Where the KV engine is mounted.
pub const KV_MOUNT: &str = "secret/";

/// Where the paths of another namespace begin.
pub const ELSEWHERE: &str = "team/";

/// The beginning of the paths that make orphan tokens, which outlive the token that made them.
pub const ORPHAN: &str = "auth/token/create-orphan/";

/// The [`Server::lockout`] of the real servers.
const LOCKOUT: Duration = Duration::from_secs(15 * 60);

type Answer<T> = Result<T, Failure>;

fn fail<T>(kind: FailureKind, why: &str) -> Answer<T> {
    Err(Failure::new(kind, why))
}

impl Server {
    pub fn new(setup: &Setup) -> Self {
        let path = |kind: Kind| Path {
            kind,
            denied: false,
            missing: false,
            broken: None,
            bad: false,
            version: 1,
            changed: Duration::ZERO,
            rotated: Duration::ZERO,
            late: setup.late,
        };
        Self {
            health: Health::Good,
            role: setup.role,
            refuses_logins: false,
            denies_all: false,
            renews_no_tokens: false,
            locks_out: setup.locks_out,
            wrapping_stolen: false,
            forgets_leases: false,
            kv1: false,
            tokens: BTreeMap::new(),
            leases: BTreeMap::new(),
            recent: Vec::new(),
            paths: setup.paths.iter().map(|(name, kind)| (name.clone(), path(*kind))).collect(),
            standby_lag: setup.standby_lag,
            logins: 0,
            refused: Vec::new(),
            lockout: LOCKOUT,
            turned_away: None,
            count: 0,
        }
    }

    /// Returns the failure of the server as a whole, if it has one.
    pub fn up(&self) -> Answer<()> {
        match self.health {
            Health::Good => Ok(()),
            Health::Sealed => fail(FailureKind::Unavailable, "Vault is sealed"),
            Health::Down => fail(FailureKind::Unreachable, "connection refused"),
            Health::Hanging => fail(FailureKind::Unheard, "timed out"),
            Health::Busy(wait) => fail(FailureKind::Overloaded(wait), "too many requests"),
        }
    }

    /// Answers a probe of the server's health, which does not count against a quota.
    pub fn probe(&self) -> Answer<()> {
        if matches!(self.health, Health::Busy(_)) { Ok(()) } else { self.up() }
    }

    pub fn is_token_alive(&self, id: u64, now: Duration) -> bool {
        self.tokens.get(&id).is_some_and(|token| !token.revoked && token.expires.is_none_or(|end| end > now))
    }

    pub fn is_lease_alive(&self, id: &LeaseId, now: Duration) -> bool {
        self.leases.get(id).is_some_and(|lease| {
            let token = lease.elsewhere || self.is_token_alive(lease.token, now);
            lease.revoked.is_none() && lease.expires > now && token
        })
    }

    /// Returns whether the lease is alive and the client can know it. A client counts from the sending of a request,
    /// and the server returns whole seconds.
    pub fn is_lease_known(&self, id: &LeaseId, now: Duration) -> bool {
        self.is_lease_alive(id, now)
            && self.leases.get(id).is_some_and(|lease| {
                let token = self.tokens.get(&lease.token).filter(|_| !lease.elsewhere);
                let token = token.and_then(|token| token.seen);
                lease.seen > now && token.is_none_or(|seen| seen > now)
            })
    }

    /// Returns the leases that are alive.
    pub fn living(&mut self, now: Duration) -> impl Iterator<Item = &Lease> {
        let mut recent = std::mem::take(&mut self.recent);
        recent.retain(|id| self.is_lease_alive(id, now));
        self.recent = recent;
        self.recent.iter().map(|id| &self.leases[id])
    }

    /// Returns when the lease ended, or will end by itself: on its own, or with its token.
    pub fn lease_end(&self, id: &LeaseId) -> Option<Duration> {
        self.leases.get(id).map(|lease| self.end_of(lease))
    }

    /// Returns the same as [`Server::lease_end`], for a lease of the server.
    pub fn end_of(&self, lease: &Lease) -> Duration {
        let token = self.tokens.get(&lease.token).filter(|_| !lease.elsewhere);
        let token = token.and_then(|token| token.expires);
        token.map_or(lease.expires, |end| end.min(lease.expires))
    }

    pub fn login(&mut self, now: Duration) -> Answer<(u64, TokenFacts)> {
        if let Err(failure) = self.up() {
            let unheard = failure.kind == FailureKind::Unheard;
            self.turned_away = if unheard { Some(now) } else { self.turned_away };
            return Err(failure);
        }
        self.logins += 1;
        let result = self.grant(now);
        if result.is_err() {
            self.turned_away = Some(now);
        }
        result
    }

    fn grant(&mut self, now: Duration) -> Answer<(u64, TokenFacts)> {
        if self.denies_all {
            return fail(FailureKind::Refused, "permission denied");
        }
        if self.is_locked_out(now) {
            return fail(FailureKind::Refused, "permission denied");
        }
        if self.refuses_logins {
            if !self.remembers_refusals(now) {
                self.refused.clear();
            }
            self.refused.push(now);
            return fail(FailureKind::Refused, "invalid role");
        }
        self.refused.clear();
        self.count += 1;
        let role = self.role;
        let ttl = role.ttl;
        let token = Token {
            created: now,
            expires: ttl.map(|ttl| now + ttl),
            last: role.max.map(|max| now + max),
            revoked: false,
            seen: ttl.map(|ttl| now + ttl),
            role,
            uses: role.uses,
        };
        self.tokens.insert(self.count, token);
        if self.wrapping_stolen {
            return fail(FailureKind::Refused, "wrapping token is not valid or does not exist");
        }
        Ok((self.count, self.facts(self.count, now)))
    }

    /// Returns whether the account is locked. Five refusals lock it, if each comes less than a quarter of an hour after
    /// the one before. The account then stays locked for the same time, whatever credentials a login brings. Logins to
    /// a locked account do not count.
    fn is_locked_out(&self, now: Duration) -> bool {
        self.locks_out && self.refused.len() >= 5 && self.remembers_refusals(now)
    }

    fn remembers_refusals(&self, now: Duration) -> bool {
        self.refused.last().is_some_and(|last| *last + self.lockout > now)
    }

    fn facts(&self, id: u64, now: Duration) -> TokenFacts {
        let token = &self.tokens[&id];
        TokenFacts {
            accessor: if token.role.batch { String::new() } else { format!("accessor-{id}") },
            ttl: token.expires.map(|end| whole(end.saturating_sub(now))),
            renewable: token.role.renewable,
            batch: token.role.batch,
            uses: token.uses,
        }
    }

    /// Checks the token as every request does.
    fn check(&mut self, id: u64, now: Duration, standby: bool) -> Answer<()> {
        self.up()?;
        if self.denies_all || !self.is_token_alive(id, now) {
            return fail(FailureKind::Denied, "permission denied");
        }
        if standby && now < self.tokens[&id].created + self.standby_lag {
            return fail(FailureKind::Denied, "permission denied");
        }
        Ok(())
    }

    /// Checks the token, and counts its use as most requests do.
    fn enter(&mut self, id: u64, now: Duration, standby: bool) -> Answer<()> {
        self.check(id, now, standby)?;
        let token = self.tokens.get_mut(&id).expect("it is alive");
        if let Some(uses) = &mut token.uses {
            *uses -= 1;
            if *uses == 0 {
                token.revoked = true;
            }
        }
        Ok(())
    }

    fn may_on_itself(&self, id: u64) -> Answer<()> {
        if self.tokens[&id].role.default_policy {
            return Ok(());
        }
        fail(FailureKind::Denied, "permission denied")
    }

    pub fn look_up(&mut self, id: u64, now: Duration, standby: bool) -> Answer<TokenFacts> {
        self.enter(id, now, standby)?;
        self.may_on_itself(id)?;
        Ok(self.facts(id, now))
    }

    pub fn renew_token(&mut self, id: u64, now: Duration) -> Answer<Granted> {
        self.enter(id, now, false)?;
        self.may_on_itself(id)?;
        let token = self.tokens.get_mut(&id).expect("it is alive");
        if self.renews_no_tokens {
            return fail(FailureKind::Fault, "client identity during renewal not matching");
        }
        let Some(ttl) = token.role.ttl.filter(|_| token.role.renewable) else {
            return fail(FailureKind::Rejected, "the token is not renewable");
        };
        let left = token.last.map_or(ttl, |last| ttl.min(last.saturating_sub(now)));
        token.expires = Some(now + left);
        Ok(Granted { ttl: whole(left), renewable: true })
    }

    pub fn revoke_token(&mut self, id: u64, now: Duration) -> Answer<()> {
        self.enter(id, now, false)?;
        self.may_on_itself(id)?;
        self.kill(id);
        for lease in self.leases.values_mut().filter(|lease| lease.token == id && !lease.elsewhere) {
            lease.given_back = true;
        }
        Ok(())
    }

    /// Forgets which leases of this token the client has given back, because the client could not know that in time.
    pub fn forgive(&mut self, id: u64) {
        self.leases.values_mut().filter(|lease| lease.token == id).for_each(|lease| lease.given_back = false);
    }

    /// Wraps the token under another one.
    pub fn wrap(&mut self, id: u64, now: Duration, standby: bool) -> Answer<()> {
        self.enter(id, now, standby)
    }

    /// Revokes the token, whatever client asks for it.
    pub fn kill(&mut self, id: u64) {
        if let Some(token) = self.tokens.get_mut(&id) {
            token.revoked = true;
        }
    }

    /// Returns the version of the KV mount. This question costs no use of the token. A token that the server does not
    /// accept gets no version.
    pub fn version_of_kv(&mut self, token: u64, now: Duration, standby: bool) -> Answer<Option<u64>> {
        self.up()?;
        Ok(self.check(token, now, standby).is_ok().then_some(if self.kv1 { 1 } else { 2 }))
    }

    /// Returns what is kept under this path, in whatever version of the KV engine.
    pub fn entry(&self, path: &str) -> Option<&Path> {
        self.paths.get(self.place(path).as_ref())
    }

    /// Returns the name of what is kept under this path.
    fn place<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match path.strip_prefix(KV_MOUNT) {
            Some(rest) if !rest.starts_with("data/") => format!("{KV_MOUNT}data/{rest}").into(),
            _ => path.into(),
        }
    }

    /// Returns whether the KV mount, as it is now, has nothing under a path of this form.
    fn is_misplaced(&self, path: &str) -> bool {
        path.strip_prefix(KV_MOUNT).is_some_and(|rest| rest.starts_with("data/") == self.kv1)
    }

    pub fn read(
        &mut self,
        token: u64,
        path: &str,
        at: (Duration, i64),
        standby: bool,
    ) -> Answer<(ReadFacts, Value)> {
        let (now, wall) = at;
        self.enter(token, now, standby)?;
        let last_use = !self.is_token_alive(token, now);
        if self.is_misplaced(path) {
            return fail(FailureKind::Missing, "nothing is there");
        }
        let (place, unversioned) = (self.place(path).into_owned(), self.kv1);
        let Some(entry) = self.paths.get_mut(&place) else {
            return fail(FailureKind::Missing, "nothing is there");
        };
        if entry.denied {
            return fail(FailureKind::Denied, "permission denied");
        }
        if entry.missing {
            return fail(FailureKind::Missing, "nothing is there");
        }
        if let Some(kind) = entry.broken {
            return fail(kind, "the database is down");
        }
        let mut facts = ReadFacts {
            lease: None,
            life: Life::Unknown,
            version: None,
            version_id: None,
            changed: false,
            rotated: false,
        };
        match entry.kind {
            Kind::Kv => facts.version = (!unversioned).then_some(entry.version),
            Kind::Dynamic { .. } if last_use => {
                return fail(FailureKind::Rejected, "the token had one use left: the lease was revoked");
            }
            Kind::Dynamic { ttl, max, renewable } => {
                let lease = self.mint(token, path, now, (ttl, max, renewable));
                facts.lease = Some(lease);
            }
            Kind::Static { .. } => facts.life = Life::RotatesIn(whole(entry.at(now).2)),
            Kind::Certificate { life } => {
                self.count += 1;
                entry.version = self.count;
                facts.life = Life::Until(wall + i64::try_from(life.as_secs()).expect("small"));
            }
        }
        let (version, bad) = (self.paths[&place].at(now).0, self.paths[&place].bad);
        let lease = facts.lease.as_ref().map(|lease| lease.id.clone());
        Ok((facts, Value { version, lease, bad }))
    }

    fn mint(
        &mut self,
        token: u64,
        path: &str,
        now: Duration,
        (ttl, max, renewable): (Duration, Duration, bool),
    ) -> LeaseFacts {
        self.count += 1;
        let end = if path.starts_with(ELSEWHERE) { ".team" } else { "" };
        let elsewhere = path.starts_with(ELSEWHERE) || path.starts_with(ORPHAN);
        let id = LeaseId(format!("{path}/{}{end}", self.count));
        let ttl = self.cut(token, ttl, now).min(max);
        let lease = Lease {
            path: path.to_owned(),
            token,
            minted: now,
            asked: now,
            expires: now + ttl,
            last: now + max,
            ttl,
            renewable,
            revoked: None,
            known: false,
            seen: now,
            elsewhere,
            given_back: false,
        };
        self.leases.insert(id.clone(), lease);
        self.recent.push(id.clone());
        LeaseFacts { id, ttl: whole(ttl), renewable, orphan: path.starts_with(ORPHAN) }
    }

    /// Cuts a lease under a batch token to what is left of the token. A lease under a service token is not cut.
    fn cut(&self, token: u64, ttl: Duration, now: Duration) -> Duration {
        let made_by = &self.tokens[&token];
        match made_by.expires.filter(|_| made_by.role.batch) {
            Some(end) => ttl.min(end.saturating_sub(now)),
            None => ttl,
        }
    }

    pub fn renew(&mut self, token: u64, id: &LeaseId, increment: Duration, now: Duration) -> Answer<Granted> {
        self.enter(token, now, false)?;
        if !self.is_lease_alive(id, now) || self.forgets_leases {
            return fail(FailureKind::Rejected, "lease not found");
        }
        let path = self.leases[id].path.clone();
        if let Some(kind) = self.paths[&path].broken {
            return fail(kind, "the database is down");
        }
        let increment = self.cut(self.leases[id].token, increment, now);
        let lease = self.leases.get_mut(id).expect("it is alive");
        if !lease.renewable {
            return fail(FailureKind::Rejected, "lease is not renewable");
        }
        let end = (now + increment).min(lease.last);
        lease.expires = end.max(now);
        lease.asked = now;
        Ok(Granted { ttl: whole(lease.expires - now), renewable: true })
    }

    pub fn revoke_lease(&mut self, token: u64, id: &LeaseId, now: Duration) -> Answer<()> {
        self.enter(token, now, false)?;
        // One that is gone already, or never was, is as good as revoked.
        if let Some(lease) = self.leases.get_mut(id) {
            lease.revoked.get_or_insert(now);
            lease.given_back = true;
        }
        Ok(())
    }
}

/// Returns the whole seconds of a TTL, as the API does.
fn whole(ttl: Duration) -> Duration {
    Duration::from_secs(ttl.as_secs())
}
