//! Workloads are restarted when the values of their Secret change: gathered, one rollout at a time, and the old
//! credentials log in until the last pod that has them is gone.

use serde_json::{Value, json};

use crate::stage::{SOON, Stage, value};
use crate::support::api_server::api_server_possible;
use crate::support::postgres::Postgres;
use crate::support::wait::{wait_for, wait_until};
use crate::synced::{condition, make, secret, with_accounts};

/// Makes a workload without pods in the namespace `shop`. The test itself says how far the rollout of the workload is.
pub(crate) fn workload(stage: &Stage, kind: &str, name: &str) {
    let object = json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {
            "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    });
    stage.api.create(&object).ok();
}

fn path(kind: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/shop/{}s/{name}", kind.to_lowercase())
}

pub(crate) fn annotations(stage: &Stage, kind: &str, name: &str) -> Value {
    stage.get(&path(kind, name)).expect("it is there")["spec"]["template"]["metadata"]["annotations"].clone()
}

/// Returns the changes for which a workload was restarted.
fn restarted_for(stage: &Stage, kind: &str, name: &str) -> String {
    let annotations = annotations(stage, kind, name);
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), !annotations.is_null());
    annotations["leasehold.dev/restarted-for"].as_str().unwrap_or_default().to_owned()
}

/// Plays the controller of the workload: every pod is of the present template.
pub(crate) fn finish(stage: &Stage, kind: &str, name: &str) {
    let live = stage.get(&path(kind, name)).expect("it is there");
    let status = json!({
        "observedGeneration": live["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1,
        "availableReplicas": 1, "readyReplicas": 1, "currentRevision": "b", "updateRevision": "b",
    });
    let all = status
        .as_object()
        .expect("a status")
        .iter()
        .filter(|(field, _)| kind == "StatefulSet" || !field.ends_with("Revision"));
    let all = all.filter(|(field, _)| kind == "Deployment" || *field != "availableReplicas");
    let status: Value = all.map(|(field, value)| (field.clone(), value.clone())).collect();
    let operations = json!([{"op": "add", "path": "/status", "value": status}]);
    stage.api.patch(&format!("{}/status", path(kind, name)), &operations).ok();
}

#[test]
fn readers_are_restarted_one_by_one_and_the_old_credentials_log_in_until_then() {
    if !api_server_possible() {
        return;
    }
    let Some(postgres) = Postgres::start() else { return };
    let stage = Stage::start();
    with_accounts(&stage);
    stage.vault.database(&postgres);
    stage.vault.database_role("web", (45, 45), json!({}));
    let policy = "path \"secret/data/*\" { capabilities = [\"read\"] }\n\
                  path \"database/creds/web\" { capabilities = [\"read\"] }\n\
                  path \"sys/leases/revoke\" { capabilities = [\"update\"] }";
    stage.vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": policy}))).ok();
    stage.put("secret/data/web", &json!({"user": "web"}));
    workload(&stage, "Deployment", "web");
    workload(&stage, "StatefulSet", "db");
    let controller = stage.controller(&["-vault.auth-method=none"]);
    let spec = json!({
        "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": "1s",
        "restart": [
            {"kind": "Deployment", "name": "web"}, {"kind": "StatefulSet", "selector": {"matchLabels": {"app": "db"}}},
            {"kind": "DaemonSet", "name": "never-made"},
        ],
        "data": {
            "username": {"secret": "database/creds/web#username"},
            "password": {"secret": "database/creds/web#password"},
            "user": {"secret": "secret/web#user"},
        },
    });
    make(&stage, "shop", "web-db", &spec);
    let login = || {
        let live = secret(&stage, "shop", "web-db")?;
        Some((value(&live, "username")?, value(&live, "password")?))
    };
    let first = wait_for("the Secret", SOON, login);
    assert!(postgres.accepts(&first.0, &first.1));
    // The first values have no readers that would have others.
    assert_eq!(annotations(&stage, "Deployment", "web"), Value::Null);

    let next = wait_for("the next credentials", SOON, || login().filter(|next| *next != first));
    wait_until("the first restart", SOON, || {
        restarted_for(&stage, "Deployment", "web").starts_with("web-db=")
    });
    controller.let_pass(&stage, 3, "secret/data/web");
    assert!(postgres.accepts(&first.0, &first.1) && postgres.accepts(&next.0, &next.1), "both log in");
    assert_eq!(annotations(&stage, "StatefulSet", "db"), Value::Null, "one rollout at a time");
    assert_eq!(stage.vault.requests("sys/leases/revoke"), 0);
    let state = |wanted: &str| {
        condition(&stage, "shop", "web-db", "Restarted").is_some_and(|(state, _)| state == wanted)
    };
    wait_until("the status to say so", SOON, || state("False"));

    finish(&stage, "Deployment", "web");
    wait_until("the second restart", SOON, || !annotations(&stage, "StatefulSet", "db").is_null());
    assert!(postgres.accepts(&first.0, &first.1), "one reader still has them");
    finish(&stage, "StatefulSet", "db");
    wait_until("the old lease to be revoked", SOON, || stage.vault.requests("sys/leases/revoke") == 1);
    wait_until("the old user to be gone", SOON, || !postgres.users().contains(&first.0));
    wait_until("the status to say so", SOON, || state("True"));

    // What was done is noted in the Secret, so that no other leader does it again.
    let live = secret(&stage, "shop", "web-db").expect("it is there");
    let notes = &live["metadata"]["annotations"];
    assert!(notes["leasehold.dev/changed"].is_string());
    wait_until("the note", SOON, || {
        let live = secret(&stage, "shop", "web-db").expect("it is there");
        live["metadata"]["annotations"]["leasehold.dev/restarted"].is_string()
    });
}

#[test]
fn changes_are_gathered_and_a_killed_leader_leaves_its_restart_to_the_next() {
    if !api_server_possible() {
        return;
    }
    let stage = Stage::start();
    with_accounts(&stage);
    stage.put("secret/data/a", &json!({"value": "1"}));
    stage.put("secret/data/b", &json!({"value": "1"}));
    workload(&stage, "Deployment", "web");
    let mut controller = stage.controller(&["-vault.auth-method=none"]);
    let spec = |path: &str, wait: &str| {
        json!({
            "auth": {"serviceAccount": "web", "role": "web"}, "refresh": "1s", "wait": wait,
            "restart": [{"kind": "Deployment", "name": "web"}], "data": {"v": {"secret": format!("{path}#value")}},
        })
    };
    let is = |name: &str, wanted: &str| {
        secret(&stage, "shop", name).is_some_and(|live| value(&live, "v").as_deref() == Some(wanted))
    };
    // It is killed while it gathers.
    make(&stage, "shop", "a", &spec("secret/a", "10m"));
    make(&stage, "shop", "b", &spec("secret/b", "10m"));
    wait_until("both Secrets", SOON, || is("a", "1") && is("b", "1"));
    stage.put("secret/data/a", &json!({"value": "2"}));
    stage.put("secret/data/b", &json!({"value": "2"}));
    wait_until("both changes", SOON, || is("a", "2") && is("b", "2"));
    assert_eq!(annotations(&stage, "Deployment", "web"), Value::Null);
    controller.child.kill();
    // The next knows of both before it has gathered for long enough.
    let mut controller = stage.controller(&["-vault.auth-method=none"]);
    assert_eq!(annotations(&stage, "Deployment", "web"), Value::Null);
    for name in ["a", "b"] {
        let change = json!([{"op": "replace", "path": "/spec/wait", "value": "1s"}]);
        stage.api.patch(&crate::synced::place("shop", name), &change).ok();
    }
    wait_until("the restart", SOON, || !annotations(&stage, "Deployment", "web").is_null());
    let once = restarted_for(&stage, "Deployment", "web");
    assert!(once.starts_with("a=") && once.contains(",b="), "both changes are one restart: {once}");
    finish(&stage, "Deployment", "web");
    let noted = |name: &str| {
        let live = secret(&stage, "shop", name).expect("it is there");
        let notes = &live["metadata"]["annotations"];
        notes["leasehold.dev/restarted"] == notes["leasehold.dev/changed"]
            && notes["leasehold.dev/changed"].is_string()
    };
    wait_until("the notes", SOON, || noted("a") && noted("b"));
    // A leader after that finds nothing to do.
    controller.child.kill();
    let generation =
        stage.get(&path("Deployment", "web")).expect("it is there")["metadata"]["generation"].clone();
    let controller = stage.controller(&["-vault.auth-method=none"]);
    controller.let_pass(&stage, 3, "secret/data/a");
    assert_eq!(
        stage.get(&path("Deployment", "web")).expect("it is there")["metadata"]["generation"],
        generation
    );
}
