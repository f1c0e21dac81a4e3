//! What a refusal of Azure Key Vault means.

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::tree::Tree;
use url::Url;

use crate::http::{Answer, place};
use crate::rest::Refusal;

pub(super) fn of(answer: &Answer) -> Refusal {
    Refusal::of(answer, "code")
}

pub(super) fn is_missing(refusal: &Refusal) -> bool {
    refusal.status == 404 && refusal.code == "SecretNotFound"
}

/// Explains a refusal.
pub(super) fn explained(refusal: &Refusal, vault: &Url) -> Failure {
    let (vault, words) = (place(vault), refusal.words());
    if refusal.status == 401 {
        let why = format!("{vault} does not take the token{words}; check the tenant of the identity");
        return Failure::advised(FailureKind::Refused, why);
    }
    if let Some(failure) = refusal.in_general(&vault, super::WHOSE) {
        return failure;
    }
    // Azure gives the reason of a 403 in the inner error.
    let inner = refusal.error.get("innererror").and_then(|inner| inner.get("code"));
    let (kind, why) = match (refusal.status, inner.and_then(Tree::as_str).unwrap_or_default()) {
        _ if is_missing(refusal) => {
            return Failure::new(FailureKind::Missing, format!("{vault} does not have it"));
        }
        (403, "SecretDisabled") => {
            (FailureKind::Missing, format!("it is disabled in {vault}; enable it, or change the path"))
        }
        (403, "SecretExpired") => {
            (FailureKind::Missing, format!("it has expired in {vault}; write it anew, or change the path"))
        }
        (403, "SecretNotYetValid") => {
            (FailureKind::Missing, format!("it is not valid yet in {vault}; wait, or change the path"))
        }
        (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => (
            FailureKind::Denied,
            format!(
                "{vault} does not let this address in{words}; allow it in the vault's firewall, or use a private endpoint"
            ),
        ),
        (403, _) => (
            FailureKind::Denied,
            format!("{vault} denies it{words}; assign the role Key Vault Secrets User to the identity"),
        ),
        _ => return Failure::new(FailureKind::Rejected, format!("{vault}: {}{words}", refusal.code)),
    };
    Failure::advised(kind, why)
}
