//! A secret id that comes wrapped in a one-time token: looked at first, taken once, kept.
//!
//! Wrapping is there to show that somebody else was quicker. So whatever is not as it was promised
//! is an alert: said once, loudly, and never tried again with the same token.

use std::cell::RefCell;

use super::client::{Client, ask};
use super::endpoint::Raw;
use super::failure::{Failure, FailureKind};
use super::message::Unspoken;
use super::verdict::Asked;
use crate::secret::Secret;
use crate::tree::Tree;

/// What became of the last wrapping token. The secret id is kept for the next login: its token is
/// used up.
#[derive(Default)]
pub(super) struct Unwrapped(RefCell<Option<(Secret, Result<Secret, Failure>)>>);

impl Unwrapped {
    fn of(&self, token: &Secret) -> Option<Result<Secret, Failure>> {
        let known = self.0.borrow();
        known.as_ref().filter(|(known, _)| known == token).map(|(_, outcome)| outcome.clone())
    }
}

impl Client {
    /// The secret id in `token`, which `made_by` must have made.
    ///
    /// # Errors
    /// [`FailureKind::Refused`] where the token is not what it should be, or does not hold a secret
    /// id; the same for good. What keeps the server from answering is not remembered.
    pub(super) async fn unwrapped(&self, token: &Secret, made_by: &str) -> Result<Secret, Failure> {
        if let Some(outcome) = self.unwrapped.of(token) {
            return outcome;
        }
        let outcome = self.unwrap(token, made_by).await;
        let settled = match &outcome {
            Ok(_) => true,
            Err(failure) => failure.kind == FailureKind::Refused,
        };
        if settled {
            if let Err(failure) = &outcome {
                tracing::error!("{failure}");
            }
            *self.unwrapped.0.borrow_mut() = Some((token.clone(), outcome.clone()));
        }
        outcome
    }

    async fn unwrap(&self, token: &Secret, made_by: &str) -> Result<Secret, Failure> {
        let unspoken = Unspoken(vec![token]);
        // Looking does not use it up.
        let look = Raw::put("sys/wrapping/lookup", Tree::map([("token", Tree::Text(token.clone()))]));
        let looked = ask(&self.for_tokens(None), &look, Asked::Unwrap, &unspoken).await.map_err(taken)?;
        let path = looked.data.get("creation_path").and_then(Tree::as_str).unwrap_or_default();
        if path != made_by {
            // The server's word, but whoever made the token chose it.
            let path: String = path.escape_debug().take(200).collect();
            return Err(alert(format!("was made by `{path}`, not by `{made_by}`, and is left as it is")));
        }
        let open = Raw::put("sys/wrapping/unwrap", Tree::map::<&str>([]));
        let opened =
            ask(&self.for_tokens(Some(token)), &open, Asked::Unwrap, &unspoken).await.map_err(taken)?;
        let secret_id = opened.data.get("secret_id").and_then(Tree::as_text).filter(|id| !id.is_empty());
        secret_id.cloned().ok_or_else(|| alert("holds no secret id".to_owned()))
    }
}

/// The server refuses the token; anything else that went wrong says nothing about it.
fn taken(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Refused => alert(format!(
            "is unknown, has ended or was used already: somebody else may have unwrapped it ({failure})"
        )),
        _ => failure,
    }
}

fn alert(what: String) -> Failure {
    let mend = "find out who had it, destroy the secret id, and deliver a new one";
    Failure::new(FailureKind::Refused, format!("ALERT: the wrapping token of the secret id {what}; {mend}"))
}
