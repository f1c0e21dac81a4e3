//! The YAML file of the operator's settings: what the injector's variables cannot say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Settings, Unusable, environment};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    image: Option<String>,
    #[serde(default)]
    allowed_images: Vec<String>,
    #[serde(default)]
    image_has_shell: bool,
    address: Option<String>,
    allowed_addresses: Option<Vec<String>>,
    authority: Option<String>,
    namespace: Option<String>,
    token_audience: Option<String>,
    token_seconds: Option<u64>,
    #[serde(default)]
    requests: BTreeMap<String, String>,
    #[serde(default)]
    limits: BTreeMap<String, String>,
    native_sidecars: Option<bool>,
}

/// The kubelet and the API server take no less.
const LEAST_SECONDS: u64 = 600;

/// Lays the file's settings upon those that are there.
pub(super) fn apply(name: &str, bytes: &[u8], settings: &mut Settings) -> Result<(), Unusable> {
    let wrong = |what: String| Unusable { place: name.to_owned(), what };
    let file: File = serde_yaml::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if let Some(text) = file.authority {
        let pem = environment::pem(&text);
        settings.authority =
            Some(pem.ok_or_else(|| wrong("authority: is neither PEM nor base64 of it".to_owned()))?);
    }
    if file.token_seconds.is_some_and(|seconds| seconds < LEAST_SECONDS) {
        return Err(wrong(format!("token_seconds: Kubernetes takes no less than {LEAST_SECONDS}")));
    }
    settings.image = file.image.unwrap_or(std::mem::take(&mut settings.image));
    settings.allowed_images = file.allowed_images;
    settings.image_has_shell = file.image_has_shell;
    settings.address = file.address.or(settings.address.take());
    settings.allowed_addresses = file.allowed_addresses;
    settings.namespace = file.namespace.or(settings.namespace.take());
    settings.token_audience = file.token_audience.unwrap_or(std::mem::take(&mut settings.token_audience));
    settings.token_seconds = file.token_seconds.unwrap_or(settings.token_seconds);
    settings.requests.extend(file.requests);
    settings.limits.extend(file.limits);
    settings.native_sidecars = file.native_sidecars.unwrap_or(settings.native_sidecars);
    Ok(())
}
