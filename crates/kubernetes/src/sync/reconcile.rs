//! What kube's controller does with each definition: the finalizer, the check, and the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use kube::Resource as _;
use kube::runtime::controller::Action;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::definition::{Definition, Key, Kind, Rules};
use super::desk::{Message, Refused};
use super::object::Object;
use super::orphans;
use super::publisher::{Publisher, Unpublished};
use super::synced;
use crate::cluster::{Away, Cluster};

/// The pause after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// What reconciliations share.
pub(crate) struct Context {
    pub(crate) kind: Kind,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) publisher: Publisher,
    pub(crate) rules: Rules,
    pub(crate) excluded: BTreeSet<String>,
    pub(crate) engine: UnboundedSender<Message>,
}

/// Why a reconciliation has to be repeated.
#[derive(Debug)]
pub(crate) enum Trouble {
    Away(Away),
    /// The API server's own words.
    Refused(String),
    Secret(Unpublished),
    /// The engine's loop is over.
    Ending,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(away) => away.fmt(f),
            Self::Refused(why) => write!(f, "the API server does not take the finalizer: {why}"),
            Self::Secret(why) => why.fmt(f),
            Self::Ending => f.write_str("the controller is ending"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Away> for Trouble {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

/// Reconciles one definition. The engine decides about the content of its Secret.
pub(crate) async fn reconcile(object: Arc<Object>, context: Arc<Context>) -> Result<Action, Trouble> {
    let kind = context.kind;
    let (key, (metadata, spec)) = (object.key(kind), object.read());
    let mut finalizers = metadata["finalizers"].as_array().into_iter().flatten();
    let has_ours = finalizers.any(|one| one == kind.finalizer());
    if object.is_being_deleted() {
        if has_ours {
            end(&key, &spec, &metadata, &context).await?;
        }
        return Ok(Action::await_change());
    }
    if context.excluded.contains(&*key.namespace) {
        return Ok(Action::await_change());
    }
    let read = match kind {
        Kind::SecretDefinition => Definition::read(key.clone(), &metadata, &spec, &context.rules),
        Kind::SyncedSecret => synced::read(key.clone(), &metadata, &spec, &context.rules),
    };
    // An API server that knows the rules of the definition would take no finalizer from an object that breaks one, so that it
    // could not be deleted. secrets-manager's users have no such rules, and a finalizer on each of their objects.
    let takes = !has_ours && (kind == Kind::SecretDefinition || read.is_ok());
    if takes && !finalize(&key, &metadata, true, &context.cluster).await? {
        return Ok(Action::await_change());
    }
    let message = match read {
        Ok(definition) => Message::Want(Arc::new(definition), object.has_secret),
        Err(why) => {
            let (uid, secret) = (text(&metadata["uid"]), target(&key, &spec));
            let generation = metadata["generation"].as_i64().unwrap_or_default();
            Message::Refuse(key, Box::new(Refused { uid, secret, generation, why }))
        }
    };
    context.engine.send(message).map_err(|_| Trouble::Ending)?;
    Ok(Action::await_change())
}

/// Handles a definition that is being deleted: its Secret goes first, then our finalizer. The Vault is not needed for
/// that.
async fn end(key: &Key, spec: &Value, metadata: &Value, context: &Context) -> Result<(), Trouble> {
    let (answer, done) = oneshot::channel();
    context.engine.send(Message::Drop(key.clone(), Some(answer))).map_err(|_| Trouble::Ending)?;
    done.await.map_err(|_| Trouble::Ending)?;
    let secret = target(key, spec);
    // An excluded namespace is left alone, except for the finalizer, which would keep the definition in it.
    let stays = context.excluded.contains(&*key.namespace)
        || (key.kind == Kind::SyncedSecret && synced::retains(spec));
    if !stays {
        delete(key, &secret, context).await.map_err(Trouble::Secret)?;
    }
    finalize(key, metadata, false, &context.cluster).await.map(drop)
}

/// Deletes the Secret of a definition, and those that it still has under former names: the Secret of a new name may never have
/// been made.
async fn delete(key: &Key, secret: &str, context: &Context) -> Result<(), Unpublished> {
    if !secret.is_empty() && !secret.contains('/') {
        context.publisher.delete(key, secret).await?;
    }
    for former in orphans::secrets_of(&context.cluster, key).await? {
        context.publisher.delete_orphan(key, &former).await?;
    }
    Ok(())
}

/// Adds our finalizer, or removes it, by PUT: the rights of secrets-manager's users do not include `patch`. Other finalizers stay.
/// Returns whether the object that was read is still there.
async fn finalize(key: &Key, read: &Value, wanted: bool, cluster: &Cluster) -> Result<bool, Trouble> {
    let path = key.path();
    let found = cluster.get(&path).await?;
    match found.status {
        200 => {}
        404 => return Ok(false),
        _ => return Err(Trouble::Refused(found.words())),
    }
    let mut object = found.body;
    // Another object of the same name has a reconciliation of its own.
    if object["metadata"]["uid"] != read["uid"] {
        return Ok(false);
    }
    // Kubernetes takes no new finalizer of an object that is being deleted.
    if wanted && !object["metadata"]["deletionTimestamp"].is_null() {
        return Ok(false);
    }
    let ours = json!(key.kind.finalizer());
    let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    if finalizers.contains(&ours) == wanted {
        return Ok(true);
    }
    finalizers.retain(|one| *one != ours);
    finalizers.extend(wanted.then_some(ours));
    object["metadata"]["finalizers"] = json!(finalizers);
    let written = cluster.send(Method::PUT, &path, &object).await?;
    match written.status {
        200..300 => Ok(true),
        404 => Ok(false),
        _ => Err(Trouble::Refused(written.words())),
    }
}

/// Logs a failure, and repeats the reconciliation after a pause.
pub(crate) fn again(object: Arc<Object>, why: &Trouble, _: Arc<Context>) -> Action {
    let name = object.meta().name.as_deref().unwrap_or_default();
    let namespace = object.meta().namespace.as_deref().unwrap_or_default();
    tracing::warn!(definition = format!("{namespace}/{name}"), "tried again in {} s: {why}", AGAIN.as_secs());
    Action::requeue(AGAIN)
}

/// Returns the Secret that an object names, as it is written.
pub(super) fn target(key: &Key, spec: &Value) -> String {
    match key.kind {
        Kind::SecretDefinition => text(&spec["name"]),
        Kind::SyncedSecret => spec["target"]["name"].as_str().unwrap_or(&key.name).to_owned(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
