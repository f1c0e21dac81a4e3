//! What a test cannot bring along: root, a Debian package, a mounted tmpfs.

use std::env;
use std::io::{self, Write};
use std::path::Path;

/// Whether a test may go on that needs `what`. Where it is missing the test is skipped with a loud line
/// that says how to get it; with `CI=true` a skip is a failure.
#[must_use]
pub fn need(what: &str, how: &str, available: bool) -> bool {
    if available {
        return true;
    }
    let line = format!("SKIPPED: needs {what}, which this machine lacks ({how})");
    assert!(env::var("CI").as_deref() != Ok("true"), "{line}; with CI=true that is a failure");
    // Straight to the descriptor: the test runner swallows what the print macros write.
    let _ = writeln!(io::stderr().lock(), "\n*** {line} ***");
    false
}

/// Whether `program` is on the path.
pub fn have(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| is_file(&dir.join(program)))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file())
}
