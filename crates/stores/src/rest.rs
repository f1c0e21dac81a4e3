//! What Azure and Google have in common: JSON over GET with a bearer token, refusals of the form `{"error": {…}}`,
//! and lists in pages.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::AUTHORIZATION;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use crate::answer;
use crate::http::{Answer, Call, Http, retry_after};
use crate::oauth::bearer;

/// Asks with a token.
pub(crate) async fn get(http: &Http, url: &Url, token: &Secret) -> Result<Answer, Failure> {
    let mut call = Call::get(url.clone());
    call.headers.insert(AUTHORIZATION, bearer(token)?);
    http.send(call).await
}

/// Reads a good answer. A page that answers in the place of the cloud is no empty list, and no value that is broken.
pub(crate) fn object(answer: &Answer, service: &str, whose: &str) -> Result<Tree, Failure> {
    let tree = Tree::from_json(&answer.body).ok().filter(|tree| tree.as_map().is_some());
    tree.ok_or_else(|| intercepted(answer.status.as_u16(), service, whose))
}

fn intercepted(status: u16, service: &str, whose: &str) -> Failure {
    let why =
        format!("{service}: an answer ({status}) that is none of {whose}; check what is on the way to it");
    Failure::advised(FailureKind::Intercepted, why)
}

/// The names on one page of a list, and the key of the next page.
pub(crate) struct Page {
    pub(crate) names: Vec<String>,
    pub(crate) next: Option<String>,
}

/// Reads a list to its end, `most` pages at most.
pub(crate) async fn list(
    service: &str,
    most: usize,
    page: impl AsyncFn(Option<&str>) -> Result<Page, Failure>,
) -> Result<Response, Failure> {
    let (mut names, mut next) = (BTreeSet::new(), None);
    for _ in 0..most {
        let read = page(next.as_deref()).await?;
        names.extend(read.names);
        next = read.next;
        if next.is_none() {
            return Ok(answer::list(names.into_iter().collect()));
        }
    }
    Err(Failure::new(FailureKind::Nonsense, format!("{service} lists more than {most} pages")))
}

/// A refusal.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The cloud's own word for it; empty if the answer is not the cloud's.
    pub(crate) code: String,
    /// The message for a person.
    pub(crate) message: String,
    /// The whole error.
    pub(crate) error: Tree,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads a refusal. `code` is the field with the cloud's own word.
    pub(crate) fn of(answer: &Answer, code: &str) -> Self {
        let tree = Tree::from_json(&answer.body).unwrap_or_default();
        let error = tree.get("error").cloned().unwrap_or_default();
        let text = |name: &str| answer.said(error.get(name).and_then(Tree::as_str).unwrap_or_default());
        Self {
            status: answer.status.as_u16(),
            code: text(code),
            message: text("message"),
            retry_after: retry_after(&answer.headers),
            error,
        }
    }

    /// Returns what the cloud says, in brackets.
    pub(crate) fn words(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(" ({})", self.message) }
    }

    /// Explains the refusals that say nothing about the secret: too many requests, a fault, and what is no answer of
    /// `whose` at all.
    pub(crate) fn in_general(&self, service: &str, whose: &str) -> Option<Failure> {
        let words = self.words();
        match self.status {
            429 => Some(self.throttled(service)),
            500..=599 => {
                Some(Failure::new(FailureKind::Unavailable, format!("{service}: a fault of its own{words}")))
            }
            status if self.code.is_empty() => Some(intercepted(status, service, whose)),
            _ => None,
        }
    }

    /// Makes the failure for a cloud that asks for a later retry.
    pub(crate) fn throttled(&self, service: &str) -> Failure {
        Failure::new(FailureKind::Overloaded(self.retry_after), format!("{service}: too many requests"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;
    use http::{HeaderMap, StatusCode};
    use zeroize::Zeroizing;

    fn refusal(status: u16, body: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().expect("a header"));
        let status = StatusCode::from_u16(status).expect("a status");
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Refusal::of(&Answer { status, headers, body, unspoken: Vec::new() }, "code")
    }

    #[test]
    fn what_says_nothing_of_the_secret_means_the_same_at_both() {
        let own = r#"{"error": {"code": "Throttled", "message": "Slow down"}}"#;
        let kind =
            |status, body| refusal(status, body).in_general("it", "Azure's").map(|failure| failure.kind);
        assert_eq!(kind(429, own), Some(FailureKind::Overloaded(Some(Duration::from_secs(7)))));
        assert_eq!(kind(503, own), Some(FailureKind::Unavailable));
        assert_eq!(kind(403, own), None);
        assert_eq!(kind(403, "<html>sign in</html>"), Some(FailureKind::Intercepted));
    }

    #[test]
    fn a_page_in_the_place_of_a_good_answer_is_none_of_the_cloud() {
        let good = |body: &[u8]| {
            let (status, headers, body) = (StatusCode::OK, HeaderMap::new(), Zeroizing::new(body.to_vec()));
            object(&Answer { status, headers, body, unspoken: Vec::new() }, "it", "Azure's")
        };
        assert!(good(b"{}").is_ok());
        for page in [&b"<html>sign in</html>"[..], b"", b"[]"] {
            assert_eq!(good(page).expect_err("it is a page").kind, FailureKind::Intercepted);
        }
    }

    #[tokio::test]
    async fn a_list_has_an_end() {
        let page = async |next: Option<&str>| {
            let number: usize = next.map_or(0, |next| next.parse().expect("a number"));
            Ok(Page {
                names: vec![format!("n{number}")],
                next: (number < 2).then(|| (number + 1).to_string()),
            })
        };
        let all = list("it", 3, page).await.expect("three pages");
        assert_eq!(all.data.get("keys").and_then(Tree::as_list).map(<[Tree]>::len), Some(3));
        assert!(list("it", 2, page).await.is_err());
    }
}
