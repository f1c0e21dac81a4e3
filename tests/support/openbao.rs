//! A real OpenBao server: one for each test, with TLS and its own authority, on free loopback ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use super::child::Child;
use super::http::{self, Reply};
use super::ports::free_port;
use super::proxy::Proxy;
use super::script::script;
use super::wait::{wait_for, wait_until};
use super::workspace::Workspace;

/// Far more than a start takes, also on a machine where every core is busy with another test.
pub(super) const START: Duration = Duration::from_secs(60);

/// A server. The program under test speaks TLS to [`OpenBao::address`]; the test itself asks through a
/// second, plain listener.
#[derive(Debug)]
pub struct OpenBao {
    pub(super) child: Option<Child>,
    pub(super) space: Workspace,
    pub(super) durable: bool,
    /// The address of the node that this one joins; none where it makes a cluster of its own.
    pub(super) joins: Option<String>,
    pub(super) ports: Ports,
    pub(super) keys: Option<Keys>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    tls: u16,
    plain: u16,
    cluster: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Keys {
    root_token: String,
    unseal: String,
}

impl OpenBao {
    /// A server that keeps everything in memory: a fifth of a second to start, everything lost when killed.
    pub fn start() -> Self {
        Self::with_storage(false)
    }

    /// A server that keeps its data on disk (raft), to be killed and started again; two seconds to start.
    pub fn start_durable() -> Self {
        Self::with_storage(true)
    }

    fn with_storage(durable: bool) -> Self {
        let space = Workspace::new();
        write_certificates(&space);
        space.dir("raft");
        let mut server = Self { child: None, space, durable, joins: None, ports: Ports::free(), keys: None };
        // A program that is no test can take a free port before the server binds it: choose others then.
        while !server.boot() {
            server.ports = Ports::free();
        }
        server.initialize();
        server
    }

    /// The pinned program, which is the command-line client too; installed into the cache on first use.
    pub fn program() -> PathBuf {
        PathBuf::from(script("openbao", &[]))
    }

    /// `https://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.tls)
    }

    /// `http://127.0.0.1:PORT`, the same server without TLS.
    pub fn plain_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.plain)
    }

    /// A proxy in front of the server, which speaks plain HTTP.
    pub fn behind_a_proxy(&self) -> Proxy {
        Proxy::to(self.ports.plain)
    }

    /// The authority that signed the server's certificate, PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.space.join("ca.pem")
    }

    /// The text of [`OpenBao::ca_file`].
    pub fn ca_pem(&self) -> String {
        self.space.read("ca.pem").expect("written at start")
    }

    /// The root token.
    pub fn root_token(&self) -> &str {
        &self.keys.as_ref().expect("initialized at start").root_token
    }

    /// Asks the server as root.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.ask_as(self.root_token(), method, path, body)
    }

    /// Asks the server with a token.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_ask(&[("X-Vault-Token", token)], method, path, body.as_ref()).expect("the server answers")
    }

    /// Asks the server as root for an answer that it keeps under a one-time token, which lives `ttl`.
    pub fn ask_wrapped(&self, method: &str, path: &str, body: Option<Value>, ttl: &str) -> Reply {
        let headers = [("X-Vault-Token", self.root_token()), ("X-Vault-Wrap-TTL", ttl)];
        self.try_ask(&headers, method, path, body.as_ref()).expect("the server answers").ok()
    }

    /// Every request and response that the server has logged so far, oldest first.
    pub fn audit(&self) -> Vec<Value> {
        let log = self.space.read("audit.log").unwrap_or_default();
        // A line that is still being written does not parse and is left for the next time.
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many requests for paths that begin with `prefix` the server has taken.
    pub fn requests(&self, prefix: &str) -> usize {
        let path =
            |entry: &Value| entry["request"]["path"].as_str().is_some_and(|path| path.starts_with(prefix));
        self.audit().iter().filter(|entry| entry["type"] == "request" && path(entry)).count()
    }

    /// Kills the server at once, as a crash would.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// Starts a durable server that was killed, on the same ports, and unseals it.
    pub fn restart(&mut self) {
        assert!(self.durable, "a server in memory has nothing to come back to");
        let start = Instant::now();
        while !self.boot() {
            assert!(start.elapsed() < START, "its ports were taken by another process");
        }
        self.unseal();
    }

    /// Stops the server from doing anything while its connections stay open: it hangs.
    pub fn freeze(&self) {
        let child = self.child.as_ref().expect("it runs");
        child.signal(Signal::SIGSTOP);
        // Its threads stop one by one, and one that still runs may answer.
        wait_until("every thread of the server to stop", Duration::from_secs(10), || child.is_stopped());
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.child.as_ref().expect("it runs").signal(Signal::SIGCONT);
    }

    /// Seals the server: every request is answered 503.
    pub fn seal(&self) {
        self.ask("PUT", "sys/seal", None).ok();
    }

    /// Unseals the server and waits until it leads, or follows the node that it has joined.
    pub fn unseal(&self) {
        // Alone it is a standby for a moment, which answers and knows no leader.
        self.unseal_until("sys/health");
    }

    /// The same for a node that is to be a standby of another.
    pub(super) fn unseal_as_standby(&self) {
        self.unseal_until("sys/health?standbyok=true");
    }

    fn unseal_until(&self, well: &str) {
        let key = &self.keys.as_ref().expect("initialized at start").unseal;
        wait_for("the server to be active", START, || {
            // A node that has not joined yet takes the key and stays sealed: it is given it again.
            let _ = self.try_ask(&[], "PUT", "sys/unseal", Some(&json!({ "key": key }))).ok()?;
            let health = self.try_ask(&[], "GET", well, None).ok()?;
            (health.status == 200).then_some(())
        });
    }

    /// Whether the server came up; false where one of its ports was taken.
    pub(super) fn boot(&mut self) -> bool {
        let config = self.space.file("server.hcl", self.config());
        let mut child = Child::start(&Self::program(), "server", self.space.path(), |command| {
            command.arg("server").arg("-config").arg(&config).env_clear();
        });
        let up = wait_for("the server to answer", START, || {
            if let Some(status) = child.ended() {
                let said = child.stdout() + &child.stderr();
                assert!(said.contains("address already in use"), "the server ended ({status}): {said}");
                return Some(false);
            }
            let reply = self.try_ask(&[], "GET", "sys/init", None).ok()?;
            (reply.status == 200).then_some(true)
        });
        self.child = up.then_some(child);
        up
    }

    fn initialize(&mut self) {
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let answer =
            self.try_ask(&[], "PUT", "sys/init", Some(&shares)).expect("the server answers").ok().json();
        let text = |value: &Value| value.as_str().expect("init answers its keys").to_owned();
        self.keys = Some(Keys { root_token: text(&answer["root_token"]), unseal: text(&answer["keys"][0]) });
        self.unseal();
    }

    fn try_ask(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> std::io::Result<Reply> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.plain));
        http::request(address, method, &format!("/v1/{path}"), headers, body)
    }

    fn config(&self) -> String {
        let dir = self.space.path().display();
        let Ports { tls, plain, cluster } = self.ports;
        let storage = if self.durable {
            let join = self.joins.as_ref();
            let join = join.map(|at| format!(" retry_join {{ leader_api_addr = \"{at}\" }}\n"));
            // The multiplier makes a single node elect itself in one second instead of five.
            format!(
                "storage \"raft\" {{\n path = \"{dir}/raft\"\n node_id = \"{tls}\"\n performance_multiplier = \"1\"\n{}}}",
                join.unwrap_or_default()
            )
        } else {
            "storage \"inmem\" {}".to_owned()
        };
        format!(
            r#"{storage}
listener "tcp" {{
  address = "127.0.0.1:{tls}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{dir}/server.pem"
  tls_key_file = "{dir}/server.key"
}}
listener "tcp" {{
  address = "127.0.0.1:{plain}"
  cluster_address = "127.0.0.1:0"
  tls_disable = true
}}
audit "file" "log" {{
  options = {{ file_path = "{dir}/audit.log" }}
}}
api_addr = "https://127.0.0.1:{tls}"
cluster_addr = "https://127.0.0.1:{cluster}"
disable_mlock = true
log_level = "warn"
"#
        )
    }
}

impl Ports {
    pub(super) fn free() -> Self {
        Self { tls: free_port(), plain: free_port(), cluster: free_port() }
    }
}

/// An authority, and a certificate of it for loopback: `ca.pem`, `server.pem`, `server.key`.
/// Writes `ca.pem`, and `server.pem` with `server.key` for this machine.
pub fn write_certificates(space: &Workspace) {
    write_certificates_for(space, &["localhost", "127.0.0.1"]);
}

/// Writes the same files, with a certificate for these names.
pub fn write_certificates_for(space: &Workspace, names: &[&str]) {
    let ca_key = KeyPair::generate().expect("ring makes keys");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Leasehold test authority");
    space.file("ca.pem", ca.self_signed(&ca_key).expect("a valid certificate").pem());
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate().expect("ring makes keys");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let server = CertificateParams::new(names).expect("valid names");
    space.file("server.pem", server.signed_by(&key, &issuer).expect("a valid certificate").pem());
    space.file("server.key", key.serialize_pem());
}
