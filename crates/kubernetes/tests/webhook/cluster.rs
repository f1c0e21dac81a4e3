//! A cluster with the shipped manifests in it, and replicas of the webhook that have the rights of its account.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::support::api_server::ApiServer;
use crate::support::child::Child;
use crate::support::http::Reply;
use crate::support::ports::free_port;
use crate::support::script::repository;
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::{SOON, Webhook, pod, settings};

pub(crate) const REGISTRATION: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/leasehold-webhook";
pub(crate) const SECRET: &str = "/api/v1/namespaces/leasehold/secrets/leasehold-webhook-certificates";
pub(crate) const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/leasehold/leases/leasehold-webhook";
const PODS: &str = "/api/v1/namespaces/default/pods";
const HERE: &str = "https://kubernetes.default.svc";

/// Reads the objects of a manifest.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|it| Value::deserialize(it).expect("valid YAML")).collect()
}

pub(crate) fn manifest() -> Vec<Value> {
    let path = repository().join("manifests/webhook/webhook.yaml");
    documents(&std::fs::read_to_string(path).expect("a manifest of ours"))
}

/// A real API server with what `kubectl apply -f manifests/webhook/webhook.yaml` makes, but for pods and their like:
/// there are no nodes. The registration calls the ports of replicas on this machine.
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) ports: Vec<u16>,
}

impl Cluster {
    /// Starts a cluster with an account for pods, and with nothing of ours.
    pub(crate) fn bare() -> Self {
        let server = ApiServer::start();
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}});
        server.create(&account);
        Self { server, ports: Vec::new() }
    }

    /// Starts a cluster whose registration calls as many replicas, one after the other.
    pub(crate) fn start(replicas: usize) -> Self {
        let Self { server, .. } = Self::bare();
        let ports: Vec<u16> = (0..replicas).map(|_| free_port()).collect();
        for mut object in manifest() {
            match object["kind"].as_str().expect("a kind") {
                // Kubernetes 1.20 has it in an older version only.
                "PodDisruptionBudget" | "Deployment" => continue,
                "MutatingWebhookConfiguration" => register(&mut object, &ports),
                _ => {}
            }
            server.create(&object).ok();
        }
        Self { server, ports }
    }

    /// Writes a kubeconfig with a token of an account, and returns its path.
    pub(crate) fn kubeconfig(&self, space: &Workspace, namespace: &str, account: &str) -> PathBuf {
        let token = self.server.token(namespace, account, &[HERE]);
        let address = self.server.address();
        write_kubeconfig(space, &address, Some(&self.server.ca_file()), &token)
    }

    /// Starts a replica on one of the registered ports, with the rights of the shipped account.
    pub(crate) fn replica(&self, at: usize, more: &[&str]) -> Webhook {
        let space = Workspace::new();
        let config = self.kubeconfig(&space, "leasehold", "leasehold-webhook");
        own(space, &config, self.ports[at], &format!("replica-{at}"), more)
    }

    /// Starts it with a kubeconfig that there is already: while the API server is away no token can be had.
    pub(crate) fn replica_with(&self, at: usize, more: &[&str], kubeconfig: String) -> Webhook {
        let space = Workspace::new();
        let config = space.file("kubeconfig", kubeconfig);
        own(space, &config, self.ports[at], &format!("replica-{at}"), more)
    }

    pub(crate) fn kubeconfig_of(&self, webhook: &Webhook) -> String {
        webhook.space.read("kubeconfig").expect("written at its start")
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.server.ask("GET", path, None).json()
    }

    /// Makes a pod that asks for the injection, as a dry run.
    pub(crate) fn admit(&self) -> Reply {
        let pod = pod("web", &[("agent-inject-secret-a", "kv/a")]);
        self.server.ask("POST", &format!("{PODS}?dryRun=All"), Some(&pod))
    }

    /// Returns the authorities that API servers trust for an entry of the registration, as PEM.
    pub(crate) fn bundle(&self, at: usize) -> String {
        self.bundle_of(REGISTRATION, at)
    }

    /// Returns the authorities that API servers trust for an entry of another registration, as PEM.
    pub(crate) fn bundle_of(&self, registration: &str, at: usize) -> String {
        let text = self.get(registration)["webhooks"][at]["clientConfig"]["caBundle"].clone();
        let bytes = STANDARD.decode(text.as_str().unwrap_or_default()).expect("base64");
        String::from_utf8(bytes).expect("PEM")
    }

    pub(crate) fn leader(&self) -> String {
        self.get(LEASE)["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns a part of the Secret.
    pub(crate) fn secret(&self, key: &str) -> String {
        self.get(SECRET)["data"][key].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a pod is admitted. The API server learns of a registration a moment after it has taken the
    /// registration.
    pub(crate) fn until_admitted(&self) {
        wait_until("a pod to be admitted", SOON, || {
            let reply = self.admit();
            reply.status == 201 && reply.text.contains("vault-agent-init")
        });
    }
}

/// Lets a registration call ports of this machine, each by an entry of its own.
pub(crate) fn register(object: &mut Value, ports: &[u16]) {
    let entry = object["webhooks"][0].clone();
    let entries = ports.iter().enumerate().map(|(at, port)| {
        let mut entry = entry.clone();
        entry["name"] = json!(format!("inject-{at}.leasehold.dev"));
        entry["clientConfig"] = json!({"url": format!("https://127.0.0.1:{port}/mutate")});
        // Kubernetes 1.20 does not label its namespaces.
        entry.as_object_mut().expect("an entry").remove("namespaceSelector");
        entry
    });
    object["webhooks"] = entries.collect();
}

pub(crate) fn write_kubeconfig(space: &Workspace, address: &str, ca: Option<&Path>, token: &str) -> PathBuf {
    let mut cluster = json!({"server": address});
    if let Some(ca) = ca {
        cluster["certificate-authority"] = json!(ca.to_string_lossy());
    }
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    space.file("kubeconfig", config.to_string())
}

/// Starts a webhook with certificates of its own. It may not be ready yet.
pub(crate) fn own(space: Workspace, kubeconfig: &Path, port: u16, name: &str, more: &[&str]) -> Webhook {
    space.file("settings.yaml", settings().to_string());
    let plain = free_port();
    let program = Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
    let child = Child::start(program, "webhook", space.path(), |command| {
        command.arg("webhook").arg("--settings").arg(space.join("settings.yaml")).env_clear();
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--plain", &format!("127.0.0.1:{plain}")]);
        command.args(more).env("KUBECONFIG", kubeconfig).env("NAMESPACE", "leasehold").env("POD_NAME", name);
        command.env("AGENT_INJECT_TLS_AUTO", "leasehold-webhook");
    });
    Webhook { child, space, port, plain }
}

impl Webhook {
    /// Returns why the webhook is not ready, or `None` if it is ready.
    pub(crate) fn unready(&self) -> Option<String> {
        match self.plain("/health/ready") {
            Some(reply) if reply.status == 204 => None,
            Some(reply) => Some(reply.text),
            None => Some("it does not listen".to_owned()),
        }
    }

    pub(crate) fn until_ready(&mut self) {
        wait_until("the webhook to be ready", SOON, || {
            assert_eq!(self.child.ended(), None, "{}", self.child.stderr());
            self.unready().is_none()
        });
    }

    /// Returns whether the webhook shakes hands with a client that trusts this bundle.
    pub(crate) fn is_trusted_by(&self, bundle: &str) -> bool {
        // A client of the tests trusts one authority at a time.
        bundle.split_inclusive("-----END CERTIFICATE-----\n").any(|one| {
            self.space.file("one.pem", one);
            self.post("one.pem", "/mutate", &json!({})).is_ok()
        })
    }
}

/// Waits for 50 ms, between looks that have to go on for a while.
pub(crate) fn moment() {
    std::thread::sleep(Duration::from_millis(50));
}
