//! Rotations that go wrong in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold::vault::validity::Validity;
use leasehold_testkit::evidence;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::cluster::{Cluster, REGISTRATION, SECRET, manifest, moment, own, register, write_kubeconfig};
use crate::support::api_server::api_server_possible;
use crate::support::http::{Asked, Listener};
use crate::support::ports::free_port;
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::{SOON, Webhook};

const SHORT: [&str; 4] = ["--certificate-life", "24s", "--authority-life", "48s"];

fn is_injected(cluster: &Cluster) -> bool {
    let reply = cluster.admit();
    assert!(reply.status == 201, "{}", reply.text);
    reply.text.contains("vault-agent-init")
}

#[test]
fn two_replicas_that_both_lead_make_one_authority() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(2);
    // No Leases for anybody: each replica acts as a leader would.
    let role = "/apis/rbac.authorization.k8s.io/v1/namespaces/leasehold/roles/leasehold-webhook";
    let only_the_secret =
        json!([{"op": "replace", "path": "/rules", "value": [cluster.get(role)["rules"][0]]}]);
    cluster.server.patch(role, &only_the_secret).ok();
    let mut replicas = [cluster.replica(0, &SHORT), cluster.replica(1, &SHORT)];
    replicas.iter_mut().for_each(Webhook::until_ready);
    cluster.until_admitted();
    let first = cluster.secret("ca.crt");
    let begun = Instant::now();
    // Two authorities later.
    let (mut authorities, mut known) = (0, first);
    while authorities < 2 {
        assert!(is_injected(&cluster));
        let now = cluster.secret("ca.crt");
        authorities += u32::from(now != known);
        known = now;
        assert!(begun.elapsed() < Duration::from_secs(240), "{}", replicas[0].child.stderr());
        moment();
    }
    let made = |replica: &Webhook| replica.child.stderr().matches("a new authority was made").count();
    assert_eq!(made(&replicas[0]) + made(&replicas[1]), 2, "each authority was made once");
    for replica in &replicas {
        assert!(replica.child.stderr().contains("every replica renews certificates by itself"));
        // A second look, for the bundle may be written anew between the two.
        let is_trusted = || replica.is_trusted_by(&cluster.bundle(0));
        assert!(is_trusted() || is_trusted());
    }
    evidence!(60, Server).holds("one of them writes, the other takes what was written; no pod is refused");
}

#[test]
fn a_leader_that_dies_between_two_writes_leaves_nothing_half_done() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(2);
    let mut replicas = [cluster.replica(0, &SHORT), cluster.replica(1, &SHORT)];
    replicas.iter_mut().for_each(Webhook::until_ready);
    cluster.until_admitted();
    let begun = Instant::now();
    let before = cluster.secret("ca.crt");
    while cluster.secret("ca.crt") == before {
        assert!(begun.elapsed() < Duration::from_secs(120), "no new authority");
        std::thread::sleep(Duration::from_millis(2));
    }
    // The Secret has the new authority; whether the bundle has it is a matter of milliseconds.
    let dead = usize::from(cluster.leader() == "replica-1");
    replicas[dead].child.kill();
    let entry = format!("https://127.0.0.1:{}/mutate", cluster.ports[dead]);
    let webhooks = cluster.get(REGISTRATION)["webhooks"].clone();
    let at = webhooks.as_array().expect("a list").iter().position(|one| one["clientConfig"]["url"] == entry);
    let remove = json!([{"op": "remove", "path": format!("/webhooks/{}", at.expect("it is registered"))}]);
    cluster.server.patch(REGISTRATION, &remove).ok();
    // API servers forget an entry a moment after it has gone.
    wait_until("the dead replica to be forgotten", SOON, || cluster.admit().status == 201);
    let other = &replicas[1 - dead];
    wait_until("the other one to go on", Duration::from_secs(120), || {
        assert!(is_injected(&cluster), "{}", other.child.stderr());
        moment();
        let bundle = cluster.bundle(0);
        let authority = STANDARD.decode(cluster.secret("ca.crt")).expect("base64");
        bundle.contains(String::from_utf8_lossy(&authority).trim())
            && other.is_trusted_by(&String::from_utf8_lossy(&authority))
    });
    evidence!(61, Server).holds("the next leader goes on from what the cluster has; no pod is refused");
}

/// Starts a pretended API server, which keeps its objects in memory and says that the time is `date`. Returns the
/// server and its objects.
fn pretended(
    date: SystemTime,
    objects: BTreeMap<String, Value>,
) -> (Listener, Arc<Mutex<BTreeMap<String, Value>>>) {
    let objects = Arc::new(Mutex::new(objects));
    let shared = Arc::clone(&objects);
    let headers = format!("Date: {}\r\n", httpdate::fmt_http_date(date));
    let listener = Listener::with_headers(&headers, move |asked: &Asked| {
        let mut objects = shared.lock().expect("no test panics with it");
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        match asked.method.as_str() {
            "PUT" => drop(objects.insert(path.clone(), body)),
            "POST" => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                objects.insert(format!("{path}/{name}"), body.clone());
                return (201, body.to_string());
            }
            "PATCH" => {
                let operations = serde_json::from_value::<json_patch::Patch>(body).expect("a patch");
                json_patch::patch(objects.get_mut(&path).expect("it is there"), &operations)
                    .expect("it applies");
            }
            _ => {}
        }
        objects.get(&path).map_or((404, "{}".to_owned()), |object| (200, object.to_string()))
    });
    (listener, objects)
}

#[test]
fn the_clock_of_the_api_server_counts_for_certificates() {
    let port = free_port();
    let mut registration = manifest()
        .into_iter()
        .find(|object| object["kind"] == "MutatingWebhookConfiguration")
        .expect("it is shipped");
    register(&mut registration, &[port]);
    registration["metadata"]["resourceVersion"] = json!("1");
    // This machine is two days ahead.
    let date = SystemTime::now() - Duration::from_secs(2 * 86_400);
    let objects = BTreeMap::from([(REGISTRATION.to_owned(), registration)]);
    let (api, objects) = pretended(date, objects);
    let space = Workspace::new();
    let config = write_kubeconfig(&space, &format!("http://{}", api.address()), None, "any");
    let mut webhook = own(space, &config, port, "ahead", &[]);
    webhook.until_ready();
    let secret = objects.lock().expect("no test panics with it")[SECRET].clone();
    let pem = STANDARD.decode(secret["data"]["tls.crt"].as_str().expect("it is written")).expect("base64");
    let Validity { start, end } =
        Validity::of(&CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a certificate");
    let theirs =
        i64::try_from(date.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs()).expect("fits");
    assert!(
        (theirs - 3700..=theirs - 3500).contains(&start),
        "an hour before the API server's time: {start}, {theirs}"
    );
    assert!(end > theirs && end < theirs + 90_000);
    assert!(
        webhook.child.stderr().contains("clock differs from the API server's"),
        "{}",
        webhook.child.stderr()
    );
    evidence!(59, Wire).holds("certificates are made for the time in the API server's answers, and the log says that the clocks differ");
}
