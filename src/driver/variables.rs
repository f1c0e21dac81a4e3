//! The variables that the next process of `exec` gets: rendered like files, published into memory.

use std::path::PathBuf;

use crate::config::plan::{VariablePlan, WriteRules};
use crate::core::event::RenderOutcome;
use crate::driver::store::Store;
use crate::exit::{Cause, Ending};
use crate::process::child;
use crate::publish::{Attributes, Content, Member, Problem, PublishError, Published};
use crate::render::{self, Environment, Rendering};
use crate::secret::Secret;

/// The kernel takes no longer entry (MAX_ARG_STRLEN), name, `=` and the NUL at its end included.
const LONGEST: usize = 128 * 1024;

/// The room that the kernel has for arguments and environment of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// All of it.
    pub(super) limit: usize,
    /// What no rendering changes.
    pub(super) taken: usize,
}

/// The last published values.
#[derive(Debug)]
pub(super) struct Variables {
    generation: u64,
    room: Room,
    /// By the place in `plan.exec.env`.
    pub(super) values: Vec<Option<Secret>>,
}

impl Variables {
    /// None published yet.
    pub(super) fn new(count: usize, room: Room) -> Self {
        Self { generation: 0, room, values: vec![None; count] }
    }

    /// Takes the values that `members` bring, in the order of the variables.
    ///
    /// # Errors
    /// Where the kernel would not start a process with all of them. That is found out here, before the process
    /// that runs with the old ones is stopped.
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
        let sizes = self.values.iter().zip(members).filter_map(|(old, member)| {
            let value = match &member.content {
                Content::Bytes(bytes) => bytes,
                Content::Keep => old.as_ref()?,
            };
            let name = member.path.as_os_str().len();
            Some(child::takes(name + 1 + value.len()))
        });
        let needed = self.room.taken + sizes.sum::<usize>();
        if needed <= self.room.limit {
            return Ok(());
        }
        Err(PublishError::new("exec.env", Problem::Environment { needed, limit: self.room.limit }))
    }
}

/// A variable as a member of its unit, where its place among them counts; the path is its name.
pub(super) fn member(name: &str, value: Option<Secret>) -> Member {
    Member {
        path: PathBuf::from(name),
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
        super::member("A", value.map(Secret::from))
    }

    #[test]
    fn a_generation_is_what_differs_and_what_failed_keeps_its_value() {
        let mut variables = Variables::new(2, Room { limit: 1000, taken: 0 });
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
        let mut variables = Variables::new(2, Room { limit: 100 + 2 * each, taken: 100 });
        variables.publish(&[member(Some("12345")), member(Some("12345"))]).expect("just fits");
        let error = variables.publish(&[member(None), member(Some("123456"))]).expect_err("one too many");
        let words = format!("{error}; {}", error.hint());
        assert!(words.contains(&format!("take {} bytes", 101 + 2 * each)), "{words}");
        assert!(words.contains("as files") && words.contains("ulimit -s"), "{words}");
        assert_eq!(variables.values, [Some("12345".into()), Some("12345".into())]);
    }

    #[test]
    fn an_environment_holds_no_nul_and_nothing_without_end() {
        assert!(fits("A", &"value".into()));
        assert!(!fits("A", &vec![b'a', 0].into()));
        assert!(fits("A", &vec![b'a'; LONGEST - 3].into()));
        assert!(!fits("A", &vec![b'a'; LONGEST - 2].into()));
    }
}
