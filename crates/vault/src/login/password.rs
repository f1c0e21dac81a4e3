//! `userpass` and `ldap`: a name in the path, and a password.

use std::path::Path;

use super::{Attempt, Post};
use crate::files;
use leasehold_base::failure::Failure;
use leasehold_base::tree::Tree;

pub(super) fn prepare(mount: &str, username: &str, password_file: &Path) -> Result<Attempt, Failure> {
    let password = files::password("password_file", password_file)?;
    let body = Tree::map([("password", Tree::Text(password.clone()))]);
    Ok(Attempt::Ask(Post {
        path: format!("auth/{mount}/login/{username}"),
        body,
        credentials: vec![password],
    }))
}
