//! Secrets of stores, and what is shown to get them: through every command, a sidecar at its work, and a refusal that
//! repeats what it was sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Machine;
use super::fake::Fake;
use super::google::Cloud;
use crate::canary::Ear;
use crate::support::{Asked, CANARY, Leasehold, Listener, SOON, Workspace, wait_until};

/// Two files that work and one of each kind that does not.
const FILES: &str = r#"
files:
  - {path: plain, secret: cloud/plain, refresh: 1s}
  - {path: key, secret: 'cloud/login#password', refresh: 1s}
  - {path: no-such-key, secret: 'cloud/login#is-not-a-key'}
  - {path: no-object, secret: 'cloud/plain#password'}
  - {path: not-base64, secret: cloud/plain, encoding: base64}
  - {path: missing, secret: cloud/absent}
  - {path: argument, secret: 'cloud/plain?colour=blue'}
  - {path: mistaken, template: '{{ with secret "cloud/plain" }}{{ index .Data.value 99 }}{{ end }}'}
  - {path: mistaken-too, template: '{{ with secret "cloud/plain" }}{{ .Data.value | parseJSON }}{{ end }}'}
log: {level: trace, format: json}
"#;

fn login() -> String {
    json!({"username": "web", "password": CANARY}).to_string()
}

/// A machine whose store has `plain` and `login`, and who may read them.
struct Scene {
    machine: Machine,
    leasehold: Leasehold,
    ear: Ear,
}

impl Scene {
    fn new(machine: Machine, leasehold: Leasehold, credentials: &[(&'static str, &str)]) -> Self {
        let mut ear = Ear::default();
        ear.must_not_hear("a value", CANARY);
        credentials.iter().for_each(|(what, secret)| ear.must_not_hear(what, *secret));
        let leasehold = leasehold.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
        Self { machine, leasehold, ear }
    }

    fn run(&mut self, command: &[&str], files: &str) -> Option<i32> {
        let config = self.machine.config(files);
        let finished = self.leasehold.run(&[command, &["--config", &config]].concat());
        self.ear.finished(&command.join(" "), finished)
    }

    /// Every command, and a sidecar that reads another value once `change` has brought it.
    fn works(&mut self, change: Option<&dyn Fn()>) {
        for command in [
            &["check"][..],
            &["plan"],
            &["policy"],
            &["policy", "--backend", "cloud"],
            &["init", "--dry-run"],
        ] {
            self.run(command, FILES);
        }
        assert_ne!(self.run(&["init", "--timeout", "3s"], FILES), Some(0));
        let config = self.machine.config(FILES);
        let sidecar = self.leasehold.spawn(&["sidecar", "--config", &config]);
        let read = |file: &str| self.machine.read(file);
        wait_until("the good files", SOON, || read("plain").is_some() && read("key").is_some());
        if let Some(change) = change {
            let before = read("plain");
            change();
            wait_until("another value", SOON, || read("plain") != before);
        }
        self.ear.question(&self.machine.space, &self.leasehold, &sidecar);
        self.ear.finished("sidecar", sidecar.stop());
        let published = read("plain").expect("the sidecar published it");
        assert_eq!(self.ear.found_in(published.as_bytes()).next(), Some("a value"), "it would be heard");
        self.ear.assert_heard("standard error of sidecar", "is-not-a-key");
        self.ear.assert_heard("/metrics", "leasehold_backend_up");
        self.ear.assert_heard_nothing();
    }

    /// An init that is refused with `code` and with what it was sent, for the reason that `words` are a part of.
    fn is_refused(&mut self, code: i32, words: &str) {
        const ONE: &str = "files: [{path: a, secret: cloud/plain}]\nlog: {level: trace, format: json}\n";
        for command in [&["init", "--timeout", "3s"][..], &["plan"]] {
            assert_eq!(self.run(command, ONE), Some(code), "{command:?}");
        }
        self.ear.assert_heard("standard error of init", words);
        self.ear.assert_heard_nothing();
    }
}

#[test]
fn the_environment_and_a_folder_show_no_secret() {
    let machine = Machine::new("{environment: {prefix: APP_}}");
    let leasehold = machine.leasehold().env("APP_plain", &format!("{CANARY}-one")).env("APP_login", &login());
    Scene::new(machine, leasehold, &[]).works(None);

    let credentials = Workspace::new();
    let write = |value: &str| drop(credentials.file("plain", format!("{CANARY}-{value}")));
    write("one");
    credentials.file("login", login());
    let machine = Machine::new(&format!("{{files: {{dir: '{}'}}}}", credentials.path().display()));
    let leasehold = machine.leasehold();
    Scene::new(machine, leasehold, &[]).works(Some(&|| write("two")));
}

/// AWS: Secrets Manager, STS and the container's service in one, which may refuse everything with what it was sent.
pub(super) struct Aws {
    listener: Listener,
    refuses: Arc<AtomicBool>,
    changed: Arc<AtomicBool>,
    signatures: Arc<Mutex<Vec<String>>>,
}

impl Aws {
    pub(super) fn start() -> Self {
        let [refuses, changed] = [false; 2].map(|off| Arc::new(AtomicBool::new(off)));
        let signatures = Arc::<Mutex<Vec<String>>>::default();
        let (refusing, other, noted) = (Arc::clone(&refuses), Arc::clone(&changed), Arc::clone(&signatures));
        let listener = Listener::start(move |asked| {
            let by = asked.headers.get("authorization").cloned().unwrap_or_default();
            if let Some((_, signature)) = by.split_once("Signature=") {
                noted.lock().expect("no test panics with it").push(signature.to_owned());
            }
            let version = if other.load(Ordering::SeqCst) { "two" } else { "one" };
            aws(asked, version, refusing.load(Ordering::SeqCst))
        });
        Self { listener, refuses, changed, signatures }
    }

    /// What `plain` is: `one`, or anything else for `two`.
    pub(super) fn answer(&self, version: &str) {
        self.changed.store(version != "one", Ordering::SeqCst);
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    pub(super) fn machine(&self) -> Machine {
        Machine::new(&format!(
            "{{aws_secrets_manager: {{region: eu-central-1, endpoint: '{}'}}}}",
            self.url()
        ))
    }
}

fn aws(asked: &Asked, version: &str, refuses: bool) -> (u16, String) {
    let text = String::from_utf8_lossy(&asked.body);
    // As AWS does where a value breaks a rule.
    let repeated = format!("Value '{}' and {:?} failed to satisfy a constraint", text, asked.headers);
    let (is_sts, is_container) = (text.starts_with("Action="), asked.path == "/container");
    if refuses {
        let token = text.split("WebIdentityToken=").nth(1).unwrap_or_default();
        let message = format!("Value '{token}' at 'webIdentityToken' failed to satisfy constraint");
        return match is_sts {
            true => (
                400,
                format!("<E><Error><Code>ValidationError</Code><Message>{message}</Message></Error></E>"),
            ),
            false => (400, json!({"__type": "ValidationException", "message": repeated}).to_string()),
        };
    }
    let keys = [format!("{CANARY}-secret-key"), format!("{CANARY}-session")];
    if is_container {
        return (
            200,
            json!({"AccessKeyId": "ASIA1", "SecretAccessKey": keys[0], "Token": keys[1]}).to_string(),
        );
    }
    if is_sts {
        let [secret, token] = keys;
        return (
            200,
            format!(
                "<C><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken></C>"
            ),
        );
    }
    let value = |id: &str| match id {
        "plain" => Some(format!("{CANARY}-{version}")),
        "login" => Some(login()),
        _ => None,
    };
    let of =
        |id: &str| value(id).map(|value| json!({"Name": id, "SecretString": value, "VersionId": version}));
    let body: Value = serde_json::from_str(&text).expect("JSON");
    match (body["SecretIdList"].as_array(), body["SecretId"].as_str()) {
        (Some(ids), _) => {
            let ids = || ids.iter().filter_map(Value::as_str);
            let values: Vec<Value> = ids().filter_map(of).collect();
            let absent = ids().filter(|id| value(id).is_none());
            let errors: Vec<Value> = absent
                .map(
                    |id| json!({"SecretId": id, "ErrorCode": "ResourceNotFoundException", "Message": "none"}),
                )
                .collect();
            (200, json!({"SecretValues": values, "Errors": errors}).to_string())
        }
        (None, Some(id)) => of(id).map_or_else(
            || (400, json!({"__type": "ResourceNotFoundException", "message": "none"}).to_string()),
            |value| (200, value.to_string()),
        ),
        (None, None) => (200, json!({"SecretList": []}).to_string()),
    }
}

#[test]
fn aws_and_what_is_shown_to_it_are_in_no_output() {
    let aws = Aws::start();
    for source in ["keys", "a web identity", "a container"] {
        aws.refuses.store(false, Ordering::SeqCst);
        aws.answer("one");
        let machine = aws.machine();
        let token = machine.space.file("token", "eyJhbGciOiJSUzI1NiJ9.canary-web-identity.c2lnbmF0dXJl");
        let leasehold = machine.leasehold();
        let leasehold = match source {
            "keys" => leasehold
                .env("AWS_ACCESS_KEY_ID", "AKIA1")
                .env("AWS_SECRET_ACCESS_KEY", "canary-own-key")
                .env("AWS_SESSION_TOKEN", "canary-own-session"),
            "a web identity" => leasehold
                .env("AWS_ENDPOINT_URL_STS", &aws.url())
                .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
                .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token.display().to_string()),
            _ => leasehold
                .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", aws.url()))
                .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-container"),
        };
        let credentials = [
            ("a key", "canary-own-key"),
            ("a session", "canary-own-session"),
            ("a web identity", "eyJhbGciOiJSUzI1NiJ9"),
            ("a container's token", "canary-container"),
        ];
        let mut scene = Scene::new(machine, leasehold, &credentials);
        scene.works(Some(&|| aws.answer("two")));
        aws.refuses.store(true, Ordering::SeqCst);
        match source {
            "keys" => scene.is_refused(66, "ValidationException"),
            "a web identity" => scene.is_refused(77, "STS refuses the request for the role"),
            _ => scene.is_refused(77, "are refused (400)"),
        }
        let signatures = std::mem::take(&mut *aws.signatures.lock().expect("no test panics with it"));
        assert!(!signatures.is_empty(), "{source}");
        signatures.into_iter().for_each(|signature| scene.ear.must_not_hear("a signature", signature));
        scene.ear.assert_heard_nothing();
    }
}

pub(super) fn vault(version: &str) -> Value {
    json!({"vault": {
        "plain": {"versions": [[version, format!("{CANARY}-{version}")]]},
        "login": {"versions": [["v1", login()]]},
    }})
}

#[test]
fn azure_and_what_is_shown_to_it_are_in_no_output() {
    let fake = Fake::start();
    let own = json!({"client": {"id": "client", "secret": "canary-client-secret", "tenant": "tenant", "assertion": "canary-assertion"}});
    fake.set(&own);
    let refusal = |text: &str| {
        json!({"error": "invalid_client", "error_description": format!("AADSTS1: {text} is wrong"), "message": text}).to_string()
    };
    for source in ["canary-client-secret", "canary-assertion", "canary-header"] {
        fake.set(&json!({"next": []}));
        fake.set(&vault("one"));
        let machine = Machine::new(&format!("{{azure_key_vault: {{url: '{}'}}}}", fake.secure()));
        let token = machine.space.file("assertion", "canary-assertion").display().to_string();
        let leasehold = machine.leasehold().env("SSL_CERT_FILE", &fake.ca_file());
        let entra = leasehold
            .clone()
            .env("AZURE_AUTHORITY_HOST", &fake.secure())
            .env("AZURE_TENANT_ID", "tenant")
            .env("AZURE_CLIENT_ID", "client");
        let leasehold = match source {
            "canary-client-secret" => entra.env("AZURE_CLIENT_SECRET", source),
            "canary-assertion" => entra.env("AZURE_FEDERATED_TOKEN_FILE", &token),
            _ => leasehold
                .env("IDENTITY_ENDPOINT", &format!("{}/msi/token", fake.plain()))
                .env("IDENTITY_HEADER", source),
        };
        let mut scene = Scene::new(machine, leasehold, &[("a credential", source)]);
        scene.works(Some(&|| fake.set(&vault("two"))));
        // The credential is refused, and then the token that it brings: each with its own words.
        let at = if source == "canary-header" { "/msi/token" } else { "/oauth2/" };
        fake.set(&json!({"next": vec![json!([at, 401, {}, refusal(source)]); 9]}));
        scene.is_refused(77, if at == "/msi/token" { "gives no token" } else { "Entra ID refuses" });
        let challenge = "Bearer authorization=\"https://login.microsoftonline.com/tenant\", resource=\"https://127.0.0.1\"";
        let said = format!("the token {CANARY}-token-1 may not");
        let denied = json!({"error": {"code": "Forbidden", "message": said}}).to_string();
        for command in [&["init", "--timeout", "3s"][..], &["plan"]] {
            let asked = json!(["/secrets/plain", 401, {"WWW-Authenticate": challenge}, "{}"]);
            let denied = json!(["/secrets/plain", 403, {}, denied]);
            fake.set(&json!({"next": [asked, denied, denied, denied]}));
            let files = "files: [{path: a, secret: cloud/plain}]\nlog: {level: trace}\n";
            assert_eq!(scene.run(command, files), Some(77), "{command:?}");
        }
        scene.ear.assert_heard("standard error of init", "denies it");
        scene.ear.assert_heard_nothing();
    }
}

pub(super) fn project(versions: &[&str]) -> Value {
    let plain: Vec<Value> =
        versions.iter().map(|version| json!(["ENABLED", format!("{CANARY}-{version}")])).collect();
    json!({"project": {"plain": plain, "login": [["ENABLED", login()]]}})
}

#[test]
fn google_and_what_is_shown_to_it_are_in_no_output() {
    for source in ["a key", "a subject", "an address"] {
        let cloud = Cloud::start();
        cloud.fake.set(&project(&["one"]));
        let leasehold = match source {
            "a key" => cloud.account(),
            "a subject" => cloud.federated(&[]),
            _ => cloud.by_url(&cloud.fake.plain()),
        };
        let state = cloud.fake.state();
        let key = state["private_key"].as_str().and_then(|key| key.lines().nth(3)).expect("a key has lines");
        // Every assertion begins so.
        let credentials = [
            ("the key", key),
            ("an assertion", "eyJhbGciOiJSUzI1NiI"),
            ("the subject", "canary-subject"),
            ("the header", "canary-header"),
        ];
        let Cloud { fake, machine, .. } = cloud;
        let mut scene = Scene::new(machine, leasehold, &credentials);
        scene.works(Some(&|| fake.set(&project(&["one", "two"]))));
        let (at, sent) =
            if source == "a key" { ("/token", "eyJhbGciOiJSUzI1NiJ9.x") } else { ("/sts", "canary-subject") };
        let refused =
            json!({"error": "invalid_grant", "error_description": format!("Invalid: {sent}")}).to_string();
        fake.set(&json!({"next": vec![json!([at, 400, {}, refused]); 9]}));
        scene.is_refused(77, "refuses (invalid_grant)");
        let said = format!("the token {CANARY}-token-1 may not");
        let denied =
            json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": said}}).to_string();
        fake.set(&json!({"next": vec![json!(["/secrets/plain", 403, {}, denied]); 9]}));
        scene.is_refused(77, "denies it");
        if source == "an address" {
            shows_no_header(&fake, &mut scene);
        }
    }
}

/// The address of the other provider's token gives what it was sent back: in a refusal, and as a host.
fn shows_no_header(fake: &Fake, scene: &mut Scene) {
    let refused = json!({"error": "canary-header is no header"}).to_string();
    fake.set(&json!({"next": vec![json!(["/subject", 401, {}, refused]); 9]}));
    scene.is_refused(77, "refuses (401)");
    for to in ["https://canary-header.example/", "http://Canary-Header/x", "https://a.%63anary-header/"] {
        let there = json!({"Location": to});
        fake.set(&json!({"next": vec![json!(["/subject", 302, there, ""]); 9]}));
        scene.is_refused(69, "redirects to elsewhere, which the clouds never do");
    }
}
