//! A real OpenBao whose logins by a cloud are judged in front of it: it has no plugins for them.
//!
//! `auth/aws/login` does what Vault's plugin does: the request has to be the one that it is to be, and STS has to say who
//! signed it. The tokens of `auth/azure/login` and `auth/gcp/login` are judged by OpenBao's own method `jwt`, with the key
//! that signed them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Asked, Leasehold, Listener, Moto, OpenBao, Reply, Workspace, request};

/// What the method `aws` is configured with.
pub(super) const SERVER_ID: &str = "vault.example.com";

/// The server, what stands in front of it, and a machine.
pub(super) struct Vault {
    pub(super) server: OpenBao,
    front: Listener,
    pub(super) space: Workspace,
    logins: Arc<Mutex<Vec<Value>>>,
}

impl Vault {
    /// `moto` is the STS that it asks.
    pub(super) fn start(moto: Option<&Moto>) -> Self {
        let server = OpenBao::start();
        server.kv2("secret");
        server.policy("web", "path \"secret/*\" { capabilities = [\"read\"] }");
        server.write("secret/data/web", json!({"data": {"password": "from-the-vault"}}));
        server.ask("POST", "sys/auth/jwt", Some(json!({"type": "jwt"}))).ok();
        let space = Workspace::new();
        for dir in ["secrets", "handoff", "home"] {
            space.dir(dir);
        }
        let logins = Arc::<Mutex<Vec<Value>>>::default();
        let behind = address(&server.plain_address());
        let sts = moto.map(|moto| address(&moto.url()));
        let (root, noted) = (server.root_token().to_owned(), Arc::clone(&logins));
        let front = Listener::start(move |asked| {
            let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
            let reply = match asked.path.as_str() {
                "/v1/auth/aws/login" => {
                    noted.lock().expect("no test panics with it").push(body.clone());
                    aws(&body, sts.expect("an STS"), (behind, &root))
                }
                "/v1/auth/azure/login" | "/v1/auth/gcp/login" => {
                    noted.lock().expect("no test panics with it").push(body.clone());
                    let login = json!({"role": body["role"], "jwt": body["jwt"]});
                    request(behind, "POST", "/v1/auth/jwt/login", &[], Some(&login)).expect("it answers")
                }
                _ => pass(asked, behind),
            };
            (reply.status, reply.text)
        });
        Self { server, front, space, logins }
    }

    /// OpenBao's method `jwt` takes what this key has signed for this audience.
    pub(super) fn trusts(&self, public_key: &str, audience: &str) {
        self.server.write("auth/jwt/config", json!({"jwt_validation_pubkeys": [public_key]}));
        let role = json!({
            "role_type": "jwt", "bound_audiences": [audience], "user_claim": "sub", "token_policies": ["web"], "token_ttl": "1h",
        });
        self.server.write("auth/jwt/role/web", role);
    }

    pub(super) fn config(&self, auth: &str, more: &str) -> String {
        let at = self.space.path().display();
        let text = format!(
            "vault: {{address: 'http://{}', timeout: 5s}}\nauth: {auth}\nsecrets_dir: '{at}/secrets'\n\
             handoff: {{file: '{at}/handoff/state'}}\nlisten: 'unix:{at}/status.sock'\nlog: {{level: trace}}\n\
             files: [{{path: password, secret: 'secret/web#password', refresh: 1s}}]\n{more}",
            self.front.address()
        );
        self.space.file("leasehold.yaml", text).display().to_string()
    }

    /// As above, of a server elsewhere.
    pub(super) fn config_at(&self, address: SocketAddr, auth: &str) -> String {
        let text = std::fs::read_to_string(self.config(auth, "")).expect("ours");
        let text = text.replace(&self.front.address().to_string(), &address.to_string());
        self.space.file("elsewhere.yaml", text).display().to_string()
    }

    /// Its home holds nothing, whoever runs the tests.
    pub(super) fn leasehold(&self) -> Leasehold {
        Leasehold::new(&self.space).env("HOME", &self.space.join("home").display().to_string())
    }

    pub(super) fn password(&self) -> Option<String> {
        self.space.read("secrets/password")
    }

    /// What each login has posted.
    pub(super) fn logins(&self) -> Vec<Value> {
        self.logins.lock().expect("no test panics with it").clone()
    }

    /// The next run is another machine's.
    pub(super) fn forget(&self) {
        for dir in ["secrets", "handoff"] {
            let _ = std::fs::remove_dir_all(self.space.join(dir));
            self.space.dir(dir);
        }
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("an address")
}

fn pass(asked: &Asked, to: SocketAddr) -> Reply {
    let token = asked.token.iter().map(|token| ("X-Vault-Token", token.as_str()));
    let headers: Vec<(&str, &str)> = token.chain([("X-Vault-Request", "true")]).collect();
    let body: Option<Value> = serde_json::from_slice(&asked.body).ok();
    request(to, &asked.method, &asked.path, &headers, body.as_ref()).expect("it answers")
}

fn refused(why: &str) -> Reply {
    Reply { status: 400, text: json!({"errors": [why]}).to_string() }
}

/// As Vault's plugin: the request is the one that it is to be, and STS says who signed it.
fn aws(login: &Value, sts: SocketAddr, (behind, root): (SocketAddr, &str)) -> Reply {
    let decoded = |name: &str| {
        let bytes = BASE64_STANDARD.decode(login[name].as_str().unwrap_or_default()).expect("base64");
        String::from_utf8(bytes).expect("text")
    };
    let (url, body) = (decoded("iam_request_url"), decoded("iam_request_body"));
    let headers: Value = serde_json::from_str(&decoded("iam_request_headers")).expect("JSON");
    let header = |name: &str| headers[name][0].as_str().unwrap_or_default().to_owned();
    if login["iam_http_request_method"] != "POST" || body != "Action=GetCallerIdentity&Version=2011-06-15" {
        return refused("not the request of a login");
    }
    let host = url.strip_prefix("https://").and_then(|rest| rest.strip_suffix('/'));
    let Some(host) = host.filter(|host| !host.contains(['/', '?'])) else {
        return refused("not a URL of STS");
    };
    let signed = header("authorization");
    let names =
        signed.split("SignedHeaders=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let is_signed = names.split(';').any(|name| name == "x-vault-aws-iam-server-id");
    if header("x-vault-aws-iam-server-id") != SERVER_ID || !is_signed {
        return refused("error validating X-Vault-AWS-IAM-Server-ID header: expected another value");
    }
    let mut text =
        format!("POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers.as_object().expect("headers") {
        text.push_str(&format!("{name}: {}\r\n", value[0].as_str().expect("a value")));
    }
    let mut stream = TcpStream::connect(sts).expect("STS is there");
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let arn = answer.split("<Arn>").nth(1).and_then(|rest| rest.split("</Arn>").next());
    let name = arn.and_then(|arn| arn.split('/').nth(1));
    if name != Some(login["role"].as_str().unwrap_or("web")) {
        return refused("error making upstream request: received error code 403 from STS");
    }
    let token = json!({"policies": ["web"], "ttl": "1h"});
    let headers = [("X-Vault-Token", root)];
    request(behind, "POST", "/v1/auth/token/create", &headers, Some(&token)).expect("it answers")
}
