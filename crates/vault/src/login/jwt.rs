//! `kubernetes` and `jwt`: a role, and a signed token that the server has reviewed.

use std::path::Path;

use super::{Attempt, Post};
use crate::files;
use leasehold_base::failure::Failure;
use leasehold_base::tree::Tree;

/// Reads the file anew, since the kubelet replaces the projected file while we run.
pub(super) fn prepare(mount: &str, role: &str, jwt_file: &Path) -> Result<Attempt, Failure> {
    let jwt = files::credential("jwt_file", jwt_file)?;
    let body = Tree::map([("role", Tree::text(role)), ("jwt", Tree::Text(jwt.clone()))]);
    Ok(Attempt::Ask(Post { path: format!("auth/{mount}/login"), body, credentials: vec![jwt] }))
}
