//! Where AWS' credentials are from: each source against moto or a small service of the test's own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use leasehold_testkit::evidence;
use serde_json::json;

use super::Machine;
use super::aws::{backend, may_read};
use crate::support::{CANARY, Finished, Leasehold, Listener, Moto, SOON, wait_until};

const FILE: &str = "files: [{path: a, secret: cloud/a, refresh: 1s}]";

fn init(machine: &Machine, leasehold: &Leasehold) -> Finished {
    let config = machine.config(FILE);
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
    finished.assert_silent_about(CANARY);
    finished
}

/// What the services beside a machine are asked, in order.
type Log = Arc<Mutex<Vec<String>>>;

fn log(log: &Log) -> Vec<String> {
    log.lock().expect("no test panics with it").clone()
}

/// Keys as the metadata services answer them, good for so many seconds.
pub(super) fn keys(id: &str, lasting: i64) -> String {
    let ends = leasehold_base::clock::now().wall + lasting;
    let mut date = std::process::Command::new("date");
    date.args(["-u", "-d", &format!("@{ends}"), "+%Y-%m-%dT%H:%M:%SZ"]);
    let time = date.output().expect("date is part of coreutils").stdout;
    let time = String::from_utf8(time).expect("text");
    json!({
        "Code": "Success", "AccessKeyId": id, "SecretAccessKey": CANARY, "Token": format!("{CANARY}-token"),
        "Expiration": time.trim()
    })
    .to_string()
}

/// Secrets Manager, which notes the key that it was asked with and takes none but `good`.
fn secrets_manager(asked: &Log, good: &'static str) -> Listener {
    let asked = Arc::clone(asked);
    Listener::start(move |request| {
        let by = request.headers.get("authorization").cloned().unwrap_or_default();
        let id = by.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        asked.lock().expect("no test panics with it").push(id.to_owned());
        if id == good && request.headers.contains_key("x-amz-security-token") {
            return (200, json!({"SecretString": "value"}).to_string());
        }
        (400, json!({"__type": "ExpiredTokenException", "message": "ended"}).to_string())
    })
}

fn machine_for(store: &Listener) -> Machine {
    Machine::new(&format!(
        "{{aws_secrets_manager: {{region: eu-central-1, endpoint: 'http://{}'}}}}",
        store.address()
    ))
}

#[test]
fn a_profile_a_role_and_a_web_identity_are_taken_by_motos_judge() {
    let moto = Moto::start();
    moto.put("a", "value");
    let key = moto.user("web", &json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}));
    let role = moto.role("reader", &may_read());
    moto.check_signatures();
    let with_role = backend(&moto).replace("}}", &format!(", role_arn: '{role}'}}}}"));
    let machine = Machine::new(&with_role);
    machine.space.dir("home/.aws");
    let profile = format!("[default]\naws_access_key_id={}\naws_secret_access_key={}\n", key.id, key.secret);
    machine.space.file("home/.aws/credentials", profile);
    let leasehold = machine.leasehold().env("AWS_ENDPOINT_URL_STS", &moto.url());
    init(&machine, &leasehold).expect_code(0).assert_silent_about(&key.secret);
    assert_eq!(machine.read("a").as_deref(), Some("value"));
    // Without the role, the user may read nothing.
    let machine = Machine::new(&backend(&moto));
    machine
        .space
        .file("profiles", format!("[profile a]\nregion=eu-west-1\nrole_arn={role}\nsource_profile=b\n"));
    machine
        .space
        .file("keys", format!("[b]\naws_access_key_id={}\naws_secret_access_key={}\n", key.id, key.secret));
    let at = |name: &str| machine.space.join(name).display().to_string();
    let leasehold = machine
        .leasehold()
        .env("AWS_ENDPOINT_URL_STS", &moto.url())
        .env("AWS_SHARED_CREDENTIALS_FILE", &at("keys"))
        .env("AWS_CONFIG_FILE", &at("profiles"));
    init(&machine, &leasehold.clone().env("AWS_PROFILE", "a")).expect_code(0);
    let finished = init(&machine, &leasehold.clone().env("AWS_PROFILE", "b")).expect_code(77);
    assert!(finished.last_line().contains("denies it"), "{}", finished.last_line());
    let finished = init(&machine, &leasehold.env("AWS_PROFILE", "c")).expect_code(77);
    assert!(
        finished.last_line().contains("no file has the profile c of AWS_PROFILE"),
        "{}",
        finished.last_line()
    );
}

#[test]
fn a_web_identity_needs_no_key_since_sts_gives_one() {
    // Moto that judges signatures takes no request without one.
    let moto = Moto::start();
    moto.put("a", "value");
    let role = moto.role("reader", &may_read());
    let machine = Machine::new(&backend(&moto));
    let at = |name: &str| machine.space.join(name).display().to_string();
    machine.space.file("token", "header.payload.signature");
    let leasehold = machine
        .leasehold()
        .env("AWS_ENDPOINT_URL_STS", &moto.url())
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &at("token"))
        .env("AWS_ROLE_ARN", &role);
    init(&machine, &leasehold).expect_code(0);
}

#[test]
fn a_container_gives_keys_for_the_token_in_a_file_and_they_are_replaced_when_they_end() {
    let asked = Log::default();
    let (store, seen) = (secrets_manager(&asked, "ASIA2"), Log::default());
    let noted = Arc::clone(&seen);
    let agent = Listener::start(move |request| {
        let mut seen = noted.lock().expect("no test panics with it");
        seen.push(format!(
            "{} {}",
            request.path,
            request.headers.get("authorization").cloned().unwrap_or_default()
        ));
        (200, keys(if seen.len() == 1 { "ASIA1" } else { "ASIA2" }, 3600))
    });
    let machine = machine_for(&store);
    machine.space.file("token", "eks-token\n");
    let leasehold = machine
        .leasehold()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://{}/v1/credentials", agent.address()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &machine.space.join("token").display().to_string());
    init(&machine, &leasehold).expect_code(0);
    assert_eq!(log(&asked), ["ASIA1", "ASIA2"], "the first had ended, as the store said");
    assert_eq!(log(&seen), ["/v1/credentials eks-token", "/v1/credentials eks-token"]);
}

#[test]
fn keys_that_are_good_are_kept() {
    let asked = Log::default();
    let store = secrets_manager(&asked, "ASIA1");
    let seen = Log::default();
    let noted = Arc::clone(&seen);
    let agent = Listener::start(move |request| {
        noted.lock().expect("no test panics with it").push(request.path.clone());
        // Of a minute, the last quarter is for the replacement.
        (200, keys("ASIA1", 60))
    });
    let machine = machine_for(&store);
    let uri = format!("http://{}/c", agent.address());
    let leasehold = machine.leasehold().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
    let sidecar = leasehold.spawn(&["sidecar", "--config", &machine.config(FILE)]);
    wait_until("several reads", SOON, || log(&asked).len() > 3);
    assert_eq!(log(&seen).len(), 1, "keys that are good are kept");
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
}

#[test]
fn keys_that_are_replaced_in_their_file_are_followed_without_a_restart() {
    let asked = Log::default();
    let (noted, good) = (Arc::clone(&asked), Arc::new(Mutex::new("AKIA1")));
    let known = Arc::clone(&good);
    let store = Listener::start(move |request| {
        let by = request.headers.get("authorization").cloned().unwrap_or_default();
        let id = by.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        noted.lock().expect("no test panics with it").push(id.to_owned());
        if id == *known.lock().expect("no test panics with it") {
            return (200, json!({"SecretString": format!("for {id}")}).to_string());
        }
        (400, json!({"__type": "UnrecognizedClientException", "message": "invalid"}).to_string())
    });
    let machine = machine_for(&store);
    machine.space.dir("home/.aws");
    let write = |id: &str| {
        let text = format!("[default]\naws_access_key_id={id}\naws_secret_access_key={CANARY}\n");
        let next = machine.space.file("home/.aws/next", text);
        std::fs::rename(next, machine.space.join("home/.aws/credentials")).expect("a rename");
    };
    write("AKIA1");
    let sidecar = machine.leasehold().spawn(&["sidecar", "--config", &machine.config(FILE)]);
    wait_until("the file", SOON, || machine.read("a").as_deref() == Some("for AKIA1"));
    write("AKIA2");
    *good.lock().expect("no test panics with it") = "AKIA2";
    wait_until("the other keys", SOON, || machine.read("a").as_deref() == Some("for AKIA2"));
    let asked = log(&asked);
    let second = asked.iter().position(|id| id == "AKIA2").expect("it was used");
    assert!(asked[second..].iter().all(|id| id == "AKIA2"), "the old keys are gone: {asked:?}");
    sidecar.stop().expect_code(0).assert_silent_about(CANARY);
}

#[test]
fn an_address_that_is_none_is_refused_and_the_public_one_is_not_asked() {
    let machine = Machine::new("{aws_secrets_manager: {region: eu-central-1}}");
    for name in ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"] {
        let leasehold = machine
            .leasehold()
            .env("AWS_ACCESS_KEY_ID", "AKIA1")
            .env("AWS_SECRET_ACCESS_KEY", CANARY)
            .env(name, "localhost:4566");
        let finished = init(&machine, &leasehold).expect_code(77);
        assert!(finished.last_line().contains(&format!("{name} is no URL")), "{}", finished.last_line());
    }
    for name in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let leasehold = machine
            .leasehold()
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &machine.space.file("token", "a.b.c").display().to_string())
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
            .env(name, "http://127.0.0.1:9/path");
        let finished = init(&machine, &leasehold).expect_code(77);
        let says = format!("{name} has a path or a query; write the scheme, the host and the port alone");
        assert!(finished.last_line().contains(&says), "{}", finished.last_line());
    }
}

/// EC2's metadata service: a session first, then the role's name, then its keys.
fn metadata(answers: &[(&str, u16, &str)]) -> (Listener, Log) {
    let answers: BTreeMap<String, (u16, String)> = answers
        .iter()
        .map(|(path, status, body)| ((*path).to_owned(), (*status, (*body).to_owned())))
        .collect();
    let seen = Log::default();
    let noted = Arc::clone(&seen);
    let listener = Listener::start(move |request| {
        let session = request.headers.get("x-aws-ec2-metadata-token").cloned().unwrap_or_default();
        let line = format!("{} {} {session}", request.method, request.path);
        noted.lock().expect("no test panics with it").push(line.trim().to_owned());
        answers.get(&request.path).cloned().unwrap_or((404, String::new()))
    });
    (listener, seen)
}

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

#[test]
fn an_instance_gives_the_keys_of_its_role_to_who_has_a_session() {
    let asked = Log::default();
    let store = secrets_manager(&asked, "ASIA1");
    let role = format!("{ROLES}reader");
    let (service, seen) = metadata(&[
        ("/latest/api/token", 200, "session-1"),
        (ROLES, 200, "reader\n"),
        (&role, 200, &keys("ASIA1", 3600)),
    ]);
    let machine = machine_for(&store);
    let endpoint = format!("http://{}", service.address());
    init(&machine, &machine.leasehold().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)).expect_code(0);
    let expected = [
        "PUT /latest/api/token".to_owned(),
        format!("GET {ROLES} session-1"),
        format!("GET {role} session-1"),
    ];
    assert_eq!(log(&seen), expected);
}

#[test]
fn a_metadata_service_that_is_none_is_named_and_gets_nothing() {
    let evidence = evidence!(67, Wire);
    let asked = Log::default();
    let store = secrets_manager(&asked, "ASIA1");
    let machine = machine_for(&store);
    for (answers, code, words) in [
        (&[("/latest/api/token", 200, "<html>sign in</html>")][..], 69, "is no metadata service of AWS"),
        (&[("/latest/api/token", 403, "")], 77, "are refused (403)"),
        (&[("/latest/api/token", 200, "s")], 77, "have no role; give the instance an instance profile"),
        (&[("/latest/api/token", 200, "s"), (ROLES, 200, "../../x")], 69, "is no metadata service of AWS"),
    ] {
        let (service, seen) = metadata(answers);
        let endpoint = format!("http://{}", service.address());
        let leasehold = machine.leasehold().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint);
        let finished = init(&machine, &leasehold).expect_code(code);
        assert!(finished.stderr.contains(words), "{words}: {}", finished.stderr);
        assert!(log(&seen).iter().all(|line| !line.contains("..")), "{:?}", log(&seen));
    }
    // Elsewhere, and without TLS, nothing is asked at all.
    let leasehold = machine.leasehold().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1");
    let finished = init(&machine, &leasehold).expect_code(77);
    assert!(finished.last_line().contains("is not asked without TLS"), "{}", finished.last_line());
    assert_eq!(log(&asked), [""; 0], "the store was never asked");
    evidence.holds("a page is no session, no path of its answer is followed, and the store is not asked");
}

#[test]
fn what_sts_refuses_is_said_in_words_of_its_own() {
    let mut evidence = evidence!(68, Wire);
    let asked = Log::default();
    let store = secrets_manager(&asked, "ASIA1");
    let machine = machine_for(&store);
    machine.space.file("token", format!("{CANARY}.token"));
    let role = "arn:aws:iam::123456789012:role/reader";
    for (status, code, words) in [
        (400, "ExpiredTokenException", "has expired; check that the kubelet replaces it"),
        (400, "InvalidIdentityToken", "STS does not take the web identity token"),
        (403, "AccessDenied", "the role arn:aws:iam::123456789012:role/reader may not be assumed (because)"),
    ] {
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>because.</Message></Error></ErrorResponse>"
        );
        let sts = Listener::start(move |_| (status, body.clone()));
        let leasehold = machine
            .leasehold()
            .env("AWS_ENDPOINT_URL_STS", &format!("http://{}", sts.address()))
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &machine.space.join("token").display().to_string())
            .env("AWS_ROLE_ARN", role);
        let finished = init(&machine, &leasehold).expect_code(77);
        assert!(finished.last_line().contains(words), "{words}: {}", finished.last_line());
        evidence.exit(finished.code, 77);
    }
    // A redirect is followed by nothing, least of all by the token.
    let elsewhere = Log::default();
    let noted = Arc::clone(&elsewhere);
    let thief = Listener::start(move |request| {
        noted.lock().expect("no test panics with it").push(request.path.clone());
        (200, String::new())
    });
    let sts = Listener::with_headers(&format!("Location: http://{}/\r\n", thief.address()), |_| {
        (307, String::new())
    });
    let leasehold = machine
        .leasehold()
        .env("AWS_ENDPOINT_URL_STS", &format!("http://{}", sts.address()))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &machine.space.join("token").display().to_string())
        .env("AWS_ROLE_ARN", role);
    let finished = init(&machine, &leasehold);
    assert!(finished.stderr.contains("which the clouds never do"), "{}", finished.stderr);
    assert_eq!(log(&elsewhere), [""; 0]);
    evidence.holds("STS' refusal says so, and that the kubelet is to replace it");
}
