//! What to do about a template that failed on its data. Most failures have one cause: a key is looked for on the wrong
//! level of the secret. KV version 2 wraps the keys once more than version 1.

use std::sync::Arc;

use crate::Tree;
use crate::error::{ExecError, ExecErrorKind};
use crate::host::{Request, Response};
use crate::spell::distance::distance;

/// Something that the template asked for, and what came.
pub type Answer<'a> = (&'a Request, Arc<Response>);

impl ExecError {
    /// Returns what to do about the error: an imperative in lowercase, found in the `answers` that the template had.
    #[must_use]
    pub fn advice(&self, answers: &[Answer<'_>]) -> String {
        advice(&self.kind, answers)
    }
}

fn advice(kind: &ExecErrorKind, answers: &[Answer<'_>]) -> String {
    match kind {
        ExecErrorKind::Limit => {
            "make the template do less: its limits are far beyond any real file".to_owned()
        }
        ExecErrorKind::NoEntry(key) => of_level(key, answers).unwrap_or_else(|| of_typo(key, answers)),
        ExecErrorKind::Nil { field, of_any: true } => {
            of_level(field, answers).unwrap_or_else(|| of_nothing(field))
        }
        ExecErrorKind::Nil { .. } => {
            "check what the secret holds; the keys of a KV version 2 secret are in .Data.data".to_owned()
        }
        ExecErrorKind::Function(name) => {
            format!("check what {name} is given here; docs/reference/functions.md says what it takes")
        }
        _ => "correct the template, or the secret that it uses".to_owned(),
    }
}

/// Returns advice that names the level on which the key is, if this is another level than the template says.
fn of_level(key: &str, answers: &[Answer<'_>]) -> Option<String> {
    let of = |(request, response): (&Request, &Response)| {
        let path = &request.path;
        let fields = response.kv2_fields();
        if fields.is_some_and(|fields| fields.get(key).is_some()) {
            return Some(format!("{path} is a secret of KV version 2: write .Data.data.{key}"));
        }
        if fields.is_none() && key == "data" && response.data.as_map().is_some() {
            return Some(format!(
                "{path} is not a secret of KV version 2: its keys are in .Data, not in .Data.data"
            ));
        }
        (fields.is_none() && response.data.get(key).is_some())
            .then(|| format!("{path} is not a secret of KV version 2: write .Data.{key}"))
    };
    answers.iter().find_map(|(request, response)| of((*request, response)))
}

/// Returns advice about a key that is in none of the answers.
fn of_typo(key: &str, answers: &[Answer<'_>]) -> String {
    let fields: Vec<&Tree> =
        answers.iter().map(|(_, response)| response.kv2_fields().unwrap_or(&response.data)).collect();
    let hint = of_absent(key, &fields);
    if hint.starts_with("did you mean") {
        return hint;
    }
    format!("{hint}; for one that may be absent, write {{{{ with index … \"{key}\" }}}}")
}

/// Returns what to do about a key that is in none of these maps; perhaps one of another name was meant.
#[must_use]
pub fn of_absent(key: &str, fields: &[&Tree]) -> String {
    let keys = fields.iter().filter_map(|fields| fields.as_map());
    let keys: Vec<&str> = keys.flat_map(|map| map.iter().map(|(key, _): (&str, &Tree)| key)).collect();
    match nearest(key, &keys) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add the key to the secret, or correct its name".to_owned(),
    }
}

fn of_nothing(key: &str) -> String {
    format!(
        "the template looks for `.{key}` in something that the secret does not have; check what the secret holds: the keys of a KV version 2 secret are in .Data.data"
    )
}

/// Returns the nearest of `names` to a mistyped one: at most a third of its letters off.
fn nearest<'n>(typed: &str, names: &[&'n str]) -> Option<&'n str> {
    let lower = typed.to_lowercase().replace('-', "_");
    let near = names.iter().map(|name| (distance(&lower, name), *name));
    let near = near.filter(|(distance, name)| *distance <= (name.len() / 3).max(1));
    near.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}
