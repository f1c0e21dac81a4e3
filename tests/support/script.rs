//! The repository's own scripts, which install pinned tools and print where they are.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::openbao::OpenBao;
use super::workspace::Workspace;

/// What `scripts/NAME` prints; panics with its words where it fails.
pub fn script(name: &str, arguments: &[&str]) -> String {
    let path = repository().join("scripts").join(name);
    let output = Command::new(path).args(arguments).output().expect("the script is in the repository");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/{name} failed: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What `scripts/cel` makes of these cases, which it takes at its standard input.
pub fn cel(cases: &Value) -> Value {
    let mut cel = Command::new(repository().join("scripts/cel"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the script is in the repository");
    let mut input = cel.stdin.take().expect("it is a pipe");
    input.write_all(cases.to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = cel.wait_with_output().expect("it ends");
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

/// Runs manifests/kubernetes/vault-setup.sh for a Vault outside of the cluster at `host`.
#[track_caller]
pub fn set_up_vault(server: &OpenBao, host: &str, ca_file: &Path, reviewer: &str) {
    let space = Workspace::new();
    symlink(OpenBao::program(), space.dir("bin").join("bao")).expect("a fresh folder takes a link");
    let path = format!("{}:{}", space.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(repository().join("manifests/kubernetes/vault-setup.sh"))
        .env_clear()
        .env("PATH", &path)
        .env("BAO_ADDR", server.address())
        .env("BAO_CACERT", server.ca_file())
        .env("BAO_TOKEN", server.root_token())
        .env("KUBERNETES_HOST", host)
        .env("KUBERNETES_CA_FILE", ca_file)
        .env("REVIEWER_JWT_FILE", space.file("reviewer", reviewer))
        .output()
        .expect("the script can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The repository's folder.
pub fn repository() -> PathBuf {
    // The tests of a package in `crates` stand on this room, too.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_top = |folder: &&Path| folder.join("Makefile").exists();
    package.ancestors().find(is_top).unwrap_or(package).to_owned()
}
