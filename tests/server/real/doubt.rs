//! Logins that are refused for a while, and a mesh that denies everything for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Identity, KubernetesRole, Listener, Lives, SOON, Stage, request, wait_until};
use leasehold_testkit::evidence;

const FILES: &str = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
                     - {path: password, secret: 'secret/web#password', refresh: 1s}\n";

#[test]
fn a_pod_that_starts_while_its_reviewer_is_away_or_before_its_role_is_ready_soon_after() {
    let mut fault = evidence!(34, Server);
    let stage = Stage::new();
    stage.put_password("one");
    stage.cluster.is_away(true);
    let sidecar = stage.start(&stage.config(FILES));
    wait_until("the refusal to be logged", SOON, || sidecar.stderr().contains("the login is refused"));
    // After 1, 2 and 4 seconds: the fourth is about 7 s after the first.
    wait_until("four refusals", SOON * 2, || stage.logins() >= 4);
    assert!(!stage.ready());
    stage.cluster.is_away(false);
    let took = wait_until("readiness", SOON * 2, || stage.ready());
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_login_failing_seconds 0");
    sidecar.stop().expect_code(0);

    let config = stage.config(FILES).replace("role: web", "role: late");
    let sidecar = stage.start(&config);
    let before = stage.logins();
    wait_until("three refusals", SOON * 2, || stage.logins() >= before + 3);
    let role = KubernetesRole { name: "late", policies: &["web"], ttl: "1h", max_ttl: "2h" };
    stage.server.kubernetes_role(&role, &Identity::default());
    wait_until("readiness", SOON * 2, || stage.ready());
    sidecar.stop().expect_code(0);
    stage.assert_nothing_left();
    assert!(took < Duration::from_secs(25), "{took:?}");
    fault.holds("a TokenReview that is away for 7 s, and a role that is made after three refusals: the next try is granted");
}

#[test]
fn a_mesh_that_denies_everything_for_a_while_costs_no_login_and_no_lease() {
    let mut fault = evidence!(35, Wire);
    let stage = Stage::with(Lives { lease: (40, 7200), ..Lives::default() });
    stage.put_password("one");
    let behind = stage.server.plain_address();
    let behind = behind.trim_start_matches("http://").parse().expect("an address");
    let denies: Arc<Mutex<Option<Instant>>> = Arc::default();
    let until = Arc::clone(&denies);
    let mesh = Listener::start(move |asked| {
        let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) {
            return (403, json!({ "errors": ["permission denied"] }).to_string());
        }
        let token: Vec<(&str, &str)> =
            asked.token.iter().map(|token| ("X-Vault-Token", token.as_str())).collect();
        let body = serde_json::from_slice(&asked.body).ok();
        match request(behind, &asked.method, &asked.path, &token, body.as_ref()) {
            Ok(reply) => (reply.status, reply.text),
            Err(_) => (502, String::new()),
        }
    });
    let tls =
        format!("address: '{}', ca_file: '{}'", stage.server.address(), stage.server.ca_file().display());
    let config = stage.config(FILES).replace(&tls, &format!("address: 'http://{}'", mesh.address()));
    assert!(config.contains(&mesh.address().to_string()), "{config}");
    let sidecar = stage.sidecar(&config);
    let user = stage.read("user").expect("rendered");
    // Just after the login a denial is put down to a standby that lags.
    wait_until("the standbys' time to be over", SOON * 2, || stage.server.requests("secret/data/web") >= 12);
    *denies.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + Duration::from_secs(15));
    let readyz = || stage.get("/readyz").map(|reply| (reply.status, reply.text)).unwrap_or_default();
    wait_until("readiness to say it", SOON, || {
        let (status, text) = readyz();
        status == 200 && text.contains("not logged in since")
    });
    wait_until("the login to be refused", SOON, || {
        !stage.metrics().contains("leasehold_login_failing_seconds 0\n")
    });
    wait_until("the token to be taken back", SOON * 2, || {
        assert_eq!(readyz().0, 200, "{:?}", readyz());
        sidecar.stderr().contains("the server takes the token again")
    });
    stage.put_password("two");
    wait_until("what came after", SOON, || stage.read("password").is_some_and(|now| now.ends_with("-two")));
    assert_eq!((stage.logins(), stage.read("user")), (1, Some(user)));
    assert_eq!(stage.server.leases("rabbitmq/").len(), 1);
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    fault.metric(&stage.metrics(), "leasehold_login_failing_seconds 0");
    sidecar.stop().expect_code(0);
    stage.assert_nothing_left();
    fault.holds("15 s of 403 in the server's words: /readyz stays 200 and says since when, then the token and its lease go on");
}
