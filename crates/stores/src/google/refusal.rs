//! Explains the refusals of Google's services.

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::tree::Tree;

use crate::http::Answer;
use crate::rest::Refusal;

pub(super) fn of(answer: &Answer) -> Refusal {
    Refusal::of(answer, "status")
}

/// Returns the reason of a 403 that does not come from a policy.
fn reason(refusal: &Refusal) -> Option<&str> {
    let details = refusal.error.get("details").and_then(Tree::as_list).unwrap_or_default();
    details.iter().find_map(|detail| detail.get("reason").and_then(Tree::as_str))
}

/// Explains a refusal.
pub(super) fn explained(refusal: &Refusal, service: &str) -> Failure {
    if refusal.code == "RESOURCE_EXHAUSTED" {
        return refusal.throttled(service);
    }
    if let Some(failure) = refusal.in_general(service, super::WHOSE) {
        return failure;
    }
    let words = refusal.words();
    let (kind, why) = match refusal.code.as_str() {
        "NOT_FOUND" => {
            return Failure::new(FailureKind::Missing, format!("{service} does not have it{words}"));
        }
        "FAILED_PRECONDITION" if refusal.message.contains("DESTROYED") => (
            FailureKind::Missing,
            format!("its version is destroyed in {service}; add another, or change the path"),
        ),
        "FAILED_PRECONDITION" if refusal.message.contains("DISABLED") => (
            FailureKind::Missing,
            format!("its version is disabled in {service}; enable it, or change the path"),
        ),
        "PERMISSION_DENIED" if reason(refusal) == Some("SERVICE_DISABLED") => (
            FailureKind::Denied,
            format!("{service} is not enabled{words}; enable secretmanager.googleapis.com for the project"),
        ),
        "PERMISSION_DENIED" => (
            FailureKind::Denied,
            format!("{service} denies it{words}; grant roles/secretmanager.secretAccessor on the secret"),
        ),
        _ if refusal.status == 401 => {
            (FailureKind::Refused, format!("{service} does not take the token{words}; check the credentials"))
        }
        _ => return Failure::new(FailureKind::Rejected, format!("{service}: {}{words}", refusal.code)),
    };
    Failure::advised(kind, why)
}
