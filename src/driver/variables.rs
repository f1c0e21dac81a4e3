//! The variables that the next process of `exec` gets: rendered like files, published into memory.

use std::path::PathBuf;

use crate::config::plan::{VariablePlan, WriteRules};
use crate::core::event::RenderOutcome;
use crate::driver::store::Store;
use crate::exit::{Cause, Ending};
use crate::publish::{Attributes, Content, Member, Published};
use crate::render::{self, Environment, Rendering};
use crate::secret::Secret;

/// The kernel takes no longer entry (MAX_ARG_STRLEN), name, `=` and the NUL at its end included.
const LONGEST: usize = 128 * 1024;

/// The last published values.
#[derive(Debug)]
pub(super) struct Variables {
    generation: u64,
    /// By the place in `plan.exec.env`.
    pub(super) values: Vec<Option<Secret>>,
}

impl Variables {
    /// None published yet.
    pub(super) fn new(count: usize) -> Self {
        Self { generation: 0, values: vec![None; count] }
    }

    /// Takes the values that `members` bring, in the order of the variables.
    pub(super) fn publish(&mut self, members: &[Member]) -> Published {
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
        Published { generation: self.generation, changed, aftermath: None }
    }
}

/// A variable as a member of its unit, where its place among them is all that counts.
pub(super) fn member(value: Option<Secret>) -> Member {
    Member {
        path: PathBuf::new(),
        content: value.map_or(Content::Keep, Content::Bytes),
        attributes: Attributes { mode: 0, uid: None, gid: None },
    }
}

/// Renders a variable; what no environment can hold is a failure like any of its template.
pub(super) fn render(
    variable: &VariablePlan,
    store: &Store,
    environment: &Environment,
) -> (RenderOutcome, Option<Rendering>) {
    let label = variable.label();
    let no_writes = WriteRules::default();
    let (outcome, made) = render::render(&label, &variable.source, store, environment, &no_writes);
    match (outcome, made) {
        (RenderOutcome::Rendered { used, .. }, Some(made)) if !fits(&variable.name, &made.bytes) => {
            let what = format!("{label}: the value has a NUL byte, or more than 128 KiB");
            let why = Ending::new(Cause::Template, what, "give it to the process as a file");
            (RenderOutcome::Failed { why, used }, None)
        }
        (RenderOutcome::Failed { mut why, used }, _) => {
            // A secret that is named by its path alone does not say whom it is missed by.
            if !why.what.starts_with(&label) {
                why.what = format!("{label}: {}", why.what);
            }
            (RenderOutcome::Failed { why, used }, None)
        }
        rendered => rendered,
    }
}

fn fits(name: &str, value: &Secret) -> bool {
    name.len() + value.len() + 2 <= LONGEST && !value.expose().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(value: Option<&str>) -> Member {
        super::member(value.map(Secret::from))
    }

    #[test]
    fn a_generation_is_what_differs_and_what_failed_keeps_its_value() {
        let mut variables = Variables::new(2);
        let published = variables.publish(&[member(Some("a")), member(Some("b"))]);
        assert_eq!((published.generation, published.changed), (1, vec![0, 1]));
        let published = variables.publish(&[member(Some("a")), member(None)]);
        assert_eq!((published.generation, published.changed), (1, vec![]));
        let published = variables.publish(&[member(None), member(Some("c"))]);
        assert_eq!((published.generation, published.changed), (2, vec![1]));
        assert_eq!(variables.values, [Some("a".into()), Some("c".into())]);
    }

    #[test]
    fn an_environment_holds_no_nul_and_nothing_without_end() {
        assert!(fits("A", &"value".into()));
        assert!(!fits("A", &vec![b'a', 0].into()));
        assert!(fits("A", &vec![b'a'; LONGEST - 3].into()));
        assert!(!fits("A", &vec![b'a'; LONGEST - 2].into()));
    }
}
