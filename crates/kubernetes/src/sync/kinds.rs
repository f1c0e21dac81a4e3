//! The kinds of objects that are watched. Users of secrets-manager have only its kind, and a kind may be defined later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::definition::Kind;
use super::desk::Message;
use super::reconcile::Context;
use super::watch::{self, Unlisted};

/// The pause after an answer that says nothing about a kind.
const AGAIN: Duration = Duration::from_secs(5);
/// The pause between two looks for a kind that cannot be listed yet.
const LATER: Duration = Duration::from_secs(30);

/// Starts the watches of each kind in these namespaces, as soon as its objects can be listed.
///
/// If no kind can be listed, that of secrets-manager is watched all the same: its watch tries again and again.
pub(crate) async fn attend(namespaces: Vec<Option<String>>, contexts: [Arc<Context>; 2]) {
    let mut missing: Vec<Arc<Context>> = contexts.into();
    let mut told = BTreeMap::new();
    let mut fallback: Option<(Arc<Context>, bool)> = None;
    loop {
        let mut unlisted = BTreeMap::new();
        let known = missing.len();
        for context in &missing {
            let first = namespaces.first().cloned().flatten();
            match watch::can_list(&context.cluster, context.kind, first.as_deref()).await {
                Ok(()) => start(&namespaces, context),
                Err(why) => drop(unlisted.insert(context.kind, why)),
            }
        }
        missing.retain(|context| unlisted.contains_key(&context.kind));
        // There is something to be ready for without the kind that may never come.
        if let Some((context, denied)) = fallback.take_if(|_| missing.len() < known) {
            unlist(&namespaces, &context, denied);
        }
        let is_known = !unlisted.values().any(|why| matches!(why, Unlisted::Unknown(_)));
        if is_known && missing.len() == Kind::ALL.len() {
            let context = missing.remove(0);
            start(&namespaces, &context);
            let denied = matches!(unlisted.get(&context.kind), Some(Unlisted::Denied(_)));
            fallback = Some((context, denied));
        }
        for context in &missing {
            let Some(why) = unlisted.remove(&context.kind) else { continue };
            if told.get(&context.kind) != Some(&why) {
                tell(&namespaces, context, &why);
                told.insert(context.kind, why);
            }
        }
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(if is_known { LATER } else { AGAIN }).await;
    }
}

fn start(namespaces: &[Option<String>], context: &Arc<Context>) {
    for namespace in namespaces {
        let control = watch::control(context.cluster.client(), namespace.clone(), Arc::clone(context));
        tokio::task::spawn_local(control);
    }
}

/// Logs why a kind is not watched, and tells the hub whether its lists are to be waited for.
fn tell(namespaces: &[Option<String>], context: &Context, why: &Unlisted) {
    let kind = context.kind;
    match why {
        Unlisted::Absent(why) | Unlisted::Denied(why) => {
            tracing::info!("objects of the kind {} are not synced: {why}", kind.name());
        }
        Unlisted::Unknown(why) => {
            let pause = AGAIN.as_secs();
            tracing::warn!(
                "objects of the kind {} cannot be listed, tried again in {pause} s: {why}",
                kind.name()
            );
            return;
        }
    }
    unlist(namespaces, context, matches!(why, Unlisted::Denied(_)));
}

/// Tells the hub that the lists of a kind are not to be waited for; whether that is since the right is missing.
fn unlist(namespaces: &[Option<String>], context: &Context, denied: bool) {
    for namespace in namespaces {
        // The receiver is gone if the run is ending.
        let _sent = context.engine.send(Message::Unlisted((Some(context.kind), namespace.clone()), denied));
    }
}
