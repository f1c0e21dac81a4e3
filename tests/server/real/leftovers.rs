//! What one run leaves on the server for another to give back: another configuration, another namespace, another
//! clock.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Lives, SOON, Stage, need, wait_until};
use leasehold_testkit::evidence;

const USER: &str = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n";

#[test]
fn what_a_killed_run_had_is_given_back_by_the_next_one_of_another_configuration() {
    let mut fault = evidence!(39, Server);
    let stage = Stage::new();
    stage.put_password("one");
    stage.sidecar(&stage.config(USER)).signal(Signal::SIGKILL);
    let (old, accessors) = (stage.read("user").expect("rendered"), stage.server.accessors());
    let more = format!("{USER}- {{path: password, secret: 'secret/web#password'}}\n");
    let sidecar = stage.sidecar(&stage.config(&more));
    let new = stage.read("user").expect("rendered");
    assert_ne!(new, old, "another configuration does not go on from it");
    assert!(stage.rabbit.users().contains(&new));
    // Applications get ten seconds to change over.
    wait_until("what it had to be given back", 2 * SOON, || {
        stage.server.accessors().iter().all(|accessor| !accessors.contains(accessor))
            && stage.rabbit.users() == [new.clone()].into()
    });
    assert!(sidecar.stderr().contains("it was written for another configuration"), "{}", sidecar.stderr());
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    sidecar.stop().expect_code(0);
    stage.assert_nothing_left();
    fault.holds("its token and its lease are revoked once the new files are published");
}

/// The engine in a namespace below that of the login.
pub(crate) fn in_a_team(stage: &Stage) {
    let write = |path: &str, body| stage.server.write(path, body);
    write("sys/namespaces/team", json!({}));
    stage.server.rabbit_in("team/", "rabbitmq", &stage.rabbit, "app");
    let policy = r#"
path "team/rabbitmq/creds/*" { capabilities = ["read"] }
path "team/sys/leases/revoke" { capabilities = ["update"] }
path "team/sys/leases/renew" { capabilities = ["update"] }
"#;
    stage.server.policy("team", policy);
    stage.role(json!({ "token_policies": ["web", "team"] }));
}

const TEAM: &str = "files:\n- {path: user, secret: 'team/rabbitmq/creds/app#username'}\n";

#[test]
fn leases_of_another_namespace_than_the_login_s_are_revoked_by_themselves_at_the_end() {
    let mut fault = evidence!(40, Server);
    let stage = Stage::new();
    in_a_team(&stage);
    let sidecar = stage.sidecar(&stage.config(TEAM));
    assert_eq!(stage.rabbit.users().len(), 1);
    let finished = sidecar.stop();
    fault.exit(finished.code, 0);
    stage.assert_nothing_left();
    let revoked =
        stage.server.requests("sys/leases/revoke") + stage.server.requests("team/sys/leases/revoke");
    assert_eq!(revoked, 1, "by itself: it would not go with its login");
    fault.holds("revoked by themselves before their login: no user is left");
}

#[test]
fn leases_of_another_namespace_than_the_login_s_are_revoked_when_it_is_replaced() {
    let mut fault = evidence!(40, Server);
    let stage = Stage::with(Lives { token: (12, 12), ..Lives::default() });
    in_a_team(&stage);
    let sidecar = stage.sidecar(&stage.config(TEAM));
    wait_until("a third login", 3 * SOON, || stage.logins() >= 3);
    wait_until("the first user to be gone", 2 * SOON, || stage.rabbit.users().len() <= 2);
    fault.exit(sidecar.stop().code, 0);
    stage.assert_nothing_left();
    fault.holds("after changes of the login no user is left but the newest");
}

#[test]
fn a_lease_of_another_namespace_that_may_not_be_revoked_is_named() {
    let stage = Stage::new();
    in_a_team(&stage);
    stage.server.policy("team", "path \"team/rabbitmq/creds/*\" { capabilities = [\"read\"] }");
    let finished = stage.sidecar(&stage.config(TEAM)).stop().expect_code(0);
    let line = finished.stderr.lines().find(|line| line.contains("may not revoke the lease"));
    let line = line.unwrap_or_else(|| panic!("no such line: {}", finished.stderr));
    assert!(line.contains("rabbitmq/creds/app/") && line.contains("sys/leases/revoke"), "{line}");
    assert_eq!(stage.server.accessors(), [""; 0], "the token is revoked all the same");
}

#[test]
fn times_of_a_handoff_that_was_written_under_another_clock_are_not_believed() {
    let mut fault = evidence!(42, Machine);
    let times =
        std::process::Command::new("unshare").args(["--time", "--boottime", "60", "--fork", "true"]).output();
    if !need("time namespaces", "run as root on Linux 5.6", times.is_ok_and(|done| done.status.success())) {
        return;
    }
    let stage = Stage::with(Lives { lease: (20, 20), ..Lives::default() });
    let config = stage.config(USER);
    stage.sidecar_with_a_clock_ahead(&config, 5_000_000).signal(Signal::SIGKILL);
    let old = stage.read("user").expect("rendered");
    let sidecar = {
        // The lock goes with the process, a moment after its parent.
        wait_until("the first run to be gone", SOON, || !stage.ready());
        stage.sidecar(&config)
    };
    assert!(sidecar.stderr().contains("under another clock"), "{}", sidecar.stderr());
    wait_until("the successor of a lease that ends in 20 seconds", Duration::from_secs(25), || {
        let user = stage.read("user").expect("it stays");
        assert!(stage.rabbit.users().contains(&user) || !stage.ready(), "ready with {user}, which is dead");
        user != old
    });
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    sidecar.stop().expect_code(0);
    stage.assert_nothing_left();
    fault.holds("the server is asked what is left of token and leases, as after a restart of the machine");
}
