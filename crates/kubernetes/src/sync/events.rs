//! Events for the definitions: the CRD in users' clusters has no status that could say the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use leasehold_base::clock;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::board::{Note, Restart, Status};
use crate::cluster::Cluster;

/// The longest message of an event that Kubernetes accepts.
const MOST: usize = 1000;

/// Posts the board's notes, one event after the other, until the board is gone. An event that is refused is lost: the
/// log says the same.
pub(crate) async fn tell(cluster: Arc<Cluster>, mut notes: UnboundedReceiver<Note>) {
    let (mut refused, mut said) = (BTreeSet::new(), false);
    while let Some(note) = notes.recv().await {
        if let Some(status) = &note.status {
            tell_status(&cluster, &note, status).await;
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

/// Writes the status of a SyncedSecret. If that fails, the next change of the status writes all of it.
async fn tell_status(cluster: &Cluster, note: &Note, status: &Status) {
    let now = date(clock::now().wall);
    let path = format!("{}/status", note.key.path());
    // Conditions that stay as they are keep their times, so the present status is read first.
    let before = match cluster.get(&path).await {
        Ok(answer) if answer.status == 200 => answer.body["status"].clone(),
        _ => Value::Null,
    };
    let next = status_of(note, status, &before, &now);
    if next == before {
        return;
    }
    let operations = json!([{"op": "add", "path": "/status", "value": next}]);
    match cluster.patch(&path, &operations).await {
        Ok(answer) if (200..300).contains(&answer.status) || answer.status == 404 => {}
        Ok(answer) => tracing::warn!(definition = %note.key, "its status is not written: {}", answer.words()),
        Err(away) => tracing::warn!(definition = %note.key, "its status is not written: {away}"),
    }
}

/// Returns the new status. A condition that stays as it is keeps its time.
fn status_of(note: &Note, status: &Status, before: &Value, now: &str) -> Value {
    let condition = |kind: &str, holds: bool, reason: &str, text: &str| {
        let state = if holds { "True" } else { "False" };
        let old = before["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == kind);
        let since =
            old.filter(|one| one["status"] == state).and_then(|one| one["lastTransitionTime"].as_str());
        json!({
            "type": kind, "status": state, "reason": reason, "message": text,
            "lastTransitionTime": since.unwrap_or(now), "observedGeneration": status.generation,
        })
    };
    let usable = if status.ready {
        ("Usable", "there is a Secret whose values can be used")
    } else {
        (note.reason, note.text.as_str())
    };
    let mut next = json!({
        "observedGeneration": status.generation, "secret": status.secret,
        "conditions": [
            condition("Ready", status.ready, usable.0, usable.1),
            condition("Synced", status.synced, note.reason, &note.text),
        ],
    });
    let restart = status.restart.as_ref().map(|restart| match restart {
        Restart::UnderWay => (false, "UnderWay", "the workloads that read the Secret are being restarted"),
        Restart::Done => (true, "Restarted", "the workloads that read the Secret have its values"),
        Restart::Failed(why) => (false, "NotRestarted", why.as_str()),
    });
    // A new leader that has restarted nothing yet keeps what the leader before it wrote.
    let said = before["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == "Restarted");
    let restarted =
        restart.map(|(holds, reason, text)| condition("Restarted", holds, reason, text)).or(said.cloned());
    if let (Some(one), Some(all)) = (restarted, next["conditions"].as_array_mut()) {
        all.push(one);
    }
    if let Some(expires) = status.expires {
        next["expiresAt"] = json!(date(expires));
    }
    if let Some(lease) = &status.lease {
        next["renewedAt"] = json!(date(lease.renewed));
        next["accessor"] = json!(lease.accessor);
    }
    next
}

fn date(wall: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(wall).unwrap_or(0));
    humantime::format_rfc3339_seconds(time).to_string()
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
