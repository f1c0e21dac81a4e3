//! `writeToFile` in templates, against `write_to_file`: what certainly cannot be written, and what
//! perhaps cannot.

use crate::desk::Desk;
use crate::keypath::KeyPath;
use crate::plan::{FilePlan, TemplateSource, VariablePlan, WriteRules};
use leasehold_base::secret::Secret;

use super::source::warn_in;

/// Warns of every call whose path is refused, or may be since nothing is allowed. `files` are those
/// of a configuration without a mistake, so that each has its place in it.
pub(super) fn check(files: &[FilePlan], variables: &[VariablePlan], rules: &WriteRules, desk: &mut Desk<'_>) {
    for (index, file) in files.iter().enumerate() {
        let at = KeyPath::of(&["files"]).index(index);
        calls(file.source.template(), &at, |path| of_file(path, rules), desk);
    }
    for variable in variables {
        let at = KeyPath::of(&["exec", "env", &variable.name]);
        let never =
            || refused("template: writeToFile is refused in a variable", "write it from a file's template");
        calls(variable.source.template(), &at, |_| Some(never()), desk);
    }
}

/// The problem, and what to do about it.
type Told = (String, &'static str);

fn refused(message: impl Into<String>, hint: &'static str) -> Told {
    (message.into(), hint)
}

fn of_file(path: Option<&Secret>, rules: &WriteRules) -> Option<Told> {
    let Some(path) = path else {
        return rules.folders.is_empty().then(|| {
            refused(
                "template: writeToFile may be refused",
                "name the folder that it writes to in `write_to_file`",
            )
        });
    };
    let why = path.expose_str().map_or(Err("the path is not UTF-8"), |path| rules.check(path)).err()?;
    Some(refused(
        format!("template: writeToFile will be refused: {why}"),
        "name the folder in `write_to_file`",
    ))
}

/// Warns of the calls in a template of which `judge` says something, by their paths where these are
/// constants.
fn calls(
    source: Option<&TemplateSource>,
    at: &KeyPath,
    judge: impl Fn(Option<&Secret>) -> Option<Told>,
    desk: &mut Desk<'_>,
) {
    let Some(source) = source else { return };
    for call in source.template.calls().iter().filter(|call| call.function == "writeToFile") {
        let Some((message, hint)) = judge(call.args.first().copied().flatten()) else { continue };
        warn_in(source, call.position, at, desk, message, hint);
    }
}
