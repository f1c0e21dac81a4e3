//! `aws`, `azure`, `gcp`, and `jwt` with a cloud's token: a role, and the cloud's proof of who we are.

use super::Post;
use leasehold_base::tree::Tree;
use leasehold_stores::login::Proven;

impl Post {
    /// Makes the login with the cloud's proof.
    pub(crate) fn proven(mount: &str, role: Option<&str>, proven: Proven) -> Self {
        let role = role.map(|role| ("role", Tree::text(role)));
        let proof = proven.fields.into_iter().map(|(name, value)| (name, Tree::Text(value)));
        let body = Tree::map(role.into_iter().chain(proof));
        Self { path: format!("auth/{mount}/login"), body, credentials: proven.unspoken }
    }
}
