//! The namespaces that the controller works for. Pure.

use std::collections::BTreeSet;

use super::identity::Identity;

/// The namespaces of the options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The namespaces that are watched; all of them if none is named.
    pub(crate) watched: BTreeSet<String>,
    /// The namespaces that are left alone even if they are watched.
    pub(crate) excluded: BTreeSet<String>,
}

impl Scope {
    /// Returns whether the definitions that may use a login are known. Those of an account are in its own namespace.
    pub(crate) fn shows_users_of(&self, identity: &Identity) -> bool {
        match identity {
            Identity::Controller => true,
            Identity::Account { namespace, .. } => self.has(namespace),
        }
    }

    fn has(&self, namespace: &str) -> bool {
        (self.watched.is_empty() || self.watched.contains(namespace)) && !self.excluded.contains(namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_where_its_namespace_is_watched_and_not_excluded() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let known = |watched: &[&str], excluded: &[&str]| {
            let scope = Scope { watched: names(watched), excluded: names(excluded) };
            let of = |namespace: &str| scope.shows_users_of(&Identity::sample(namespace, "web"));
            assert!(scope.shows_users_of(&Identity::Controller));
            [of("shop"), of("other")]
        };
        assert_eq!(known(&[], &[]), [true, true]);
        assert_eq!(known(&["shop"], &[]), [true, false]);
        assert_eq!(known(&[], &["shop"]), [false, true]);
        assert_eq!(known(&["shop", "other"], &["shop"]), [false, true]);
    }
}
