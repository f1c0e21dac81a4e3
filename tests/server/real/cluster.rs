//! Two nodes: a standby that is asked, and a leader that gives its place away.

use crate::support::{CANARY, Lives, SOON, Stage, wait_for, wait_until};
use leasehold_testkit::evidence;

const FILES: &str = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                     - {path: kv, secret: 'secret/web#password', refresh: 1s}\n";

#[test]
fn a_standby_serves_login_leases_and_reads_and_a_change_of_leader_costs_nothing() {
    let mut fault = evidence!(5, Server);
    let mut lag = evidence!(14, Server);
    let stage = Stage::with(Lives { lease: (24, 600), durable: true, ..Lives::default() });
    stage.put_password("one");
    let standby = stage.server.standby();
    assert!(stage.server.is_leader() && !standby.is_leader());
    let config = stage.config(FILES).replace(&stage.server.address(), &standby.address());
    let finished = stage.init(&config);
    lag.exit(finished.code, 0);
    let sidecar = stage.sidecar(&config);
    let user = stage.read("user").expect("rendered");
    assert_eq!(standby.accessors().len(), 1, "one login");

    stage.server.step_down();
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    wait_until("the leader to go", SOON, || !stage.server.is_leader());
    // OpenBao keeps a node that stepped down away for ten seconds; whichever of both comes, leads.
    let nodes = [&stage.server, &standby];
    let leader = wait_for("a leader", SOON * 2, || nodes.into_iter().find(|node| node.is_leader()));
    leader.put("secret", "web", serde_json::json!({ "password": format!("{CANARY}-two") }));
    wait_until("the file to follow", SOON, || stage.read("kv") == Some(format!("{CANARY}-two")));
    // The lease is renewed at the leader that came.
    let renewed = || stage.server.requests("sys/leases/renew") + standby.requests("sys/leases/renew");
    let before = renewed();
    wait_until("a renewal after it", SOON * 2, || renewed() > before);
    assert_eq!(stage.read("user").as_ref(), Some(&user));
    assert!(stage.rabbit.users().contains(&user));
    assert_eq!((leader.accessors().len(), leader.leases("rabbitmq/").len()), (1, 1));
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    sidecar.stop().expect_code(0);
    assert_eq!(leader.accessors(), [""; 0], "a token is left");
    fault.holds("a standby is asked, the leader steps down, and ten seconds pass without one: ready after it, no login, no lease, KV current");
    lag.holds("login, lease and reads through a standby: one login, whatever it has not heard yet");
}
