//! A file of Google's credentials: a service account's key, workload federation, or a user's.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use url::Url;
use zeroize::Zeroizing;

use super::fault::KeyFault;
use super::federated::{Federated, Source};
use crate::http::{may_be_plain, said};

/// The most bytes of such a file.
const MOST: usize = 64 * 1024;

/// The universe of Google's public cloud, which a file names or leaves out.
const UNIVERSE: &str = "googleapis.com";

const TOKENS: &str = "https://oauth2.googleapis.com/token";

/// What the file holds.
pub(super) enum Key {
    /// A service account, which signs for itself.
    Account(Account),
    /// The token of another identity provider, which Google exchanges for one of its own.
    Federated(Box<Federated>),
    /// A user who has logged in, for development.
    User(User),
}

/// The key of a service account.
pub(super) struct Account {
    pub(super) email: String,
    pub(super) key_id: String,
    pub(super) private_key: Secret,
    pub(super) token_url: Url,
}

/// The credentials that a user's login has left.
pub(super) struct User {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) refresh_token: Secret,
}

impl Key {
    /// Reads the file.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read("GOOGLE_APPLICATION_CREDENTIALS", path, MOST)?;
        let at = path.display();
        let wrong = |why: &str| Failure::new(FailureKind::Unusable, format!("{at} {why}"));
        let tree = Tree::from_json(&bytes).map_err(|_| wrong("is no JSON"))?;
        let text = |name: &str| tree.get(name).and_then(Tree::as_str).filter(|text| !text.is_empty());
        let secret = |name: &str| tree.get(name).and_then(Tree::as_text).cloned();
        let lacks = |name: &str| wrong(&format!("has no {name}"));
        if let Some(other) = text("universe_domain").filter(|domain| *domain != UNIVERSE) {
            return Err(wrong(&KeyFault::Universe(other.to_owned()).to_string()));
        }
        match text("type") {
            Some("service_account") => Ok(Self::Account(Account {
                email: text("client_email").ok_or_else(|| lacks("client_email"))?.to_owned(),
                key_id: text("private_key_id").unwrap_or_default().to_owned(),
                private_key: secret("private_key").ok_or_else(|| lacks("private_key"))?,
                token_url: google("token_uri", text("token_uri").unwrap_or(TOKENS))
                    .map_err(|why| wrong(&why.to_string()))?,
            })),
            Some("external_account") => {
                let federated = Federated::of(&tree).map_err(|why| wrong(&why.to_string()))?;
                Ok(Self::Federated(Box::new(federated)))
            }
            Some("authorized_user") => Ok(Self::User(User {
                client_id: text("client_id").ok_or_else(|| lacks("client_id"))?.to_owned(),
                client_secret: secret("client_secret").ok_or_else(|| lacks("client_secret"))?,
                refresh_token: secret("refresh_token").ok_or_else(|| lacks("refresh_token"))?,
            })),
            Some(other) => Err(wrong(&format!("is of type {}, which is not followed", said(other)))),
            None => Err(wrong("is no file of Google's credentials: it has no type")),
        }
    }

    /// Returns the addresses where tokens are requested with it.
    pub(super) fn urls(&self) -> Vec<Url> {
        match self {
            Self::Account(account) => vec![account.token_url.clone()],
            Self::Federated(federated) => federated.urls(),
            Self::User(_) => Vec::new(),
        }
    }

    /// Returns the file that the key depends on besides its own.
    pub(super) fn file(&self) -> Option<&Path> {
        let Self::Federated(federated) = self else { return None };
        match &federated.source {
            Source::File(path) => Some(path),
            Source::Url(..) => None,
        }
    }
}

/// Returns an address that the file has in the field `name`, which has to be Google's or on this machine: the file may
/// come from elsewhere.
pub(super) fn google(name: &'static str, text: &str) -> Result<Url, KeyFault> {
    let url = address(name, text)?;
    let host = url.host_str().unwrap_or_default();
    let is_google = url.scheme() == "https" && host.ends_with(".googleapis.com");
    if is_google || (may_be_plain(&url) && !matches!(url.host(), Some(url::Host::Domain(_)))) {
        return Ok(url);
    }
    Err(KeyFault::Elsewhere(host.to_owned()))
}

/// Returns an address that the file has in the field `name`.
pub(super) fn address(name: &'static str, text: &str) -> Result<Url, KeyFault> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    url.ok_or(KeyFault::NoUrl(name))
}

/// Makes a JWT of the claims, signed by the account's key.
pub(super) fn jwt(key_id: &str, private_key: &Secret, claims: &Tree) -> Result<Secret, Failure> {
    let unusable = |why: &str| {
        Failure::new(FailureKind::Unusable, format!("the private_key of the service account {why}"))
    };
    let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.expose())
        .map_err(|_| unusable("is no PEM of a key"))?;
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| unusable("is no RSA key"))?;
    let head =
        Tree::map([("alg", Tree::text("RS256")), ("kid", Tree::text(key_id)), ("typ", Tree::text("JWT"))]);
    let part = |tree: &Tree| URL_SAFE_NO_PAD.encode(tree.to_json());
    let text = format!("{}.{}", part(&head), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| unusable("does not sign"))?;
    let mut whole = Zeroizing::new(text);
    let signature = URL_SAFE_NO_PAD.encode(&signature);
    let jwt = Secret::from(format!("{}.{signature}", whole.as_str()));
    whole.clear();
    Ok(jwt)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Key, Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.json");
        std::fs::write(&path, json).expect("a file");
        Key::read(&path)
    }

    #[test]
    fn a_file_that_names_a_host_that_is_not_googles_is_refused() {
        for (json, words) in [
            ("[]", "it has no type"),
            ("{", "is no JSON"),
            (r#"{"type": "impersonated_service_account"}"#, "which is not followed"),
            (r#"{"type": "service_account"}"#, "has no client_email"),
            (
                r#"{"type": "service_account", "client_email": "a", "private_key": "k", "token_uri": "https://evil.example/token"}"#,
                "names evil.example, which is not Google's; no credential was sent",
            ),
            (
                r#"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://googleapis.com.evil.example/", "credential_source": {"file": "/t"}}"#,
                "is not Google's",
            ),
            (
                r#"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"url": "http://169.254.169.254/", "environment_id": "aws1"}}"#,
                "another credential_source than a file or a url",
            ),
            (
                r#"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"url": "http://127.0.0.1/", "headers": {"a b": "c"}}}"#,
                "has a header a b, which cannot be sent",
            ),
            (
                r#"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"executable": {"command": "/x"}}}"#,
                "another credential_source than a file or a url",
            ),
        ] {
            let failure = read(json).err().expect("refused");
            assert!(failure.why.contains(words), "{failure}");
        }
    }

    /// Returns a file of workload federation whose `credential_source` is `source`.
    fn federated(source: &str) -> String {
        format!(
            r#"{{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {source}}}"#
        )
    }

    #[test]
    fn a_source_that_googles_own_library_refuses_is_refused() {
        // As google.auth.identity_pool.Credentials does.
        for (source, words) in [
            (r#"{"file": "/t", "url": "http://127.0.0.1/"}"#, "names several places"),
            (r#"{"file": "/t", "certificate": {}}"#, "names several places"),
            (r#"{"file": "/t", "environment_id": "aws1"}"#, "has an environment_id beside the file"),
            (r#"{"file": "/t", "format": {"type": "xml"}}"#, "write text or json"),
            (r#"{"file": "/t", "format": {"type": 1}}"#, "write text or json"),
            (
                r#"{"file": "/t", "format": {"type": "json"}}"#,
                "has no credential_source.format.subject_token_field_name",
            ),
            (r#"{"certificate": {}}"#, "another credential_source than a file or a url"),
            ("{}", "another credential_source than a file or a url"),
        ] {
            let failure = read(&federated(source)).err().expect("refused");
            assert!(failure.why.contains(words), "{failure}");
        }
        for good in [
            r#"{"file": "/t"}"#,
            r#"{"file": "/t", "format": {"type": "text"}}"#,
            r#"{"file": "/t", "format": {"subject_token_field_name": "x"}}"#,
            r#"{"url": "http://127.0.0.1/", "format": {"type": "json", "subject_token_field_name": "x"}}"#,
        ] {
            assert!(read(&federated(good)).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_file_of_another_universe_is_refused_by_name() {
        let of = |domain: &str| {
            let file = federated(r#"{"file": "/t"}"#);
            read(&file.replacen('{', &format!("{{\"universe_domain\": \"{domain}\", "), 1))
        };
        assert!(of("googleapis.com").is_ok());
        let failure = of("apis.example").err().expect("refused");
        assert!(failure.why.contains("has the universe_domain apis.example, which is not read"), "{failure}");
    }

    #[test]
    fn an_address_that_is_none_is_named_and_not_shown() {
        const BAD: &str = "127.0.0.1/token?code=hunter2";
        let account = format!(
            r#"{{"type": "service_account", "client_email": "a", "private_key": "k", "token_uri": "{BAD}"}}"#
        );
        let whole = federated(r#"{"file": "/t"}"#);
        let acting = format!("\"service_account_impersonation_url\": \"{BAD}\", \"audience\"");
        for (json, name) in [
            (account, "token_uri"),
            (whole.replace("https://sts.googleapis.com/v1/token", BAD), "token_url"),
            (whole.replace("\"audience\"", &acting), "service_account_impersonation_url"),
            (federated(&format!("{{\"url\": \"{BAD}\"}}")), "credential_source.url"),
            (federated("{\"url\": \"hunter2:x\"}"), "credential_source.url"),
        ] {
            let failure = read(&json).err().expect("refused");
            assert!(failure.why.contains(&format!("has a {name} that is no URL")), "{failure}");
            assert!(!failure.why.contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_named_and_not_shown() {
        let failure = jwt("id", &"hunter2".into(), &Tree::Null).expect_err("no key");
        assert!(failure.why.contains("is no PEM of a key") && !failure.why.contains("hunter2"), "{failure}");
    }
}
