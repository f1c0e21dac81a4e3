//! `approle`: a role id, and a secret id if the role binds one. The secret id may come wrapped.

use super::{Attempt, Post};
use crate::files;
use crate::settings::Credential;
use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

pub(super) fn prepare(
    mount: &str,
    role_id: &Credential,
    secret_id: Option<&Credential>,
    wrapped_by: Option<&str>,
) -> Result<Attempt, Failure> {
    let role_id = read("role_id_file", role_id)?;
    let secret_id = secret_id.map(|secret_id| read("secret_id_file", secret_id)).transpose()?;
    match (secret_id, wrapped_by) {
        (Some(token), Some(made_by)) => Ok(Attempt::Unwrap { token, made_by: made_by.to_owned(), role_id }),
        (secret_id, _) => Ok(Attempt::Ask(Post::approle(mount, role_id, secret_id))),
    }
}

impl Post {
    /// Makes the login with the secret id itself.
    pub(crate) fn approle(mount: &str, role_id: Secret, secret_id: Option<Secret>) -> Self {
        let mut body = vec![("role_id", Tree::Text(role_id.clone()))];
        let mut credentials = vec![role_id];
        if let Some(secret_id) = secret_id {
            body.push(("secret_id", Tree::Text(secret_id.clone())));
            credentials.push(secret_id);
        }
        Self { path: format!("auth/{mount}/login"), body: Tree::map(body), credentials }
    }
}

fn read(what: &str, credential: &Credential) -> Result<Secret, Failure> {
    match credential {
        Credential::Given(value) => Ok(value.clone()),
        Credential::File(path) => files::credential(what, path),
        Credential::Unset(variable) => Err(files::unset(variable)),
    }
}
