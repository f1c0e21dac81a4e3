//! What the tests of the agent stand on, as far as it knows nothing of the agent.

#![allow(dead_code, unreachable_pub)]

#[path = "../../../../tests/support/api_server.rs"]
pub mod api_server;
#[path = "../../../../tests/support/child.rs"]
pub mod child;
#[path = "../../../../tests/support/guide.rs"]
pub mod guide;
#[path = "../../../../tests/support/http.rs"]
pub mod http;
#[path = "../../../../tests/support/need.rs"]
pub mod need;
#[path = "../../../../tests/support/openbao.rs"]
pub mod openbao;
#[path = "../../../../tests/support/ports.rs"]
pub mod ports;
#[path = "../../../../tests/support/postgres.rs"]
pub mod postgres;
#[path = "../../../../tests/support/prometheus.rs"]
pub mod prometheus;
#[path = "../../../../tests/support/proxy.rs"]
pub mod proxy;
#[path = "../../../../tests/support/script.rs"]
pub mod script;
#[path = "../../../../tests/support/wait.rs"]
pub mod wait;
#[path = "../../../../tests/support/workspace.rs"]
pub mod workspace;

/// Writes `ca.pem`, and a certificate of it for loopback: `server.pem` and `server.key`.
pub fn write_certificates(space: &workspace::Workspace) {
    openbao::write_certificates(space);
}

/// What the database's mount is made with. The agent's own tests have it beside much that is of no use here.
impl openbao::OpenBao {
    /// Mounts an engine.
    pub fn mount(&self, mount: &str, what: serde_json::Value) {
        self.ask("POST", &format!("sys/mounts/{mount}"), Some(what)).ok();
    }

    /// Writes to a path.
    pub fn write(&self, path: &str, body: serde_json::Value) {
        self.ask("POST", path, Some(body)).ok();
    }
}
