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
        serde_json::json!({"up": true, "down_seconds": null, "error": null, "breaker": "closed", "address": null})
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
