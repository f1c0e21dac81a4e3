//! The end of a template that failed on its data. The template knows what to do about it.

use crate::exit::{Cause, Ending};
use crate::template::advice::Answer;
use crate::template::{ExecError, Position};

/// Returns the ending of a rendering that failed: 65, with the place that `place` gives for one in the template,
/// and Go's words for the rest. The `answers` that the rendering had show what to do.
#[must_use]
pub fn failed(place: impl Fn(Position) -> String, error: &ExecError, answers: &[Answer<'_>]) -> Ending {
    let ExecError { name, executing, message, at, .. } = error;
    let what = match at {
        None => format!("template: {executing}: {message}"),
        Some((position, node)) => {
            // Otherwise it is the text itself, which the place names.
            let within = if executing == name { String::new() } else { format!("in \"{executing}\" ") };
            format!("{}: template: {within}at <{node}>: {message}", place(*position))
        }
    };
    Ending::new(Cause::Template, what, error.advice(answers))
}
