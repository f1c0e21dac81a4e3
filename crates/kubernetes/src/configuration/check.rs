//! The agent's own check of what was written: a template that does not compile, or a key that does not exist, is a
//! refusal now instead of a pod that does not start.

use std::io;
use std::path::Path;

use leasehold::config::Severity;
use leasehold::config::read::{Inputs, Text, read};

use crate::annotations::table::{OWN, VAULT};
use crate::plan::{Base, File, OWN_NAMES, Plan};
use crate::refusal::Refusal;

/// What messages call the text.
const NAME: &str = "leasehold.yaml";

/// Refuses what the agent would refuse. A configuration that is laid upon a ConfigMap is not whole, and is left to the
/// agent.
pub(super) fn check(plan: &Plan, text: &str) -> Result<(), Refusal> {
    if matches!(plan.base, Base::ConfigMap { .. }) {
        return Ok(());
    }
    let texts = [Text { name: NAME.to_owned(), bytes: text.as_bytes().to_vec() }];
    let inputs = Inputs {
        texts: &texts,
        flags: &[],
        env: &|_| None,
        read_file: &in_the_pod,
        functions: leasehold::functions::all(),
        look: None,
        elsewhere: true,
        folder: Path::new("/"),
    };
    let Err(rejected) = read(&inputs) else { return Ok(()) };
    let errors = rejected.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let Some(problem) = errors.clone().next() else { return Ok(()) };
    let more = match errors.count() {
        1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    // The places of what we wrote mean nothing to the person who wrote annotations.
    let place = place(plan, &problem.key);
    let what = if place.ends_with("/config") { problem.place.to_string() + ": " } else { String::new() };
    Err(Refusal::new(place, format!("{what}{}{more}", problem.message), problem.hint.clone()))
}

/// Files are in the pod, where the agent looks at them. A template file counts as empty.
fn in_the_pod(path: &Path) -> io::Result<Vec<u8>> {
    let accounts = path == Path::new("/etc/passwd") || path == Path::new("/etc/group");
    if accounts { Err(io::ErrorKind::NotFound.into()) } else { Ok(Vec::new()) }
}

/// Names the annotation behind a key of the configuration.
fn place(plan: &Plan, key: &str) -> String {
    if matches!(plan.base, Base::Text(_)) {
        return format!("{}config", OWN.prefix);
    }
    let prefix = if plan.names == &OWN_NAMES { OWN.prefix } else { VAULT.prefix };
    let file = key.strip_prefix("files[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    match file.and_then(|at| plan.files.get(at)) {
        Some(File { path, .. }) => format!("{prefix}: the file {path}"),
        None => format!("{prefix}: {key}"),
    }
}
