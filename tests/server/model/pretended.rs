//! The model's side.

use std::time::Duration;

use leasehold::core::event::{Granted, Life, ReadFacts, TokenFacts};
use leasehold::core::ids::LeaseId;

use super::both::{
    Answer, Ask, CERTIFICATE, CERTIFICATE_LIFE, CREDENTIALS, Grants, KV, Lease, NEVER, Says, Token,
};
use leasehold_testkit::sim::network::form_of;
use leasehold_testkit::sim::server::{Path, Server};
use leasehold_testkit::sim::setup::{Kind, Setup};

/// The model's clock when the script begins, and its wall clock then.
const BEGIN: Duration = Duration::from_secs(1000);
const WALL: i64 = 1_800_000_000;

pub(crate) struct Pretended {
    pub(crate) server: Server,
    tokens: Vec<u64>,
    leases: Vec<LeaseId>,
}

impl Pretended {
    pub(crate) fn new(grants: &Grants) -> Self {
        let (ttl, max) = grants.lease;
        let (ttl, max) = (Duration::from_secs(ttl), Duration::from_secs(max));
        let mut setup = Setup::plain(KV, Kind::Kv);
        setup.role = grants.role;
        setup.paths.push((CREDENTIALS.to_owned(), Kind::Dynamic { ttl, max, renewable: true }));
        let life = Duration::from_secs(CERTIFICATE_LIFE);
        setup.paths.push((CERTIFICATE.to_owned(), Kind::Certificate { life }));
        let mut server = Server::new(&setup);
        (server.lockout, server.locks_out) = (grants.lockout, true);
        Self { server, tokens: Vec::new(), leases: Vec::new() }
    }

    /// The answer at so long after the beginning.
    pub(crate) fn answer(&mut self, ask: Ask, at: Duration) -> Answer {
        let now = self.time(at);
        let server = &mut self.server;
        let id = |token: Token| self.tokens[token];
        let lease = |lease: Lease| self.leases.get(lease).cloned().unwrap_or(LeaseId("none".to_owned()));
        match ask {
            Ask::LogIn => server.login(now).map(|(id, facts)| {
                self.tokens.push(id);
                token_says(&facts)
            }),
            Ask::Health => server.probe().map(|()| Says::Done),
            Ask::LookUp(token) => server.look_up(id(token), now, false).map(|facts| token_says(&facts)),
            Ask::RenewToken(token) => server.renew_token(id(token), now).map(granted_says),
            Ask::RevokeToken(token) => server.revoke_token(id(token), now).map(|()| Says::Done),
            Ask::Resolve(token, path) => {
                let told = server.version_of_kv(id(token), now, false);
                told.map(|version| Says::Path(form_of(path, version)))
            }
            Ask::Read(token, path) => {
                let wall = WALL + i64::try_from(at.as_secs()).expect("a test is short");
                server.read(id(token), path, (now, wall), false).map(|(facts, _)| {
                    self.leases.extend(facts.lease.as_ref().map(|lease| lease.id.clone()));
                    read_says(&facts, wall)
                })
            }
            Ask::Renew(token, of, seconds) => {
                server.renew(id(token), &lease(of), Duration::from_secs(seconds), now).map(granted_says)
            }
            Ask::RevokeLease(token, of) => {
                server.revoke_lease(id(token), &lease(of), now).map(|()| Says::Done)
            }
        }
        .map_err(|failure| failure.kind)
    }

    /// The model's clock at so long after the beginning.
    pub(crate) fn time(&self, at: Duration) -> Duration {
        BEGIN + at
    }

    pub(crate) fn token(&self, token: Token) -> u64 {
        self.tokens[token]
    }

    pub(crate) fn lease(&self, lease: Lease) -> LeaseId {
        assert_ne!(lease, NEVER, "it was never made");
        self.leases[lease].clone()
    }

    pub(crate) fn path(&mut self, path: &str) -> &mut Path {
        self.server.paths.get_mut(path).expect("it is one of the script's")
    }
}

/// What the facts of a token say.
pub(crate) fn token_says(facts: &TokenFacts) -> Says {
    let ttl = facts.ttl.map(|ttl| ttl.as_secs());
    Says::Token { ttl, renewable: facts.renewable, batch: facts.batch, uses: facts.uses }
}

/// What a renewal says.
pub(crate) fn granted_says(granted: Granted) -> Says {
    Says::Granted { ttl: granted.ttl.as_secs(), renewable: granted.renewable }
}

/// What a read says, at this time of the wall clock.
pub(crate) fn read_says(facts: &ReadFacts, wall: i64) -> Says {
    match (&facts.lease, facts.life, facts.version) {
        (Some(lease), ..) => Says::Lease { ttl: lease.ttl.as_secs(), renewable: lease.renewable },
        (None, Life::Until(end), _) => Says::Ends(u64::try_from(end - wall).expect("it has not ended")),
        (None, _, Some(version)) => Says::Version(version),
        (None, ..) => Says::Done,
    }
}
