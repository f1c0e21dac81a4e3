//! The annotations of a pod: known, of the right shape, and read by name.

pub(crate) mod grammar;
pub mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::refusal::{Refusal, shown};
use table::{Entry, Reach, Shape, Table, Verdict};

/// The annotations of one prefix on one pod, each checked against its table.
#[derive(Debug)]
pub(crate) struct Annotations<'p> {
    table: &'static Table,
    /// By name, without the prefix.
    values: BTreeMap<&'p str, &'p str>,
}

impl<'p> Annotations<'p> {
    /// Takes those of `table` from a pod, unchecked.
    pub(crate) fn of(pod: &'p Value, table: &'static Table) -> Self {
        let all = pod["metadata"]["annotations"].as_object().into_iter().flatten();
        let ours = all.filter_map(|(name, value)| Some((name.strip_prefix(table.prefix)?, value.as_str()?)));
        Self { table, values: ours.collect() }
    }

    /// Checks every value, and returns warnings of what is unknown or has no effect.
    pub(crate) fn check(&self) -> Result<Vec<String>, Refusal> {
        let mut warnings = Vec::new();
        for (name, value) in &self.values {
            let Some(entry) = find(self.table, name) else {
                warnings.push(self.unknown(name));
                continue;
            };
            check_shape(entry.shape, value).map_err(|(what, advice)| self.refusal(name, what, advice))?;
            if entry.verdict == Verdict::Idle {
                warnings.push(format!("{}: has no effect; {}", self.full(name), entry.does));
            }
        }
        Ok(warnings)
    }

    fn unknown(&self, name: &str) -> String {
        let near = self.table.entries.iter().map(|entry| entry.name);
        let near = near
            .filter(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 3)
            .min_by_key(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()));
        let prefix = self.table.prefix;
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {prefix}{near}?"));
        format!("{}: is not known and has no effect{hint}", self.full(name))
    }

    /// Returns the whole name of an annotation, as it is in the pod.
    pub(crate) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.table.prefix)
    }

    /// Makes a refusal because of this annotation.
    pub(crate) fn refusal(&self, name: &str, what: impl Into<String>, advice: impl Into<String>) -> Refusal {
        Refusal::new(self.full(name), what, advice)
    }

    /// Returns the value of an annotation as it is.
    pub(crate) fn get(&self, name: &str) -> Option<&'p str> {
        self.values.get(name).copied()
    }

    /// Returns the value of an annotation, if it is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<&'p str> {
        self.get(name).filter(|text| !text.trim().is_empty())
    }

    /// Returns a value that [`Annotations::check`] has found to be a boolean.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        grammar::flag(self.get(name)?)
    }

    /// Returns a value that [`Annotations::check`] has found to be a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Returns a value that [`Annotations::check`] has found to be a duration.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        grammar::duration(self.get(name)?)
    }

    /// Returns what follows `name-` in the names of annotations, each with the annotation's value. It is the name of a
    /// secret or of a parameter.
    pub(crate) fn each(&self, name: &'static str) -> impl Iterator<Item = (&'p str, &'p str)> {
        let own = move |(key, value): (&&'p str, &&'p str)| {
            let below = key.strip_prefix(name)?.strip_prefix('-')?;
            // `agent-inject-template-file-a` is no template of a secret `file-a`.
            (find(self.table, key)?.name == name && !below.is_empty()).then_some((below, *value))
        };
        self.values.iter().filter_map(own)
    }
}

/// Finds the entry of an annotation: by the annotation's whole name, or else by the longest name of an entry that it
/// begins with.
fn find(table: &'static Table, name: &str) -> Option<&'static Entry> {
    let exact = |entry: &&Entry| entry.name == name && matches!(entry.reach, Reach::Pod | Reach::Both);
    let below = |entry: &&Entry| {
        let rest = name.strip_prefix(entry.name).and_then(|rest| rest.strip_prefix('-'));
        entry.reach != Reach::Pod && rest.is_some()
    };
    let entries = || table.entries.iter();
    entries().find(exact).or_else(|| entries().filter(below).max_by_key(|entry| entry.name.len()))
}

/// Checks that a value has a shape. If not, the error is what is wrong with the value, and what to do.
fn check_shape(shape: Shape, value: &str) -> Result<(), (String, String)> {
    let empty = value.is_empty();
    let (good, what, advice) = match shape {
        Shape::Text => (!value.contains('\0'), "a text without NUL", "leave the NUL out".to_owned()),
        Shape::Flag => {
            (grammar::flag(value).is_some(), "a boolean", "write \"true\" or \"false\"".to_owned())
        }
        Shape::Number => {
            let is_number = value.parse::<u64>().is_ok_and(|number| i64::try_from(number).is_ok());
            (empty || is_number, "a whole number from 0", "write digits, such as \"5\"".to_owned())
        }
        Shape::Decimal => {
            let is_decimal = value.parse::<f64>().is_ok_and(f64::is_finite);
            (empty || is_decimal, "a number", "write it such as \"0.9\"".to_owned())
        }
        Shape::Duration => {
            let good = empty || grammar::duration(value).is_some();
            (good, "a duration", "write it such as \"30s\" or \"5m\"".to_owned())
        }
        Shape::Quantity => {
            let good = empty || grammar::is_quantity(value);
            (good, "a quantity of Kubernetes", "write it such as \"64Mi\" or \"100m\"".to_owned())
        }
        Shape::Word(words) => {
            let known = words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>();
            (words.contains(&value), "known here", format!("use one of {}", known.join(", ")))
        }
        Shape::Folder => {
            let advice = "write an absolute path, such as \"/vault/secrets\"".to_owned();
            (grammar::is_mount_path(value), "a path that can be mounted at", advice)
        }
        Shape::Mode => (
            empty || grammar::is_mode(value),
            "a mode in octal digits",
            "write it such as \"0640\"".to_owned(),
        ),
        Shape::Name => {
            let good = empty || grammar::is_object_name(value);
            (good, "the name of an object", "use lower-case letters, digits, hyphens and dots".to_owned())
        }
        Shape::Patch => {
            let good = empty || serde_json::from_str::<json_patch::Patch>(value).is_ok();
            (good, "a JSON patch", "write a list of operations (RFC 6902)".to_owned())
        }
    };
    if good { Ok(()) } else { Err((format!("{} is not {what}", shown(value)), advice)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_found_by_the_longest_name_that_it_begins_with() {
        let found = |name| find(&table::VAULT, name).map(|entry| entry.name);
        assert_eq!(found("agent-inject-template-file-a"), Some("agent-inject-template-file"));
        assert_eq!(found("agent-inject-template-a"), Some("agent-inject-template"));
        assert_eq!(found("secret-volume-path"), Some("secret-volume-path"));
        assert_eq!(found("agent-inject-secret"), None);
        assert_eq!(found("agent-inject-TEMPLATE-a"), None);
        assert_eq!(found("role-a"), None);
    }

    #[test]
    fn no_name_stands_twice_in_a_table() {
        for table in [&table::VAULT, &table::OWN] {
            let mut names: Vec<&str> = table.entries.iter().map(|entry| entry.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
