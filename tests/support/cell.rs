//! A place for what would otherwise outlive a test: mounts, containers, a whole service manager.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::unistd::Pid;

use super::child::Child;
use super::wait::{wait_for, wait_until};

/// How long the kernel may take to end everything in a cell, on a busy machine.
const END: Duration = Duration::from_secs(60);

/// A mount and a pid namespace of its own, and a cgroup. When its first process dies, which it does with
/// this value and with the test's own process, the kernel kills all others and the mounts are gone.
#[derive(Debug)]
pub struct Cell {
    outer: Child,
    first: Pid,
    cgroup: String,
}

impl Cell {
    /// Runs a shell script as the first process; it should end in an `exec`. Its output goes to
    /// `dir/NAME.out` and `.err`. Needs root.
    pub fn start(dir: &Path, name: &str, script: &str, arguments: &[&OsStr]) -> Self {
        let cgroup =
            format!("leasehold-test-{}-{name}", dir.file_name().unwrap_or_default().to_string_lossy());
        let script = format!("{ENTER}{script}");
        let mut outer = Child::start(Path::new("unshare"), name, dir, |command| {
            command
                .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"])
                .args(["--mount-proc", "--", "sh", "-euc", &script, &cgroup])
                .args(arguments);
        });
        let first = wait_for("a cell's first process", END, || {
            assert!(outer.ended().is_none(), "the cell ended: {}", outer.stderr());
            children(outer.pid()).first().copied()
        });
        Self { outer, first, cgroup }
    }

    /// Its first process, as seen from outside.
    pub fn first(&self) -> Pid {
        self.first
    }

    /// Panics with its words where its first process has ended.
    pub fn assert_lives(&self) {
        let said = || self.outer.stdout() + &self.outer.stderr();
        assert!(Path::new(&format!("/proc/{}", self.first)).exists(), "the cell ended: {}", said());
    }

    /// Runs a program inside, to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        inside(self.first, &["--mount", "--pid"]).args(arguments).output().expect("nsenter is util-linux's")
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.outer.kill();
        // Its folders can be removed once its mounts are gone.
        wait_until("a cell's end", END, || !Path::new(&format!("/proc/{}", self.first)).exists());
        for hierarchy in hierarchies() {
            remove_cgroup(&hierarchy.join(&self.cgroup));
        }
    }
}

/// Begins every script: a cgroup of our own, so that what the script starts leaves none behind elsewhere.
const ENTER: &str = r#"
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if [ -w "$hierarchy/cgroup.procs" ]; then
        case $hierarchy in /sys/fs/cgroup | */systemd | */unified)
            mkdir "$hierarchy/$0" && echo $$ >"$hierarchy/$0/cgroup.procs" ;;
        esac
    fi
done
"#;

/// A program to be run in the namespaces of a process, to which arguments are to be added.
pub fn inside(process: Pid, namespaces: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &process.to_string()]).args(namespaces).arg("--");
    command
}

/// The children of a process's first thread.
pub fn children(process: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

/// Where cgroups are: one place, or one for each of the older hierarchies.
fn hierarchies() -> Vec<PathBuf> {
    let top = PathBuf::from("/sys/fs/cgroup");
    let below = fs::read_dir(&top).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    below.chain([top.clone()]).collect()
}

/// Empty by now; the innermost have to go first.
fn remove_cgroup(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_cgroup(&entry.path());
        }
    }
    // It is not in every hierarchy.
    let _ = fs::remove_dir(path);
}
