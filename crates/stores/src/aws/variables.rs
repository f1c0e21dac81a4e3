//! The variables of AWS' own programs.

use std::path::PathBuf;

use leasehold_base::failure::{Failure, FailureKind};
use url::Url;

use crate::variables::Variables;

/// The variables that are read.
pub(crate) const NAMES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_STS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
];

/// Returns the region that a variable names.
pub(super) fn region(variables: &Variables) -> Option<&str> {
    variables.text("AWS_REGION").or_else(|| variables.text("AWS_DEFAULT_REGION"))
}

/// Returns the address of a service that a variable names: the service's own variable, or the one of all services.
///
/// # Errors
/// If it is malformed, or has a path or a query: what is signed has none, and AWS would blame the key.
pub(super) fn endpoint(variables: &Variables, own: &str) -> Result<Option<Url>, Failure> {
    bare(variables, own)?.map_or_else(|| bare(variables, "AWS_ENDPOINT_URL"), |url| Ok(Some(url)))
}

fn bare(variables: &Variables, name: &str) -> Result<Option<Url>, Failure> {
    let url = variables.url(name)?;
    if url.as_ref().is_some_and(|url| url.path() != "/" || url.query().is_some()) {
        let why = format!("{name} has a path or a query; write the scheme, the host and the port alone");
        return Err(Failure::advised(FailureKind::Unusable, why));
    }
    Ok(url)
}

/// Returns whether services are asked at the hosts whose cryptography is validated.
pub(super) fn uses_fips(variables: &Variables) -> bool {
    variables.is_true("AWS_USE_FIPS_ENDPOINT")
}

/// Returns every address that a variable names.
pub(super) fn urls(variables: &Variables) -> impl Iterator<Item = Url> {
    let all = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_ENDPOINT_URL"];
    let more = ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_STS"];
    all.into_iter().chain(more).filter_map(|name| variables.good_url(name))
}

/// Returns the files of profiles: credentials first.
pub(super) fn profile_files(variables: &Variables) -> [Option<PathBuf>; 2] {
    let at_home = |name: &str| variables.path("HOME").map(|home| home.join(".aws").join(name));
    [
        variables.path("AWS_SHARED_CREDENTIALS_FILE").or_else(|| at_home("credentials")),
        variables.path("AWS_CONFIG_FILE").or_else(|| at_home("config")),
    ]
}

/// Returns the profile that is named.
pub(super) fn profile(variables: &Variables) -> Option<&str> {
    variables.text("AWS_PROFILE")
}
