//! The client against a real OpenBao server: logins, engines, leases, and TLS whose files change.

use std::path::Path;
use std::time::Duration;

use crate::support::{
    Cluster, Identity, KubernetesRole, OpenBao, Rabbit, Workspace, auth_plan, run, vault_plan, wait_until,
    write_request,
};
use leasehold::config::plan::{AuthMethod, AuthPlan, ClientCert, Credential, VaultPlan};
use leasehold::core::event::Life;
use leasehold::core::ids::LeaseId;
use leasehold::secret::Secret;
use leasehold::tree::Tree;
use leasehold::vault::client::Client;
use leasehold::vault::facts;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_testkit::evidence;
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

fn vault(server: &OpenBao) -> VaultPlan {
    vault_plan(&server.address(), Some(server.ca_file()))
}

fn kubernetes(role: &str, jwt_file: &Path) -> AuthPlan {
    auth_plan("kubernetes", AuthMethod::Kubernetes { role: role.to_owned(), jwt_file: jwt_file.to_owned() })
}

fn token(token: &str) -> AuthPlan {
    auth_plan(
        "token",
        AuthMethod::Token { token_env: "VAULT_TOKEN".to_owned(), token: Some(Secret::from(token)) },
    )
}

/// A client that never logs in; each question brings its token.
fn client(server: &OpenBao) -> Client {
    Client::new(&vault(server), &token("unused")).expect("a client")
}

fn root(server: &OpenBao) -> Secret {
    Secret::from(server.root_token())
}

fn log_in(server: &OpenBao, plan: &AuthPlan) -> Result<leasehold_base::response::Auth, Failure> {
    run(Client::new(&vault(server), plan).expect("a client").login())
}

/// As the driver does it: find the one form, then ask.
async fn ask(client: &Client, request: &Request, token: &Secret) -> Result<Response, Failure> {
    let resolved = client.resolve(request, token).await?;
    client.read(&resolved, token).await
}

fn get(server: &OpenBao, path: &str) -> Result<Response, Failure> {
    run(ask(&client(server), &Request::read(path).expect("a good path"), &root(server)))
}

fn field<'a>(tree: &'a Tree, names: &[&str]) -> Option<&'a str> {
    names.iter().try_fold(tree, |tree, name| tree.get(name)).and_then(Tree::as_str)
}

#[test]
fn a_kubernetes_login_reads_its_jwt_each_time_and_is_refused_in_the_servers_words() {
    let fault = evidence!(28, Server);
    let (server, cluster, space) = (OpenBao::start(), Cluster::start(), Workspace::new());
    let web = Identity::default();
    server.kubernetes(&cluster);
    let role = KubernetesRole { name: "web", policies: &["web"], ttl: "10m", max_ttl: "1h" };
    server.kubernetes_role(&role, &web);
    let jwt_file = space.file("jwt", format!("{}\n", cluster.token(&web)));
    let plan = kubernetes("web", &jwt_file);
    let client = Client::new(&vault(&server), &plan).expect("a client");

    let auth = run(client.login()).expect("logged in");
    let facts = facts::token(&auth);
    assert_eq!((facts.ttl, facts.renewable, facts.batch), (Some(Duration::from_secs(600)), true, false));
    assert!(auth.policies.contains(&"web".to_owned()));
    assert!(server.lookup_accessor(&auth.accessor).is_some());

    // The same client, another file: for another audience, expired, of another account, not a JWT.
    let refused = |jwt: &str| {
        space.file("jwt", jwt);
        let failure = run(client.login()).expect_err("refused");
        assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
        assert!(failure.why.starts_with("login refused: ") && !failure.why.contains(jwt), "{failure}");
    };
    refused(&cluster.token(&Identity { audiences: vec!["other".into()], ..web.clone() }));
    refused(&cluster.token(&Identity { lives: Duration::ZERO, ..web.clone() }));
    refused(&cluster.token(&Identity { account: "other".into(), ..web.clone() }));
    refused("notajwt");
    space.file("jwt", cluster.token(&web));
    run(client.login()).expect("logged in again");
    fault.holds("read anew at each login; for another audience, expired, or of another account: refused in the server's words");
}

#[test]
fn a_login_for_a_role_or_a_mount_that_is_not_there_is_refused() {
    let (server, cluster, space) = (OpenBao::start(), Cluster::start(), Workspace::new());
    server.kubernetes(&cluster);
    let jwt_file = space.file("jwt", cluster.token(&Identity::default()));
    let failure = log_in(&server, &kubernetes("nobody", &jwt_file)).expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
    assert!(failure.why.contains("nobody"), "{failure}");

    let elsewhere = AuthPlan { mount: "elsewhere".to_owned(), ..kubernetes("web", &jwt_file) };
    let failure = log_in(&server, &elsewhere).expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
}

#[test]
fn credentials_that_cannot_be_sent_never_leave() {
    let (server, space) = (OpenBao::start(), Workspace::new());
    let before = server.requests("");
    let file = space.file("jwt", "hunter2\nhunter3\n");
    for plan in [
        kubernetes("web", &file),
        kubernetes("web", &space.join("none")),
        kubernetes("web", &space.file("empty", "\n")),
        token("hunter2\nX-Evil: 1"),
        auth_plan("token", AuthMethod::TokenFile { token_file: file.clone() }),
    ] {
        let failure = log_in(&server, &plan).expect_err("refused");
        assert!(matches!(failure.kind, FailureKind::Local | FailureKind::Unusable), "{failure}");
        assert!(!failure.why.contains("hunter"), "{failure}");
    }
    let failure = run(client(&server).lookup_self(&Secret::from("a\nb"))).expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Local);
    assert_eq!(server.requests(""), before);
}

#[test]
fn an_approle_logs_in_with_a_secret_id_from_a_file() {
    let (server, space) = (OpenBao::start(), Workspace::new());
    let (role_id, secret_id) = server.approle("web", &["default"], "5m");
    let with = |secret_id: &str| {
        let method = AuthMethod::AppRole {
            role_id: Credential::Given(Secret::from(role_id.as_str())),
            secret_id: Some(Credential::File(space.file("secret_id", secret_id))),
            wrapped_by: None,
        };
        log_in(&server, &auth_plan("approle", method))
    };
    assert_eq!(with(&secret_id).expect("logged in").lease_duration, 300);
    let failure = with("00000000-0000-0000-0000-000000000000").expect_err("refused");
    assert_eq!(failure.kind, FailureKind::Refused, "{failure}");
}

#[test]
fn a_given_token_is_looked_up_renewed_and_revoked() {
    let (server, space) = (OpenBao::start(), Workspace::new());
    let given = server.token(&["default"], "5m");
    let plan = auth_plan("token", AuthMethod::TokenFile { token_file: space.file("token", &given.token) });
    let auth = log_in(&server, &plan).expect("logged in");
    assert_eq!((&auth.accessor, auth.client_token.expose()), (&given.accessor, given.token.as_bytes()));
    let ttl = facts::token(&auth).ttl.expect("it ends");
    assert!(ttl <= Duration::from_secs(300) && ttl > Duration::from_secs(240));
    let forever = log_in(&server, &token(server.root_token())).expect("logged in");
    assert_eq!(facts::token(&forever).ttl, None);

    let client = client(&server);
    let granted = run(client.renew_self(&auth.client_token)).expect("renewed");
    assert_eq!((granted.ttl, granted.renewable), (Duration::from_secs(300), true));
    run(client.revoke_self(&auth.client_token)).expect("revoked");
    assert!(server.lookup_accessor(&given.accessor).is_none());
    let dead = |failure: Failure| assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
    dead(run(client.lookup_self(&auth.client_token)).expect_err("dead"));
    dead(run(client.renew_self(&auth.client_token)).expect_err("dead"));
    assert_eq!(log_in(&server, &plan).expect_err("dead").kind, FailureKind::Refused);
}

#[test]
fn an_unversioned_secret_is_read_written_and_listed() {
    let server = OpenBao::start();
    server.kv1("old");
    run(async {
        let (client, root) = (client(&server), root(&server));
        ask(&client, &write_request("old/data/web", &[("key", "one")]), &root).await.expect("written");
        let read = Request::read("old/data/web").expect("a good path");
        let answer = ask(&client, &read, &root).await.expect("read");
        assert_eq!(field(&answer.data, &["key"]), Some("one"));
        let facts = facts::read(&answer, None);
        assert_eq!((facts.lease, facts.life, facts.version), (None, Life::Unknown, None));
        let listed = ask(&client, &Request::list("old").expect("a good path"), &root).await.expect("listed");
        assert_eq!(listed.data.get("keys").and_then(Tree::as_list).map(<[Tree]>::len), Some(1));
    });
    assert_eq!(get(&server, "old/none").expect_err("missing").kind, FailureKind::Missing);
    let list =
        |path: &str| run(ask(&client(&server), &Request::list(path).expect("a good path"), &root(&server)));
    let nothing = list("old/none").expect("an empty list");
    assert_eq!(nothing.data.get("keys").and_then(Tree::as_list), Some(&[][..]));
    assert_eq!(list("nowhere/none").expect_err("no mount").kind, FailureKind::Missing);
}

#[test]
fn a_versioned_secret_is_one_however_it_is_written() {
    let server = OpenBao::start();
    server.kv2("secret");
    run(async {
        let (client, root) = (client(&server), root(&server));
        ask(&client, &write_request("secret/web", &[("key", "one")]), &root).await.expect("written");
        ask(&client, &write_request("secret/data/web", &[("key", "two")]), &root).await.expect("written");
        let mut forms = Vec::new();
        for path in ["secret/web", "secret/data/web", "/v1/secret/web/"] {
            let request = Request::read(path).expect("a good path");
            forms.push(client.resolve(&request, &root).await.expect("resolved"));
            let answer = client.read(&forms[0], &root).await.expect("read");
            assert_eq!(field(&answer.data, &["data", "key"]), Some("two"));
            assert_eq!(facts::read(&answer, None).version, Some(2));
        }
        assert!(forms.iter().all(|form| *form == forms[0]));
        let first = Request::read("secret/web?version=1").expect("a good path");
        let answer = ask(&client, &first, &root).await.expect("read");
        assert_eq!(field(&answer.data, &["data", "key"]), Some("one"));
        for path in ["secret", "secret/data", "secret/metadata"] {
            let listed = ask(&client, &Request::list(path).expect("a good path"), &root).await;
            let keys = listed.expect("listed").data.get("keys").cloned().unwrap_or_default();
            assert_eq!(keys, Tree::list([Tree::text("web")]), "{path}");
        }
    });
    // Of all that, one question was about the mount.
    assert_eq!(server.requests("sys/internal/ui/mounts/"), 1);
}

#[test]
fn a_namespace_is_in_the_header_or_in_the_path() {
    let server = OpenBao::start();
    server.write("sys/namespaces/team-a", json!({}));
    server.write("team-a/sys/mounts/secret", json!({ "type": "kv", "options": { "version": "2" } }));
    run(async {
        let root = root(&server);
        let inside = VaultPlan { namespace: Some("team-a".to_owned()), ..vault(&server) };
        let inside = Client::new(&inside, &token("unused")).expect("a client");
        let outside = client(&server);
        ask(&inside, &write_request("secret/web", &[("key", "one")]), &root).await.expect("written");
        for (client, path) in [(&inside, "secret/web"), (&outside, "team-a/secret/web")] {
            let answer = ask(client, &Request::read(path).expect("a good path"), &root).await.expect("read");
            assert_eq!(field(&answer.data, &["data", "key"]), Some("one"), "{path}");
        }
        inside.health().await.expect("the server's health has no namespace");
    });
}

#[test]
fn deleted_and_destroyed_versions_are_missing_and_said_so() {
    let server = OpenBao::start();
    server.kv2("secret");
    server.put("secret", "web", json!({ "key": "one" }));
    server.put("secret", "web", json!({ "key": "two" }));
    server.ask("DELETE", "secret/data/web", None).ok();
    let missing = |path: &str, why: &str| {
        let failure = get(&server, path).expect_err("missing");
        assert_eq!((failure.kind, failure.why.as_str()), (FailureKind::Missing, why));
    };
    missing("secret/web", "this version is deleted (404); restore it (bao kv undelete), or write a new one");
    server.write("secret/destroy/web", json!({ "versions": [1] }));
    missing("secret/web?version=1", "this version is destroyed (404); write a new one");
    missing("secret/none", "nothing there (404)");
}

#[test]
fn a_refused_look_at_the_mount_leaves_the_path_as_it_is_written() {
    let server = OpenBao::start();
    server.kv2("secret");
    server.put("secret", "web", json!({ "key": "one" }));
    let (blind, client) = (server.token(&["default"], "5m"), client(&server));
    let request = Request::read("secret/web").expect("a good path");
    let blind = Secret::from(blind.token.as_str());
    assert_eq!(run(client.resolve(&request, &blind)).expect("as written"), request);
    let failure = run(client.read(&request, &blind)).expect_err("denied");
    assert_eq!(failure.kind, FailureKind::Denied);
    // And it is not remembered.
    assert_eq!(run(client.resolve(&request, &root(&server))).expect("resolved").path, "secret/data/web");
}

#[test]
fn a_certificate_tells_its_end() {
    let server = OpenBao::start();
    server.pki("pki", "web", "1h");
    let issue = write_request("pki/issue/web", &[("common_name", "web.test"), ("ttl", "30m")]);
    let answer = run(ask(&client(&server), &issue, &root(&server))).expect("issued");
    assert!(field(&answer.data, &["private_key"]).is_some_and(|key| key.contains("PRIVATE KEY")));
    let facts = facts::read(&answer, None);
    assert!(matches!(facts.life, Life::Until(end) if end > 1_700_000_000));
    assert!(facts.lease.is_some_and(|lease| lease.ttl <= Duration::from_secs(1800) && !lease.renewable));

    let wrong = write_request("pki/issue/web", &[("common_name", "web.test"), ("ttl", "soon")]);
    let failure = run(ask(&client(&server), &wrong, &root(&server))).expect_err("rejected");
    assert_eq!(failure.kind, FailureKind::Rejected, "{failure}");
}

#[test]
fn a_lease_is_renewed_and_revoked() {
    let (server, rabbit) = (OpenBao::start(), Rabbit::start());
    let minute = Duration::from_secs(60);
    server.rabbit("rabbitmq", &rabbit, "app", minute, 10 * minute);
    let lease = facts::read(&get(&server, "rabbitmq/creds/app").expect("read"), None).lease.expect("leased");
    assert_eq!((lease.ttl, lease.renewable), (minute, true));
    let (client, root) = (client(&server), root(&server));
    let granted = run(client.renew_lease(&lease.id, 2 * minute, &root)).expect("renewed");
    assert_eq!((granted.ttl, granted.renewable), (2 * minute, true));
    run(client.revoke_lease(&lease.id, &root)).expect("revoked");
    wait_until("the lease to be gone", SOON, || server.leases("rabbitmq/").is_empty());
    wait_until("its user to be gone", SOON, || rabbit.users().is_empty());
    let failure = run(client.renew_lease(&lease.id, minute, &root)).expect_err("gone");
    assert_eq!(failure.kind, FailureKind::Rejected, "{failure}");
    let never = LeaseId("rabbitmq/creds/app/none".to_owned());
    assert_eq!(run(client.renew_lease(&never, minute, &root)).expect_err("none").kind, FailureKind::Rejected);
}

#[test]
fn a_sealed_server_is_unavailable_and_a_dead_one_unreachable() {
    let mut server = OpenBao::start();
    let client = client(&server);
    run(client.health()).expect("healthy");
    server.seal();
    let failure = run(client.health()).expect_err("sealed");
    assert_eq!(
        (failure.kind, failure.why.as_str()),
        (FailureKind::Unavailable, "the server is sealed (503); unseal it")
    );
    let failure = run(client.lookup_self(&root(&server))).expect_err("sealed");
    assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
    server.kill();
    let failure = run(client.health()).expect_err("dead");
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.why.contains("refuses the connection"), "{failure}");
}

#[test]
fn a_server_that_hangs_is_given_up_at_the_deadline() {
    let server = OpenBao::start();
    let plan = VaultPlan { timeout: Duration::from_secs(2), ..vault(&server) };
    let client = Client::new(&plan, &token("unused")).expect("a client");
    server.freeze();
    let failure = run(client.health()).expect_err("no answer");
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    server.thaw();
    wait_until("the server to answer again", SOON, || run(client.health()).is_ok());
}

#[test]
fn plain_http_to_the_tls_port_is_explained() {
    let server = OpenBao::start();
    let plan = VaultPlan {
        address: server.address().replace("https", "http").parse().expect("an address"),
        ..vault(&server)
    };
    let client = Client::new(&plan, &token("unused")).expect("a client");
    let failure = run(client.health()).expect_err("not TLS");
    assert!(failure.why.contains("write https:// in vault.address"), "{failure}");
}

#[test]
fn an_authority_that_changes_on_disk_is_taken_and_a_broken_one_is_not() {
    let fault = evidence!(22, Server);
    let (server, other, space) = (OpenBao::start(), OpenBao::start(), Workspace::new());
    let ca_file = space.file("ca.pem", other.ca_pem());
    let plan = VaultPlan { ca_file: Some(ca_file), ..vault(&server) };
    let client = Client::new(&plan, &token("unused")).expect("a client");
    let failure = run(client.health()).expect_err("not trusted");
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.why.contains("in vault.ca_file"), "{failure}");

    assert_eq!(client.reload(), Ok(false));
    space.file("ca.pem", server.ca_pem());
    assert_eq!(client.reload(), Ok(true));
    run(client.health()).expect("trusted");

    space.file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    assert_eq!(client.reload().expect_err("broken").kind, FailureKind::Local);
    run(client.health()).expect("trusted as before");
    fault.holds("the next connection trusts the new one; a broken file changes nothing");
}

#[test]
fn a_folder_of_authorities_and_a_bad_client_certificate_are_read() {
    let (server, space) = (OpenBao::start(), Workspace::new());
    let dir = space.dir("ca");
    let plan = VaultPlan { ca_file: None, ca_dir: Some(dir.clone()), ..vault(&server) };
    let failure = Client::new(&plan, &token("unused")).err().expect("an empty folder");
    assert!(failure.why.contains("holds no file"), "{failure}");
    space.file("ca/one.pem", server.ca_pem());
    run(Client::new(&plan, &token("unused")).expect("a client").health()).expect("trusted");

    let client_cert = Some(ClientCert { cert_file: server.ca_file(), key_file: server.ca_file() });
    let plan = VaultPlan { client_cert, ..vault(&server) };
    let failure = Client::new(&plan, &token("unused")).err().expect("no key");
    assert!(failure.why.contains("holds no private key"), "{failure}");
}
