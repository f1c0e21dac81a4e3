//! What a leader leaves for the next one: tokens and leases, in Secrets of the controller's namespace, encrypted by
//! Vault's transit engine. Plain text is never written.

mod token;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use kube::ResourceExt as _;
use leasehold::config::plan::{AuthPlan, VaultPlan};
use leasehold::core::snapshot::Snapshot;
use leasehold::handoff::{Binding, Kept, Loaded, server};
use leasehold::vault::client::Client;
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use self::token::Shared;
use super::identity::Identity;
use super::orphans;
use crate::cluster::{Away, Cluster};

/// The annotation that marks a Secret as a handoff, and names its identity.
const MARK: &str = "leasehold.dev/handoff-of";
/// The label by which all handoffs are found.
pub(super) const LABEL: &str = "leasehold.dev/handoff";
/// The key of the Secret.
const ENTRY: &str = "handoff";
/// How much a Secret holds, in bytes, with room for its metadata.
const MOST: usize = 1_000_000;

/// The pause between two tries to list handoffs.
const AGAIN: Duration = Duration::from_secs(10);

/// Where handoffs are kept, and the key that encrypts them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The name of the controller's own handoff; the names of the accounts' handoffs begin with it.
    pub(crate) secret: String,
    /// The mount of the transit engine, and the key.
    pub(crate) mount: String,
    pub(crate) key: String,
}

/// All handoffs of a controller. They share one login, the controller's.
pub(crate) struct Handoffs {
    settings: Settings,
    cluster: Arc<Cluster>,
    client: Client,
    token: Shared,
    /// The server that the tokens belong to.
    server: String,
    /// The name of this replica.
    me: String,
}

/// The handoff of one engine.
pub(crate) struct Handoff {
    all: Rc<Handoffs>,
    name: String,
    /// The identity of its login, as the Secret notes it.
    identity: Value,
    binding: Binding,
    /// The Secret as it was last read or written: a former leader cannot replace what the next one has written.
    live: RefCell<Option<Value>>,
    /// A digest of what was last written.
    written: RefCell<Option<[u8; 32]>>,
}

/// Why there is nothing to go on from.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There may be a handoff, but it cannot be read now.
    Later(String),
    /// It cannot be used. Another login takes its place.
    Never(String),
}

/// Why a handoff is not written. Its text has nothing of the content.
#[derive(Debug)]
pub(crate) enum Unsaved {
    Unencrypted(Failure),
    /// It has so many bytes.
    TooLarge(usize),
    Away(Away),
    /// The API server's own words.
    Refused(String),
    /// Its Secret was deleted.
    Gone,
    /// Another program has written to the Secret of this name.
    Changed(String),
}

impl fmt::Display for Unsaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unencrypted(failure) => write!(f, "it cannot be encrypted: {}", failure.why),
            Self::TooLarge(size) => {
                write!(f, "it has {size} bytes, and a Secret holds less; use fewer leases with one login")
            }
            Self::Away(away) => away.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::Gone => f.write_str("its Secret is gone"),
            Self::Changed(name) => write!(f, "the Secret {name} was changed by another hand"),
        }
    }
}

/// Returns what a ciphertext that was not decrypted means. A role that is refused, and a policy that denies, are a person's
/// mistake of a moment. What the handoff names is in use meanwhile.
fn undecrypted(failure: Failure) -> Trouble {
    match failure.kind {
        kind if kind.is_outage() => Trouble::Later(failure.why),
        FailureKind::Local | FailureKind::Refused | FailureKind::Denied => Trouble::Later(failure.why),
        _ => Trouble::Never(failure.why),
    }
}

impl Handoffs {
    /// Makes the handoffs of a controller, with a client of their own.
    ///
    /// # Errors
    /// The client's error: a file of the server's settings cannot be used.
    pub(crate) fn new(
        settings: Settings,
        cluster: Arc<Cluster>,
        (vault, auth): (&VaultPlan, &AuthPlan),
        me: &str,
    ) -> Result<Self, Failure> {
        let client = Client::new(vault, auth)?;
        let server = server(vault.address.as_str(), vault.namespace.as_deref(), auth.namespace.as_deref());
        Ok(Self { settings, cluster, client, token: Shared::default(), server, me: me.to_owned() })
    }

    /// Reads the TLS files again.
    pub(crate) fn reload(&self) {
        // The hub logs what is wrong with them.
        let _changed = self.client.reload();
    }

    /// Returns the handoff of this identity.
    pub(crate) fn of(self: &Rc<Self>, identity: &Identity) -> Handoff {
        let digest: [u8; 32] = Sha256::digest(identity.kept().to_string()).into();
        let own = &self.settings.secret;
        let name = match identity {
            Identity::Controller => own.clone(),
            Identity::Account { .. } => {
                let short: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{own}-{short}")
            }
        };
        let binding = Binding {
            digest,
            pod: "leasehold-sync".to_owned(),
            boot: clock::boot_id().unwrap_or_default(),
            server: self.server.clone(),
            owns: true,
        };
        let (live, written) = Default::default();
        Handoff { all: Rc::clone(self), name, identity: identity.kept(), binding, live, written }
    }

    /// Returns the identities that have a handoff. Asks until that is answered: nothing else gives their leases back.
    pub(crate) async fn left(&self) -> Vec<Identity> {
        let mut said = String::new();
        loop {
            let why = match orphans::labelled(&self.cluster, &self.cluster.namespace, LABEL).await {
                Ok(all) => {
                    let whose = all.iter().filter_map(|one| one.annotations().get(MARK));
                    return whose
                        .filter_map(|text| Identity::of_kept(&serde_json::from_str(text).ok()?))
                        .collect();
                }
                Err(error) => error.to_string(),
            };
            if said != why {
                tracing::warn!(
                    "handoffs cannot be listed, tried again in {} s; until then the leases of logins that nothing uses run out: {why}",
                    AGAIN.as_secs()
                );
                said = why;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Revokes the login with which handoffs were encrypted.
    pub(crate) async fn leave(&self) {
        if let Some(token) = self.token.take() {
            // A token that is not revoked expires by itself.
            let _revoked = self.client.revoke_self(&token).await;
        }
    }

    /// Asks the transit engine, with a new login if the one before has ended.
    async fn transit(&self, verb: &str, field: &str, text: Secret, wanted: &str) -> Result<Secret, Failure> {
        let path = format!("{}/{verb}/{}", self.settings.mount, self.settings.key);
        let local = |why: String| Failure::new(FailureKind::Local, why);
        let args = BTreeMap::from([(field.to_owned(), text)]);
        let request = Request::write(&path, args).map_err(|bad| local(bad.to_string()))?;
        let held = self.token.held();
        let answer = match &held {
            Some(token) => Some(self.client.read(&request, token).await),
            None => None,
        };
        // A denial concerns the token or the policy. If the token lives, another login would be denied as well, and
        // each of these logins would leave its token behind.
        let answer = match (answer, &held) {
            (Some(Err(failure)), Some(token)) if failure.kind == FailureKind::Denied => {
                match self.client.lookup_self(token).await {
                    Err(dead) if dead.kind == FailureKind::Denied => None,
                    // The token lives, or the server cannot say so now.
                    _ => return Err(failure),
                }
            }
            (other, _) => other,
        };
        let answer = match answer {
            Some(answer) => answer?,
            None => {
                let login = async || Ok(self.client.login().await?.client_token);
                let token = self.token.renew(held.as_ref(), login).await?;
                self.client.read(&request, &token).await?
            }
        };
        let value = answer.data.get(wanted).and_then(Tree::as_text).cloned();
        value
            .ok_or_else(|| Failure::new(FailureKind::Nonsense, format!("{path}: the answer has no {wanted}")))
    }
}

impl Handoff {
    /// Reads what an earlier leader has left; `None` if it left nothing. Also returns whether its times are on our
    /// clock.
    ///
    /// # Errors
    /// [`Trouble`], without anything of the content.
    pub(crate) async fn load(&self) -> Result<Option<(Kept, bool)>, Trouble> {
        let answer = self.all.cluster.get(&self.path()).await;
        let answer = answer.map_err(|away| Trouble::Later(away.to_string()))?;
        let live = match answer.status {
            200 => answer.body,
            404 => return Ok(None),
            403 => {
                return Err(Trouble::Never(format!(
                    "grant get, create, update and delete on secrets: {}",
                    answer.words()
                )));
            }
            _ => return Err(Trouble::Later(answer.words())),
        };
        if !self.is_ours(&live) {
            let why = format!(
                "there is a Secret {} that another hand made; use another name with -handoff.secret",
                self.name
            );
            return Err(Trouble::Never(why));
        }
        let text = live["data"][ENTRY].as_str().and_then(|text| STANDARD.decode(text).ok());
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        *self.live.borrow_mut() = Some(live);
        let Some(text) = text else { return Err(Trouble::Never("it has no ciphertext".to_owned())) };
        let plain = self.all.transit("decrypt", "ciphertext", text.as_str().into(), "plaintext").await;
        let plain = plain.map_err(undecrypted)?;
        let bytes = STANDARD.decode(plain.expose()).map(Secret::new);
        let bytes =
            bytes.map_err(|_| Trouble::Never("what was encrypted is not what we write".to_owned()))?;
        match Loaded::parse(bytes.expose(), &self.binding, clock::moment()) {
            Loaded::Found { kept, same_clock } => Ok(Some((*kept, same_clock))),
            Loaded::Absent => Ok(None),
            Loaded::Strays { kept, same_clock, why } if kept.snapshot != Snapshot::default() => {
                tracing::warn!(
                    "logging in anew, since no login goes on from the handoff {}: {why}; what it names is given back once the Secrets have other values",
                    self.name
                );
                Ok(Some((*kept, same_clock)))
            }
            Loaded::Strays { why, .. } | Loaded::Unusable(why) => Err(Trouble::Never(why.to_string())),
        }
    }

    /// Writes the handoff, unless it is the same as the last write.
    ///
    /// # Errors
    /// [`Unsaved`]: the next leader may have to log in anew.
    pub(crate) async fn save(&self, kept: &Kept) -> Result<(), Unsaved> {
        let plain = kept.to_bytes(&self.binding);
        let digest: [u8; 32] = Sha256::digest(&*plain).into();
        if *self.written.borrow() == Some(digest) {
            return Ok(());
        }
        let encoded = Secret::from(STANDARD.encode(&*plain));
        drop(plain);
        let text = self.all.transit("encrypt", "plaintext", encoded, "ciphertext").await;
        let text = text.map_err(Unsaved::Unencrypted)?;
        if text.len() > MOST {
            return Err(Unsaved::TooLarge(text.len()));
        }
        let live = self.live.borrow().clone();
        let object = self.object(live.as_ref(), text.expose());
        let answer = match live {
            Some(_) => self.all.cluster.send(Method::PUT, &self.path(), &object).await,
            None => self.all.cluster.send(Method::POST, &self.collection(), &object).await,
        };
        let answer = answer.map_err(Unsaved::Away)?;
        match answer.status {
            200..300 => {
                *self.live.borrow_mut() = Some(answer.body);
                *self.written.borrow_mut() = Some(digest);
                Ok(())
            }
            // Another program deleted it: the next try creates it.
            404 => {
                *self.live.borrow_mut() = None;
                Err(Unsaved::Gone)
            }
            409 => {
                self.look().await;
                Err(Unsaved::Changed(self.name.clone()))
            }
            _ => Err(Unsaved::Refused(answer.words())),
        }
    }

    /// Reads the Secret again after a conflict. If the answer to our own write was lost, ours is the newer version.
    /// Another leader's version is never overwritten: that leader has the Lease, and this one is about to find out.
    async fn look(&self) {
        let Ok(answer) = self.all.cluster.get(&self.path()).await else { return };
        let by_us = answer.body["metadata"]["annotations"][BY] == json!(self.by());
        if answer.status == 200 && by_us && self.is_ours(&answer.body) {
            *self.live.borrow_mut() = Some(answer.body);
        }
    }

    fn by(&self) -> String {
        format!("{}/{}", self.all.me, std::process::id())
    }

    fn is_ours(&self, live: &Value) -> bool {
        live["metadata"]["annotations"][MARK] == json!(self.identity.to_string())
    }

    /// Deletes the handoff, since what it names is revoked.
    pub(crate) async fn remove(&self) {
        *self.written.borrow_mut() = None;
        let Some(live) = self.live.borrow_mut().take() else { return };
        let metadata = &live["metadata"];
        let exactly = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": exactly});
        match self.all.cluster.send(Method::DELETE, &self.path(), &options).await {
            Ok(answer) if matches!(answer.status, 200..300 | 404) => {}
            Ok(answer) => tracing::warn!(
                "cannot delete the handoff {}, whose token is revoked: {}",
                self.name,
                answer.words()
            ),
            Err(away) => {
                tracing::warn!("cannot delete the handoff {}, whose token is revoked: {away}", self.name)
            }
        }
    }

    fn object(&self, live: Option<&Value>, ciphertext: &[u8]) -> Value {
        let mut object = live.cloned().unwrap_or_else(|| {
            let metadata = json!({"name": self.name, "labels": {LABEL: "true"}});
            json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata})
        });
        object["metadata"]["annotations"][MARK] = json!(self.identity.to_string());
        object["metadata"]["annotations"][BY] = json!(self.by());
        object["data"] = json!({ENTRY: STANDARD.encode(ciphertext)});
        object
    }

    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.all.cluster.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }
}

/// The annotation that names the replica that wrote it last.
const BY: &str = "leasehold.dev/written-by";

#[cfg(test)]
mod tests;
