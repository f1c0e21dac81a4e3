//! A command line that was refused: what is wrong with it, and what to do.

use std::ffi::OsString;
use std::io::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::habits;
use crate::exit::{Cause, Ending};

/// Returns the last line about a refused command line. Tips and the usage are written before that line, unless the line
/// says everything.
pub(super) fn ending(error: &clap::Error, words: &[OsString]) -> Ending {
    if let Some(ending) = habits::ending(words, error) {
        return ending;
    }
    let (what, rest) = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ("no command given".to_owned(), error.to_string())
        }
        _ => taken_apart(&error.to_string()),
    };
    // Whatever standard error says about it, the last line and the code are the contract's.
    if !rest.is_empty() {
        let _closed = writeln!(std::io::stderr(), "{rest}");
    }
    Ending::new(Cause::Usage, what, remedy(error))
}

/// Returns what to do about a refused command line that is no habit. If clap knows the name that was probably meant,
/// the advice has that name.
fn remedy(error: &clap::Error) -> String {
    // Of several suggestions the last is the nearest.
    let suggested = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg];
    let near = suggested.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word),
        Some(ContextValue::Strings(words)) => words.last(),
        _ => None,
    });
    near.map_or_else(|| "see leasehold --help".to_owned(), |near| format!("did you mean {near}?"))
}

/// Returns two parts of clap's text: what is wrong, in one line, and the tips and the usage. What is wrong ends what we
/// say, and the tips and the usage go before it.
pub(super) fn taken_apart(text: &str) -> (String, String) {
    let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let what: Vec<&str> = what.trim_start_matches("error: ").lines().map(str::trim).collect();
    let advice = |part: &&str| !part.trim().is_empty() && !part.starts_with("For more information");
    let rest: Vec<&str> = rest.split("\n\n").filter(advice).map(str::trim_end).collect();
    (what.join(" "), rest.join("\n\n"))
}
