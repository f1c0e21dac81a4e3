//! Restarts workloads through the API server: changes are gathered, and a namespace has one rollout at a time.
//!
//! Namespaces do not wait for each other: a rollout that does not end would keep every other tenant's old lease.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use leasehold_base::clock;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{Progress, Readers, Stamp, Stamps, Which, Workload, covers, patch};
use crate::cluster::{Away, Cluster};

/// The pause between two looks at a rollout.
const LOOK: Duration = Duration::from_secs(1);
/// A rollout that has not ended by then is given up, and others of its namespace go on. It is Kubernetes' own
/// deadline.
const PATIENCE: Duration = Duration::from_secs(600);
/// The number of workloads in one answer to a list.
const PAGE: usize = 50;

/// Restarts workloads. Clones share their order.
#[derive(Clone)]
pub(crate) struct Restarter {
    cluster: Arc<Cluster>,
    lines: Rc<RefCell<BTreeMap<String, Rc<Line>>>>,
}

/// Why a workload is not restarted.
#[derive(Debug)]
enum Unrestarted {
    Away(Away),
    /// The API server's answer, which is not quoted.
    Refused {
        verb: &'static str,
        kind: Workload,
        status: u16,
    },
    /// Its rollout cannot go on.
    Stuck(String),
    /// Its rollout goes on for too long.
    Endless,
}

impl fmt::Display for Unrestarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(away) => away.fmt(f),
            Self::Refused { verb, kind, status: 403 } => write!(
                f,
                "the API server does not let the controller {verb} it; grant get, list and patch on {} in apps",
                kind.plural()
            ),
            Self::Refused { verb, status, .. } => write!(f, "the API server does not {verb} it ({status})"),
            Self::Stuck(why) => f.write_str(why),
            Self::Endless => f.write_str("its rollout does not end; see kubectl rollout status"),
        }
    }
}

impl From<Away> for Unrestarted {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

/// The rollouts of one namespace.
#[derive(Default)]
struct Line {
    /// Held while a rollout is under way.
    turn: Mutex<()>,
    /// The changes that readers were not restarted for. One restart serves all of them, including those that came
    /// while it waited.
    owed: RefCell<BTreeMap<Readers, Stamps>>,
    /// Rollouts that were given up.
    given_up: RefCell<BTreeSet<(Workload, String)>>,
}

impl Restarter {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, lines: Rc::default() }
    }

    /// Records that a Secret has changed, and that these readers have to be restarted for it.
    pub(crate) fn owe(&self, readers: &Readers, secret: &str, stamp: Stamp) {
        let line = self.line(readers);
        line.owed.borrow_mut().entry(readers.clone()).or_default().insert(secret.to_owned(), stamp);
    }

    /// Records that these readers were restarted for the change of a Secret, or need not be any more.
    pub(crate) fn forget(&self, readers: &Readers, secret: &str, stamp: Stamp) {
        let line = self.line(readers);
        let mut owed = line.owed.borrow_mut();
        let Some(stamps) = owed.get_mut(readers) else { return };
        if stamps.get(secret) == Some(&stamp) {
            stamps.remove(secret);
        }
        if stamps.is_empty() {
            owed.remove(readers);
        }
    }

    fn line(&self, readers: &Readers) -> Rc<Line> {
        Rc::clone(self.lines.borrow_mut().entry(readers.namespace.clone()).or_default())
    }

    /// Restarts these workloads for changes of Secrets that are in Kubernetes by now, and waits until none of their
    /// pods has the former values.
    ///
    /// # Errors
    /// Says which workload is not restarted, why, and what to do.
    pub(crate) async fn restart(
        &self,
        readers: Readers,
        stamps: Stamps,
        wait: Duration,
    ) -> Result<(), String> {
        if stamps.is_empty() {
            return Ok(());
        }
        let line = self.line(&readers);
        tokio::time::sleep(wait).await;
        let mut failed = Vec::new();
        for name in self.names(&readers).await.map_err(|why| why.to_string())? {
            let turn = line.turn.lock().await;
            if let Err(why) = self.roll(&line, &readers, &name, &stamps).await {
                failed.push(format!("the {} {name} is not restarted: {why}", readers.kind.name()));
            }
            drop(turn);
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }

    /// Returns the names of the workloads that exist.
    async fn names(&self, readers: &Readers) -> Result<Vec<String>, Unrestarted> {
        if let Which::Name(name) = &readers.which {
            return Ok(vec![name.clone()]);
        }
        let query: String =
            url::form_urlencoded::byte_serialize(readers.which.selector().as_bytes()).collect();
        let (mut names, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("{}?limit={PAGE}&labelSelector={query}&continue={next}", collection(readers));
            let answer = self.cluster.get(&path).await?;
            match answer.status {
                200 => {}
                // The list has changed too much to be continued.
                410 if !next.is_empty() => {
                    (names, next) = (Vec::new(), String::new());
                    continue;
                }
                status => return Err(Unrestarted::Refused { verb: "list", kind: readers.kind, status }),
            }
            let items = answer.body["items"].as_array().into_iter().flatten();
            names.extend(items.filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)));
            let token = answer.body["metadata"]["continue"].as_str().unwrap_or_default();
            if token.is_empty() {
                return Ok(names);
            }
            next = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        }
    }

    /// Restarts a workload, unless that was done for the same changes, and waits for the end of its rollout.
    async fn roll(
        &self,
        line: &Line,
        readers: &Readers,
        name: &str,
        stamps: &Stamps,
    ) -> Result<(), Unrestarted> {
        let (kind, path) = (readers.kind, format!("{}/{name}", collection(readers)));
        let place = (kind, name.to_owned());
        let Some(live) = self.read(&path, kind).await? else { return Ok(()) };
        let done = covers(&live, stamps);
        if !done {
            let now =
                humantime::format_rfc3339_seconds(std::time::SystemTime::UNIX_EPOCH + wall()).to_string();
            let change = patch(&live, &line.gathered(kind, &live, stamps), &now);
            let answer = self.cluster.merge(&path, &change).await?;
            match answer.status {
                200..300 => {
                    tracing::info!(workload = %format!("{} {}/{name}", kind.name(), readers.namespace), "restarted")
                }
                404 => return Ok(()),
                status => return Err(Unrestarted::Refused { verb: "patch", kind, status }),
            }
            line.given_up.borrow_mut().remove(&place);
        }
        let patient = !line.given_up.borrow().contains(&place);
        let end = clock::moment().after(if patient { PATIENCE } else { Duration::ZERO });
        loop {
            // A workload that was deleted has no pods.
            let progress =
                self.read(&path, kind).await?.map_or(Progress::Done, |live| Progress::of(kind, &live));
            let why = match progress {
                Progress::Done => {
                    line.given_up.borrow_mut().remove(&place);
                    return Ok(());
                }
                Progress::Stuck(why) => Unrestarted::Stuck(why),
                Progress::Running if clock::moment() < end => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Progress::Running => Unrestarted::Endless,
            };
            line.given_up.borrow_mut().insert(place);
            return Err(why);
        }
    }

    async fn read(&self, path: &str, kind: Workload) -> Result<Option<Value>, Unrestarted> {
        let answer = self.cluster.get(path).await?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            status => Err(Unrestarted::Refused { verb: "get", kind, status }),
        }
    }
}

impl Line {
    /// Returns all changes that this workload has to be restarted for; for each Secret the last one.
    fn gathered(&self, kind: Workload, live: &Value, asked: &Stamps) -> Stamps {
        let mut all = asked.clone();
        for (_, stamps) in self.owed.borrow().iter().filter(|(readers, _)| readers.include(kind, live)) {
            for (secret, stamp) in stamps {
                let last = all.entry(secret.clone()).or_default();
                *last = (*last).max(*stamp);
            }
        }
        all
    }
}

fn collection(readers: &Readers) -> String {
    format!("/apis/apps/v1/namespaces/{}/{}", readers.namespace, readers.kind.plural())
}

fn wall() -> Duration {
    Duration::from_secs(u64::try_from(clock::now().wall).unwrap_or(0))
}
