//! SecretDefinitions from Azure Key Vault, in front of a server that Azure's own Python client takes for one.

use serde_json::json;

use crate::stage::{SOON, Stage};
use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::http;
use crate::support::ports::free_port;
use crate::support::script::{repository, script};
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::support::write_certificates;

/// The server of tests/server/clouds.
struct Fake {
    _child: Child,
    plain: u16,
    secure: u16,
    space: Workspace,
}

impl Fake {
    fn start() -> Self {
        let space = Workspace::new();
        write_certificates(&space);
        let (plain, secure) = (free_port(), free_port());
        let beside = repository().join("tests/server/clouds/fake.py");
        let mut child =
            Child::start(script("cloud-clients", &[]).as_ref(), "fake", space.path(), |command| {
                command.arg(beside).args([plain, secure].map(|port| port.to_string()));
                command.args(["server.pem", "server.key"].map(|name| space.join(name)));
            });
        let address = (std::net::Ipv4Addr::LOCALHOST, plain).into();
        wait_until("the fake cloud", SOON, || {
            assert!(child.ended().is_none(), "{}", child.stderr());
            http::request(address, "GET", "/control", &[], None).is_ok_and(|reply| reply.status == 200)
        });
        Self { _child: child, plain, secure, space }
    }

    fn set(&self, state: &serde_json::Value) {
        let address = (std::net::Ipv4Addr::LOCALHOST, self.plain).into();
        http::request(address, "POST", "/control", &[], Some(state)).expect("it answers").ok();
    }
}

#[test]
fn definitions_are_read_from_azure_key_vault_as_secrets_manager_does() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let fake = Fake::start();
    let vault = |plain: &str| {
        json!({"vault": {
            "plain": {"versions": [["v1", "old"], ["v2", plain]]}, "coded": {"versions": [["v1", "aGVsbG8="]]},
        }})
    };
    fake.set(&vault("canary-one"));
    let name = format!("https://127.0.0.1:{}", fake.secure);
    let args = [
        "-backend=azure-kv",
        "-azure-kv.name",
        &name,
        "-azure-kv.tenant-id=tenant",
        "-azure-kv.client-id=client",
    ];
    let ca = fake.space.join("ca.pem").display().to_string();
    let variables = [
        ("SSL_CERT_FILE", ca.as_str()),
        ("AZURE_AUTHORITY_HOST", &name),
        ("AZURE_CLIENT_SECRET", "canary-client-secret"),
    ];
    let controller = stage.controller_with(&args, &variables);
    let entry = |path: &str, encoding: &str| json!({"path": path, "key": "unused", "encoding": encoding});
    let of = |name: &str, a: serde_json::Value| json!({"name": name, "type": "Opaque", "keysMap": {"a": a}});
    stage.define("plain", &of("plain", entry("plain", "text")));
    stage.define("coded", &of("coded", entry("coded", "base64")));
    stage.define("none", &of("none", entry("none", "text")));
    stage.define("path", &of("path", entry("secret/data/web", "text")));
    stage.until("plain", "a", "canary-one");
    stage.until("coded", "a", "hello");
    wait_until("what is missing to be known", SOON, || controller.status_of("none") == Some(0.0));
    assert_eq!((stage.secret("none"), stage.secret("path")), (None, None));
    wait_until("what is no name to be known", SOON, || {
        stage.events("path").iter().any(|(_, message)| message.contains("is no name in Key Vault"))
    });
    fake.set(&vault("canary-two"));
    stage.until("plain", "a", "canary-two");
    let metrics = controller.ask("/metrics").expect("metrics").1;
    let missing = format!(
        "secrets_manager_azure_kv_read_secret_errors_total{{azure_kv_name=\"{name}\",azure_kv_tenant=\"tenant\",login=\"the controller\",path=\"\",key=\"\",error=\"BackendSecretNotFoundError\"}}"
    );
    assert!(metrics.contains(&missing), "{metrics}");
    assert!(metrics.contains("secrets_manager_azure_kv_login_errors_total{"), "{metrics}");
    assert!(!metrics.contains("vault_token_ttl{"), "no token of a Vault ends: {metrics}");
    let seen = format!("{metrics}{}{:?}", controller.child.stderr(), stage.get("/api/v1/events"));
    assert!(!seen.contains("canary-"), "{seen}");
    assert_eq!(stage.vault.requests("auth/approle/login"), 0, "the Vault is not asked");
}
