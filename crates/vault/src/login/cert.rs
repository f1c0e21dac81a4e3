//! `cert`: the certificate belongs to the connection; the request holds a role's name at most.

use super::{Attempt, Post};
use leasehold_base::tree::Tree;

pub(super) fn prepare(mount: &str, name: Option<&str>) -> Attempt {
    let body = Tree::map(name.map(|name| ("name", Tree::text(name))));
    Attempt::Ask(Post { path: format!("auth/{mount}/login"), body, credentials: Vec::new() })
}
