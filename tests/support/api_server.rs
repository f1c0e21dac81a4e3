//! A real Kubernetes API server over an etcd of its own: it issues service-account tokens, and reviews them
//! when Vault asks. There are no nodes: what a kubelet would do with a token, a test does.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use rcgen::KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};

use super::child::Child;
use super::http::{self, Reply};
use super::need::{have, need};
use super::openbao::write_certificates;
use super::ports::free_port;
use super::script::{repository, script};
use super::wait::wait_for;
use super::workspace::Workspace;

/// A quiet machine takes five seconds.
const START: Duration = Duration::from_secs(120);

/// The token of a member of system:masters.
const ADMIN: &str = "admin";

/// A server with an empty cluster.
#[derive(Debug)]
pub struct ApiServer {
    // In the order in which they are to end.
    server: Child,
    etcd: Child,
    space: Workspace,
    programs: PathBuf,
    /// Of etcd for clients and for peers, and its own.
    ports: [u16; 3],
}

/// Whether there can be one here.
pub fn api_server_possible() -> bool {
    let reflect2 = Path::new("/usr/share/gocode/src/github.com/modern-go/reflect2");
    let how = "apt-get install etcd-server golang-go golang-github-modern-go-reflect2-dev";
    need(
        "etcd, and Go to build a Kubernetes API server",
        how,
        have("etcd") && have("go") && reflect2.exists(),
    )
}

impl ApiServer {
    /// A server with TLS on a free loopback port.
    pub fn start() -> Self {
        let programs = PathBuf::from(script("kube-apiserver", &[]));
        // A program that is no test can take a free port before the server binds it: choose others then.
        loop {
            if let Some(server) = Self::boot(&programs) {
                return server;
            }
        }
    }

    fn boot(programs: &Path) -> Option<Self> {
        let space = Workspace::new();
        write_certificates(&space);
        let key = KeyPair::generate().expect("ring makes keys");
        space.file("accounts.key", key.serialize_pem());
        space.file("accounts.pub", key.public_key_pem());
        space.file("tokens.csv", format!("{ADMIN},admin,1,system:masters\n"));
        let ports = [(); 3].map(|()| free_port());
        let (server, etcd) = launch(programs, &space, ports);
        let mut server = Self { server, etcd, space, programs: programs.to_owned(), ports };
        server.is_up().then_some(server)
    }

    /// Whether it came up; false where one of its ports was taken.
    fn is_up(&mut self) -> bool {
        let server = self;
        wait_for("the API server to be ready", START, || {
            if server.server.ended().is_some() || server.etcd.ended().is_some() {
                let said = server.etcd.stderr() + &server.server.stderr();
                assert!(said.contains("address already in use"), "{said}");
                return Some(false);
            }
            let ready = server.try_ask("GET", "/readyz", None).is_ok_and(|reply| reply.status == 200);
            // What it makes for itself at the start.
            let namespace = || server.ask("GET", "/api/v1/namespaces/default", None).status == 200;
            (ready && namespace()).then_some(true)
        })
    }

    /// Stops it, keeps what etcd has for [`ApiServer::restore`], and starts it again on the same ports.
    pub fn back_up(&mut self) {
        self.restart_with("etcd", "etcd.kept");
    }

    /// Stops it, and starts it again with what etcd had then.
    pub fn restore(&mut self) {
        self.restart_with("etcd.kept", "etcd");
    }

    fn restart_with(&mut self, from: &str, to: &str) {
        self.server.kill();
        self.etcd.kill();
        let (from, to) = (self.space.join(from), self.space.join(to));
        std::fs::remove_dir_all(&to).unwrap_or_default();
        let copied = std::process::Command::new("cp").arg("-a").args([&from, &to]).status();
        assert!(copied.is_ok_and(|status| status.success()), "{} is copied", from.display());
        (self.server, self.etcd) = launch(&self.programs, &self.space, self.ports);
        assert!(self.is_up(), "its ports were taken by another process");
    }

    /// `https://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    /// The authority that signed its certificate, PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.space.join("ca.pem")
    }

    /// Writes a configuration of kubectl for an administrator, and returns its path.
    pub fn kubeconfig(&self) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": self.address(), "certificate-authority": self.ca_file().to_string_lossy(),
            }}],
            "users": [{"name": "u", "user": {"token": ADMIN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        self.space.file("kubeconfig", config.to_string())
    }

    /// Asks as an administrator.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.try_ask(method, path, body).expect("the server answers")
    }

    fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> std::io::Result<Reply> {
        self.exchange(ADMIN, "application/json", method, path, body)
    }

    /// Asks with the token of somebody else.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.exchange(token, "application/json", method, path, body).expect("the server answers")
    }

    /// Changes an object by a JSON patch.
    pub fn patch(&self, path: &str, operations: &Value) -> Reply {
        let kind = "application/json-patch+json";
        self.exchange(ADMIN, kind, "PATCH", path, Some(operations)).expect("the server answers")
    }

    fn exchange(
        &self,
        token: &str,
        kind: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<Reply> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[2]));
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", kind)];
        http::request_tls(address, &self.ca_file(), method, path, &headers, body)
    }

    /// Makes a namespace.
    pub fn namespace(&self, name: &str) {
        let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.ask("POST", "/api/v1/namespaces", Some(&body)).ok();
    }

    /// Makes what a file of manifests/kubernetes describes.
    #[track_caller]
    pub fn apply(&self, manifest: &str) {
        let path = repository().join("manifests/kubernetes").join(manifest);
        let text = std::fs::read_to_string(path).expect("a manifest of ours");
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).expect("valid YAML");
            self.create(&object).ok();
        }
    }

    /// Makes an object.
    pub fn create(&self, object: &Value) -> Reply {
        self.ask("POST", &collection(object), Some(object))
    }

    /// Stops it, or lets it go on: then it answers as if nothing had been.
    pub fn pause(&self, paused: bool) {
        self.server.signal(if paused { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// A token from the TokenRequest API, as the kubelet asks for one.
    #[track_caller]
    pub fn token(&self, namespace: &str, account: &str, audiences: &[&str]) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        // The shortest life that there is.
        let body = json!({ "spec": { "audiences": audiences, "expirationSeconds": 600 } });
        let answer = self.ask("POST", &path, Some(&body)).ok().json();
        answer["status"]["token"].as_str().expect("a token").to_owned()
    }

    /// Deletes a service account, and with it the right of its tokens.
    pub fn delete_account(&self, namespace: &str, account: &str) {
        self.ask("DELETE", &format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}"), None).ok();
    }
}

fn launch(programs: &Path, space: &Workspace, [client, peer, port]: [u16; 3]) -> (Child, Child) {
    let etcd = Child::start(Path::new("etcd"), "etcd", space.path(), |command| {
        command.arg("--data-dir").arg(space.join("etcd")).args(etcd_flags(client, peer));
    });
    let server = Child::start(&programs.join("kube-apiserver"), "server", space.path(), |command| {
        command.args(server_flags(space.path(), client, port)).env_clear();
    });
    (server, etcd)
}

/// Where objects of this kind are posted to.
fn collection(object: &Value) -> String {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]).to_lowercase() + "s");
    let root = if version.contains('/') { "/apis" } else { "/api" };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{kind}"),
        None => format!("{root}/{version}/{kind}"),
    }
}

fn etcd_flags(client: u16, peer: u16) -> [String; 6] {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    [
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn server_flags(space: &Path, etcd: u16, port: u16) -> [String; 15] {
    let file = |flag: &str, name: &str| format!("--{flag}={}", space.join(name).display());
    [
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        file("cert-dir", "certificates"),
        file("tls-cert-file", "server.pem"),
        file("tls-private-key-file", "server.key"),
        file("service-account-key-file", "accounts.pub"),
        file("service-account-signing-key-file", "accounts.key"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--api-audiences=https://kubernetes.default.svc".to_owned(),
        file("token-auth-file", "tokens.csv"),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // It cannot find an address for itself on a machine with loopback only, and nobody asks for it.
        "--advertise-address=192.0.2.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
    ]
}
