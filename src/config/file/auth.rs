//! `auth`, as typed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{IdentityEntry, duration};

/// `auth`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Auth {
    pub(in crate::config) method: Option<Method>,
    pub(in crate::config) mount: Option<String>,
    pub(in crate::config) namespace: Option<String>,
    pub(in crate::config) role: Option<String>,
    pub(in crate::config) jwt_file: Option<String>,
    pub(in crate::config) jwt_from: Option<Cloud>,
    pub(in crate::config) audience: Option<String>,
    pub(in crate::config) region: Option<String>,
    pub(in crate::config) server_id: Option<String>,
    pub(in crate::config) managed_identity: Option<IdentityEntry>,
    pub(in crate::config) gcp_type: Option<GcpType>,
    pub(in crate::config) service_account: Option<String>,
    pub(in crate::config) role_id: Option<String>,
    pub(in crate::config) role_id_file: Option<String>,
    pub(in crate::config) secret_id_file: Option<String>,
    pub(in crate::config) secret_id_env: Option<String>,
    pub(in crate::config) secret_id_wrapped: Option<String>,
    pub(in crate::config) token_env: Option<String>,
    pub(in crate::config) token_file: Option<String>,
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) username: Option<String>,
    pub(in crate::config) password_file: Option<String>,
    pub(in crate::config) path: Option<String>,
    pub(in crate::config) fields: Option<BTreeMap<String, Field>>,
    #[serde(deserialize_with = "duration")]
    pub(in crate::config) wrap_ttl: Option<Duration>,
}

/// An entry of `auth.fields`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum Field {
    Text(String),
    Of(FieldSource),
}

/// The place where the text of a field is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct FieldSource {
    pub(in crate::config) file: Option<String>,
}

/// `auth.method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Method {
    Kubernetes,
    Jwt,
    #[serde(rename = "approle")]
    AppRole,
    Cert,
    Userpass,
    Ldap,
    Aws,
    Azure,
    Gcp,
    Token,
    TokenFile,
    Path,
}

/// `auth.jwt_from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum Cloud {
    Aws,
    Azure,
    Gcp,
}

/// `auth.gcp_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum GcpType {
    Gce,
    Iam,
}
