//! One script on two servers: everything is asked of the real one and of the model, at the same time on
//! the model's clock, and must be answered alike.

use std::cell::Cell;
use std::time::{Duration, Instant};

use leasehold_base::failure::FailureKind;
use serde_json::json;

use super::pretended::Pretended;
use super::real::Real;
use crate::support::wait_until;
use leasehold_testkit::sim::server::Health;
use leasehold_testkit::sim::setup::Role;

/// The nth token that a login brought, from 0.
pub(crate) type Token = usize;
/// The nth lease that a read brought, from 0; [`NEVER`] is none of them.
pub(crate) type Lease = usize;
/// A lease that no server has made.
pub(crate) const NEVER: Lease = usize::MAX;

pub(crate) const KV: &str = "secret/data/web";
pub(crate) const CREDENTIALS: &str = "rabbitmq/creds/app";
pub(crate) const CERTIFICATE: &str = "pki/issue/web";
/// How long certificates of [`CERTIFICATE`] live, in seconds.
pub(crate) const CERTIFICATE_LIFE: u64 = 3600;

/// A machine where every core is busy with another test may be this late.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask {
    LogIn,
    Health,
    LookUp(Token),
    RenewToken(Token),
    RevokeToken(Token),
    Resolve(Token, &'static str),
    Read(Token, &'static str),
    /// For so many seconds from now.
    Renew(Token, Lease, u64),
    RevokeLease(Token, Lease),
}

/// What a success says; times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Says {
    Done,
    Token {
        ttl: Option<u64>,
        renewable: bool,
        batch: bool,
        uses: Option<u64>,
    },
    Granted {
        ttl: u64,
        renewable: bool,
    },
    Path(String),
    Version(u64),
    Lease {
        ttl: u64,
        renewable: bool,
    },
    /// Its end, in so many seconds.
    Ends(u64),
}

/// What is answered: the status as the core gets to know it.
pub(crate) type Answer = Result<Says, FailureKind>;

/// A token that was just granted so many seconds.
pub(crate) fn token(ttl: u64) -> Answer {
    Ok(Says::Token { ttl: Some(ttl), renewable: true, batch: false, uses: None })
}

/// A renewal for so many seconds.
pub(crate) fn granted(ttl: u64) -> Answer {
    Ok(Says::Granted { ttl, renewable: true })
}

/// A new lease of so many seconds.
pub(crate) fn lease(ttl: u64) -> Answer {
    Ok(Says::Lease { ttl, renewable: true })
}

/// What both servers grant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grants {
    pub(crate) role: Role,
    /// The first life of a lease, and the longest, in seconds.
    pub(crate) lease: (u64, u64),
    /// How long a login is locked out, and how long refusals are remembered.
    pub(crate) lockout: Duration,
}

impl Grants {
    /// Tokens of so many seconds, at most so many in all; leases of a minute, ten at most.
    pub(crate) fn tokens(ttl: u64, max: u64) -> Self {
        let role = Role {
            ttl: Some(Duration::from_secs(ttl)),
            max: Some(Duration::from_secs(max)),
            renewable: true,
            batch: false,
            default_policy: true,
            uses: None,
        };
        Self { role, lease: (60, 600), lockout: Duration::from_secs(900) }
    }
}

/// The two servers.
pub(crate) struct Both {
    pub(crate) real: Real,
    pub(crate) model: Pretended,
    began: Instant,
    /// How long the script meant to wait so far. All other time is the machine's.
    meant: Cell<Duration>,
}

impl Both {
    pub(crate) fn new(grants: Grants) -> Self {
        let (real, model) = (Real::new(&grants), Pretended::new(&grants));
        Self { real, model, began: Instant::now(), meant: Cell::default() }
    }

    /// Asks both, and panics where one does not answer as expected.
    #[track_caller]
    pub(crate) fn ask(&mut self, ask: Ask, expected: &Answer) {
        let at = self.began.elapsed();
        let real = self.real.answer(ask);
        // Whole seconds are told, and a busy machine takes its time.
        let slack = 1 + (self.began.elapsed() - at).as_secs();
        let model = self.model.answer(ask, at);
        assert!(alike(&real, &model, slack), "{ask:?}: OpenBao answers {real:?}, the model {model:?}");
        // A script names lives as they are where no question takes time: every second that a busy machine
        // took since the beginning may be missing from them. The model has aged by the same seconds. Two more are those
        // that the server leaves out: what is told is cut to whole seconds, and so is the moment at which a batch token
        // was made.
        let slack = 2 + (self.began.elapsed() - self.meant.get()).as_secs();
        assert!(alike(&real, expected, slack), "{ask:?}: both answer {real:?}, expected was {expected:?}");
    }

    /// Asks both, who must refuse.
    #[track_caller]
    pub(crate) fn refused(&mut self, ask: Ask, kind: FailureKind) {
        self.ask(ask, &Err(kind));
    }

    /// Lets time pass: lives end by the server's clock, which nobody else can move.
    pub(crate) fn pass(&self, seconds: u64) {
        let lasts = Duration::from_secs(seconds);
        let until = self.began.elapsed() + lasts;
        self.meant.set(self.meant.get() + lasts);
        wait_until("time to pass", until + PATIENCE, || self.began.elapsed() >= until);
    }

    /// Waits until the engine has so many users: what dies with a token dies a moment after it.
    pub(crate) fn settled(&self, users: usize) {
        wait_until("the engine's users to be gone", PATIENCE, || self.real.rabbit.users().len() == users);
    }

    /// Somebody else revokes a token.
    pub(crate) fn revoke_behind(&mut self, token: Token) {
        let body = json!({ "token": self.real.token(token).expose_str() });
        self.real.server.write("auth/token/revoke", body);
        self.model.server.kill(self.model.token(token));
    }

    /// Somebody else revokes a lease.
    pub(crate) fn revoke_lease_behind(&mut self, lease: Lease) {
        let id = self.real.lease(lease).0;
        self.real.server.ask("PUT", "sys/leases/revoke", Some(json!({ "lease_id": id, "sync": true }))).ok();
        let (id, at) = (self.model.lease(lease), self.model.time(self.began.elapsed()));
        self.model.server.leases.get_mut(&id).expect("it was made").revoked = Some(at);
    }

    /// The policy denies [`KV`], or does so no longer.
    pub(crate) fn deny(&mut self, denied: bool) {
        self.real.write_policy(denied);
        self.model.path(KV).denied = denied;
    }

    /// Writes a new version of [`KV`].
    pub(crate) fn put(&mut self) {
        self.real.server.put("secret", "web", json!({ "password": "new" }));
        self.model.path(KV).version += 1;
    }

    /// Deletes, restores or destroys the newest version of [`KV`].
    pub(crate) fn change(&mut self, verb: &str) {
        let versions = json!({ "versions": [self.model.path(KV).version] });
        self.real.server.ask("PUT", &format!("secret/{verb}/web"), Some(versions)).ok();
        self.model.path(KV).missing = verb != "undelete";
    }

    pub(crate) fn seal(&mut self) {
        self.real.server.seal();
        self.model.server.health = Health::Sealed;
    }

    pub(crate) fn unseal(&mut self) {
        self.real.server.unseal();
        self.model.server.health = Health::Good;
    }

    /// The next logins bring credentials that are refused, or good ones again.
    pub(crate) fn credentials(&mut self, good: bool) {
        self.real.write_credentials(good);
        self.model.server.refuses_logins = !good;
    }

    /// From here on there are too many requests for an hour.
    pub(crate) fn exhaust_quota(&mut self) {
        self.real.exhaust_quota();
        self.model.server.health = Health::Busy(None);
    }
}

/// Whether two answers say the same, with times not further apart than `slack` seconds.
fn alike(one: &Answer, other: &Answer, slack: u64) -> bool {
    let near = |one: u64, other: u64| one.abs_diff(other) <= slack;
    match (one, other) {
        (Ok(one), Ok(other)) => match (one, other) {
            (
                Says::Token { ttl: Some(ttl), renewable, batch, uses },
                Says::Token { ttl: Some(other), renewable: r, batch: b, uses: u },
            ) => near(*ttl, *other) && (renewable, batch, uses) == (r, b, u),
            (Says::Granted { ttl, renewable }, Says::Granted { ttl: other, renewable: r })
            | (Says::Lease { ttl, renewable }, Says::Lease { ttl: other, renewable: r }) => {
                near(*ttl, *other) && renewable == r
            }
            (Says::Ends(one), Says::Ends(other)) => near(*one, *other),
            _ => one == other,
        },
        _ => one == other,
    }
}
