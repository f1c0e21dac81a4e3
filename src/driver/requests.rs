//! Requests under way: each becomes one event, however it ends.
//!
//! Tokens live here, under the numbers that the core gave to their logins. They are dropped (and wiped) when the core
//! says so.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::children::Children;
use super::silence::Silence;
use crate::config::plan::RateLimit;
use crate::core::action::Question;
use crate::core::event::{Event, TokenFacts};
use crate::core::ids::{FileId, LeaseId, SecretId, StoreId, TokenId};
use crate::observe::clock;
use crate::observe::log::Report;
use crate::secret::Secret;
use crate::vault::client::Client;
use crate::vault::facts;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::rate::Pace;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::Moment;
use leasehold_stores::{Settings, Store};

/// More requests under way than this are many.
const CROWD: usize = 4;

/// The outcome of a request, before the driver has put its secrets where they belong.
pub(super) enum Answer {
    /// A login: the token goes into [`Requests`], the facts to the core.
    LoggedIn { token: TokenId, sent: Moment, result: Result<(TokenFacts, Secret), Failure> },
    /// The resolved form of a request.
    Resolved { secret: SecretId, written: Arc<Request>, result: Result<Request, Failure> },
    /// A response, which goes into the store.
    Read {
        secret: SecretId,
        token: TokenId,
        sent: Moment,
        request: Arc<Request>,
        result: Result<Arc<Response>, Failure>,
    },
    /// A response of a store that is no Vault.
    Fetched {
        store: StoreId,
        secret: SecretId,
        sent: Moment,
        request: Arc<Request>,
        result: Result<Arc<Response>, Failure>,
    },
    /// A sink's wrapping, which goes to the files.
    Wrapped { file: FileId, token: TokenId, result: Result<Secret, Failure> },
    /// The process of `exec` has ended with this status.
    ChildEnded(ExitStatus),
    /// A publish has ended that began at this moment.
    Published { event: Box<Event>, began: Moment },
    /// What is to be logged of how everything stands; `None` if making it did not finish.
    Report(Option<Report>),
    /// Anything that holds no secret.
    Event(Box<Event>),
}

/// How many requests a second the Vault and each store are sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'s> {
    pub(super) vault: Option<RateLimit>,
    /// By [`StoreId`].
    pub(super) stores: &'s [Settings],
}

/// The client, the tokens, and what is under way.
pub(super) struct Requests {
    client: Rc<Client>,
    /// By [`StoreId`].
    stores: Rc<[Store]>,
    tokens: BTreeMap<TokenId, Secret>,
    children: Children,
    pace: Option<Pace>,
    /// The same for each store, by [`StoreId`].
    store_paces: Vec<Option<Pace>>,
    silence: Silence,
    under_way: FuturesUnordered<LocalBoxFuture<'static, (u64, Answer)>>,
    /// Counts the engines that have asked. What an earlier one asked is finished, but not reported.
    asker: u64,
}

impl Requests {
    /// Makes one with nothing under way; `tokens` and `children` come from an adopted handoff.
    pub(super) fn new(
        (client, stores): (Rc<Client>, Rc<[Store]>),
        (tokens, children): (BTreeMap<TokenId, Secret>, BTreeMap<LeaseId, Secret>),
        limits: Limits<'_>,
    ) -> Self {
        Self {
            client,
            stores,
            tokens,
            children: Children::of(children),
            pace: limits.vault.map(Pace::new),
            store_paces: limits.stores.iter().map(|store| store.rate_limit.map(Pace::new)).collect(),
            silence: Silence::default(),
            under_way: FuturesUnordered::new(),
            asker: 0,
        }
    }

    /// Returns the tokens of logins.
    pub(super) fn tokens(&self) -> &BTreeMap<TokenId, Secret> {
        &self.tokens
    }

    /// Keeps the token of a login.
    pub(super) fn keep(&mut self, id: TokenId, token: Secret) {
        self.tokens.insert(id, token);
    }

    /// Takes over the tokens of another run, and those that templates have made in it.
    pub(super) fn adopt(&mut self, tokens: BTreeMap<TokenId, Secret>, children: BTreeMap<LeaseId, Secret>) {
        self.tokens.extend(tokens);
        self.children.adopt(children);
    }

    /// Returns the tokens that templates have made.
    pub(super) fn children(&self) -> &Children {
        &self.children
    }

    /// Returns the tokens of logins and the tokens that templates have made, for the handoff.
    pub(super) fn for_handoff(&mut self) -> (&BTreeMap<TokenId, Secret>, &mut Children) {
        (&self.tokens, &mut self.children)
    }

    /// Returns the tokens that templates have made, so that they can be changed.
    pub(super) fn children_mut(&mut self) -> &mut Children {
        &mut self.children
    }

    /// Drops a token.
    pub(super) fn drop_token(&mut self, id: TokenId) {
        self.tokens.remove(&id);
    }

    /// Returns the next answer; waits for ever if nothing is under way.
    pub(super) async fn next(&mut self) -> Answer {
        loop {
            match self.under_way.next().await {
                Some((asker, answer)) if asker == self.asker => return answer,
                Some(_disowned) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Adds anything that ends in an event, such as a notification.
    pub(super) fn add(&mut self, future: impl Future<Output = Answer> + 'static) {
        let asker = self.asker;
        self.under_way.push(Box::pin(async move { (asker, future.await) }));
    }

    /// Returns whether many requests are under way, so that events follow each other closely.
    pub(super) fn is_crowded(&self) -> bool {
        self.under_way.len() > CROWD
    }

    /// Returns how long the server has answered nothing.
    pub(super) fn silence(&self) -> &Silence {
        &self.silence
    }

    /// Makes a request that is sent after this time, and then waits for its answer.
    fn heard(
        &self,
        wait: Duration,
        request: impl Future<Output = Answer> + 'static,
    ) -> impl Future<Output = Answer> + 'static {
        let waiting = self.silence.begin(wait);
        async move {
            let _until_it_is_answered = waiting;
            request.await
        }
    }

    /// Adds a request, which waits for its turn if the rate is limited. Its life counts from when it is sent, and a
    /// future does nothing before it is polled.
    fn send(&mut self, request: impl Future<Output = Answer> + 'static) {
        let wait = self.pace.as_mut().map(|pace| pace.take(clock::moment())).unwrap_or_default();
        let request = self.heard(wait, request);
        if wait.is_zero() {
            return self.add(request);
        }
        self.add(async move {
            tokio::time::sleep(wait).await;
            request.await
        });
    }

    /// Lets what is under way finish, such as a hook that runs, but reports no outcome of it any more.
    pub(super) fn disown(&mut self) {
        self.asker += 1;
    }

    /// Puts a question to the server.
    pub(super) fn start(&mut self, question: Question) {
        match question {
            Question::LogIn(token) => self.log_in(token),
            Question::LookUp(token) => self.look_up(token),
            Question::RenewToken(token) => self.renew_token(token),
            Question::Probe => self.probe(),
            Question::Resolve { secret, token, request, again } => {
                self.resolve((secret, token), request, again);
            }
            Question::Read { secret, token, request } => self.read(secret, token, request),
            Question::Fetch { store, secret, request } => self.fetch((store, secret), request),
            Question::Wrap { file, token, ttl } => self.wrap(file, token, ttl),
            Question::Renew { secret, token, lease, increment } => {
                self.renew(secret, token, lease, increment)
            }
            Question::RevokeLease { token, lease } => self.revoke_lease(token, lease),
            Question::RevokeToken(token) => self.revoke_token(token),
        }
    }

    /// Adds a request with a login's token, at the limited rate.
    fn ask<F>(&mut self, token: TokenId, request: impl FnOnce(Rc<Client>, Result<Secret, Failure>) -> F)
    where
        F: Future<Output = Answer> + 'static,
    {
        let request = request(Rc::clone(&self.client), self.token(token));
        self.send(request);
    }

    /// Returns a login's token. A login whose token is gone is one that the server no longer knows, and gets the
    /// answer that the server would give.
    fn token(&self, id: TokenId) -> Result<Secret, Failure> {
        let gone = || Failure::new(FailureKind::Denied, "the login this request belongs to has ended");
        self.tokens.get(&id).cloned().ok_or_else(gone)
    }

    fn log_in(&mut self, token: TokenId) {
        let client = Rc::clone(&self.client);
        self.send(async move {
            let sent = clock::moment();
            let result = client.login().await.map(|auth| (facts::token(&auth), auth.client_token));
            Answer::LoggedIn { token, sent, result }
        });
    }

    fn look_up(&mut self, id: TokenId) {
        self.ask(id, move |client, token| async move {
            let sent = clock::moment();
            let result = async { client.lookup_self(&token?).await }.await;
            Answer::Event(Box::new(Event::LookedUp { token: id, sent, result }))
        });
    }

    fn renew_token(&mut self, id: TokenId) {
        self.ask(id, move |client, token| async move {
            let sent = clock::moment();
            let result = async { client.renew_self(&token?).await }.await;
            Answer::Event(Box::new(Event::TokenRenewed { token: id, sent, result }))
        });
    }

    fn probe(&mut self) {
        let client = Rc::clone(&self.client);
        self.send(async move { Answer::Event(Box::new(Event::Probed(client.health().await))) });
    }

    /// Resolves a path, without the rate limit: one question about a mount answers for all its paths, and a turn for
    /// each of them would halve the rate.
    fn resolve(&mut self, (secret, token): (SecretId, TokenId), written: Arc<Request>, again: bool) {
        let (client, token) = (Rc::clone(&self.client), self.token(token));
        let question = self.heard(Duration::ZERO, async move {
            let result = async {
                let token = token?;
                match again {
                    true => client.resolve_again(&written, &token).await,
                    false => client.resolve(&written, &token).await,
                }
            }
            .await;
            Answer::Resolved { secret, written, result }
        });
        self.add(question);
    }

    fn read(&mut self, secret: SecretId, id: TokenId, request: Arc<Request>) {
        self.ask(id, move |client, token| async move {
            let sent = clock::moment();
            let result = async { client.read(&request, &token?).await }.await.map(Arc::new);
            Answer::Read { secret, token: id, sent, request, result }
        });
    }

    /// Asks a store, which has a limit of its own, so that the Vault's limit holds for the Vault alone.
    fn fetch(&mut self, (store, secret): (StoreId, SecretId), request: Arc<Request>) {
        let stores = Rc::clone(&self.stores);
        let pace = self.store_paces.get_mut(store.0).and_then(Option::as_mut);
        let wait = pace.map(|pace| pace.take(clock::moment())).unwrap_or_default();
        self.add(async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let sent = clock::moment();
            let result = match stores.get(store.0) {
                Some(asked) => asked.ask(&request).await.map(Arc::new),
                None => Err(Failure::new(FailureKind::Local, "no such store is configured")),
            };
            Answer::Fetched { store, secret, sent, request, result }
        });
    }

    fn wrap(&mut self, file: FileId, id: TokenId, ttl: Duration) {
        self.ask(id, move |client, token| async move {
            let result = async { client.wrap(&token?, ttl).await }.await;
            Answer::Wrapped { file, token: id, result }
        });
    }

    fn renew(&mut self, secret: SecretId, token: TokenId, lease: LeaseId, increment: Duration) {
        let child = self.children.get(&lease).cloned();
        self.ask(token, move |client, token| async move {
            let sent = clock::moment();
            let result = async {
                match child {
                    Some(child) => client.renew_child(&lease, &child).await,
                    None => client.renew_lease(&lease, increment, &token?).await,
                }
            }
            .await;
            Answer::Event(Box::new(Event::Renewed { secret, lease, sent, result }))
        });
    }

    fn revoke_lease(&mut self, token: TokenId, lease: LeaseId) {
        let child = self.children.get(&lease).cloned();
        self.ask(token, move |client, token| async move {
            let result = async {
                match child {
                    Some(child) => client.revoke_child(&lease, &child, &token?).await,
                    None => client.revoke_lease(&lease, &token?).await,
                }
            }
            .await;
            Answer::Event(Box::new(Event::LeaseRevoked { lease, result }))
        });
    }

    fn revoke_token(&mut self, id: TokenId) {
        self.ask(id, move |client, token| async move {
            let result = async { client.revoke_self(&token?).await }.await;
            Answer::Event(Box::new(Event::TokenRevoked { token: id, result }))
        });
    }
}
