//! A proxy in front of a real server that answers with pages: before batch tokens, wrapped tokens and namespaces.

use serde_json::{Value, json};

use leasehold_testkit::evidence;

use crate::support::{Finished, Lives, PAGES, Proxy, SOON, Stage, wait_until};

const FILES: &str = "files:
- {path: user, secret: 'rabbitmq/creds/app#username'}
- {path: password, secret: 'secret/web#password', refresh: 1s}
";

/// The stage's configuration, whose server is behind the proxy.
fn config(stage: &Stage, proxy: &Proxy, rest: &str) -> String {
    let config = stage.config(rest);
    let direct = config.lines().next().expect("the server's line").to_owned();
    config.replace(&direct, &format!("vault: {{address: '{}', timeout: 5s}}", proxy.url()))
}

/// Nothing that a page says is shown, and the end is a good one.
fn ended_well(finished: Finished) -> Finished {
    finished.assert_silent_about("CANARY");
    finished.expect_code(0)
}

/// Answers everything with pages while a new password waits, and then nothing any more: the files stay what they
/// were, no login and no lease is minted, and the new password is there soon.
#[track_caller]
fn pages_change_nothing(stage: &Stage, proxy: &Proxy, minted: &str) {
    let (user, logins, mints) =
        (stage.read("user").expect("rendered"), stage.logins(), stage.server.requests(minted));
    assert_eq!((logins, mints), (1, 1));
    proxy.answers("");
    stage.put_password("two");
    wait_until("every kind of page to be answered", 3 * SOON, || proxy.paged("") >= PAGES.len());
    assert!(stage.ready(), "what is on disk is good");
    assert_eq!(stage.read("user"), Some(user.clone()));
    proxy.ends();
    wait_until("the new password", SOON, || stage.read("password").is_some_and(|now| now.ends_with("-two")));
    assert_eq!(stage.read("user"), Some(user.clone()));
    assert_eq!((stage.logins(), stage.server.requests(minted)), (1, 1), "a page has minted something");
    assert_eq!(stage.rabbit.users(), [user].into());
}

#[test]
fn pages_before_a_batch_token_mint_nothing_and_its_lease_is_revoked_at_the_end() {
    let mut fault = evidence!(31, Server);
    let stage = Stage::new();
    stage.put_password("one");
    stage.role(json!({ "token_type": "batch" }));
    let proxy = stage.server.behind_a_proxy();
    let sidecar = stage.sidecar(&config(&stage, &proxy, FILES));
    pages_change_nothing(&stage, &proxy, "rabbitmq/creds/app");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    proxy.answers_next("sys/leases/revoke", 2, PAGES[0]);
    ended_well(sidecar.stop());
    assert_eq!(proxy.paged("sys/leases/revoke"), 2);
    wait_until("the user to be gone", SOON, || stage.rabbit.users().is_empty());
    fault.holds(
        "a batch token is kept over pages of every status, and its lease is revoked although pages answer",
    );
}

#[test]
fn a_batch_token_that_ends_behind_pages_is_followed_soon_after_them() {
    let mut fault = evidence!(31, Server);
    let stage = Stage::with(Lives { token: (6, 6), ..Lives::default() });
    stage.put_password("one");
    stage.role(json!({ "token_type": "batch" }));
    let proxy = stage.server.behind_a_proxy();
    let sidecar = stage.sidecar(&config(&stage, &proxy, FILES));
    proxy.answers("");
    wait_until("the user to end with its token", 2 * SOON, || stage.rabbit.users().is_empty());
    let logins = stage.logins();
    wait_until("the files not to be ready any more", SOON, || !stage.ready());
    assert!(stage.read("user").is_some(), "what was there stays");
    proxy.ends();
    wait_until("a user that lives", SOON, || {
        stage.ready() && stage.read("user").is_some_and(|user| stage.rabbit.users().contains(&user))
    });
    assert!(stage.logins() <= logins + 2, "no storm: {} after {logins}", stage.logins());
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    ended_well(sidecar.stop());
    wait_until("the users to be gone", SOON, || stage.rabbit.users().is_empty());
    fault.holds(
        "a batch token that ends while pages answer: not ready meanwhile, a living user within seconds after",
    );
}

#[test]
fn pages_before_a_namespace_mint_nothing_and_its_lease_is_revoked_at_the_end() {
    let mut fault = evidence!(31, Server);
    let stage = Stage::new();
    stage.put_password("one");
    crate::real::leftovers::in_a_team(&stage);
    let proxy = stage.server.behind_a_proxy();
    let files = FILES.replace("rabbitmq/", "team/rabbitmq/");
    let sidecar = stage.sidecar(&config(&stage, &proxy, &files));
    // The server logs the path within the namespace.
    pages_change_nothing(&stage, &proxy, "rabbitmq/creds/app");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    for path in ["team/sys/leases/revoke", "sys/leases/revoke", "auth/token/revoke-self"] {
        proxy.answers_next(path, 1, PAGES[3]);
    }
    ended_well(sidecar.stop());
    assert_eq!(proxy.paged("auth/token/revoke-self"), 1, "it was answered with a page first");
    stage.assert_nothing_left();
    fault.holds("nothing is minted over pages before a namespace; its lease and the login are revoked although pages answer");
}

#[test]
fn a_sink_is_wrapped_once_more_where_a_page_took_the_wrapping() {
    let stage = Stage::new();
    stage.put_password("one");
    let proxy = stage.server.behind_a_proxy();
    proxy.answers_next("sys/wrapping/wrap", 1, PAGES[0]);
    proxy.takes_the_next_answer("sys/wrapping/wrap", PAGES[3]);
    let sinks = format!("{FILES}sinks: [{{path: token, wrap_ttl: 5m}}]\n");
    let sidecar = stage.sidecar(&config(&stage, &proxy, &sinks));
    assert_eq!((proxy.paged("sys/wrapping/wrap"), stage.logins()), (2, 1));
    let before = stage.read("token").expect("a sink");
    proxy.answers("sys/wrapping/wrap");
    assert_eq!(stage.post("/refresh").status, 202);
    wait_until("a page for the next wrapping", SOON, || proxy.paged("sys/wrapping/wrap") > 2);
    assert_eq!(stage.read("token"), Some(before.clone()), "the last wrapping stays");
    proxy.ends();
    wait_until("another wrapping", SOON, || stage.read("token").is_some_and(|now| now != before));
    let token = opened(&stage, "token")["data"]["token"].as_str().expect("the token").to_owned();
    let lives = || stage.server.ask_as(&token, "GET", "auth/token/lookup-self", None).status == 200;
    assert!(lives() && stage.logins() == 1, "no login for a page");
    ended_well(sidecar.stop());
    assert!(!lives(), "it is revoked");
}

/// What is kept under the wrapping token of a sink.
fn opened(stage: &Stage, sink: &str) -> Value {
    let content: Value = serde_json::from_str(&stage.read(sink).expect("a sink")).expect("JSON");
    let token = content["token"].as_str().expect("a token");
    stage.server.ask_as(token, "POST", "sys/wrapping/unwrap", None).ok().json()
}

#[test]
fn a_wrapped_login_whose_answer_a_page_took_is_made_once_more() {
    let stage = Stage::new();
    let proxy = stage.server.behind_a_proxy();
    proxy.answers_next("auth/kubernetes/login", 1, PAGES[1]);
    proxy.takes_the_next_answer("auth/kubernetes/login", PAGES[3]);
    let sinks = config(&stage, &proxy, "sinks: [{path: login}]\n");
    let sinks = sinks.replace("role: web,", "role: web, wrap_ttl: 2m,").replace("handoff:", "# handoff:");
    let sidecar = stage.sidecar(&sinks);
    assert_eq!(stage.logins(), 2, "the one that is shown, and the one whose answer was lost");
    let login = opened(&stage, "login");
    let token = login["auth"]["client_token"].as_str().expect("a login");
    assert_eq!(stage.server.ask_as(token, "GET", "auth/token/lookup-self", None).status, 200);
    ended_well(sidecar.stop());
}

/// An approle that logs in with a wrapped secret id, behind the proxy.
fn wrapped(stage: &Stage, proxy: &Proxy) -> String {
    stage.put_password("one");
    let (role_id, _) = stage.server.approle("web", &["web"], "1h");
    stage.space.file("role-id", role_id);
    let config = config(stage, proxy, FILES);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let dir = stage.space.path().display();
    config.replace(
        &own,
        &format!(
            "auth: {{method: approle, role_id_file: '{dir}/role-id', secret_id_file: '{dir}/wrapped', \
             secret_id_wrapped: auth/approle/role/web/secret-id}}"
        ),
    )
}

fn deliver(stage: &Stage) {
    let made = stage.server.ask_wrapped("POST", "auth/approle/role/web/secret-id", Some(json!({})), "10m");
    stage.space.file("wrapped", made.json()["wrap_info"]["token"].as_str().expect("a wrapping token"));
}

#[test]
fn pages_before_a_wrapped_secret_id_are_no_theft_and_use_nothing_up() {
    let mut fault = evidence!(31, Server);
    let stage = Stage::new();
    let proxy = stage.server.behind_a_proxy();
    let config = wrapped(&stage, &proxy);
    deliver(&stage);
    proxy.answers_next("sys/wrapping/lookup", 1, PAGES[0]);
    proxy.answers_next("sys/wrapping/unwrap", 1, PAGES[2]);
    let sidecar = stage.sidecar(&config);
    assert_eq!((proxy.paged("sys/wrapping/lookup"), proxy.paged("sys/wrapping/unwrap")), (1, 1));
    assert_eq!(
        (stage.server.requests("sys/wrapping/unwrap"), stage.server.requests("auth/approle/login")),
        (1, 1)
    );
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    let finished = ended_well(sidecar.stop());
    assert!(!finished.stderr.contains("ALERT"), "{}", finished.stderr);
    stage.assert_nothing_left();
    fault.holds(
        "pages in place of the look at a wrapping token and of its opening: asked again, no alert, one login",
    );
}

#[test]
fn a_wrapped_secret_id_whose_opening_a_page_answered_is_no_theft_and_says_why() {
    let mut fault = evidence!(31, Server);
    let stage = Stage::new();
    let proxy = stage.server.behind_a_proxy();
    let config = wrapped(&stage, &proxy);
    for page in PAGES {
        let _ = std::fs::remove_dir_all(stage.space.join("handoff"));
        deliver(&stage);
        proxy.takes_the_next_answer("sys/wrapping/unwrap", page);
        let finished = stage.init(&config);
        fault.exit(finished.code, 77);
        let last = finished.last_line();
        assert!(last.contains("most likely by our own request, whose answer was lost"), "{page:?}: {last}");
        assert!(
            last.contains("a proxy in front of the server may have taken the answer"),
            "{page:?}: {last}"
        );
        assert!(last.contains(&format!("{}", page.0)), "{page:?}: {last}");
        assert!(!finished.stderr.contains("ALERT"), "{page:?}: {}", finished.stderr);
        finished.assert_silent_about("CANARY");
        // The next run knows that the token was asked for.
        let again = stage.init(&config).expect_code(77);
        assert!(!again.stderr.contains("ALERT"), "{page:?}: {}", again.stderr);
    }
    assert_eq!((stage.server.requests("auth/approle/login"), stage.published()), (0, Vec::new()));
    deliver(&stage);
    fault.exit(stage.init(&config).code, 0);
    fault.holds("a page in place of an opened secret id: refused with the words that a proxy may have taken the answer, no alert");
}
