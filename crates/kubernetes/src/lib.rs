//! Injects Leasehold into annotated pods of Kubernetes: a drop-in for vault-k8s.
//!
//! ```text
//!                       settings (AGENT_INJECT_*, YAML)
//!                                  │
//! pod ─▶ annotations ─▶ plan ─────┴─▶ configuration (leasehold.yaml, checked by the agent's own code)
//!        (one table)    (resolved)  └─▶ pod (containers, mounts, volumes) ─▶ patch
//! ```
//!
//! [`inject()`] is a pure function: it calls nothing, reads no secret, and makes the same bytes of the same pod. The
//! `offline` commands and the webhook are thin around it.

pub mod annotations;
mod certificates;
pub mod cli;
mod cluster;
mod configuration;
mod inject;
mod log;
mod offline;
mod patch;
mod plan;
mod pod;
mod refusal;
pub mod settings;
mod sync;
#[cfg(test)]
mod tests;
mod webhook;

pub use inject::{Outcome, Request, inject};
pub use patch::patch;
pub use refusal::Refusal;
pub use webhook::{NoReview, review};
