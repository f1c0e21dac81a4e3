//! Stores that are no Vault, as typed.

use serde::Deserialize;

use super::RateLimit;

/// An entry of `backends`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BackendEntry {
    pub(crate) environment: Option<EnvironmentStore>,
    pub(crate) files: Option<FileStore>,
    pub(crate) aws_secrets_manager: Option<AwsStore>,
    pub(crate) azure_key_vault: Option<AzureStore>,
    pub(crate) google_secret_manager: Option<GoogleStore>,
    pub(crate) rate_limit: Option<RateLimit>,
}

/// The build without the clouds sees that one is there, and does not read it.
#[cfg(not(feature = "clouds"))]
pub(crate) type AwsStore = serde::de::IgnoredAny;
#[cfg(not(feature = "clouds"))]
pub(crate) type AzureStore = serde::de::IgnoredAny;
#[cfg(not(feature = "clouds"))]
pub(crate) type GoogleStore = serde::de::IgnoredAny;

/// `environment` of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EnvironmentStore {
    pub(crate) prefix: Option<String>,
}

/// `files` of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileStore {
    pub(crate) dir: Option<String>,
}

/// `aws_secrets_manager` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AwsStore {
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) role_arn: Option<String>,
}

/// `azure_key_vault` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AzureStore {
    pub(crate) vault: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) tenant_id: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret_file: Option<String>,
    pub(crate) managed_identity: Option<IdentityEntry>,
}

/// `managed_identity` of such a backend, and of a login.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentityEntry {
    pub(crate) client_id: Option<String>,
    pub(crate) object_id: Option<String>,
    pub(crate) resource_id: Option<String>,
}

/// `google_secret_manager` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GoogleStore {
    pub(crate) project: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) endpoint: Option<String>,
}
