//! What a success has to bring, depending on what was asked. A proxy's 200 brings none of it.

use super::Asked;
use super::body::{Body, has_envelope, is_health};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::tree::Tree;

impl Asked {
    /// Returns what a success has to bring, in the words of the documentation and of a message.
    #[must_use]
    pub fn wants(self) -> &'static str {
        match self {
            Self::Login => "a token in `auth`, or a wrapping",
            Self::Unwrap | Self::Read | Self::Mounts => "`data` with fields",
            Self::List => "`data` with `keys`",
            Self::Write => "the API's envelope, or no content",
            Self::Wrap => "a token in `wrap_info`",
            Self::Renew => "the lease and its duration",
            Self::RenewSelf => "the token's `auth`",
            Self::LookUp => "`data` with the token's `ttl`",
            Self::Revoke => "no content, or the API's envelope",
            Self::Health => "`initialized` and `sealed`",
        }
    }

    /// Returns what it means that a success does not bring it. A revocation is not done then, and a process that is
    /// about to end must ask for it again, as after any other page.
    fn unmet(self) -> FailureKind {
        if self == Self::Revoke { FailureKind::Intercepted } else { FailureKind::Nonsense }
    }

    /// Returns whether "no content" is an answer to it.
    fn takes_nothing(self) -> bool {
        matches!(self, Self::Write | Self::Revoke)
    }

    fn is_met(self, tree: &Tree, response: &Response) -> bool {
        let data = response.data.as_map().is_some();
        let field = |name| response.data.get(name);
        let is_leased = || !response.lease_id.is_empty();
        let wrapped = || response.wrap_info.as_ref().is_some_and(|info| !info.token.is_empty());
        match self {
            Self::Login => response.auth.is_some() || wrapped(),
            Self::Read => data || response.auth.is_some(),
            Self::Unwrap | Self::Mounts => data,
            Self::List => field("keys").is_some_and(|keys| keys.as_list().is_some()),
            Self::Write | Self::Revoke => {
                has_envelope(tree) || data || response.auth.is_some() || wrapped() || is_leased()
            }
            Self::Wrap => wrapped(),
            Self::Renew => is_leased() && matches!(tree.get("lease_duration"), Some(Tree::Number(_))),
            Self::RenewSelf => response.auth.is_some(),
            Self::LookUp => field("ttl").is_some_and(|ttl| matches!(ttl, Tree::Number(_))),
            Self::Health => is_health(tree),
        }
    }
}

/// Reads the response in a success.
pub(super) fn read(status: u16, body: &[u8], asked: Asked) -> Result<Response, Failure> {
    // 204 and 202 (revocations that are queued) mean that it is done, with nothing to return.
    if body.is_empty() && status != 200 && asked.takes_nothing() {
        return Ok(Response::default());
    }
    if body.is_empty() {
        return Err(lacks(status, asked));
    }
    let tree = match Tree::from_json(body) {
        Ok(tree) => tree,
        Err(_) if Body::foreign(body) == Body::Page => {
            return Err(super::page(asked.unmet(), status, Body::Page));
        }
        Err(error) => return Err(nonsense(asked, error.to_string())),
    };
    let response = Response::from_tree(&tree)
        .map_err(|error| nonsense(asked, format!("not what the API promises: {error}")))?;
    if !asked.is_met(&tree, &response) {
        return Err(lacks(status, asked));
    }
    match asked {
        Asked::Read if response.kv2_fields() == Some(&Tree::Null) => {
            Err(Failure::new(FailureKind::Missing, format!("this version is deleted ({status})")))
        }
        Asked::Health => health(&tree, status).map(|()| response),
        _ => Ok(response),
    }
}

fn health(tree: &Tree, status: u16) -> Result<(), Failure> {
    let is = |name, wanted| tree.get(name).and_then(Tree::as_bool) == Some(wanted);
    let why = match (is("initialized", true), is("sealed", false)) {
        (false, _) => "the server is not initialised",
        (true, false) => "the server is sealed",
        (true, true) => return Ok(()),
    };
    Err(Failure::new(FailureKind::Unavailable, format!("{why} ({status})")))
}

fn lacks(status: u16, asked: Asked) -> Failure {
    let wants = asked.wants();
    Failure::advised(
        asked.unmet(),
        format!(
            "the answer to {} lacks {wants} ({status}); check that nothing in between answers for Vault",
            asked.name()
        ),
    )
}

fn nonsense(asked: Asked, why: String) -> Failure {
    Failure::new(asked.unmet(), format!("the server's answer is {why}"))
}
