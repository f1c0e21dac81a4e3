//! The kinds of objects that are watched. Users of secrets-manager have only its kind, and a kind may be defined later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::definition::Kind;
use super::desk::{List, Message};
use super::reconcile::Context;
use super::watch::{self, Unlisted};

/// The pause after an answer that says nothing about a kind.
const AGAIN: Duration = Duration::from_secs(5);
/// The pause between two looks for a kind that cannot be listed yet.
const LATER: Duration = Duration::from_secs(30);

/// The objects of one kind, in a namespace or in all.
struct Watched {
    context: Arc<Context>,
    namespace: Option<String>,
}

impl Watched {
    fn list(&self) -> List {
        (Some(self.context.kind), self.namespace.clone())
    }

    fn start(&self) {
        let client = self.context.cluster.client();
        let control = watch::control(client, self.namespace.clone(), Arc::clone(&self.context));
        tokio::task::spawn_local(control);
    }

    /// Tells the hub that this list is not to be waited for; whether that is since the right is missing.
    fn unlist(&self, why: &Unlisted) {
        // The receiver is gone if the run is ending.
        let denied = matches!(why, Unlisted::Denied(_));
        let _sent = self.context.engine.send(Message::Unlisted(self.list(), denied));
    }

    /// Logs why it is not watched, and tells the hub whether its list is to be waited for.
    fn tell(&self, why: &Unlisted) {
        let within = self.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        let which = format!("objects of the kind {}{within}", self.context.kind.name());
        match why {
            Unlisted::Absent(why) => tracing::info!("{which} are not synced: {why}"),
            // Objects that are named as watched are there, as far as anybody knows.
            Unlisted::Denied(why) if self.namespace.is_some() => {
                tracing::warn!("{which} are not synced: {why}")
            }
            Unlisted::Denied(why) => tracing::info!("{which} are not synced: {why}"),
            Unlisted::Unknown(why) => {
                let pause = AGAIN.as_secs();
                tracing::warn!("{which} cannot be listed, tried again in {pause} s: {why}");
                return;
            }
        }
        self.unlist(why);
    }
}

/// Starts the watch of each kind in each of these namespaces, as soon as its objects can be listed there: a namespace that is
/// gone, or whose rights are missing, keeps no other one from being synced.
///
/// If nothing at all can be listed, the kind of secrets-manager is watched all the same: its watches try again and again.
pub(crate) async fn attend(namespaces: Vec<Option<String>>, contexts: [Arc<Context>; 2]) {
    let of = |context: &Arc<Context>| {
        let context = Arc::clone(context);
        namespaces.iter().cloned().map(move |namespace| Watched { context: Arc::clone(&context), namespace })
    };
    let mut missing: Vec<Watched> = contexts.iter().flat_map(of).collect();
    let all = missing.len();
    let (mut told, mut fallback) = (BTreeMap::new(), Vec::new());
    loop {
        let before = missing.len();
        let mut unlisted = begin(missing).await;
        // There is something to be ready for without the kind that may never come.
        if unlisted.len() < before {
            fallback.drain(..).for_each(|(watched, why): (Watched, Unlisted)| watched.unlist(&why));
        }
        let is_known = !unlisted.iter().any(|(_, why)| matches!(why, Unlisted::Unknown(_)));
        if is_known && unlisted.len() == all {
            let is_theirs = |(watched, _): &(Watched, _)| watched.context.kind == Kind::SecretDefinition;
            (fallback, unlisted) = unlisted.into_iter().partition(is_theirs);
            fallback.iter().for_each(|(watched, _)| watched.start());
        }
        for (watched, why) in &unlisted {
            if told.get(&watched.list()) != Some(why) {
                watched.tell(why);
                told.insert(watched.list(), why.clone());
            }
        }
        if unlisted.is_empty() {
            return;
        }
        missing = unlisted.into_iter().map(|(watched, _)| watched).collect();
        tokio::time::sleep(if is_known { LATER } else { AGAIN }).await;
    }
}

/// Starts the watches of what can be listed. Returns the rest, and why it cannot.
async fn begin(missing: Vec<Watched>) -> Vec<(Watched, Unlisted)> {
    let mut unlisted = Vec::new();
    for watched in missing {
        let Watched { context, namespace } = &watched;
        match watch::can_list(&context.cluster, context.kind, namespace.as_deref()).await {
            Ok(()) => watched.start(),
            Err(why) => unlisted.push((watched, why)),
        }
    }
    unlisted
}
