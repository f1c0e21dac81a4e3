//! Azure Key Vault, against a server that Azure's own Python client takes for one.

use leasehold_testkit::evidence;
use serde_json::{Value, json};

use super::Machine;
use super::fake::{Fake, VAULT};
use crate::support::{CANARY, Finished, Leasehold, SOON, request_unix, wait_until};

fn vault() -> Value {
    json!({
        "plain": {"versions": [["v1", format!("{CANARY}-one")], ["v2", format!("{CANARY}-two")]]},
        "login": {"versions": [["v1", r#"{"username": "web"}"#]]},
        "gone": {"versions": [["v1", "x"]], "deleted": true},
        "disabled": {"versions": [["v1", "x"]], "inner": "SecretDisabled"},
        "early": {"versions": [["v1", "x"]], "inner": "SecretNotYetValid"},
        "late": {"versions": [["v1", "x"]], "inner": "SecretExpired"},
        "walled": {"versions": [["v1", "x"]], "inner": "ForbiddenByFirewall"},
        "denied": {"versions": [["v1", "x"]], "inner": "ForbiddenByRbac"},
    })
}

fn start() -> Fake {
    let fake = Fake::start();
    fake.set(&json!({"vault": vault()}));
    fake
}

/// A machine whose backend is the fake over TLS, with more of its configuration.
fn machine(fake: &Fake, more: &str) -> Machine {
    Machine::new(&format!("{{azure_key_vault: {{url: '{}'{more}}}}}", fake.secure()))
}

/// With a client secret in the environment.
fn leasehold(machine: &Machine, fake: &Fake) -> Leasehold {
    machine
        .leasehold()
        .env("SSL_CERT_FILE", &fake.ca_file())
        .env("AZURE_AUTHORITY_HOST", &fake.secure())
        .env("AZURE_TENANT_ID", "tenant")
        .env("AZURE_CLIENT_ID", "client")
        .env("AZURE_CLIENT_SECRET", "canary-client-secret")
}

fn init(machine: &Machine, leasehold: &Leasehold, secret: &str) -> Finished {
    let config = machine.config(&format!("log: {{level: trace}}\nfiles: [{{path: a, secret: '{secret}'}}]"));
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
    for secret in [CANARY, "canary-client-secret", "canary-header"] {
        finished.assert_silent_about(secret);
    }
    finished
}

#[test]
fn azures_own_client_and_ours_read_the_same_vault() {
    let fake = start();
    // To a vault that asks for a token for another domain, Azure's own client sends none either.
    for (resource, taken) in [("https://vault.azure.net", "yes"), ("https://vault.azure.example", "no")] {
        fake.set(&json!({"resource": resource}));
        fake.judge("judge_azure.py", &[VAULT, &fake.secure(), &fake.ca_file(), taken]);
    }
    fake.set(&json!({"resource": null}));
    fake.asked();
    let machine = machine(&fake, "");
    let files = r#"
files:
  - {path: plain, secret: cloud/plain, refresh: 1s}
  - {path: first, secret: "cloud/plain?version=v1"}
  - {path: user, secret: "cloud/login#username"}
  - {path: all, refresh: 1s, template: '{{ range secrets "cloud" }}{{ . }} {{ end }}'}
"#;
    let (config, leasehold) = (machine.config(files), leasehold(&machine, &fake));
    leasehold.run(&["plan", "--config", &config]).expect_code(0).assert_silent_about(CANARY);
    let sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
    wait_until("the files", SOON, || machine.read("plain") == Some(format!("{CANARY}-two")));
    assert_eq!(machine.read("first"), Some(format!("{CANARY}-one")));
    assert_eq!(machine.read("user").as_deref(), Some("web"));
    assert_eq!(machine.read("all").as_deref(), Some("denied disabled early late login plain walled "));
    let mut state = vault();
    state["plain"]["versions"].as_array_mut().expect("a list").push(json!(["v3", format!("{CANARY}-three")]));
    fake.set(&json!({"vault": state}));
    wait_until("another version", SOON, || machine.read("plain") == Some(format!("{CANARY}-three")));
    // A page in the place of the vault is neither an empty list nor a vault that is back.
    let listed = machine.read("all");
    let page = json!(["/secrets?", 200, {}, "<html>sign in</html>"]);
    fake.set(&json!({"next": vec![page; 40]}));
    let up = |value: &str| {
        let metrics =
            request_unix(&machine.space.join("status.sock"), "GET", "/metrics").expect("it answers").text;
        metrics.contains(&format!("leasehold_backend_up{{backend=\"cloud\"}} {value}"))
    };
    wait_until("the page", SOON, || up("0"));
    assert_eq!(machine.read("all"), listed);
    fake.set(&json!({"next": []}));
    wait_until("the vault", SOON, || up("1"));
    // Throttled, it rests as it is asked to, and keeps its files.
    let busy =
        json!([["/secrets/plain", 429, {"Retry-After": "1"}, "{\"error\": {\"code\": \"Throttled\"}}"]]);
    fake.set(&json!({"next": busy}));
    wait_until("the rest", SOON, || up("0"));
    wait_until("the end of the rest", SOON, || up("1"));
    let asked = fake.asked();
    let tokens = asked.iter().filter(|line| line.ends_with("/oauth2/v2.0/token")).count();
    assert_eq!(tokens, 2, "one for the plan, and one for the sidecar: {asked:?}");
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
}

#[test]
fn what_a_vault_does_not_give_is_said_in_words_of_its_own() {
    let evidence = evidence!(65, Wire);
    let fake = start();
    let machine = machine(&fake, "");
    let leasehold = leasehold(&machine, &fake);
    fake.set(&json!({"vault": {"old": {"versions": [["v1", "x"]], "attributes": {"exp": 1}}}}));
    let given = init(&machine, &leasehold, "cloud/old").expect_code(0);
    assert!(given.stderr.contains("the secret old has expired in https://127.0.0.1"), "{}", given.stderr);
    fake.set(&json!({"vault": vault()}));
    for (secret, code, words) in [
        ("cloud/absent", 66, "does not have it"),
        ("cloud/gone", 66, "it is deleted in https://127.0.0.1"),
        ("cloud/disabled", 66, "it is disabled in"),
        ("cloud/early", 66, "it is not valid yet in"),
        ("cloud/late", 66, "it has expired in"),
        ("cloud/walled", 77, "allow it in the vault\'s firewall"),
        ("cloud/denied", 77, "assign the role Key Vault Secrets User"),
        ("cloud/a_b", 66, "a_b is no name in Key Vault"),
        ("cloud/plain/v1", 66, "plain/v1 is no name in Key Vault"),
        ("cloud/plain?stage=x", 66, "takes `version`, and no argument stage"),
        ("cloud/plain#key", 66, "the value is no JSON object, so it has no keys; write cloud/plain for"),
    ] {
        let finished = init(&machine, &leasehold, secret).expect_code(code);
        assert!(
            finished.last_line().contains(&words.replace('\\', "")),
            "{secret}: {}",
            finished.last_line()
        );
    }
    evidence.holds("deleted, disabled, expired and not valid yet have words of their own, with what to do");
}

#[test]
fn each_identity_is_found_in_its_place() {
    let mut evidence = evidence!(68, Wire);
    let fake = start();
    let secret_file = |machine: &Machine| machine.space.file("client-secret", "canary-client-secret\n");
    let base = |machine: &Machine| {
        machine.leasehold().env("SSL_CERT_FILE", &fake.ca_file()).env("AZURE_AUTHORITY_HOST", &fake.secure())
    };
    // A secret in a file, and the tenant of the vault's own words.
    let machine = Machine::new("{}");
    let file = secret_file(&machine);
    let named = format!(", client_id: client, client_secret_file: '{}'", file.display());
    let own = self::machine(&fake, &named);
    init(&own, &base(&own), "cloud/plain").expect_code(0);
    // A workload identity, whose token is read each time.
    fake.set(&json!({"client": {"id": "client", "secret": "other", "tenant": "tenant", "assertion": "canary-jwt"}}));
    let own = self::machine(&fake, "");
    let token = own.space.file("token", "canary-jwt");
    let workload = base(&own)
        .env("AZURE_CLIENT_ID", "client")
        .env("AZURE_FEDERATED_TOKEN_FILE", &token.display().to_string());
    init(&own, &workload, "cloud/plain").expect_code(0);
    let certificate = workload.clone().env("AZURE_CLIENT_CERTIFICATE_PATH", "/certificate.pem");
    let beside = init(&own, &certificate, "cloud/plain").expect_code(0);
    let says =
        "AZURE_CLIENT_CERTIFICATE_PATH is not followed: the identity that asks is that of AZURE_FEDERATED";
    assert!(beside.stderr.contains(says), "{}", beside.stderr);
    own.space.file("token", "old");
    let old = init(&own, &workload, "cloud/plain").expect_code(77);
    assert!(old.last_line().contains("the federated token has expired"), "{}", old.last_line());
    evidence.exit(old.code, 77);
    // Identities of the machine, by the metadata service and by App Service.
    let metadata = |own: &Machine| base(own).env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    let app = |own: &Machine| {
        let endpoint = format!("{}/msi/token", fake.plain());
        base(own).env("IDENTITY_ENDPOINT", &endpoint).env("IDENTITY_HEADER", "canary-header")
    };
    for (more, query) in [
        ("", ""),
        (", managed_identity: {}", ""),
        (", managed_identity: {client_id: known}", "&client_id=known"),
        (", managed_identity: {object_id: o}", "&object_id=o"),
        (", managed_identity: {resource_id: /r}", "&msi_res_id=%2Fr"),
    ] {
        let own = self::machine(&fake, more);
        fake.asked();
        init(&own, &metadata(&own), "cloud/plain").expect_code(0);
        let resource = "api-version=2018-02-01&resource=https%3A%2F%2F127.0.0.1";
        let line = format!("GET /metadata/identity/oauth2/token?{resource}{query}");
        let asked = fake.asked();
        assert!(asked.contains(&line), "{line}: {asked:?}");
    }
    let own = self::machine(&fake, ", managed_identity: {object_id: o}");
    let config = own.config("files: [{path: a, secret: cloud/plain, refresh: 1s}]");
    fake.asked();
    let sidecar = app(&own).spawn(&["sidecar", "--config", &config]);
    wait_until("several reads", SOON, || fake.state()["asked"].as_array().map_or(0, Vec::len) > 5);
    sidecar.stop().expect_code(0).assert_silent_about("canary-header");
    let asked = fake.asked();
    let tokens: Vec<&String> = asked.iter().filter(|line| line.contains("/msi/token")).collect();
    let [token] = tokens[..] else { panic!("it says when it ends, and is kept until then: {tokens:?}") };
    assert!(token.contains("?api-version=2019-08-01") && token.ends_with("&principal_id=o"), "{token}");
    evidence.holds("the message says so, and that the kubelet is to replace it");
}

#[test]
fn what_proves_nothing_is_said_in_words_of_its_own() {
    let mut evidence = evidence!(67, Wire);
    let fake = start();
    let own = machine(&fake, "");
    let good = leasehold(&own, &fake);
    for (leasehold, code, words) in [
        (
            good.clone().env("AZURE_CLIENT_SECRET", "canary-4f1d"),
            77,
            "the client secret is wrong; give the value",
        ),
        (good.clone().env("AZURE_CLIENT_ID", "x"), 77, "the tenant does not know the client id"),
        (good.clone().env("AZURE_TENANT_ID", "x"), 77, "there is no such tenant"),
        (good.clone().env("AZURE_CLIENT_ID", ""), 77, "no client id: set AZURE_CLIENT_ID"),
    ] {
        let finished = init(&own, &leasehold, "cloud/plain").expect_code(code);
        assert!(finished.last_line().contains(words), "{words}: {}", finished.last_line());
    }
    // A machine that has not this identity, and a metadata service that is none.
    let own = machine(&fake, ", managed_identity: {client_id: unknown}");
    let plain = own.leasehold().env("SSL_CERT_FILE", &fake.ca_file());
    let at = |url: &str| plain.clone().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", url);
    let finished = init(&own, &at(&fake.plain()), "cloud/plain").expect_code(77);
    assert!(finished.last_line().contains("gives no token (Identity not found)"), "{}", finished.last_line());
    fake.set(&json!({"next": [["/metadata/", 200, {}, "<html>sign in</html>"]]}));
    let finished = init(&own, &at(&fake.plain()), "cloud/plain");
    assert!(finished.stderr.contains("the answer holds no token"), "{}", finished.stderr);
    let finished = init(&own, &at("http://192.0.2.1"), "cloud/plain").expect_code(77);
    assert!(finished.last_line().contains("is not asked without TLS"), "{}", finished.last_line());
    evidence.exit(finished.code, 77);
    evidence.holds("a page is no token, and an address beyond this machine is not asked without TLS");
}

#[test]
fn a_refused_client_secret_is_not_tried_for_each_secret() {
    let fake = start();
    let own = machine(&fake, "");
    let wrong = leasehold(&own, &fake).env("AZURE_CLIENT_SECRET", CANARY);
    let files: String = (0..40).map(|n| format!("  - {{path: f{n}, secret: cloud/s{n}}}\n")).collect();
    let config = own.config(&format!("files:\n{files}"));
    fake.asked();
    let finished = wrong.run(&["init", "--timeout", "20s", "--config", &config]).expect_code(77);
    finished.assert_silent_about(CANARY);
    let asked = fake.asked();
    let tries = asked.iter().filter(|line| line.ends_with("/oauth2/v2.0/token")).count();
    assert_eq!(tries, 2, "a refusal is final when it is repeated: {asked:?}");
    let challenges = asked.iter().filter(|line| line.starts_with("GET /secrets/")).count();
    assert_eq!(challenges, 1, "the vault is asked once what it wants: {asked:?}");
}

#[test]
fn a_vault_that_asks_for_a_token_for_something_else_gets_no_credential() {
    let mut evidence = evidence!(66, Wire);
    let fake = start();
    let own = machine(&fake, "");
    let leasehold = leasehold(&own, &fake);
    fake.set(&json!({"resource": "https://management.azure.com"}));
    fake.asked();
    let finished = init(&own, &leasehold, "cloud/plain").expect_code(77);
    assert!(
        finished.last_line().contains("asks for a token for https://management.azure.com"),
        "{}",
        finished.last_line()
    );
    evidence.exit(finished.code, 77);
    let asked = fake.asked();
    assert!(
        asked.iter().all(|line| line.starts_with("GET /secrets/plain")),
        "no token was asked for: {asked:?}"
    );
    // A challenge that is none, and a redirect.
    fake.set(&json!({"resource": null, "next": [["/secrets/", 200, {}, "<html>sign in</html>"]]}));
    let finished = init(&own, &leasehold, "cloud/plain");
    assert!(
        finished.stderr.contains("does not ask for a token as Azure Key Vault does"),
        "{}",
        finished.stderr
    );
    fake.asked();
    let to = json!({"Location": format!("{}/stolen", fake.plain())});
    fake.set(
        &json!({"next": [["/oauth2/", 307, to, ""], ["/oauth2/", 307, to, ""], ["/oauth2/", 307, to, ""]]}),
    );
    let finished = init(&own, &leasehold, "cloud/plain");
    assert!(finished.stderr.contains("which the clouds never do"), "{}", finished.stderr);
    assert!(fake.asked().iter().all(|line| !line.contains("stolen")));
    evidence.holds("no token is asked for, and no credential leaves for where a redirect leads");
}
