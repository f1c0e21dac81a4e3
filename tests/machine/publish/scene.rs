//! A test that plays a part of itself in another process: as another user, on a mount of its own,
//! or under strace. The test binary runs itself again with the one test that asked for it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FOLDER: &str = "LEASEHOLD_TEST_SCENE";

/// The folder to play in, where this process was started by [`Scene`].
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

/// The other process: programs that lead up to this binary, such as `strace -f`.
pub(crate) fn command(before: &[&OsStr], binary: &Path, test: &str, folder: &Path) -> Command {
    let mut words = before.iter().copied().chain([binary.as_os_str()]);
    let mut command = Command::new(words.next().expect("at least the binary itself"));
    command.args(words).args([&format!("publish::{test}"), "--exact", "--nocapture"]).env(FOLDER, folder);
    // Cargo's folders, in each of which the linker looks into those of every processor: over a hundred calls to count.
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// Runs the other process and fails with its output where it failed.
pub(crate) fn play(mut command: Command) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(status.success(), "{status}\n{}\n{}", text(&stdout), text(&stderr));
}

/// This binary.
pub(crate) fn binary() -> PathBuf {
    env::current_exe().expect("a running binary has a path")
}

/// A copy of this binary that every user can run: the build folder may be closed to others.
pub(crate) fn binary_for_everybody(folder: &Path) -> PathBuf {
    let copy = folder.join("test-binary");
    // By another process: a child that a test beside us forks at this moment would inherit our
    // descriptor, and a file that is open for writing cannot be run ("text file busy").
    let copied = Command::new("cp").args([&binary(), &copy]).status().expect("cp is there");
    assert!(copied.success(), "{copied}");
    for path in [folder, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
    }
    copy
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Plays `test` on a mount namespace of its own, after the shell commands `mounts` in `folder`.
pub(crate) fn mounted(mounts: &str, test: &str, folder: &Path) -> Command {
    let script = format!("set -e; cd \"$0\"; {mounts}; exec \"$@\"");
    let before = ["unshare", own_mounts(), "sh", "-c", &script].map(OsStr::new);
    let before = [&before[..], &[folder.as_os_str()]].concat();
    command(&before, &binary(), test, folder)
}

/// What makes `unshare` give a mount namespace: others than root need one of users as well.
fn own_mounts() -> &'static str {
    if is_root() { "-m" } else { "-rm" }
}

/// Whether mount namespaces can be had here.
pub(crate) fn can_mount() -> bool {
    let tried =
        Command::new("unshare").args([own_mounts(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// Whether this machine lets us trace our own children.
pub(crate) fn can_trace() -> bool {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}
