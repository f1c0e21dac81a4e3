//! SyncedSecrets: each namespace reads with its own accounts, and credentials have leases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use crate::stage::{SOON, Stage, documents, value};
use crate::support::api_server::api_server_possible;
use crate::support::wait::{wait_for, wait_until};

const HERE: &str = "https://kubernetes.default.svc";

/// Sets up a Vault that knows the accounts of the cluster, and that mints one-time passwords with a lease.
pub(crate) fn with_accounts(stage: &Stage) {
    let (api, vault) = (&stage.api, &stage.vault);
    for namespace in ["vault", "shop", "other"] {
        api.namespace(namespace);
    }
    api.apply("reviewer.yaml");
    for namespace in ["shop", "other"] {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": namespace}});
        api.create(&account).ok();
    }
    let post = |path: &str, body: Value| drop(vault.ask("POST", path, Some(body)).ok());
    post("sys/auth/kubernetes", json!({"type": "kubernetes"}));
    let ca = std::fs::read_to_string(api.ca_file()).expect("written at the start");
    let reviewer = api.token("vault", "vault", &[HERE]);
    post(
        "auth/kubernetes/config",
        json!({
            "kubernetes_host": api.address(), "kubernetes_ca_cert": ca, "token_reviewer_jwt": reviewer,
            "disable_local_ca_jwt": true,
        }),
    );
    let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }\n\
                  path \"ssh/creds/otp\" { capabilities = [\"create\", \"update\"] }";
    vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": policy}))).ok();
    post(
        "auth/kubernetes/role/web",
        json!({
            "bound_service_account_names": ["web"], "bound_service_account_namespaces": ["shop"],
            "audience": "vault", "token_policies": "web", "token_ttl": "1h",
        }),
    );
    post(
        "sys/mounts/ssh",
        json!({"type": "ssh", "config": {"default_lease_ttl": "30s", "max_lease_ttl": "30s"}}),
    );
    post("ssh/roles/otp", json!({"key_type": "otp", "default_user": "web", "cidr_list": "0.0.0.0/0"}));
}

pub(crate) fn place(namespace: &str, name: &str) -> String {
    format!("/apis/leasehold.dev/v1alpha1/namespaces/{namespace}/syncedsecrets/{name}")
}

pub(crate) fn make(stage: &Stage, namespace: &str, name: &str, spec: &Value) {
    let object = json!({
        "apiVersion": "leasehold.dev/v1alpha1", "kind": "SyncedSecret",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    });
    stage.api.create(&object).ok();
}

/// Returns the state and the message of an object's condition.
pub(crate) fn condition(stage: &Stage, namespace: &str, name: &str, kind: &str) -> Option<(String, String)> {
    let object = stage.get(&place(namespace, name))?;
    let all = object["status"]["conditions"].as_array()?;
    let one = all.iter().find(|one| one["type"] == kind)?;
    Some((one["status"].as_str()?.to_owned(), one["message"].as_str()?.to_owned()))
}

/// Returns a value of a Secret of the namespace `shop`.
pub(crate) fn value_of(stage: &Stage, name: &str, key: &str) -> Option<String> {
    value(&secret(stage, "shop", name)?, key)
}

pub(crate) fn secret(stage: &Stage, namespace: &str, name: &str) -> Option<Value> {
    stage.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"))
}

#[test]
fn an_account_of_the_namespace_reads_and_one_lease_serves_all_keys() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "web", "pass": "hunter2"}));
    let mut controller = stage.controller(&["-vault.auth-method=none"]);
    let otp = |more: &str| json!({"template": format!("{{{{ with secret \"ssh/creds/otp\" \"ip=127.0.0.1\" }}}}{more}{{{{ .Data.key }}}}{{{{ end }}}}")});
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s",
        "data": {
            "otp": otp(""), "dsn": otp("web@host/"), "user": {"secret": "secret/web#user"},
            "htpasswd": {"template": "{{ with secret \"secret/web\" }}{{ sprig_htpasswd .Data.data.user .Data.data.pass }}{{ end }}"},
        },
    });
    make(&stage, "shop", "web", &spec);
    let live = wait_for("the Secret", SOON, || secret(&stage, "shop", "web"));
    let first = value(&live, "otp").expect("a one-time password");
    assert_eq!(value(&live, "dsn"), Some(format!("web@host/{first}")));
    assert_eq!(value(&live, "user").as_deref(), Some("web"));
    assert!(value(&live, "htpasswd").expect("a line").starts_with("web:$2a$10$"));
    assert_eq!(stage.vault.requests("ssh/creds/otp"), 1, "one lease serves both keys");
    for kind in ["Ready", "Synced"] {
        wait_until(kind, SOON, || {
            condition(&stage, "shop", "web", kind).is_some_and(|(state, _)| state == "True")
        });
    }
    let status = stage.get(&place("shop", "web")).expect("it is there")["status"].clone();
    assert!(status["secret"] == "web" && status["expiresAt"].is_string(), "{status}");
    assert!(!status.to_string().contains(&first), "a status has no value");
    // By its accessor an operator finds the login, and so the lease.
    assert!(status["renewedAt"].as_str() <= status["expiresAt"].as_str(), "{status}");
    let login =
        stage.vault.ask("POST", "auth/token/lookup-accessor", Some(json!({"accessor": status["accessor"]})));
    assert_eq!(login.ok().json()["data"]["meta"]["service_account_name"], "web");

    // The hash is the same while its password is: nothing is written at rest.
    let before = secret(&stage, "shop", "web").expect("it is there")["metadata"]["resourceVersion"].clone();
    controller.let_pass(&stage, 4, "secret/data/web");
    let after = secret(&stage, "shop", "web").expect("it is there");
    if value(&after, "otp").as_deref() == Some(&first) {
        assert_eq!(after["metadata"]["resourceVersion"], before);
    }

    // It is replaced before it ends, and both keys change together.
    let next = wait_for("the next one-time password", SOON, || {
        let live = secret(&stage, "shop", "web")?;
        let otp = value(&live, "otp")?;
        assert_eq!(value(&live, "dsn"), Some(format!("web@host/{otp}")));
        (otp != first).then_some(otp)
    });
    assert_ne!(next, first);

    // With the object go the Secret, the lease and the login.
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "web")).is_none());
    assert_eq!(secret(&stage, "shop", "web"), None);
    wait_until("the login to be given back", SOON, || stage.vault.requests("auth/token/revoke-self") == 1);
    controller.until_ready();
}

/// Returns whether a certificate is for this key: the certificate holds the key's public half.
fn belong_together(certificate: &str, key: &str) -> bool {
    let key = KeyPair::from_pem(key).expect("a key in PKCS 8");
    let body: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("one certificate in PEM");
    let public = key.der_bytes();
    der.windows(public.len()).any(|window| window == public)
}

/// A certificate has an end and no renewal: the next one comes while the old one is good, with its own key at the same moment.
#[test]
fn a_certificate_is_replaced_with_its_key_before_it_ends() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    let post = |path: &str, body: Value| drop(stage.vault.ask("POST", path, Some(body)).ok());
    post("sys/mounts/pki", json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}}));
    post(
        "pki/root/generate/internal",
        json!({"common_name": "Test authority", "key_type": "ec", "ttl": "87600h"}),
    );
    post("pki/roles/web", json!({"allow_any_name": true, "key_type": "ec", "key_bits": 256, "ttl": "1h"}));
    let policy = "path \"pki/issue/web\" { capabilities = [\"create\", \"update\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": policy}))).ok();
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let of = |field: &str| {
        let call =
            "pkiCert \"pki/issue/web\" \"common_name=web.shop\" \"ttl=30s\" \"private_key_format=pkcs8\"";
        json!({"template": format!("{{{{ with {call} }}}}{{{{ .{field} }}}}{{{{ end }}}}")})
    };
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "target": {"type": "kubernetes.io/tls"},
        "data": {"tls.crt": of("Cert"), "tls.key": of("Key"), "ca.crt": of("CA")},
    });
    make(&stage, "shop", "web", &spec);
    let pair = || {
        let live = secret(&stage, "shop", "web")?;
        Some((value(&live, "tls.crt")?, value(&live, "tls.key")?))
    };
    let first = wait_for("the certificate", SOON, pair);
    assert!(belong_together(&first.0, &first.1));
    assert_eq!(stage.vault.requests("pki/issue/web"), 1, "one issue serves all keys");
    let ready = || condition(&stage, "shop", "web", "Ready").map(|(state, _)| state);
    wait_until("it to be usable", SOON, || ready().as_deref() == Some("True"));
    let next = wait_for("another certificate", SOON, || {
        assert_eq!(ready().as_deref(), Some("True"), "the old one is good until the next one is there");
        pair().filter(|pair| pair.0 != first.0)
    });
    assert!(next.1 != first.1 && belong_together(&next.0, &next.1));
    assert!(!controller.child.stderr().contains("expired"), "{}", controller.child.stderr());
}

#[test]
fn a_namespace_cannot_read_with_the_login_of_another_or_of_the_controller() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"user": "web"}));
    let _controller = stage.controller(&[]);
    let spec = |account: &str, entry: Value| json!({"auth": {"serviceAccount": account, "role": "web"}, "data": {"a": entry}});
    let user = json!({"secret": "secret/web#user"});
    // The role binds accounts of another namespace; there is no such account; and what the author may not write.
    make(&stage, "other", "foreign", &spec("web", user.clone()));
    make(&stage, "other", "nobody", &spec("nobody", user.clone()));
    make(&stage, "shop", "home", &spec("web", json!({"template": "{{ env \"VAULT_SECRET_ID\" }}"})));
    make(
        &stage,
        "shop",
        "token",
        &spec(
            "web",
            json!({"template": "{{ file \"/var/run/secrets/kubernetes.io/serviceaccount/token\" }}"}),
        ),
    );
    make(&stage, "shop", "good", &spec("web", user));
    wait_until("the good one", SOON, || secret(&stage, "shop", "good").is_some());
    for (namespace, name, said) in [
        ("other", "foreign", "could not log in"),
        ("other", "nobody", "serviceaccounts \"nobody\" not found"),
        ("shop", "home", "function \"env\" not defined"),
        ("shop", "token", "function \"file\" not defined"),
    ] {
        wait_until(&format!("what is wrong with {name}"), SOON, || {
            condition(&stage, namespace, name, "Synced")
                .is_some_and(|(state, message)| state == "False" && message.contains(said))
        });
        assert_eq!(
            condition(&stage, namespace, name, "Ready").map(|(state, _)| state).as_deref(),
            Some("False"),
            "{name}"
        );
        assert_eq!(secret(&stage, namespace, name), None, "{name}");
    }
}

#[test]
fn with_namespace_roles_a_definition_reads_what_an_account_of_its_namespace_may() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "hello"}));
    let args = ["-vault.auth-method=none", "-namespace-roles=web", "-namespace-account=web"];
    let _controller = stage.controller(&args);
    let at = |namespace: &str, kind: &str| match kind {
        "secrets" => format!("/api/v1/namespaces/{namespace}/secrets/app"),
        _ => format!("/apis/secrets-manager.tuenti.io/v1alpha1/namespaces/{namespace}/secretdefinitions/app"),
    };
    for namespace in ["shop", "other"] {
        let object = json!({
            "apiVersion": "secrets-manager.tuenti.io/v1alpha1", "kind": "SecretDefinition",
            "metadata": {"name": "app", "namespace": namespace}, "spec": crate::stage::spec("app", "secret/data/web"),
        });
        stage.api.create(&object).ok();
    }
    // The role binds the accounts of one namespace only.
    wait_until("the Secret", SOON, || stage.get(&at("shop", "secrets")).is_some());
    wait_until("the refusal", SOON, || {
        let events = stage.get("/api/v1/namespaces/other/events").expect("a list").to_string();
        events.contains("could not log in")
    });
    assert_eq!(stage.get(&at("other", "secrets")), None);
    assert!(stage.get(&at("other", "definitions")).is_some());
    assert_eq!(stage.vault.requests("auth/approle/login"), 0);
}

#[test]
fn the_manifest_and_the_command_print_the_same_definitions() {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
    let printed = std::process::Command::new(program).arg("crds").output().expect("it runs").stdout;
    let path = crate::support::script::repository().join("manifests/sync/crd.yaml");
    assert_eq!(
        String::from_utf8(printed).expect("text"),
        std::fs::read_to_string(path).expect("a manifest of ours")
    );
    let kinds: Vec<Value> =
        documents("manifests/sync/crd.yaml").iter().map(|one| one["spec"]["names"]["kind"].clone()).collect();
    assert_eq!(kinds, [json!("SecretDefinition"), json!("SyncedSecret")]);
}
