//! What a proxy answers in the server's place: pages, empty answers, waits of an hour; and durations at the limits.

use std::collections::BTreeMap as Map;
use std::sync::Mutex;

use super::*;
use crate::support::{Finished, Leasehold, Running, SOON, Workspace, request_unix, wait_until};
use leasehold_testkit::evidence;

/// A status, a header or none, and a body.
type Answer = (u16, &'static [(&'static str, &'static str)], &'static str);

const HTML: &str = "<html><title>CANARY</title>default backend</html>";

/// What ingresses and meshes say.
const PAGES: [Answer; 3] = [(404, &[], HTML), (400, &[], HTML), (403, &[], "RBAC: access denied CANARY")];

/// What answers for the server: on paths that begin so, the next answers, or one for good.
#[derive(Default)]
struct Proxy {
    next: Mutex<Map<&'static str, Vec<Answer>>>,
    always: Mutex<Map<&'static str, Answer>>,
    value: AtomicUsize,
}

impl Proxy {
    fn once(&self, path: &'static str, answers: &[Answer]) {
        self.next.lock().expect("whole").insert(path, answers.to_vec());
    }

    fn always(&self, path: &'static str, answer: Option<Answer>) {
        let mut all = self.always.lock().expect("whole");
        match answer {
            Some(answer) => all.insert(path, answer),
            None => all.remove(path),
        };
    }

    fn answer(&self, path: &str) -> Option<Answer> {
        let mut next = self.next.lock().expect("whole");
        let once = next.iter_mut().find(|(of, left)| path.starts_with(**of) && !left.is_empty());
        if let Some((_, left)) = once {
            return Some(left.remove(0));
        }
        let always = self.always.lock().expect("whole");
        always.iter().find(|(of, _)| path.starts_with(**of)).map(|(_, answer)| *answer)
    }
}

/// A server that does well, behind a proxy. Leases live for `ttl` seconds, and so does the token.
fn behind(proxy: &Arc<Proxy>, ttl: u64) -> Server {
    let (proxy, minted) = (Arc::clone(proxy), AtomicUsize::new(0));
    Server::plain(move |asked, wire| {
        let path = asked.line.split([' ', '?']).nth(1).unwrap_or_default();
        if let Some((status, headers, text)) = proxy.answer(path) {
            return reply(wire, status, headers, text.as_bytes());
        }
        let value = proxy.value.load(Ordering::SeqCst);
        let auth = format!(
            r#"{{"auth":{{"client_token":"{TOKEN}","accessor":"a","lease_duration":{ttl},"renewable":true}}}}"#
        );
        let text = match path {
            "/v1/sys/health" => r#"{"initialized":true,"sealed":false}"#.to_owned(),
            "/v1/auth/approle/login" | "/v1/auth/token/renew-self" => auth,
            "/v1/auth/token/lookup-self" => {
                format!(r#"{{"data":{{"accessor":"a","ttl":{ttl},"renewable":true}}}}"#)
            }
            "/v1/auth/token/revoke-self" | "/v1/sys/leases/revoke" => return reply(wire, 204, &[], b""),
            "/v1/sys/leases/renew" => {
                format!(
                    r#"{{"request_id":"1","lease_id":"l","lease_duration":{ttl},"renewable":true,"data":null}}"#
                )
            }
            "/v1/database/creds/web" => {
                let user = minted.fetch_add(1, Ordering::SeqCst) + 1;
                format!(
                    r#"{{"lease_id":"l","lease_duration":{ttl},"renewable":true,"data":{{"username":"u{user}"}}}}"#
                )
            }
            // Each lives for three seconds, and cannot be renewed.
            "/v1/made/web" => format!(
                r#"{{"lease_id":"m","lease_duration":3,"renewable":false,"data":{{"k":"v{value}"}}}}"#
            ),
            "/v1/kv1/app" => format!(r#"{{"data":{{"k":"v{value}"}}}}"#),
            "/v1/kv1" | "/v1/kv1/" => r#"{"data":{"keys":["app","b"]}}"#.to_owned(),
            _ => return reply(wire, 404, &[], br#"{"errors":[]}"#),
        };
        reply(wire, 200, &[], text.as_bytes())
    })
}

const FILES: &str = "files:
- {path: db, template: '{{ with secret \"database/creds/web\" }}{{ .Data.username }}{{ end }}'}
- {path: kv, refresh: 1s, template: '{{ with secret \"kv1/app\" }}{{ range $k, $v := .Data }}{{ $k }}={{ $v }}{{ end }}{{ end }}'}
- {path: list, refresh: 1s, template: '{{ range secrets \"kv1\" }}{{ . }},{{ end }}'}
";

fn config(space: &Workspace, server: &Server, files: &str) -> String {
    let dir = space.path().display();
    space.dir("secrets");
    space.file("role", "role");
    space.file("id", "CANARY-secret-id");
    let text = format!(
        "vault: {{address: '{}', timeout: 5s}}\n\
         auth: {{method: approle, role_id_file: '{dir}/role', secret_id_file: '{dir}/id'}}\n\
         secrets_dir: '{dir}/secrets'\n\
         init: {{timeout: 3s}}\n\
         listen: 'unix:{dir}/socket'\n{files}",
        server.url()
    );
    space.file("leasehold.yaml", text).to_string_lossy().into_owned()
}

fn sidecar(space: &Workspace, server: &Server, files: &str) -> Running {
    Leasehold::new(space).spawn(&["sidecar", "--config", &config(space, server, files)])
}

fn count(server: &Server, path: &str) -> usize {
    server.asked().iter().filter(|asked| asked.line.contains(path)).count()
}

fn get(space: &Workspace, path: &str) -> String {
    request_unix(&space.join("socket"), "GET", path).expect("it listens").text
}

fn status(space: &Workspace, path: &str) -> Option<u16> {
    request_unix(&space.join("socket"), "GET", path).ok().map(|reply| reply.status)
}

fn read(space: &Workspace, name: &str) -> String {
    space.read(&format!("secrets/{name}")).unwrap_or_default()
}

fn published(space: &Workspace) {
    wait_until("the files", SOON * 2, || {
        read(space, "db") == "u1" && read(space, "kv") == "k=v0" && read(space, "list") == "app,b,"
    });
}

fn silent(finished: &Finished) {
    finished.assert_silent_about("CANARY");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[test]
fn pages_at_a_start_are_no_refusal_and_are_named() {
    let mut fault = evidence!(31, Wire);
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    let server = behind(&proxy, 3600);
    proxy.once("/v1/auth/approle/login", &PAGES);
    let sidecar = sidecar(&space, &server, FILES);
    published(&space);
    assert_eq!(count(&server, "approle/login"), 4);
    fault.metric(&get(&space, "/metrics"), "leasehold_logins_total 1");
    let finished = sidecar.stop();
    assert!(
        finished.stderr.contains("a proxy answered for Vault: 404 with an HTML page"),
        "{}",
        finished.stderr
    );
    silent(&finished);
    fault.holds(
        "a 404, a 400 and a 403 of a proxy on the first logins: asked again behind a pause, then logged in",
    );
}

#[test]
fn pages_on_all_paths_are_an_outage_until_they_stop() {
    let mut fault = evidence!(31, Wire);
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    let server = behind(&proxy, 3600);
    let sidecar = sidecar(&space, &server, FILES);
    published(&space);
    proxy.value.store(1, Ordering::SeqCst);
    proxy.always("/v1/", Some(PAGES[2]));
    wait_until("the outage to show", SOON, || {
        get(&space, "/metrics").lines().any(|line| line == "leasehold_server_up 0")
    });
    assert_eq!(status(&space, "/readyz"), Some(200), "{}", get(&space, "/readyz"));
    let asked = server.asked().len();
    proxy.always("/v1/", None);
    wait_until("the new value", SOON, || read(&space, "kv") == "k=v1");
    assert!(asked < 60, "{asked} requests");
    assert_eq!((count(&server, "approle/login"), count(&server, "/v1/database/creds/web")), (1, 1));
    fault.metric(&get(&space, "/metrics"), "leasehold_logins_total 1");
    let finished = sidecar.stop();
    assert!(
        finished.stderr.contains("the server is away: a proxy answered for Vault: 403"),
        "{}",
        finished.stderr
    );
    silent(&finished);
    fault.holds("ready throughout, few requests, no login, no lease, current within seconds of the end");
}

#[test]
fn pages_on_renewals_prove_no_loss() {
    let mut fault = evidence!(31, Wire);
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    // The fourth renewal, which is granted, comes before three quarters of the token's time are over, whatever the jitter.
    let server = behind(&proxy, 28);
    proxy.once("/v1/sys/leases/renew", &PAGES);
    proxy.once("/v1/auth/token/renew-self", &PAGES);
    let sidecar = sidecar(&space, &server, FILES);
    published(&space);
    wait_until("renewals that are granted", SOON * 3, || {
        count(&server, "leases/renew") > PAGES.len() && count(&server, "renew-self") > PAGES.len()
    });
    assert_eq!((count(&server, "approle/login"), count(&server, "/v1/database/creds/web")), (1, 1));
    assert_eq!(read(&space, "db"), "u1");
    fault.metric(&get(&space, "/metrics"), "leasehold_logins_total 1");
    fault.metric(&get(&space, "/metrics"), "leasehold_replacements_total 0");
    let finished = sidecar.stop();
    assert!(finished.stderr.contains("could not renew the token: a proxy answered"), "{}", finished.stderr);
    silent(&finished);
    fault.holds(
        "pages on the renewals of a lease and of the token: tried again until granted, nothing minted",
    );
}

#[test]
fn pages_end_init_at_its_deadline_with_the_cause() {
    let mut fault = evidence!(31, Wire);
    for path in ["/v1/", "/v1/auth/", "/v1/kv1/"] {
        let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
        let server = behind(&proxy, 3600);
        proxy.always(path, Some(PAGES[0]));
        let finished = Leasehold::new(&space).run(&["init", "--config", &config(&space, &server, FILES)]);
        fault.exit(finished.code, 69);
        let last = finished.last_line();
        assert!(last.contains("a proxy answered for Vault: 404 with an HTML page"), "{last}");
        finished.assert_silent_about("CANARY");
    }
    fault.holds("the last line names the proxy and its page");
}

#[test]
fn a_revocation_that_a_page_answers_is_not_done() {
    let fault = evidence!(31, Wire);
    for answer in [(200, &[][..], HTML), (200, &[], ""), (404, &[], HTML), (200, &[], "{}")] {
        let server = Server::plain(move |_, wire| reply(wire, answer.0, answer.1, answer.2.as_bytes()));
        let client = client(&plan(&server.url()));
        let (token, lease) = (Secret::from(TOKEN), LeaseId("l".to_owned()));
        let failures = run(async {
            let lease = client.revoke_lease(&lease, &token).await;
            [lease.expect_err("a failure"), client.revoke_self(&token).await.expect_err("a failure")]
        });
        for failure in failures {
            assert_eq!(failure.kind, FailureKind::Intercepted, "{failure}");
        }
    }
    fault.holds("a page does not count as a revocation");
}

#[test]
fn answers_without_data_empty_no_file() {
    const EMPTY: [Answer; 7] = [
        (200, &[], ""),
        (204, &[], ""),
        (200, &[], "{}"),
        (200, &[], r#"{"errors":["x"]}"#),
        (200, &[], r#"{"data":null}"#),
        (200, &[], r#"{"initialized":true,"sealed":true}"#),
        (
            200,
            &[],
            r#"{"data":{"data":null,"metadata":{"version":2,"created_time":"2026-01-01T00:00:00Z"}}}"#,
        ),
    ];
    let mut fault = evidence!(32, Wire);
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    let server = behind(&proxy, 3600);
    let sidecar = sidecar(&space, &server, FILES);
    published(&space);
    for empty in EMPTY {
        proxy.always("/v1/kv1", Some(empty));
        let (kv, list) = (count(&server, "/v1/kv1/app "), count(&server, "list=true"));
        wait_until("two looks at both", SOON * 2, || {
            count(&server, "/v1/kv1/app ") > kv + 1 && count(&server, "list=true") > list + 1
        });
        assert_eq!(
            (read(&space, "kv").as_str(), read(&space, "list").as_str()),
            ("k=v0", "app,b,"),
            "{}",
            empty.2
        );
    }
    fault.metric(&get(&space, "/metrics"), "leasehold_file_error{file=\"kv\"} 1");
    proxy.always("/v1/kv1", None);
    proxy.value.store(1, Ordering::SeqCst);
    wait_until("the new value", SOON, || read(&space, "kv") == "k=v1");
    silent(&sidecar.stop());
    fault.holds("the last good bytes stay, for reads and for lists");
}

/// A server may answer a write with nothing, and so may a proxy.
#[test]
fn an_empty_answer_to_a_write_that_brought_data_before_empties_no_file() {
    const MADE: &str = "files:
- {path: made, template: 'k={{ with secret \"made/web\" \"name=web\" }}{{ .Data.k }}{{ end }}'}
";
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    let server = behind(&proxy, 3600);
    let sidecar = sidecar(&space, &server, MADE);
    wait_until("the file", SOON * 2, || read(&space, "made") == "k=v0");
    proxy.value.store(1, Ordering::SeqCst);
    for empty in [(204, &[][..], ""), (202, &[], "")] {
        proxy.always("/v1/made", Some(empty));
        let made = count(&server, "/v1/made/web");
        wait_until("two tries", SOON * 2, || count(&server, "/v1/made/web") > made + 1);
        assert_eq!(read(&space, "made"), "k=v0", "{empty:?}");
    }
    let metrics = get(&space, "/metrics");
    assert!(metrics.contains("leasehold_file_error{file=\"made\"} 1"), "{metrics}");
    proxy.always("/v1/made", None);
    wait_until("the new value", SOON * 2, || read(&space, "made") == "k=v1");
    silent(&sidecar.stop());
}

#[test]
fn an_hour_that_one_path_is_told_to_wait_stops_nothing_else() {
    let mut fault = evidence!(33, Wire);
    let (space, proxy) = (Workspace::new(), Arc::new(Proxy::default()));
    let server = behind(&proxy, 8);
    let sidecar = sidecar(&space, &server, FILES);
    published(&space);
    proxy.once("/v1/kv1/app", &[(503, &[("Retry-After", "3600")], HTML)]);
    let known = server.asked().len();
    wait_until("that answer", SOON, || {
        server.asked()[known..].iter().any(|asked| asked.line.contains("kv1/app"))
    });
    let (renewed, listed) = (count(&server, "leases/renew"), count(&server, "list=true"));
    wait_until("renewals and the other path", SOON * 2, || {
        count(&server, "leases/renew") > renewed + 1 && count(&server, "list=true") > listed + 2
    });
    assert_eq!(status(&space, "/readyz"), Some(200), "{}", get(&space, "/readyz"));
    fault.metric(&get(&space, "/metrics"), "leasehold_replacements_total 0");
    let finished = sidecar.stop();
    let told = finished.stderr.matches("asked to come back in 3600 s").count();
    assert_eq!(told, 1, "{}", finished.stderr);
    silent(&finished);
    fault.holds("renewals and other paths go on, and the wait is logged once");
}

#[test]
fn durations_at_the_limits_are_a_hundred_years() {
    const LONG: [&str; 6] =
        ["18446744073709551615", "18446744073709551614", "1e19", "9223372036854775807", "3153600000", "0.5"];
    let mut fault = evidence!(52, Wire);
    let server = Server::plain(|asked, wire| {
        let path = asked.line.split([' ', '?']).nth(1).unwrap_or_default();
        let place = path.strip_prefix("/v1/cubbyhole/").and_then(|name| name.parse::<usize>().ok());
        let long = place.and_then(|place| LONG.get(place)).copied().unwrap_or(LONG[0]);
        let text = match path {
            "/v1/sys/health" => r#"{"initialized":true,"sealed":false}"#.to_owned(),
            "/v1/auth/approle/login" => format!(
                r#"{{"auth":{{"client_token":"{TOKEN}","accessor":"a","lease_duration":{long},"renewable":true}}}}"#
            ),
            "/v1/cubbyhole/rotates" => r#"{"data":{"k":"v","rotation_period":1e300,"ttl":1e300}}"#.to_owned(),
            "/v1/cubbyhole/id" => r#"{"data":{"k":"v","secret_id":"x","secret_id_ttl":1.8e308}}"#.to_owned(),
            "/v1/cubbyhole/certificate" => {
                r#"{"data":{"k":"v","certificate":"x","expiration":9e30}}"#.to_owned()
            }
            "/v1/auth/token/revoke-self" => return reply(wire, 204, &[], b""),
            _ => format!(
                r#"{{"data":{{"k":"v"}},"lease_id":"l{path}","lease_duration":{long},"renewable":true}}"#
            ),
        };
        reply(wire, 200, &[], text.as_bytes())
    });
    let space = Workspace::new();
    let names: Vec<String> = (0..LONG.len())
        .map(|place| place.to_string())
        .chain(["rotates", "id", "certificate"].map(str::to_owned))
        .collect();
    let file = |name: &String| format!("- {{path: 'f{name}', secret: 'cubbyhole/{name}#k'}}\n");
    let files = format!("files:\n{}", names.iter().map(file).collect::<String>());
    let mut sidecar = sidecar(&space, &server, &files);
    wait_until("every file", SOON * 2, || names.iter().all(|name| read(&space, &format!("f{name}")) == "v"));
    assert!(sidecar.runs(), "{}", sidecar.stderr());
    let finished = sidecar.stop();
    silent(&finished);
    fault.exit(finished.code, 0);
    fault.holds("durations of 2^64 - 1 seconds and beyond: published, kept, revoked at the end");
}
