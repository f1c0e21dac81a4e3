//! Tokens of every kind: those that end early, cannot be renewed, never end, may be used twice, or die.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Finished, Identity, Lives, SOON, Stage, wait_until};
use leasehold_testkit::evidence;

/// One lease, whose user the engine deletes when it ends.
const LEASE: &str = "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n";

/// Watches until `done`: at every look the user on disk is one that lives.
fn alive_until(stage: &Stage, what: &str, mut done: impl FnMut() -> bool) {
    wait_until(what, SOON * 2, || {
        let user = stage.read("user").expect("never missing");
        assert!(stage.rabbit.users().contains(&user), "{user} is on disk and was deleted");
        done()
    });
}

#[test]
fn a_token_whose_longest_life_is_shorter_than_the_lease_is_followed_in_time() {
    let mut fault = evidence!(9, Server);
    let stage = Stage::with(Lives { token: (5, 10), ..Lives::default() });
    let sidecar = stage.sidecar(&stage.config(LEASE));
    let first = stage.server.accessors().pop().expect("one token");
    alive_until(&stage, "the first token to be gone", || stage.server.lookup_accessor(&first).is_none());
    assert_eq!(stage.logins(), 2);
    assert!(stage.server.leases("rabbitmq/").len() <= 2, "one, and the one before while it is let go");
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    sidecar.stop().expect_code(0);
    stage.assert_nothing_left();
    fault.holds("followed before its end: the user on disk is alive at every look, until the first token is gone; nothing is left");
}

#[test]
fn a_batch_token_is_followed_before_its_end_with_its_leases() {
    let mut fault = evidence!(11, Server);
    let stage = Stage::with(Lives { token: (6, 6), ..Lives::default() });
    stage.role(json!({ "token_type": "batch" }));
    let sidecar = stage.sidecar(&stage.config(LEASE));
    alive_until(&stage, "three logins", || stage.logins() >= 3);
    assert_eq!(stage.server.requests("auth/token/renew-self"), 0, "it cannot be renewed");
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    sidecar.stop().expect_code(0);
    wait_until("the engine's users to be gone", SOON, || stage.rabbit.users().is_empty());
    fault.holds(
        "followed before its end and never asked to be renewed: the user on disk is alive at every look",
    );
}

#[test]
fn a_periodic_token_is_kept_as_long_as_it_is_needed() {
    let stage = Stage::with(Lives { token: (3, 6), ..Lives::default() });
    stage.role(json!({ "token_period": "3s", "token_ttl": 0, "token_max_ttl": 0 }));
    let _sidecar = stage.sidecar(&stage.config(LEASE));
    let accessor = stage.server.accessors().pop().expect("one token");
    let user = stage.read("user");
    // Each adds half a period or more: after six it has outlived its first twice.
    alive_until(&stage, "six renewals", || stage.server.requests("auth/token/renew-self") >= 6);
    assert!(stage.server.lookup_accessor(&accessor).is_some(), "the token died");
    assert_eq!((stage.logins(), stage.read("user")), (1, user));
}

#[test]
fn a_token_whose_last_use_mints_the_lease_ends_init_with_the_reason() {
    let mut fault = evidence!(12, Server);
    let stage = Stage::new();
    // The question about the mount costs none. The server revokes the lease with the token at once.
    stage.role(json!({ "token_num_uses": 1 }));
    let finished = stage.init(&stage.config(LEASE));
    assert!(finished.last_line().contains("token_num_uses"), "{}", finished.stderr);
    assert_eq!(stage.published(), [""; 0]);
    assert!(stage.logins() <= 3, "{} logins", stage.logins());
    // The server ends a used-up token a moment after its last answer.
    wait_until("the token to be gone", SOON, || stage.server.accessors().is_empty());
    stage.assert_nothing_left();
    fault.exit(finished.code, 77);
    fault.holds("the last line names token_num_uses; nothing is written, nothing is left");
}

#[test]
fn a_token_without_the_default_policy_is_kept_and_followed_too() {
    let stage = Stage::with(Lives { token: (5, 10), ..Lives::default() });
    stage.role(json!({ "token_no_default_policy": true }));
    let _sidecar = stage.sidecar(&stage.config(LEASE));
    let first = stage.server.accessors().pop().expect("one token");
    alive_until(&stage, "the first token to be gone", || stage.server.lookup_accessor(&first).is_none());
    assert!(stage.logins() <= 4, "no storm: {}", stage.logins());
}

#[test]
fn a_revoked_token_is_followed_within_five_seconds() {
    let mut fault = evidence!(8, Server);
    let stage = Stage::new();
    stage.put_password("one");
    let files = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                 - {path: password, secret: 'secret/web#password', refresh: 1s}\n";
    let config = stage.config(files);
    // The sidecar takes over from init: at a login of its own it would put a 403 down to a standby that
    // lags, for as long as that can take.
    stage.init(&config).expect_code(0);
    let _sidecar = stage.sidecar(&config);
    let before = stage.read("user").expect("rendered");
    let accessor = stage.server.accessors().pop().expect("one token");
    stage.server.revoke_accessor(&accessor);
    let took = wait_until("credentials that live", SOON, || {
        let user = stage.read("user").expect("never missing");
        user != before && stage.rabbit.users().contains(&user)
    });
    assert!(took < Duration::from_secs(5), "{took:?}");
    wait_until("readiness", SOON, || stage.ready());
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_replacements_total 1");
    assert_eq!(stage.logins(), 2, "one login");
    fault.holds("noticed at the next look at a secret of 1 s refresh, one login, new credentials on disk in under 5 s");
}

/// OpenBao renews a token of the kubernetes method only while the account token of its login is good (CVE-2026-115356).
/// A projected token is followed by a fresh one well before its end, so this happens to every pod in the normal course.
#[test]
fn a_renewal_that_is_refused_since_the_account_token_has_ended_is_followed_by_a_login_and_no_alarm() {
    let stage = Stage::with(Lives { token: (6, 3600), ..Lives::default() });
    let project = |lives: u64| {
        let identity = Identity { lives: Duration::from_secs(lives), ..Identity::default() };
        stage.space.file("serviceaccount/token", stage.cluster.token(&identity));
    };
    project(8);
    let sidecar = stage.sidecar(&stage.config(&format!("{LEASE}log: {{format: json}}\n")));
    let first = stage.server.accessors().pop().expect("one token");
    project(3600);
    alive_until(&stage, "the first token to be gone", || {
        assert!(stage.ready(), "{}", stage.get("/readyz").map_or_else(String::new, |reply| reply.text));
        stage.server.lookup_accessor(&first).is_none()
    });
    assert!(stage.server.requests("auth/token/renew-self") >= 2, "one is granted, and one is refused");
    assert_eq!(stage.logins(), 2, "one login with the fresh token");
    let alarms: Vec<Value> = alarms_of(&sidecar.stop().expect_code(0));
    assert_eq!(alarms, [Value::Null; 0]);
    stage.assert_nothing_left();
}

/// The lines of the log that a person would be woken for.
fn alarms_of(finished: &Finished) -> Vec<Value> {
    let alarms = |line: &Value| ["WARN", "ERROR"].iter().any(|level| line["level"] == *level);
    finished.log().into_iter().filter(alarms).collect()
}
