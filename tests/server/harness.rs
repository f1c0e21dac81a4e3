//! The harness itself: the server is real, a login is really reviewed, leases end where they should, and
//! nothing is left behind.

use std::time::Duration;

use crate::support::{Child, Cluster, Identity, KubernetesRole, OpenBao, Rabbit, Workspace, wait_until};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

const WEB: KubernetesRole<'_> = KubernetesRole { name: "web", policies: &["web"], ttl: "10m", max_ttl: "1h" };

fn login(server: &OpenBao, jwt: &str) -> crate::support::Reply {
    server.ask_as("", "POST", "auth/kubernetes/login", Some(json!({ "role": "web", "jwt": jwt })))
}

#[test]
fn a_kubernetes_login_is_reviewed_and_refused_where_it_should_be() {
    let (server, cluster) = (OpenBao::start(), Cluster::start());
    let web = Identity::default();
    server.kubernetes(&cluster);
    server.kubernetes_role(&WEB, &web);

    let answer = login(&server, &cluster.token(&web)).ok().json();
    let accessor = answer["auth"]["accessor"].as_str().expect("a login answers an accessor");
    assert!(server.lookup_accessor(accessor).is_some());
    assert_eq!(server.accessors(), [accessor]);
    assert_eq!(cluster.reviews(), 1);

    // Signed by another cluster; for another audience; of another account; out of date; of a deleted account.
    let refused = |jwt: &str| assert_eq!(login(&server, jwt).status / 100, 4);
    refused(&Cluster::start().token(&web));
    refused(&cluster.token(&Identity { audiences: vec!["other".into()], ..web.clone() }));
    refused(&cluster.token(&Identity { account: "other".into(), ..web.clone() }));
    refused(&cluster.token(&Identity { lives: Duration::ZERO, ..web.clone() }));
    cluster.delete(&web);
    refused(&cluster.token(&web));

    server.revoke_accessor(accessor);
    assert!(server.lookup_accessor(accessor).is_none());
    assert_eq!(server.accessors(), [""; 0]);
}

#[test]
fn engines_answer_and_their_leases_can_be_counted() {
    let (server, rabbit) = (OpenBao::start(), Rabbit::start());
    server.kv1("old");
    server.kv2("secret");
    server.pki("pki", "web", "1h");
    server.rabbit("rabbitmq", &rabbit, "app", Duration::from_secs(60), Duration::from_secs(600));
    server.write("old/web", json!({ "key": "one" }));
    assert_eq!(server.put("secret", "web", json!({ "key": "two" })), 1);
    assert_eq!(server.ask("GET", "old/web", None).ok().json()["data"]["key"], "one");
    assert_eq!(server.ask("GET", "secret/data/web", None).ok().json()["data"]["data"]["key"], "two");

    server.policy("app", r#"path "rabbitmq/creds/app" { capabilities = ["read"] }"#);
    let app = server.token(&["app"], "5m");
    let creds = server.ask_as(&app.token, "GET", "rabbitmq/creds/app", None).ok().json();
    assert_eq!(creds["lease_duration"], 60);
    assert_eq!(rabbit.users().len(), 1);
    assert_eq!(server.leases("rabbitmq/creds/"), [creds["lease_id"].as_str().expect("a lease")]);
    server.write("pki/issue/web", json!({ "common_name": "web.test" }));
    assert_eq!(server.leases("pki/").len(), 1);
    assert_eq!(server.requests("rabbitmq/creds/app"), 1);

    // Revoking the token takes its leases with it, and the engine's user.
    server.revoke_accessor(&app.accessor);
    wait_until("the lease to be revoked", SOON, || server.leases("rabbitmq/").is_empty());
    wait_until("the user to be deleted", SOON, || rabbit.users().is_empty());
}

#[test]
fn a_durable_server_comes_back_with_its_secrets() {
    let mut server = OpenBao::start_durable();
    server.kv2("secret");
    server.put("secret", "web", json!({ "key": "kept" }));
    let address = server.address();
    server.kill();
    server.restart();
    assert_eq!(server.address(), address);
    assert_eq!(server.ask("GET", "secret/data/web", None).ok().json()["data"]["data"]["key"], "kept");
    server.seal();
    assert_eq!(server.ask("GET", "secret/data/web", None).status, 503);
    server.unseal();
    server.ask("GET", "secret/data/web", None).ok();
}

#[test]
fn a_dropped_child_is_dead() {
    let space = Workspace::new();
    let child = Child::start("/bin/cat".as_ref(), "fifo", space.path(), |command| {
        nix::unistd::mkfifo(&space.join("never"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
        command.arg(space.join("never"));
    });
    let pid: Pid = child.pid();
    kill(pid, None).expect("it runs");
    drop(child);
    kill(pid, None).expect_err("it is gone");
}
