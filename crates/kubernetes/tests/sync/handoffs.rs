//! A new leader goes on with what the one before has left: without another login, and with every lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_testkit::evidence;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::faults::{leased, long_leases, through};
use crate::gate::{Asked, Fate, Gate};
use crate::restarts::{annotations, finish, workload};
use crate::stage::{Controller, SOON, Stage, encoded, value};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, secret, value_of, with_accounts};

pub(crate) const ARGS: [&str; 2] =
    ["-handoff.secret=leasehold-sync-handoff", "-handoff.transit=transit/keys/sync"];

/// Sets up a transit engine that the controller's own login may use, and leases that outlive a test.
fn with_transit(stage: &Stage) {
    with_accounts(stage);
    long_leases(stage);
    stage.vault.ask("POST", "sys/mounts/transit", Some(json!({"type": "transit"}))).ok();
    stage.vault.ask("POST", "transit/keys/sync", Some(json!({}))).ok();
    let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }\n\
                  path \"transit/encrypt/sync\" { capabilities = [\"update\"] }\n\
                  path \"transit/decrypt/sync\" { capabilities = [\"update\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": policy}))).ok();
}

/// Counts the leases of one-time passwords that the server has.
pub(crate) fn leases(stage: &Stage) -> usize {
    let list = stage.vault.ask("LIST", "sys/leases/lookup/ssh/creds/otp", None);
    list.json()["data"]["keys"].as_array().map_or(0, Vec::len)
}

pub(crate) fn handoffs(stage: &Stage) -> Vec<Value> {
    let path = "/api/v1/namespaces/leasehold/secrets?labelSelector=leasehold.dev/handoff";
    stage.get(path).expect("a list")["items"].as_array().expect("a list").clone()
}

/// Starts a leader that keeps a Secret with a lease, and has written its handoff.
pub(crate) fn a_leader(stage: &Stage) -> Controller {
    with_transit(stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let leader = stage.controller(&ARGS);
    make(stage, "shop", "web", &leased("secret/data/web"));
    wait_until("the Secret", SOON, || value_of(stage, "web", "value").as_deref() == Some("one"));
    wait_until("the handoff", SOON, || handoffs(stage).len() == 1);
    leader
}

pub(crate) fn terminate(controller: &mut Controller) {
    controller.child.signal(Signal::SIGTERM);
    assert!(controller.child.wait(SOON).success(), "{}", controller.child.stderr());
}

#[test]
fn a_new_leader_goes_on_with_every_lease_and_without_a_login() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(79, Server);
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    let before = secret(&stage, "shop", "web");
    let kept = handoffs(&stage)[0].clone();
    assert!(
        kept["metadata"]["namespace"] == "leasehold"
            && kept["data"].as_object().is_some_and(|data| data.len() == 1)
    );
    let otp = value_of(&stage, "web", "otp").expect("a password");
    assert!(!kept.to_string().contains(&otp));

    // One that is killed, and one that ends in order.
    let logins = || stage.vault.requests("auth/kubernetes/login");
    first.child.kill();
    let mut second = stage.controller(&ARGS);
    second.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(secret(&stage, "shop", "web"), before);
    terminate(&mut second);
    assert_eq!((leases(&stage), stage.vault.requests("sys/leases/revoke")), (1, 0));
    let third = stage.controller(&ARGS);
    third.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(secret(&stage, "shop", "web"), before);
    assert_eq!((stage.vault.requests("ssh/creds/otp"), logins()), (1, 1));

    // At rest it is not written.
    let version = || handoffs(&stage)[0]["metadata"]["resourceVersion"].clone();
    let at_rest = version();
    third.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(version(), at_rest);

    // With the object everything goes.
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "web")).is_none());
    wait_until("the lease to be gone", SOON, || leases(&stage) == 0);
    wait_until("the handoff to be gone", SOON, || handoffs(&stage).is_empty());
    assert_eq!(secret(&stage, "shop", "web"), None);
    evidence.holds("killed or ended in order: the same lease and the same login go on, encrypted by the transit engine meanwhile, and the Secret is not written; when the object goes, lease, login and handoff go");
}

#[test]
fn what_is_deleted_while_no_controller_runs_is_given_back_by_the_next() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(75, Server);
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    terminate(&mut first);
    assert_eq!(leases(&stage), 1);
    stage.api.ask("DELETE", &place("shop", "web"), None).ok();
    assert!(stage.get(&place("shop", "web")).is_some(), "the finalizer waits for a controller");
    let mut second = stage.controller(&ARGS);
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "web")).is_none());
    wait_until("the lease to be gone", SOON, || leases(&stage) == 0);
    wait_until("the handoff to be gone", SOON, || handoffs(&stage).is_empty());
    assert_eq!(secret(&stage, "shop", "web"), None);
    terminate(&mut second);
    evidence.holds("the finalizer keeps the object until a controller runs; then its Secret, its lease, its login and its handoff go");
}

/// A namespace that is excluded keeps its Secrets, and with them what they were leased with.
#[test]
fn a_new_leader_gives_nothing_back_of_a_namespace_that_it_does_not_watch() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    terminate(&mut first);
    let before = secret(&stage, "shop", "web");
    for more in ["-exclude-namespaces=shop", "-watch-namespaces=other"] {
        let args: Vec<&str> = ARGS.into_iter().chain([more]).collect();
        let mut second = stage.controller(&args);
        wait_until("the handoff to be found", SOON, || second.child.stderr().contains("left the handoff of"));
        // A login that is given back is given back in the second after it was found.
        std::thread::sleep(Duration::from_secs(3));
        terminate(&mut second);
        assert_eq!((handoffs(&stage).len(), leases(&stage)), (1, 1), "{more}");
        assert_eq!(secret(&stage, "shop", "web"), before, "{more}");
    }
    let third = stage.controller(&ARGS);
    third.let_pass(&stage, 3, "secret/data/web");
    assert_eq!((secret(&stage, "shop", "web"), stage.vault.requests("ssh/creds/otp")), (before, 1));
}

/// Several objects ask for one Secret, and it names one of them. A leader that hears of another one first takes that one for
/// its owner, and what the right one has leased for unused.
#[test]
fn a_new_leader_gives_no_lease_back_before_it_knows_whose_the_secrets_are() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    let mut rival = leased("secret/data/web");
    rival["target"] = json!({"name": "web"});
    rival["data"].as_object_mut().expect("a map").remove("otp");
    // A controller hears of objects in any order, so that most of its starts begin with a rival.
    let rivals = ["a", "b", "c", "d", "e", "f", "g"];
    rivals.iter().for_each(|name| make(&stage, "shop", name, &rival));
    for name in rivals {
        wait_until("the rival to be turned away", SOON, || {
            let ready = condition(&stage, "shop", name, "Ready");
            ready.is_some_and(|(_, why)| why.contains("asks for the same Secret"))
        });
    }
    let before = secret(&stage, "shop", "web");
    first.child.kill();

    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let (free, held) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (freed, holds) = (Arc::clone(&free), Arc::clone(&held));
    gate.rule(move |asked: &Asked| {
        let lists = asked.path.contains("/secrets?") && asked.path.contains("limit=500");
        if !lists {
            return Fate::Pass;
        }
        holds.store(true, Ordering::SeqCst);
        Fate::Hold(Arc::clone(&freed))
    });
    let mut second = through(&stage, &gate, "sync-0", &ARGS);
    let watches = |asked: &Asked| asked.path.contains("syncedsecrets?") && asked.path.contains("watch=");
    wait_until("the objects to be known", SOON, || {
        held.load(Ordering::SeqCst) && gate.asked().iter().any(watches)
    });
    // A leader that does not wait takes the objects over in a tenth of this time.
    std::thread::sleep(Duration::from_secs(2));
    free.store(true, Ordering::SeqCst);
    second.until_ready();
    second.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(secret(&stage, "shop", "web"), before);
    assert_eq!((stage.vault.requests("ssh/creds/otp"), leases(&stage)), (1, 1));
}

/// Pods that wait for their restart have what was replaced, and a new leader knows of no pods until it knows the objects.
#[test]
fn a_new_leader_revokes_nothing_before_it_knows_which_pods_were_not_restarted() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_transit(&stage);
    // What is free is revoked after a quarter of what is left of it, and a leader waits for 10 s for all objects.
    let short = json!({"default_lease_ttl": "34s", "max_lease_ttl": "34s"});
    stage.vault.ask("POST", "sys/mounts/ssh/tune", Some(short)).ok();
    let policy = stage.vault.ask("GET", "sys/policies/acl/web", None).json()["data"]["policy"].clone();
    let policy = policy.as_str().expect("a policy");
    let more = format!("{policy}\npath \"sys/leases/revoke\" {{ capabilities = [\"update\"] }}");
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": more}))).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    workload(&stage, "Deployment", "web");
    let mut first = stage.controller(&ARGS);
    let mut spec = leased("secret/data/web");
    spec["wait"] = json!("1s");
    spec["restart"] = json!([{"kind": "Deployment", "name": "web"}]);
    make(&stage, "shop", "web", &spec);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "otp").is_some());
    let otp = value_of(&stage, "web", "otp");
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    assert!(value_of(&stage, "web", "otp") != otp && leases(&stage) == 2);
    first.child.kill();

    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    gate.rule(|asked| match asked.path.contains("secretdefinitions") {
        true => Fate::Answer(500),
        false => Fate::Pass,
    });
    let version = || handoffs(&stage)[0]["metadata"]["resourceVersion"].clone();
    let (before, revoked) = (version(), || stage.vault.requests("sys/leases/revoke"));
    let mut second = through(&stage, &gate, "sync-0", &ARGS);
    wait_until("the handoff to be known", SOON, || second.child.stderr().contains("going on from"));
    terminate(&mut second);
    assert_eq!((version(), revoked()), (before, 0), "it ends before it has begun");

    let third = through(&stage, &gate, "sync-0", &ARGS);
    third.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(revoked(), 0);
    wait_until("the old lease to be revoked", SOON, || {
        finish(&stage, "Deployment", "web");
        revoked() > 0
    });
    assert_eq!(stage.vault.requests("auth/kubernetes/login"), 1);
}

#[test]
fn a_handoff_that_cannot_be_used_costs_a_login_and_nothing_else() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_transit(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let mut first = stage.controller(&ARGS);
    make(&stage, "shop", "web", &leased("secret/data/web"));
    wait_until("the handoff", SOON, || handoffs(&stage).len() == 1);
    wait_until("the Secret", SOON, || secret(&stage, "shop", "web").is_some());
    first.child.kill();
    let name = handoffs(&stage)[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let path = format!("/api/v1/namespaces/leasehold/secrets/{name}");
    let garbage = json!([{"op": "replace", "path": "/data/handoff", "value": "dmF1bHQ6djE6Y2FuYXJ5"}]);
    stage.api.patch(&path, &garbage).ok();
    let mut second = stage.controller(&ARGS);
    wait_until("another password", SOON, || stage.vault.requests("ssh/creds/otp") == 2);
    second.until_ready();
    assert!(
        second.child.stderr().contains("cannot go on from the handoff of service account shop/web"),
        "{}",
        second.child.stderr()
    );
    // One of another hand is left as it is.
    second.child.kill();
    let theirs = json!([{"op": "remove", "path": "/metadata/annotations/leasehold.dev~1handoff-of"}]);
    stage.api.patch(&path, &theirs).ok();
    let before = stage.get(&path);
    let mut third = stage.controller(&ARGS);
    third.until_ready();
    third.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(stage.get(&path), before);
    assert!(third.child.stderr().contains("that another hand made"), "{}", third.child.stderr());
}

/// A role that is taken away for a while, or a policy without the key, is no reason to mint everything anew.
#[test]
fn a_handoff_that_may_not_be_decrypted_now_is_gone_on_from_later() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    terminate(&mut first);
    let before = secret(&stage, "shop", "web");
    let policy = stage.vault.ask("GET", "sys/policies/acl/sync", None).json()["data"]["policy"].clone();
    let without = "path \"secret/data/*\" { capabilities = [\"read\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": without}))).ok();
    let token = stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    let mut second = stage.controller_as(&token, "sync-0", &ARGS);
    make(&stage, "shop", "gone", &leased("secret/data/web"));
    wait_until("a denied try", SOON, || second.child.stderr().contains("cannot be read yet"));
    // What was not begun can be deleted meanwhile.
    wait_until("the finalizer", SOON, || {
        stage.get(&place("shop", "gone")).is_some_and(|it| it["metadata"]["finalizers"].is_array())
    });
    stage.api.ask("DELETE", &place("shop", "gone"), None).ok();
    wait_until("the object to be gone", SOON, || stage.get(&place("shop", "gone")).is_none());
    assert_eq!(stage.vault.requests("auth/kubernetes/login"), 1, "{}", second.child.stderr());
    let said = || second.ask("/readyz").map(|(_, text)| text).unwrap_or_default();
    assert!(said().contains(": the handoff cannot be read yet: "), "{}", said());
    stage.vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": policy}))).ok();
    second.until_ready();
    second.let_pass(&stage, 3, "secret/data/web");
    assert_eq!(secret(&stage, "shop", "web"), before);
    assert_eq!((stage.vault.requests("ssh/creds/otp"), leases(&stage)), (1, 1));
}

/// As after an update whose handoffs have another format.
#[test]
fn a_handoff_of_another_version_is_given_back_when_the_secret_has_other_credentials() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    let mut first = a_leader(&stage);
    terminate(&mut first);
    let name = handoffs(&stage)[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    let path = format!("/api/v1/namespaces/leasehold/secrets/{name}");
    let ciphertext = value(&handoffs(&stage)[0], "handoff").expect("a ciphertext");
    let plain = stage.vault.ask("POST", "transit/decrypt/sync", Some(json!({"ciphertext": ciphertext}))).ok();
    let plain = STANDARD.decode(plain.json()["data"]["plaintext"].as_str().expect("a text")).expect("base64");
    let mut kept: Value = serde_json::from_slice(&plain).expect("JSON");
    kept["version"] = json!(1_000_000);
    let plain = encoded(&kept.to_string());
    let made = stage.vault.ask("POST", "transit/encrypt/sync", Some(json!({"plaintext": plain}))).ok().json();
    let made = encoded(made["data"]["ciphertext"].as_str().expect("a text"));
    stage.api.patch(&path, &json!([{"op": "replace", "path": "/data/handoff", "value": made}])).ok();

    let second = stage.controller(&ARGS);
    wait_until("another password", SOON, || stage.vault.requests("ssh/creds/otp") == 2);
    wait_until("the old one to be given back", SOON, || leases(&stage) == 1);
    assert!(second.child.stderr().contains("no login goes on from the handoff"), "{}", second.child.stderr());
}

#[test]
fn a_transit_key_that_is_denied_costs_no_further_login_and_a_dead_token_costs_one() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_transit(&stage);
    let without = "path \"secret/data/*\" { capabilities = [\"read\"] }";
    let policy = stage.vault.ask("GET", "sys/policies/acl/sync", None).json()["data"]["policy"].clone();
    stage.vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": without}))).ok();
    stage.put("secret/data/web", &json!({"value": "one"}));
    let _controller = stage.controller(&ARGS);
    make(&stage, "shop", "web", &leased("secret/data/web"));
    wait_until("denied tries", SOON, || stage.vault.requests("transit/encrypt/sync") >= 3);
    let logins =
        || stage.vault.requests("auth/kubernetes/login") + stage.vault.requests("auth/approle/login");
    let before = logins();
    let tries = stage.vault.requests("transit/encrypt/sync");
    wait_until("another try", SOON, || stage.vault.requests("transit/encrypt/sync") > tries);
    assert_eq!(logins(), before, "a denial by the policy is not answered by logins");
    stage.vault.ask("PUT", "sys/policies/acl/sync", Some(json!({"policy": policy}))).ok();
    wait_until("the handoff", SOON, || handoffs(&stage).len() == 1);
    assert_eq!(logins(), before, "the token that was denied goes on");

    // Only the tokens of the controller's own login have its policy.
    for accessor in accessors(&stage, "sync") {
        stage.vault.ask("POST", "auth/token/revoke-accessor", Some(json!({"accessor": accessor}))).ok();
    }
    let version = || handoffs(&stage)[0]["metadata"]["resourceVersion"].clone();
    let written = version();
    let text = leased("secret/data/web").to_string().replace("127.0.0.1", "127.0.0.2");
    make(&stage, "shop", "other", &serde_json::from_str(&text).expect("JSON"));
    wait_until("a later handoff", SOON, || version() != written);
    assert_eq!(logins(), before + 1);
}

/// Returns the accessors of the tokens that have a policy.
fn accessors(stage: &Stage, policy: &str) -> Vec<Value> {
    let all = stage.vault.ask("LIST", "auth/token/accessors", None).ok().json();
    let of = |accessor: &Value| {
        let body = Some(json!({"accessor": accessor}));
        let token = stage.vault.ask("POST", "auth/token/lookup-accessor", body).json();
        token["data"]["policies"].as_array().is_some_and(|all| all.contains(&json!(policy)))
    };
    all["data"]["keys"].as_array().expect("a list").iter().filter(|one| of(one)).cloned().collect()
}

/// Runs one life of an object, which is made, changed, renamed and deleted. The leader is killed at the write with the
/// number `at`: before the API server sees the write, or else after it. Returns whether the leader was killed, and at
/// which request.
fn live(stage: &Stage, gate: &Gate, round: usize, (at, before): (usize, bool)) -> (bool, String) {
    let (name, renamed, path) = (format!("r{round}"), format!("n{round}"), format!("secret/data/r{round}"));
    stage.put(&path, &json!({"value": "one"}));
    let (count, victim) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicI32::new(0)));
    let killed_at = Arc::new(std::sync::Mutex::new(String::new()));
    let (counted, hunted, noted) = (Arc::clone(&count), Arc::clone(&victim), Arc::clone(&killed_at));
    gate.rule(move |asked: &Asked| {
        if !asked.writes() || counted.fetch_add(1, Ordering::SeqCst) != at {
            return Fate::Pass;
        }
        *noted.lock().expect("nothing panics here") = format!("{} {}", asked.method, asked.path);
        if before {
            let _killed = kill(Pid::from_raw(hunted.load(Ordering::SeqCst)), Signal::SIGKILL);
            return Fate::Break;
        }
        Fate::Lose
    });
    let mut controller = through(stage, gate, "sync-0", &ARGS);
    victim.store(controller.child.pid().as_raw(), Ordering::SeqCst);
    let mut seen = false;
    let mut step = |stage: &Stage, what: &str, done: &dyn Fn(&Stage) -> bool| {
        wait_until(&format!("{what}, killed at write {at}"), SOON, || {
            // Lost is the answer, and then the leader.
            let lost = !killed_at.lock().expect("nothing panics here").is_empty();
            if lost && !before && controller.child.pid().as_raw() == victim.load(Ordering::SeqCst) {
                controller.child.kill();
            }
            if controller.child.ended().is_some() {
                controller = through(stage, gate, "sync-0", &ARGS);
            }
            let there: Vec<Value> =
                [&name, &renamed].into_iter().filter_map(|name| secret(stage, "shop", name)).collect();
            for live in &there {
                assert_eq!(
                    live["data"].as_object().map(serde_json::Map::len),
                    Some(2),
                    "an empty Secret: {live}"
                );
            }
            seen |= !there.is_empty();
            assert!(!seen || !there.is_empty() || what == "deleted", "a lost Secret at write {at}");
            done(stage)
        });
    };
    make(stage, "shop", &name, &leased(&path));
    step(stage, "made", &|stage| value_of(stage, &name, "value").as_deref() == Some("one"));
    stage.put(&path, &json!({"value": "two"}));
    step(stage, "changed", &|stage| value_of(stage, &name, "value").as_deref() == Some("two"));
    let rename = json!([{"op": "add", "path": "/spec/target", "value": {"name": renamed}}]);
    stage.api.patch(&place("shop", &name), &rename).ok();
    step(stage, "renamed", &|stage| {
        value_of(stage, &renamed, "value").as_deref() == Some("two") && secret(stage, "shop", &name).is_none()
    });
    stage.api.ask("DELETE", &place("shop", &name), None).ok();
    step(stage, "deleted", &|stage| {
        stage.get(&place("shop", &name)).is_none() && secret(stage, "shop", &renamed).is_none()
    });
    step(stage, "deleted", &|stage| handoffs(stage).is_empty());
    terminate(&mut controller);
    let killed = killed_at.lock().expect("nothing panics here").clone();
    (!killed.is_empty(), killed)
}

#[test]
pub(crate) fn a_leader_that_is_killed_at_any_write_loses_no_secret_and_leaves_no_lease() {
    if !api_server_possible() {
        return;
    }
    let evidence = evidence!(71, Server);
    let stage = Stage::start();
    with_transit(&stage);
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let (mut writes, mut mints, mut left) = (0, 0, 0);
    for at in 0.. {
        let mut killed = false;
        for before in [true, false] {
            let (was_killed, where_to) = live(&stage, &gate, at * 2 + usize::from(before), (at, before));
            killed |= was_killed;
            let minted = stage.vault.requests("ssh/creds/otp") - mints;
            mints += minted;
            assert!(minted <= 2, "{minted} mints, killed at {where_to}");
            // What was minted and not yet written down when the leader was killed runs out by itself.
            let now = leases(&stage);
            let lost = usize::from(minted == 2 && before);
            assert!(now <= left + lost, "{now} leases and {left} before, killed at {where_to}");
            left = now;
        }
        if !killed {
            writes = at;
            break;
        }
    }
    assert!(writes >= 6, "{writes} writes");
    gate.pass();
    evidence.holds("before and after each of the writes in an object's life: never an empty or a missing Secret, one mint and one more at most, and no lease is left but one that was not yet written down");
}
