//! The server of `fake.py`, which stands for Azure and Google.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Child, SOON, Workspace, free_address, repository, request, script, wait_until, write_certificates_for,
};

/// The name of a vault of Azure. Azure's own client takes only a vault of Azure's domain for one.
pub(crate) const VAULT: &str = "my-vault.vault.azure.net";

/// The server, over TLS and without.
pub(crate) struct Fake {
    _child: Child,
    plain: SocketAddr,
    secure: SocketAddr,
    space: Workspace,
}

fn beside(name: &str) -> PathBuf {
    repository().join("tests/server/clouds").join(name)
}

impl Fake {
    pub(crate) fn start() -> Self {
        let space = Workspace::new();
        write_certificates_for(&space, &["localhost", "127.0.0.1", VAULT]);
        let (plain, secure) = (free_address(), free_address());
        let python = script("cloud-clients", &[]);
        let mut child = Child::start(python.as_ref(), "fake", space.path(), |command| {
            let ports = [plain, secure].map(|address| address.port().to_string());
            command.arg(beside("fake.py")).args(ports);
            command.args(["server.pem", "server.key"].map(|name| space.join(name)));
        });
        wait_until("the fake clouds", SOON, || {
            assert!(child.ended().is_none(), "{}", child.stderr());
            request(plain, "GET", "/control", &[], None).is_ok_and(|reply| reply.status == 200)
        });
        Self { _child: child, plain, secure, space }
    }

    pub(crate) fn plain(&self) -> String {
        format!("http://{}", self.plain)
    }

    pub(crate) fn secure(&self) -> String {
        format!("https://{}", self.secure)
    }

    pub(crate) fn secure_address(&self) -> String {
        self.secure.to_string()
    }

    pub(crate) fn ca_file(&self) -> String {
        self.space.join("ca.pem").display().to_string()
    }

    /// Changes its state.
    pub(crate) fn set(&self, state: &Value) {
        request(self.plain, "POST", "/control", &[], Some(state)).expect("it answers").ok();
    }

    /// Its state.
    pub(crate) fn state(&self) -> Value {
        request(self.plain, "GET", "/control", &[], None).expect("it answers").json()
    }

    /// What it was asked since this was asked last.
    pub(crate) fn asked(&self) -> Vec<String> {
        let state = self.state();
        self.set(&json!({"asked": []}));
        let asked = state["asked"].as_array().expect("a list").iter();
        asked.map(|line| line.as_str().expect("text").to_owned()).collect()
    }

    /// The official client of a cloud, which has to take it for one. Panics with what the client says.
    pub(crate) fn judge(&self, script_name: &str, arguments: &[&str]) {
        let output = Command::new(script("cloud-clients", &[]))
            .arg(beside(script_name))
            .args(arguments)
            .env("REQUESTS_CA_BUNDLE", self.ca_file())
            .output()
            .expect("python runs");
        assert!(output.status.success(), "{script_name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
