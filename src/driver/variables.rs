//! The variables that the next process of `exec` gets: rendered like files, published into memory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::plan::{Spread, VariablePlan, VariableSource, WriteRules};
use crate::driver::store::Store;
use crate::exit::{Cause, Ending};
use crate::process::child;
use crate::publish::{Attributes, Content, Member, Problem, PublishError, Published};
use crate::render::{self, Environment, Outcome};
use crate::secret::Secret;
use crate::tree::Tree;

/// The longest entry that the kernel accepts (MAX_ARG_STRLEN), including the name, `=` and the NUL at its end.
const LONGEST: usize = 128 * 1024;

/// The room that the kernel has for arguments and environment of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The whole room.
    pub(super) limit: usize,
    /// The part that no rendering changes.
    pub(super) taken: usize,
}

/// The last published values.
#[derive(Debug)]
pub(super) struct Variables {
    generation: u64,
    room: Room,
    /// How a variable becomes several, if it does.
    spreads: Vec<Option<Spread>>,
    /// By the place in `plan.exec.env`.
    pub(super) values: Vec<Option<Secret>>,
}

impl Variables {
    /// Makes variables of which none is published yet.
    pub(super) fn new(spreads: Vec<Option<Spread>>, room: Room) -> Self {
        Self { generation: 0, room, values: vec![None; spreads.len()], spreads }
    }

    /// Takes the values that `members` bring, in the order of the variables.
    ///
    /// # Errors
    /// If the kernel would not start a process with all of them. That is found out here, before the process that runs
    /// with the old values is stopped.
    pub(super) fn publish(&mut self, members: &[Member]) -> Result<Published, PublishError> {
        self.fit(members)?;
        let mut changed = Vec::new();
        for (index, (value, member)) in self.values.iter_mut().zip(members).enumerate() {
            if let Content::Bytes(bytes) = &member.content
                && value.as_ref() != Some(bytes)
            {
                *value = Some(bytes.clone());
                changed.push(index);
            }
        }
        self.generation += u64::from(!changed.is_empty());
        Ok(Published { generation: self.generation, changed, aftermath: None })
    }

    fn fit(&self, members: &[Member]) -> Result<(), PublishError> {
        let sizes =
            self.values.iter().zip(members).zip(&self.spreads).filter_map(|((old, member), spread)| {
                let value = match &member.content {
                    Content::Bytes(bytes) => bytes,
                    Content::Keep => old.as_ref()?,
                };
                let takes = |name: usize, value: &Secret| child::takes(name + 1 + value.len());
                let Some(spread) = spread else { return Some(takes(member.path.as_os_str().len(), value)) };
                // Each key becomes a variable with a prefix of its own, which may be longer than its value.
                let parts = spread_over(spread, value).ok()?;
                Some(parts.iter().map(|(name, value)| takes(name.len(), value)).sum())
            });
        let needed = self.room.taken + sizes.sum::<usize>();
        if needed <= self.room.limit {
            return Ok(());
        }
        Err(PublishError::new("exec.env", Problem::Environment { needed, limit: self.room.limit }))
    }
}

/// Returns a variable as a member of its unit. Its place among the members counts, and its path is its name.
pub(super) fn member(name: &str, value: Option<Secret>) -> Member {
    Member {
        path: PathBuf::from(name),
        content: value.map_or(Content::Keep, Content::Bytes),
        attributes: Attributes { mode: 0, uid: None, gid: None },
    }
}

/// Renders a variable. A value that no environment can hold is a failure, like a failure of the template.
pub(super) fn render(variable: &VariablePlan, store: &Store, environment: &Environment) -> Outcome {
    let label = variable.label();
    let outcome = match &variable.source {
        VariableSource::Made(source) => {
            render::render(&label, source, store, environment, &WriteRules::default())
        }
        VariableSource::Parts(parts) => render::join(parts, store, environment),
    };
    match outcome {
        Outcome::Done { made, used } => match unfit(variable, &made.bytes) {
            None => Outcome::Done { made, used },
            Some(why) => {
                Outcome::Failed { why: Ending { what: format!("{label}: {}", why.what), ..why }, used }
            }
        },
        // A failure about a secret names only the path, so the variable is added.
        Outcome::Failed { mut why, used } if !why.what.starts_with(&label) => {
            why.what = format!("{label}: {}", why.what);
            Outcome::Failed { why, used }
        }
        outcome => outcome,
    }
}

/// Returns why no environment can hold the value of a variable.
fn unfit(variable: &VariablePlan, value: &Secret) -> Option<Ending> {
    match &variable.spread {
        Some(spread) => spread_over(spread, value).err(),
        None => (!fits(&variable.name, value)).then(|| {
            let what = "the value has a NUL byte, or more than 128 KiB";
            Ending::new(Cause::Template, what, "give it to the process as a file")
        }),
    }
}

/// Returns the variables of the process, by name. A variable that is named wins over the keys of whole secrets.
pub(super) fn environment_of(plans: &[VariablePlan], values: &[Option<Secret>]) -> Vec<(String, Secret)> {
    let mut all = BTreeMap::new();
    let of = |spread: bool| plans.iter().zip(values).filter(move |(plan, _)| plan.spread.is_some() == spread);
    for (plan, value) in of(true) {
        // The value was rendered, so it can be taken apart.
        let parts = plan.spread.as_ref().zip(value.as_ref());
        let parts = parts.and_then(|(spread, value)| spread_over(spread, value).ok());
        all.extend(parts.into_iter().flatten());
    }
    all.extend(of(false).filter_map(|(plan, value)| Some((plan.name.clone(), value.clone()?))));
    all.into_iter().collect()
}

/// Returns the variables that the keys of a secret, `json`, become.
fn spread_over(spread: &Spread, json: &Secret) -> Result<BTreeMap<String, Secret>, Ending> {
    let failed = |what: String, hint: &str| Ending::new(Cause::Template, what, hint);
    let tree = Tree::from_json(json.expose()).unwrap_or(Tree::Null);
    let mut variables = BTreeMap::new();
    for (key, value) in tree.as_map().into_iter().flat_map(|map| map.iter()) {
        let name = spread.name(key);
        if name.is_empty() || name.contains(|c: char| c == '=' || c.is_control()) {
            let what = format!("the key {key:?} does not make the name of a variable");
            return Err(failed(what, "write `sanitize: true`, or name each variable"));
        }
        let value = match value {
            Tree::Null => continue,
            Tree::Text(text) | Tree::Number(text) => text.clone(),
            Tree::Bool(flag) => flag.to_string().into(),
            nested => Secret::new(std::mem::take(&mut *nested.to_json())),
        };
        if !fits(&name, &value) {
            let what = format!("the value of the key {key:?} has a NUL byte, or more than 128 KiB");
            return Err(failed(what, "give it to the process as a file, and name the other variables"));
        }
        if variables.insert(name, value).is_some() {
            let what = format!("the key {key:?} and another make the same variable");
            return Err(failed(what, "name each variable, or give them another `format`"));
        }
    }
    Ok(variables)
}

fn fits(name: &str, value: &Secret) -> bool {
    name.len() + value.len() + 2 <= LONGEST && !value.expose().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(value: Option<&str>) -> Member {
        super::member("A", value.map(Secret::from))
    }

    #[test]
    fn a_generation_is_what_differs_and_what_failed_keeps_its_value() {
        let mut variables = Variables::new(vec![None; 2], Room { limit: 1000, taken: 0 });
        let published = variables.publish(&[member(Some("a")), member(Some("b"))]).expect("room");
        assert_eq!((published.generation, published.changed), (1, vec![0, 1]));
        let published = variables.publish(&[member(Some("a")), member(None)]).expect("room");
        assert_eq!((published.generation, published.changed), (1, vec![]));
        let published = variables.publish(&[member(None), member(Some("c"))]).expect("room");
        assert_eq!((published.generation, published.changed), (2, vec![1]));
        assert_eq!(variables.values, [Some("a".into()), Some("c".into())]);
    }

    #[test]
    fn what_does_not_fit_all_together_keeps_what_was_published() {
        // `A=` and five bytes, a NUL and a pointer.
        let each = 7 + 1 + size_of::<usize>();
        let mut variables = Variables::new(vec![None; 2], Room { limit: 100 + 2 * each, taken: 100 });
        variables.publish(&[member(Some("12345")), member(Some("12345"))]).expect("just fits");
        let error = variables.publish(&[member(None), member(Some("123456"))]).expect_err("one too many");
        let words = format!("{error}; {}", error.hint());
        assert!(words.contains(&format!("take {} bytes", 101 + 2 * each)), "{words}");
        assert!(words.contains("as files") && words.contains("ulimit -s"), "{words}");
        assert_eq!(variables.values, [Some("12345".into()), Some("12345".into())]);
    }

    #[test]
    fn what_the_keys_of_a_secret_become_is_what_has_to_fit() {
        let around = Spread::around("A_RATHER_LONG_PREFIX_{{ key }}").expect("one key");
        let spread = Spread { around, ..Spread::default() };
        // Two variables of a prefix, a letter, `=`, a letter, a NUL and a pointer.
        let needed = 2 * ("A_RATHER_LONG_PREFIX_a=1".len() + 1 + size_of::<usize>());
        for (limit, fits) in [(needed, true), (needed - 1, false)] {
            let mut variables = Variables::new(vec![Some(spread.clone())], Room { limit, taken: 0 });
            let published = variables.publish(&[member(Some(r#"{"a":"1","b":"2"}"#))]);
            assert_eq!(published.is_ok(), fits, "{limit}");
        }
    }

    #[test]
    fn every_key_of_a_secret_becomes_a_variable_and_one_that_is_named_wins() {
        let source = || VariableSource::Parts(Vec::new());
        let plan = |name: &str, spread| VariablePlan {
            name: name.to_owned(),
            source: source(),
            spread,
            refresh: std::time::Duration::from_secs(300),
        };
        let spread = |prefix: &str, format: &str, sanitize, upcase| {
            let around = Spread::around(format).expect("one key");
            Some(Spread { prefix: prefix.to_owned(), around, sanitize, upcase })
        };
        let json = r#"{"api-key":"hunter2","port":8443,"on":true,"none":null,"list":[1,"a"]}"#;
        let names = |spread: Option<Spread>| {
            let made = spread_over(&spread.unwrap_or_default(), &json.into()).expect("good names");
            made.into_iter()
                .map(|(name, value)| format!("{name}={}", value.expose_str().unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(spread("", "{{key}}", false, false)),
            ["api-key=hunter2", "list=[1,\"a\"]", "on=true", "port=8443"]
        );
        assert_eq!(names(spread("web_", "A_{{ key }}_Z", true, true))[0], "A_WEB_API_KEY_Z=hunter2");
        for (spread, json, says) in [
            (
                spread("", "{{ key }}", false, true),
                r#"{"a":"hunter2","A":"hunter2"}"#,
                "make the same variable",
            ),
            (spread("", "{{ key }}", false, false), r#"{"a=b":"hunter2"}"#, "does not make the name"),
            (spread("", "{{ key }}", false, false), r#"{"a":"\u0000hunter2"}"#, "has a NUL byte"),
        ] {
            let why = spread_over(&spread.unwrap_or_default(), &json.into()).expect_err("it cannot be");
            assert!(why.what.contains(says) && !why.to_string().contains("hunter2"), "{why}");
        }
        let plans = [plan("ALL", spread("", "{{ key }}", false, true)), plan("PORT", None)];
        let values = [Some(r#"{"port":"1","host":"h"}"#.into()), Some("2".into())];
        let all = environment_of(&plans, &values);
        let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), value.expose_str())).collect();
        assert_eq!(all, [("HOST", Some("h")), ("PORT", Some("2"))]);
    }

    #[test]
    fn an_environment_holds_no_nul_and_nothing_without_end() {
        assert!(fits("A", &"value".into()));
        assert!(!fits("A", &vec![b'a', 0].into()));
        assert!(fits("A", &vec![b'a'; LONGEST - 3].into()));
        assert!(!fits("A", &vec![b'a'; LONGEST - 2].into()));
    }
}
