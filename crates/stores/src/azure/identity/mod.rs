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
mod tests {
    use super::source::source;
    use super::*;

    fn variables(all: &[(&str, &str)]) -> Variables {
        let of = |wanted: &str| all.iter().find(|(name, _)| *name == wanted);
        Variables::of(crate::azure::NAMES, &|name| of(name).map(|(_, value)| Secret::from(*value)))
    }

    #[test]
    fn the_first_source_that_is_configured_is_the_one() {
        let all = [
            ("AZURE_CLIENT_ID", "c"),
            ("AZURE_CLIENT_SECRET", "s"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/t"),
            ("IDENTITY_ENDPOINT", "http://127.0.0.1/msi"),
            ("IDENTITY_HEADER", "h"),
        ];
        let of = |settings: &AzureIdentity, from: usize| {
            let id = &all[..1];
            format!("{:?}", source(settings, &variables(&[id, &all[from..]].concat())).expect("one"))
        };
        let nothing = AzureIdentity::default();
        assert!(of(&nothing, 1).starts_with("Secret"));
        assert!(of(&nothing, 2).starts_with("Workload"));
        assert!(of(&nothing, 3).starts_with("AppService"));
        assert!(of(&nothing, 5).starts_with("Machine"));
        let own =
            AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
        assert!(of(&own, 1).starts_with("AppService"), "it is asked for by name");
        let file = AzureIdentity { client_secret_file: Some("/s".into()), ..own };
        assert!(of(&file, 1).starts_with("Secret"));
        let lacks = source(&nothing, &variables(&all[1..2])).expect_err("no client id");
        assert!(lacks.why.contains("no client id"), "{lacks}");
        let arc = source(&nothing, &variables(&all[3..4])).expect_err("Arc");
        assert!(arc.why.contains("Azure Arc"), "{arc}");
    }

    #[test]
    fn a_certificate_that_is_not_followed_is_named_beside_what_is() {
        let of = |settings: &AzureIdentity, name: &str| {
            let all = [("AZURE_CLIENT_CERTIFICATE_PATH", "/c"), ("AZURE_CLIENT_ID", "c"), (name, "x")];
            let variables = variables(&all);
            source::ignored(&source(settings, &variables).expect("one"), &variables).expect("it is named")
        };
        let own =
            AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
        let file = AzureIdentity { client_secret_file: Some("/s".into()), ..AzureIdentity::default() };
        for (settings, name, used) in [
            (&AzureIdentity::default(), "AZURE_CLIENT_SECRET", "AZURE_CLIENT_SECRET"),
            (&AzureIdentity::default(), "AZURE_FEDERATED_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"),
            (&own, "AZURE_TENANT_ID", "`managed_identity`"),
            (&file, "AZURE_TENANT_ID", "`client_secret_file`"),
        ] {
            let said = of(settings, name);
            assert!(said.starts_with("AZURE_CLIENT_CERTIFICATE_PATH") && said.ends_with(used), "{said}");
        }
        let variables = variables(&[("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")]);
        let source = source(&AzureIdentity::default(), &variables).expect("one");
        assert_eq!(source::ignored(&source, &variables), None);
    }

    #[test]
    fn entra_is_where_the_cloud_or_the_variable_has_it_and_never_where_the_vault_says() {
        let at = |all: &[(&str, &str)]| {
            let asker = Asker::new(AzureIdentity::default(), variables(all), "login.chinacloudapi.cn");
            let asked =
                Challenge { resource: "https://vault.azure.cn".into(), tenant: Some("theirs".into()) };
            asker.authority(&asked).expect("a URL").to_string()
        };
        assert_eq!(at(&[]), "https://login.chinacloudapi.cn/theirs/oauth2/v2.0/token");
        let ours = [("AZURE_TENANT_ID", "ours"), ("AZURE_AUTHORITY_HOST", "https://login.example/")];
        assert_eq!(at(&ours), "https://login.example/ours/oauth2/v2.0/token");
    }

    #[test]
    fn a_client_id_of_the_environment_names_the_machines_identity_unless_the_configuration_does() {
        let named = |settings| {
            Asker::new(settings, variables(&[("AZURE_CLIENT_ID", "c")]), "login.microsoftonline.com").named()
        };
        assert_eq!(named(AzureIdentity::default()), Some(ManagedIdentity::Client("c".into())));
        let own =
            AzureIdentity { managed_identity: Some(ManagedIdentity::System), ..AzureIdentity::default() };
        assert_eq!(named(own), Some(ManagedIdentity::System));
    }
}
