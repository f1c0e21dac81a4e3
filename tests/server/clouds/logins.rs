//! Logins to a Vault by an identity that a cloud has given the machine.

use std::sync::{Arc, Mutex};

use leasehold_testkit::evidence;
use serde_json::{Value, json};

use super::fake::Fake;
use super::vault::{SERVER_ID, Vault};
use crate::support::{
    AccessKey, CANARY, Cluster, Finished, Identity, Leasehold, Listener, Moto, SOON, wait_until,
};

pub(super) const ACCOUNT: &str = "web@project.iam.gserviceaccount.com";
pub(super) const AUDIENCE: &str = "https://vault.example.com";

/// Init, which shows none of this.
fn init(vault: &Vault, leasehold: &Leasehold, auth: &str) -> Finished {
    vault.forget();
    let config = vault.config(auth, "");
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]);
    for secret in [CANARY, "from-the-vault", "canary-subject", "canary-jwt", "PRIVATE KEY", "eyJ"] {
        finished.assert_silent_about(secret);
    }
    finished
}

#[track_caller]
fn refused(vault: &Vault, leasehold: &Leasehold, auth: &str, words: &str) {
    let finished = init(vault, leasehold, auth).expect_code(77);
    assert!(finished.last_line().contains(words), "{words}: {}", finished.stderr);
}

pub(super) fn as_user(vault: &Vault, key: &AccessKey) -> Leasehold {
    vault.leasehold().env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret)
}

pub(super) fn allowed() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]})
}

#[test]
fn aws_logs_in_with_a_request_that_sts_takes_and_signs_another_for_each_login() {
    let moto = Moto::start();
    let key = moto.user("web", &allowed());
    moto.check_signatures();
    let vault = Vault::start(Some(&moto));
    let auth = format!("{{method: aws, role: web, region: eu-central-1, server_id: {SERVER_ID}}}");
    let leasehold = as_user(&vault, &key);
    for auth in [&auth, &auth.replace("role: web, ", ""), &auth.replace("region: eu-central-1, ", "")] {
        init(&vault, &leasehold, auth).expect_code(0).assert_silent_about(&key.secret);
        assert_eq!(vault.password().as_deref(), Some("from-the-vault"), "{auth}");
    }
    let config = vault.config(&auth, "");
    leasehold.run(&["plan", "--config", &config]).expect_code(0).assert_silent_about(&key.secret);
    let before = vault.logins().len();
    vault.forget();
    let sidecar = leasehold.spawn(&["sidecar", "--config", &vault.config(&auth, "sandbox: auto\n")]);
    wait_until("the login", SOON, || vault.logins().len() > before && vault.password().is_some());
    let accessors = vault.server.accessors();
    accessors.iter().for_each(|accessor| vault.server.revoke_accessor(accessor));
    wait_until("another login", SOON, || vault.logins().len() > before + 1);
    let logins = vault.logins();
    let [.., one, two] = &logins[..] else { panic!("two logins") };
    assert_ne!(one["iam_request_headers"], two["iam_request_headers"], "a request is signed for one login");
    sidecar.stop().expect_code(0).assert_silent_about(&key.secret);
    assert_eq!(vault.server.accessors(), [""; 0], "a token is left");
}

#[test]
fn what_is_wrong_with_a_login_of_aws_is_said_in_words_of_its_own() {
    let evidence = evidence!(70, Server);
    let moto = Moto::start();
    let key = moto.user("web", &allowed());
    moto.check_signatures();
    let vault = Vault::start(Some(&moto));
    let auth = format!("{{method: aws, role: web, server_id: {SERVER_ID}}}");
    let wrong = AccessKey { secret: CANARY.to_owned(), ..key.clone() };
    refused(
        &vault,
        &as_user(&vault, &wrong),
        &auth,
        "check that role `web` is at auth/aws, that it binds the ARN",
    );
    let other = auth.replace(SERVER_ID, "other.example.com");
    refused(&vault, &as_user(&vault, &key), &other, "error validating X-Vault-AWS-IAM-Server-ID header");
    refused(
        &vault,
        &as_user(&vault, &key),
        &auth.replace("role: web", "role: other"),
        "check that role `other`",
    );
    let logins = vault.logins().len();
    let half = vault.leasehold().env("AWS_ACCESS_KEY_ID", "AKIA");
    refused(
        &vault,
        &half,
        &auth,
        "no credentials of AWS: AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not",
    );
    let nobody = vault.leasehold().env("AWS_EC2_METADATA_DISABLED", "true");
    refused(&vault, &nobody, &auth, "no credentials of AWS: no variable names any");
    let page = Listener::start(|_| (200, "<html>sign in</html>".to_owned()));
    let endpoint = format!("http://{}", page.address());
    let machine = vault.leasehold().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint);
    refused(&vault, &machine, &auth, "is no metadata service of AWS");
    assert_eq!(vault.logins().len(), logins, "who has nothing to prove asks no server");
    evidence.holds(
        "each source has words of its own, and the server hears nothing where there is nothing to prove",
    );
}

#[test]
fn a_server_that_quotes_what_sts_quotes_is_not_quoted() {
    let vault = Vault::start(None);
    // STS says what it would have signed, with the session's token, and Vault's plugin says what STS said.
    let said = format!(
        "received error code 403 from STS: The Canonical String was 'x-amz-security-token:{CANARY}-session'"
    );
    let front = Listener::start(move |_| (400, json!({"errors": [said]}).to_string()));
    let config = vault.config_at(front.address(), "{method: aws, role: web}");
    let key = AccessKey { id: "ASIA1".to_owned(), secret: format!("{CANARY}-key") };
    let leasehold = as_user(&vault, &key).env("AWS_SESSION_TOKEN", &format!("{CANARY}-session"));
    let finished = leasehold.run(&["init", "--timeout", "2s", "--config", &config]).expect_code(77);
    finished.assert_silent_about(CANARY);
    assert!(
        finished.last_line().contains("check that role `web` is at auth/aws"),
        "{}",
        finished.last_line()
    );
}

#[test]
fn a_token_of_aws_logs_in_by_plain_jwt() {
    let (vault, signer) = (Vault::start(None), Cluster::start());
    vault.trusts(&signer.public_key_pem(), "vault");
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&asked);
    let sts = Listener::start(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let signed = request.headers.get("authorization").is_some_and(|by| by.contains("/eu-west-1/sts/"));
        noted.lock().expect("no test panics with it").push(body.clone());
        match signed
            && body.contains("Action=GetWebIdentityToken")
            && body.contains("Audience.member.1=vault")
        {
            true => {
                let token = signer.token(&Identity::default());
                (200, format!("<R><WebIdentityToken>{token}</WebIdentityToken></R>"))
            }
            false => {
                let code = "OutboundWebIdentityFederationDisabled";
                (403, format!("<R><Error><Code>{code}</Code><Message>no</Message></Error></R>"))
            }
        }
    });
    let auth = "{method: jwt, role: web, jwt_from: aws, audience: vault, region: eu-west-1}";
    let key = AccessKey { id: "AKIA1".to_owned(), secret: CANARY.to_owned() };
    let leasehold = as_user(&vault, &key).env("AWS_ENDPOINT_URL_STS", &format!("http://{}", sts.address()));
    init(&vault, &leasehold, auth).expect_code(0);
    assert_eq!(vault.password().as_deref(), Some("from-the-vault"));
    let other = auth.replace("audience: vault", "audience: other");
    refused(&vault, &leasehold, &other, "enable them: aws iam enable-outbound-web-identity-federation");
    let nowhere = auth.replace(", region: eu-west-1", "");
    refused(&vault, &leasehold, &nowhere, "no region of AWS is known; set `region`, or AWS_REGION");
    assert!(asked.lock().expect("no test panics with it").len() >= 2);
}

/// A fake whose tokens are JWTs, which the server's own method `jwt` takes for this audience.
pub(super) fn trusted(vault: &Vault, audience: &str) -> Fake {
    let fake = Fake::start();
    fake.set(&json!({"jwts": true}));
    vault.trusts(fake.state()["public_key"].as_str().expect("a key"), audience);
    fake
}

#[test]
fn azure_logs_in_with_a_token_of_the_machine_and_says_which_machine_it_is() {
    let vault = Vault::start(None);
    let fake = trusted(&vault, AUDIENCE);
    let machine = vault.leasehold().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    let auth = format!("{{method: azure, role: web, audience: '{AUDIENCE}'}}");
    init(&vault, &machine, &auth).expect_code(0);
    assert_eq!(vault.password().as_deref(), Some("from-the-vault"));
    let login = vault.logins().pop().expect("one");
    let field = |name: &str| login[name].as_str().map(str::to_owned);
    let named = ["role", "subscription_id", "resource_group_name", "vm_name", "vmss_name"].map(field);
    let expected = [Some("web"), Some("s-1"), Some("prod"), Some("vm-1"), None];
    assert_eq!(named, expected.map(|text| text.map(str::to_owned)));
    // A workload identity is no machine's.
    fake.set(
        &json!({"client": {"id": "client", "secret": "x", "tenant": "tenant", "assertion": "canary-jwt"}}),
    );
    let token = vault.space.file("token", "canary-jwt").display().to_string();
    let workload = vault
        .leasehold()
        .env("SSL_CERT_FILE", &fake.ca_file())
        .env("AZURE_AUTHORITY_HOST", &fake.secure())
        .env("AZURE_TENANT_ID", "tenant")
        .env("AZURE_CLIENT_ID", "client")
        .env("AZURE_FEDERATED_TOKEN_FILE", &token);
    init(&vault, &workload, &auth).expect_code(0);
    assert_eq!(vault.logins().pop().expect("one")["subscription_id"], Value::Null);
    // The same tokens by plain jwt, of the machine although the environment has another identity.
    let plain = auth.replace("method: azure", "method: jwt, jwt_from: azure");
    init(&vault, &workload, &plain).expect_code(0);
    fake.asked();
    let own = plain.replace("}", ", managed_identity: {}}");
    let both = workload.clone().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &fake.plain());
    init(&vault, &both, &own).expect_code(0);
    assert!(fake.asked().iter().any(|line| line.starts_with("GET /metadata/identity/")));
    refused(
        &vault,
        &machine,
        &auth.replace(AUDIENCE, "https://other.example.com"),
        "https://other.example.com",
    );
    std::fs::write(&token, "old").expect("it is ours");
    refused(&vault, &workload, &auth, "the federated token has expired; check that the kubelet replaces it");
}

#[test]
fn google_logs_in_as_a_machine_and_as_a_service_account() {
    let vault = Vault::start(None);
    let fake = trusted(&vault, "http://vault/web");
    let machine = vault.leasehold().env("GCE_METADATA_HOST", fake.plain().trim_start_matches("http://"));
    fake.asked();
    init(&vault, &machine, "{method: gcp, role: web}").expect_code(0);
    assert_eq!(vault.password().as_deref(), Some("from-the-vault"));
    let asked = fake.asked();
    let identity = "/service-accounts/default/identity?audience=http%3A%2F%2Fvault%2Fweb&format=full";
    assert!(asked.iter().any(|line| line.ends_with(identity)), "{asked:?}");
    let named = |file: &str, key: &Value| {
        let path = vault.space.file(file, key.to_string()).display().to_string();
        vault.leasehold().env("GOOGLE_APPLICATION_CREDENTIALS", &path)
    };
    let account = named(
        "account.json",
        &json!({
            "type": "service_account", "private_key_id": "k", "private_key": fake.state()["private_key"],
            "client_email": ACCOUNT, "token_uri": format!("{}/token", fake.plain()),
        }),
    );
    fake.asked();
    init(&vault, &account, "{method: gcp, gcp_type: iam, role: web}").expect_code(0);
    let asked = fake.asked();
    assert!(asked.is_empty(), "the account signs for itself: {asked:?}");
    let subject = vault.space.file("subject", "canary-subject");
    let acting = format!("{}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken", fake.plain());
    let federated = |more: Option<&str>| {
        let mut key = json!({
            "type": "external_account", "audience": "//iam.googleapis.com/pool", "subject_token_type": "jwt",
            "token_url": format!("{}/sts", fake.plain()), "credential_source": {"file": subject},
        });
        if let Some(url) = more {
            key["service_account_impersonation_url"] = url.into();
        }
        named("federated.json", &key)
    };
    init(&vault, &federated(Some(&acting)), "{method: gcp, gcp_type: iam, role: web}").expect_code(0);
    assert!(fake.asked().iter().any(|line| line.ends_with(":signJwt")));
    // The same identities by plain jwt.
    vault.trusts(fake.state()["public_key"].as_str().expect("a key"), AUDIENCE);
    let plain = format!("{{method: jwt, role: web, jwt_from: gcp, audience: '{AUDIENCE}'}}");
    for leasehold in [&machine, &account, &federated(Some(&acting))] {
        init(&vault, leasehold, &plain).expect_code(0);
    }
    refused(&vault, &federated(None), &plain, "name the account that it acts as: set `service_account`");
    let user = named(
        "user.json",
        &json!({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": CANARY}),
    );
    refused(&vault, &user, &plain, "a user of gcloud has no tokens that say who it is to others");
    refused(&vault, &machine, "{method: gcp, role: other}", "check that role `other` is at auth/gcp");
}

#[test]
fn a_metadata_service_that_is_none_or_redirects_gets_nothing_and_neither_does_the_server() {
    let vault = Vault::start(None);
    let fake = trusted(&vault, AUDIENCE);
    let azure = format!("{{method: azure, role: web, audience: '{AUDIENCE}'}}");
    let google = "{method: gcp, role: web}";
    let of_azure = |url: &str| vault.leasehold().env("AZURE_POD_IDENTITY_AUTHORITY_HOST", url);
    let of_google = |url: &str| vault.leasehold().env("GCE_METADATA_HOST", url.trim_start_matches("http://"));
    let page = Listener::start(|_| (200, "<html>sign in</html>".to_owned()));
    let page = format!("http://{}", page.address());
    refused(&vault, &of_azure(&page), &azure, "the answer holds no token; check what is on the way to it");
    refused(&vault, &of_google(&page), google, "what answers there is no metadata service of Google");
    let thief = Arc::<Mutex<usize>>::default();
    let noted = Arc::clone(&thief);
    let elsewhere = Listener::start(move |_| {
        *noted.lock().expect("no test panics with it") += 1;
        (200, String::new())
    });
    let to = format!("Location: http://{}/\r\nMetadata-Flavor: Google\r\n", elsewhere.address());
    let redirecting = Listener::with_headers(&to, |_| (302, String::new()));
    let redirecting = format!("http://{}", redirecting.address());
    refused(&vault, &of_azure(&redirecting), &azure, "which the clouds never do");
    refused(&vault, &of_google(&redirecting), google, "which the clouds never do");
    refused(&vault, &of_azure("http://192.0.2.1"), &azure, "is not asked without TLS");
    assert_eq!((*thief.lock().expect("no test panics with it"), vault.logins().len()), (0, 0));
    // An identity that comes late is waited for, as a file that comes late is.
    let late = Fake::start();
    late.set(&json!({"jwts": true, "private_key": fake.state()["private_key"], "next": [["/metadata/identity/", 404, {}, "{}"]]}));
    let leasehold = of_azure(&late.plain());
    vault.forget();
    let config = vault.config(&azure, "");
    leasehold.run(&["init", "--timeout", "20s", "--config", &config]).expect_code(0);
    assert_eq!(vault.password().as_deref(), Some("from-the-vault"));
}
