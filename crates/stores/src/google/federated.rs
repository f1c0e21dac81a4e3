//! Workload federation: where the token of another identity provider is, and who exchanges it.

use std::path::PathBuf;

use http::HeaderMap;
use http::header::HeaderName;
use leasehold_base::tree::Tree;
use leasehold_http::header::sensitive;
use url::Url;

use super::key::{KeyFault, google};

/// The token of another identity provider, which Google exchanges for one of its own.
pub(super) struct Federated {
    pub(super) audience: String,
    pub(super) token_type: String,
    pub(super) token_url: Url,
    /// The place where the other provider's token is.
    pub(super) source: Source,
    /// The field that holds the token, if the source answers JSON.
    pub(super) field: Option<String>,
    /// The address where the token becomes that of a service account.
    pub(super) impersonate: Option<Url>,
}

/// The place where the token of the other provider is.
#[derive(Debug)]
pub(super) enum Source {
    /// A file, which the other provider replaces.
    File(PathBuf),
    /// An address that answers with the token, such as another cloud's metadata service.
    Url(Url, HeaderMap),
}

impl Federated {
    /// Reads the fields of a file of the type `external_account`.
    pub(super) fn of(tree: &Tree) -> Result<Self, KeyFault> {
        let text = |name: &str| {
            let found = tree.get(name).and_then(Tree::as_str).filter(|text| !text.is_empty());
            found.map(str::to_owned).ok_or_else(|| KeyFault::Lacks(name.to_owned()))
        };
        let lacks = || KeyFault::Lacks("credential_source".to_owned());
        let place = tree.get("credential_source").ok_or_else(lacks)?;
        let format = place.get("format");
        let is_json = format.and_then(|format| format.get("type")).and_then(Tree::as_str) == Some("json");
        let field = format.and_then(|format| format.get("subject_token_field_name")).and_then(Tree::as_str);
        let impersonate = text("service_account_impersonation_url").ok();
        Ok(Self {
            audience: text("audience")?,
            token_type: text("subject_token_type")?,
            token_url: google(&text("token_url")?)?,
            source: source(place)?,
            field: is_json.then(|| field.unwrap_or("access_token").to_owned()),
            impersonate: impersonate.map(|url| google(&url)).transpose()?,
        })
    }

    /// Returns the addresses that are asked.
    pub(super) fn urls(&self) -> Vec<Url> {
        let source = match &self.source {
            Source::File(_) => None,
            Source::Url(url, _) => Some(url),
        };
        self.impersonate.iter().chain([&self.token_url]).chain(source).cloned().collect()
    }
}

fn source(place: &Tree) -> Result<Source, KeyFault> {
    let text = |name: &str| place.get(name).and_then(Tree::as_str).filter(|text| !text.is_empty());
    // An `environment_id` means that the address is only one of several that AWS' own way of signing needs.
    match (text("file"), text("url"), text("environment_id")) {
        (Some(file), ..) => Ok(Source::File(PathBuf::from(file))),
        (None, Some(url), None) => {
            let url = Url::parse(url).map_err(|_| KeyFault::NoUrl(url.to_owned()))?;
            Ok(Source::Url(url, headers(place)?))
        }
        _ => Err(KeyFault::Source),
    }
}

/// Returns the headers that the address wants. Some are credentials, so that all of them count as such.
fn headers(place: &Tree) -> Result<HeaderMap, KeyFault> {
    let mut headers = HeaderMap::new();
    let wanted = place.get("headers").and_then(Tree::as_map);
    for (name, value) in wanted.into_iter().flat_map(|map| map.iter()) {
        let no_header = || KeyFault::NoHeader(name.to_owned());
        let value = value.as_text().and_then(sensitive).ok_or_else(no_header)?;
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| no_header())?, value);
    }
    Ok(headers)
}
