//! A cluster with secrets-manager's own CustomResourceDefinition and rights, a Vault, and controllers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::support::api_server::ApiServer;
use crate::support::child::Child;
use crate::support::http;
use crate::support::openbao::OpenBao;
use crate::support::ports::free_port;
use crate::support::script::repository;
use crate::support::wait::{wait_for, wait_until};
use crate::support::workspace::Workspace;

/// Far more than anything takes, also on a machine where every core is busy.
pub(crate) const SOON: Duration = Duration::from_secs(60);
pub(crate) const FINALIZER: &str = "secret.finalizer.secrets-manager.tuenti.io";
const HERE: &str = "https://kubernetes.default.svc";

/// A cluster and a Vault.
pub(crate) struct Stage {
    pub(crate) api: ApiServer,
    pub(crate) vault: OpenBao,
    role_id: String,
    secret_id: String,
}

/// A controller that runs.
pub(crate) struct Controller {
    pub(crate) child: Child,
    _space: Workspace,
    port: u16,
}

impl Stage {
    /// Starts a cluster and a Vault, with the rights that the manifest grants.
    pub(crate) fn start() -> Self {
        let stage = Self::bare();
        for object in documents("manifests/sync/sync.yaml") {
            // Kubernetes 1.20 has disruption budgets in an older version only, and no nodes for the pods.
            if !matches!(object["kind"].as_str(), Some("Deployment" | "PodDisruptionBudget")) {
                stage.api.create(&object).ok();
            }
        }
        stage
    }

    /// Starts a cluster and a Vault, without rights and accounts.
    pub(crate) fn bare() -> Self {
        let (api, vault) = (ApiServer::start(), OpenBao::start());
        for object in documents("manifests/sync/crd.yaml") {
            api.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Some(&object)).ok();
        }
        for kind in
            ["secrets-manager.tuenti.io/v1alpha1/secretdefinitions", "leasehold.dev/v1alpha1/syncedsecrets"]
        {
            wait_until("definitions to be served", SOON, || {
                api.ask("GET", &format!("/apis/{kind}"), None).status == 200
            });
        }
        vault.ask("POST", "sys/mounts/secret", Some(json!({"type": "kv-v2"}))).ok();
        vault.ask("POST", "sys/auth/approle", Some(json!({"type": "approle"}))).ok();
        let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }";
        vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": policy}))).ok();
        let role = json!({"token_policies": "sync", "token_ttl": "1h"});
        vault.ask("POST", "auth/approle/role/sync", Some(role)).ok();
        let role_id = vault.ask("GET", "auth/approle/role/sync/role-id", None).ok().json();
        let secret_id = vault.ask("POST", "auth/approle/role/sync/secret-id", None).ok().json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (role_id, secret_id) = (text(&role_id["data"]["role_id"]), text(&secret_id["data"]["secret_id"]));
        // A new KV version 2 is upgraded for a moment, in which it takes no writes.
        wait_until("the mount to take writes", SOON, || {
            vault.ask("POST", "secret/data/first", Some(json!({"data": {"a": "b"}}))).status == 200
        });
        Self { api, vault, role_id, secret_id }
    }

    /// Writes a secret.
    pub(crate) fn put(&self, path: &str, fields: &Value) {
        self.vault.ask("POST", path, Some(json!({"data": fields}))).ok();
    }

    /// Starts a controller under the account of the manifest, and waits until it is ready.
    pub(crate) fn controller(&self, args: &[&str]) -> Controller {
        let token = self.api.token("leasehold", "leasehold-sync", &[HERE]);
        let mut controller = self.controller_as(&token, "sync-0", args);
        controller.until_ready();
        controller
    }

    /// Starts a controller as `controller` does, with more variables.
    pub(crate) fn controller_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Controller {
        let token = self.api.token("leasehold", "leasehold-sync", &[HERE]);
        let mut controller = self.launch(&token, "sync-0", (args, variables), &self.api.address());
        controller.until_ready();
        controller
    }

    /// Starts one with this token of the cluster, as a replica of this name.
    pub(crate) fn controller_as(&self, token: &str, name: &str, args: &[&str]) -> Controller {
        self.launch(token, name, (args, &[]), &self.api.address())
    }

    /// Starts one that asks the API server at this address.
    pub(crate) fn launch(
        &self,
        token: &str,
        name: &str,
        (args, variables): (&[&str], &[(&str, &str)]),
        server: &str,
    ) -> Controller {
        let (space, port) = (Workspace::new(), free_port());
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": server, "certificate-authority": self.api.ca_file().to_string_lossy(),
            }}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        let config = space.file("kubeconfig", config.to_string());
        let program = std::env::var("SYNC_PROGRAM");
        let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_leasehold-kubernetes").to_owned());
        let child = Child::start(Path::new(&program), "sync", space.path(), |command| {
            // As in a Deployment of secrets-manager: arguments, and no command.
            command.env_clear().arg(format!("-vault.url={}", self.vault.address()));
            command.arg(format!("-metrics-addr=127.0.0.1:{port}")).arg("-reconcile-period=1s").args(args);
            command.env("KUBECONFIG", &config).env("VAULT_CACERT", self.vault.ca_file());
            command.env("VAULT_ROLE_ID", &self.role_id).env("VAULT_SECRET_ID", &self.secret_id);
            command.env("POD_NAME", name).env("POD_NAMESPACE", "leasehold").envs(variables.iter().copied());
        });
        Controller { child, _space: space, port }
    }

    /// Makes a definition of one key, in the namespace `default`.
    pub(crate) fn define(&self, name: &str, spec: &Value) {
        let object = json!({
            "apiVersion": "secrets-manager.tuenti.io/v1alpha1", "kind": "SecretDefinition",
            "metadata": {"name": name, "namespace": "default"}, "spec": spec,
        });
        self.api.create(&object).ok();
    }

    /// Puts another specification into a definition.
    pub(crate) fn redefine(&self, name: &str, spec: &Value) {
        let operations = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        self.api.patch(&definition(name), &operations).ok();
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let reply = self.api.ask("GET", path, None);
        (reply.status == 200).then(|| reply.json())
    }

    /// Returns the Secret of this name in `default`.
    pub(crate) fn secret(&self, name: &str) -> Option<Value> {
        self.get(&secret(name))
    }

    /// Returns a value of a Secret in `default`, as text.
    pub(crate) fn value(&self, name: &str, key: &str) -> Option<String> {
        value(&self.secret(name)?, key)
    }

    /// Waits until a Secret has this value.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, key: &str, wanted: &str) {
        wait_until(&format!("{name} to have {key}={wanted}"), SOON, || {
            self.value(name, key).as_deref() == Some(wanted)
        });
    }

    /// Returns the events about a definition, each as its reason and its message.
    pub(crate) fn events(&self, name: &str) -> Vec<(String, String)> {
        let list = self.get("/api/v1/namespaces/default/events").expect("a list");
        let of = |event: &&Value| event["involvedObject"]["name"] == name;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = list["items"].as_array().expect("a list").iter().filter(of);
        items.map(|event| (text(&event["reason"]), text(&event["message"]))).collect()
    }
}

impl Controller {
    pub(crate) fn until_ready(&mut self) {
        wait_until("the controller to be ready", SOON, || {
            assert_eq!(self.child.ended(), None, "{}", self.child.stderr());
            self.ask("/readyz").is_some_and(|(status, _)| status == 200)
        });
    }

    /// Returns the address at which the controller serves metrics.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn ask(&self, path: &str) -> Option<(u16, String)> {
        let reply = http::request(self.address(), "GET", path, &[], None).ok()?;
        Some((reply.status, reply.text))
    }

    /// Returns the value of a metric. The name has all labels of the metric.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.ask("/metrics").expect("it serves metrics").1;
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))?;
        line.parse().ok()
    }

    /// Returns the metric that says whether the last sync of a Secret of `default` went well.
    pub(crate) fn status_of(&self, secret: &str) -> Option<f64> {
        let labels = format!("namespace=\"default\",name=\"{secret}\"");
        self.metric(&format!("secrets_manager_controller_last_sync_status{{{labels}}}"))
    }

    pub(crate) fn writes(&self) -> f64 {
        self.metric("secrets_manager_controller_writes_total").expect("it is counted")
    }

    /// Waits until so many reads have come, so that several periods are over.
    pub(crate) fn let_pass(&self, stage: &Stage, reads: usize, path: &str) {
        let before = stage.vault.requests(path);
        wait_for("reads of Vault", SOON, || (stage.vault.requests(path) >= before + reads).then_some(()));
    }
}

pub(crate) fn definition(name: &str) -> String {
    format!("/apis/secrets-manager.tuenti.io/v1alpha1/namespaces/default/secretdefinitions/{name}")
}

pub(crate) fn secret(name: &str) -> String {
    format!("/api/v1/namespaces/default/secrets/{name}")
}

/// Returns a value of a Secret, as text.
pub(crate) fn value(secret: &Value, key: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// Makes the specification of a definition of one key.
pub(crate) fn spec(secret: &str, path: &str) -> Value {
    json!({"name": secret, "type": "Opaque", "keysMap": {"foo": {"path": path, "key": "value"}}})
}

/// Reads the objects of a manifest.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(repository().join(path)).expect("a manifest of ours");
    serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).expect("valid YAML")).collect()
}
