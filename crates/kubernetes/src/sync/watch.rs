//! Watches in the cluster: of definitions, by kube's controller, and of the metadata of our own Secrets.

use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::core::{ApiResource, DynamicObject, DynamicResourceScope, GroupVersionKind, PartialObjectMeta};
use kube::runtime::controller::{Config as Limits, Error};
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Controller, WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::definition::{Key, Kind};
use super::desk::{Message, Place, Sighting};
use super::object::Object;
use super::reconcile::{Context, again, reconcile};
use super::secret::{LABEL, OWNER};
use crate::cluster::Cluster;

/// How many reconciliations run at once: each may wait for the API server.
const CONCURRENCY: u16 = 16;
/// The pause between two searches for objects that are gone.
const GLANCE: Duration = Duration::from_secs(10);
/// After so many of them everything is reconciled, which costs no request: ten minutes.
const SELDOM: u32 = 60;

/// Why the objects of a kind cannot be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unlisted {
    /// There is no such kind.
    Absent(String),
    /// The right is missing.
    Denied(String),
    /// The API server could not say.
    Unknown(String),
}

/// Checks that objects of a kind can be listed.
///
/// # Errors
/// [`Unlisted`], with the API server's words, or that it does not answer.
pub(crate) async fn can_list(cluster: &Cluster, kind: Kind, namespace: Option<&str>) -> Result<(), Unlisted> {
    let within = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let path = format!("/apis/{}/v1alpha1{within}/{}?limit=1", kind.group(), kind.plural());
    let answer = cluster.get(&path).await.map_err(|away| Unlisted::Unknown(away.to_string()))?;
    match answer.status {
        200 => Ok(()),
        404 => {
            let why = format!("there is no CustomResourceDefinition {}.{}", kind.plural(), kind.group());
            Err(Unlisted::Absent(why))
        }
        403 => Err(Unlisted::Denied(answer.words())),
        _ => Err(Unlisted::Unknown(answer.words())),
    }
}

fn api<K>(client: &Client, namespace: Option<&str>, resource: &K::DynamicType) -> Api<K>
where
    K: Resource<Scope = DynamicResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// Runs the controller of the definitions of one namespace, or of all, for ever.
pub(crate) async fn control(client: Client, namespace: Option<String>, context: Arc<Context>) {
    let kind = context.kind;
    let api: Api<Object> = api(&client, namespace.as_deref(), &kind);
    let list = (Some(kind), namespace);
    let limits = Limits::default().concurrency(CONCURRENCY);
    let (bulk, wanted) = unbounded_channel();
    let wanted =
        futures_util::stream::unfold(wanted, async |mut wanted| wanted.recv().await.map(|()| ((), wanted)));
    let controller = Controller::new_with(api, watcher::Config::default(), kind)
        .with_config(limits)
        .reconcile_all_on(wanted);
    let (store, engine, excluded) = (controller.store(), context.engine.clone(), context.excluded.clone());
    let listed = async move {
        if store.wait_until_ready().await.is_ok() {
            let all = store.state();
            let live = all.iter().filter(|object| !object.is_being_deleted());
            let keys = live.map(|object| object.key(kind));
            let keys = keys.filter(|key| !excluded.contains(&*key.namespace)).collect();
            drop(all);
            // The receiver is gone if the run is ending.
            let _sent = engine.send(Message::Listed(list, keys));
            vanished(kind, &store, &engine, &bulk).await;
        }
        std::future::pending::<()>().await;
    };
    let mut said = String::new();
    let controlled = controller.run(reconcile, again, context).for_each(|outcome| {
        // The function `again` logs a failed reconciliation.
        if let Err(error @ Error::QueueError(_)) = outcome {
            let text = error.to_string();
            if text != said {
                tracing::warn!("definitions cannot be watched: {text}; is there the CustomResourceDefinition, and the right to list and watch it?");
                said = text;
            }
        }
        std::future::ready(())
    });
    tokio::select! {
        () = listed => {}
        () = controlled => {}
    }
}

/// Reports objects that are gone without having been deleted: an etcd was restored, or another program removed our
/// finalizer. They are synced no more, and their Secrets stay as they are.
///
/// Has everything reconciled after the watch has begun anew. kube reconciles the objects of a new list before its store has
/// them, so it sees the old form of those that have changed. Everything is also reconciled now and then, in case something was
/// missed.
async fn vanished(
    kind: Kind,
    store: &Store<Object>,
    engine: &UnboundedSender<Message>,
    bulk: &UnboundedSender<()>,
) {
    let (mut known, mut looks) = (store.state(), 0);
    loop {
        tokio::time::sleep(GLANCE).await;
        let now = store.state();
        looks += 1;
        let replaced = replaced(&known, &now);
        // After a new list, nothing is the object that it was.
        if looks >= SELDOM || (!now.is_empty() && replaced.len() == known.len()) {
            looks = 0;
            // The receiver is gone if the run is ending.
            let _sent = bulk.send(());
        }
        for key in gone(kind, &replaced, &now) {
            // An object that was deleted in order is forgotten already.
            if engine.send(Message::Drop(key, None)).is_err() {
                return;
            }
        }
        known = now;
    }
}

/// Returns the objects that are not there any more in the form in which they were. At rest there are none.
fn replaced<'a>(before: &'a [Arc<Object>], now: &[Arc<Object>]) -> Vec<&'a Arc<Object>> {
    let same: HashSet<*const Object> = now.iter().map(Arc::as_ptr).collect();
    before.iter().filter(|object| !same.contains(&Arc::as_ptr(object))).collect()
}

/// Returns which of the replaced objects are gone.
fn gone(kind: Kind, replaced: &[&Arc<Object>], now: &[Arc<Object>]) -> Vec<Key> {
    if replaced.is_empty() {
        return Vec::new();
    }
    let place = |object: &Arc<Object>| (object.namespace(), object.name_any());
    let there: HashSet<_> = now.iter().map(place).collect();
    let gone = replaced.iter().filter(|object| !there.contains(&place(object)));
    gone.map(|object| object.key(kind)).collect()
}

/// Reports the Secrets of one namespace, or of all, that have our label, for ever. Their values are never asked for.
pub(crate) async fn look(client: Client, namespace: Option<String>, engine: UnboundedSender<Message>) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Secret"), "secrets");
    let api: Api<PartialObjectMeta<DynamicObject>> = api(&client, namespace.as_deref(), &resource);
    let config = watcher::Config::default().labels(&format!("{LABEL}=true"));
    let mut stream = pin!(watch(api, config).default_backoff());
    let (mut known, mut listed) = (HashSet::new(), HashSet::new());
    let (mut failed, mut awaited) = (false, true);
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(
                        "Secrets cannot be watched, so what other hands change is not seen: {error}"
                    );
                }
                // There is no list to wait for.
                if is_denied(&error)
                    && std::mem::take(&mut awaited)
                    && engine.send(none_listed(&namespace)).is_err()
                {
                    return;
                }
                continue;
            }
        };
        failed = false;
        let told = match event {
            Event::Init => {
                listed.clear();
                Ok(())
            }
            Event::InitApply(secret) => {
                let place = place(&secret);
                listed.insert(place.clone());
                engine.send(Message::Seen(Sighting { listed: true, ..sighting(&secret, place, true) }))
            }
            Event::Apply(secret) => {
                let place = place(&secret);
                known.insert(place.clone());
                engine.send(Message::Seen(sighting(&secret, place, true)))
            }
            Event::Delete(secret) => {
                let place = place(&secret);
                known.remove(&place);
                engine.send(Message::Seen(sighting(&secret, place, false)))
            }
            Event::InitDone => {
                // These were deleted while nothing was watched.
                let gone: Vec<_> = known.difference(&listed).cloned().collect();
                known = std::mem::take(&mut listed);
                let told = gone.into_iter().try_for_each(|(namespace, name)| {
                    engine.send(Message::Seen(Sighting {
                        namespace,
                        name,
                        owner: None,
                        version: None,
                        gone: true,
                        listed: true,
                    }))
                });
                match std::mem::take(&mut awaited) {
                    true => told.and_then(|()| engine.send(none_listed(&namespace))),
                    false => told,
                }
            }
        };
        if told.is_err() {
            return;
        }
    }
}

/// Returns whether the rights to list Secrets are missing.
fn is_denied(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::InitialListFailed(kube::Error::Api(status)) if status.code == 403)
}

/// Says that the first list of Secrets is over. It names no definitions.
fn none_listed(namespace: &Option<String>) -> Message {
    Message::Listed((None, namespace.clone()), BTreeSet::new())
}

fn place(secret: &PartialObjectMeta<DynamicObject>) -> Place {
    let text = |part: &Option<String>| part.as_deref().unwrap_or_default().into();
    (text(&secret.metadata.namespace), text(&secret.metadata.name))
}

fn sighting(secret: &PartialObjectMeta<DynamicObject>, (namespace, name): Place, is_there: bool) -> Sighting {
    let owner = secret.annotations().get(OWNER).map(|owner| owner.as_str().into());
    let version = secret.metadata.resource_version.as_deref().map(Into::into);
    Sighting { namespace, name, owner, version, gone: !is_there, listed: false }
}
