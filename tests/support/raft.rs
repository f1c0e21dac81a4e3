//! More nodes of a durable server: a cluster with a leader and standbys.

use std::fs;

use serde_json::json;

use super::openbao::{OpenBao, Ports, START};
use super::wait::wait_until;
use super::workspace::Workspace;

impl OpenBao {
    /// A standby of this server, unsealed, on ports of its own, that may be elected; its certificate is of
    /// the same authority.
    pub fn standby(&self) -> Self {
        let soon = json!({ "server_stabilization_time": "1s" });
        self.ask("POST", "sys/storage/raft/autopilot/configuration", Some(soon)).ok();
        let space = Workspace::new();
        for name in ["ca.pem", "server.pem", "server.key"] {
            fs::copy(self.space.join(name), space.join(name)).expect("the test's own folder takes files");
        }
        space.dir("raft");
        let mut node = Self {
            child: None,
            space,
            durable: true,
            joins: Some(self.plain_address()),
            ports: Ports::free(),
            keys: self.keys.clone(),
        };
        while !node.boot() {
            node.ports = Ports::free();
        }
        node.unseal_as_standby();
        wait_until("both nodes to vote", START, || {
            let answer = self.ask("GET", "sys/storage/raft/configuration", None).json();
            let servers = answer["data"]["config"]["servers"].as_array().cloned().unwrap_or_default();
            servers.len() == 2 && servers.iter().all(|server| server["voter"] == true)
        });
        node
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.ask("GET", "sys/leader", None).json()["is_self"] == true
    }

    /// The leader gives its place to another node.
    pub fn step_down(&self) {
        self.ask("PUT", "sys/step-down", None).ok();
    }
}
