//! Two replicas, and a Vault that goes away.

use serde_json::json;

use crate::stage::{SOON, Stage, definition, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;

const LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/leasehold/leases/5ac9a181.secrets-manager.tuenti.io";

#[test]
fn a_new_leader_keeps_every_secret_as_it_is() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    stage.define("app", &spec("app", "secret/data/app"));
    let token = || stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    let mut first = stage.controller_as(&token(), "sync-0", &["-enable-leader-election"]);
    stage.until("app", "foo", "hello");
    first.until_ready();
    let mut second = stage.controller_as(&token(), "sync-1", &["-enable-leader-election"]);
    second.until_ready();
    let holder = || stage.get(LEASE).map(|lease| lease["spec"]["holderIdentity"].clone());
    assert_eq!(holder(), Some(json!("sync-0")));
    let before = stage.secret("app").expect("it is there");
    first.child.kill();
    wait_until("the second to lead", SOON, || holder() == Some(json!("sync-1")));
    wait_until("it to know the Secret", SOON, || second.status_of("app") == Some(1.0));
    assert_eq!(stage.secret("app").expect("it is there"), before, "nothing is written that is good");
    stage.put("secret/data/app", &json!({"value": "new"}));
    stage.until("app", "foo", "new");
    // In order, the Lease is given back and the token is revoked.
    second.child.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(second.child.wait(SOON).success());
    assert_eq!(holder(), Some(json!("")));
    wait_until("the token to be revoked", SOON, || stage.vault.requests("auth/token/revoke-self") == 1);
}

#[test]
fn without_a_vault_the_last_good_secret_stays_and_the_controller_says_why() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    stage.put("secret/data/late", &json!({"value": "hello"}));
    let controller = stage.controller(&["-config.backend-timeout=1s"]);
    stage.define("app", &spec("app", "secret/data/app"));
    stage.until("app", "foo", "hello");
    let before = stage.secret("app");
    stage.vault.seal();
    wait_until("the outage to be known", SOON, || controller.status_of("app") == Some(0.0));
    // What was read before is held; this was not.
    stage.define("late", &spec("late", "secret/data/late"));
    wait_until("the finalizer", SOON, || {
        stage.get(&definition("late")).is_some_and(|late| !late["metadata"]["finalizers"].is_null())
    });
    wait_until("it not to be ready", SOON, || {
        controller
            .ask("/readyz")
            .is_some_and(|(status, why)| status == 503 && why.contains("1 definitions are not synced"))
    });
    assert_eq!(stage.secret("app"), before);
    assert_eq!(stage.secret("late"), None);
    stage.vault.unseal();
    stage.until("late", "foo", "hello");
    wait_until("all to be well", SOON, || controller.status_of("app") == Some(1.0));
    assert_eq!(stage.secret("app"), before);
}
