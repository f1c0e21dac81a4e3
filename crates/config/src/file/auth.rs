//! `auth`, as typed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{IdentityEntry, duration};

/// `auth`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    pub(crate) method: Option<Method>,
    pub(crate) mount: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) jwt_file: Option<String>,
    pub(crate) jwt_from: Option<Cloud>,
    pub(crate) audience: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) server_id: Option<String>,
    pub(crate) managed_identity: Option<IdentityEntry>,
    pub(crate) gcp_type: Option<GcpType>,
    pub(crate) service_account: Option<String>,
    pub(crate) role_id: Option<String>,
    pub(crate) role_id_file: Option<String>,
    pub(crate) secret_id_file: Option<String>,
    pub(crate) secret_id_env: Option<String>,
    pub(crate) secret_id_wrapped: Option<String>,
    pub(crate) token_env: Option<String>,
    pub(crate) token_file: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) password_file: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) fields: Option<BTreeMap<String, Field>>,
    #[serde(deserialize_with = "duration")]
    pub(crate) wrap_ttl: Option<Duration>,
}

/// An entry of `auth.fields`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Field {
    Text(String),
    Of(FieldSource),
}

/// The place where the text of a field is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FieldSource {
    pub(crate) file: Option<String>,
}

/// `auth.method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
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
pub(crate) enum Cloud {
    Aws,
    Azure,
    Gcp,
}

/// `auth.gcp_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GcpType {
    Gce,
    Iam,
}
