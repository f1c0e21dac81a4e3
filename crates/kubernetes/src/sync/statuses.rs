//! The status of SyncedSecrets. One that could not be written is written later, unless a newer one takes its place.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, UNIX_EPOCH};

use leasehold_base::clock;
use leasehold_base::time::Moment;
use serde_json::{Value, json};

use super::board::{Note, Restart, Status};
use super::definition::Key;
use crate::cluster::{Away, Cluster};

/// The pause before what was not written is tried again. It doubles as long as nothing can be written.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);

/// The statuses that are not written yet.
#[derive(Default)]
pub(crate) struct Statuses {
    /// Each with the reason that was logged.
    unwritten: BTreeMap<Key, (Note, String)>,
    pause: Duration,
    again: Option<Moment>,
    /// The object at which the API server did not answer the last time. Something about it may be the cause.
    stuck: Option<Key>,
}

/// Why a status is not written.
enum Unwritten {
    /// The API server does not answer, so that it answers for no other object either.
    Away(String),
    Refused(String),
}

impl From<Away> for Unwritten {
    fn from(away: Away) -> Self {
        Self::Away(away.to_string())
    }
}

impl Statuses {
    /// Writes a status. An earlier one of the same object is outdated by it.
    pub(crate) async fn write(&mut self, cluster: &Cluster, note: Note) {
        let before = self.unwritten.remove(&note.key).map(|(_, why)| why);
        if let Err(Unwritten::Away(why) | Unwritten::Refused(why)) = write(cluster, &note).await {
            self.keep(note, why, before.as_deref());
            self.plan(LEAST);
        }
    }

    /// Ends when what was not written is to be tried again, or never.
    pub(crate) async fn due(&self) {
        match self.again {
            Some(at) => tokio::time::sleep(clock::moment().until(at)).await,
            None => std::future::pending().await,
        }
    }

    /// Tries again to write what was not written.
    pub(crate) async fn again(&mut self, cluster: &Cluster) {
        self.again = None;
        let (mut left, mut wrote) = (std::mem::take(&mut self.unwritten), false);
        let mut order: VecDeque<Key> = left.keys().cloned().collect();
        if let Some(stuck) = self.stuck.take() {
            let before = order.partition_point(|key| *key <= stuck);
            order.rotate_left(before);
        }
        for key in order {
            let Some((note, before)) = left.remove(&key) else { continue };
            match write(cluster, &note).await {
                Ok(()) => wrote = true,
                Err(Unwritten::Refused(why)) => self.keep(note, why, Some(&before)),
                Err(Unwritten::Away(_)) => {
                    self.unwritten.insert(key.clone(), (note, before));
                    self.stuck = Some(key);
                    break;
                }
            }
        }
        self.unwritten.append(&mut left);
        if !self.unwritten.is_empty() {
            self.plan(if wrote { LEAST } else { (self.pause * 2).min(MOST) });
        }
    }

    fn keep(&mut self, note: Note, why: String, before: Option<&str>) {
        if before != Some(&*why) {
            tracing::warn!(definition = %note.key, "its status is not written, tried again later: {why}");
        }
        self.unwritten.insert(note.key.clone(), (note, why));
    }

    fn plan(&mut self, pause: Duration) {
        if self.again.is_none() {
            (self.pause, self.again) = (pause, Some(clock::moment().after(pause)));
        }
    }
}

/// Writes the status of a SyncedSecret, if it is another than the present one.
async fn write(cluster: &Cluster, note: &Note) -> Result<(), Unwritten> {
    let Some(status) = &note.status else { return Ok(()) };
    let now = date(clock::now().wall);
    let path = format!("{}/status", note.key.path());
    // Conditions that stay as they are keep their times, and what only an earlier leader knew stays. So nothing is written
    // before the present status is known.
    let found = cluster.get(&path).await?;
    let before = match found.status {
        // Another object of the same name has a status of its own.
        200 if found.body["metadata"]["uid"] != json!(note.uid) => return Ok(()),
        200 => found.body["status"].clone(),
        404 => return Ok(()),
        _ => return Err(Unwritten::Refused(found.words())),
    };
    let next = status_of(note, status, &before, &now);
    if next == before {
        return Ok(());
    }
    // The object may have been made anew since it was read.
    let operations = json!([
        {"op": "test", "path": "/metadata/uid", "value": note.uid},
        {"op": "add", "path": "/status", "value": next},
    ]);
    let answer = cluster.patch(&path, &operations).await?;
    match answer.status {
        200..300 | 404 => Ok(()),
        _ => Err(Unwritten::Refused(answer.words())),
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

/// Returns a time as Kubernetes writes it.
pub(super) fn date(wall: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(wall).unwrap_or(0));
    humantime::format_rfc3339_seconds(time).to_string()
}
