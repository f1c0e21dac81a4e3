//! How far a rollout has got, according to the status of the workload.

use serde_json::Value;

use super::Workload;

/// How far a rollout has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No pod of the former template is left.
    Done,
    /// It goes on.
    Running,
    /// It does not go on by itself: why, and what to do.
    Stuck(String),
}

impl Progress {
    /// Reads the progress from the workload that the API server has.
    pub(crate) fn of(kind: Workload, workload: &Value) -> Self {
        let (spec, status) = (&workload["spec"], &workload["status"]);
        if kind == Workload::Deployment && spec["paused"] == true {
            return Self::Stuck("it is paused; resume it with kubectl rollout resume".to_owned());
        }
        // With OnDelete only a deletion restarts its pods, and that is what its owner wants.
        if spec["updateStrategy"]["type"] == "OnDelete" {
            return Self::Done;
        }
        let number = |value: &Value| value.as_i64().unwrap_or_default();
        if number(&status["observedGeneration"]) < number(&workload["metadata"]["generation"]) {
            return Self::Running;
        }
        let failed = status["conditions"].as_array().into_iter().flatten().find(|one| {
            one["type"] == "Progressing"
                && one["status"] == "False"
                && one["reason"] == "ProgressDeadlineExceeded"
        });
        if failed.is_some() {
            return Self::Stuck(
                "its rollout has passed its progress deadline; see kubectl rollout status".to_owned(),
            );
        }
        let is_done = match kind {
            Workload::DaemonSet => {
                let wanted = number(&status["desiredNumberScheduled"]);
                number(&status["updatedNumberScheduled"]) >= wanted
                    && number(&status["numberAvailable"]) >= wanted
            }
            Workload::Deployment => {
                let wanted = spec["replicas"].as_i64().unwrap_or(1);
                let updated = number(&status["updatedReplicas"]);
                updated >= wanted
                    && number(&status["replicas"]) <= updated
                    && number(&status["availableReplicas"]) >= updated
            }
            Workload::StatefulSet => {
                let wanted = spec["replicas"].as_i64().unwrap_or(1);
                let kept = number(&spec["updateStrategy"]["rollingUpdate"]["partition"]).min(wanted);
                let whole = kept > 0 || status["updateRevision"] == status["currentRevision"];
                number(&status["updatedReplicas"]) >= wanted - kept
                    && number(&status["readyReplicas"]) >= wanted
                    && whole
            }
        };
        if is_done { Self::Done } else { Self::Running }
    }
}
