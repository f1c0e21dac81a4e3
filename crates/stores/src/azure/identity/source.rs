//! Finds the source of tokens: the first that is configured, in the order of Azure's own libraries.

use std::path::{Path, PathBuf};

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use url::Url;

use crate::settings::AzureIdentity;
use crate::variables::Variables;

const METADATA_SERVICE: &str = "http://169.254.169.254";

/// One source of tokens.
#[derive(Debug)]
pub(super) enum Source {
    /// A service principal, by its secret.
    Secret { client_id: String, secret: Given },
    /// A service principal, by the token of another identity provider, as on AKS.
    Workload { client_id: String, token_file: PathBuf },
    /// An identity of the machine, from App Service and similar services.
    AppService { endpoint: Url, header: Secret },
    /// An identity of the machine, from the metadata service.
    Machine { base: Url },
}

/// A client secret, by its place.
#[derive(Debug)]
pub(super) enum Given {
    File(PathBuf),
    Variable(Secret),
}

/// Returns the first source that is configured: in the backend, then in the environment.
pub(super) fn source(settings: &AzureIdentity, variables: &Variables) -> Result<Source, Failure> {
    let client_id = settings.client_id.as_deref().or_else(|| variables.text("AZURE_CLIENT_ID"));
    let needs_id = |what: &str| {
        let why =
            format!("{what} is set, and no client id: set AZURE_CLIENT_ID, or `client_id` of the backend");
        Failure::advised(FailureKind::Unusable, why)
    };
    if let Some(file) = &settings.client_secret_file {
        let client_id = client_id.ok_or_else(|| needs_id("client_secret_file"))?.to_owned();
        return Ok(Source::Secret { client_id, secret: Given::File(file.clone()) });
    }
    if settings.managed_identity.is_none() {
        if let Some(secret) = variables.secret("AZURE_CLIENT_SECRET") {
            let client_id = client_id.ok_or_else(|| needs_id("AZURE_CLIENT_SECRET"))?.to_owned();
            return Ok(Source::Secret { client_id, secret: Given::Variable(secret.clone()) });
        }
        if let Some(token_file) = variables.path("AZURE_FEDERATED_TOKEN_FILE") {
            let client_id = client_id.ok_or_else(|| needs_id("AZURE_FEDERATED_TOKEN_FILE"))?.to_owned();
            return Ok(Source::Workload { client_id, token_file });
        }
        if variables.text("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
            let why =
                "AZURE_CLIENT_CERTIFICATE_PATH is not followed; use a workload identity or a client secret";
            return Err(Failure::advised(FailureKind::Unusable, why));
        }
    }
    machine(variables)
}

/// Says that the certificate of the environment is not the identity that asks, if it is one.
pub(super) fn ignored(source: &Source, variables: &Variables) -> Option<String> {
    variables.text("AZURE_CLIENT_CERTIFICATE_PATH")?;
    let used = match source {
        Source::Secret { secret: Given::File(_), .. } => "`client_secret_file`",
        Source::Secret { secret: Given::Variable(_), .. } => "AZURE_CLIENT_SECRET",
        Source::Workload { .. } => "AZURE_FEDERATED_TOKEN_FILE",
        Source::AppService { .. } | Source::Machine { .. } => "`managed_identity`",
    };
    Some(format!("AZURE_CLIENT_CERTIFICATE_PATH is not followed: the identity that asks is that of {used}"))
}

fn machine(variables: &Variables) -> Result<Source, Failure> {
    let unusable = |why: &str| Failure::advised(FailureKind::Unusable, why.to_owned());
    match (variables.url("IDENTITY_ENDPOINT")?, variables.secret("IDENTITY_HEADER")) {
        (Some(endpoint), Some(header)) => Ok(Source::AppService { endpoint, header: header.clone() }),
        (Some(_), None) => Err(unusable(
            "IDENTITY_ENDPOINT is set without IDENTITY_HEADER, as on Azure Arc, which is not followed",
        )),
        _ => {
            let base = variables.url("AZURE_POD_IDENTITY_AUTHORITY_HOST")?;
            let base =
                base.unwrap_or_else(|| Url::parse(METADATA_SERVICE).expect("a constant that is a URL"));
            Ok(Source::Machine { base })
        }
    }
}

/// Returns the files that a token may be made of.
pub(crate) fn files(settings: &AzureIdentity, variables: &Variables) -> Vec<PathBuf> {
    let token = variables.path("AZURE_FEDERATED_TOKEN_FILE");
    settings.client_secret_file.as_deref().map(Path::to_owned).into_iter().chain(token).collect()
}
