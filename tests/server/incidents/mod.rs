//! The incidents of a night, one by one: within five seconds of the fact the screen, the log, the exit code and the alerts
//! say what is wrong, since when, and what to do, and the alert's page leads to the cause.

mod lasting;
mod night;
mod others;
mod replay;

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{Lives, Postgres, SOON, Stage, have, need, wait_until};
use night::{Night, alerts};

const PASSWORD: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";

fn possible() -> bool {
    let available = have("promtool") && have("prometheus");
    need("prometheus and promtool", "apt-get install prometheus", available)
}

/// The server forgets the role and the token of the sidecar.
fn lose_the_login(stage: &Stage) {
    stage.server.ask("DELETE", "auth/kubernetes/role/web", None).ok();
    for accessor in stage.server.accessors() {
        stage.server.revoke_accessor(&accessor);
    }
}

#[test]
fn a_login_that_is_lost_while_only_a_polled_secret_is_used_is_in_the_headline_and_no_dead_token_is_shown() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    lose_the_login(&night.stage);
    let screen = night.reads(&[
        ": ready, 1 of 1 file stale, not logged in since ",
        "\nnext:   check role `web` at auth/kubernetes (kubernetes) on the server",
        "\nlogin   kubernetes at auth/kubernetes, role web: not logged in since ",
        "next try in ",
        "\ntoken   none\n",
        "stale: not logged in\n",
        "waits for a login",
    ]);
    assert_eq!(screen.code, Some(1), "something is wrong");
    assert!(!screen.text.contains("expires in"), "no end of a token that is dead: {}", screen.text);
    let ready = night.run("status --ready").expect_code(0).stdout;
    assert!(ready.starts_with("ready, 1 of 1 file stale, not logged in since "), "{ready}");
    let status = night.stage.get("/status").expect("it listens").json();
    assert_eq!((&status["logged_in"], &status["login"]["state"]), (&json!(false), &json!("logged_out")));
    assert_eq!(status["token"], json!(null));
    assert_eq!(night.metric("leasehold_logged_in"), Some(0.0));
    assert_eq!(night.metric("leasehold_token_ttl_seconds"), None);
    assert_eq!(night.metric("leasehold_file_state{file=\"password\",state=\"stale\"}"), Some(1.0));
    night.logs(&["login lost: its token is denied or over", "the login is refused: "]);
    night.is_explained_by("LeaseholdCannotLogIn", "not logged in since");
    night.fires(&["LeaseholdCannotLogIn"]).shows("Not logged in", |count| count == 1.0);
    night.end().expect_code(0);
}

#[test]
fn a_login_that_is_lost_with_a_lease_ends_in_an_expiry_that_names_the_login() {
    if !possible() {
        return;
    }
    let stage = Stage::with(Lives { lease: (8, 600), ..Lives::default() });
    let mut night = Night::begin(stage, "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n");
    lose_the_login(&night.stage);
    wait_until("the lease's end", SOON, || {
        night.metric("leasehold_file_expiry_seconds{file=\"user\"}") <= Some(0.0)
    });
    let screen = night.reads(&[
        ": expired: user: its secret has expired; not logged in since ",
        "\nnext:   check role `web`",
        "expired: it is past its end, and no successor could be had\n",
        "\ntoken   none\n",
    ]);
    assert_eq!(screen.code, Some(1));
    night.run("status --ready").expect_code(1);
    assert_eq!(night.metric("leasehold_file_error{file=\"user\"}"), Some(1.0));
    assert_eq!(night.metric("leasehold_file_error_class{file=\"user\",class=\"expired\"}"), Some(1.0));
    night.logs(&["user has expired: not logged in since ", "not ready any more: 1 of 1 file expired"]);
    night
        .is_explained_by("LeaseholdSecretExpired", "first broken link: login: kubernetes at auth/kubernetes");
    night
        .fires(&["LeaseholdSecretExpired", "LeaseholdCannotLogIn"])
        .shows("Files expired", |count| count == 1.0)
        .shows("Until files end: the ten that are nearest", |left| left <= 0.0);
    night.end().expect_code(0);
}

#[test]
fn a_server_that_freezes_until_the_lease_is_over_is_named_and_the_log_says_when_it_is_ready_again() {
    if !possible() {
        return;
    }
    let stage = Stage::with(Lives { lease: (24, 600), ..Lives::default() });
    stage.put_password("one");
    let rest = "files:\n- {path: password, secret: 'secret/web#password', refresh: 1s}\n\
                - {path: user, secret: 'rabbitmq/creds/app#username'}\n";
    let mut night = Night::begin(stage, rest);
    night.stage.server.freeze();
    night.reads(&[": ready, the server has not answered for ", "; it has not answered for "]);
    night.logs(&["; a request may take up to `vault.timeout`"]);
    assert!(night.metric("leasehold_server_silent_seconds") >= Some(3.0));
    // A request has to be over its time before the server is known to be away.
    let screen = night.reads_within(
        SOON,
        &[
            ": server down, secrets still valid for ",
            "\nnext:   see that https://127.0.0.1:",
            "waits for the server",
            "stale: the server is down\n",
        ],
    );
    assert_eq!(screen.code, Some(1));
    night.run("status --ready").expect_code(0);
    wait_until("the lease's end", 2 * SOON, || {
        night.metric("leasehold_file_expiry_seconds{file=\"user\"}") <= Some(0.0)
    });
    night.reads(&[": expired: user: ", "; server down since ", "  expired: "]);
    night.logs(&[
        "the server is away: ",
        "user has expired: ",
        "not ready any more: 1 of 2 files expired, 1 stale",
    ]);
    night.is_explained_by("LeaseholdBreakerOpen", "server  down for ");
    night.is_explained_by("LeaseholdSecretExpired", "first broken link: server: https://127.0.0.1:");
    night
        .fires(&["LeaseholdBreakerOpen", "LeaseholdSecretExpired"])
        .shows("Breaker open", |count| count == 1.0)
        .shows("Files by state", |count| count == 1.0);
    night.stage.server.thaw();
    night.until("the server's return", || night.stage.ready().then_some(()));
    night.logs(&["the server is back after ", "ready again after "]);
    assert_eq!(night.reads_within(SOON, &[": ready\n"]).code, Some(0));
    night.end().expect_code(0);
}

#[test]
fn a_database_that_is_down_is_a_failing_file_in_the_headline_while_its_lease_still_lives() {
    if !possible() {
        return;
    }
    let Some(postgres) = Postgres::start() else { return };
    let stage = Stage::new();
    stage.put_password("one");
    stage.server.database(&postgres);
    stage.server.database_role("app", (30, 40), json!({}));
    let rest = "files:\n- {path: user, secret: 'database/creds/app#username'}\n\
                - {path: password, secret: 'secret/web#password'}\n";
    let mut night = Night::begin(stage, rest);
    let asked = night.stage.server.requests("database/creds/app");
    drop(postgres);
    // That the database is down is a fact of ours once a successor is asked for: at two thirds of the life that max_ttl
    // leaves.
    wait_until("the next question", 4 * SOON, || night.stage.server.requests("database/creds/app") > asked);
    let screen = night.reads(&[
        ": ready, 1 of 2 files failing\n",
        "\nnext:   the server fails on database/creds/app",
        "failing: could not ",
    ]);
    assert_eq!(screen.code, Some(1));
    let row = |name: &str| screen.text.find(&format!("\n{name} ")).expect("it has a row");
    assert!(row("user") < row("password"), "what fails comes first: {}", screen.text);
    night.run("status --ready").expect_code(0);
    assert_eq!(night.metric("leasehold_file_error_class{file=\"user\",class=\"fault\"}"), Some(1.0));
    night.is_explained_by("LeaseholdFileStale", "first broken link: secret: could not ");
    let metric =
        |night: &Night, name: &str| night.metric(&format!("leasehold_file_{name}_seconds{{file=\"user\"}}"));
    wait_until("the last quarter of its life", 2 * SOON, || {
        metric(&night, "expiry") < metric(&night, "life").map(|life| life / 4.0)
    });
    night.scrape();
    night.is_explained_by("LeaseholdSecretExpiring", "the server fails on database/creds/app");
    night
        .fires(&["LeaseholdFileStale", "LeaseholdSecretExpiring"])
        .shows("Files not kept true", |count| count == 1.0)
        .shows("Least of a life left", |part| part < 0.25);
    night.end();
}

#[test]
fn a_secret_that_is_deleted_and_a_policy_that_is_taken_away_are_failing_files() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    night.stage.server.policy("web", "path \"secret/metadata/*\" { capabilities = [\"list\"] }");
    let screen = night.reads(&[
        ": ready, 1 of 1 file failing\n",
        "\nnext:   `leasehold plan` shows what the policy lacks for password",
        "failing: could not read secret/",
    ]);
    assert_eq!(screen.code, Some(1));
    night.logs(&["permission denied"]);
    night.is_explained_by("LeaseholdFileStale", "first broken link: policy: could not read secret/");
    night.fires(&["LeaseholdFileStale"]).shows("What fails", |count| count == 1.0);

    night.stage.server.policy("web", "path \"secret/*\" { capabilities = [\"read\"] }");
    night.run("refresh password").expect_code(0);
    night.reads_within(SOON, &[": ready\n"]);
    night.stage.server.ask("DELETE", "secret/metadata/web", None).ok();
    night.reads(&[": ready, 1 of 1 file failing\n", "\nnext:   create secret/data/web", "does not exist"]);
    night.is_explained_by("LeaseholdFileStale", "first broken link: secret: secret/");
    night.end().expect_code(0);
}

#[test]
fn a_notifier_that_refuses_is_counted_in_the_headline() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let rest = "notify: {app: {http: 'http://127.0.0.1:1/reload'}}\n";
    let mut night = Night::begin(stage, &(PASSWORD.to_owned() + rest));
    night.stage.put_password("two");
    let screen = night.reads(&[
        ": ready, 1 of 1 notifier failing\n",
        "\nnext:   see that app runs and can be notified",
        "failing: no answer from 127.0.0.1:1",
    ]);
    assert_eq!(screen.code, Some(1));
    night.logs(&["could not notify app"]);
    night.is_explained_by("LeaseholdNotifierFailing", "failing: no answer from 127.0.0.1:1");
    night.fires(&["LeaseholdNotifierFailing"]).shows("Notifiers failing", |count| count == 1.0);
    night.end().expect_code(0);
}

#[test]
fn a_token_that_is_revoked_while_its_role_is_fine_is_replaced_and_the_log_tells_both() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    for accessor in night.stage.server.accessors() {
        night.stage.server.revoke_accessor(&accessor);
    }
    night.logs(&["login lost: its token is denied or over; logging in anew", "logged in again after "]);
    assert_eq!(
        night.reads(&[": ready\n", "\nlogin   kubernetes at auth/kubernetes, role web\n"]).code,
        Some(0)
    );
    night.fires(&[]).shows("Logins", |rate| rate > 0.0);
    night.end().expect_code(0);
}

#[test]
fn a_daemon_that_stands_still_is_an_alert_and_its_page_leads_there() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    night.sidecar.signal(Signal::SIGSTOP);
    night.scrape_in_vain();
    let stopped = format!("process {} is stopped (state T)", night.sidecar.pid());
    for command in ["status", "refresh", "log-level debug"] {
        let finished = night.run(command).expect_code(69);
        assert!(finished.last_line().contains(&stopped), "{command}: {}", finished.stderr);
        assert!(finished.took < night::SEEN, "{command}: {:?}", finished.took);
    }
    for probe in ["status --ready", "status --live"] {
        let finished = night.run(probe).expect_code(1);
        assert!(finished.stdout.contains(&stopped) && finished.took < night::SEEN, "{finished:?}");
    }
    night.is_explained_by("LeaseholdDown", &stopped);
    night.fires(&["LeaseholdDown"]).shows("Instances", |count| count == 1.0);
    night.sidecar.signal(Signal::SIGCONT);
    night.end().expect_code(0);
}

#[test]
fn the_end_of_a_run_is_in_the_log_with_what_was_given_back() {
    let rest = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                - {path: password, secret: 'secret/web#password'}\n";
    for quit in [false, true] {
        let stage = Stage::new();
        stage.put_password("one");
        let night = Night::begin(stage, rest);
        let asked = if quit { "a request to quit" } else { "SIGTERM" };
        let finished = if quit {
            let said = night.run("quit").expect_code(0).stdout;
            assert_eq!(said, "quitting\n");
            night.sidecar.wait(SOON)
        } else {
            night.sidecar.stop()
        };
        let log = finished.expect_code(0).log();
        let said: Vec<&str> = log.iter().rev().filter_map(|line| line["message"].as_str()).collect();
        assert!(
            said[0].starts_with("stopped after ") && said[0].ends_with(": revoked the login and 1 lease"),
            "{said:?}"
        );
        assert!(said.contains(&format!("stopping: {asked}").as_str()), "{said:?}");
    }
    // And what could not be given back.
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, rest);
    night.stage.server.kill();
    let log = night.sidecar.stop().expect_code(0).log();
    let last = log.last().expect("it logs")["message"].as_str().unwrap_or_default().to_owned();
    assert!(last.contains("nothing was revoked; the login and 1 lease could not be revoked"), "{last}");
}

#[test]
fn a_configuration_that_cannot_be_read_again_is_an_alert_until_it_can() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let mut night = Night::begin(stage, PASSWORD);
    let good = night.stage.space.read("leasehold.yaml").expect("it is there");
    night.stage.space.file("leasehold.yaml", good.replace("secret:", "secert:"));
    night.sidecar.signal(Signal::SIGHUP);
    night.until("the complaint", || night.has_logged("the configuration stays as it was").then_some(()));
    assert_eq!(night.metric("leasehold_reload_error"), Some(1.0));
    night.scrape();
    night.fires(&["LeaseholdReloadFailed"]).shows("Configuration not re-read", |count| count == 1.0);
    let status = night.stage.get("/status").expect("it listens").json();
    assert!(status["process"]["reload_error"].as_str().is_some_and(|why| why.contains("secert")), "{status}");
    night.is_explained_by("LeaseholdReloadFailed", "unknown key `secert`");
    night.stage.space.file("leasehold.yaml", good);
    night.sidecar.signal(Signal::SIGHUP);
    wait_until("it to be in force", SOON, || night.metric("leasehold_reload_error") == Some(0.0));
    night.reads_within(SOON, &[": ready\n"]);
    for words in ["not ready any more", "login lost", "ready again"] {
        assert!(!night.has_logged(words), "a reload is no loss: {}", night.sidecar.stderr());
    }
    night.end().expect_code(0);
}

#[test]
fn every_alert_has_a_page_with_numbered_steps_and_leads_to_it() {
    let page = crate::support::guide::page("docs/guides/troubleshooting.md");
    let rules = crate::support::guide::page("manifests/prometheus/leasehold.rules.yaml");
    let shared = crate::support::guide::page("manifests/prometheus/alertmanager.yaml");
    let all = alerts();
    assert!(all.len() >= 14, "{all:?}");
    for alert in &all {
        let section =
            page.split(&format!("\n### {alert}\n")).nth(1).unwrap_or_else(|| panic!("{alert}: no section"));
        let section = section.split("\n##").next().unwrap_or_default();
        assert!(section.contains("\n1. ") && section.contains("\n2. "), "{alert}: {section}");
        let link = format!("docs/guides/troubleshooting.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{link}");
    }
    // The commands of each page are run where its alert fires, by one of these tests.
    let tests = [include_str!("mod.rs"), include_str!("others.rs")].concat();
    for alert in &all {
        let runs = ["is_explained_by", "follows_the_page_of"].map(|how| format!("{how}(\"{alert}\""));
        let broken = format!("is_explained_by(\n            \"{alert}\"");
        assert!(runs.iter().chain([&broken]).any(|run| tests.contains(run)), "nobody follows {alert}'s page");
    }
    let named = regex::Regex::new("Leasehold[A-Z][A-Za-z]+").expect("an expression");
    let unknown: Vec<&str> = named
        .find_iter(&shared)
        .map(|one| one.as_str())
        .filter(|name| !all.iter().any(|all| all == name))
        .collect();
    assert!(unknown.is_empty(), "alertmanager.yaml names {unknown:?}");
}

/// How long a person waits for what stays wrong to be logged again.
const MINUTE: Duration = Duration::from_secs(60);
