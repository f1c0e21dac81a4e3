//! The token of another identity provider. It is fetched each time anew, because that provider replaces it.

use std::path::Path;

use http::HeaderMap;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files;
use url::Url;

use crate::google::federated::{Federated, Source};
use crate::http::{Call, Http, place, throttled};
use crate::oauth::no_token;

/// The most bytes of a file with a subject's token.
const MOST: usize = 64 * 1024;

/// Returns the token that Google exchanges.
pub(super) async fn token(http: &Http, federated: &Federated) -> Result<Secret, Failure> {
    match &federated.source {
        Source::File(path) => in_file(path, federated.field.as_deref()),
        Source::Url(url, headers) => at(http, url, headers, federated.field.as_deref()).await,
    }
}

fn in_file(path: &Path, field: Option<&str>) -> Result<Secret, Failure> {
    let Some(field) = field else { return files::credential("the subject token", path) };
    let bytes = files::read("the subject token", path, MOST)?;
    of_json(&bytes, field).ok_or_else(|| {
        let why = format!("the subject token {} has no field {field}", path.display());
        Failure::new(FailureKind::Unusable, why)
    })
}

async fn at(http: &Http, url: &Url, headers: &HeaderMap, field: Option<&str>) -> Result<Secret, Failure> {
    let what = format!("the credential_source at {}", place(url));
    let answer = http.send(Call { headers: headers.clone(), ..Call::get(url.clone()) }).await?;
    match answer.status.as_u16() {
        200..=299 => {}
        429 => return Err(throttled(&what, &answer.headers)),
        500..=599 => {
            return Err(Failure::new(FailureKind::Unavailable, format!("{what}: a fault of its own")));
        }
        other => return Err(Failure::new(FailureKind::Refused, format!("{what} refuses ({other})"))),
    }
    match field {
        Some(field) => of_json(&answer.body, field),
        None => files::credential_in(&answer.body).ok(),
    }
    .ok_or_else(|| no_token(&what))
}

fn of_json(bytes: &[u8], field: &str) -> Option<Secret> {
    let tree = Tree::from_json(bytes).unwrap_or_default();
    tree.get(field).and_then(Tree::as_text).filter(|token| !token.is_empty()).cloned()
}
