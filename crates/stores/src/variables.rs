//! The variables that configure the clouds' own programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

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

    /// Returns an address that a variable names. A malformed address is left out, and then what it names is missing.
    pub(crate) fn url(&self, name: &str) -> Option<Url> {
        Url::parse(self.text(name)?).ok()
    }
}
