//! What the webhook costs: `scripts/bench-webhook` builds the release and runs this.
//!
//! Reviews go over one TLS connection that stays open, as an API server has it, at a fixed pace: a late answer does not
//! slow the next request down.

#![allow(clippy::disallowed_methods, reason = "it measures real time, and its files hold no secret")]
#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args().nth(1).ok_or("usage: load PROGRAM")?);
    let folder = tempfile::tempdir()?;
    let mut starts: Vec<f64> = (0..10)
        .map(|_| Webhook::start(&program, folder.path()).map(|it| it.ready_ms))
        .collect::<Result<_>>()?;
    starts.sort_by(f64::total_cmp);
    let webhook = Webhook::start(&program, folder.path())?;
    let idle = webhook.memory("VmRSS:")?;
    let mut connection = webhook.connect()?;
    let cpu = webhook.cpu_ticks()?;
    let fast = pace(&mut connection, 1000, Duration::from_millis(10))?;
    let cpu = webhook.cpu_ticks()? - cpu;
    let slow = pace(&mut connection, 2000, Duration::from_millis(30))?;
    let peak = webhook.memory("VmHWM:")?;
    let server = webhook.server_micros()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    println!("| what | measured |");
    println!("| --- | --- |");
    println!("| start to ready, 10 starts | median {:.0} ms, most {:.0} ms |", starts[5], starts[9]);
    println!("| 1,000 reviews at 100 a second, at the caller | {} |", quantiles(fast));
    println!("| 2,000 reviews at 2,000 a minute, at the caller | {} |", quantiles(slow));
    println!("| all of them, within the webhook | {} |", quantiles(server));
    println!("| processor time for 1,000 reviews | {} ms |", cpu * 10);
    println!("| resident: idle, at most | {idle} KiB, {peak} KiB |");
    println!("| the program | {} bytes |", fs::metadata(&program)?.len());
    let load: Vec<&str> = load.split(' ').take(3).collect();
    println!("\nThe machine's load beside it was {} (1, 5 and 15 minutes).", load.join(", "));
    Ok(())
}

fn quantiles(mut all: Vec<f64>) -> String {
    all.sort_by(f64::total_cmp);
    let at = |part: f64| all[((all.len() - 1) as f64 * part) as usize];
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(0.5), at(0.99), at(1.0))
}

struct Webhook {
    child: Child,
    folder: PathBuf,
    port: u16,
    ready_ms: f64,
}

impl Webhook {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let key = rcgen::KeyPair::generate()?;
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
        fs::write(folder.join("tls.crt"), certificate.pem())?;
        fs::write(folder.join("tls.key"), key.serialize_pem())?;
        fs::write(folder.join("ca.der"), certificate.der())?;
        let settings =
            json!({"address": "https://vault.example:8200", "image": "registry.example/leasehold:1"});
        fs::write(folder.join("settings.yaml"), settings.to_string())?;
        let [port, plain] = [free()?, free()?];
        let begun = Instant::now();
        let child = Command::new(program)
            .arg("webhook")
            .args(["--listen", &format!("127.0.0.1:{port}"), "--plain", &format!("127.0.0.1:{plain}")])
            .arg("--tls-cert-file")
            .arg(folder.join("tls.crt"))
            .arg("--tls-key-file")
            .arg(folder.join("tls.key"))
            .arg("--settings")
            .arg(folder.join("settings.yaml"))
            .env_clear()
            .stderr(fs::File::create(folder.join("log"))?)
            .stdout(Stdio::null())
            .spawn()?;
        let mut webhook = Self { child, folder: folder.to_owned(), port, ready_ms: 0.0 };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plain));
        while !is_ready(address) {
            if webhook.child.try_wait()?.is_some() || begun.elapsed() > Duration::from_secs(30) {
                return Err(fs::read_to_string(folder.join("log"))?.into());
            }
            sleep(Duration::from_millis(1));
        }
        webhook.ready_ms = begun.elapsed().as_secs_f64() * 1000.0;
        Ok(webhook)
    }

    fn connect(&self) -> Result<Connection> {
        let mut roots = RootCertStore::empty();
        roots.add(fs::read(self.folder.join("ca.der"))?.into())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = ClientConnection::new(
            Arc::new(config),
            ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST)),
        )?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(StreamOwned::new(client, stream))))
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    fn cpu_ticks(&self) -> Result<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(") ").ok_or("no stat")?.1;
        Ok(fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
    }

    /// Reads the time that the webhook logs for each review, and returns it in milliseconds.
    fn server_micros(&self) -> Result<Vec<f64>> {
        let log = fs::read_to_string(self.folder.join("log"))?;
        let micros = |line: &str| serde_json::from_str::<Value>(line).ok()?["micros"].as_f64();
        Ok(log.lines().filter_map(micros).map(|micros| micros / 1000.0).collect())
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn is_ready(address: SocketAddr) -> bool {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(b"GET /health/ready HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.is_ok() && answer.contains(" 204 ")
}

struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    fn review(&mut self, body: &str) -> Result<()> {
        let head = format!(
            "POST /mutate HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        stream.flush()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer["response"]["allowed"] == true && answer["response"]["patch"].is_string() {
            Ok(())
        } else {
            Err(answer.to_string().into())
        }
    }
}

/// Sends reviews at a pace, and returns how long each took from when it was due, in milliseconds.
fn pace(connection: &mut Connection, count: u32, every: Duration) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let mut took = Vec::new();
    for number in 0..count {
        let due = begun + every * number;
        sleep(due.saturating_duration_since(Instant::now()));
        connection.review(&review(number))?;
        took.push(due.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(took)
}

/// Makes the review of a pod as a Deployment makes the pod, with two files and a template.
fn review(number: u32) -> String {
    let annotations = json!({
        "vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "web",
        "vault.hashicorp.com/agent-inject-secret-db.env": "database/creds/web",
        "vault.hashicorp.com/agent-inject-template-db.env":
            "{{ with secret \"database/creds/web\" -}}\nDB_USER={{ .Data.username }}\nDB_PASSWORD={{ .Data.password }}\n{{ end }}",
        "vault.hashicorp.com/agent-inject-secret-api-key": "secret/data/web",
    });
    let token = json!({"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true});
    let container = |name: &str| {
        json!({
            "name": name, "image": "registry.example/web:1", "ports": [{"containerPort": 8080}],
            "env": [{"name": "A", "value": "b"}], "volumeMounts": [token.clone()],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        })
    };
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": format!("web-{number}-"), "namespace": "shop", "annotations": annotations, "labels": {"app": "web"}},
        "spec": {
            "serviceAccountName": "web", "containers": [container("web"), container("helper")],
            "volumes": [{"name": "kube-api-access-x", "projected": {"sources": []}}],
        },
    });
    let request =
        json!({"uid": format!("u-{number}"), "operation": "CREATE", "namespace": "shop", "object": pod});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string()
}
