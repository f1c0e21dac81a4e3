//! Certificates of the webhook's own, on a real API server, with the rights that the shipped manifest gives.

use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cluster::{Cluster, LEASE, REGISTRATION, SECRET, moment};
use leasehold_testkit::evidence;

use crate::support::api_server::api_server_possible;
use crate::support::http::Reply;
use crate::support::wait::wait_until;
use crate::{SOON, Webhook};

/// Lives of which a test sees several. The margins are seconds, for a machine where every core is busy.
const SHORT: [&str; 4] = ["--certificate-life", "30s", "--authority-life", "60s"];

fn refused(reply: &Reply) -> Option<String> {
    (reply.status != 201 || !reply.text.contains("vault-agent-init")).then(|| reply.text.clone())
}

#[test]
fn two_replicas_share_certificates_and_rotate_them_without_one_refused_pod() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(2);
    let mut replicas = [cluster.replica(0, &SHORT), cluster.replica(1, &SHORT)];
    replicas.iter_mut().for_each(Webhook::until_ready);
    cluster.until_admitted();
    let first = (cluster.secret("ca.crt"), cluster.secret("tls.crt"));
    assert_ne!(first.0, "", "the Secret is filled");
    let leader = cluster.leader();
    assert!(leader.starts_with("replica-"), "{leader}");
    let metric = |replica: &Webhook| replica.plain("/metrics").expect("metrics").text;
    let leading = replicas.iter().filter(|replica| metric(replica).contains("leasehold_kubernetes_leader 1"));
    assert_eq!(leading.count(), 1, "one leads");

    // Until the authority has changed and the first one has left the bundle. Each admission asks both replicas.
    let (begun, mut pods, mut leaves) = (Instant::now(), 0, 0);
    let (mut leaf, mut most) = (first.1.clone(), 0);
    let gone = |bundle: &str| {
        let pem = base64::engine::general_purpose::STANDARD.decode(&first.0).expect("base64");
        !bundle.contains(String::from_utf8(pem).expect("PEM").trim())
    };
    loop {
        let reply = cluster.admit();
        assert_eq!(refused(&reply), None, "after {:?} and {pods} pods", begun.elapsed());
        pods += 1;
        let bundle = cluster.bundle(0);
        // A new connection each, where the API server may keep its own. On a busy machine the bundle may have been
        // written anew since it was read, and a certificate of the new authority be served by now.
        for replica in &replicas {
            assert!(
                replica.is_trusted_by(&bundle) || replica.is_trusted_by(&cluster.bundle(0)),
                "after {:?}: {}",
                begun.elapsed(),
                replica.child.stderr()
            );
        }
        most = most.max(bundle.matches("BEGIN").count());
        let now = cluster.secret("tls.crt");
        leaves += usize::from(now != leaf);
        leaf = now;
        if gone(&bundle) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(240), "{bundle}");
        moment();
    }
    assert!(leaves >= 2 && pods >= 20 && most == 2, "{leaves} certificates, {pods} pods, {most} authorities");
    let (authority, ready) =
        (cluster.secret("ca.crt"), replicas.iter().all(|replica| replica.unready().is_none()));
    assert!(authority != first.0 && ready);

    // The leader is killed. Its entry leaves the registration, as its endpoint leaves a Service; the other one leads.
    let dead = usize::from(cluster.leader() == "replica-1");
    let remove = json!([{"op": "remove", "path": format!("/webhooks/{dead}")}]);
    cluster.server.patch(REGISTRATION, &remove).ok();
    replicas[dead].child.kill();
    let other = format!("replica-{}", 1 - dead);
    let before = cluster.secret("tls.crt");
    wait_until("the other replica to renew the certificate", Duration::from_secs(120), || {
        assert_eq!(refused(&cluster.admit()), None);
        moment();
        cluster.leader() == other && cluster.secret("tls.crt") != before
    });
}

#[test]
fn the_shipped_rights_are_enough_and_none_is_too_many() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(1);
    let mut webhook = cluster.replica(0, &[]);
    webhook.until_ready();
    cluster.until_admitted();
    let log = webhook.child.stderr();
    assert!(!log.contains("forbidden"), "{log}");
    // What it may, asked of the API server itself, verb by verb.
    let token = cluster.server.token("leasehold", "leasehold-webhook", &["https://kubernetes.default.svc"]);
    let mut granted = Vec::new();
    let kinds = [
        ("", "secrets", "leasehold-webhook-certificates"),
        ("", "secrets", "other"),
        ("", "pods", ""),
        ("", "configmaps", ""),
        ("coordination.k8s.io", "leases", "leasehold-webhook"),
        ("coordination.k8s.io", "leases", "other"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "leasehold-webhook"),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "other"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
        ("rbac.authorization.k8s.io", "roles", ""),
    ];
    for namespace in ["leasehold", "default"] {
        for (group, resource, name) in kinds {
            for verb in ["get", "list", "watch", "create", "update", "patch", "delete"] {
                let attributes = json!({"namespace": namespace, "group": group, "resource": resource, "name": name, "verb": verb});
                let review = json!({
                    "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": attributes},
                });
                let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
                let answer = cluster.server.ask_as(&token, "POST", path, Some(&review)).ok().json();
                if answer["status"]["allowed"] == true {
                    granted.push(format!("{namespace} {verb} {resource}/{name}"));
                }
            }
        }
    }
    let expected = [
        "leasehold get secrets/leasehold-webhook-certificates",
        "leasehold update secrets/leasehold-webhook-certificates",
        "leasehold get leases/leasehold-webhook",
        "leasehold create leases/leasehold-webhook",
        "leasehold update leases/leasehold-webhook",
        "leasehold create leases/other",
        "leasehold get mutatingwebhookconfigurations/leasehold-webhook",
        "leasehold patch mutatingwebhookconfigurations/leasehold-webhook",
        // It is of the cluster, in whichever namespace it is asked about.
        "default get mutatingwebhookconfigurations/leasehold-webhook",
        "default patch mutatingwebhookconfigurations/leasehold-webhook",
    ];
    assert_eq!(granted, expected);
    // SIGTERM gives the Lease back.
    webhook.child.signal(nix::sys::signal::Signal::SIGTERM);
    wait_until("the Lease to be free", SOON, || cluster.leader().is_empty());
    assert!(webhook.child.wait(SOON).success());
}

#[test]
fn what_happens_to_the_secret_and_the_registration_is_mended() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(1);
    let mut webhook = cluster.replica(0, &[]);
    webhook.until_ready();
    cluster.until_admitted();
    let held = cluster.secret("tls.crt");
    // Garbage, or nothing: what is served goes on, and is written back.
    for data in [json!({"tls.crt": "AAAA"}), json!({}), json!(null)] {
        let mut secret = cluster.get(SECRET);
        secret["data"] = data;
        cluster.server.ask("PUT", SECRET, Some(&secret)).ok();
        wait_until("the Secret to be written back", SOON, || {
            assert_eq!(refused(&cluster.admit()), None);
            cluster.secret("tls.crt") == held
        });
    }
    // Deleted: it may not be made anew, so what is served goes on; the manifest applied again is filled again.
    cluster.server.ask("DELETE", SECRET, None).ok();
    wait_until("it to be logged", SOON, || webhook.child.stderr().contains("cannot write the Secret"));
    assert_eq!(refused(&cluster.admit()), None);
    assert_eq!(webhook.unready(), None);
    let secret = crate::cluster::manifest()
        .into_iter()
        .find(|object| object["kind"] == "Secret")
        .expect("it is shipped");
    cluster.server.create(&secret).ok();
    wait_until("the Secret to be filled", SOON, || cluster.secret("tls.crt") == held);
    // The bundle is emptied, as by an older manifest that is applied.
    let empty = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]);
    cluster.server.patch(REGISTRATION, &empty).ok();
    wait_until("the bundle to be written back", SOON, || !cluster.bundle(0).is_empty());
    cluster.until_admitted();
    // A registration that would not inject, or is gone: not ready, with the reason.
    let wrong = json!([{"op": "replace", "path": "/webhooks/0/rules/0/resources", "value": ["services"]}]);
    cluster.server.patch(REGISTRATION, &wrong).ok();
    wait_until("it to be not ready", SOON, || {
        webhook.unready().is_some_and(|why| why.contains("no rule of it is about the CREATE of pods"))
    });
    let before = cluster.get(REGISTRATION);
    cluster.server.ask("DELETE", REGISTRATION, None).ok();
    wait_until("it to be not ready", SOON, || {
        webhook
            .unready()
            .is_some_and(|why| why.contains("there is no MutatingWebhookConfiguration leasehold-webhook"))
    });
    let mut again = before;
    again["metadata"] = json!({"name": "leasehold-webhook"});
    again["webhooks"][0]["rules"][0]["resources"] = json!(["pods"]);
    again["webhooks"][0]["clientConfig"]["caBundle"] = Value::Null;
    cluster.server.create(&again).ok();
    webhook.until_ready();
    cluster.until_admitted();
    assert_eq!(cluster.secret("tls.crt"), held, "the same certificate all the while");
    evidence!(58, Server)
        .holds("what is served goes on, no pod is refused, and the Secret is written back once it is there");
}

#[test]
fn a_start_without_an_api_server_waits_and_an_ended_certificate_is_replaced_at_once() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(1);
    let lives = ["--certificate-life", "10s", "--authority-life", "1h"];
    let mut webhook = cluster.replica(0, &lives);
    webhook.until_ready();
    let old = cluster.secret("tls.crt");
    webhook.child.kill();
    // The certificate ends while no replica runs. The next one starts while the API server is away.
    std::thread::sleep(Duration::from_secs(11));
    cluster.server.pause(true);
    let (away, ended) = (evidence!(56, Server), evidence!(57, Server));
    let mut webhook = cluster.replica_with(0, &lives, cluster.kubeconfig_of(&webhook));
    wait_until("it to listen", SOON, || webhook.plain("/livez").is_some_and(|reply| reply.status == 200));
    assert_ne!(webhook.unready(), None);
    cluster.server.pause(false);
    webhook.until_ready();
    cluster.until_admitted();
    assert_ne!(cluster.secret("tls.crt"), old);
    // Away while it runs: what is served is good, and so it stays ready.
    cluster.server.pause(true);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(webhook.unready(), None);
    cluster.server.pause(false);
    wait_until("the Lease to be renewed", SOON, || {
        cluster.get(LEASE)["spec"]["holderIdentity"] == "replica-0"
    });
    away.holds("it listens and says why it is not ready; what it serves stays good, and it stays ready");
    ended.holds("the next replica makes another one at once, without waiting for the Lease");
}

#[test]
fn under_the_rights_of_vault_k8s_each_replica_has_an_authority_of_its_own() {
    if !api_server_possible() {
        return;
    }
    let cluster = Cluster::start(2);
    // As its chart grants them for one replica: the registration, and nothing else.
    for object in crate::dropin::rights() {
        cluster.server.create(&object).ok();
    }
    // Between these lives nobody has to read the other's mind: each adds its own authority to the bundle.
    let mut replicas = [0, 1].map(|at| {
        let space = crate::support::workspace::Workspace::new();
        let config = cluster.kubeconfig(&space, "vault", "vault-agent-injector");
        crate::cluster::own(space, &config, cluster.ports[at], &format!("injector-{at}"), &SHORT)
    });
    replicas.iter_mut().for_each(Webhook::until_ready);
    cluster.until_admitted();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(25) {
        assert_eq!(refused(&cluster.admit()), None);
        moment();
    }
    for replica in &replicas {
        let log = replica.child.stderr();
        assert!(log.contains("this replica uses an authority of its own"), "{log}");
        assert!(log.matches("a new certificate was made").count() >= 1, "{log}");
    }
    assert!(cluster.bundle(0).matches("BEGIN").count() >= 2);
}
