//! What these tests begin with: a server, a secret, and a shell as the application.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::{Finished, Leasehold, OpenBao, Running, SOON, Workspace, wait_for, wait_until};

/// A server whose root token is used as it is: nothing of it is ours to revoke, and no login is in the way.
pub(crate) struct Scene {
    pub(crate) server: OpenBao,
    pub(crate) space: Workspace,
}

impl Scene {
    /// With `secret/web`, whose `password` is `one`.
    pub(crate) fn new() -> Self {
        let (server, space) = (OpenBao::start(), Workspace::new());
        server.kv2("secret");
        server.put("secret", "web", json!({ "password": "one", "user": "u" }));
        space.dir("secrets");
        Self { server, space }
    }

    /// A new value of the secret.
    pub(crate) fn put(&self, password: &str) {
        self.server.put("secret", "web", json!({ "password": password, "user": "u" }));
    }

    /// The binary with a configuration, of which `rest` is the part that matters.
    pub(crate) fn program(&self, rest: &str) -> Leasehold {
        let (address, space) = (self.server.plain_address(), self.space.path().display());
        let config = format!(
            "vault: {{address: '{address}', timeout: 5s}}\nauth: {{method: token}}\n\
             secrets_dir: '{space}/secrets'\n{rest}\n"
        );
        self.space.file("leasehold.yaml", config);
        Leasehold::new(&self.space)
            .env("VAULT_TOKEN", self.server.root_token())
            .env("LEASEHOLD_CONFIG", "leasehold.yaml")
    }

    /// Runs a shell's script to its end.
    pub(crate) fn run(&self, rest: &str, script: &str) -> Finished {
        self.program(rest).run(&["exec", "--", "sh", "-c", script])
    }

    /// Starts a shell's script.
    pub(crate) fn start(&self, rest: &str, script: &str) -> Running {
        self.program(rest).spawn(&["exec", "--", "sh", "-c", script])
    }

    /// Waits for what a script wrote into a file of the workspace.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, file: &str, wanted: &str) {
        let mut last = None;
        wait_until(&format!("{file} to be {wanted:?}"), SOON, || {
            last = self.space.read(file);
            last.as_deref() == Some(wanted)
        });
    }

    /// Waits for a process number that a script wrote into a file.
    pub(crate) fn wait_for_pid(&self, file: &str) -> Pid {
        let number = || self.space.read(file)?.strip_suffix('\n')?.parse().ok();
        Pid::from_raw(wait_for("a process number", SOON, number))
    }
}

/// Whether there is no such process any more, or only what is left of it.
pub(crate) fn is_gone(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z') || rest.starts_with('X'))
}

/// Sends a signal to any process.
pub(crate) fn kill(pid: Pid, signal: Signal) {
    signal::kill(pid, signal).expect("it is there, and ours");
}

/// So long a process has to stop that will not.
pub(crate) const PATIENCE: Duration = Duration::from_millis(300);

/// A file of the one secret.
pub(crate) const FILE: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";

/// A shell command line, for what Rust's own cannot.
pub(crate) fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A file that may be executed, whatever is in it.
pub(crate) fn executable(space: &Workspace, text: &str) -> String {
    let file = space.file("program", text);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    file.display().to_string()
}
