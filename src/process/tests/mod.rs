//! Against real processes of this machine. Targets run under names of their own, so that tests
//! that run at the same time do not find each other's.

mod child;
mod hooks;
#[path = "../../../tests/support/need.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the whole program")]
mod need;
mod signals;
mod web;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::config::plan::ProcessTarget;

const TERM: i32 = 15;
const LONG: Duration = Duration::from_secs(60);

/// A process that ends with the test, at the latest.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

impl Target {
    /// Starts a process. The process runs when this function returns, so its name can be found. Its input stays open,
    /// and a process that reads its input waits.
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts"))
    }

    fn ended_by(&mut self) -> Option<i32> {
        self.0.wait().expect("our child").signal()
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().expect("our child").is_none()
    }

    /// Reads the next line that the process prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.0.stdout.as_mut().expect("piped");
        BufReader::with_capacity(1, output).read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

/// Shells under names that nothing else here has.
struct Programs {
    folder: TempDir,
    unique: String,
}

impl Programs {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lh").rand_bytes(6).tempdir().expect("a folder");
        let unique = folder.path().file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        Self { folder, unique }
    }

    /// Returns a name that differs from all others within its first 15 bytes.
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.unique)
    }

    /// Returns a link to the shell under this name, and makes the link if it is missing. It is a link rather than a
    /// copy: a file that was just written cannot be run while the fork of another test still holds it open.
    fn shell(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(self.name(name));
        if !path.exists() {
            std::os::unix::fs::symlink("/bin/sh", &path).expect("linked");
        }
        path
    }

    /// Starts a process of this name that waits for ever.
    fn waiting(&self, name: &str) -> Target {
        Target::start(Command::new(self.shell(name)).args(["-c", "read line"]))
    }

    fn pid_file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("pid");
        File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
        path
    }
}

fn signal(target: ProcessTarget) -> Notifier {
    Notifier::Signal { signal: TERM, target, splay: Duration::ZERO }
}

fn named(name: &str) -> Notifier {
    signal(ProcessTarget::Name(name.to_owned()))
}

fn by_pid_file(path: &Path) -> Notifier {
    signal(ProcessTarget::PidFile(path.to_owned()))
}

async fn tell(how: &Notifier) -> Result<Told, NotifyError> {
    Teller::default().tell(how, Duration::ZERO).await
}
