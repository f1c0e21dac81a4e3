//! Events for the definitions: the CRD in users' clusters has no status that could say the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use leasehold_base::clock;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::board::Note;
use super::statuses::{Statuses, date};
use crate::cluster::Cluster;

/// The longest message of an event that Kubernetes accepts.
const MOST: usize = 1000;

/// Posts the board's notes, one event after the other, until the board is gone. An event that is refused is lost: the
/// log says the same.
pub(crate) async fn tell(cluster: Arc<Cluster>, mut notes: UnboundedReceiver<Note>) {
    let (mut refused, mut said, mut statuses) = (BTreeSet::new(), false, Statuses::default());
    loop {
        let note = tokio::select! {
            note = notes.recv() => note,
            () = statuses.due() => {
                statuses.again(&cluster).await;
                continue;
            }
        };
        let Some(note) = note else { return };
        if note.status.is_some() {
            statuses.write(&cluster, note).await;
            continue;
        }
        if refused.contains(&note.key.namespace) {
            continue;
        }
        let path = format!("/api/v1/namespaces/{}/events", note.key.namespace);
        let answer = cluster.send(Method::POST, &path, &event(&note, clock::now().wall)).await;
        if answer.is_ok_and(|answer| answer.status == 403 && !answer.is_of_ending_namespace()) {
            if !std::mem::replace(&mut said, true) {
                tracing::warn!(
                    namespace = &*note.key.namespace,
                    "events cannot be made: grant create on events; the log has what they would say"
                );
            }
            // The right may be there in other namespaces.
            refused.insert(note.key.namespace);
        }
    }
}

fn event(note: &Note, wall: i64) -> Value {
    let time = date(wall);
    let text: String = note.text.chars().take(MOST).collect();
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"generateName": "leasehold-sync-", "namespace": &*note.key.namespace},
        "involvedObject": {
            "apiVersion": format!("{}/v1alpha1", note.key.kind.group()), "kind": note.key.kind.name(),
            "namespace": &*note.key.namespace, "name": &*note.key.name, "uid": note.uid,
        },
        "type": if note.warning { "Warning" } else { "Normal" },
        "reason": note.reason, "message": text, "count": 1,
        "firstTimestamp": time, "lastTimestamp": time,
        "source": {"component": "leasehold-sync"},
    })
}
