//! The status of a SyncedSecret where the API server does not take it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::faults::through;
use crate::gate::{Asked, Fate, Gate};
use crate::stage::{SOON, Stage};
use crate::support::api_server::api_server_possible;
use crate::support::wait::wait_until;
use crate::synced::{condition, make, place, value_of, with_accounts};

/// Makes a gate that refuses requests of this method for a status while the flag is set, and returns both. The flag is
/// not set at first.
fn a_gate(stage: &Stage, method: &'static str) -> (Gate, Arc<AtomicBool>) {
    let gate = Gate::to(&stage.api.address(), &stage.api.ca_file());
    let refuses = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&refuses);
    gate.rule(move |asked| match asked.method == method && is_of_status(asked) {
        true if flag.load(Ordering::SeqCst) => Fate::Answer(500),
        _ => Fate::Pass,
    });
    (gate, refuses)
}

fn is_of_status(asked: &Asked) -> bool {
    asked.path.contains("/syncedsecrets/web/status")
}

fn tries(gate: &Gate, method: &str) -> usize {
    gate.asked().iter().filter(|asked| asked.method == method && is_of_status(asked)).count()
}

fn a_stage() -> (Stage, Value) {
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/web", &json!({"value": "one"}));
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s",
        "data": {"a": {"secret": "secret/web#value"}},
    });
    (stage, spec)
}

fn until_synced(stage: &Stage, wanted: &str) {
    wait_until(&format!("it to be synced: {wanted}"), SOON, || {
        condition(stage, "shop", "web", "Synced").is_some_and(|(state, _)| state == wanted)
    });
}

#[test]
fn a_status_that_is_refused_is_written_later_though_nothing_changes() {
    if !api_server_possible() {
        return;
    }
    let (stage, spec) = a_stage();
    let (gate, refuses) = a_gate(&stage, "PATCH");
    refuses.store(true, Ordering::SeqCst);
    let controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    make(&stage, "shop", "web", &spec);
    wait_until("the Secret", SOON, || value_of(&stage, "web", "a").is_some());
    // It is at rest: no change of the status follows.
    controller.let_pass(&stage, 4, "secret/data/web");
    assert!(condition(&stage, "shop", "web", "Synced").is_none() && tries(&gate, "PATCH") >= 2);
    refuses.store(false, Ordering::SeqCst);
    until_synced(&stage, "True");
    let written = tries(&gate, "PATCH");
    controller.let_pass(&stage, 4, "secret/data/web");
    assert_eq!(tries(&gate, "PATCH"), written, "what is written is not written again");
}

#[test]
fn a_status_that_cannot_be_read_is_not_overwritten_with_less() {
    if !api_server_possible() {
        return;
    }
    let (stage, spec) = a_stage();
    let (gate, refuses) = a_gate(&stage, "GET");
    let _controller = through(&stage, &gate, "sync-0", &["-vault.auth-method=none"]);
    make(&stage, "shop", "web", &spec);
    until_synced(&stage, "True");
    let ready = || {
        let object = stage.get(&place("shop", "web")).expect("it is there");
        let all = object["status"]["conditions"].as_array().expect("a list").clone();
        let ready = all.into_iter().find(|one| one["type"] == "Ready").expect("it has one");
        ready["lastTransitionTime"].clone()
    };
    let (since, reads, written) = (ready(), tries(&gate, "GET"), tries(&gate, "PATCH"));
    refuses.store(true, Ordering::SeqCst);
    let mistake =
        json!([{"op": "replace", "path": "/spec/data", "value": {"a": {"template": "{{ env \"HOME\" }}"}}}]);
    stage.api.patch(&place("shop", "web"), &mistake).ok();
    // After the third, more than two seconds are over.
    wait_until("it to be read in vain", SOON, || tries(&gate, "GET") >= reads + 3);
    assert_eq!((tries(&gate, "PATCH"), ready()), (written, since.clone()));
    refuses.store(false, Ordering::SeqCst);
    until_synced(&stage, "False");
    assert_eq!(ready(), since, "it was usable all the time");
}
