use super::*;

fn deployment(status: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "generation": 3, "labels": {"app": "web", "tier": "a"}},
        "spec": {"replicas": 2, "template": {"metadata": {"annotations": {"theirs": "kept"}}}},
        "status": status,
    })
}

#[test]
fn what_an_object_says_of_restarts_is_read_or_refused_with_its_place() {
    let spec = |restart: Value| json!({"restart": restart, "wait": "30s"});
    let good = Restarts::read(
        "shop",
        &spec(json!([
            {"kind": "Deployment", "name": "web"},
            {"kind": "StatefulSet", "selector": {"matchLabels": {"app.kubernetes.io/name": "db", "tier": "a"}}},
        ])),
    )
    .expect("it is good");
    assert_eq!(good.wait, Duration::from_secs(30));
    assert_eq!(good.readers[0].to_string(), "Deployment shop/web");
    assert_eq!(good.readers[1].to_string(), "StatefulSets of shop with app.kubernetes.io/name=db,tier=a");
    for (restart, place) in [
        (json!([{"kind": "Pod", "name": "web"}]), "spec.restart[0].kind"),
        (json!([{"kind": "Deployment"}]), "spec.restart[0]: it needs one"),
        (json!([{"kind": "Deployment", "name": "a/../b"}]), "spec.restart[0].name"),
        (
            json!([{"kind": "Deployment", "name": "a", "selector": {"matchLabels": {"a": "b"}}}]),
            "spec.restart[0]: it",
        ),
        (
            json!([{"kind": "Deployment", "selector": {}}]),
            "spec.restart[0].selector: there are no matchLabels",
        ),
        (
            json!([{"kind": "Deployment", "selector": {"matchLabels": {"a": "b,c=d"}}}]),
            "spec.restart[0].selector.matchLabels",
        ),
        (
            json!([{"kind": "Deployment", "selector": {"matchLabels": {"a&limit": "b"}}}]),
            "spec.restart[0].selector.matchLabels",
        ),
        (
            json!([{"kind": "Deployment", "selector": {"matchExpressions": []}}]),
            "spec.restart[0].selector: `matchExpressions`",
        ),
    ] {
        let why = Restarts::read("shop", &spec(restart.clone())).expect_err("it is refused").to_string();
        assert!(why.starts_with(place), "{restart}: {why}");
    }
    let why = Restarts::read("shop", &json!({"wait": "1h"})).expect_err("it is too long");
    assert_eq!(why.place, "spec.wait");
}

#[test]
fn a_workload_is_restarted_once_for_a_change_and_again_for_a_later_one() {
    let stamps = |stamp: Stamp| Stamps::from([("web-db".to_owned(), stamp)]);
    let mut live = deployment(&Value::Null);
    assert!(!covers(&live, &stamps(5)));
    let change = patch(&live, &stamps(5), "2026-01-01T00:00:00Z");
    let annotations = &change["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations[RESTARTED_AT], "2026-01-01T00:00:00Z");
    live["spec"]["template"]["metadata"]["annotations"][FOR] = annotations[FOR].clone();
    assert!(covers(&live, &stamps(5)) && covers(&live, &stamps(4)) && !covers(&live, &stamps(6)));
    // What it was restarted for before is not forgotten.
    let next = patch(&live, &Stamps::from([("other".to_owned(), 7)]), "2026-01-01T00:00:01Z");
    assert_eq!(next["spec"]["template"]["metadata"]["annotations"][FOR], "other=7,web-db=5");
}

#[test]
fn labels_select_and_names_do() {
    let live = deployment(&Value::Null);
    let of = |which: Which| Readers { namespace: "shop".to_owned(), kind: Workload::Deployment, which };
    let labels = |name: &str, text: &str| Which::Labels([(name.to_owned(), text.to_owned())].into());
    assert!(of(Which::Name("web".to_owned())).include(Workload::Deployment, &live));
    assert!(!of(Which::Name("web".to_owned())).include(Workload::StatefulSet, &live));
    assert!(of(labels("app", "web")).include(Workload::Deployment, &live));
    assert!(!of(labels("app", "db")).include(Workload::Deployment, &live));
}

#[test]
fn a_rollout_is_done_when_no_pod_of_the_former_template_is_left() {
    let of = |status: Value| Progress::of(Workload::Deployment, &deployment(&status));
    assert_eq!(
        of(json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})),
        Progress::Running
    );
    assert_eq!(
        of(json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2})),
        Progress::Running
    );
    assert_eq!(
        of(json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1})),
        Progress::Running
    );
    assert_eq!(
        of(json!({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})),
        Progress::Done
    );
    let late = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    assert!(matches!(of(json!({"observedGeneration": 3, "conditions": late})), Progress::Stuck(_)));
    let mut paused = deployment(&Value::Null);
    paused["spec"]["paused"] = json!(true);
    assert!(matches!(Progress::of(Workload::Deployment, &paused), Progress::Stuck(_)));

    let set = |strategy: Value, status: Value| json!({"metadata": {"generation": 1}, "spec": {"replicas": 3, "updateStrategy": strategy}, "status": status});
    let rolled = |updated: i64, current: &str| json!({"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": updated, "currentRevision": current, "updateRevision": "b"});
    let of = |object: &Value| Progress::of(Workload::StatefulSet, object);
    assert_eq!(of(&set(json!({"type": "RollingUpdate"}), rolled(3, "a"))), Progress::Running);
    assert_eq!(of(&set(json!({"type": "RollingUpdate"}), rolled(3, "b"))), Progress::Done);
    let part = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    assert_eq!(of(&set(part, rolled(1, "a"))), Progress::Done);
    assert_eq!(of(&set(json!({"type": "OnDelete"}), json!({}))), Progress::Done);

    let daemons = |updated: i64| json!({"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": 2}});
    assert_eq!(Progress::of(Workload::DaemonSet, &daemons(1)), Progress::Running);
    assert_eq!(Progress::of(Workload::DaemonSet, &daemons(2)), Progress::Done);
}
