//! Servers that are killed, sealed, and forget.

use serde_json::json;

use crate::support::{CANARY, Lives, SOON, Stage, wait_until};
use leasehold_testkit::evidence;

/// One lease, and a secret that is looked at every second.
const FILES: &str = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                     - {path: kv, secret: 'secret/web#password', refresh: 1s}\n";

fn says(stage: &Stage, word: &str) -> bool {
    stage.get("/readyz").is_some_and(|reply| reply.text.contains(word))
}

#[test]
fn a_sealed_server_is_waited_for_and_nothing_is_minted_anew() {
    let mut fault = evidence!(4, Server);
    let stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage.sidecar(&stage.config(FILES));
    let user = stage.read("user");
    stage.server.seal();
    wait_until("the seal to be noticed", SOON, || says(&stage, "server down, secrets still valid"));
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    fault.metric(&stage.metrics(), "leasehold_server_up 0");
    stage.server.unseal();
    stage.put_password("two");
    wait_until("the file to follow", SOON, || stage.read("kv") == Some(format!("{CANARY}-two")));
    assert_eq!((stage.read("user"), stage.logins()), (user, 1));
    assert_eq!(stage.server.leases("rabbitmq/").len(), 1);
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    fault.holds("ready while it is sealed; after it the same token and lease, and KV current");
}

#[test]
fn an_outage_past_expiry_keeps_the_files_and_says_that_they_have_expired() {
    let mut fault = evidence!(2, Server);
    let mut stage = Stage::with(Lives { lease: (4, 600), durable: true, ..Lives::default() });
    stage.put_password("one");
    let mut sidecar = stage.sidecar(&stage.config(FILES));
    let user = stage.read("user");
    stage.server.kill();
    wait_until("expiry", SOON, || !stage.ready());
    fault.metric(&stage.metrics(), "leasehold_state{state=\"expired\"} 1");
    assert_eq!((stage.read("user"), stage.read("kv")), (user.clone(), Some(format!("{CANARY}-one"))));
    assert!(sidecar.runs(), "{}", sidecar.stderr());
    assert_eq!(stage.get("/livez").expect("it listens").status, 200);
    stage.server.restart();
    wait_until("readiness", SOON, || stage.ready());
    let now = stage.read("user").expect("never missing");
    assert!(Some(&now) != user.as_ref() && stage.rabbit.users().contains(&now), "{now}");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.holds(
        "files kept, alive, not ready from expiry on; ready with new credentials after the return, no login",
    );
}

#[test]
fn a_lease_that_somebody_revoked_is_minted_anew_once() {
    let mut fault = evidence!(6, Server);
    let stage = Stage::with(Lives { lease: (6, 600), ..Lives::default() });
    let _sidecar =
        stage.sidecar(&stage.config("files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n"));
    let user = stage.read("user").expect("rendered");
    let lease = stage.server.leases("rabbitmq/").pop().expect("one lease");
    stage.server.write("sys/leases/revoke", json!({ "lease_id": lease, "sync": true }));
    assert!(!stage.rabbit.users().contains(&user), "it is really gone");
    wait_until("credentials that live", SOON, || {
        let now = stage.read("user").expect("never missing");
        now != user && stage.rabbit.users().contains(&now)
    });
    // And that is the one: it is renewed from now on.
    let renewed = stage.server.requests("sys/leases/renew");
    wait_until("two renewals", SOON, || stage.server.requests("sys/leases/renew") >= renewed + 2);
    assert_eq!(stage.server.requests("rabbitmq/creds/app"), 2);
    assert_eq!(stage.server.leases("rabbitmq/").len(), 1);
    fault.metric(&stage.metrics(), "leasehold_replacements_total 1");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.holds("minted anew at the next renewal, exactly once, and no login");
}
