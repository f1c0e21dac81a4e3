//! AWS' Signature Version 4 of a request with the path `/` and no query, as in all of AWS' JSON and query protocols.

use std::fmt;
use std::fmt::Write as _;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use leasehold_http::files::local;
use leasehold_http::header::sensitive;
use ring::{digest, hmac};
use url::Url;
use zeroize::Zeroizing;

use crate::http::authority;
use crate::times;
use leasehold_base::failure::Failure;
use leasehold_base::secret::Secret;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Its id, which is no secret.
    pub(crate) id: String,
    pub(crate) secret: Secret,
    /// The session token, which belongs to a key that ends.
    pub(crate) token: Option<Secret>,
    /// Where the key is from, for messages.
    pub(crate) from: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a signature is valid for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// Seconds since 1970.
    pub(crate) at: i64,
}

/// Adds the headers `x-amz-date`, `x-amz-security-token` and `authorization` for a POST of `body` to `url`. Every
/// header that is there already is signed.
pub(crate) fn sign(
    headers: &mut HeaderMap,
    (url, body): (&Url, &[u8]),
    keys: &Keys,
    scope: Scope<'_>,
) -> Result<(), Failure> {
    let stamp = times::stamp(scope.at);
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| local("the request cannot be signed"));
    headers.insert(HOST, value(&authority(url))?);
    headers.insert(DATE, value(&stamp)?);
    if let Some(token) = &keys.token {
        let token = sensitive(token).ok_or_else(|| local("the session token of AWS is no header"))?;
        headers.insert(TOKEN, token);
    }
    let names = names(headers);
    let day = &stamp[..8];
    let within = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let canonical = canonical(headers, &names, body);
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{within}\n{}", hex(&sha256(&canonical)));
    let signature = hex(mac(&key(keys, day, scope), text.as_bytes()).as_ref());
    let mut authorization = value(&format!(
        "AWS4-HMAC-SHA256 Credential={}/{within}, SignedHeaders={}, Signature={signature}",
        keys.id,
        names.join(";")
    ))?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    Ok(())
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

/// Returns the request in the one form that both sides hash. It contains the session token, so it is wiped.
fn canonical(headers: &HeaderMap, names: &[&str], body: &[u8]) -> Zeroizing<Vec<u8>> {
    let long: usize = headers.iter().map(|(name, value)| name.as_str().len() * 2 + value.len() + 3).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(long + 128));
    text.extend(b"POST\n/\n\n");
    for name in names {
        text.extend(name.as_bytes());
        text.push(b':');
        text.extend(headers.get(*name).map_or(&b""[..], HeaderValue::as_bytes).trim_ascii());
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend(names.join(";").as_bytes());
    text.push(b'\n');
    text.extend(hex(&sha256(body)).as_bytes());
    text
}

fn key(keys: &Keys, day: &str, scope: Scope<'_>) -> hmac::Tag {
    let mut first = Zeroizing::new(Vec::with_capacity(keys.secret.len() + 4));
    first.extend(b"AWS4");
    first.extend(keys.secret.expose());
    let day = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &first), day.as_bytes());
    let region = mac(&day, scope.region.as_bytes());
    let service = mac(&region, scope.service.as_bytes());
    mac(&service, b"aws4_request")
}

fn mac(key: &hmac::Tag, text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), text)
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the scope of AWS' own test suite of the signature.
    const EXAMPLE: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

    fn keys(token: Option<&str>) -> Keys {
        let from = String::new();
        Keys { id: EXAMPLE.0.into(), secret: EXAMPLE.1.into(), token: token.map(Secret::from), from }
    }

    fn signed(headers: &[(&'static str, &str)], body: &[u8], token: Option<&str>) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        let url = Url::parse("https://example.amazonaws.com/").expect("a URL");
        let scope = Scope { region: "us-east-1", service: "service", at: 1_440_938_160 };
        sign(&mut all, (&url, body), &keys(token), scope).expect("it can be signed");
        all
    }

    #[test]
    fn a_request_of_aws_own_test_suite_has_its_signature() {
        // post-vanilla and post-x-www-form-urlencoded of the suite.
        let bare = signed(&[], b"", None);
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        assert_eq!(bare["authorization"], expected);
        let form = signed(&[("content-type", "application/x-www-form-urlencoded")], b"Param1=value1", None);
        assert!(form["authorization"].to_str().expect("text").ends_with(
            "SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        ));
    }

    #[test]
    fn a_session_token_is_signed_and_nothing_prints_it() {
        let headers = signed(&[], b"", Some("hunter2"));
        assert!(headers["authorization"].to_str().expect("text").contains("x-amz-security-token"));
        assert!(headers["x-amz-security-token"].is_sensitive() && headers["authorization"].is_sensitive());
        let shown = format!("{headers:?} {:?}", keys(Some("hunter2")));
        assert!(!shown.contains("hunter2") && !shown.contains("wJalr"), "{shown}");
    }
}
