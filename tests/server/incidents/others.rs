//! The alerts that no incident of the night has met: each in the state that it is for, with what its page says to run.

use std::time::Duration;

use serde_json::json;

use super::night::Night;
use super::{PASSWORD, lose_the_login, possible};
use crate::support::{Identity, KubernetesRole, Leasehold, SOON, Stage, wait_until};

#[test]
fn a_file_that_cannot_be_made_keeps_the_application_waiting_and_the_page_names_the_policy() {
    if !possible() {
        return;
    }
    let rest = "files: [{path: denied, secret: 'secret/denied#a'}]\n";
    let mut night = Night::begin_unready(Stage::new(), rest);
    let screen = night
        .reads_within(2 * SOON, &[": not yet rendered: denied: could not read secret/", "missing: could"]);
    assert_eq!(screen.code, Some(1));
    night.run("status --ready").expect_code(1);
    night.is_explained_by("LeaseholdNotReady", "first broken link: policy: could not read secret/");
    night.fires(&["LeaseholdNotReady"]).shows("Not ready", |count| count == 1.0);
    night.end();
}

#[test]
fn logins_that_were_refused_and_succeed_again_are_an_alert_of_the_past() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    lose_the_login(&night.stage);
    wait_until("two refusals", 2 * SOON, || night.metric("leasehold_login_failures_total") >= Some(2.0));
    night.scrape();
    let role = KubernetesRole { name: "web", policies: &["web"], ttl: "1h", max_ttl: "2h" };
    night.stage.server.kubernetes_role(&role, &Identity::default());
    night.run("refresh").expect_code(0);
    night.reads_within(2 * SOON, &[": ready\n"]);
    night.logs(&["the login is refused: ", "logged in again after "]);
    night.is_explained_by("LeaseholdLoginRefused", "\nlogin   kubernetes at auth/kubernetes, role web\n");
    night.fires(&["LeaseholdLoginRefused"]).shows("Logins", |rate| rate > 0.0);
    night.end().expect_code(0);
}

#[test]
fn a_token_that_was_given_and_nears_its_end_is_an_alert_before_it_is_over() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let body = json!({ "policies": ["web"], "ttl": "40s", "renewable": false });
    let token = stage.server.ask("POST", "auth/token/create", Some(body)).ok().json();
    let file = stage.space.file("token", token["auth"]["client_token"].as_str().expect("it has a token"));
    let own = format!(
        "auth: {{method: kubernetes, role: web, jwt_file: '{}/serviceaccount/token'}}",
        stage.space.path().display()
    );
    let config = stage.config(PASSWORD);
    let given =
        config.replace(&own, &format!("auth: {{method: token_file, token_file: '{}'}}", file.display()));
    assert_ne!(given, config);
    let mut night = Night::begin_with(stage, &given);
    let nears = || night.metric("leasehold_token_ttl_seconds") < Some(5.0);
    wait_until("its last seconds", Duration::from_secs(60), nears);
    night.scrape();
    night.is_explained_by("LeaseholdTokenEnding", "\ntoken   ");
    night.fires(&["LeaseholdTokenEnding"]).shows("Token: until it ends", |left| left < 6.0);
    night.end();
}

#[test]
fn a_process_that_is_killed_again_and_again_is_an_alert_and_its_page_rules_out_configuration_and_policy() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    for _ in 0..3 {
        wait_until("a second of life", SOON, || night.metric("leasehold_uptime_seconds") >= Some(1.0));
        night.scrape();
        night.restart();
    }
    let said = night.follows_the_page_of("LeaseholdCrashLooping");
    assert!(said.contains("good") && !said.contains("DENIED"), "{said}");
    night.fires_now(&["LeaseholdCrashLooping"]).shows("Time since the start", |seconds| seconds < 2.0);
    night.end().expect_code(0);
}

#[test]
fn a_sandbox_that_is_off_is_an_alert_of_its_own() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, &(PASSWORD.to_owned() + "sandbox: 'off'\n"));
    night.scrape();
    night.is_explained_by("LeaseholdSandboxOff", ": ready\n");
    night.fires(&["LeaseholdSandboxOff"]).shows("Breaker and sandbox", |count| count == 1.0);
    night.end().expect_code(0);
}

#[test]
fn a_process_that_is_gone_is_an_alert_whose_page_works_without_it() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    night.vanish();
    let gone = "no leasehold answers at unix:";
    let why = "nobody listens there; it is not running, or has another configuration";
    for command in ["status", "status --explain", "refresh", "refresh password", "log-level debug", "quit"] {
        let finished = night.run(command).expect_code(69);
        let last = finished.last_line();
        assert!(last.contains(gone) && last.contains(why), "{command}: {last}");
        assert!(last.contains("start it, or give the configuration that it runs with"), "{command}: {last}");
    }
    for probe in ["status --ready", "status --live"] {
        let said = night.run(probe).expect_code(1).stdout;
        assert!(said.contains(gone) && said.contains(why) && said.lines().count() == 1, "{said}");
    }
    let said = night.follows_the_page_of("LeaseholdGone");
    assert!(said.contains(why) && said.contains("good") && !said.contains("DENIED"), "{said}");
    assert!(night.stage.read("password").is_some(), "its files stay");
    night.fires_in_minutes(10, &["LeaseholdGone"]).shows("Instances", |count| count == 1.0);
    // The next one goes on where it was.
    let config = night.stage.space.read("leasehold.yaml").expect("it is there");
    let logins = night.stage.server.requests("auth/kubernetes/login");
    night.sidecar = night.stage.sidecar(&config);
    assert_eq!(night.stage.server.requests("auth/kubernetes/login"), logins);
    night.end().expect_code(0);
}

#[test]
fn another_configuration_of_a_process_that_runs_is_told_from_one_that_does_not() {
    let stage = Stage::new();
    stage.put_password("one");
    let night = Night::begin(stage, PASSWORD);
    let config = night.stage.space.read("leasehold.yaml").expect("it is there");
    night.stage.space.file("other.yaml", config.replace("status.sock", "other.sock"));
    let finished = Leasehold::new(&night.stage.space).run(&["status", "--config", "other.yaml"]);
    let last = finished.expect_code(69).last_line().to_owned();
    let running = format!("but process {} publishes these files", night.sidecar.pid());
    assert!(last.contains("there is no such socket") && last.contains(&running), "{last}");
    night.end().expect_code(0);
}

#[test]
fn a_variable_that_overrides_the_configuration_is_on_the_screen() {
    let stage = Stage::new();
    stage.put_password("one");
    stage.space.file("leasehold.yaml", stage.config(PASSWORD));
    let (leasehold, at) = (Leasehold::new(&stage.space), ["--config", "leasehold.yaml"]);
    let sidecar = leasehold.clone().env("BAO_CLIENT_TIMEOUT", "9s").spawn(&["sidecar", at[0], at[1]]);
    wait_until("readiness", SOON, || stage.ready());
    let screen = leasehold.run(&["status", at[0], at[1]]);
    assert!(
        screen.stdout.contains("\nenv     BAO_CLIENT_TIMEOUT overrides `vault.timeout`\n"),
        "{}",
        screen.stdout
    );
    sidecar.stop().expect_code(0);
}
