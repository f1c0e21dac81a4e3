//! What a client of Vault is set up with: the server and how to reach it, and how to log in.

mod auth;
mod server;

pub use auth::{AuthMethod, AuthPlan, Credential};
pub use leasehold_base::rate::RateLimit;
pub use server::{ClientCert, VaultPlan};
