//! The Sprig library (3.2), with every function as `sprig_NAME`: the same results and the same types of arguments.
//!
//! A Go function that panics fails the template, and so do these. Three results differ from Sprig's on
//! purpose, because each would put the words of an error into a file: `b64dec` and `b32dec` of a text that is
//! no such encoding, and `bcrypt` and `htpasswd` of a password that they cannot take, fail instead. What Go
//! leaves to chance (`keys`, `values`) is sorted here.

mod convert;
mod dates;
mod decimals;
mod defaults;
mod digests;
mod env;
mod expressions;
mod identifiers;
mod lists;
mod maps;
mod paths;
mod random;
mod ranges;
mod same;
mod semver;
mod strings;
mod url;
mod urls;
mod words;
mod wrap;

use crate::function::Functions;

/// Adds all of them to `functions`.
pub(super) fn add_to(functions: &mut Functions) {
    for room in [
        dates::FUNCTIONS,
        decimals::FUNCTIONS,
        defaults::FUNCTIONS,
        digests::FUNCTIONS,
        env::FUNCTIONS,
        expressions::FUNCTIONS,
        identifiers::FUNCTIONS,
        lists::FUNCTIONS,
        maps::FUNCTIONS,
        paths::FUNCTIONS,
        random::FUNCTIONS,
        ranges::FUNCTIONS,
        semver::FUNCTIONS,
        strings::FUNCTIONS,
        urls::FUNCTIONS,
        words::FUNCTIONS,
        wrap::FUNCTIONS,
    ] {
        functions.add(room);
    }
}
