//! Bad days of the API server and the Vault: no Secret is lost or emptied, nothing is minted for it, and what has changed
//! meanwhile is there soon after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leasehold_testkit::evidence;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::gate::{Asked, Fate, Gate};
use crate::stage::{Controller, SOON, Stage, definition, encoded, secret, spec};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::support::workspace::Workspace;
use crate::support::write_certificates;
use crate::synced::{make, value_of, with_accounts};

const HERE: &str = "https://kubernetes.default.svc";

/// Makes a SyncedSecret's specification with a value, and with a one-time password that has a lease.
pub(crate) fn leased(path: &str) -> serde_json::Value {
    json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s",
        "data": {
            "value": {"secret": format!("{path}#value")},
            "otp": {"template": "{{ with secret \"ssh/creds/otp\" \"ip=127.0.0.1\" }}{{ .Data.key }}{{ end }}"},
        },
    })
}

pub(crate) fn through(stage: &Stage, gate: &Gate, name: &str, args: &[&str]) -> Controller {
    let token = stage.api.token("leasehold", "leasehold-sync", &[HERE]);
    stage.launch(&token, name, (args, &[]), &gate.url())
}

/// Lets one-time passwords live long enough for a test.
pub(crate) fn long_leases(stage: &Stage) {
    let long = json!({"default_lease_ttl": "1h", "max_lease_ttl": "1h"});
    stage.vault.ask("POST", "sys/mounts/ssh/tune", Some(long)).ok();
}

#[test]
fn an_api_server_that_is_away_or_refuses_costs_no_secret_and_no_mint() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(72, Server);
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    // Each write is refused at first, each time in another way.
    let mut refused = std::collections::BTreeMap::<String, usize>::new();
    let mut statuses = [409, 429, 500, 503, 504].into_iter().cycle();
    gate.rule(move |asked: &Asked| {
        let times = refused.entry(format!("{} {}", asked.method, asked.path)).or_default();
        *times += 1;
        if asked.writes() && *times <= 2 {
            Fate::Answer(statuses.next().expect("a circle"))
        } else {
            Fate::Pass
        }
    });
    let mut controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    make(&stage, "shop", "web", &leased("secret/data/web"));
    wait_until("the Secret", SOON, || value_of(&stage, "web", "value").as_deref() == Some("one"));
    let otp = value_of(&stage, "web", "otp").expect("a password");
    controller.until_ready();
    assert_eq!(stage.vault.requests("ssh/creds/otp"), 1, "one mint, however often the Secret was refused");

    // It is away while a secret changes in Vault.
    gate.pass();
    gate.away(true);
    stage.put("secret/data/web", &json!({"value": "two"}));
    let reads = stage.vault.requests("secret/data/web");
    wait_until("the change to be read", SOON, || stage.vault.requests("secret/data/web") >= reads + 3);
    assert_eq!(value_of(&stage, "web", "value").as_deref(), Some("one"));
    assert_eq!(controller.child.ended(), None);
    gate.away(false);
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    assert_eq!(value_of(&stage, "web", "otp").as_deref(), Some(&*otp));
    assert_eq!(stage.vault.requests("ssh/creds/otp"), 1);
    evidence.holds("409, 429, 500, 503 and 504 to every write, and then no API server at all: one mint, the Secret unchanged, and what changed meanwhile is there after the return");
}

/// The API server writes a new value, its answer is lost, and no watch tells of the write. Then Vault has the old value again,
/// which is what the controller believes to be in the Secret.
#[test]
fn a_secret_whose_write_had_no_answer_is_compared_before_it_counts_as_published() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let mut controller = through(&stage, &gate, "sync-0", &[]);
    stage.define("app", &spec("app", "secret/data/app"));
    stage.until("app", "foo", "one");
    controller.until_ready();

    let (back, mut lost) = (Arc::new(AtomicBool::new(false)), false);
    let answers = Arc::clone(&back);
    gate.rule(move |asked: &Asked| {
        let of_secret = asked.path.contains("/secrets/app");
        if asked.path.contains("watch=") && asked.path.contains("/secrets") {
            Fate::Break
        } else if of_secret && asked.method == "PUT" && !std::mem::replace(&mut lost, true) {
            Fate::Lose
        } else if of_secret && lost && !answers.load(Ordering::SeqCst) {
            Fate::Break
        } else {
            Fate::Pass
        }
    });
    gate.cut();
    stage.put("secret/data/app", &json!({"value": "two"}));
    stage.until("app", "foo", "two");
    stage.put("secret/data/app", &json!({"value": "one"}));
    let reads = stage.vault.requests("secret/data/app");
    wait_until("the old value to be read", SOON, || stage.vault.requests("secret/data/app") >= reads + 2);
    back.store(true, Ordering::SeqCst);
    stage.until("app", "foo", "one");
    gate.pass();
}

#[test]
fn a_watch_that_is_cut_or_whose_history_is_gone_misses_nothing() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(73, Server);
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let mut controller = through(&stage, &gate, "sync-0", &[]);
    stage.define("app", &spec("app", "secret/data/app"));
    stage.until("app", "foo", "hello");
    controller.until_ready();
    let drift = json!([{"op": "replace", "path": "/data/foo", "value": encoded("mine")}]);
    for status in [None, Some(410), Some(429), Some(500)] {
        // What is changed while nothing is watched is seen after.
        gate.away(true);
        stage.api.patch(&secret("app"), &drift).ok();
        let name = format!("new-{}", status.unwrap_or_default());
        stage.define(&name, &spec(&name, "secret/data/app"));
        let mut left = 3;
        gate.rule(move |asked| match status {
            Some(status) if asked.path.contains("watch=") && left > 0 => {
                left -= 1;
                if status == 410 { Fate::Gone } else { Fate::Answer(status) }
            }
            _ => Fate::Pass,
        });
        gate.away(false);
        stage.until("app", "foo", "hello");
        stage.until(&name, "foo", "hello");
        gate.pass();
        // And what is deleted.
        gate.away(true);
        stage.api.ask("DELETE", &secret("app"), None).ok();
        stage.api.ask("DELETE", &definition(&name), None).ok();
        gate.away(false);
        stage.until("app", "foo", "hello");
        wait_until("the definition to be gone", SOON, || stage.get(&definition(&name)).is_none());
        assert_eq!(stage.secret(&name), None);
    }
    controller.until_ready();
    evidence.holds("what other hands changed, made or deleted meanwhile is put right, made or deleted after it; 410, 429 and 500 to the next watches change nothing of that");
}

/// So many objects take a busy machine.
const MANY: Duration = Duration::from_secs(240);

/// kube asks for 500 objects at a time, and reconciles those of the first answer while it still has their old forms.
#[test]
fn a_new_list_of_many_pages_misses_no_change_of_the_time_before_it() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    for (path, value) in [("secret/data/app", "one"), ("secret/data/other", "two")] {
        stage.put(path, &json!({"value": value}));
    }
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    // Objects are listed by name: the first is on the first page.
    let name = |at: usize| format!("d{at:03}");
    (0..510).for_each(|at| stage.define(&name(at), &spec(&name(at), "secret/data/app")));
    let controller = through(&stage, &gate, "sync-0", &[]);
    let has = |at: usize, wanted: &str| stage.value(&name(at), "foo").as_deref() == Some(wanted);
    wait_until("all Secrets", MANY, || (0..510).all(|at| has(at, "one")));
    assert!(controller.ask("/livez").is_some());
    gate.away(true);
    stage.redefine(&name(0), &spec(&name(0), "secret/data/other"));
    let mut left = 1;
    gate.rule(move |asked| {
        let watches = asked.path.contains("secretdefinitions") && asked.path.contains("watch=");
        if watches && left > 0 {
            left -= 1;
            return Fate::Gone;
        }
        Fate::Pass
    });
    let before = gate.asked().len();
    gate.away(false);
    wait_until("the change", MANY, || has(0, "two"));
    let listed =
        |asked: &&Asked| asked.path.contains("secretdefinitions") && asked.path.contains("continue=");
    assert!(gate.asked()[before..].iter().any(|asked| listed(&asked)), "it is a new list, of two pages");
}

#[test]
fn without_a_vault_the_last_good_secret_stays_whatever_answers_in_its_place() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(74, Server);
    let stage = Stage::start();
    with_accounts(&stage);
    long_leases(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let proxy = stage.vault.behind_a_proxy();
    let mut controller = stage.controller_with(&["-vault.auth-method=none"], &[("VAULT_ADDR", &proxy.url())]);
    make(&stage, "shop", "web", &leased("secret/data/web"));
    wait_until("the Secret", SOON, || value_of(&stage, "web", "value").as_deref() == Some("one"));
    controller.until_ready();
    let before = stage.get("/api/v1/namespaces/shop/secrets/web");
    // Pages of a proxy, a Vault that is sealed, and one that hangs.
    proxy.answers("");
    wait_until("pages", SOON, || proxy.paged("") >= 12);
    assert_eq!(stage.get("/api/v1/namespaces/shop/secrets/web"), before);
    stage.vault.seal();
    proxy.ends();
    let seen = |line: &str| controller.ask("/metrics").is_some_and(|(_, text)| text.contains(line));
    wait_until("the outage to be known", SOON, || {
        seen("leasehold_sync_server_up{login=\"service account shop/web with role web\"} 0")
    });
    assert_eq!(stage.get("/api/v1/namespaces/shop/secrets/web"), before);
    stage.vault.unseal();
    stage.put("secret/data/web", &json!({"value": "two"}));
    wait_until("the change", SOON, || value_of(&stage, "web", "value").as_deref() == Some("two"));
    assert_eq!(stage.vault.requests("ssh/creds/otp"), 1, "the lease is the same");
    assert_eq!(stage.vault.requests("auth/kubernetes/login"), 1, "and the login");
    assert!(!controller.child.stderr().contains("CANARY"), "{}", controller.child.stderr());
    evidence.holds("pages of every status in place of the Vault, then a sealed one: the Secret unchanged, no login and no mint, and what changed meanwhile is there after the return");
}

#[test]
fn an_etcd_that_is_restored_from_an_older_state_gets_what_is_true_now() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(77, Server);
    let mut stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    let mut controller = stage.controller(&[]);
    stage.define("app", &spec("app", "secret/data/app"));
    stage.define("gone", &spec("gone", "secret/data/app"));
    stage.until("app", "foo", "one");
    stage.until("gone", "foo", "one");
    stage.api.back_up();
    stage.put("secret/data/app", &json!({"value": "two"}));
    stage.until("app", "foo", "two");
    stage.until("gone", "foo", "two");
    stage.define("later", &spec("later", "secret/data/app"));
    stage.until("later", "foo", "two");
    stage.api.ask("DELETE", &definition("gone"), None).ok();
    wait_until("the definition to be gone", SOON, || stage.get(&definition("gone")).is_none());
    stage.api.restore();
    // Not by the Secret's value, which a period of the controller may have put right by now.
    assert!(stage.get(&definition("gone")).is_some(), "it is the older state");
    // It ends, as every program that watches has to, and its pod starts it again.
    assert_eq!(controller.child.wait(SOON).code(), Some(69));
    assert!(controller.child.stderr().contains("its etcd was restored"), "{}", controller.child.stderr());
    let controller = stage.controller(&[]);
    stage.until("app", "foo", "two");
    // What was deleted is defined again, and of what was never defined nothing is written.
    stage.until("gone", "foo", "two");
    assert_eq!((stage.get(&definition("later")), stage.secret("later")), (None, None));
    controller.let_pass(&stage, 3, "secret/data/app");
    assert_eq!((stage.get(&definition("later")), stage.secret("later")), (None, None));
    evidence.holds("noticed within 20 s by the versions that begin again lower: the process ends with 69, nothing is revoked, and what starts in its place gives all Secrets the values that are in Vault now");
}

#[test]
fn two_controllers_without_an_election_agree_and_come_to_rest() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(78, Server);
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    let first = stage.controller(&[]);
    let token = stage.api.token("leasehold", "leasehold-sync", &[HERE]);
    let mut second = stage.controller_as(&token, "sync-1", &[]);
    second.until_ready();
    for at in 0..5 {
        stage.define(&format!("app-{at}"), &spec(&format!("app-{at}"), "secret/data/app"));
    }
    for text in ["one", "two"] {
        stage.put("secret/data/app", &json!({"value": text}));
        for at in 0..5 {
            stage.until(&format!("app-{at}"), "foo", text);
        }
    }
    let all =
        |controller: &Controller| (0..5).all(|at| controller.status_of(&format!("app-{at}")) == Some(1.0));
    wait_until("both to be well", SOON, || all(&first) && all(&second));
    // At rest, neither writes what the other has written.
    let versions = || {
        (0..5)
            .map(|at| {
                stage.secret(&format!("app-{at}")).map(|live| live["metadata"]["resourceVersion"].clone())
            })
            .collect::<Vec<_>>()
    };
    let before = versions();
    first.let_pass(&stage, 8, "secret/data/app");
    assert_eq!(versions(), before);
    evidence.holds("each write is under the version that was compared, so that one of two loses and compares again; at rest neither writes");
}

#[test]
fn a_lease_of_a_replica_whose_clock_is_wrong_is_taken_when_it_stays_as_it_is() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(76, Server);
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "hello"}));
    stage.define("app", &spec("app", "secret/data/app"));
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "5ac9a181.secrets-manager.tuenti.io", "namespace": "leasehold"},
        "spec": {
            "holderIdentity": "gone", "leaseDurationSeconds": 2, "leaseTransitions": 1,
            "acquireTime": "2099-01-01T00:00:00.000000Z", "renewTime": "2099-01-01T00:00:00.000000Z",
        },
    });
    stage.api.create(&lease).ok();
    let token = stage.api.token("leasehold", "leasehold-sync", &[HERE]);
    let mut controller = stage.controller_as(&token, "sync-0", &["-enable-leader-election"]);
    stage.until("app", "foo", "hello");
    controller.child.signal(Signal::SIGTERM);
    assert!(controller.child.wait(SOON).success());
    evidence.holds("no replica compares its clock with another's: a Lease that was renewed in 2099 is taken once it has stayed as it is for its life");
}

/// As where cert-manager replaces the authority of the Vault, in a volume of the controller.
#[test]
fn an_authority_that_is_replaced_is_used_within_a_minute() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    stage.put("secret/data/app", &json!({"value": "one"}));
    let space = Workspace::new();
    write_certificates(&space);
    let authority = space.join("ca.pem");
    let token = stage.api.token("leasehold", "leasehold-sync", &[HERE]);
    let file = authority.display().to_string();
    let controller = stage.launch(&token, "sync-0", (&[], &[("VAULT_CACERT", &file)]), &stage.api.address());
    stage.define("app", &spec("app", "secret/data/app"));
    let up = "leasehold_sync_server_up{login=\"the controller\"}";
    wait_until("the Vault to be taken for another", SOON, || {
        controller.ask("/metrics").is_some() && controller.metric(up) == Some(0.0)
    });
    std::fs::copy(stage.vault.ca_file(), &authority).expect("a fresh folder");
    // A minute, and the pause of a server that was away.
    wait_until("the Secret", 4 * SOON, || stage.value("app", "foo").as_deref() == Some("one"));
    let log = controller.child.stderr();
    assert!(log.contains("TLS files changed: new connections to the Vault use them"), "{log}");
}
