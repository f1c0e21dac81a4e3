//! Proofs of who we are at AWS: a request to STS that is signed and not sent, and a token of STS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files::local;
use url::Url;

use super::credentials::{Credentials, STS_VERSION};
use super::sign::{Scope, sign};
use super::{address, region};
use crate::http::Http;
use crate::login::Proven;
use crate::oauth::{FORM, Form};
use crate::variables::Variables;

/// The header with the server that the request is for: any other server refuses it.
const SERVER: HeaderName = HeaderName::from_static("x-vault-aws-iam-server-id");

/// The header before a session's token, where STS quotes it.
const TOKEN: &str = "x-amz-security-token";

/// The address where Vault asks STS unless its operator configures another, and the region that requests are signed
/// for there.
const GLOBAL: (&str, &str) = ("https://sts.amazonaws.com/", "us-east-1");

/// Returns a signed `sts:GetCallerIdentity`, as the fields of a login. A server that sends it to STS learns who
/// signed it, and can do nothing else with it. If the signature is not right, STS quotes the session's token, and a
/// server may quote STS.
pub(crate) async fn signed(
    http: &Http,
    variables: &Variables,
    at: Option<&str>,
    server: Option<&str>,
) -> Result<Proven, Failure> {
    let credentials = Credentials::new(variables.clone(), None);
    // Credentials of a role need a region of their own, whichever region the server asks.
    let own = region(at, &credentials).unwrap_or_else(|_| GLOBAL.1.to_owned());
    let keys = credentials.keys(http, &own).await?;
    let (url, within) = sts(at)?;
    let form = Form::of(&[("Action", b"GetCallerIdentity"), ("Version", STS_VERSION.as_bytes())]);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    if let Some(server) = server {
        let value = HeaderValue::from_str(server).map_err(|_| local("`server_id` is no header"))?;
        headers.insert(SERVER, value);
    }
    sign(
        &mut headers,
        (&url, form.bytes()),
        &keys,
        Scope { region: within, service: "sts", at: clock::now().wall },
    )?;
    // The server takes the host from the URL.
    headers.remove(HOST);
    let lines = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), Tree::list([Tree::Text(Secret::new(value.as_bytes().to_vec()))]))
    });
    let encoded = |bytes: &[u8]| Secret::from(STANDARD.encode(bytes));
    let signed = encoded(&Tree::map(lines).to_json());
    // No part of the token is quoted, either, nor in other letters: a text that names the header is not quoted at
    // all.
    let token = keys.token.iter().flat_map(|token| [token.clone(), Secret::from(TOKEN)]);
    let unspoken = token.chain([signed.clone()]).collect();
    let fields = vec![
        ("iam_http_request_method", "POST".into()),
        ("iam_request_url", encoded(url.as_str().as_bytes())),
        ("iam_request_body", encoded(form.bytes())),
        ("iam_request_headers", signed),
    ];
    Ok(Proven { fields, unspoken })
}

/// Returns the address of STS, and the region that it wants signatures for.
fn sts(at: Option<&str>) -> Result<(Url, &str), Failure> {
    match at {
        None => Ok((Url::parse(GLOBAL.0).expect("a constant that is a URL"), GLOBAL.1)),
        // AWS' own libraries do the same, and so does a server that is configured for this region.
        Some(region) if region == GLOBAL.1 => sts(None),
        Some(region) => Ok((address("sts", region, false)?, region)),
    }
}

/// Returns a token of STS that says who we are, for `audience` alone. Only the STS of a region gives one.
pub(crate) async fn identity(
    http: &Http,
    variables: &Variables,
    at: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    let credentials = Credentials::new(variables.clone(), None);
    let region = region(at, &credentials)?;
    if audience.len() > 1000 {
        return Err(Failure::new(FailureKind::Unusable, "`audience` is longer than AWS takes one"));
    }
    credentials.identity(http, &region, audience).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_for_where_the_server_asks() {
        let at =
            |region| sts(region).map(|(url, region)| (url.to_string(), region.to_owned())).expect("a region");
        let global = ("https://sts.amazonaws.com/".to_owned(), "us-east-1".to_owned());
        assert_eq!(at(None), global);
        assert_eq!(at(Some("us-east-1")), global);
        assert_eq!(
            at(Some("eu-west-1")),
            ("https://sts.eu-west-1.amazonaws.com/".to_owned(), "eu-west-1".to_owned())
        );
        assert_eq!(at(Some("cn-north-1")).0, "https://sts.cn-north-1.amazonaws.com.cn/");
    }
}
