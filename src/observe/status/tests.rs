use std::time::Duration;

use super::*;
use crate::core::view::{Fault, Health, LoginTrouble};
use crate::observe::sample;
use leasehold_base::time::Moment;

#[test]
fn times_are_told_from_now() {
    let view = sample::view();
    let status = Status::from(&view);
    assert!(status.ready);
    let token = status.token.expect("logged in");
    assert_eq!(token.ttl_seconds, Some(1800));
    assert_eq!(token.next, Some(Next { action: "renew".into(), in_seconds: 900 }));
    assert_eq!(status.files[0].changed_seconds_ago, Some(100));
    assert_eq!(status.files[0].expires_in_seconds, Some(600));
    assert_eq!(status.files[0].sources, ["database/creds/web"]);
    assert_eq!(status.secrets[0].fresh_seconds_ago, Some(20));
    assert_eq!(status.secrets[0].lease.as_deref(), Some("database/creds/web/AbC"));
    assert_eq!(status.notifiers[0].told_seconds_ago, Some(99));
}

#[test]
fn what_is_past_is_negative() {
    let mut view = sample::view();
    view.now = view.now.after(Duration::from_secs(700));
    assert_eq!(Status::from(&view).files[0].expires_in_seconds, Some(-100));
}

#[test]
fn the_json_keeps_its_names() {
    let json = serde_json::to_value(Status::from(&sample::view())).expect("serializes");
    assert_eq!(json["state"], "ready");
    assert_eq!(
        json["server"],
        serde_json::json!({"up": true, "down_seconds": null, "error": null, "silent_seconds": null, "breaker": "closed", "address": null})
    );
    assert_eq!(json["files"][0]["name"], "db.env");
    assert_eq!(json["files"][0]["generation"], 4);
    assert_eq!(json["secrets"][0]["source"], "database/creds/web");
    assert_eq!(json["secrets"][0]["next"], serde_json::json!({"action": "renew", "in_seconds": 300}));
    assert_eq!(json["notifiers"][0]["error"], "no answer");
    assert_eq!(json["counters"]["requests"], 12);
}

#[test]
fn an_older_reader_ignores_what_it_does_not_know() {
    let mut json = serde_json::to_value(Status::from(&sample::view())).expect("serializes");
    json["files"][0]["weight"] = "new".into();
    json["mood"] = "new".into();
    let status: Status = serde_json::from_value(json).expect("reads");
    assert_eq!(status, Status::from(&sample::view()));
}

#[test]
fn the_end_of_time_fits() {
    let end = Moment::new(Duration::MAX);
    assert_eq!(until(Moment::default(), end), i64::MAX);
    assert_eq!(until(end, Moment::default()), -i64::MAX);
}

#[test]
fn what_is_wrong_with_the_login_is_there_from_the_loss_of_the_token_to_the_next_login() {
    let mut view = sample::view_of_the_well();
    assert_eq!((Status::from(&view).login, Status::from(&view).logged_in), (None, true));
    view.logged_out = Some(view.now.before(Duration::from_secs(14)));
    let login = Status::from(&view).login.expect("it is lost");
    assert_eq!((login.state.as_str(), login.logged_out_seconds), ("logged_out", Some(14)));
    assert_eq!((login.failing_seconds, login.next_in_seconds), (0, None), "under way");
    view.login = Some(LoginTrouble {
        since: view.now.before(Duration::from_secs(10)),
        why: "refused".into(),
        next: Some(view.now.after(Duration::from_secs(16))),
    });
    let login = Status::from(&view).login.expect("it fails");
    assert_eq!(
        (login.error.as_str(), login.failing_seconds, login.next_in_seconds),
        ("refused", 10, Some(16))
    );
    view.logged_out = None;
    assert_eq!(Status::from(&view).login.expect("it fails").state, "failing");
    // At a start nothing is lost: nothing was published yet.
    let mut view = sample::view_of_the_well();
    view.logged_out = Some(view.now);
    view.files.iter_mut().for_each(|file| file.generation = None);
    assert_eq!(Status::from(&view).login, None);
}

#[test]
fn an_expiry_is_an_error_of_its_own_class_and_staleness_is_none() {
    let mut view = sample::view_of_the_well();
    (view.files[0].health, view.files[1].health) = (Health::Expired(view.now), Health::Stale(view.now));
    let status = Status::from(&view);
    let shown = |file: usize| (status.files[file].state.as_str(), status.files[file].error_class.as_deref());
    assert_eq!((shown(0), shown(1)), (("expired", Some("expired")), ("stale", None)));
    assert!(!status.is_well());
    view.files[0].error = Some(Fault { class: "denied", text: "permission denied".into() });
    assert_eq!(
        Status::from(&view).files[0].error_class.as_deref(),
        Some("denied"),
        "its own reason says more"
    );
}
