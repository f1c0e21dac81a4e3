//! One request to any path, as `rustify` sends it. vaultrs' typed requests drop leases and do not know `sys/leases`,
//! so everything that carries or brings a secret goes through this request.

use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustify::endpoint::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use leasehold_base::request::{Request, Verb};
use leasehold_base::tree::Tree;

/// The characters that Go's `url.URL` leaves alone in a path, the slash included. A `%` is encoded, too: a path is
/// taken as written, so that the path in the policy is the path that is asked for.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b'=')
    .remove(b'@');

/// One request below `/v1/`.
pub(super) struct Raw {
    method: Method,
    path: String,
    query: Option<Zeroizing<String>>,
    body: Option<Tree>,
}

impl Raw {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), query: None, body: None }
    }

    pub(super) fn put(path: impl Into<String>, body: Tree) -> Self {
        Self { method: Method::PUT, path: path.into(), query: None, body: Some(body) }
    }

    /// Makes a read, a list, or a write of `body`.
    ///
    /// A list is a GET with `list=true`, as Vault's own client sends it: proxies do not know LIST.
    pub(super) fn of(request: &Request, body: Tree) -> Self {
        match request.verb {
            Verb::Read => Self { query: query(request), ..Self::get(&request.path) },
            Verb::List => {
                Self { query: Some(Zeroizing::new("list=true".to_owned())), ..Self::get(&request.path) }
            }
            Verb::Write => Self::put(&request.path, body),
        }
    }
}

fn query(request: &Request) -> Option<Zeroizing<String>> {
    if request.args.is_empty() {
        return None;
    }
    let encode = |bytes| url::form_urlencoded::byte_serialize(bytes);
    // Each byte becomes at most three. A text that never grows leaves no copy behind.
    let room = request.args.iter().map(|(key, value)| 3 * (key.len() + value.len()) + 2).sum();
    let mut query = Zeroizing::new(String::with_capacity(room));
    for (key, value) in &request.args {
        if !query.is_empty() {
            query.push('&');
        }
        query.extend(encode(key.as_bytes()));
        query.push('=');
        query.extend(encode(value.expose()));
    }
    Some(query)
}

impl Endpoint for Raw {
    type Response = IgnoredAny;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        if self.method == Method::GET { RequestMethod::GET } else { RequestMethod::PUT }
    }

    /// Builds the request itself: rustify's own way drops segments and copies the body.
    fn request(&self, base: &str) -> Result<http::Request<Vec<u8>>, ClientError> {
        let path = utf8_percent_encode(&self.path, PATH);
        let (mark, query) = self.query.as_ref().map_or(("", ""), |query| ("?", query.as_str()));
        let uri = Zeroizing::new(format!("{base}/{path}{mark}{query}"));
        let mut json = self.body.as_ref().map(Tree::to_json).unwrap_or_default();
        http::Request::builder()
            .method(self.method.clone())
            .uri(uri.as_str())
            .body(std::mem::take(&mut *json))
            .map_err(|error| ClientError::EndpointBuildError { source: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use leasehold_base::secret::Secret;

    fn uri(request: &Request) -> String {
        Raw::of(request, Tree::Null).request("http://x").expect("a request").uri().to_string()
    }

    #[test]
    fn a_path_is_sent_as_it_is_written() {
        for (path, sent) in [
            ("secret/web", "http://x/secret/web"),
            ("secret/my app", "http://x/secret/my%20app"),
            ("secret/50%25", "http://x/secret/50%2525"),
            ("secret/a#b", "http://x/secret/a%23b"),
            ("secret/ü@h:1", "http://x/secret/%C3%BC@h:1"),
        ] {
            assert_eq!(uri(&Request::read(path).expect("a good path")), sent);
        }
    }

    #[test]
    fn a_read_has_its_query_and_a_list_says_so() {
        let read = Request::read("secret/web?version=3&x=a b%26c").expect("a good path");
        assert_eq!(uri(&read), "http://x/secret/web?version=3&x=a+b%26c");
        assert_eq!(uri(&Request::list("secret").expect("a good path")), "http://x/secret?list=true");
    }

    #[test]
    fn a_write_is_a_put_with_its_body() {
        let args = BTreeMap::from([("k".to_owned(), Secret::from("v"))]);
        let request = Request::write("a/b", args).expect("a good path");
        let sent = Raw::of(&request, Tree::map([("k", Tree::text("v"))])).request("http://x").expect("ok");
        assert_eq!((sent.method(), sent.body().as_slice()), (&Method::PUT, &br#"{"k":"v"}"#[..]));
    }
}
