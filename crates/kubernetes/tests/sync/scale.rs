//! What sync costs as definitions grow: `scripts/bench-sync` runs this with a release build.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::env;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::stage::{Controller, Stage, spec, value};
use crate::support::api_server::api_server_possible;
use crate::synced::{make, with_accounts};

/// A path that so many definitions of one namespace read.
const SHARED: usize = 50;
/// Nothing takes so long on a machine that is fit to measure.
const LIMIT: Duration = Duration::from_secs(600);

/// Waits for what is looked for, and returns for how long.
fn until(what: &str, begun: Instant, mut done: impl FnMut() -> bool) -> f64 {
    while !done() {
        assert!(begun.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed().as_secs_f64()
}

fn synced(controller: &Controller, kind: &str) -> f64 {
    let text = controller.ask("/metrics").map_or_else(String::new, |(_, text)| text);
    let line = format!("leasehold_sync_definitions{{kind=\"{kind}\",state=\"synced\"}} ");
    text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or(0.0)
}

/// One column of the page.
struct Measured {
    definitions: usize,
    paths: usize,
    first: f64,
    again: f64,
    requests: usize,
    at_rest: f64,
    peak: u64,
    kept: u64,
    changed: f64,
    new: f64,
}

/// Returns how much is resident when the controller has given back what it does not need. A run of all tests does not wait
/// for that.
fn at_rest(controller: &Controller) -> u64 {
    if env::var_os("SYNC_PROGRAM").is_none() {
        return controller.child.resident_kib();
    }
    let mut before = u64::MAX;
    until("rest", Instant::now(), || {
        std::thread::sleep(REST);
        let now = controller.child.resident_kib();
        now.saturating_add(64) >= std::mem::replace(&mut before, now)
    });
    before
}

/// Objects that each read with the login of their namespace, of which each has as many.
fn measure_logins(logins: usize, each: usize) -> String {
    let stage = Stage::start();
    with_accounts(&stage);
    let role = json!({
        "bound_service_account_names": "web", "bound_service_account_namespaces": "*", "audience": "vault",
        "token_policies": "web", "token_ttl": "1h",
    });
    stage.vault.ask("POST", "auth/kubernetes/role/all", Some(role)).ok();
    for at in 0..logins {
        let (namespace, path) = (format!("t{at}"), format!("secret/data/t{at}"));
        stage.put(&path, &json!({"value": "one"}));
        stage.api.namespace(&namespace);
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": namespace}});
        stage.api.create(&account).ok();
        let spec = json!({
            "auth": {"serviceAccount": "web", "role": "all"}, "refresh": "24h",
            "data": {"foo": {"secret": format!("{path}#value")}},
        });
        (0..each).for_each(|one| make(&stage, &namespace, &format!("s{one}"), &spec));
    }
    let own = stage.vault.requests("secret/data/");
    let token = stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    let begun = Instant::now();
    let controller = stage.controller_as(&token, "sync-0", &[]);
    let all = logins * each;
    let first = until("the first sync", begun, || synced(&controller, "SyncedSecret") >= all as f64);
    let requests = stage.vault.requests("secret/data/") - own;
    assert_eq!(requests, logins, "each login reads its path once");
    let (peak, kept) = (controller.child.peak_kib() as f64 / 1024.0, at_rest(&controller) as f64 / 1024.0);
    format!("| {all} | {logins} | {first:.1} s | {requests} | {peak:.1} MiB, {kept:.1} MiB |")
}

fn measure(definitions: usize) -> Measured {
    let (namespaces, paths) = ((definitions / 25).max(1), (definitions / 10).max(1));
    let stage = Stage::start();
    for at in 0..paths {
        stage.put(&format!("secret/data/p{at}"), &json!({"value": "one"}));
    }
    for at in 0..namespaces {
        stage.api.namespace(&format!("n{at}"));
    }
    let shared = SHARED.min(definitions / 2);
    for at in 0..definitions {
        // The first ones share a namespace and a path.
        let (namespace, path) = if at < shared { (0, 0) } else { (at % namespaces, 1 + at % (paths - 1)) };
        let object = json!({
            "apiVersion": "secrets-manager.tuenti.io/v1alpha1", "kind": "SecretDefinition",
            "metadata": {"name": format!("d{at}"), "namespace": format!("n{namespace}")},
            "spec": spec(&format!("d{at}"), &format!("secret/data/p{path}")),
        });
        stage.api.create(&object).ok();
    }
    let token = stage.api.token("leasehold", "leasehold-sync", &["https://kubernetes.default.svc"]);
    // What the test itself wrote there.
    let own = stage.vault.requests("secret/data/");
    let begun = Instant::now();
    // All paths are read anew at a moment of each period that the test cannot know: none is to fall into what is counted.
    let mut controller = stage.controller_as(&token, "sync-0", &["-reconcile-period=24h"]);
    let first =
        until("the first sync", begun, || synced(&controller, "SecretDefinition") >= definitions as f64);
    let requests = stage.vault.requests("secret/data/") - own;
    let peak = controller.child.peak_kib();

    let asked = Instant::now();
    stage.define("new", &spec("new", "secret/data/p0"));
    let new = until("the new one", asked, || stage.secret("new").is_some());
    let kept = at_rest(&controller);
    controller.child.signal(Signal::SIGTERM);
    assert!(controller.child.wait(LIMIT).success(), "it ends in order");

    // At rest: another one finds everything as it is to be, at its start and for a whole period.
    let read = stage.vault.requests("secret/data/");
    // So long is a replica behind that takes over: it lists everything when it leads.
    let controller = stage.controller_as(&token, "sync-0", &["-reconcile-period=10s"]);
    let again = until("the second start", Instant::now(), || {
        synced(&controller, "SecretDefinition") > definitions as f64
    });
    until("a period", Instant::now(), || stage.vault.requests("secret/data/") >= read + 2 * paths);
    let at_rest = controller.writes();

    // A path that changes: from the moment at which it is read.
    stage.put("secret/data/p0", &json!({"value": "two"}));
    let before = stage.vault.requests("secret/data/p0");
    until("the path to be read", Instant::now(), || stage.vault.requests("secret/data/p0") > before);
    let changed = until("the change", Instant::now(), || {
        let list = stage.get("/api/v1/namespaces/n0/secrets").expect("a list");
        let items = list["items"].as_array().expect("a list");
        items.iter().filter(|live| value(live, "foo").as_deref() == Some("two")).count() >= shared
    });
    Measured { definitions, paths, first, again, requests, at_rest, peak, kept, changed, new }
}

/// Nothing changes for so long before memory counts as that of a controller at rest. It is more than twice the time after
/// which the controller gives memory back.
const REST: Duration = Duration::from_secs(12);

/// Returns how many logins to measure with.
fn logins() -> Vec<usize> {
    match (env::var("SYNC_LOGINS"), env::var_os("SYNC_PROGRAM")) {
        (Ok(one), _) => vec![one.parse().expect("SYNC_LOGINS is a number")],
        (_, Some(_)) => vec![50, 200],
        (_, None) => vec![3],
    }
}

/// Returns how many definitions to measure with: a few in a run of all tests. `make bench-sync` names the program to
/// measure, and means many; SYNC_DEFINITIONS is another number of them.
fn sizes() -> Vec<usize> {
    match (env::var("SYNC_DEFINITIONS"), env::var_os("SYNC_PROGRAM")) {
        (Ok(one), _) => vec![one.parse().expect("SYNC_DEFINITIONS is a number")],
        (_, Some(_)) => vec![100, 600, 1000, 5000],
        (_, None) => vec![30],
    }
}

#[test]
fn what_sync_costs() {
    if !api_server_possible() {
        return;
    }
    let all: Vec<Measured> = sizes().into_iter().map(measure).collect();
    println!(
        "| definitions | paths | first sync | a start with all Secrets there | requests to Vault | writes at rest | resident at most, at rest | a changed path of {SHARED} | a new definition |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for it in &all {
        println!(
            "| {} | {} | {:.1} s | {:.1} s | {} | {} | {:.1} MiB, {:.1} MiB | {:.2} s | {:.0} ms |",
            it.definitions,
            it.paths,
            it.first,
            it.again,
            it.requests,
            it.at_rest,
            it.peak as f64 / 1024.0,
            it.kept as f64 / 1024.0,
            it.changed,
            it.new * 1000.0
        );
    }
    println!();
    println!("| objects | logins | first sync | requests to Vault | resident at most, at rest |");
    println!("| --- | --- | --- | --- | --- |");
    for logins in logins() {
        println!("{}", measure_logins(logins, 5));
    }
    println!();
    let most = all.iter().map(|it| it.first).fold(0.0, f64::max);
    println!("```text");
    for it in &all {
        let bar = "#".repeat((it.first / most * 50.0).round().max(1.0) as usize);
        println!(
            "first sync {:>5} {bar} {:.2} ms each",
            it.definitions,
            it.first * 1000.0 / it.definitions as f64
        );
    }
    println!("```");
    for it in &all {
        assert_eq!((it.requests, it.at_rest), (it.paths, 0.0), "{} definitions", it.definitions);
    }
}
