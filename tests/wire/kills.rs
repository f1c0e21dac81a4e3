//! A server that is slow to say that it has revoked something, and a process that is killed meanwhile.

use std::sync::{Condvar, Mutex};

use nix::sys::signal::Signal;

use crate::support::{Leasehold, Running, SOON, Workspace, request_unix, wait_until};

use super::*;
use leasehold_testkit::evidence;

/// What the server knows: how many logins it granted, which of them are revoked, and whether it may say so.
#[derive(Default)]
struct Known {
    logins: usize,
    revoked: Vec<String>,
    may_answer: bool,
}

type Shared = Arc<(Mutex<Known>, Condvar)>;

fn answer(known: &Shared, asked: &server::Asked, wire: &mut dyn Wire) -> io::Result<()> {
    let (lock, changed) = &**known;
    let mut state = lock.lock().expect("not poisoned");
    let token = asked.header("x-vault-token").unwrap_or_default().to_owned();
    let path = asked.line.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
    if path == "/v1/auth/approle/login" {
        state.logins += 1;
        let auth = format!(
            r#"{{"auth":{{"client_token":"s.token{0}","accessor":"acc{0}","lease_duration":3600,"renewable":true,"token_type":"service"}}}}"#,
            state.logins
        );
        return reply(wire, 200, &[], auth.as_bytes());
    }
    if path == "/v1/sys/health" {
        return running::good(asked, wire);
    }
    if state.revoked.contains(&token) {
        return reply(wire, 403, &[], br#"{"errors":["permission denied"]}"#);
    }
    let number = token.trim_start_matches("s.token");
    match path.as_str() {
        "/v1/auth/token/lookup-self" => {
            let body = format!(
                r#"{{"data":{{"accessor":"acc{number}","ttl":3000,"renewable":true,"type":"service"}}}}"#
            );
            reply(wire, 200, &[], body.as_bytes())
        }
        "/v1/cubbyhole/db" => {
            let body = format!(
                r#"{{"lease_id":"cubbyhole/db/{number}","lease_duration":3600,"renewable":true,"data":{{"user":"user{number}"}}}}"#
            );
            reply(wire, 200, &[], body.as_bytes())
        }
        "/v1/auth/token/revoke-self" => {
            state.revoked.push(token);
            changed.notify_all();
            let (state, _) =
                changed.wait_timeout_while(state, SOON, |known| !known.may_answer).expect("not poisoned");
            drop(state);
            reply(wire, 204, &[], b"")
        }
        _ => reply(wire, 404, &[], br#"{"errors":[]}"#),
    }
}

fn sidecar(space: &Workspace, url: &str) -> Running {
    space.file("role", "web");
    space.file("secret", TOKEN);
    let dir = space.path().display();
    let config = format!(
        "vault: {{address: '{url}'}}\nauth: {{method: approle, role_id_file: '{dir}/role', secret_id_file: '{dir}/secret'}}\n\
         secrets_dir: '{dir}/secrets'\nhandoff: {{file: '{dir}/handoff/state'}}\nlisten: 'unix:{dir}/status.sock'\n\
         files:\n  - {{path: db, secret: 'cubbyhole/db#user'}}\n"
    );
    let config = space.file("leasehold.yaml", config);
    Leasehold::new(space).spawn(&["sidecar", "--config", config.to_str().expect("UTF-8")])
}

fn ready(space: &Workspace) -> bool {
    request_unix(&space.join("status.sock"), "GET", "/readyz").is_ok_and(|reply| reply.status == 200)
}

#[test]
fn a_run_that_is_killed_while_it_revokes_leaves_no_next_one_that_calls_the_dead_credentials_good() {
    let mut fault = evidence!(38, Wire);
    let known = Shared::default();
    let inside = Arc::clone(&known);
    let server = Server::plain(move |asked, wire| answer(&inside, asked, wire));
    let space = Workspace::new();
    for folder in ["secrets", "handoff"] {
        space.dir(folder);
    }
    let first = sidecar(&space, &server.url());
    wait_until("the first user", SOON, || ready(&space));
    assert_eq!(space.read("secrets/db").as_deref(), Some("user1"));
    first.signal(Signal::SIGTERM);
    wait_until("the revocation to be under way", SOON, || {
        !known.0.lock().expect("not poisoned").revoked.is_empty()
    });
    first.signal(Signal::SIGKILL);
    first.wait(SOON);
    let next = sidecar(&space, &server.url());
    wait_until("another user", SOON, || {
        let was_ready = ready(&space);
        let user = space.read("secrets/db").unwrap_or_default();
        assert!(!was_ready || user == "user2", "ready with {user}");
        was_ready
    });
    let metrics = request_unix(&space.join("status.sock"), "GET", "/metrics").expect("it listens").text;
    fault.metric(&metrics, "leasehold_ready 1");
    fault.metric(&metrics, "leasehold_logins_total 1");
    known.0.lock().expect("not poisoned").may_answer = true;
    known.1.notify_all();
    next.stop().expect_code(0);
    fault.holds("the next run is not ready before it has looked the token up, and mints anew");
}
