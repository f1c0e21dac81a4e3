//! `token`: a token from the environment.

use super::Attempt;
use crate::files::{is_token, local, unset};
use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;

pub(super) fn prepare(variable: &str, token: Option<&Secret>) -> Result<Attempt, Failure> {
    let Some(token) = token else { return Err(unset(variable)) };
    if is_token(token) {
        return Ok(Attempt::Hold(token.clone()));
    }
    Err(local(format!("the token in {variable} must be one line of visible ASCII characters without spaces")))
}
