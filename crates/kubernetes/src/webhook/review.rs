//! A review of the API server, and its answer: bytes in, bytes out, nothing else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::inject::{Outcome, Request, inject};
use crate::patch::patch;
use crate::settings::Settings;

/// The versions of reviews. Each is answered in the same version.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// The pod was changed; `kind` is the word of vault-k8s' metric.
    Injected { kind: &'static str },
    /// It is admitted as it is.
    Untouched,
    /// It is not admitted.
    Refused,
}

impl Decision {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Injected { .. } => "injected",
            Self::Untouched => "untouched",
            Self::Refused => "refused",
        }
    }
}

/// What is logged and counted about a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) decision: Decision,
    pub(super) reason: String,
    pub(super) warnings: usize,
}

/// The answer to a review.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) record: Record,
}

/// Why bytes are no review. Its text quotes nothing of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReview {
    /// They are no JSON; with the parser's words.
    NoJson(String),
    /// They are an object of another kind or version.
    AnotherKind,
}

impl fmt::Display for NoReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJson(why) => write!(f, "the body is no JSON: {why}"),
            Self::AnotherKind => {
                f.write_str("the body is no AdmissionReview of admission.k8s.io/v1 or v1beta1")
            }
        }
    }
}

impl std::error::Error for NoReview {}

/// Answers a review.
///
/// # Errors
/// [`NoReview`] for other bytes.
pub(super) fn answer(bytes: &[u8], settings: &Settings) -> Result<Answer, NoReview> {
    let review: Value = serde_json::from_slice(bytes).map_err(|error| NoReview::NoJson(error.to_string()))?;
    let version = review["apiVersion"].as_str().unwrap_or_default();
    let request = &review["request"];
    let known = VERSIONS.contains(&version) && review["kind"] == "AdmissionReview";
    let Some(uid) = request["uid"].as_str().filter(|_| known) else {
        return Err(NoReview::AnotherKind);
    };
    let (mut response, record) = decide(request, uid, settings);
    response["uid"] = json!(uid);
    let review = json!({"apiVersion": version, "kind": "AdmissionReview", "response": response});
    Ok(Answer { body: review.to_string().into_bytes(), record })
}

fn decide(request: &Value, uid: &str, settings: &Settings) -> (Value, Record) {
    let pod = &request["object"];
    let namespace = request["namespace"].as_str().unwrap_or("default");
    let record = |decision: Decision, reason: String, warnings: usize| Record {
        uid: uid.to_owned(),
        namespace: namespace.to_owned(),
        pod: name(pod).to_owned(),
        decision,
        reason,
        warnings,
    };
    let untouched = |why: &str| (json!({"allowed": true}), record(Decision::Untouched, why.to_owned(), 0));
    if request["operation"].as_str().is_some_and(|operation| operation != "CREATE") {
        return untouched("only new pods are injected");
    }
    match inject(pod, Request { namespace }, settings) {
        Ok(Outcome::Untouched(why)) => untouched(why),
        Ok(Outcome::Injected { pod: changed, warnings }) => {
            let response = injected(pod, &changed, &warnings);
            let decision = Decision::Injected { kind: kind(&changed) };
            (response, record(decision, warnings.join(" | "), warnings.len()))
        }
        Err(refusal) => {
            let message = format!("leasehold: {refusal}");
            let response =
                json!({"allowed": false, "status": {"code": 403, "reason": "Forbidden", "message": message}});
            (response, record(Decision::Refused, refusal.to_string(), 0))
        }
    }
}

fn injected(before: &Value, after: &Value, warnings: &[String]) -> Value {
    let operations = patch(before, after).to_string();
    let mut response =
        json!({"allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(operations)});
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    response
}

/// Returns the name of a pod. A pod that a controller makes has no name yet.
fn name(pod: &Value) -> &str {
    let metadata = &pod["metadata"];
    metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).unwrap_or_default()
}

/// Returns vault-k8s' word for what was added.
fn kind(pod: &Value) -> &'static str {
    let has = |list: &str, names: [&str; 2]| {
        let all = pod["spec"][list].as_array().into_iter().flatten();
        all.filter_map(|container| container["name"].as_str()).any(|name| names.contains(&name))
    };
    let init = has("initContainers", ["vault-agent-init", "leasehold-init"]);
    let sidecar = has("containers", ["vault-agent", "leasehold"]);
    match (init, sidecar) {
        (true, true) => "init_and_sidecar",
        (true, false) => "init_only",
        (false, true) => "sidecar_only",
        (false, false) => "native_sidecar",
    }
}
