//! Google Secret Manager, against a server that Google's own Python client takes for one.

use serde_json::{Value, json};

use super::Machine;
use super::fake::Fake;
use crate::support::{CANARY, Finished, Leasehold, SOON, wait_until};

const ACCOUNT: &str = "web@project.iam.gserviceaccount.com";

fn project() -> Value {
    json!({
        "plain": [["ENABLED", format!("{CANARY}-one")], ["ENABLED", format!("{CANARY}-two")]],
        "login": [["ENABLED", r#"{"username": "web"}"#]],
        "empty": [["ENABLED", ""]],
        "destroyed": [["DESTROYED", ""]],
        "disabled": [["DISABLED", ""]],
    })
}

/// The server, a machine whose backend it is, and the machine's key file.
pub(super) struct Cloud {
    pub(super) fake: Fake,
    pub(super) machine: Machine,
    key_file: String,
}

impl Cloud {
    pub(super) fn start() -> Self {
        let fake = Fake::start();
        let machine = Machine::new(&format!(
            "{{google_secret_manager: {{project: project, endpoint: '{}'}}}}",
            fake.secure()
        ));
        fake.set(&json!({"project": project()}));
        let key = json!({
            "type": "service_account", "project_id": "project", "private_key_id": "k", "private_key": fake.state()["private_key"],
            "client_email": ACCOUNT, "client_id": "1", "token_uri": format!("{}/token", fake.plain()),
        });
        let key_file = machine.space.file("key.json", key.to_string()).display().to_string();
        Self { fake, machine, key_file }
    }

    /// Without credentials.
    pub(super) fn nobody(&self) -> Leasehold {
        self.machine.leasehold().env("SSL_CERT_FILE", &self.fake.ca_file())
    }

    pub(super) fn account(&self) -> Leasehold {
        self.nobody().env("GOOGLE_APPLICATION_CREDENTIALS", &self.key_file)
    }

    fn init(&self, leasehold: &Leasehold, secret: &str) -> Finished {
        let config =
            self.machine.config(&format!("log: {{level: trace}}\nfiles: [{{path: a, secret: '{secret}'}}]"));
        let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
        for secret in [CANARY, "canary-subject", "PRIVATE KEY"] {
            finished.assert_silent_about(secret);
        }
        finished
    }

    /// Federation, with the other provider's token from the server at `base`.
    pub(super) fn by_url(&self, base: &str) -> Leasehold {
        let source = json!({
            "url": format!("{base}/subject"), "headers": {"Metadata": "canary-header"},
            "format": {"type": "json", "subject_token_field_name": "id_token"}
        });
        self.federated(&[("credential_source", source)])
    }

    /// A file of credentials of workload federation.
    pub(super) fn federated(&self, more: &[(&str, Value)]) -> Leasehold {
        let token =
            self.machine.space.file("subject.json", json!({"id_token": "canary-subject"}).to_string());
        let mut file = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/pool",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/sts", self.fake.plain()),
            "service_account_impersonation_url": format!("{}/impersonate", self.fake.plain()),
            "credential_source": {
                "file": token, "format": {"type": "json", "subject_token_field_name": "id_token"}
            },
        });
        for (key, value) in more {
            file[*key] = value.clone();
        }
        let path = self.machine.space.file("federated.json", file.to_string()).display().to_string();
        self.nobody().env("GOOGLE_APPLICATION_CREDENTIALS", &path)
    }
}

#[test]
fn googles_own_client_and_ours_read_the_same_project() {
    let cloud = Cloud::start();
    cloud.fake.judge("judge_google.py", &[&cloud.fake.secure_address(), &cloud.key_file]);
    cloud.fake.asked();
    let files = r#"
files:
  - {path: plain, secret: cloud/plain, refresh: 1s}
  - {path: first, secret: "cloud/plain?version=1"}
  - {path: user, secret: "cloud/login#username"}
  - {path: empty, secret: cloud/empty}
  - {path: all, template: '{{ range secrets "cloud" }}{{ . }} {{ end }}'}
"#;
    let config = cloud.machine.config(files);
    cloud.account().run(&["plan", "--config", &config]).expect_code(0).assert_silent_about(CANARY);
    let sidecar = cloud.account().spawn(&["sidecar", "--config", &config]);
    let read = |file: &str| cloud.machine.read(file);
    wait_until("the files", SOON, || read("plain") == Some(format!("{CANARY}-two")));
    assert_eq!(read("first"), Some(format!("{CANARY}-one")));
    assert_eq!(read("user").as_deref(), Some("web"));
    assert_eq!(read("empty").as_deref(), Some(""));
    assert_eq!(read("all").as_deref(), Some("destroyed disabled empty login plain "));
    let mut state = project();
    state["plain"].as_array_mut().expect("a list").push(json!(["ENABLED", format!("{CANARY}-three")]));
    cloud.fake.set(&json!({"project": state}));
    wait_until("another version", SOON, || read("plain") == Some(format!("{CANARY}-three")));
    let asked = cloud.fake.asked();
    assert_eq!(asked.iter().filter(|line| line.contains("/token")).count(), 2, "{asked:?}");
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
}

#[test]
fn what_a_project_does_not_give_is_said_in_words_of_its_own() {
    let cloud = Cloud::start();
    let account = cloud.account();
    for (secret, code, words) in [
        ("cloud/absent", 66, "does not have it"),
        ("cloud/plain?version=9", 66, "does not have it"),
        ("cloud/destroyed", 66, "its version is destroyed"),
        ("cloud/disabled", 66, "its version is disabled"),
        ("cloud/a/b", 66, "a/b is no name of Google's"),
        ("cloud/plain?stage=x", 66, "takes `version`, and no argument stage"),
        ("cloud/plain#key", 66, "the value is no JSON object, so it has no keys; write cloud/plain for"),
    ] {
        let finished = cloud.init(&account, secret).expect_code(code);
        assert!(finished.last_line().contains(words), "{secret}: {}", finished.last_line());
    }
    let disabled = json!({"error": {
        "code": 403, "status": "PERMISSION_DENIED", "message": "It has not been used.", "details": [{"reason": "SERVICE_DISABLED"}]
    }});
    let denied =
        json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Permission denied."}});
    let corrupt = json!({"payload": {"data": "aGk=", "dataCrc32c": "1"}});
    let busy = json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota."}});
    for (status, body, code, words) in [
        (403, disabled.to_string(), 77, "enable secretmanager.googleapis.com"),
        (403, denied.to_string(), 77, "grant roles/secretmanager.secretAccessor"),
        (200, corrupt.to_string(), 75, "does not fit its checksum"),
        (429, busy.to_string(), 69, "too many requests"),
        (200, "<html>sign in</html>".to_owned(), 69, "none of Google's"),
        (200, "{}".to_owned(), 75, "has no value"),
        (404, "<html>none</html>".to_owned(), 69, "none of Google's"),
    ] {
        let answer = json!(["/secrets/plain", status, {}, body]);
        cloud.fake.set(&json!({"next": vec![answer; 9]}));
        let finished = cloud.init(&account, "cloud/plain").expect_code(code);
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
    }
}

#[test]
fn each_identity_is_found_in_its_place() {
    let cloud = Cloud::start();
    // The metadata service, which says that it is Google's.
    let host = cloud.fake.plain().replace("http://", "");
    let metadata = cloud.nobody().env("GCE_METADATA_HOST", &host);
    cloud.init(&metadata, "cloud/plain").expect_code(0);
    cloud
        .fake
        .set(&json!({"next": vec![json!(["/computeMetadata/", 200, {}, "{\"access_token\": \"x\"}"]); 9]}));
    let finished = cloud.init(&metadata, "cloud/plain");
    assert!(
        finished.stderr.contains("what answers there is no metadata service of Google"),
        "{}",
        finished.stderr
    );
    let flavor = json!({"Metadata-Flavor": "Google"});
    cloud.fake.set(&json!({"next": vec![json!(["/computeMetadata/", 404, flavor, ""]); 9]}));
    let finished = cloud.init(&metadata, "cloud/plain").expect_code(77);
    assert!(finished.last_line().contains("has no service account"), "{}", finished.last_line());
    cloud.fake.set(&json!({"next": []}));
    let finished =
        cloud.init(&cloud.nobody().env("GCE_METADATA_HOST", "192.0.2.1"), "cloud/plain").expect_code(77);
    assert!(finished.last_line().contains("is not asked without TLS"), "{}", finished.last_line());
    // Federation, by way of a service account and without.
    cloud.init(&cloud.federated(&[]), "cloud/plain").expect_code(0);
    let asked = cloud.fake.asked();
    assert!(asked.contains(&"POST /impersonate".to_owned()), "{asked:?}");
    let finished =
        cloud.init(&cloud.federated(&[("audience", json!("//other"))]), "cloud/plain").expect_code(77);
    assert!(
        finished.last_line().contains("refuses (invalid_grant: The subject token is invalid)"),
        "{}",
        finished.last_line()
    );
    cloud.fake.asked();
    // The other provider's token at an address.
    let at = |url: &str, header: &str| {
        let source = json!({
            "url": url, "headers": {"Metadata": header},
            "format": {"type": "json", "subject_token_field_name": "id_token"}
        });
        cloud.init(&cloud.federated(&[("credential_source", source)]), "cloud/plain")
    };
    let subject = format!("{}/subject", cloud.fake.plain());
    at(&subject, "canary-header").expect_code(0).assert_silent_about("canary-header");
    for (url, header, words) in [
        (subject.as_str(), "other", "the credential_source at"),
        ("http://192.0.2.1/subject", "canary-header", "is not asked without TLS"),
    ] {
        let finished = at(url, header).expect_code(77);
        finished.assert_silent_about("canary-header");
        assert!(finished.last_line().contains(words), "{}", finished.last_line());
    }
    cloud.fake.asked();
    let stolen = json!("https://evil.example/sts");
    let finished = cloud.init(&cloud.federated(&[("token_url", stolen)]), "cloud/plain").expect_code(77);
    assert!(
        finished.last_line().contains("names evil.example, which is not Google's"),
        "{}",
        finished.last_line()
    );
    assert_eq!(cloud.fake.asked(), [""; 0]);
}

#[test]
fn a_key_that_google_does_not_take_is_named() {
    let cloud = Cloud::start();
    cloud.fake.set(&json!({"public_key": cloud.fake.state()["other_public_key"]}));
    let finished = cloud.init(&cloud.account(), "cloud/plain").expect_code(77);
    assert!(
        finished.last_line().contains("refuses (invalid_grant: Invalid JWT Signature)"),
        "{}",
        finished.last_line()
    );
    // A clock that is wrong is the reason, where the answer's date says so.
    let old = json!({"Date": "Sun, 29 Nov 2020 14:11:27 GMT"});
    let refusal = "{\"error\": \"invalid_grant\", \"error_description\": \"Invalid JWT\"}";
    cloud.fake.set(&json!({"next": vec![json!(["/token", 400, old, refusal]); 9]}));
    let finished = cloud.init(&cloud.account(), "cloud/plain").expect_code(77);
    assert!(finished.last_line().contains("s ahead of Google's; set the clock"), "{}", finished.last_line());
}
