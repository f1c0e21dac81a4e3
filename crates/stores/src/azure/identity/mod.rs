//! The identity that asks Azure: the sources of Entra ID's tokens, in the order of Azure's own libraries.

mod entra;
mod managed;
mod source;

use std::sync::Arc;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files;
use url::Url;

use super::challenge::{Challenge, is_tenant};
use crate::http::Http;
use crate::kept::{Fresh, Kept};
use crate::settings::{AzureIdentity, ManagedIdentity};
use crate::variables::Variables;
use source::{Given, Source};

pub(crate) use source::files;

const BY_ASSERTION: &[u8] = b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The identity that asks, and what its tokens are made of.
pub(crate) struct Asker {
    settings: AzureIdentity,
    variables: Variables,
    /// The host of Entra ID, if no variable names another.
    authority: &'static str,
}

/// The present token, and how it is replaced.
pub(super) struct Identity {
    asker: Asker,
    kept: Kept<Secret>,
}

impl Identity {
    pub(super) fn new(asker: Asker) -> Self {
        Self { asker, kept: Kept::default() }
    }

    /// Returns a token for the vault's challenge.
    pub(super) async fn token(&self, http: &Http, challenge: &Challenge) -> Result<Arc<Secret>, Failure> {
        let files = || source::files(&self.asker.settings, &self.asker.variables);
        self.kept.get(files, self.asker.token(http, challenge)).await
    }

    pub(super) fn forget(&self, token: &Arc<Secret>) {
        self.kept.forget(token);
    }
}

impl Asker {
    pub(crate) fn new(settings: AzureIdentity, variables: Variables, authority: &'static str) -> Self {
        Self { settings, variables, authority }
    }

    /// Fetches a token for a challenge.
    pub(crate) async fn token(&self, http: &Http, asked: &Challenge) -> Result<Fresh<Secret>, Failure> {
        self.fetch(http, asked).await.map_err(lacking)
    }

    /// Returns what the machine is, if tokens are the machine's own; `None` if they are another identity's.
    pub(crate) async fn machine(&self, http: &Http) -> Result<Option<Tree>, Failure> {
        match source::source(&self.settings, &self.variables).map_err(lacking)? {
            Source::Machine { base } => managed::instance(http, &base).await.map(Some).map_err(lacking),
            _ => Ok(None),
        }
    }

    async fn fetch(&self, http: &Http, asked: &Challenge) -> Result<Fresh<Secret>, Failure> {
        let resource = asked.resource.as_str();
        let source = source::source(&self.settings, &self.variables)?;
        if let Some(what) = source::ignored(&source, &self.variables) {
            tracing::warn!("{what}");
        }
        match source {
            Source::Secret { client_id, secret } => {
                let secret = match secret {
                    Given::File(file) => files::password("client_secret_file", &file)?,
                    Given::Variable(secret) => secret,
                };
                let proof = [("client_secret", secret.expose())];
                entra::post(http, (self.authority(asked)?, resource), (&client_id, &proof), &secret).await
            }
            Source::Workload { client_id, token_file } => {
                let token = files::credential("AZURE_FEDERATED_TOKEN_FILE", &token_file)?;
                let proof = [("client_assertion", token.expose()), ("client_assertion_type", BY_ASSERTION)];
                entra::post(http, (self.authority(asked)?, resource), (&client_id, &proof), &token).await
            }
            Source::AppService { endpoint, header } => {
                managed::of_app_service(http, (endpoint, &header), resource, self.named().as_ref()).await
            }
            Source::Machine { base } => {
                managed::of_machine(http, &base, resource, self.named().as_ref()).await
            }
        }
    }

    /// Returns the address of Entra ID for the tenant. Its host never comes from the vault.
    fn authority(&self, asked: &Challenge) -> Result<Url, Failure> {
        let named = self.settings.tenant_id.as_deref().or_else(|| self.variables.text("AZURE_TENANT_ID"));
        let tenant =
            named.or(asked.tenant.as_deref()).filter(|tenant| is_tenant(tenant)).ok_or_else(|| {
                Failure::advised(
                    FailureKind::Unusable,
                    "no tenant is known; set AZURE_TENANT_ID, or `tenant_id` of the backend",
                )
            })?;
        let host = match self.variables.text("AZURE_AUTHORITY_HOST") {
            Some(host) if host.contains("://") => host.trim_end_matches('/').to_owned(),
            Some(host) => format!("https://{}", host.trim_end_matches('/')),
            None => format!("https://{}", self.authority),
        };
        Url::parse(&format!("{host}/{tenant}/oauth2/v2.0/token"))
            .map_err(|_| Failure::new(FailureKind::Unusable, "AZURE_AUTHORITY_HOST is no URL"))
    }

    /// Returns the identity of the machine that is named.
    fn named(&self) -> Option<ManagedIdentity> {
        let by_id = || {
            let id = self.settings.client_id.as_deref().or_else(|| self.variables.text("AZURE_CLIENT_ID"));
            id.map(|id| ManagedIdentity::Client(id.to_owned()))
        };
        self.settings.managed_identity.clone().or_else(by_id)
    }
}

/// Says why there is no token. Something that is missing on our own side is no missing secret.
fn lacking(failure: Failure) -> Failure {
    let kind = if failure.kind == FailureKind::Local { FailureKind::Unusable } else { failure.kind };
    Failure { kind, why: format!("no credentials of Azure: {}", failure.why), by_us: true, ..failure }
}

#[cfg(test)]
mod tests;
