//! The end of a sidecar: nothing is left on the server, and nothing is cut short.

use std::time::Duration;

use crate::support::{Leasehold, Lives, SOON, Stage, wait_until};

/// What Kubernetes gives a pod between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(30);

const LEASES: &str = "files:\n- {path: user, secret: 'rabbitmq/creds/app#username'}\n\
    - {path: cert, template: '{{ with secret \"pki/issue/web\" \"common_name=web.test\" }}{{ .Data.certificate }}{{ end }}'}\n";

#[test]
fn a_post_to_quit_revokes_everything_and_ends_with_0() {
    let stage = Stage::new();
    let sidecar = stage.sidecar(&stage.config(LEASES));
    assert_eq!(stage.server.leases("pki/").len() + stage.server.leases("rabbitmq/").len(), 2);
    assert_eq!(stage.post("/quit").status, 202);
    sidecar.wait(GRACE).expect_code(0);
    stage.assert_nothing_left();
    assert!(stage.read("user").is_some(), "the application may still be reading");
}

#[test]
fn a_request_to_quit_is_answered_also_where_nothing_is_to_be_revoked() {
    let stage = Stage::new();
    stage.put_password("one");
    let files = "files:\n- {path: password, secret: 'secret/web#password'}\nshutdown: {revoke: false}\n";
    let sidecar = stage.sidecar(&stage.config(files));
    let quit = Leasehold::new(&stage.space).run(&["quit", "--config", "leasehold.yaml"]);
    assert_eq!(quit.expect_code(0).stdout, "quitting\n");
    sidecar.wait(GRACE).expect_code(0);
}

#[test]
fn a_classic_sidecar_keeps_renewing_while_the_application_drains_and_then_revokes() {
    let stage = Stage::with(Lives { token: (4, 600), lease: (4, 600), ..Lives::default() });
    let config = stage.config(&format!("{LEASES}shutdown: {{delay: 8s}}\n"));
    let mut sidecar = stage.sidecar(&config);
    let user = stage.read("user").expect("rendered");
    let asked =
        || (stage.server.requests("sys/leases/renew"), stage.server.requests("auth/token/renew-self"));
    let (leases, tokens) = asked();
    sidecar.signal(nix::sys::signal::Signal::SIGTERM);
    let told = std::time::Instant::now();
    // Both live four seconds: without renewal they would be dead before the delay is over.
    wait_until("two renewals of each after SIGTERM", SOON, || {
        assert!(stage.rabbit.users().contains(&user), "the application's user was deleted");
        let (more_leases, more_tokens) = asked();
        more_leases >= leases + 2 && more_tokens >= tokens + 2
    });
    assert!(sidecar.runs(), "{}", sidecar.stderr());
    let finished = sidecar.wait(GRACE).expect_code(0);
    let took = told.elapsed();
    assert!(took >= Duration::from_secs(8) && took < GRACE, "{took:?}\n{}", finished.stderr);
    stage.assert_nothing_left();
}

#[test]
fn sigterm_while_the_server_hangs_ends_within_the_grace_of_a_pod() {
    let stage = Stage::new();
    let sidecar = stage.sidecar(&stage.config(LEASES));
    stage.server.freeze();
    let told = std::time::Instant::now();
    let finished = sidecar.stop();
    assert!(told.elapsed() < GRACE, "{:?}", told.elapsed());
    assert!(finished.stderr.contains("revoke"), "what may be left is told: {}", finished.stderr);
    stage.server.thaw();
}

#[test]
fn without_revocation_the_next_one_goes_on_where_it_ended() {
    let stage = Stage::new();
    let config = stage.config(&format!("{LEASES}shutdown: {{revoke: false}}\n"));
    stage.sidecar(&config).stop().expect_code(0);
    let user = stage.read("user").expect("it stays");
    assert!(stage.rabbit.users().contains(&user), "and lives");
    let _next = stage.sidecar(&config);
    assert_eq!((stage.logins(), stage.read("user")), (1, Some(user)));
}
