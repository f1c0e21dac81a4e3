//! `approle`: an id, and a secret id where the role binds one.

use super::Attempt;
use crate::config::plan::Credential;
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::failure::Failure;
use crate::vault::files;

pub(super) fn prepare(role_id: &Credential, secret_id: Option<&Credential>) -> Result<Attempt, Failure> {
    let role_id = read("role_id_file", role_id)?;
    let mut body = vec![("role_id", Tree::Text(role_id.clone()))];
    let mut credentials = vec![role_id];
    if let Some(secret_id) = secret_id {
        let secret_id = read("secret_id_file", secret_id)?;
        body.push(("secret_id", Tree::Text(secret_id.clone())));
        credentials.push(secret_id);
    }
    Ok(Attempt::Ask { path: "login", body: Tree::map(body), credentials })
}

fn read(what: &str, credential: &Credential) -> Result<Secret, Failure> {
    match credential {
        Credential::Given(value) => Ok(value.clone()),
        Credential::File(path) => files::credential(what, path),
        Credential::Unset(variable) => Err(files::local(format!("the variable {variable} is not set"))),
    }
}
