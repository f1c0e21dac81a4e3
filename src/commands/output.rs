//! Results, on standard output.

use std::io::{self, Write};

use crate::config::problem::{Problem, Severity, io_words};
use crate::exit::{Cause, Ending};
use crate::observe::paint::{Paint, Palette};

pub(super) use crate::config::report::count;

/// Returns a problem with its place and its caret, in the colour of its severity.
pub(super) fn painted(problem: &Problem, palette: Palette) -> String {
    let paint = match problem.severity {
        Severity::Error => Paint::Bad,
        Severity::Warning => Paint::Doubtful,
    };
    let (text, place) = (problem.to_string(), problem.place.to_string());
    let Some(rest) = text.strip_prefix(&place) else { return text };
    let place = palette.paint(paint, &place);
    match rest.strip_suffix('^').filter(|_| problem.excerpt.is_some()) {
        Some(before) => place + before + &palette.paint(paint, "^"),
        None => place + rest,
    }
}

/// Writes a result to its end.
///
/// # Errors
/// 73 if it cannot be written.
pub(crate) fn write_out(output: &mut dyn Write, result: &[u8]) -> Result<(), Ending> {
    written(output.write_all(result).and_then(|()| output.flush()))
}

/// Returns how writing to standard output ended.
///
/// # Errors
/// 73 if it failed.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Ending> {
    result.map_err(|why| {
        let what = format!("standard output cannot be written: {}", io_words(&why));
        Ending::new(Cause::Destination, what, "send it to a file with room for it, or to a reader")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_that_nobody_reads_is_an_ending_that_says_so() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        drop(reader);
        let ending = write_out(&mut writer, b"text").expect_err("closed");
        assert_eq!(ending.cause, Cause::Destination);
        assert_eq!(ending.what, "standard output cannot be written: broken pipe");
    }
}
