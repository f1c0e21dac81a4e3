//! Logins by an identity that a cloud has given us.

use std::collections::BTreeMap;

use super::client::Client;
#[cfg(feature = "clouds")]
use crate::settings::AuthMethod;
use crate::settings::AuthPlan;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Auth;
use leasehold_base::secret::Secret;

#[cfg(feature = "clouds")]
use super::login::Post;
#[cfg(feature = "clouds")]
use leasehold_stores::login::{Proof, Prover};

/// The client that asks the cloud, if the login needs a cloud's proof.
#[derive(Default)]
pub(super) struct Cloud {
    #[cfg(feature = "clouds")]
    prover: Option<Prover>,
}

impl Cloud {
    #[cfg(feature = "clouds")]
    fn of(auth: &AuthPlan, environment: &BTreeMap<String, Secret>) -> Self {
        let AuthMethod::Cloud { proof, .. } = &auth.method else { return Self::default() };
        Self { prover: Some(Prover::new(proof, environment)) }
    }

    #[cfg(not(feature = "clouds"))]
    fn of(_: &AuthPlan, _: &BTreeMap<String, Secret>) -> Self {
        Self::default()
    }
}

impl Client {
    /// Gives the client the environment of the process, as it was at its start: it names the credentials of a cloud.
    #[must_use]
    pub fn within(mut self, environment: &BTreeMap<String, Secret>) -> Self {
        self.cloud = Cloud::of(&self.auth, environment);
        self
    }

    /// Asks the cloud for a proof, and logs in with it. Each proof is used once.
    #[cfg(feature = "clouds")]
    pub(super) async fn log_in_by_cloud(&self) -> Result<Auth, Failure> {
        let (AuthMethod::Cloud { role, proof }, Some(prover)) = (&self.auth.method, &self.cloud.prover)
        else {
            return Err(none());
        };
        let proven = prover.prove(role.as_deref()).await?;
        let post = Post::proven(&self.auth.mount, role.as_deref(), proven);
        let jwt = post.credentials.first().filter(|_| !matches!(proof, Proof::Aws { .. })).cloned();
        self.post(post, jwt).await
    }

    #[cfg(not(feature = "clouds"))]
    pub(super) async fn log_in_by_cloud(&self) -> Result<Auth, Failure> {
        Err(none())
    }
}

fn none() -> Failure {
    Failure::new(FailureKind::Unusable, "this program logs in by no identity of a cloud")
}
