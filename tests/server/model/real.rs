//! The real server's side: OpenBao, asked by the client that Leasehold asks with.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leasehold::config::plan::{AuthMethod, Credential};
use leasehold::core::ids::LeaseId;
use leasehold::secret::Secret;
use leasehold::vault::client::Client;
use leasehold::vault::facts;
use leasehold_base::failure::Failure;
use leasehold_base::request::Request;
use serde_json::json;

use super::both::{Answer, Ask, CERTIFICATE, CERTIFICATE_LIFE, CREDENTIALS, Grants, Lease, Says, Token};
use super::pretended::{granted_says, read_says, token_says};
use crate::support::{OpenBao, Rabbit, Workspace, auth_plan, run, vault_plan, write_request};

/// Renewing a lease is in the default policy, which not every token has.
const POLICY: &str = r#"
path "secret/data/other" { capabilities = ["read"] }
path "rabbitmq/creds/*" { capabilities = ["read"] }
path "pki/issue/web" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"#;

pub(crate) struct Real {
    pub(crate) server: OpenBao,
    pub(crate) rabbit: Rabbit,
    space: Workspace,
    client: Client,
    secret_id: String,
    tokens: Vec<Secret>,
    leases: Vec<LeaseId>,
}

impl Real {
    pub(crate) fn new(grants: &Grants) -> Self {
        let (server, rabbit, space) = (OpenBao::start(), Rabbit::start(), Workspace::new());
        server.kv2("secret");
        server.put("secret", "web", json!({ "password": "old" }));
        let (ttl, max) = grants.lease;
        server.rabbit("rabbitmq", &rabbit, "app", Duration::from_secs(ttl), Duration::from_secs(max));
        server.pki("pki", "web", "1h");
        // As most have it: the certificate's own end is all that is told.
        server.write("pki/roles/web", json!({ "allow_any_name": true, "key_type": "ec", "key_bits": 256 }));
        let (role_id, secret_id) = server.approle("web", &["web"], "1h");
        server.write("auth/approle/role/web", role_fields(grants));
        let lockout = format!("{}s", grants.lockout.as_secs());
        let tuned = json!({ "user_lockout_config": {
            "lockout_threshold": "5", "lockout_duration": lockout, "lockout_counter_reset_duration": lockout,
        } });
        server.ask("POST", "sys/auth/approle/tune", Some(tuned)).ok();
        let client = client(&server, &space, &role_id);
        let real = Self { server, rabbit, space, client, secret_id, tokens: Vec::new(), leases: Vec::new() };
        real.write_credentials(true);
        real.write_policy(false);
        real
    }

    pub(crate) fn answer(&mut self, ask: Ask) -> Answer {
        self.tell(ask).map_err(|failure| failure.kind)
    }

    fn tell(&mut self, ask: Ask) -> Result<Says, Failure> {
        let client = &self.client;
        let secret = |token: Token| &self.tokens[token];
        match ask {
            Ask::LogIn => run(client.login()).map(|auth| {
                let says = token_says(&facts::token(&auth));
                self.tokens.push(auth.client_token);
                says
            }),
            Ask::Health => run(client.health()).map(|()| Says::Done),
            Ask::LookUp(token) => run(client.lookup_self(secret(token))).map(|facts| token_says(&facts)),
            Ask::RenewToken(token) => run(client.renew_self(secret(token))).map(granted_says),
            Ask::RevokeToken(token) => run(client.revoke_self(secret(token))).map(|()| Says::Done),
            Ask::Resolve(token, path) => {
                let request = Request::read(path).expect("a good path");
                // What it knows from before is not the server's answer.
                client.forget_mounts();
                run(client.resolve(&request, secret(token))).map(|resolved| Says::Path(resolved.path))
            }
            Ask::Read(token, path) => {
                let facts = facts::read(&run(client.read(&request(path), secret(token)))?, None);
                let says = read_says(&facts, wall());
                self.leases.extend(facts.lease.map(|lease| lease.id));
                Ok(says)
            }
            Ask::Renew(token, lease, seconds) => {
                let (lease, increment) = (self.lease(lease), Duration::from_secs(seconds));
                run(client.renew_lease(&lease, increment, secret(token))).map(granted_says)
            }
            Ask::RevokeLease(token, lease) => {
                run(client.revoke_lease(&self.lease(lease), secret(token))).map(|()| Says::Done)
            }
        }
    }

    pub(crate) fn token(&self, token: Token) -> &Secret {
        &self.tokens[token]
    }

    /// A lease; one of the engine that does not exist where there is none of this number.
    pub(crate) fn lease(&self, lease: Lease) -> LeaseId {
        self.leases.get(lease).cloned().unwrap_or_else(|| LeaseId(format!("{CREDENTIALS}/none")))
    }

    pub(crate) fn write_policy(&self, denied: bool) {
        let capability = if denied { "deny" } else { "read" };
        let kv = format!("path \"secret/data/web\" {{ capabilities = [\"{capability}\"] }}");
        self.server.policy("web", &format!("{POLICY}{kv}"));
    }

    pub(crate) fn write_credentials(&self, good: bool) {
        let secret_id = if good { &self.secret_id } else { "00000000-0000-0000-0000-000000000000" };
        self.space.file("secret_id", secret_id);
    }

    /// Allows one request an hour, and makes it.
    pub(crate) fn exhaust_quota(&self) {
        let quota = json!({ "rate": 1, "interval": "1h" });
        self.server.ask("POST", "sys/quotas/rate-limit/all", Some(quota)).ok();
        self.server.ask("GET", "sys/mounts", None).ok();
    }
}

fn client(server: &OpenBao, space: &Workspace, role_id: &str) -> Client {
    let vault = vault_plan(&server.address(), Some(server.ca_file()));
    let method = AuthMethod::AppRole {
        role_id: Credential::Given(Secret::from(role_id)),
        secret_id: Some(Credential::File(space.join("secret_id"))),
        wrapped_by: None,
    };
    Client::new(&vault, &auth_plan("approle", method)).expect("a client")
}

fn role_fields(grants: &Grants) -> serde_json::Value {
    let role = &grants.role;
    let seconds = |time: Option<Duration>| time.map_or(0, |time| time.as_secs());
    // A login without a longest life is a periodic one: it can be renewed for ever.
    let ttl = if role.max.is_some() { "token_ttl" } else { "token_period" };
    json!({
        ttl: seconds(role.ttl), "token_max_ttl": seconds(role.max),
        "token_type": if role.batch { "batch" } else { "service" },
        "token_no_default_policy": !role.default_policy,
        "token_num_uses": role.uses.unwrap_or(0),
    })
}

fn request(path: &str) -> Request {
    if path == CERTIFICATE {
        return write_request(path, &[("common_name", "web"), ("ttl", &format!("{CERTIFICATE_LIFE}s"))]);
    }
    Request::read(path).expect("a good path")
}

fn wall() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("far ahead")
}
