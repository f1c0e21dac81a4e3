//! The questions to the server, one method for each kind.
//!
//! The token comes with each question and is never kept: old and new logins live side by side while leases move.
//! Nothing here retries; the core does.

use std::path::PathBuf;
use std::time::Duration;

use rustify::endpoint::Endpoint;
use vaultrs::api::sys::requests::ReadHealthRequest;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RevokeTokenSelfRequest};

use super::child;
use super::endpoint::Raw;
use super::facts;
use super::files::is_token;
use super::login::{self, Attempt, Post, claims};
use super::message::{self, Unspoken};
use super::meter::{self, Operation, Tally};
use super::mounts::{self, Mount, Mounts};
use super::prove::Cloud;
use super::transport::{Call, Transport};
use super::unwrap::Unwrapped;
use super::verdict::{self, Asked};
use super::wrap;
use crate::settings::{AuthMethod, AuthPlan, VaultPlan};
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind, NOTHING};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::{Auth, Response};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_core::event::{Granted, TokenFacts};
use leasehold_core::ids::LeaseId;

/// The arguments of a write that may be repeated in a refusal: names and times that policies and roles bind.
const PLAIN_ARGS: [&str; 8] =
    ["common_name", "alt_names", "ip_sans", "uri_sans", "ttl", "role", "role_name", "format"];

/// The server, over connections that follow their files.
pub struct Client {
    transport: Transport,
    /// The namespace of the secrets and their leases.
    namespace: Option<String>,
    pub(super) auth: AuthPlan,
    mounts: Mounts,
    /// The secret id that a wrapping token held.
    pub(super) unwrapped: Unwrapped,
    /// The cloud whose identity logs in, if the login uses one.
    pub(super) cloud: Cloud,
}

impl Client {
    /// Makes a client that logs in by `auth`. Reads the TLS files, and connects to nothing yet.
    ///
    /// # Errors
    /// [`FailureKind::Local`] names the file that cannot be used.
    pub fn new(vault: &VaultPlan, auth: &AuthPlan) -> Result<Self, Failure> {
        Ok(Self {
            transport: Transport::new(vault)?,
            namespace: vault.namespace.clone(),
            auth: auth.clone(),
            mounts: Mounts::default(),
            unwrapped: Unwrapped::default(),
            cloud: Cloud::default(),
        })
    }

    /// Returns the files and folders that the connection depends on. Call [`reload`](Self::reload) when one of them
    /// changes, and now and then besides, since a watch may miss a change.
    #[must_use]
    pub fn watched(&self) -> Vec<PathBuf> {
        self.transport.connections.files().paths()
    }

    /// Reads the TLS files again, and uses what they hold for new connections. Returns whether they had changed.
    ///
    /// # Errors
    /// [`FailureKind::Local`] if they cannot be used; the old ones stay in use.
    pub fn reload(&self) -> Result<bool, Failure> {
        self.transport.connections.reload()
    }

    /// Returns the requests that were sent so far.
    #[must_use]
    pub fn requests(&self) -> Tally {
        self.transport.meter.read()
    }

    /// Returns the mounts that are known, for the next run.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        self.mounts.all()
    }

    /// Takes over the mounts of this server that an earlier run knew.
    pub fn adopt_mounts(&self, mounts: Vec<Mount>) {
        self.mounts.adopt(mounts);
    }

    /// Forgets which paths are KV v2, since a mount may have been upgraded or replaced.
    pub fn forget_mounts(&self) {
        self.mounts.forget();
    }

    /// Logs in, with credentials that are read from their files now. A token that is given is only looked up.
    ///
    /// # Errors
    /// [`FailureKind::Local`] for credentials that cannot be sent, [`FailureKind::Refused`] if the server does not
    /// accept them.
    pub async fn login(&self) -> Result<Auth, Failure> {
        self.attempt().await.map_err(|failure| match failure.why.strip_suffix(verdict::LOGIN_HINT) {
            Some(what) => Failure { why: format!("{what}{}", self.auth.advice_where_denied()), ..failure },
            None => failure,
        })
    }

    async fn attempt(&self) -> Result<Auth, Failure> {
        match login::prepare(&self.auth)? {
            Attempt::Hold(token) => {
                let auth = self.own_facts(&token).await.map_err(refused_token)?;
                Ok(Auth { client_token: token, ..auth })
            }
            Attempt::Ask(post) => {
                let jwt = matches!(self.auth.method, AuthMethod::Kubernetes { .. });
                let jwt = post.credentials.first().filter(|_| jwt).cloned();
                self.post(post, jwt).await
            }
            Attempt::Prove => self.log_in_by_cloud().await,
            Attempt::Unwrap { token, made_by, role_id } => {
                let secret_id = self.unwrapped(&token, &made_by).await?;
                self.post(Post::approle(&self.auth.mount, role_id, Some(secret_id)), None).await
            }
        }
    }

    /// Posts a login. If it is refused, the message includes what `jwt` says about itself.
    pub(super) async fn post(&self, post: Post, jwt: Option<Secret>) -> Result<Auth, Failure> {
        self.posted(post).await.map_err(|failure| match jwt {
            Some(jwt) => claims::explain(failure, &jwt, clock::now().wall),
            None => failure,
        })
    }

    async fn posted(&self, Post { path, body, credentials }: Post) -> Result<Auth, Failure> {
        let endpoint = Raw::put(path, body);
        let unspoken = Unspoken(credentials.iter().collect());
        let call = Call { wrap_ttl: self.auth.wrap_ttl, ..self.for_tokens(None) };
        let response = ask(&call, &endpoint, Asked::Login, &unspoken).await?;
        if self.auth.wrap_ttl.is_some() {
            return wrap::login(&response);
        }
        match response.auth {
            Some(auth) if is_token(&auth.client_token) => Ok(auth),
            Some(_) => Err(nonsense("the login's answer has no usable token")),
            None => Err(nonsense("the login's answer has no token")),
        }
    }

    /// Returns the form of `request` that all ways of writing it share: with `data/` or `metadata/` if the mount is a
    /// KV v2. Returns it as written if the server says nothing about the mount.
    ///
    /// # Errors
    /// If the server could not be asked; never for a refusal.
    pub async fn resolve(&self, request: &Request, token: &Secret) -> Result<Request, Failure> {
        let mount = self.mount_of(&request.path, token).await?;
        Ok(mount.map_or_else(|| request.clone(), |mount| mounts::canonical(request, &mount)))
    }

    /// Resolves like [`resolve`](Self::resolve), after nothing was found any more under the known form: the mount may
    /// have been upgraded or replaced. The server is asked anew, unless it was asked within the last seconds.
    ///
    /// # Errors
    /// If the server could not be asked; never for a refusal.
    pub async fn resolve_again(&self, request: &Request, token: &Secret) -> Result<Request, Failure> {
        let mount = self.mount_again(&request.path, token).await?;
        Ok(mount.map_or_else(|| request.clone(), |mount| mounts::canonical(request, &mount)))
    }

    /// Returns the mount of `path`, from the server or from an earlier answer; `None` if the server refuses to say.
    ///
    /// # Errors
    /// If the server could not be asked.
    pub async fn mount_of(&self, path: &str, token: &Secret) -> Result<Option<Mount>, Failure> {
        if Request::is_never_kv(path) {
            return Ok(None);
        }
        self.mounts.find(path, || self.look(path, token)).await
    }

    /// Returns the mount as it is now. What the server no longer says stays as it was.
    async fn mount_again(&self, path: &str, token: &Secret) -> Result<Option<Mount>, Failure> {
        if Request::is_never_kv(path) {
            return Ok(None);
        }
        let since = clock::moment().before(mounts::SURE);
        self.mounts.find_since(path, since, || self.look(path, token)).await
    }

    async fn look(&self, path: &str, token: &Secret) -> Result<Response, Failure> {
        let endpoint = Raw::get(format!("sys/internal/ui/mounts/{path}"));
        answered(&self.for_secrets(token), &endpoint, Asked::Mounts).await
    }

    /// Checks the mount after an answer that a mount of the other version could give as well. The answer counts only
    /// if the server says now that the mount is what it was. On a KV version 1 nothing is below `metadata/`, and a
    /// list of it is empty; on a version 2, `config` is no secret.
    async fn check_mount(
        &self,
        request: &Request,
        before: Option<&Mount>,
        response: &Response,
        token: &Secret,
    ) -> Result<(), Failure> {
        if !mounts::is_doubtful(request, before, response) {
            return Ok(());
        }
        let since = clock::moment();
        let look = || self.look(&request.path, token);
        let now = self.mounts.find_since(&request.path, since, look).await?;
        if now.as_ref().is_some_and(|now| Some(now) != before && now.kv2 != before.is_some_and(|b| b.kv2)) {
            let why = format!("{NOTHING}: its mount is another by now");
            return Err(Failure::new(FailureKind::Missing, why));
        }
        match mounts::as_a_secret(request, response) {
            // The server does not say what the mount is, but this is no secret of a version 1 in any case.
            Some(written) if self.mounts.known_since(&request.path, since).is_none() => {
                let what = "KV version 2 answers with its own configuration there";
                Err(Failure::advised(FailureKind::Missing, format!("{NOTHING}: {what}; write {written}")))
            }
            _ => Ok(()),
        }
    }

    /// Reads, writes or lists. `request` is a resolved one. A list of nothing is an empty list.
    ///
    /// # Errors
    /// What the server's answer, or its absence, means.
    pub async fn read(&self, request: &Request, token: &Secret) -> Result<Response, Failure> {
        let args = request.args.iter().map(|(key, value)| (key.as_str(), Tree::Text(value.clone())));
        let mut body = Tree::map(args);
        let mount = self.mounts.known(&request.path);
        if mount.as_ref().is_some_and(|mount| mounts::wraps_writes(&request.path, mount)) {
            body = Tree::map([("data", body)]);
        }
        let endpoint = Raw::of(request, body);
        let mut unspoken = vec![token];
        let asked = match request.verb {
            Verb::Read => Asked::Read,
            Verb::List => Asked::List,
            Verb::Write => Asked::Write,
        };
        if request.verb == Verb::Write {
            let telling = request.args.iter().filter(|(key, _)| !PLAIN_ARGS.contains(&key.as_str()));
            unspoken.extend(telling.map(|(_, value)| value));
        }
        let response = ask(&self.for_secrets(token), &endpoint, asked, &Unspoken(unspoken)).await?;
        child::check(&response)?;
        self.check_mount(request, mount.as_ref(), &response, token).await?;
        if response.kv2_fields().is_some() {
            self.mounts.learn(request);
        }
        Ok(response)
    }

    /// Renews a lease, and asks for `increment` from now.
    ///
    /// # Errors
    /// [`FailureKind::Rejected`] if the lease is gone *or* its engine has a fault: no proof that the lease is lost.
    pub async fn renew_lease(
        &self,
        lease: &LeaseId,
        increment: Duration,
        token: &Secret,
    ) -> Result<Granted, Failure> {
        let increment = Tree::Number(increment.as_secs().to_string().into());
        let body = Tree::map([("lease_id", Tree::text(lease.0.as_str())), ("increment", increment)]);
        let endpoint = Raw::put("sys/leases/renew", body);
        let answer = answered(&self.for_secrets(token), &endpoint, Asked::Renew).await?;
        Ok(facts::granted(&answer))
    }

    /// Revokes a lease.
    ///
    /// # Errors
    /// [`FailureKind::Denied`] if the policy has no line for `sys/leases/revoke`.
    pub async fn revoke_lease(&self, lease: &LeaseId, token: &Secret) -> Result<(), Failure> {
        let body = Tree::map([("lease_id", Tree::text(lease.0.as_str()))]);
        let endpoint = Raw::put("sys/leases/revoke", body);
        answered(&self.for_secrets(token), &endpoint, Asked::Revoke).await.map(drop)
    }

    /// Renews the token by its own increment.
    ///
    /// # Errors
    /// [`FailureKind::Denied`] if it is dead or may not be renewed with itself; [`FailureKind::Rejected`] if it is
    /// not renewable.
    pub async fn renew_self(&self, token: &Secret) -> Result<Granted, Failure> {
        // vaultrs has a request for this, too, with a tab in its path.
        let endpoint = Raw::put("auth/token/renew-self", Tree::map::<&str>([]));
        let answer = answered(&self.for_tokens(Some(token)), &endpoint, Asked::RenewSelf).await?;
        let auth = answer.auth.ok_or_else(|| nonsense("the renewal's answer has no token"))?;
        Ok(Granted { ttl: Duration::from_secs(auth.lease_duration), renewable: auth.renewable })
    }

    /// Looks the token up with itself.
    ///
    /// # Errors
    /// [`FailureKind::Denied`] if it is dead, or alive without the permission to ask.
    pub async fn lookup_self(&self, token: &Secret) -> Result<TokenFacts, Failure> {
        Ok(facts::token(&self.own_facts(token).await?))
    }

    /// Revokes the token, and with it every lease that it made.
    ///
    /// # Errors
    /// [`FailureKind::Denied`] if it is dead already, or alive without the permission.
    pub async fn revoke_self(&self, token: &Secret) -> Result<(), Failure> {
        answered(&self.for_tokens(Some(token)), &RevokeTokenSelfRequest {}, Asked::Revoke).await.map(drop)
    }

    /// Asks whether the server is there and can serve: it is unsealed and, as a standby, has a leader.
    ///
    /// # Errors
    /// What is wrong with the server.
    pub async fn health(&self) -> Result<(), Failure> {
        let endpoint = ReadHealthRequest {
            standbyok: Some(true),
            perfstandbyok: Some(true),
            ..ReadHealthRequest::default()
        };
        // The health of a server has no namespace: with one the path does not exist.
        let call = Call { transport: &self.transport, token: None, namespace: None, wrap_ttl: None };
        ask(&call, &endpoint, Asked::Health, &Unspoken(Vec::new())).await.map(drop)
    }

    async fn own_facts(&self, token: &Secret) -> Result<Auth, Failure> {
        let answer =
            answered(&self.for_tokens(Some(token)), &LookupTokenSelfRequest {}, Asked::LookUp).await?;
        Ok(facts::looked_up(&answer.data))
    }

    pub(super) fn for_secrets<'a>(&'a self, token: &'a Secret) -> Call<'a> {
        let namespace = self.namespace.as_deref();
        Call { transport: &self.transport, token: Some(token), namespace, wrap_ttl: None }
    }

    /// Returns the call for logins and for what a token asks about itself. They go to the namespace that made the
    /// token: its policy for that holds there and not below.
    pub(super) fn for_tokens<'a>(&'a self, token: Option<&'a Secret>) -> Call<'a> {
        let namespace = self.auth.namespace.as_deref().or(self.namespace.as_deref());
        // The root namespace has no header.
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        Call { transport: &self.transport, token, namespace, wrap_ttl: None }
    }
}

/// Asks with a token, which is the only value that a message must not repeat.
pub(super) async fn answered(
    call: &Call<'_>,
    endpoint: &impl Endpoint,
    asked: Asked,
) -> Result<Response, Failure> {
    ask(call, endpoint, asked, &Unspoken(call.token.into_iter().collect())).await
}

pub(super) async fn ask(
    call: &Call<'_>,
    endpoint: &impl Endpoint,
    asked: Asked,
    unspoken: &Unspoken<'_>,
) -> Result<Response, Failure> {
    let (method, path, sent) = (endpoint.method(), endpoint.path(), clock::moment());
    // vaultrs writes a tab and a slash before some of its paths; the URL parser drops them.
    let path = path.trim_start().trim_start_matches('/');
    let took = || sent.until(clock::moment());
    let count = |class| call.transport.meter.count(Operation::of(asked), took(), class);
    let answer = call.ask(endpoint).await.inspect_err(|Failure { kind, why, .. }| {
        tracing::debug!(?method, path, took = told(took()), ?kind, why, "no answer");
        count(kind.class());
    })?;
    let response = verdict::judge(&answer, asked, unspoken);
    let status = answer.status.as_u16();
    count(response.as_ref().map_or_else(|failure| failure.kind.class(), |_| meter::OK));
    match &response {
        Ok(response) => {
            let warnings = message::joined(response.warnings.iter().map(String::as_str), unspoken);
            let request_id = &response.request_id;
            tracing::debug!(?method, path, took = told(took()), status, request_id, warnings, "answered");
        }
        Err(failure) => {
            let (kind, why) = (failure.kind, &failure.why);
            tracing::debug!(?method, path, took = told(took()), status, ?kind, why, "refused");
        }
    }
    response
}

fn told(time: Duration) -> String {
    format!("{time:.1?}")
}

pub(super) fn nonsense(why: &str) -> Failure {
    Failure::new(FailureKind::Nonsense, why)
}

/// Turns a look-up's 403 at login time into a refusal: no policy can deny anything before the token is known.
fn refused_token(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Denied => Failure::new(
            FailureKind::Refused,
            format!("the token is unknown, has ended, or may not look itself up: {failure}"),
        ),
        _ => failure,
    }
}
