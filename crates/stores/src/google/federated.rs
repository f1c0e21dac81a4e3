//! Workload federation: where the token of another identity provider is, and who exchanges it.

use std::path::PathBuf;

use http::HeaderMap;
use http::header::HeaderName;
use leasehold_base::tree::Tree;
use leasehold_http::header::sensitive;
use url::Url;

use super::fault::KeyFault;
use super::key::{address, google};

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
        let impersonate = text("service_account_impersonation_url").ok();
        Ok(Self {
            audience: text("audience")?,
            token_type: text("subject_token_type")?,
            token_url: google("token_url", &text("token_url")?)?,
            source: source(place)?,
            field: field(place)?,
            impersonate: impersonate
                .map(|url| google("service_account_impersonation_url", &url))
                .transpose()?,
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
    let is_there = |name: &&str| place.get(name).is_some_and(|value| *value != Tree::Null);
    if ["file", "url", "certificate", "executable"].iter().filter(|name| is_there(name)).count() > 1 {
        return Err(KeyFault::Several);
    }
    let text = |name: &str| place.get(name).and_then(Tree::as_str).filter(|text| !text.is_empty());
    // An `environment_id` means that the address is only one of several that AWS' own way of signing needs.
    match (text("file"), text("url"), place.get("environment_id")) {
        (Some(file), _, None) => Ok(Source::File(PathBuf::from(file))),
        (Some(_), _, Some(_)) => Err(KeyFault::OfAws),
        (None, Some(url), None) => Ok(Source::Url(address("credential_source.url", url)?, headers(place)?)),
        _ => Err(KeyFault::Source),
    }
}

/// Returns the field that holds the token, if the source answers JSON.
fn field(place: &Tree) -> Result<Option<String>, KeyFault> {
    let format = place.get("format");
    let of = |name: &str| format.and_then(|format| format.get(name)).filter(|value| **value != Tree::Null);
    match of("type").map(Tree::as_str) {
        None | Some(Some("text")) => Ok(None),
        Some(Some("json")) => {
            const NAME: &str = "subject_token_field_name";
            let field = of(NAME).and_then(Tree::as_str).filter(|name| !name.is_empty());
            let lacks = || KeyFault::Lacks(format!("credential_source.format.{NAME}"));
            field.map(|name| Some(name.to_owned())).ok_or_else(lacks)
        }
        Some(_) => Err(KeyFault::Format),
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
