//! Tokens as secrets: a template has made one (`auth/token/create`), or logged in for its application.
//!
//! To the core such a token is a lease. It is renewed and revoked with itself, which the default policy allows, and
//! not with the login that made it. Its name consists of the path that made it and its accessor.

use std::time::Duration;

use super::client::{Client, answered, nonsense};
use super::endpoint::Raw;
use super::facts;
use super::files::is_token;
use super::verdict::Asked;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::response::{LONGEST, Response};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_core::event::{Granted, LeaseFacts};
use leasehold_core::ids::LeaseId;

/// The path that renews tokens: a token in its answers was made by another request.
const RENEWALS: &str = "auth/token/renew";

/// Returns the token that `response` brings as a secret, if `request` has made one; `own` is the token that it was
/// sent with.
#[must_use]
pub fn of(request: &Request, response: &Response, own: Option<&Secret>) -> Option<LeaseFacts> {
    let auth = response.auth.as_ref().filter(|_| response.lease_id.is_empty())?;
    if own == Some(&auth.client_token) || prefix_of(&request.path, RENEWALS).is_some() {
        return None;
    }
    // A batch token has no accessor, and is neither renewed nor revoked.
    let batch = auth.token_type == "batch" || auth.accessor.is_empty();
    let name = if batch { &response.request_id } else { &auth.accessor };
    // A token that does not end is a root token.
    let endless = auth.lease_duration == 0;
    Some(LeaseFacts {
        id: LeaseId(format!("{}/{name}", request.path)),
        ttl: Duration::from_secs(if endless { LONGEST } else { auth.lease_duration }),
        renewable: auth.renewable && !batch && !endless,
        orphan: auth.orphan,
    })
}

/// Refuses an answer whose token is none. The request is not repeated again and again, since each one may make a
/// token.
pub(super) fn check(response: &Response) -> Result<(), Failure> {
    match &response.auth {
        Some(auth) if !is_token(&auth.client_token) => Err(Failure::advised(
            FailureKind::Rejected,
            "the `auth` of the answer has no token; a login that wants a second factor cannot be made by a template",
        )),
        _ => Ok(()),
    }
}

impl Client {
    /// Renews the token that `lease` names, with itself. If the token may not be renewed, returns what is left of it.
    ///
    /// # Errors
    /// [`FailureKind::Rejected`] if it has ended, or may neither renew nor look up itself.
    pub async fn renew_child(&self, lease: &LeaseId, child: &Secret) -> Result<Granted, Failure> {
        let endpoint = Raw::put(own_path(lease, "renew-self"), Tree::map::<&str>([]));
        match answered(&self.for_secrets(child), &endpoint, Asked::RenewSelf).await {
            Ok(answer) => {
                let auth = answer.auth.ok_or_else(|| nonsense("the renewal's answer has no token"))?;
                Ok(Granted { ttl: Duration::from_secs(auth.lease_duration), renewable: auth.renewable })
            }
            Err(failure) if is_refusal(&failure) => self.left_of_child(lease, child).await,
            Err(failure) => Err(failure),
        }
    }

    async fn left_of_child(&self, lease: &LeaseId, child: &Secret) -> Result<Granted, Failure> {
        let endpoint = Raw::get(own_path(lease, "lookup-self"));
        match answered(&self.for_secrets(child), &endpoint, Asked::LookUp).await {
            Ok(answer) => {
                let left = facts::token(&facts::looked_up(&answer.data)).ttl;
                Ok(Granted { ttl: left.unwrap_or(Duration::from_secs(LONGEST)), renewable: false })
            }
            Err(failure) if is_refusal(&failure) => {
                let why = "the token has ended, or may neither renew nor look up itself; the default policy allows both";
                Err(Failure::advised(FailureKind::Rejected, why))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Revokes the token that `lease` names: with itself, or else by its accessor with `own`.
    ///
    /// # Errors
    /// [`FailureKind::Denied`] if neither token may do that.
    pub async fn revoke_child(&self, lease: &LeaseId, child: &Secret, own: &Secret) -> Result<(), Failure> {
        let endpoint = Raw::put(own_path(lease, "revoke-self"), Tree::map::<&str>([]));
        match answered(&self.for_secrets(child), &endpoint, Asked::Revoke).await {
            Err(failure) if failure.kind == FailureKind::Denied => {}
            result => return result.map(drop),
        }
        let accessor = lease.0.rsplit('/').next().unwrap_or_default();
        let body = Tree::map([("accessor", Tree::text(accessor))]);
        let endpoint = Raw::put(own_path(lease, "revoke-accessor"), body);
        answered(&self.for_secrets(own), &endpoint, Asked::Revoke).await.map(drop)
    }
}

fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Denied | FailureKind::Rejected | FailureKind::Missing)
}

/// Returns `auth/token/NAME` in the namespace that the token's path begins with.
fn own_path(lease: &LeaseId, name: &str) -> String {
    format!("{}auth/token/{name}", prefix_of(&lease.0, "auth/").unwrap_or_default())
}

/// Returns the part of `path` before `part`, if that begins a segment.
fn prefix_of<'a>(path: &'a str, part: &str) -> Option<&'a str> {
    let place = path.match_indices(part).map(|(place, _)| place);
    place.map(|place| &path[..place]).find(|prefix| prefix.is_empty() || prefix.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(auth: &str) -> Response {
        let json = format!(r#"{{"request_id":"r","auth":{auth}}}"#);
        Response::from_tree(&Tree::from_json(json.as_bytes()).expect("JSON")).expect("a response")
    }

    fn made_at(path: &str, auth: &str) -> Option<(String, u64, bool, bool)> {
        let request = Request::write(path, Default::default()).expect("a good path");
        let facts = of(&request, &answer(auth), Some(&Secret::from("s.own")))?;
        Some((facts.id.0, facts.ttl.as_secs(), facts.renewable, facts.orphan))
    }

    #[test]
    fn a_token_that_a_request_has_made_is_a_lease_named_by_its_accessor() {
        let auth = r#"{"client_token":"s.c","accessor":"acc.ns","lease_duration":12,"renewable":true,"orphan":true}"#;
        assert_eq!(
            made_at("auth/token/create", auth),
            Some(("auth/token/create/acc.ns".into(), 12, true, true))
        );
        let batch = r#"{"client_token":"b.c","accessor":"","token_type":"batch","lease_duration":12,"renewable":true}"#;
        assert_eq!(
            made_at("auth/token/create/role", batch),
            Some(("auth/token/create/role/r".into(), 12, false, false))
        );
        let root = r#"{"client_token":"s.r","accessor":"acc","lease_duration":0,"renewable":true}"#;
        assert_eq!(
            made_at("auth/token/create", root),
            Some(("auth/token/create/acc".into(), LONGEST, false, false))
        );
    }

    #[test]
    fn a_token_that_a_request_has_not_made_is_none_of_ours_to_revoke() {
        let other = r#"{"client_token":"s.c","accessor":"acc","lease_duration":12,"renewable":true}"#;
        for path in ["auth/token/renew", "auth/token/renew-self", "ns/auth/token/renew-accessor"] {
            assert_eq!(made_at(path, other), None, "{path}");
        }
        let own = r#"{"client_token":"s.own","accessor":"acc","lease_duration":12,"renewable":true}"#;
        assert_eq!(made_at("auth/token/anything", own), None);
    }

    #[test]
    fn an_auth_without_a_usable_token_is_refused_with_the_reason() {
        for auth in
            ["{}", r#"{"client_token":""}"#, r#"{"client_token":"a\nb"}"#, r#"{"mfa_requirement":{}}"#]
        {
            let failure = check(&answer(auth)).expect_err(auth);
            assert_eq!(failure.kind, FailureKind::Rejected);
            assert!(failure.why.contains("`auth`"));
        }
        assert!(check(&answer("null")).is_ok());
    }

    #[test]
    fn a_child_asks_about_itself_in_the_namespace_that_made_it() {
        let path = |id: &str| own_path(&LeaseId(id.into()), "renew-self");
        assert_eq!(path("auth/token/create/acc"), "auth/token/renew-self");
        assert_eq!(path("a/b/auth/token/create/acc.x"), "a/b/auth/token/renew-self");
        assert_eq!(path("my-auth/auth/approle/login/acc"), "my-auth/auth/token/renew-self");
    }
}
