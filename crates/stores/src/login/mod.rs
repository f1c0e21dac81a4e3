//! Logins to a Vault by an identity that a cloud has given us. Their proof is made anew for each login.

#[cfg(feature = "clouds")]
mod prove;

use std::ffi::OsString;

use crate::needs::Needs;

pub use leasehold_settings::login::{Issuer, Proof, Signer};
#[cfg(feature = "clouds")]
pub(crate) use prove::is_jwt;
#[cfg(feature = "clouds")]
pub use prove::{Proven, Prover};

/// Returns the files and the ports that a proof needs under this environment.
#[must_use]
#[cfg_attr(not(feature = "clouds"), expect(unused_variables, reason = "only the clouds look at it"))]
pub fn needs(proof: &Proof, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    #[cfg(feature = "clouds")]
    return prove::needs(proof, environment);
    #[cfg(not(feature = "clouds"))]
    Needs::default()
}
