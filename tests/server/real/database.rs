//! Database credentials that log in: before, while and after they are replaced.

use std::fs;

use serde_json::json;

use crate::support::{Postgres, SOON, Stage, wait_for, wait_until};
use leasehold_testkit::evidence;

const FILES: &str = r#"
files:
  - {path: user, secret: "database/creds/app#username"}
  - {path: password, secret: "database/creds/app#password"}
"#;

/// A stage whose database mints users that live `lease` seconds at first, and at the longest.
fn stage(lease: (u64, u64), more: serde_json::Value) -> Option<(Stage, Postgres)> {
    let postgres = Postgres::start()?;
    let stage = Stage::new();
    stage.server.database(&postgres);
    stage.server.database_role("app", lease, more);
    Some((stage, postgres))
}

/// User and password of the generation that is published now.
fn credentials(stage: &Stage) -> (String, String) {
    wait_for("a generation that stays for two reads", SOON, || {
        // One generation is one folder; it may be gone by the time that the second file is opened.
        let generation = fs::canonicalize(stage.space.join("secrets/..data")).ok()?;
        let read = |name: &str| fs::read_to_string(generation.join(name)).ok();
        Some((read("user")?, read("password")?))
    })
}

/// The user on disk, who logs in. On a busy machine the login may take longer than the grace of what was replaced in the
/// meantime: a user who is not on disk any more when it is refused shows nothing.
fn user_that_logs_in(stage: &Stage, postgres: &Postgres) -> String {
    loop {
        let (user, password) = credentials(stage);
        if postgres.accepts(&user, &password) {
            return user;
        }
        assert_ne!(credentials(stage).0, user, "the user on disk does not log in");
    }
}

#[test]
fn the_credentials_on_disk_log_in_at_every_moment_of_two_rotations() {
    let mut fault = evidence!(10, Server);
    let Some((stage, postgres)) = stage((4, 8), json!({})) else { return };
    let sidecar = stage.sidecar(&stage.config(FILES));
    let (mut logins, mut users) = (0, Vec::new());
    // The third user has been there for a while: the second one's end was seen too.
    while users.len() < 3 || postgres.users().len() > 1 {
        let user = user_that_logs_in(&stage, &postgres);
        logins += 1;
        if !users.contains(&user) {
            users.push(user);
        }
    }
    assert!(logins > 20, "{logins} logins show too little");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    sidecar.stop().expect_code(0);
    // What goes with a token goes a moment after it.
    wait_until("no user to be left", SOON, || postgres.users().is_empty());
    fault.holds("the database takes the user and password on disk at every moment of two rotations; none is left after SIGTERM");
}

#[test]
fn renewals_that_fail_for_ever_cost_one_user_a_life_and_never_the_one_on_disk() {
    let mut fault = evidence!(7, Server);
    // The server answers 500 to each renewal, since the database refuses the statement.
    let Some((stage, postgres)) = stage((8, 600), json!({ "renew_statements": ["SELECT 1/0"] })) else {
        return;
    };
    let _sidecar = stage.sidecar(&stage.config(FILES));
    let mut users = Vec::new();
    while users.len() < 3 {
        let user = user_that_logs_in(&stage, &postgres);
        if !users.contains(&user) {
            users.push(user);
        }
    }
    let minted = stage.server.requests("database/creds/app");
    assert!((3..=4).contains(&minted), "{minted} minted for three lives");
    let asked = stage.server.requests("sys/leases/renew");
    assert!((2..=18).contains(&asked), "{asked} tries to renew three lives");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    fault.holds(
        "the database refuses each renewal: one user a lease life, the one on disk logs in at every look",
    );
}

#[test]
fn a_static_role_is_read_again_when_its_password_has_rotated() {
    let Some(postgres) = Postgres::start() else { return };
    let stage = Stage::new();
    stage.server.database(&postgres);
    postgres.admin("CREATE ROLE keeper LOGIN PASSWORD 'to be rotated'");
    stage.server.write(
        "database/static-roles/keeper",
        json!({ "db_name": "pg", "username": "keeper", "rotation_period": "5s" }),
    );
    let files = FILES.replace("creds/app", "static-creds/keeper");
    let _sidecar = stage.sidecar(&stage.config(&files));
    let (user, first) = credentials(&stage);
    assert_eq!(user, "keeper");
    assert!(postgres.accepts(&user, &first));
    // Rotated once a period: what is on disk follows within a moment of it.
    wait_for("another password that logs in", SOON, || {
        let (_, now) = credentials(&stage);
        (now != first && postgres.accepts(&user, &now)).then_some(())
    });
    assert_eq!(stage.server.leases("database/"), [""; 0], "static roles have no lease");
    let reads = stage.server.requests("database/static-creds/keeper");
    assert!(reads <= 6, "{reads} reads of two passwords");
}
