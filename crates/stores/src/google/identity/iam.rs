//! IAM Credentials: what a service account does for identities that may act as it.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use super::token::SCOPE;
use crate::google::refusal;
use crate::http::{Call, Http};
use crate::kept::Fresh;
use crate::login::is_jwt;
use crate::oauth::{bearer, no_token};
use crate::times;

const SERVICE: &str = "IAM Credentials";
const IMPERSONATE: &str = ":generateAccessToken";

/// The address at which we act as a service account.
pub(super) struct Actor(Url);

impl Actor {
    /// Returns the account with this name.
    pub(super) fn of(email: &str) -> Self {
        let url = format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}");
        Self(Url::parse(&url).expect("an account's name is made of what a path is"))
    }

    /// Returns the account whose access tokens are made at `url`.
    pub(super) fn at(url: &Url) -> Option<Self> {
        let mut own = url.clone();
        own.set_path(url.path().strip_suffix(IMPERSONATE)?);
        Some(Self(own))
    }

    /// Returns the account's name.
    pub(super) fn email(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// Signs the claims as the account.
    pub(super) async fn sign(&self, http: &Http, token: &Secret, claims: &Tree) -> Result<Secret, Failure> {
        let payload = Tree::Text(Secret::new(claims.to_json().to_vec()));
        let answer = self.ask(http, token, "signJwt", &Tree::map([("payload", payload)])).await?;
        jwt(&answer, "signedJwt")
    }

    /// Returns a token that says who the account is, for `audience` alone.
    pub(super) async fn identity(
        &self,
        http: &Http,
        token: &Secret,
        audience: &str,
    ) -> Result<Secret, Failure> {
        let body = Tree::map([("audience", Tree::text(audience)), ("includeEmail", Tree::Bool(true))]);
        jwt(&self.ask(http, token, "generateIdToken", &body).await?, "token")
    }

    async fn ask(&self, http: &Http, token: &Secret, verb: &str, body: &Tree) -> Result<Tree, Failure> {
        let mut url = self.0.clone();
        url.set_path(&format!("{}:{verb}", self.0.path()));
        let role = "Service Account Token Creator (roles/iam.serviceAccountTokenCreator)";
        post(http, url, token, body, role).await
    }
}

/// Returns an access token of the service account whose tokens are made at `url`.
pub(super) async fn impersonate(http: &Http, url: &Url, token: &Secret) -> Result<Fresh<Secret>, Failure> {
    let body = Tree::map([("scope", Tree::list([Tree::text(SCOPE)])), ("lifetime", Tree::text("3600s"))]);
    let tree = post(http, url.clone(), token, &body, "Workload Identity User").await?;
    let token = tree.get("accessToken").and_then(Tree::as_text).filter(|token| !token.is_empty()).cloned();
    let ends = tree.get("expireTime").and_then(Tree::as_str).and_then(times::parse);
    Ok(Fresh::until(token.ok_or_else(|| no_token(SERVICE))?, ends.or(Some(0))))
}

async fn post(http: &Http, url: Url, token: &Secret, body: &Tree, role: &str) -> Result<Tree, Failure> {
    let mut call = Call::post(url, body.to_json());
    call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    call.headers.insert(AUTHORIZATION, bearer(token)?);
    let answer = http.send(call).await?;
    if answer.status.is_success() {
        return Ok(Tree::from_json(&answer.body).unwrap_or_default());
    }
    let said = refusal::of(&answer);
    Err(match said.status {
        403 | 404 => Failure::advised(
            FailureKind::Refused,
            format!(
                "this identity may not act as the service account{}; grant it the role {role} on the account",
                said.words()
            ),
        ),
        _ => refusal::explained(&said, SERVICE),
    })
}

fn jwt(tree: &Tree, field: &str) -> Result<Secret, Failure> {
    let token = tree.get(field).and_then(Tree::as_text).filter(|token| is_jwt(token));
    token.cloned().ok_or_else(|| no_token(SERVICE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_acted_as_where_its_tokens_are_made() {
        let of = Actor::of("web@p.iam.gserviceaccount.com");
        let made = Url::parse(&format!("{}{IMPERSONATE}", of.0)).expect("a URL");
        assert_eq!(Actor::at(&made).expect("it ends so").0, of.0);
        assert_eq!(of.email(), "web@p.iam.gserviceaccount.com");
        assert!(Actor::at(&of.0).is_none());
    }
}
