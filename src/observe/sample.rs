//! A view for the tests of this room.

use std::time::Duration;

use crate::core::view::{
    BreakerView, Counters, FileView, Health, NextAction, NotifierView, Readiness, SecretView, StoreView,
    TokenView, View,
};
use crate::observe::certificate::CertificateView;
use crate::observe::metrics::{About, Besides};
use crate::sandbox::State;
use crate::vault::meter::{Measured, Operation};
use leasehold_base::time::Moment;

/// Returns the facts beside the view: three reads, two of them quick.
pub(crate) fn besides() -> Besides {
    let mut read = Measured { results: [("ok", 3)].into(), seconds: 0.1, ..Measured::default() };
    read.buckets[1] = 2;
    read.buckets[6] = 1;
    let certificate = CertificateView {
        key: "listen_tls.cert_file",
        file: "/tls/own.pem".into(),
        left: 60,
        error: Some("the certificate /tls/own.pem ends soon".into()),
    };
    Besides {
        requests: [(Operation::Read, read)].into(),
        bytes: vec![Some(42), None],
        sandbox: State::Whole,
        about: About {
            address: "https://vault.example:8200".into(),
            method: "kubernetes",
            mount: "kubernetes".into(),
            role: Some("web".into()),
            backends: vec!["files"],
            configuration: vec!["/etc/leasehold/web.yaml".into()],
            overrides: vec![],
            started: Moment::new(Duration::from_secs(2_800)),
            reload_error: None,
            token_life: None,
        },
        certificates: vec![certificate],
    }
}

/// Returns [`view`] after its notifier was notified.
pub(crate) fn view_of_the_well() -> View {
    let mut view = view();
    view.notifiers[0].error = None;
    view
}

/// Returns a ready sidecar, 10,000 s after boot.
pub(crate) fn view() -> View {
    let now = Moment::new(Duration::from_secs(10_000));
    let after = |seconds| now.after(Duration::from_secs(seconds));
    let before = |seconds: u64| Moment::new(Duration::from_secs(10_000 - seconds));
    View {
        now,
        readiness: Readiness::Ready,
        token: Some(TokenView {
            accessor: "acc".into(),
            expires: Some(after(1800)),
            granted: Some(Duration::from_secs(3600)),
            next: Some((NextAction::Renew, after(900))),
        }),
        logged_out: None,
        login: None,
        used_up: false,
        outage: None,
        stores: vec![StoreView { name: "disk".into(), outage: None, answers: 3, failures: 0 }],
        silence: None,
        breaker: BreakerView::Closed,
        files: vec![
            FileView {
                name: "db.env".into(),
                generation: Some(4),
                changed: Some(before(100)),
                expires: Some(after(600)),
                health: Health::Good,
                error: None,
                failures: 0,
                secrets: vec![0],
                renders: 5,
            },
            FileView {
                name: "api-key".into(),
                generation: Some(4),
                changed: None,
                expires: None,
                health: Health::Good,
                error: None,
                failures: 0,
                secrets: vec![1],
                renders: 1,
            },
        ],
        secrets: vec![
            SecretView {
                id: "0a1b2c3d".into(),
                source: "database/creds/web".into(),
                version: None,
                version_id: None,
                lease: Some("database/creds/web/AbC".into()),
                accessor: Some("hmac-1".into()),
                expires: Some(after(600)),
                fresh: Some(before(20)),
                next: Some((NextAction::Renew, after(300))),
                health: Health::Good,
                error: None,
                reads: 1,
                renewals: 3,
                replacements: 0,
            },
            SecretView {
                id: "4e5f6a7b".into(),
                source: "secret/data/web".into(),
                version: Some(7),
                version_id: Some("7".into()),
                lease: None,
                accessor: None,
                expires: None,
                fresh: Some(before(5)),
                next: Some((NextAction::Read, after(25))),
                health: Health::Good,
                error: None,
                reads: 9,
                renewals: 0,
                replacements: 0,
            },
        ],
        notifiers: vec![NotifierView {
            name: "app".into(),
            told: Some(before(99)),
            error: Some("no answer".into()),
            sent: 2,
            failed: 1,
        }],
        counters: Counters { logins: 1, failed_logins: 0, requests: 12, failures: 2, publishes: 4 },
    }
}
