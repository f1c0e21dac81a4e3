//! The variables of our own environment: for development, and for platforms that provide secrets in this way.

use std::collections::BTreeMap;
use std::fmt;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;

use crate::answer;

/// The variables whose names begin with a prefix, as they were when the process started: no other process can change
/// them later.
pub struct Environment {
    prefix: String,
    variables: BTreeMap<String, Secret>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Environment {
    pub(crate) fn new(prefix: &str, environment: &BTreeMap<String, Secret>) -> Self {
        let ours = environment.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(prefix).filter(|name| !name.is_empty())?;
            Some((name.to_owned(), value.clone()))
        });
        Self { prefix: prefix.to_owned(), variables: ours.collect() }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Response, Failure> {
        match self.variables.get(name) {
            Some(value) if value.len() > answer::MOST_BYTES => Err(answer::too_large()),
            Some(value) => Ok(Response::of_value(value.clone())),
            None => {
                let why = format!(
                    "the variable {}{name} is not set; variables are read once, at the start",
                    self.prefix
                );
                Err(Failure::new(FailureKind::Missing, why))
            }
        }
    }

    /// Lists all names that begin with `start`, without the prefix. A variable has no folders.
    pub(crate) fn list(&self, start: &str) -> Response {
        answer::list(self.variables.keys().filter(|name| name.starts_with(start)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_base::tree::Tree;

    fn environment(prefix: &str) -> Environment {
        let variables =
            [("APP_DB", "hunter2"), ("APP_", "no name"), ("PATH", "/bin"), ("APP_API", "{\"key\":\"k\"}")];
        let all = variables.map(|(name, value)| (name.to_owned(), Secret::from(value)));
        Environment::new(prefix, &BTreeMap::from(all))
    }

    #[test]
    fn a_variable_is_found_by_its_name_behind_the_prefix() {
        let store = environment("APP_");
        let value = store.read("DB").expect("it is set");
        assert_eq!(value.data.get("value").and_then(Tree::as_str), Some("hunter2"));
        assert_eq!(store.read("API").expect("it is set").data.get("key").and_then(Tree::as_str), Some("k"));
        assert_eq!(environment("").read("PATH").expect("it is set").raw.expect("raw").expose(), b"/bin");
    }

    #[test]
    fn what_is_not_set_is_named_with_its_prefix_and_no_other_variable_is_reached() {
        let failure = environment("APP_").read("PATH").expect_err("it has no prefix");
        assert_eq!(failure.kind, FailureKind::Missing);
        assert!(failure.why.contains("APP_PATH"), "{failure}");
    }

    #[test]
    fn names_are_listed_without_values_and_never_printed_with_them() {
        let store = environment("APP_");
        let keys = store.list("").data.get("keys").and_then(Tree::as_list).map(<[Tree]>::len);
        assert_eq!(keys, Some(2));
        assert!(!format!("{store:?}").contains("hunter2"));
    }

    #[test]
    fn a_value_that_is_no_text_stays_as_it_is() {
        let bytes = Secret::new(vec![0xff, 0xfe]);
        let store = Environment::new("", &BTreeMap::from([("KEY".to_owned(), bytes)]));
        assert_eq!(store.read("KEY").expect("it is set").raw.expect("raw").expose(), [0xff, 0xfe]);
    }
}
