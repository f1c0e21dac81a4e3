//! What a vault asks for: a 401 that says which host gives tokens, and what they are for.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;
use leasehold_base::failure::{Failure, FailureKind};
use url::Url;

use super::cloud;
use crate::http::{place, said};

/// The token that a vault asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The resource that it is for.
    pub(crate) resource: String,
    /// The tenant that the vault belongs to.
    pub(crate) tenant: Option<String>,
}

/// Reads the challenge. A vault that asks for a token for something else gets none, since the token would open that
/// to the vault. Only the tenant is taken from the authority, so that no credential goes to a host that the vault
/// names.
pub(super) fn read(headers: &HeaderMap, vault: &Url) -> Result<Challenge, Failure> {
    let header = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let header = header.and_then(|header| header.strip_prefix("Bearer "));
    let Some(header) = header else {
        let why = format!(
            "{} does not ask for a token as Azure Key Vault does; check the address, and what is in front of it",
            place(vault)
        );
        return Err(Failure::advised(FailureKind::Intercepted, why));
    };
    let part = |name: &str| {
        let parts = header.split([',', ' ']).filter_map(|part| part.trim().split_once('='));
        parts.filter(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"')).next()
    };
    let scope = part("scope").map(|scope| scope.trim_end_matches("/.default"));
    let resource = part("resource").or(scope).unwrap_or_default().trim_end_matches('/');
    match Url::parse(resource) {
        Ok(url) if cloud::fits(&url, vault) => {}
        _ => {
            let why = format!(
                "{} asks for a token for {}, which does not belong to its domain; no credential was sent",
                place(vault),
                if resource.is_empty() { "nothing".to_owned() } else { said(resource) }
            );
            return Err(Failure::new(FailureKind::Refused, why));
        }
    }
    let authority = part("authorization").or_else(|| part("authorization_uri"));
    let tenant = authority.and_then(|authority| {
        let url = Url::parse(authority).ok()?;
        let tenant = url.path_segments()?.next()?.to_owned();
        is_tenant(&tenant).then_some(tenant)
    });
    Ok(Challenge { resource: resource.to_owned(), tenant })
}

/// Returns whether a text may become a part of a URL's path.
pub(super) fn is_tenant(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !text.is_empty() && text.len() <= 128 && text.chars().all(is_part) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Result<Challenge, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, header.parse().expect("a header"));
        read(&headers, &Url::parse("https://my.vault.azure.net").expect("a URL"))
    }

    #[test]
    fn the_tenant_and_the_resource_are_read_in_every_spelling() {
        let expected =
            Challenge { resource: "https://vault.azure.net".to_owned(), tenant: Some("t-1".to_owned()) };
        for header in [
            r#"Bearer authorization="https://login.microsoftonline.com/t-1", resource="https://vault.azure.net""#,
            r#"Bearer authorization="https://login.windows.net/t-1/",scope="https://vault.azure.net/.default""#,
            r#"Bearer resource=https://vault.azure.net/ authorization_uri=https://x.example/t-1"#,
        ] {
            assert_eq!(of(header).as_ref(), Ok(&expected), "{header}");
        }
    }

    #[test]
    fn a_vault_that_asks_for_a_token_for_something_else_gets_none() {
        for header in [
            r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://management.azure.com""#,
            r#"Bearer authorization="https://login.microsoftonline.com/t""#,
            r#"Bearer resource="vault.azure.net""#,
        ] {
            let failure = of(header).expect_err("refused");
            assert!(failure.why.contains("no credential was sent"), "{failure}");
        }
        assert_eq!(of("Basic realm=x").expect_err("refused").kind, FailureKind::Intercepted);
        let odd = of(r#"Bearer authorization="https://h/..%2f/x", resource="https://vault.azure.net""#);
        assert_eq!(odd.expect("good but for the tenant").tenant, None);
    }
}
