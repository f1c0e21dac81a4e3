//! Stores that are no Vault, as typed.

use serde::Deserialize;

use super::RateLimit;

/// An entry of `backends`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct BackendEntry {
    pub(in crate::config) environment: Option<EnvironmentStore>,
    pub(in crate::config) files: Option<FileStore>,
    pub(in crate::config) aws_secrets_manager: Option<AwsStore>,
    pub(in crate::config) azure_key_vault: Option<AzureStore>,
    pub(in crate::config) google_secret_manager: Option<GoogleStore>,
    pub(in crate::config) rate_limit: Option<RateLimit>,
}

/// The build without the clouds sees that one is there, and does not read it.
#[cfg(not(feature = "clouds"))]
pub(in crate::config) type AwsStore = serde::de::IgnoredAny;
#[cfg(not(feature = "clouds"))]
pub(in crate::config) type AzureStore = serde::de::IgnoredAny;
#[cfg(not(feature = "clouds"))]
pub(in crate::config) type GoogleStore = serde::de::IgnoredAny;

/// `environment` of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct EnvironmentStore {
    pub(in crate::config) prefix: Option<String>,
}

/// `files` of a backend.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct FileStore {
    pub(in crate::config) dir: Option<String>,
}

/// `aws_secrets_manager` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct AwsStore {
    pub(in crate::config) region: Option<String>,
    pub(in crate::config) endpoint: Option<String>,
    pub(in crate::config) role_arn: Option<String>,
}

/// `azure_key_vault` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct AzureStore {
    pub(in crate::config) vault: Option<String>,
    pub(in crate::config) url: Option<String>,
    pub(in crate::config) tenant_id: Option<String>,
    pub(in crate::config) client_id: Option<String>,
    pub(in crate::config) client_secret_file: Option<String>,
    pub(in crate::config) managed_identity: Option<IdentityEntry>,
}

/// `managed_identity` of such a backend, and of a login.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct IdentityEntry {
    pub(in crate::config) client_id: Option<String>,
    pub(in crate::config) object_id: Option<String>,
    pub(in crate::config) resource_id: Option<String>,
}

/// `google_secret_manager` of a backend.
#[cfg(feature = "clouds")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct GoogleStore {
    pub(in crate::config) project: Option<String>,
    pub(in crate::config) location: Option<String>,
    pub(in crate::config) endpoint: Option<String>,
}
