//! Which workloads are restarted when a Secret changes, and how far their rollouts have got. Pure.
//!
//! A stamp in the Secret itself identifies a change (see `secret`). A workload that was restarted for the change
//! carries the stamp in its pod template. So a leader that ends between any two writes leaves the rest to the next
//! leader, and nothing is restarted twice.

mod progress;
pub(crate) mod rollout;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use progress::Progress;

use super::definition::target_name;
use crate::refusal::{Refusal, shown};

/// The annotation that `kubectl rollout restart` writes.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// The annotation with the changes of Secrets that a workload was last restarted for.
const FOR: &str = "leasehold.dev/restarted-for";
/// How long changes are gathered, unless the object names a time.
const WAIT: Duration = Duration::from_secs(10);
/// The longest such time: an old lease waits for it.
const LONGEST: Duration = Duration::from_secs(600);
/// The most entries that one object may have.
const MOST: usize = 20;

/// When a Secret's values changed, in microseconds since 1970. It grows with each change of one Secret.
pub(crate) type Stamp = u64;

/// The last change of each Secret, by the Secret's name.
pub(crate) type Stamps = BTreeMap<String, Stamp>;

/// A kind of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Workload {
    DaemonSet,
    Deployment,
    StatefulSet,
}

impl Workload {
    const ALL: [Self; 3] = [Self::DaemonSet, Self::Deployment, Self::StatefulSet];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DaemonSet => "DaemonSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }

    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::DaemonSet => "daemonsets",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
        }
    }
}

/// Which workloads of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Which {
    Name(String),
    /// All workloads with these labels.
    Labels(BTreeMap<String, String>),
}

/// Workloads of one namespace that are restarted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Readers {
    pub(crate) namespace: String,
    pub(crate) kind: Workload,
    pub(crate) which: Which,
}

impl fmt::Display for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, kind, which } = self;
        match which {
            Which::Name(name) => write!(f, "{} {namespace}/{name}", kind.name()),
            Which::Labels(_) => write!(f, "{}s of {namespace} with {}", kind.name(), which.selector()),
        }
    }
}

impl Which {
    /// Returns the labels as a query writes them.
    pub(crate) fn selector(&self) -> String {
        let Self::Labels(labels) = self else { return String::new() };
        labels.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(",")
    }
}

impl Readers {
    /// Returns whether a workload of the same namespace is one of them.
    pub(crate) fn include(&self, kind: Workload, workload: &Value) -> bool {
        let metadata = &workload["metadata"];
        self.kind == kind
            && match &self.which {
                Which::Name(name) => metadata["name"] == json!(name),
                Which::Labels(labels) => {
                    labels.iter().all(|(name, text)| metadata["labels"][name] == json!(text))
                }
            }
    }
}

/// What an object says about restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Restarts {
    pub(crate) readers: Vec<Readers>,
    /// How long changes are gathered first.
    pub(crate) wait: Duration,
}

impl Restarts {
    /// Reads `spec.restart` and `spec.wait`.
    ///
    /// # Errors
    /// [`Refusal`] for the first thing that is not possible.
    pub(crate) fn read(namespace: &str, spec: &Value) -> Result<Self, Refusal> {
        let entries = spec["restart"].as_array().map(Vec::as_slice).unwrap_or_default();
        if entries.len() > MOST {
            let what = format!("there are {} entries, and {MOST} at most are allowed", entries.len());
            return Err(Refusal::new("spec.restart", what, "select several workloads by their labels"));
        }
        let readers = entries.iter().enumerate().map(|(at, entry)| read(namespace, at, entry));
        Ok(Self { readers: readers.collect::<Result<_, _>>()?, wait: wait(&spec["wait"])? })
    }
}

fn read(namespace: &str, at: usize, entry: &Value) -> Result<Readers, Refusal> {
    let place = |field: &str| format!("spec.restart[{at}]{field}");
    let given = entry["kind"].as_str().unwrap_or_default();
    let kind = Workload::ALL.into_iter().find(|kind| kind.name() == given).ok_or_else(|| {
        let what = format!("{} is no kind that is restarted", shown(given));
        Refusal::new(place(".kind"), what, "write Deployment, StatefulSet or DaemonSet")
    })?;
    let which = match (entry["name"].as_str(), &entry["selector"]) {
        (Some(name), Value::Null) => Which::Name(target_name(name).ok_or_else(|| {
            let what = format!("{} is no name of a {given}", shown(name));
            Refusal::new(place(".name"), what, "name one of this namespace")
        })?),
        (None, selector @ Value::Object(_)) => Which::Labels(labels(selector, &place(".selector"))?),
        _ => {
            let what = "it needs one of `name` and `selector`";
            return Err(Refusal::new(place(""), what, "write one of the two"));
        }
    };
    Ok(Readers { namespace: namespace.to_owned(), kind, which })
}

fn labels(selector: &Value, place: &str) -> Result<BTreeMap<String, String>, Refusal> {
    if !selector["matchExpressions"].is_null() {
        let what = "`matchExpressions` is not taken";
        return Err(Refusal::new(place, what, "use matchLabels, or several entries"));
    }
    let given = selector["matchLabels"].as_object().filter(|labels| !labels.is_empty());
    let given = given.ok_or_else(|| {
        let what = "there are no matchLabels, which would be every workload of the namespace";
        Refusal::new(place, what, "name a label that only the readers of this Secret have")
    })?;
    // They become a part of a query, where a comma would begin another requirement.
    let plain = |text: &str| {
        text.len() <= 317
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
    };
    let mut labels = BTreeMap::new();
    for (name, text) in given {
        let text = text.as_str().filter(|text| plain(text) && plain(name) && !name.is_empty());
        let text = text.ok_or_else(|| {
            let what = format!("{} is no label", shown(name));
            Refusal::new(format!("{place}.matchLabels"), what, "write it like app: web")
        })?;
        labels.insert(name.clone(), text.to_owned());
    }
    Ok(labels)
}

fn wait(given: &Value) -> Result<Duration, Refusal> {
    let Some(text) = given.as_str() else { return Ok(WAIT) };
    humantime::parse_duration(text).ok().filter(|wait| *wait <= LONGEST).ok_or_else(|| {
        let what = format!("{} is no duration of {} m or less", shown(text), LONGEST.as_secs() / 60);
        Refusal::new("spec.wait", what, "write it like 10s or 1m")
    })
}

/// Returns the changes that a workload was restarted for.
fn restarted_for(workload: &Value) -> Stamps {
    let text = workload["spec"]["template"]["metadata"]["annotations"][FOR].as_str().unwrap_or_default();
    let entry = |entry: &str| {
        entry.split_once('=').and_then(|(name, stamp)| Some((name.to_owned(), stamp.parse().ok()?)))
    };
    text.split(',').filter_map(entry).collect()
}

/// Returns whether a workload was restarted for all of these changes, or later ones.
pub(crate) fn covers(workload: &Value, stamps: &Stamps) -> bool {
    let done = restarted_for(workload);
    stamps.iter().all(|(secret, stamp)| done.get(secret).is_some_and(|done| done >= stamp))
}

/// Returns what is merged into a workload to restart its pods for these changes.
pub(crate) fn patch(workload: &Value, stamps: &Stamps, now: &str) -> Value {
    let mut all = restarted_for(workload);
    all.extend(stamps.iter().map(|(secret, stamp)| (secret.clone(), *stamp)));
    let text: Vec<String> = all.iter().map(|(secret, stamp)| format!("{secret}={stamp}")).collect();
    json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now, FOR: text.join(",")}}}}})
}

#[cfg(test)]
mod tests;
