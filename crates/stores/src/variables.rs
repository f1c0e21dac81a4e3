//! The variables that configure the clouds' own programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use url::Url;

/// The variables that a store reads, as they were when the process started.
#[derive(Clone, Default)]
pub(crate) struct Variables(BTreeMap<&'static str, Secret>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// Takes the variables with these names.
    pub(crate) fn of(names: &[&'static str], environment: &dyn Fn(&str) -> Option<Secret>) -> Self {
        Self(names.iter().filter_map(|name| Some((*name, environment(name)?))).collect())
    }

    /// Returns a variable that is set and not empty.
    pub(crate) fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.get(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.secret(name)?.expose_str()
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// Returns the address that a variable names.
    ///
    /// # Errors
    /// If it is malformed: what it was to replace must not be asked instead.
    pub(crate) fn url(&self, name: &str) -> Result<Option<Url>, Failure> {
        let Some(text) = self.secret(name) else { return Ok(None) };
        let url = text.expose_str().and_then(|text| Url::parse(text).ok());
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.map(Some).ok_or_else(|| {
            let why =
                format!("{name} is no URL; write one that begins with https:// or http://, or unset it");
            Failure::advised(FailureKind::Unusable, why)
        })
    }

    /// Returns the address that a variable names, if it is one.
    pub(crate) fn good_url(&self, name: &str) -> Option<Url> {
        self.url(name).ok().flatten()
    }

    /// Returns whether a variable is `true`.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_by_name() {
        let of = |value: &[u8]| {
            let variables = Variables::of(&["AT"], &|_| Some(Secret::new(value.to_vec())));
            variables.url("AT").map(|url| url.map(|url| url.to_string()))
        };
        assert_eq!(of(b""), Ok(None));
        assert_eq!(of(b"http://localhost:4566"), Ok(Some("http://localhost:4566/".to_owned())));
        for bad in [&b"localhost:4566"[..], b"//host", b"http://", b"ftp://host", b"https://\xff"] {
            let failure = of(bad).expect_err("it is none");
            assert_eq!(failure.kind, FailureKind::Unusable);
            assert!(failure.why.starts_with("AT is no URL"), "{failure}");
        }
    }
}
