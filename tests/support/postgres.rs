//! A real PostgreSQL on a free loopback port: whether credentials are good is whether they log in.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use super::child::Child;
use super::need::need;
use super::openbao::OpenBao;
use super::ports::free_port;
use super::script::repository;
use super::wait::wait_for;
use super::workspace::Workspace;

/// PostgreSQL refuses to run as root: then it is nobody, as Debian numbers it.
const NOBODY: u32 = 65534;
const START: Duration = Duration::from_secs(60);
/// Only the test knows it, and the server that mints users.
const ADMIN: &str = "admins-own-password";

/// A server whose every connection over TCP needs the password of its user.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    // Dropped last: the server still writes while it ends.
    space: Workspace,
}

impl Postgres {
    /// A new and empty one; nothing, and a loud line, where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let programs = Command::new(repository().join("scripts/postgres")).output();
        let programs = programs.ok().filter(|found| found.status.success());
        if !need("PostgreSQL's server", "apt-get install postgresql", programs.is_some()) {
            return None;
        }
        let programs = PathBuf::from(String::from_utf8_lossy(&programs?.stdout).trim());
        let space = Workspace::new();
        space.file("admin", ADMIN);
        if is_root() {
            for path in [space.path(), &space.join("admin")] {
                chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give its files away");
            }
        }
        fs::set_permissions(space.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        create(&programs, &space);
        loop {
            // A program that is no test can take a free port before the server binds it: choose another then.
            let port = free_port();
            if let Some(child) = serve(&programs, &space, port) {
                return Some(Self { child, port, space });
            }
        }
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of its administrator `postgres`.
    pub fn password(&self) -> &'static str {
        ADMIN
    }

    /// Whether these credentials log in and may ask something.
    pub fn accepts(&self, user: &str, password: &str) -> bool {
        self.ask(user, password, "SELECT 1").is_ok_and(|answer| answer == "1")
    }

    /// What the administrator is answered.
    #[track_caller]
    pub fn admin(&self, sql: &str) -> String {
        self.ask("postgres", ADMIN, sql).expect("the administrator may ask")
    }

    /// The users that exist besides the administrator.
    pub fn users(&self) -> Vec<String> {
        let names = self.admin("SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres'");
        names.lines().map(str::to_owned).collect()
    }

    fn ask(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let output = Command::new("psql")
            .args(["-h", "127.0.0.1", "-U", user, "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1"])
            .args(["-p", &self.port.to_string(), "-c", sql])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
            .expect("psql comes with the server");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown takes its shared memory along, which a kill would leave.
        self.child.signal(Signal::SIGQUIT);
        self.child.wait(Duration::from_secs(30));
    }
}

/// Engines that mint users in a database.
impl OpenBao {
    /// Mounts the database engine at `database` with `postgres` behind it.
    pub fn database(&self, postgres: &Postgres) {
        self.mount("database", json!({ "type": "database" }));
        let address = format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable",
            postgres.port
        );
        self.write(
            "database/config/pg",
            json!({
                "plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"],
                "connection_url": address, "username": "postgres", "password": ADMIN,
            }),
        );
    }

    /// A role of the engine whose users live `lease` seconds at first, and at the longest. `more` is added.
    pub fn database_role(&self, role: &str, lease: (u64, u64), more: serde_json::Value) {
        let creation =
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
        let mut body = json!({
            "db_name": "pg", "default_ttl": lease.0, "max_ttl": lease.1, "creation_statements": [creation],
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        self.write(&format!("database/roles/{role}"), body);
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// `program` as nobody where we are root.
fn unprivileged(command: &mut Command, program: &Path) {
    if is_root() {
        // Once more the signal of the parent's death: a change of user has cleared it.
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--pdeathsig", "KILL"]);
        command.arg("--").arg(program);
    }
}

/// What has to be started so that `program` runs as nobody.
fn first(program: &Path) -> &Path {
    if is_root() { Path::new("setpriv") } else { program }
}

fn create(programs: &Path, space: &Workspace) {
    let initdb = programs.join("initdb");
    let mut child = Child::start(first(&initdb), "initdb", space.path(), |command| {
        unprivileged(command, &initdb);
        command
            .args(["--auth-local=reject", "--auth-host=scram-sha-256", "-U", "postgres"])
            .args(["--no-sync", "--no-instructions", "--no-locale", "-E", "UTF8"])
            .arg(format!("--pwfile={}", space.join("admin").display()))
            .arg("-D")
            .arg(space.join("data"));
    });
    let status = child.wait(START);
    assert!(status.success(), "initdb: {}", child.stderr());
}

/// The server, once it takes connections; nothing where its port was taken.
fn serve(programs: &Path, space: &Workspace, port: u16) -> Option<Child> {
    let postgres = programs.join("postgres");
    let mut child = Child::start(first(&postgres), "postgres", space.path(), |command| {
        unprivileged(command, &postgres);
        command.arg("-D").arg(space.join("data"));
        // Nothing here has to survive a crash of the machine.
        let settings = ["fsync=off", "shared_buffers=16MB", "listen_addresses=127.0.0.1", "log_timezone=UTC"];
        for setting in settings
            .map(str::to_owned)
            .into_iter()
            .chain([format!("port={port}"), format!("unix_socket_directories={}", space.path().display())])
        {
            command.arg("-c").arg(setting);
        }
    });
    let up = wait_for("PostgreSQL to be ready", START, || {
        if let Some(status) = child.ended() {
            let said = child.stderr();
            assert!(said.contains("Address already in use"), "it ended ({status}): {said}");
            return Some(false);
        }
        child.stderr().contains("ready to accept connections").then_some(true)
    });
    up.then_some(child)
}
