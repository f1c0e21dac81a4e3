//! The ways to log in: what each sends, and with which credentials, read anew at each login.

mod approle;
mod jwt;
mod token;
mod token_file;

use super::failure::Failure;
use crate::config::plan::{AuthMethod, AuthPlan};
use crate::secret::Secret;
use crate::tree::Tree;

/// What a login takes.
pub(super) enum Attempt {
    /// A request to the method's mount.
    Ask {
        /// The path below `auth/MOUNT/`.
        path: &'static str,
        /// The credentials and what goes with them.
        body: Tree,
        /// What of the body the server must not be quoted with.
        credentials: Vec<Secret>,
    },
    /// A token that is there already.
    Hold(Secret),
}

/// Reads the credentials that `plan` names.
pub(super) fn prepare(plan: &AuthPlan) -> Result<Attempt, Failure> {
    match &plan.method {
        AuthMethod::Kubernetes { role, jwt_file } => jwt::prepare(role, jwt_file),
        AuthMethod::AppRole { role_id, secret_id } => approle::prepare(role_id, secret_id.as_ref()),
        AuthMethod::Token { token_env, token } => token::prepare(token_env, token.as_ref()),
        AuthMethod::TokenFile { token_file } => token_file::prepare(token_file),
    }
}
