//! The ways to log in: what each of them sends, and its credentials, which are read anew at each login.

mod approle;
mod cert;
pub(super) mod claims;
#[cfg(feature = "clouds")]
mod cloud;
mod jwt;
mod password;
mod path;
mod token;
mod token_file;

use crate::settings::{AuthMethod, AuthPlan};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// The message for a path that belongs to no store, where there is no Vault either.
const NO_VAULT: &str = "no Vault is configured, and a path is read that begins with no backend's name; add `vault` and `auth`, or correct the path";

/// What a login needs.
pub(super) enum Attempt {
    /// A request.
    Ask(Post),
    /// The secret id has to be unwrapped first.
    Unwrap {
        /// The wrapping token that holds it.
        token: Secret,
        /// The path that must have made the token.
        made_by: String,
        /// The id of the role that logs in.
        role_id: Secret,
    },
    /// A cloud has to be asked first for the proof of who we are.
    Prove,
    /// A token that is given already.
    Hold(Secret),
}

/// The request of a login.
pub(super) struct Post {
    /// The path, including `auth/`.
    pub(super) path: String,
    /// The credentials and the other fields.
    pub(super) body: Tree,
    /// The values of the body that a quoted message of the server must not contain.
    pub(super) credentials: Vec<Secret>,
}

/// Reads the credentials that `plan` names.
pub(super) fn prepare(plan: &AuthPlan) -> Result<Attempt, Failure> {
    let mount = plan.mount.as_str();
    match &plan.method {
        AuthMethod::Kubernetes { role, jwt_file } => jwt::prepare(mount, role, jwt_file),
        AuthMethod::AppRole { role_id, secret_id, wrapped_by } => {
            approle::prepare(mount, role_id, secret_id.as_ref(), wrapped_by.as_deref())
        }
        AuthMethod::Cert { name, own: _ } => Ok(cert::prepare(mount, name.as_deref())),
        AuthMethod::Password { username, password_file } => password::prepare(mount, username, password_file),
        AuthMethod::Path { path, fields } => path::prepare(path, fields),
        AuthMethod::Cloud { .. } => Ok(Attempt::Prove),
        AuthMethod::Token { token_env, token } => token::prepare(token_env, token.as_ref()),
        AuthMethod::TokenFile { token_file } => token_file::prepare(token_file),
        AuthMethod::None => Err(Failure::advised(FailureKind::Unusable, NO_VAULT)),
    }
}
