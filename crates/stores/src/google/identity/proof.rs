//! Proofs of who we are, for parties other than Google: a JWT for one audience.

use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

use super::iam::Actor;
use super::{fetch, key_file, lacking, machine, token};
use crate::google::federated::Federated;
use crate::google::key::{Key, jwt};
use crate::http::Http;
use crate::variables::Variables;

/// How many seconds a JWT is valid that an account signs. Vault accepts no longer life, unless its role says so.
const LIFE: i64 = 900;

/// Returns a token that Google has signed, which says who we are and is for `audience` alone.
pub(crate) async fn identity(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    identity_of(http, variables, account, audience).await.map_err(lacking)
}

async fn identity_of(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    let Some(path) = key_file(variables) else {
        return machine::identity(http, variables, account, audience).await;
    };
    match Key::read(&path)? {
        Key::Account(own) if account.is_none_or(|account| account == own.email) => {
            token::identity_of_account(http, &own, audience).await
        }
        Key::Account(own) => {
            let token = token::of_account(http, &own).await?;
            Actor::of(account.unwrap_or_default()).identity(http, &token.it, audience).await
        }
        Key::Federated(federated) => {
            let actor = actor(account, &federated)?;
            let token = token::exchange(http, &federated).await?;
            actor.identity(http, &token.it, audience).await
        }
        Key::User(_) => Err(of_a_user()),
    }
}

/// Returns a token that Google has signed for the machine, whatever file of credentials there is.
pub(crate) async fn of_machine(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    machine::identity(http, variables, account, audience).await.map_err(lacking)
}

/// Returns a JWT that a service account has signed for `audience`.
pub(crate) async fn signed(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    signed_by(http, variables, account, audience).await.map_err(lacking)
}

async fn signed_by(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    let key = key_file(variables).map(|path| Key::read(&path)).transpose()?;
    if let Some(Key::Account(own)) = &key
        && account.is_none_or(|account| account == own.email)
    {
        return jwt(&own.key_id, &own.private_key, &claims(&own.email, audience));
    }
    let actor = match (&key, account) {
        (Some(Key::Federated(federated)), account) => actor(account, federated)?,
        (_, Some(account)) => Actor::of(account),
        (Some(Key::User(_)), None) => return Err(of_a_user()),
        (_, None) => Actor::of(&machine::email(http, variables).await?),
    };
    let token = fetch(variables, http).await?;
    actor.sign(http, &token.it, &claims(actor.email(), audience)).await
}

fn claims(email: &str, audience: &str) -> Tree {
    let now = clock::now().wall;
    let number = |at: i64| Tree::Number(at.to_string().into());
    Tree::map([
        ("sub", Tree::text(email)),
        ("aud", Tree::text(audience)),
        ("iat", number(now)),
        ("exp", number(now + LIFE)),
    ])
}

/// Returns the account that a federated identity acts as.
fn actor(account: Option<&str>, federated: &Federated) -> Result<Actor, Failure> {
    let named = account.map(Actor::of).or_else(|| Actor::at(federated.impersonate.as_ref()?));
    named.ok_or_else(|| {
        Failure::advised(
            FailureKind::Unusable,
            "a federated identity has no tokens that say who it is; name the account that it acts as: set `service_account`",
        )
    })
}

fn of_a_user() -> Failure {
    Failure::advised(
        FailureKind::Unusable,
        "a user of gcloud has no tokens that say who it is to others; set `service_account`, or use an account's key",
    )
}
