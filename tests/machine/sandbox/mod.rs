//! The sandbox: what a process that is inside cannot do any more, and what it still can.
//!
//! Where only the inside can tell, a test starts itself again as a child, which goes inside and
//! tries. Each attempt is made outside first, where it has to succeed.

mod applications;
mod inside;
mod memory;
mod running;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::has_landlock;

/// Which role this process plays, where it is a child.
const ROLE: &str = "SANDBOX_TEST_ROLE";
/// Where the child finds its folder.
const SPACE: &str = "SANDBOX_TEST_SPACE";
/// Says that the child's part is done; a test runner that found no such test would say nothing.
const DONE: &str = "the child is done";

/// The role and the folder of this process, where it is a child.
fn role() -> Option<(String, PathBuf)> {
    let role = std::env::var(ROLE).ok()?;
    Some((role, PathBuf::from(std::env::var_os(SPACE)?)))
}

/// This test again, in a role.
fn again(test: &str, role: &str, space: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command
        .args(["--exact", &format!("sandbox::{test}"), "--nocapture"])
        .env(ROLE, role)
        .env(SPACE, space)
        .current_dir(space)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[track_caller]
fn assert_done(command: &mut Command) {
    let output = command.output().expect("this program runs");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(DONE), "{said}");
}
