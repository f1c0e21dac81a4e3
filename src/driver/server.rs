//! The server's side of an engine: questions go in, events come out.
//!
//! The agent's own loop is built from the same parts. This is for a program that drives an engine and publishes
//! elsewhere than in files.

use std::rc::Rc;
use std::sync::Arc;

use super::Driver;
use super::keeper::Inherited;
use super::requests::{Answer, Limits, Requests};
use super::store::{Store, fetched};
use crate::config::plan::{AuthPlan, VaultPlan};
use crate::core::Engine;
use crate::core::action::Question;
use crate::core::event::{Event, ReadFacts};
use crate::core::ids::{SecretId, TokenId};
use crate::core::snapshot::Snapshot;
use crate::handoff::Kept;
use crate::render::Secrets;
use crate::vault::client::Client;
use crate::vault::facts;
use leasehold_base::failure::Failure;
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;

/// A Vault, with the tokens and the answers that belong to one engine. Both leave it only through a rendering or a
/// handoff.
pub struct VaultServer {
    client: Rc<Client>,
    requests: Requests,
    store: Store,
}

impl VaultServer {
    /// Makes a server that was not asked anything yet.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn new(vault: &VaultPlan, auth: &AuthPlan) -> Result<Self, Failure> {
        Self::beside(vault, auth, Rc::default())
    }

    /// Makes the same with stores that are no Vault, in the order of the policy.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn beside(
        vault: &VaultPlan,
        auth: &AuthPlan,
        stores: Rc<[leasehold_stores::Store]>,
    ) -> Result<Self, Failure> {
        let client = Rc::new(Client::new(vault, auth)?);
        let limits = Limits { vault: vault.rate_limit, stores: &[] };
        let requests = Requests::new((Rc::clone(&client), stores), Default::default(), limits);
        Ok(Self { client, requests, store: Store::default() })
    }

    /// Puts a question. Its answer is one of the next events.
    pub fn ask(&mut self, question: Question) {
        self.requests.start(question);
    }

    /// Returns the next event, and waits for ever if nothing is under way. The future can be dropped and called again
    /// without losing anything.
    pub async fn next(&mut self, engine: &Engine) -> Event {
        match self.requests.next().await {
            Answer::LoggedIn { token, sent, result } => {
                let result = result.map(|(facts, secret)| {
                    self.requests.keep(token, secret);
                    facts
                });
                Event::LoggedIn { token, sent, result }
            }
            Answer::Resolved { secret, written, result } => {
                resolved(&mut self.store, engine, secret, &written, &result);
                Event::Resolved { secret, result }
            }
            Answer::Read { secret, token, sent, request, result } => {
                let parts = (&mut self.requests, &mut self.store, engine);
                let result = result.and_then(|response| absorb(parts, (secret, token), &request, response));
                Event::Read { secret, token, sent, result }
            }
            Answer::Event(event) => {
                if let Event::LeaseRevoked { lease, result: Ok(()) } = &*event {
                    self.requests.children_mut().drop(lease);
                }
                *event
            }
            Answer::Fetched { store, secret, sent, request, result } => {
                let result =
                    result.map(|response| fetched(&mut self.store, engine, secret, &request, response));
                Event::Fetched { store, secret, sent, result }
            }
            // This server starts no sinks, processes, publishes and reports.
            Answer::Wrapped { .. } | Answer::ChildEnded(_) | Answer::Published { .. } | Answer::Report(_) => {
                Event::Wake
            }
        }
    }

    /// Returns what another process needs in order to go on with every login and every lease. It contains the tokens,
    /// so it must leave the process only encrypted. Secrets without a lease are left out: they can be read again at
    /// no cost.
    #[must_use]
    pub fn kept(&self, mut snapshot: Snapshot) -> Kept {
        snapshot.secrets.retain(|secret| secret.lease.is_some());
        let answer = |request: &Request| Some((request.clone(), self.store.get(request)?.as_ref().clone()));
        Kept {
            responses: snapshot.secrets.iter().filter_map(|secret| answer(&secret.request)).collect(),
            tokens: self.requests.tokens().clone(),
            children: self.requests.children().all().clone(),
            mounts: self.client.mounts(),
            snapshot,
            ..Kept::default()
        }
    }

    /// Takes over what another process has left. Returns what the engine has to go on from.
    pub fn adopt(&mut self, kept: Kept) -> Option<Snapshot> {
        let Inherited { snapshot, tokens, store, children, mounts, .. } = kept.into();
        self.requests.adopt(tokens, children);
        self.client.adopt_mounts(mounts);
        self.store = store;
        snapshot
    }

    /// Drops a token from memory.
    pub fn drop_token(&mut self, token: TokenId) {
        self.requests.drop_token(token);
    }

    /// Drops an answer that nothing uses any more.
    pub fn forget(&mut self, request: &Request) {
        self.store.forget(request);
    }

    /// Prepares for another engine: what was asked for the one before is finished, but not reported.
    pub fn disown(&mut self) {
        self.requests.disown();
    }

    /// Reads the TLS files again. Returns whether they had changed.
    ///
    /// # Errors
    /// Says why they cannot be used; the old ones stay in use.
    pub fn reload(&self) -> Result<bool, Failure> {
        self.client.reload()
    }

    /// Returns the answers, for a rendering.
    #[must_use]
    pub fn secrets(&self) -> &dyn Secrets {
        &self.store
    }
}

/// Records under which path the server keeps a secret.
pub(super) fn resolved(
    store: &mut Store,
    engine: &Engine,
    secret: SecretId,
    written: &Request,
    result: &Result<Request, Failure>,
) {
    if let (Ok(resolved), true) = (result, engine.knows(secret)) {
        store.resolve(written.clone(), resolved.clone());
    }
}

/// Puts the secrets of an answer where they belong, and returns what the core needs to know of it.
///
/// # Errors
/// The answer to a write brings nothing, where the one before it did.
pub(super) fn absorb(
    (requests, store, engine): (&mut Requests, &mut Store, &Engine),
    (secret, token): (SecretId, TokenId),
    request: &Request,
    response: Arc<Response>,
) -> Result<ReadFacts, Failure> {
    let before = store.get(request);
    if request.verb == Verb::Write {
        facts::brings_something(&request.path, &response, before.as_deref())?;
    }
    let mut facts = facts::read(&response, before.as_deref());
    take_child((requests, engine), token, request, &response, &mut facts);
    if engine.knows(secret) {
        store.put(request.clone(), response);
    }
    Ok(facts)
}

/// Keeps the token that an answer brings as a secret, and reports it to the core as a lease.
fn take_child(
    (requests, engine): (&mut Requests, &Engine),
    asked: TokenId,
    request: &Request,
    response: &Response,
    facts: &mut ReadFacts,
) {
    let own = requests.tokens().get(&asked);
    let Some(lease) = crate::vault::child::of(request, response, own) else { return };
    if let Some(auth) = &response.auth {
        let children = requests.children_mut();
        children.keep(lease.id.clone(), auth.client_token.clone(), || engine.lease_ids());
    }
    facts.lease = Some(lease);
}

impl Driver {
    /// Does the same as [`absorb`], for the agent's own loop.
    pub(super) fn absorb_read(
        &mut self,
        ids: (SecretId, TokenId),
        request: &Request,
        response: Arc<Response>,
    ) -> Result<ReadFacts, Failure> {
        absorb((&mut self.requests, &mut self.store, &self.engine), ids, request, response)
    }
}
