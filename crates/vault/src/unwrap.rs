//! A secret id that comes wrapped in a one-time token: looked up first, opened once, and kept.
//!
//! Wrapping shows whether another process was quicker. So whatever is not as promised is an alert. It is logged once,
//! loudly, and never tried again with the same token. An earlier run of the same pod is no other process: a digest of
//! what it opens is in the handoff before it is opened.

use std::cell::RefCell;

use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::client::{Client, ask};
use super::endpoint::Raw;
use super::login::{self, Attempt};
use super::message::Unspoken;
use super::verdict::Asked;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// What became of the last wrapping token. The secret id is kept for the next login, since its token is used up.
#[derive(Default)]
pub(super) struct Unwrapped {
    last: RefCell<Option<(Secret, Result<Secret, Failure>)>>,
    /// The digest of what an earlier run of this pod opened.
    earlier: RefCell<Option<String>>,
    /// The digest of what this run tried to open without getting the server's answer, and why not.
    unanswered: RefCell<Option<(String, Failure)>>,
    /// The channel to what writes down what is about to be opened.
    scribe: RefCell<Option<mpsc::UnboundedSender<Opening>>>,
}

/// Announces that a wrapping token is about to be opened.
#[derive(Debug)]
pub struct Opening {
    /// Its [`digest`]; `None` if it could not be opened after all.
    pub digest: Option<String>,
    /// To be dropped or answered once that is written down.
    pub written: oneshot::Sender<()>,
}

/// Returns a name of a wrapping token that does not give it away: the token is long and random.
#[must_use]
pub fn digest(token: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update("leasehold wrapping token\0");
    hash.update(token.expose());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Unwrapped {
    fn of(&self, token: &Secret) -> Option<Result<Secret, Failure>> {
        let known = self.last.borrow();
        known.as_ref().filter(|(known, _)| known == token).map(|(_, outcome)| outcome.clone())
    }

    fn is_from_earlier(&self, token: &Secret) -> bool {
        self.earlier.borrow().as_ref().is_some_and(|earlier| *earlier == digest(token))
    }

    /// Records what became of the request to open `token`. If the server gave no answer, the token may be open all
    /// the same.
    fn note(&self, token: &Secret, failure: &Failure) {
        let was_not_sent = matches!(failure.kind, FailureKind::Unreachable | FailureKind::Local);
        if failure.kind != FailureKind::Refused && !was_not_sent {
            *self.unanswered.borrow_mut() = Some((digest(token), failure.clone()));
        }
    }

    /// Returns why an earlier request of this run to open `token` got no answer; `None` if there was no such request.
    fn lost_answer(&self, token: &Secret) -> Option<Failure> {
        let unanswered = self.unanswered.borrow();
        unanswered.as_ref().filter(|(of, _)| *of == digest(token)).map(|(_, why)| why.clone())
    }

    /// Explains what it means that the server does not know `token`, or that the token was used. Any other failure
    /// says nothing about the token.
    fn explain(&self, token: &Secret, failure: Failure) -> Failure {
        match (failure.kind, self.lost_answer(token)) {
            (FailureKind::Refused, Some(why)) => lost(&why),
            (FailureKind::Refused, None) if self.is_from_earlier(token) => used_up(),
            (FailureKind::Refused, None) => taken(&failure),
            _ => failure,
        }
    }

    /// Has it written down what is about to be opened. If that is not possible, it is opened all the same.
    async fn announce(&self, digest: Option<String>) {
        let Some(scribe) = self.scribe.borrow().clone() else { return };
        let (written, is_written) = oneshot::channel();
        if scribe.send(Opening { digest, written }).is_ok() {
            let _written_or_not = is_written.await;
        }
    }
}

impl Client {
    /// Records that an earlier run of this pod opened the wrapping token of this [`digest`].
    pub fn opened_earlier(&self, digest: Option<String>) {
        *self.unwrapped.earlier.borrow_mut() = digest;
    }

    /// Returns the tokens that are going to be opened from now on. Each waits until its `written` is answered.
    pub fn openings(&self) -> mpsc::UnboundedReceiver<Opening> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.unwrapped.scribe.borrow_mut() = Some(sender);
        receiver
    }

    /// Returns whether an earlier run opened the current wrapping token, so that no login is possible until another
    /// is delivered. Reads the token's file.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        match login::prepare(&self.auth) {
            Ok(Attempt::Unwrap { token, .. }) => {
                self.unwrapped.is_from_earlier(&token) && !matches!(self.unwrapped.of(&token), Some(Ok(_)))
            }
            _ => false,
        }
    }

    /// Returns the secret id in `token`, which `made_by` must have made.
    ///
    /// # Errors
    /// [`FailureKind::Refused`] if the token is not what it should be, or does not hold a secret id; the same for
    /// good. A failure that keeps the server from answering is not remembered.
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
            match &outcome {
                Err(failure) if self.unwrapped.is_from_earlier(token) => tracing::warn!("{failure}"),
                Err(failure) => tracing::error!("{failure}"),
                Ok(_) => {}
            }
            *self.unwrapped.last.borrow_mut() = Some((token.clone(), outcome.clone()));
        }
        outcome
    }

    async fn unwrap(&self, token: &Secret, made_by: &str) -> Result<Secret, Failure> {
        let unspoken = Unspoken(vec![token]);
        // A look-up does not use the token up.
        let look = Raw::put("sys/wrapping/lookup", Tree::map([("token", Tree::Text(token.clone()))]));
        let looked = ask(&self.for_tokens(None), &look, Asked::Unwrap, &unspoken).await;
        let looked = looked.map_err(|failure| self.unwrapped.explain(token, failure))?;
        let path = looked.data.get("creation_path").and_then(Tree::as_str).unwrap_or_default();
        if path != made_by {
            // This path comes from the server, but the maker of the token chose it.
            let path: String = path.escape_debug().take(200).collect();
            return Err(alert(format!("was made by `{path}`, not by `{made_by}`, and is left as it is")));
        }
        // If this run is killed from here on, the next one finds a token that cannot be opened, and the reason why.
        self.unwrapped.announce(Some(digest(token))).await;
        let open = Raw::put("sys/wrapping/unwrap", Tree::map::<&str>([]));
        let opened = ask(&self.for_tokens(Some(token)), &open, Asked::Unwrap, &unspoken).await;
        if let Err(failure) = &opened {
            self.unwrapped.note(token, failure);
            if failure.kind == FailureKind::Refused && self.unwrapped.lost_answer(token).is_none() {
                // Another process was quicker after all. The next run must not take that for our own doing.
                self.unwrapped.announce(None).await;
            }
        }
        let opened = opened.map_err(|failure| self.unwrapped.explain(token, failure))?;
        let secret_id = opened.data.get("secret_id").and_then(Tree::as_text).filter(|id| !id.is_empty());
        secret_id.cloned().ok_or_else(|| alert("holds no secret id".to_owned()))
    }
}

/// Makes the failure for a token that an earlier run of ours opened.
fn used_up() -> Failure {
    Failure::new(
        FailureKind::Refused,
        "the wrapping token of the secret id was opened by an earlier run of Leasehold, and can be opened once only: deliver a new one",
    )
}

/// Makes the failure for a token that this run tried to open without getting the server's answer. That request has
/// used the token up, or another process was quicker; nothing tells the two apart.
fn lost(why: &Failure) -> Failure {
    let what = "the wrapping token of the secret id is used up, most likely by our own request, whose answer was lost";
    let mend = "a proxy in front of the server may have taken the answer, and with it the secret id: destroy the secret id, and deliver a new one";
    Failure::advised(FailureKind::Refused, format!("{what} ({why}); {mend}"))
}

/// Makes the failure for a token that nothing of ours has opened.
fn taken(failure: &Failure) -> Failure {
    alert(format!(
        "is unknown, has ended or was used already: somebody else may have unwrapped it ({failure})"
    ))
}

fn alert(what: String) -> Failure {
    let mend = "find out who had it, destroy the secret id, and deliver a new one";
    Failure::new(FailureKind::Refused, format!("ALERT: the wrapping token of the secret id {what}; {mend}"))
}
