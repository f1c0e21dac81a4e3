//! The built webhook: over TLS, under load, and through a real API server.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

mod admission;
mod cluster;
mod conditions;
mod demo;
mod dropin;
mod hostile;
mod kinds;
mod manifests;
mod own;
mod rotations;
mod serving;
mod shown;
mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use support::child::Child;
use support::http::{self, Reply};
use support::ports::free_port;
use support::wait::wait_until;
use support::workspace::Workspace;
use support::write_certificates;

/// Far more than anything takes, also on a machine where every core is busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A webhook that runs, with certificates of its own authority.
pub(crate) struct Webhook {
    pub(crate) child: Child,
    pub(crate) space: Workspace,
    pub(crate) port: u16,
    pub(crate) plain: u16,
}

impl Webhook {
    /// Starts it with these settings, and waits until it is ready.
    pub(crate) fn start(settings: &Value) -> Self {
        let space = Workspace::new();
        write_certificates(&space);
        space.file("settings.yaml", settings.to_string());
        let (port, plain) = (free_port(), free_port());
        let program = Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
        let child = Child::start(program, "webhook", space.path(), |command| {
            let file = |name: &str| space.join(name).to_string_lossy().into_owned();
            command.arg("webhook").args(["--settings", &file("settings.yaml")]).env_clear();
            command.args([
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--plain",
                &format!("127.0.0.1:{plain}"),
            ]);
            command.args(["--tls-cert-file", &file("server.pem"), "--tls-key-file", &file("server.key")]);
        });
        let mut webhook = Self { child, space, port, plain };
        wait_until("the webhook to be ready", SOON, || {
            assert_eq!(webhook.child.ended(), None, "{}", webhook.child.stderr());
            webhook.plain("/health/ready").is_some_and(|reply| reply.status == 204)
        });
        webhook
    }

    /// Asks over plain HTTP; none while nothing listens.
    pub(crate) fn plain(&self, path: &str) -> Option<Reply> {
        http::request(SocketAddr::from((Ipv4Addr::LOCALHOST, self.plain)), "GET", path, &[], None).ok()
    }

    /// Posts over TLS, and trusts the authority in `ca`.
    pub(crate) fn post(&self, ca: &str, path: &str, body: &Value) -> std::io::Result<Reply> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let headers = [("Content-Type", "application/json")];
        http::request_tls(address, &self.space.join(ca), "POST", path, &headers, Some(body))
    }

    /// Returns every line of the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = self.child.stderr();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }
}

/// Returns the operator's settings.
pub(crate) fn settings() -> Value {
    json!({"address": "https://vault.example:8200", "image": "registry.example/leasehold:1"})
}

/// Makes a pod with these annotations of vault-k8s, besides those that it needs.
pub(crate) fn pod(name: &str, annotations: &[(&str, &str)]) -> Value {
    let mut all = json!({"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "web"});
    for (name, value) in annotations {
        all[format!("vault.hashicorp.com/{name}")] = json!(value);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": all},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "web", "image": "app:1"}],
        },
    })
}
