//! `approle`: a role id, and a secret id, which may be wrapped.

use crate::check::optional_path;
use crate::desk::Desk;
use crate::file::{Auth, Method};
use crate::keypath::KeyPath;
use crate::plan::{AuthMethod, Credential};
use leasehold_base::secret::Secret;

use super::{from_variable, required};

pub(super) fn check(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    let (id_at, file_at) = (at.key("role_id"), at.key("role_id_file"));
    let role_id = match (entry.role_id.as_deref(), entry.role_id_file.as_deref()) {
        (Some(_), Some(_)) => {
            desk.wrong_key(&file_at, "`role_id` and `role_id_file` are both set", "keep one");
            None
        }
        (Some(text), None) => required(Some(text), "role_id", Method::AppRole, at, desk)
            .map(|text| Credential::Given(Secret::from(text))),
        (None, Some(text)) => optional_path(Some(text), &file_at, desk).map(Credential::File),
        (None, None) => {
            if !desk.is_broken(&file_at) {
                desk.missing(
                    &id_at,
                    "method `approle` needs `role_id` or `role_id_file`",
                    "add one to `auth`",
                );
            }
            None
        }
    };
    let secret_id = secret_id(entry, at, desk);
    let wrapped_by = wrapped_by(entry, at, desk);
    Some(AuthMethod::AppRole { role_id: role_id?, secret_id: secret_id?, wrapped_by: wrapped_by? })
}

/// Returns `None` if the key is wrong, and `Some(None)` if the secret id is not wrapped.
fn wrapped_by(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<String>> {
    let at = at.key("secret_id_wrapped");
    let Some(text) = entry.secret_id_wrapped.as_deref() else { return Some(None) };
    // Compared byte by byte with what the server says, which has neither of these.
    if text.is_empty() || text.starts_with('/') || text.ends_with('/') || text.starts_with("v1/") {
        desk.wrong_value(
            &at,
            "not the path of a secret id as the server has it",
            "write it like auth/approle/role/web/secret-id",
        );
        return None;
    }
    if entry.secret_id_file.is_none() && entry.secret_id_env.is_none() {
        desk.wrong_key(
            &at,
            "`secret_id_wrapped` without a wrapping token",
            "add `secret_id_file` or `secret_id_env`, which hold it",
        );
        return None;
    }
    Some(Some(text.to_owned()))
}

/// Returns `None` if a key is wrong, and `Some(None)` if the role binds no secret id.
fn secret_id(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<Credential>> {
    let (file_at, env_at) = (at.key("secret_id_file"), at.key("secret_id_env"));
    match (entry.secret_id_file.as_deref(), entry.secret_id_env.as_deref()) {
        (Some(_), Some(_)) => {
            desk.wrong_key(&env_at, "`secret_id_file` and `secret_id_env` are both set", "keep one");
            None
        }
        (Some(text), None) => Some(Some(Credential::File(optional_path(Some(text), &file_at, desk)?))),
        (None, Some(variable)) => {
            desk.warn(&env_at, "a secret id in the environment shows in /proc", "use `secret_id_file`");
            let given = from_variable(variable, &env_at, desk)?;
            Some(Some(given.map_or_else(|| Credential::Unset(variable.to_owned()), Credential::Given)))
        }
        (None, None) => Some(None),
    }
}
