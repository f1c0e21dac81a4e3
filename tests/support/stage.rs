//! What most tests of the whole program begin with: a server that a pod of account `web` may log in to,
//! with secrets of every kind, and the pod's folders.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::api::KubernetesRole;
use super::cluster::{Cluster, Identity};
use super::http::{self, Reply};
use super::leasehold::{Finished, Leasehold, Running};
use super::openbao::OpenBao;
use super::rabbit::Rabbit;
use super::wait::wait_until;
use super::workspace::Workspace;

/// Stands in every secret that a test writes; whatever shows it has shown a secret.
pub const CANARY: &str = "canary-4f1d";

/// What is expected soon; generous, since another test may have the processor.
pub const SOON: Duration = Duration::from_secs(15);

const POLICY: &str = r#"
path "secret/data/*" { capabilities = ["read"] }
path "secret/data/denied" { capabilities = ["deny"] }
path "old/*" { capabilities = ["read"] }
path "pki/issue/web" { capabilities = ["create", "update"] }
path "rabbitmq/creds/*" { capabilities = ["read"] }
path "database/*" { capabilities = ["read"] }
path "transit/decrypt/*" { capabilities = ["update"] }
path "ssh/*" { capabilities = ["update"] }
path "totp/code/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"#;

/// The server, the cluster and the pod's folders.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: OpenBao,
    /// The cluster that signs and reviews.
    pub cluster: Cluster,
    /// Where users of leased credentials are made; its engine is at `rabbitmq/`.
    pub rabbit: Rabbit,
    /// The pod's folders: `secrets`, `handoff`, `serviceaccount/token`.
    pub space: Workspace,
}

/// How long tokens and leases live, in seconds, and whether the server can be killed and come back.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    /// The first life of a token, and the longest.
    pub token: (u64, u64),
    /// The first life of rabbitmq's credentials, and the longest.
    pub lease: (u64, u64),
    /// Whether the server keeps its data when it is killed.
    pub durable: bool,
}

impl Default for Lives {
    /// Long ones: nothing has to be renewed while the test runs.
    fn default() -> Self {
        Self { token: (3600, 7200), lease: (3600, 7200), durable: false }
    }
}

impl Stage {
    /// With long lives.
    pub fn new() -> Self {
        Self::with(Lives::default())
    }

    /// With lives of the test's choice.
    pub fn with(lives: Lives) -> Self {
        let server = if lives.durable { OpenBao::start_durable() } else { OpenBao::start() };
        let (cluster, rabbit, space) = (Cluster::start(), Rabbit::start(), Workspace::new());
        server.kv1("old");
        server.kv2("secret");
        server.pki("pki", "web", "1h");
        let seconds = Duration::from_secs;
        server.rabbit("rabbitmq", &rabbit, "app", seconds(lives.lease.0), seconds(lives.lease.1));
        server.policy("web", POLICY);
        server.kubernetes(&cluster);
        let (ttl, max_ttl) = (format!("{}s", lives.token.0), format!("{}s", lives.token.1));
        let role = KubernetesRole { name: "web", policies: &["web"], ttl: &ttl, max_ttl: &max_ttl };
        server.kubernetes_role(&role, &Identity::default());
        for dir in ["secrets", "handoff", "serviceaccount"] {
            space.dir(dir);
        }
        space.file("serviceaccount/token", cluster.token(&Identity::default()));
        Self { server, cluster, rabbit, space }
    }

    /// A configuration for this stage: how to log in and where to write, then `rest` as it is.
    pub fn config(&self, rest: &str) -> String {
        let (address, ca, space) =
            (self.server.address(), self.server.ca_file(), self.space.path().display());
        let ca = ca.display();
        format!(
            "vault: {{address: '{address}', ca_file: '{ca}', timeout: 5s}}\n\
             auth: {{method: kubernetes, role: web, jwt_file: '{space}/serviceaccount/token'}}\n\
             secrets_dir: '{space}/secrets'\n\
             handoff: {{file: '{space}/handoff/state'}}\n\
             listen: 'unix:{space}/status.sock'\n\
             {rest}"
        )
    }

    /// Runs a command on a configuration, to its end.
    pub fn run(&self, command: &[&str], config: &str) -> Finished {
        Leasehold::new(&self.space).run(&self.arguments(command, config))
    }

    /// Runs init on a configuration with a deadline that the test can wait for.
    pub fn init(&self, config: &str) -> Finished {
        self.run(&["init", "--timeout", "20s"], config)
    }

    /// Starts a sidecar and waits until it is ready.
    pub fn sidecar(&self, config: &str) -> Running {
        self.until_ready(self.start(config))
    }

    /// As above on a machine that has been started anew, if that can be played here.
    pub fn sidecar_on_another_boot(&self, config: &str) -> Running {
        let boot = self.space.file("boot_id", "6a1f4a1e-1111-4a4a-8888-0123456789ab\n");
        let leasehold = Leasehold::new(&self.space).on_another_boot(&boot);
        self.until_ready(leasehold.spawn(&self.arguments(&["sidecar"], config)))
    }

    /// As above under a boot clock that is ahead by so many seconds.
    pub fn sidecar_with_a_clock_ahead(&self, config: &str, seconds: u64) -> Running {
        let leasehold = Leasehold::new(&self.space).with_a_clock_ahead(seconds);
        self.until_ready(leasehold.spawn(&self.arguments(&["sidecar"], config)))
    }

    fn until_ready(&self, mut running: Running) -> Running {
        wait_until("the sidecar to be ready", SOON, || {
            assert!(running.runs(), "the sidecar ended: {}", running.stderr());
            self.ready()
        });
        running
    }

    /// Starts a sidecar.
    pub fn start(&self, config: &str) -> Running {
        Leasehold::new(&self.space).spawn(&self.arguments(&["sidecar"], config))
    }

    /// Whether the sidecar says that it is ready.
    pub fn ready(&self) -> bool {
        self.get("/readyz").is_some_and(|reply| reply.status == 200)
    }

    /// What the sidecar's socket answers; nothing where it does not.
    pub fn get(&self, path: &str) -> Option<Reply> {
        http::request_unix(&self.space.join("status.sock"), "GET", path).ok()
    }

    /// What the sidecar's `/metrics` answers.
    pub fn metrics(&self) -> String {
        self.get("/metrics").expect("the sidecar listens").text
    }

    /// Posts to the sidecar's socket.
    pub fn post(&self, path: &str) -> Reply {
        http::request_unix(&self.space.join("status.sock"), "POST", path).expect("the sidecar listens")
    }

    /// A published file's text; nothing where it is not there.
    pub fn read(&self, file: &str) -> Option<String> {
        self.space.read(&format!("secrets/{file}"))
    }

    /// Everything in the secrets folder, hidden entries too.
    pub fn published(&self) -> Vec<String> {
        let entries = fs::read_dir(self.space.join("secrets")).expect("the folder is there");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// How many logins the server has taken, refused ones too.
    pub fn logins(&self) -> usize {
        self.server.requests("auth/kubernetes/login")
    }

    /// Changes these fields of the role that the pod logs in with.
    pub fn role(&self, fields: Value) {
        self.server.write("auth/kubernetes/role/web", fields);
    }

    /// Writes a new version of `secret/web`.
    pub fn put(&self, data: Value) {
        self.server.put("secret", "web", data);
    }

    /// Writes `secret/web` with one key, `password`, whose value carries the canary.
    pub fn put_password(&self, password: &str) {
        self.put(json!({ "password": format!("{CANARY}-{password}") }));
    }

    /// Panics where a token or a lease is left on the server.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.server.accessors(), [""; 0], "a token is left");
        // Leases go with their token a moment after it.
        wait_until("all leases to be gone", SOON, || {
            ["pki/", "rabbitmq/"].iter().all(|prefix| self.server.leases(prefix).is_empty())
        });
        wait_until("the engine's users to be gone", SOON, || self.rabbit.users().is_empty());
    }

    fn arguments(&self, command: &[&str], config: &str) -> Vec<String> {
        let path: PathBuf = self.space.file("leasehold.yaml", config);
        let config = ["--config".to_owned(), path.to_string_lossy().into_owned()];
        command.iter().map(|word| (*word).to_owned()).chain(config).collect()
    }
}
