//! Every method of logging in against the real server: logging in, renewing, logging in again when the
//! token is revoked, and refused with the right message and code.

use crate::support::{Cluster, Grant, Identity, Leasehold, SOON, Stage, wait_until};
use leasehold_testkit::evidence;
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

const FILES: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";
/// Renewed after two seconds or three.
const TTL: &str = "5s";

/// A stage with a secret, and a way of its own to log in.
struct Scene {
    stage: Stage,
    auth: String,
    /// What the server counts logins by.
    path: String,
    /// More keys of `vault`.
    vault: String,
}

impl Scene {
    /// `auth` may name the stage's folder as `SPACE`.
    fn new(path: &str, auth: &str) -> Self {
        let stage = Stage::new();
        stage.put_password("one");
        let auth = auth.replace("SPACE", &stage.space.path().display().to_string());
        Self { stage, auth, path: path.to_owned(), vault: String::new() }
    }

    fn enable(&self, mount: &str) {
        self.stage.server.ask("POST", &format!("sys/auth/{mount}"), Some(json!({ "type": mount }))).ok();
    }

    fn write(&self, path: &str, body: Value) -> Value {
        self.stage.server.write(path, body)
    }

    fn config(&self) -> String {
        let config = self.stage.config(FILES).replace("timeout: 5s", &format!("timeout: 5s{}", self.vault));
        let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
        config.replace(&own, &format!("auth: {}", self.auth))
    }

    fn logins(&self) -> usize {
        self.stage.server.requests(&self.path)
    }

    /// Init ends with 77, and its last line says all of this.
    #[track_caller]
    fn refused(&self, says: &[&str]) {
        let finished = self.stage.run(&["init", "--timeout", "8s"], &self.config()).expect_code(77);
        for words in says {
            assert!(finished.last_line().contains(words), "{words}: {}", finished.stderr);
        }
        assert_eq!(self.stage.published(), [""; 0]);
        // Refusals are remembered: the next init is to be another pod's.
        self.forget();
    }

    fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.stage.space.join("handoff"));
        self.stage.space.dir("handoff");
    }

    /// A sidecar that renews, and follows when its token is revoked behind its back; `before` it is.
    fn lives(&self, before: impl FnOnce()) {
        let stage = &self.stage;
        let sidecar = stage.sidecar(&self.config());
        assert!(stage.read("password").expect("rendered").ends_with("-one"));
        wait_until("a renewal", SOON, || stage.server.requests("auth/token/renew-self") > 0);
        let (logins, accessor) = (self.logins(), stage.server.accessors().pop().expect("one token"));
        before();
        stage.server.revoke_accessor(&accessor);
        wait_until("another login", SOON, || self.logins() > logins && !stage.server.accessors().is_empty());
        stage.put_password("two");
        wait_until("what came after", SOON, || {
            stage.read("password").is_some_and(|now| now.ends_with("-two"))
        });
        sidecar.stop().expect_code(0);
        assert_eq!(stage.server.accessors(), [""; 0], "a token is left");
    }
}

#[test]
fn kubernetes_logs_in_with_the_projected_token_that_is_there_now() {
    const AUTH: &str = "{method: kubernetes, role: web, jwt_file: 'SPACE/serviceaccount/token'}";
    let mut scene = Scene::new("auth/kubernetes/login", AUTH);
    scene.stage.role(json!({ "token_ttl": TTL }));
    let good = scene.auth.clone();
    scene.auth = good.replace("role: web", "role: other");
    scene.refused(&[
        "login refused: invalid role name \"other\" (400)",
        "check that role `other` is at auth/kubernetes",
    ]);
    assert!((3..=5).contains(&scene.logins()), "after 1, 2 and 4 seconds: {}", scene.logins());
    scene.auth = good;
    let project = |jwt: String| drop(scene.stage.space.file("serviceaccount/token", jwt));
    project(Cluster::start().token(&Identity::default()));
    scene.refused(&["login refused", "(403)"]);
    project(String::new());
    scene.refused(&["no credentials to log in with: jwt_file", "is empty"]);
    project(scene.stage.cluster.token(&Identity::default()));
    scene.lives(|| project(scene.stage.cluster.token(&Identity::default())));
}

#[test]
fn jwt_logs_in_with_a_token_that_the_server_verifies_itself() {
    let scene = Scene::new("auth/jwt/login", "{method: jwt, role: web, jwt_file: 'SPACE/jwt'}");
    scene.enable("jwt");
    scene.write(
        "auth/jwt/config",
        json!({ "jwt_validation_pubkeys": [scene.stage.cluster.public_key_pem()] }),
    );
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": ["web"], "token_ttl": TTL,
    });
    scene.write("auth/jwt/role/web", role);
    let deliver =
        |identity: &Identity| drop(scene.stage.space.file("jwt", scene.stage.cluster.token(identity)));
    deliver(&Identity { audiences: vec!["other".into()], ..Identity::default() });
    scene.refused(&[
        "login refused: error validating token: invalid audience (aud) claim",
        "check that role `web` is at auth/jwt",
    ]);
    deliver(&Identity::default());
    scene.lives(|| deliver(&Identity { pod_uid: "another".into(), ..Identity::default() }));
}

#[test]
fn approle_logs_in_with_the_secret_id_that_is_there_now() {
    let scene = Scene::new(
        "auth/approle/login",
        "{method: approle, role_id_file: 'SPACE/role-id', secret_id_file: 'SPACE/secret-id'}",
    );
    let (role_id, secret_id) = scene.stage.server.approle("web", &["web"], TTL);
    scene.stage.space.file("role-id", role_id);
    scene.stage.space.file("secret-id", "another");
    scene.refused(&[
        "login refused: invalid role or secret ID (400)",
        "bao write -f auth/approle/role/ROLE/secret-id",
    ]);
    scene.stage.space.file("secret-id", secret_id);
    scene.lives(|| {
        let next = scene.write("auth/approle/role/web/secret-id", json!({}));
        scene.stage.space.file("secret-id", next["data"]["secret_id"].as_str().expect("a secret id"));
    });
}

/// A periodic token for `web`, whose period is [`TTL`].
fn given_token(stage: &Stage) -> Grant {
    let body = json!({ "policies": ["web"], "period": TTL, "no_parent": true });
    let answer = stage.server.write("auth/token/create", body);
    let text = |field: &str| answer["auth"][field].as_str().expect("a token").to_owned();
    Grant { token: text("client_token"), accessor: text("accessor") }
}

#[test]
fn a_token_file_is_followed_and_its_tokens_are_never_revoked() {
    let scene = Scene::new("auth/token/lookup-self", "{method: token_file, token_file: 'SPACE/token'}");
    let (stage, server) = (&scene.stage, &scene.stage.server);
    stage.space.file("token", "s.unknown");
    scene.refused(&[
        "the token is unknown, has ended, or may not look itself up",
        "put another token into ",
        "/token",
    ]);
    // The second is not ours to renew before it is in the file.
    let (first, second) = (given_token(stage), server.token(&["web"], "1h"));
    stage.space.file("token", &first.token);
    let sidecar = stage.sidecar(&scene.config());
    wait_until("a renewal", SOON, || server.requests("auth/token/renew-self") > 0);
    stage.space.file("token", &second.token);
    server.revoke_accessor(&first.accessor);
    stage.put_password("two");
    wait_until("what came after", SOON, || stage.read("password").is_some_and(|now| now.ends_with("-two")));
    sidecar.stop().expect_code(0);
    assert_eq!(server.accessors(), [second.accessor], "somebody else's");
}

#[test]
fn a_token_of_the_environment_is_renewed_and_its_end_is_told_once() {
    let scene = Scene::new("auth/token/lookup-self", "{method: token, token_env: OWN_TOKEN}");
    let stage = &scene.stage;
    let run = |command: &[&str], token: &str| {
        let config = stage.space.file("leasehold.yaml", scene.config()).to_string_lossy().into_owned();
        let arguments: Vec<&str> = command.iter().copied().chain(["--config", &config]).collect();
        Leasehold::new(&stage.space).env("OWN_TOKEN", token).spawn(&arguments)
    };
    let finished = run(&["init", "--timeout", "6s"], "s.unknown").wait(SOON).expect_code(77);
    assert!(finished.last_line().contains("the token is unknown, has ended"), "{}", finished.last_line());
    scene.forget();
    let given = given_token(stage);
    let mut sidecar = run(&["sidecar"], &given.token);
    wait_until("it to be ready", SOON, || stage.ready());
    wait_until("a renewal", SOON, || stage.server.requests("auth/token/renew-self") > 0);
    stage.server.revoke_accessor(&given.accessor);
    let told = "the login is refused: the token is unknown, has ended, or may not look itself up";
    wait_until("its end to be told", SOON, || sidecar.stderr().contains(told));
    assert!(sidecar.runs() && stage.read("password").is_some(), "what was there stays");
    assert_eq!(sidecar.stderr().matches("the login is refused").count(), 1);
    sidecar.stop().expect_code(0);
}

#[test]
fn a_role_that_is_refused_is_asked_for_again_and_again_and_told_of_once() {
    let scene = Scene::new(
        "auth/kubernetes/login",
        "{method: kubernetes, role: other, jwt_file: 'SPACE/serviceaccount/token'}",
    );
    let mut sidecar = scene.stage.start(&scene.config());
    let told = "the login is refused: login refused: invalid role name";
    wait_until("the refusal to be told", SOON, || sidecar.stderr().contains(told));
    let status = || scene.stage.get("/status").expect("it listens").text;
    assert!(status().contains("could not log in: login refused: invalid role name"), "{}", status());
    wait_until("five tries", SOON * 3, || scene.logins() >= 5);
    // A person who asks while a try is under way has asked for that one.
    let answered = || {
        let status: Value = serde_json::from_str(&status()).expect("JSON");
        usize::try_from(status["counters"]["failed_logins"].as_u64().expect("a number")).expect("few")
    };
    let settled = || wait_until("every try to be answered", SOON, || answered() == scene.logins());
    // The next is 16 s away: whoever asks for news asks for another login, too.
    for asked in 0..2 {
        settled();
        let before = scene.logins();
        assert_eq!(scene.stage.post("/refresh").status, 202);
        wait_until("another try", SOON / 2, || scene.logins() > before);
        assert!(scene.logins() <= before + 2, "one each: {asked}");
    }
    settled();
    let before = scene.logins();
    sidecar.signal(Signal::SIGHUP);
    wait_until("it to have read everything again", SOON, || sidecar.stderr().contains("read again"));
    wait_until("another try", SOON / 2, || scene.logins() > before);
    assert!(sidecar.runs() && !scene.stage.ready());
    assert!(sidecar.stderr().matches("the login is refused").count() <= 2, "once, and once after HUP");
    assert!(sidecar.stderr().contains("s ago: login refused: invalid role name"), "{}", sidecar.stderr());
    sidecar.stop().expect_code(77);
}

#[test]
fn a_locked_account_is_asked_for_three_times_and_once_more_for_a_person() {
    let scene = Scene::new(
        "auth/approle/login",
        "{method: approle, role_id_file: 'SPACE/role-id', secret_id_file: 'SPACE/secret-id'}",
    );
    let (role_id, secret_id) = scene.stage.server.approle("web", &["web"], TTL);
    scene.stage.space.file("role-id", role_id);
    scene.stage.space.file("secret-id", "another");
    let mut sidecar = scene.stage.start(&scene.config());
    wait_until("the first refusal to be told", SOON, || sidecar.stderr().contains("3 times in all"));
    let told = "asking again in a quarter of an hour";
    wait_until("the last refusal to be told", SOON, || sidecar.stderr().contains(told));
    assert_eq!(scene.logins(), 3);
    for _ in 0..5 {
        assert_eq!(scene.stage.post("/refresh").status, 202);
    }
    wait_until("another try", SOON, || scene.logins() == 4);
    sidecar.signal(Signal::SIGHUP);
    wait_until("it to have read everything again", SOON, || sidecar.stderr().contains("read again"));
    assert!(sidecar.runs() && !scene.stage.ready());
    sidecar.stop().expect_code(77);
    assert_eq!(scene.logins(), 4, "the server locks the account at five");
    // That is what the limit is for: the account is not locked.
    scene.forget();
    scene.stage.space.file("secret-id", secret_id);
    scene.stage.init(&scene.config()).expect_code(0);
}

#[test]
fn good_credentials_after_bad_ones_are_tried_at_the_next_start() {
    let mut fault = evidence!(37, Server);
    let scene = Scene::new(
        "auth/approle/login",
        "{method: approle, role_id_file: 'SPACE/role-id', secret_id_file: 'SPACE/secret-id'}",
    );
    let (role_id, secret_id) = scene.stage.server.approle("web", &["web"], TTL);
    scene.stage.space.file("role-id", role_id);
    scene.stage.space.file("secret-id", "another");
    let refused = scene.stage.init(&scene.config());
    fault.exit(refused.code, 77);
    assert_eq!(scene.logins(), 3);
    let again = scene.stage.init(&scene.config()).expect_code(77);
    assert_eq!(scene.logins(), 3, "the same credentials are not tried again");
    assert!(
        again.last_line().contains("s ago: login refused: invalid role or secret ID (400)"),
        "{}",
        again.stderr
    );
    assert!(again.last_line().contains("the next try is in 15 m"), "{}", again.stderr);
    scene.stage.space.file("secret-id", secret_id);
    fault.exit(scene.stage.init(&scene.config()).code, 0);
    assert_eq!(scene.logins(), 4);
    fault.holds("the same credentials are not tried at the next start, others are, at once; the end says when the next try is");
}

#[test]
fn userpass_logs_in_with_a_password_that_is_read_anew_each_time() {
    let scene = Scene::new(
        "auth/userpass/login/",
        "{method: userpass, username: web, password_file: 'SPACE/password'}",
    );
    scene.enable("userpass");
    let user = |password: &str| {
        let user = json!({ "password": password, "token_policies": ["web"], "token_ttl": TTL });
        scene.write("auth/userpass/users/web", user);
        scene.stage.space.file("password", format!("{password}\n"));
    };
    user("first password");
    scene.stage.space.file("password", "another password");
    scene.refused(&["login refused: invalid username or password (400)", "check the password of `"]);
    assert_eq!(scene.logins(), 3, "as often as does not lock the user out");
    scene.stage.space.file("password", "two\nlines");
    scene.refused(&["no credentials to log in with: password_file", "must hold one line of text"]);
    assert_eq!(scene.logins(), 3, "it never left");
    user("first password");
    scene.lives(|| user("next password"));
}

/// The pinned server comes without its ldap plugin; userpass at its mount answers the same two requests.
#[test]
fn ldap_asks_as_userpass_does_at_its_own_mount() {
    let scene =
        Scene::new("auth/ldap/login/", "{method: ldap, username: j.doe-2, password_file: 'SPACE/password'}");
    scene.stage.server.ask("POST", "sys/auth/ldap", Some(json!({ "type": "userpass" }))).ok();
    let user =
        json!({ "password": "a password: with \"signs\"", "token_policies": ["web"], "token_ttl": TTL });
    scene.write("auth/ldap/users/j.doe-2", user);
    scene.stage.space.file("password", "another");
    scene.refused(&[
        "login refused: invalid username or password (400)",
        "check the password of `j.doe-2` in ",
        "/password at auth/ldap",
    ]);
    scene.stage.space.file("password", "a password: with \"signs\"\n");
    scene.lives(|| ());
}

#[test]
fn any_other_method_is_given_its_fields() {
    let scene = Scene::new(
        "auth/userpass/login/",
        "{method: path, path: auth/userpass/login/web, fields: {password: {file: 'SPACE/password'}, note: x}}",
    );
    scene.enable("userpass");
    let user = json!({ "password": "its password", "token_policies": ["web"], "token_ttl": TTL });
    scene.write("auth/userpass/users/web", user);
    scene.stage.space.file("password", "another password");
    scene.refused(&["login refused: invalid username or password (400)", "check `auth.fields`"]);
    scene.stage.space.file("password", "");
    scene.refused(&["no credentials to log in with: auth.fields.password", "is empty"]);
    scene.stage.space.file("password", "its password\n");
    scene.lives(|| ());
}

/// An authority, and two certificates of it for one name.
fn certificates(scene: &Scene) -> String {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Clients");
    let key = KeyPair::generate().expect("ring makes keys");
    let pem = ca.self_signed(&key).expect("a valid certificate").pem();
    let issuer = Issuer::new(ca, key);
    for (file, name) in [("web", "web.test"), ("next", "web.test"), ("other", "other.test")] {
        let mut client = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
        client.distinguished_name.push(DnType::CommonName, name);
        client.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        let key = KeyPair::generate().expect("ring makes keys");
        let signed = client.signed_by(&key, &issuer).expect("a valid certificate");
        scene.stage.space.file(&format!("{file}.pem"), signed.pem());
        scene.stage.space.file(&format!("{file}.key"), key.serialize_pem());
    }
    pem
}

#[test]
fn cert_logs_in_with_the_certificate_that_is_there_now() {
    let mut scene = Scene::new("auth/cert/login", "{method: cert, name: web}");
    let space = scene.stage.space.path().display();
    scene.vault = format!(", client_cert_file: '{space}/own.pem', client_key_file: '{space}/own.key'");
    scene.enable("cert");
    let authority = certificates(&scene);
    let role = json!({
        "certificate": authority, "allowed_common_names": "web.test", "token_policies": ["web"], "token_ttl": TTL,
    });
    scene.write("auth/cert/certs/web", role);
    let own = |name: &str| {
        for kind in ["pem", "key"] {
            let file = format!("{name}.{kind}");
            let text = scene.stage.space.read(&file).expect("made");
            scene.stage.space.file(&format!("own.{kind}"), text);
        }
    };
    own("other");
    scene.refused(&["login refused", "check the role at auth/cert"]);
    own("web");
    scene.lives(|| own("next"));
}

#[test]
fn a_client_certificate_that_is_replaced_logs_in_at_once_and_its_leases_move_with_overlap() {
    let mut fault = evidence!(36, Server);
    let mut scene = Scene::new("auth/cert/login", "{method: cert, name: web}");
    let space = scene.stage.space.path().display();
    scene.vault = format!(", client_cert_file: '{space}/own.pem', client_key_file: '{space}/own.key'");
    scene.enable("cert");
    let authority = certificates(&scene);
    let role = json!({
        "certificate": authority, "allowed_common_names": "web.test", "token_policies": ["web"], "token_ttl": "20s",
    });
    scene.write("auth/cert/certs/web", role);
    let own = |name: &str| {
        for kind in ["pem", "key"] {
            let text = scene.stage.space.read(&format!("{name}.{kind}")).expect("made");
            scene.stage.space.file(&format!("own.{kind}"), text);
        }
    };
    own("web");
    let stage = &scene.stage;
    let lease = "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n";
    let sidecar = stage.sidecar(&scene.config().replace(FILES, lease));
    let first = stage.read("user").expect("rendered");
    // It is watched from a second after the start.
    own("next");
    let alive = || {
        let user = stage.read("user").expect("never missing");
        assert!(stage.rabbit.users().contains(&user), "{user} is on disk and was deleted");
        user
    };
    let took = wait_until("the next user", SOON, || alive() != first);
    assert!(took < std::time::Duration::from_secs(12), "well before the token's end: {took:?}");
    wait_until("the first user to be gone", SOON * 2, || {
        alive();
        !stage.rabbit.users().contains(&first)
    });
    assert_eq!(scene.logins(), 2);
    assert!(sidecar.stderr().contains("the client certificate changed: logging in with it"));
    fault.metric(&stage.metrics(), "leasehold_logins_total 2");
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    sidecar.stop().expect_code(0);
    fault
        .holds("a replaced client certificate: a login at once, and the user on disk is alive at every look");
}

const WRAPPED: &str = "{method: approle, role_id_file: 'SPACE/role-id', secret_id_file: 'SPACE/wrapped', \
                       secret_id_wrapped: auth/approle/role/web/secret-id}";

impl Scene {
    /// An approle whose secret ids may be used so often; 0 is for ever.
    fn wrapped(uses: u32) -> Self {
        let scene = Self::new("auth/approle/login", WRAPPED);
        let (role_id, _) = scene.stage.server.approle("web", &["web"], TTL);
        scene.write("auth/approle/role/web", json!({ "secret_id_num_uses": uses }));
        scene.stage.space.file("role-id", role_id);
        scene
    }

    /// Puts the answer of `path` where the secret id is expected, wrapped; the wrapping token.
    fn deliver(&self, path: &str, body: Value) -> String {
        let answer = self.stage.server.ask_wrapped("POST", path, Some(body), "10m").json();
        let token = answer["wrap_info"]["token"].as_str().expect("a wrapping token").to_owned();
        self.stage.space.file("wrapped", &token);
        token
    }

    fn unwraps(&self) -> usize {
        self.stage.server.requests("sys/wrapping/unwrap")
    }
}

const SECRET_ID: &str = "auth/approle/role/web/secret-id";

#[test]
fn a_wrapped_secret_id_is_unwrapped_once_and_kept_for_the_next_login() {
    let scene = Scene::wrapped(0);
    scene.deliver(SECRET_ID, json!({}));
    scene.lives(|| ());
    assert_eq!((scene.logins(), scene.unwraps()), (2, 1));
}

#[test]
fn a_wrapping_token_of_another_path_is_an_alert_and_is_left_as_it_is() {
    let scene = Scene::wrapped(0);
    // Whoever took the real one may offer one of their own.
    let token = scene.deliver("sys/wrapping/wrap", json!({ "secret_id": "theirs" }));
    scene.refused(&[
        "ALERT: the wrapping token of the secret id was made by `sys/wrapping/wrap`",
        "not by `auth/approle/role/web/secret-id`",
    ]);
    assert_eq!((scene.logins(), scene.unwraps()), (0, 0));
    assert_eq!(scene.stage.server.requests("sys/wrapping/lookup"), 1, "looked at once");
    scene.write("sys/wrapping/lookup", json!({ "token": token }));
}

#[test]
fn a_wrapping_token_that_somebody_has_used_is_an_alert() {
    let scene = Scene::wrapped(0);
    let token = scene.deliver(SECRET_ID, json!({}));
    scene.stage.server.ask_as(&token, "POST", "sys/wrapping/unwrap", None).ok();
    scene.refused(&["ALERT: the wrapping token of the secret id is unknown, has ended or was used already"]);
    assert_eq!((scene.logins(), scene.unwraps()), (0, 1), "the thief's");
}

#[test]
fn a_secret_id_for_one_login_outlives_restarts_and_is_followed_by_a_new_one() {
    let mut fault = evidence!(41, Server);
    let scene = Scene::wrapped(1);
    let stage = &scene.stage;
    stage.server.write("auth/approle/role/web", json!({ "token_ttl": "1h" }));
    scene.deliver(SECRET_ID, json!({}));
    stage.init(&scene.config()).expect_code(0);
    stage.sidecar(&scene.config()).signal(Signal::SIGKILL);
    let mut sidecar = stage.sidecar(&scene.config());
    assert_eq!((scene.logins(), scene.unwraps()), (1, 1), "each goes on with the login of the first");
    let accessor = stage.server.accessors().pop().expect("one token");
    stage.server.revoke_accessor(&accessor);
    // It is no theft, and is said at the start, while there is time.
    let earlier = "the wrapping token of the secret id was opened by an earlier run of Leasehold";
    let line = |text: &str| text.lines().find(|line| line.contains(earlier)).map(str::to_owned);
    let warned = line(&sidecar.stderr()).unwrap_or_else(|| panic!("nothing is said: {}", sidecar.stderr()));
    assert!(warned.contains("before the current token ends, in 5") && warned.contains("WARN"), "{warned}");
    fault.metric(&stage.metrics(), "leasehold_credentials_used_up 1");
    assert_eq!(stage.get("/status").expect("it listens").json()["credentials_used_up"], true);
    wait_until("the refusal", SOON, || {
        assert!(sidecar.runs());
        sidecar.stderr().matches(earlier).count() >= 2
    });
    assert!(!sidecar.stderr().contains("ALERT"), "{}", sidecar.stderr());
    scene.deliver(SECRET_ID, json!({}));
    wait_until("another login", SOON, || scene.logins() == 2);
    wait_until("the metric to say so", SOON, || {
        stage.metrics().contains("\nleasehold_credentials_used_up 0\n")
    });
    stage.put_password("two");
    wait_until("what came after", SOON, || stage.read("password").is_some_and(|now| now.ends_with("-two")));
    sidecar.stop().expect_code(0);
    assert_eq!(stage.server.accessors(), [""; 0], "a token is left");
    fault.holds("it is said at the start, with the time left, that another has to be delivered; no alert, and no theft");
}
