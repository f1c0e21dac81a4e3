//! The repository's own scripts, which install pinned tools and print where they are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What `scripts/NAME` prints; panics with its words where it fails.
pub fn script(name: &str, arguments: &[&str]) -> String {
    let path = repository().join("scripts").join(name);
    let output = Command::new(path).args(arguments).output().expect("the script is in the repository");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/{name} failed: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The repository's folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
