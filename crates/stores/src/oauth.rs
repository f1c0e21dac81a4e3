//! OAuth 2.0, as far as machines log in by it: a form is posted, and a bearer token comes back.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files::local;
use leasehold_http::header::sensitive;
use url::Url;
use zeroize::Zeroizing;

use crate::http::{Answer, Call};
use crate::kept::Fresh;

/// The content type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A form, which may hold a credential and is wiped.
pub(crate) struct Form {
    text: Zeroizing<Vec<u8>>,
}

impl Form {
    /// Makes a form of these fields.
    pub(crate) fn of(fields: &[(&str, &[u8])]) -> Self {
        // Each byte becomes at most three. A buffer that never grows leaves no copy behind.
        let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        for (name, value) in fields {
            if !text.is_empty() {
                text.push(b'&');
            }
            text.extend(name.as_bytes());
            text.push(b'=');
            for part in url::form_urlencoded::byte_serialize(value) {
                text.extend(part.as_bytes());
            }
        }
        Self { text }
    }

    /// Returns its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// Makes a POST of it. `unspoken` are the credentials in it.
    pub(crate) fn post(self, url: Url, unspoken: Vec<Secret>) -> Call {
        let mut call = Call { unspoken, ..Call::post(url, self.text) };
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        call
    }
}

/// Reads `access_token`, and how many seconds it is good. Some servers write the number as text, and Azure's App
/// Service says only when the token ends.
pub(crate) fn token(answer: &Answer, what: &str) -> Result<Fresh<Secret>, Failure> {
    let tree = Tree::from_json(&answer.body).map_err(|_| no_token(what))?;
    let token = tree.get("access_token").and_then(Tree::as_text).filter(|token| is_token(token));
    let token = token.cloned().ok_or_else(|| no_token(what))?;
    let life = number(&tree, "expires_in").and_then(|seconds| u64::try_from(seconds).ok());
    match (life, number(&tree, "expires_on")) {
        (None, Some(end)) => Ok(Fresh::until(token, Some(end))),
        (life, _) => Ok(Fresh { it: token, life: Some(Duration::from_secs(life.unwrap_or(0))) }),
    }
}

fn number(tree: &Tree, name: &str) -> Option<i64> {
    match tree.get(name)? {
        Tree::Number(spelling) => spelling.expose_str()?.parse().ok(),
        other => other.as_str()?.parse().ok(),
    }
}

fn is_token(token: &Secret) -> bool {
    !token.is_empty() && token.expose().iter().all(u8::is_ascii_graphic)
}

/// Makes the failure for an answer without a token.
pub(crate) fn no_token(what: &str) -> Failure {
    let why = format!("{what}: the answer holds no token; check what is on the way to it");
    Failure::advised(FailureKind::Intercepted, why)
}

/// Returns a refusal's code and description, as parts of a message.
pub(crate) fn complaint(answer: &Answer) -> (String, String) {
    let tree = Tree::from_json(&answer.body).unwrap_or_default();
    let text = |name: &str| answer.said(tree.get(name).and_then(Tree::as_str).unwrap_or_default());
    (text("error"), text("error_description"))
}

/// Returns the header `authorization` for a token.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let mut text = Vec::with_capacity(token.len() + 7);
    text.extend(b"Bearer ");
    text.extend(token.expose());
    sensitive(&Secret::new(text)).ok_or_else(|| local("the token has a character that no header takes"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::kept::Kept;
    use http::{HeaderMap, StatusCode};
    use leasehold_base::time::Moment;

    fn answer(body: &str) -> Answer {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Answer { status, headers, body, unspoken: Vec::new() }
    }

    #[test]
    fn a_token_has_its_life_as_a_number_or_as_text() {
        for life in ["3599", "\"3599\""] {
            let body = format!("{{\"access_token\": \"t\", \"expires_in\": {life}}}");
            let fresh = token(&answer(&body), "it").expect("a token");
            assert_eq!((fresh.it.expose(), fresh.life), (&b"t"[..], Some(Duration::from_secs(3599))));
        }
        for bad in ["<html>", "{}", "{\"access_token\": \"\"}", "{\"access_token\": \"a b\"}"] {
            assert_eq!(token(&answer(bad), "it").expect_err("refused").kind, FailureKind::Intercepted);
        }
    }

    #[test]
    fn a_token_that_only_says_when_it_ends_lives_until_then() {
        let end = leasehold_base::clock::now().wall + 3599;
        for end in [format!("{end}"), format!("\"{end}\"")] {
            let body = format!("{{\"access_token\": \"t\", \"expires_on\": {end}}}");
            let life = token(&answer(&body), "it").expect("a token").life.expect("it ends");
            assert!((3500..=3599).contains(&life.as_secs()), "{life:?}");
        }
        let both = "{\"access_token\": \"t\", \"expires_in\": 60, \"expires_on\": \"9999999999\"}";
        let life = token(&answer(both), "it").expect("a token").life;
        assert_eq!(life, Some(Duration::from_secs(60)), "our clock does not matter");
    }

    #[tokio::test]
    async fn a_token_that_only_says_when_it_ends_is_not_fetched_each_minute() {
        let seconds = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&seconds);
        let kept = Kept::by(move || Moment::new(Duration::from_secs(read.load(Ordering::Relaxed))));
        let end = leasehold_base::clock::now().wall + 3599;
        let fetches = Cell::new(0);
        for now in [0, 50, 3000] {
            seconds.store(now, Ordering::Relaxed);
            let fetch = async {
                fetches.set(fetches.get() + 1);
                token(&answer(&format!("{{\"access_token\": \"t\", \"expires_on\": \"{end}\"}}")), "it")
            };
            kept.get(Vec::new, fetch).await.expect("a token");
        }
        assert_eq!(fetches.get(), 1);
    }

    #[test]
    fn what_quotes_the_credential_is_left_out() {
        let body = "{\"error\": \"invalid_client\", \"error_description\": \"hunter2 is wrong\"}";
        let to = |body, secret: &str| complaint(&Answer { unspoken: vec![secret.into()], ..answer(body) });
        assert_eq!(to(body, "hunter2"), ("invalid_client".into(), String::new()));
        assert_eq!(to(body, "other").1, "hunter2 is wrong");
        let body = "{\"error\": \"no hunter2\"}";
        assert_eq!(to(body, "hunter2"), Default::default());
    }

    #[test]
    fn a_form_is_encoded() {
        assert_eq!(Form::of(&[("a", b"x y"), ("b", b"&=")]).bytes(), b"a=x+y&b=%26%3D");
    }
}
