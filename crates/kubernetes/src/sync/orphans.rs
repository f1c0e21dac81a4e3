//! What a definition that is deleted has in its namespace: its Secrets, also under former names, and other definitions that ask
//! for the same Secret.

use std::time::Duration;

use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, ObjectList, PartialObjectMeta};
use kube::{Api, ResourceExt as _};

use super::definition::Key;
use super::object::Object;
use super::publisher::Unpublished;
use super::reconcile::target;
use super::secret::{LABEL, OWNER};
use crate::cluster::Cluster;

/// An API server that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// Returns the names of the Secrets that name this definition as their owner. Without the right to list Secrets, none is known.
///
/// # Errors
/// [`Unpublished`] if the API server does not say.
pub(crate) async fn secrets_of(cluster: &Cluster, key: &Key) -> Result<Vec<String>, Unpublished> {
    let owner = key.owner();
    match labelled(cluster, &key.namespace, &format!("{LABEL}=true")).await {
        Ok(all) => {
            let own = all.iter().filter(|secret| secret.annotations().get(OWNER) == Some(&owner));
            Ok(own.map(|secret| secret.name_any()).collect())
        }
        Err(kube::Error::Api(status)) if status.code == 403 => {
            tracing::warn!(definition = %key, "Secrets of former names stay: grant list on secrets");
            Ok(Vec::new())
        }
        Err(error) => Err(failed("the Secrets", &error)),
    }
}

/// Returns the metadata of the Secrets of a namespace that a selector of labels names. Their values are never asked for.
pub(super) async fn labelled(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
) -> kube::Result<Vec<PartialObjectMeta<DynamicObject>>> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Secret"), "secrets");
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &resource);
    let (mut all, mut page) = (Vec::new(), ListParams::default().labels(selector).limit(PAGE));
    loop {
        let list: ObjectList<PartialObjectMeta<DynamicObject>> = within(api.list_metadata(&page)).await?;
        all.extend(list.items);
        match list.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(all),
        }
    }
}

/// Returns whether another definition of this kind, which is not being deleted, asks for the same Secret.
///
/// # Errors
/// [`Unpublished`] if the API server does not say.
pub(crate) async fn is_shared(cluster: &Cluster, key: &Key, name: &str) -> Result<bool, Unpublished> {
    let api: Api<Object> = Api::namespaced_with(cluster.client(), &key.namespace, &key.kind);
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = within(api.list(&page)).await.map_err(|error| failed("the definitions", &error))?;
        let asks = |object: &Object| {
            let other = object.key(key.kind);
            other != *key && !object.is_being_deleted() && target(&other, &object.read().1) == name
        };
        if list.items.iter().any(asks) {
            return Ok(true);
        }
        match list.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(false),
        }
    }
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(result) => result,
        Err(late) => Err(kube::Error::Service(late.into())),
    }
}

fn failed(what: &str, error: &kube::Error) -> Unpublished {
    Unpublished::Failed(format!("{what} of the namespace cannot be listed: {error}"))
}
