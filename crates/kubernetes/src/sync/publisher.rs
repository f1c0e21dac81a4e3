//! Writes Secrets through the API server. Each write is bound to the version that was compared.

use std::fmt;
use std::sync::Arc;

use http::Method;
use leasehold_base::clock;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::definition::{Definition, Key};
use super::orphans;
use super::restart::Stamp;
use super::secret::{self, Data, MANAGER, OWNER, Owner, Step};
use crate::cluster::{Answer, Away, Cluster};
use crate::refusal::Refusal;

/// How many Secrets are published at once, or looked at by one engine: each has a request under way, and with it a connection.
pub(super) const AT_ONCE: usize = 32;

/// The right to publish one Secret.
pub(crate) type Turn = OwnedSemaphorePermit;

/// Writes and deletes Secrets.
#[derive(Clone)]
pub(crate) struct Publisher {
    cluster: Arc<Cluster>,
    turns: Arc<Semaphore>,
}

/// What a Secret contained when it existed before, as far as this process knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Former {
    /// There was none, or nobody has read it.
    None,
    /// The values that it gets now. The readers may still have to be restarted for the last change.
    Same { owed: Option<Stamp> },
    /// Other values, so its readers have to be restarted. The last change before this one, if it is known.
    Other { changed: Option<Stamp> },
}

/// The outcome of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The version that is in Kubernetes now.
    pub(crate) version: String,
    /// Whether it was written.
    pub(crate) wrote: bool,
    /// Whether there was no Secret before, so that no workload can have read another.
    pub(crate) is_new: bool,
    /// The change for which workloads still have to be restarted.
    pub(crate) owed: Option<Stamp>,
    /// The last change of its values that the Secret notes.
    pub(crate) changed: Option<Stamp>,
}

/// Why a Secret is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unpublished {
    /// The definition asks for something that is not possible.
    Refused(Refusal),
    /// The API server does not allow it.
    Denied(String),
    /// A retry may help.
    Failed(String),
    /// It failed for this reason, and readers may see something else than before all the same: there was no answer to a
    /// request that writes, or another one was done before it.
    Visible(Box<Self>),
}

impl Unpublished {
    /// Returns the same failure of something that readers may see.
    fn visible(self) -> Self {
        match self {
            Self::Visible(_) => self,
            other => Self::Visible(Box::new(other)),
        }
    }

    /// Returns whether readers may see something else than before.
    pub(crate) fn may_be_visible(&self) -> bool {
        matches!(self, Self::Visible(_))
    }

    /// Returns whether the API server does not allow it.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::Visible(why) => why.is_denied(),
            why => matches!(why, Self::Denied(_)),
        }
    }
}

impl fmt::Display for Unpublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Denied(why) | Self::Failed(why) => f.write_str(why),
            Self::Visible(why) => why.fmt(f),
        }
    }
}

impl From<Away> for Unpublished {
    fn from(away: Away) -> Self {
        Self::Failed(away.to_string())
    }
}

impl Outcome {
    fn of(object: &Value, wanted: &Definition, wrote: bool, is_new: bool) -> Self {
        let (owed, changed) = (secret::owed(object, wanted), secret::changed_at(object));
        Self { version: version(object), wrote, is_new, owed, changed }
    }
}

impl Publisher {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Waits until fewer than [`AT_ONCE`] Secrets are published, by any engine.
    pub(crate) async fn turn(&self) -> Turn {
        match Arc::clone(&self.turns).acquire_owned().await {
            Ok(turn) => turn,
            // Nothing closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// Makes the Secret what the definition asks for. Writes only if something differs. A Secret that was there
    /// before is made again only if its definition is there: an etcd that was restored may have neither.
    /// The turn ends with that.
    ///
    /// # Errors
    /// [`Unpublished`]: the Secret is as it was, unless it [may be visible](Unpublished::may_be_visible).
    pub(crate) async fn publish(
        &self,
        wanted: &Definition,
        data: &Data,
        former: Former,
        _turn: Turn,
    ) -> Result<Outcome, Unpublished> {
        let live = self.read(&wanted.key.namespace, &wanted.target.name).await?;
        let step =
            secret::step(live.as_ref(), wanted, data, clock::now().wall).map_err(Unpublished::Refused)?;
        let collection = collection(&wanted.key.namespace);
        let path = format!("{collection}/{}", wanted.target.name);
        let written = match step {
            Step::Nothing => {
                let live = live.unwrap_or_default();
                return Ok(Outcome::of(&live, wanted, false, false));
            }
            Step::Create(mut object) => {
                if former != Former::None {
                    self.is_defined(wanted).await?;
                }
                let note = match former {
                    Former::None => None,
                    Former::Same { owed } => owed,
                    Former::Other { changed } => Some(secret::stamp_after(changed, clock::now().wall)),
                };
                note.iter().for_each(|stamp| secret::note_change(&mut object, wanted, *stamp));
                self.write(Method::POST, &collection, &object).await?
            }
            Step::Replace(object) => self.write(Method::PUT, &path, &object).await?,
            Step::Remake(object) => {
                self.would_take(&collection, &object).await?;
                self.remove(&path, live.as_ref().unwrap_or(&Value::Null)).await?;
                // Readers see that the Secret is gone.
                self.write(Method::POST, &collection, &object).await.map_err(Unpublished::visible)?
            }
        };
        Ok(Outcome::of(&written, wanted, true, live.is_none() && former == Former::None))
    }

    /// Notes that all workloads were restarted for a change. Returns the version that has the note; `None` if the
    /// Secret has changed again.
    ///
    /// # Errors
    /// [`Unpublished`]: a later leader finds that nothing has to be done, and writes the note.
    pub(crate) async fn settle(
        &self,
        wanted: &Definition,
        done: Stamp,
    ) -> Result<Option<String>, Unpublished> {
        let (namespace, name) = (&wanted.key.namespace, &wanted.target.name);
        let live = self.read(namespace, name).await?;
        let Some(next) = live.and_then(|live| secret::settled(&live, wanted, done)) else { return Ok(None) };
        let written = self.write(Method::PUT, &format!("{}/{name}", collection(namespace)), &next).await?;
        Ok(Some(version(&written)))
    }

    /// Returns whether the Secret is as it was published.
    ///
    /// # Errors
    /// [`Unpublished`] if that cannot be found out.
    pub(crate) async fn is_there(&self, wanted: &Definition, data: &Data) -> Result<Seen, Unpublished> {
        let live = self.read(&wanted.key.namespace, &wanted.target.name).await?;
        let Some(live) = live else { return Ok(Seen::Gone) };
        Ok(match secret::step(Some(&live), wanted, data, 0) {
            Ok(Step::Nothing) => Seen::Good(version(&live)),
            _ => Seen::Changed,
        })
    }

    /// Deletes a Secret of a definition. A Secret that another program made is left alone.
    ///
    /// # Errors
    /// [`Unpublished`] if it may still be there.
    pub(crate) async fn delete(&self, key: &Key, name: &str) -> Result<(), Unpublished> {
        let Some(live) = self.read(&key.namespace, name).await? else { return Ok(()) };
        match Owner::of(&live, key) {
            // Nothing in it says whose it is, until one of them has written it.
            Owner::Inherited if orphans::is_shared(&self.cluster, key, name).await? => {
                tracing::info!(definition = %key, secret = name, "left the Secret, which another definition asks for");
            }
            Owner::Own | Owner::Inherited => {
                self.remove(&format!("{}/{name}", collection(&key.namespace)), &live).await?;
                tracing::info!(definition = %key, secret = name, "deleted the Secret");
            }
            Owner::Other(_) => {
                tracing::warn!(definition = %key, secret = name, "left a Secret that another hand made");
            }
        }
        Ok(())
    }

    /// Deletes a Secret that a definition had before it was renamed, but only if that names the definition, and we wrote that.
    ///
    /// # Errors
    /// [`Unpublished`] if it may still be there.
    pub(crate) async fn delete_orphan(&self, key: &Key, name: &str) -> Result<(), Unpublished> {
        let Some(live) = self.read(&key.namespace, name).await? else { return Ok(()) };
        if live["metadata"]["annotations"][OWNER] != json!(key.owner()) {
            return Ok(());
        }
        if !secret::is_named_by_us(&live) {
            tracing::debug!(definition = %key, secret = name, "left the Secret, a copy that another hand made");
            return Ok(());
        }
        self.delete(key, name).await
    }

    async fn is_defined(&self, wanted: &Definition) -> Result<(), Unpublished> {
        let answer = self.cluster.get(&wanted.key.path()).await?;
        match answer.status {
            200 if answer.body["metadata"]["uid"] == json!(wanted.uid)
                && answer.body["metadata"]["deletionTimestamp"].is_null() =>
            {
                Ok(())
            }
            200 | 404 => {
                Err(Unpublished::Failed("its definition is gone, so the Secret is not made again".to_owned()))
            }
            _ => Err(refused("make", &answer)),
        }
    }

    async fn read(&self, namespace: &str, name: &str) -> Result<Option<Value>, Unpublished> {
        let answer = self.cluster.get(&format!("{}/{name}", collection(namespace))).await?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(refused("read", &answer)),
        }
    }

    /// Checks that the API server would accept a Secret in place of the present one, so that nothing is lost for one
    /// that it would refuse.
    async fn would_take(&self, collection: &str, object: &Value) -> Result<(), Unpublished> {
        let answer = self.cluster.send(Method::POST, &format!("{collection}?dryRun=All"), object).await?;
        match answer.status {
            // 409: the name is taken, which the API server checks after everything else.
            200..300 | 409 => Ok(()),
            _ => Err(refused("make", &answer)),
        }
    }

    /// Writes an object. If an answer has a status like 504, the write may still be done: such an answer comes from a
    /// proxy, or from an API server that no longer waits for its store.
    async fn write(&self, method: Method, path: &str, object: &Value) -> Result<Value, Unpublished> {
        let path = format!("{path}?fieldManager={MANAGER}");
        let answer = self.cluster.send(method, &path, object).await.map_err(unheard)?;
        match answer.status {
            200..300 => Ok(answer.body),
            409 => Err(Unpublished::Failed(
                "the Secret was changed at the same moment; it is compared again".to_owned(),
            )),
            500.. => Err(refused("write", &answer).visible()),
            _ => Err(refused("write", &answer)),
        }
    }

    /// Deletes exactly the version that was read, and no later one.
    async fn remove(&self, path: &str, live: &Value) -> Result<(), Unpublished> {
        let metadata = &live["metadata"];
        let exactly = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": exactly});
        let answer = self.cluster.send(Method::DELETE, path, &options).await.map_err(unheard)?;
        match answer.status {
            200..300 | 404 => Ok(()),
            409 => Err(Unpublished::Failed(
                "the Secret was changed at the same moment; it is compared again".to_owned(),
            )),
            500.. => Err(refused("delete", &answer).visible()),
            _ => Err(refused("delete", &answer)),
        }
    }
}

/// The state in which a published Secret was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As it was published, in this version.
    Good(String),
    Changed,
    Gone,
}

/// Describes that there was no answer to a request that writes.
fn unheard(away: Away) -> Unpublished {
    Unpublished::from(away).visible()
}

fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets")
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}

/// Describes the API server's refusal without quoting it: a message about an invalid Secret may repeat its values.
fn refused(verb: &str, answer: &Answer) -> Unpublished {
    match answer.status {
        403 if answer.is_of_ending_namespace() => Unpublished::Failed(
            "the namespace is being deleted, so the API server makes nothing in it any more".to_owned(),
        ),
        403 => Unpublished::Denied(format!(
            "the API server does not let the controller {verb} Secrets here; grant get, create, update and delete on secrets"
        )),
        // The answer may repeat what was sent.
        422 => Unpublished::Failed("the API server finds the Secret invalid (422): check that its keys and values fit its type, and that it is not immutable".to_owned()),
        status => Unpublished::Failed(format!("the API server does not {verb} the Secret ({status})")),
    }
}
