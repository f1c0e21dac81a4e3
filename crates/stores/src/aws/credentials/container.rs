//! Credentials from beside the container: from ECS' agent, or EKS' Pod Identity.

use std::path::PathBuf;

use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_http::files;
use leasehold_http::header::sensitive;
use url::Url;

use super::{Source, answer};
use crate::aws::sign::Keys;
use crate::http::{Call, Http, METADATA, may_be_plain, place, throttled};
use crate::kept::Fresh;
use crate::variables::Variables;

/// The address of ECS' agent, which cannot be configured.
const ECS: &str = "http://169.254.170.2";

/// The token that authorises the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// In a file, which is read each time, since it is renewed.
    File(PathBuf),
    Given(Secret),
    None,
}

/// Returns the container's credentials, if a variable names any.
pub(super) fn source(variables: &Variables) -> Result<Option<Source>, Failure> {
    let (relative, full) = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let unusable = |why: String| Failure::new(FailureKind::Unusable, why);
    let (name, url) = match variables.text(relative) {
        Some(path) if path.starts_with('/') => {
            let url = Url::parse(&format!("{ECS}{path}"));
            (relative, url.map_err(|_| unusable(format!("{relative} is no path of a URL")))?)
        }
        Some(_) => return Err(unusable(format!("{relative} does not begin with /"))),
        None => match variables.url(full)? {
            Some(url) => (full, url),
            None => return Ok(None),
        },
    };
    // The token would be sent to any host that the variable names.
    if url.scheme() != "https" && !may_be_plain(&url) {
        return Err(unusable(format!(
            "{name} leads to {}, which is neither TLS nor on this machine; no token was sent there",
            place(&url)
        )));
    }
    let token = match variables.path("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Token::File(file),
        None => {
            variables.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN").cloned().map_or(Token::None, Token::Given)
        }
    };
    Ok(Some(Source::Container { url, token }))
}

pub(super) async fn fetch(http: &Http, url: &Url, token: &Token) -> Result<Fresh<Keys>, Failure> {
    let mut call = Call { timeout: METADATA, ..Call::get(url.clone()) };
    call.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let token = match token {
        Token::File(file) => Some(files::credential("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file)?),
        Token::Given(token) => Some(token.clone()),
        Token::None => None,
    };
    if let Some(token) = token {
        let value = sensitive(&token).ok_or_else(|| files::local("the container's token is no header"))?;
        call.headers.insert(AUTHORIZATION, value);
    }
    let what = format!("the container's credentials at {}", place(url));
    let reply = http.send(call).await?;
    match reply.status.as_u16() {
        200 => answer(&reply.body, &what),
        400 | 401 | 403 => Err(Failure::advised(
            FailureKind::Refused,
            format!(
                "{what} are refused ({}); check that the service account has a Pod Identity association, and the task a role",
                reply.status.as_u16()
            ),
        )),
        404 => {
            Err(Failure::new(FailureKind::Refused, format!("{what} are not there (404): no role is given")))
        }
        429 => Err(throttled(&what, &reply.headers)),
        500..=599 => {
            Err(Failure::new(FailureKind::Unavailable, format!("{what}: {}", reply.status.as_u16())))
        }
        other => Err(super::no_service(&what, other)),
    }
}
