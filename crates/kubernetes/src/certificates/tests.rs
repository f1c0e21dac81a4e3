use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

use super::make;
use super::material::{Certificate, Material, bundle};
use super::next::{Lives, Situation, Step, made, next};
use super::registration::Registration;

const START: i64 = 1_800_000_000;
const HOST: &str = "leasehold-webhook.leasehold.svc";

fn hosts() -> BTreeSet<String> {
    BTreeSet::from([HOST.to_owned()])
}

fn lives(authority: u64, leaf: u64) -> Lives {
    Lives { authority: Duration::from_secs(authority), leaf: Duration::from_secs(leaf) }
}

fn step(held: Option<&Material>, now: i64, lives: Lives, settled: bool) -> Step {
    next(held, &Situation { now, hosts: &hosts(), lives, settled, bundle: &[] })
}

fn apply(step: Step, held: Option<&Material>, now: i64, lives: Lives, bundle: &[Certificate]) -> Material {
    let hosts = hosts();
    let situation = Situation { now, hosts: &hosts, lives, settled: true, bundle };
    made(step, held, &situation).expect("ring makes certificates").expect("a step that makes something")
}

fn begun(lives: Lives) -> Material {
    apply(Step::Begin, None, START, lives, &[])
}

#[test]
fn what_a_secret_holds_is_read_as_it_was_written_and_nonsense_is_not() {
    let material = begun(Lives::default());
    let data = material.data();
    let again = Material::read(&data).expect("usable");
    assert_eq!(again.leaf.certificate, material.leaf.certificate);
    assert_eq!(again.authority.certificate, material.authority.certificate);
    assert_eq!(again.previous_until, material.previous_until);
    assert!(again.serves(&hosts(), START));
    for key in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
        for value in [json!(null), json!("!"), json!("AAAA"), json!(7)] {
            let mut broken = data.clone();
            broken[key] = value;
            assert!(Material::read(&broken).is_none(), "{key}");
        }
    }
    // The key of another certificate.
    let mut mixed = data.clone();
    mixed["tls.key"] = begun(Lives::default()).data()["tls.key"].clone();
    assert!(Material::read(&mixed).is_none());
    // The key of another authority signs certificates that nobody takes: it is seen, and made anew.
    let mut foreign = data;
    foreign["ca.crt"] = begun(Lives::default()).data()["ca.crt"].clone();
    let foreign = Material::read(&foreign).expect("each part is good");
    assert_eq!(step(Some(&foreign), START, Lives::default(), false), Step::Leaf);
    assert!(!foreign.serves(&hosts(), START));
}

#[test]
fn no_key_is_shown() {
    let shown = format!("{:?}", begun(Lives::default()));
    assert!(!shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn each_step_has_its_time() {
    let lives = lives(900, 90);
    let first = begun(lives);
    assert_eq!(step(None, START, lives, false), Step::Begin);
    for (seconds, expected) in
        [(0, Step::Keep), (59, Step::Keep), (60, Step::Leaf), (300, Step::Leaf), (900, Step::Begin)]
    {
        assert_eq!(step(Some(&first), START + seconds, lives, false), expected, "{seconds}");
    }
    // A clock that went back by more than the certificates' margin.
    assert_eq!(step(Some(&first), START - 3700, lives, false), Step::Begin);
    // After two thirds of its life the authority gives way; the certificate follows once the bundle has settled.
    let later = START + 600;
    let held = apply(Step::Leaf, Some(&first), later, lives, &[]);
    assert_eq!(step(Some(&held), later, lives, false), Step::Authority);
    let rotated = apply(Step::Authority, Some(&held), later, lives, &[]);
    assert_eq!(rotated.leaf.certificate, held.leaf.certificate);
    assert!(rotated.serves(&hosts(), later) && !rotated.belongs(&hosts()));
    assert_eq!(step(Some(&rotated), later + 1, lives, false), Step::Keep);
    assert_eq!(step(Some(&rotated), later + 1, lives, true), Step::Leaf);
    assert_eq!(step(Some(&rotated), later + 60, lives, false), Step::Leaf, "nearly over");
    let new = apply(Step::Leaf, Some(&rotated), later + 10, lives, &[]);
    assert!(new.belongs(&hosts()));
    assert_eq!(new.trusted(later + 10).len(), 2, "the old one stays");
    // The last certificate of the old authority ends 90 s after `later`.
    assert_eq!(step(Some(&new), later + 69, lives, true), Step::Keep);
    let newer = apply(Step::Leaf, Some(&new), later + 70, lives, &[]);
    assert_eq!(step(Some(&newer), later + 89, lives, true), Step::Keep);
    assert_eq!(step(Some(&newer), later + 90, lives, true), Step::Forget);
    let forgotten = apply(Step::Forget, Some(&newer), later + 90, lives, &[]);
    assert_eq!(forgotten.trusted(later + 90), std::slice::from_ref(&newer.authority.certificate));
}

#[test]
fn a_certificate_never_outlives_its_authority_and_names_every_host() {
    let lives = lives(100, 90);
    let held = begun(lives);
    let mut more = hosts();
    more.insert("127.0.0.1".to_owned());
    let situation = Situation { now: START + 50, hosts: &more, lives, settled: true, bundle: &[] };
    assert_eq!(next(Some(&held), &situation), Step::Leaf, "a host is new");
    let leaf = make::leaf(&held.authority, &more, START + 50, lives.leaf).expect("a certificate");
    assert_eq!(leaf.certificate.end, held.authority.certificate.end);
    for host in &more {
        assert!(leaf.certificate.is_of(&held.authority.certificate, host, START + 60));
    }
    assert!(!leaf.certificate.is_of(&held.authority.certificate, "other.svc", START + 60));
    assert!(!leaf.certificate.is_of(&held.authority.certificate, HOST, START + 101));
}

#[test]
fn what_was_in_the_bundle_before_stays_there_for_a_day() {
    let lives = Lives::default();
    let injector = begun(lives).authority.certificate;
    let held = apply(Step::Begin, None, START, lives, std::slice::from_ref(&injector));
    assert_eq!(held.trusted(START), [held.authority.certificate.clone(), injector]);
    assert_eq!(held.previous_until, START + 86_400);
}

/// Two replicas that share a Secret, and an API server that sees a bundle late. For a year of short lives, at every
/// second, each replica serves what the API server trusts.
#[test]
fn no_pod_is_refused_over_many_rotations() {
    let lives = lives(600, 60);
    let settle = i64::try_from(lives.settle().as_secs()).expect("short");
    let mut secret = begun(lives);
    let mut served = [secret.clone(), secret.clone()];
    let mut bundles: Vec<(i64, Vec<Certificate>)> = vec![(START, secret.trusted(START))];
    let mut authorities = 0;
    for now in START..START + 6000 {
        let seen = bundles
            .iter()
            .rev()
            .find(|(since, _)| now - since >= settle - 1)
            .unwrap_or(&bundles[0])
            .1
            .clone();
        for replica in &served {
            let good = seen.iter().any(|authority| replica.leaf.certificate.is_of(authority, HOST, now));
            assert!(good, "at {} s", now - START);
        }
        let (since, _) = bundles.last().expect("one");
        let settled = now - since >= settle;
        let what = step(Some(&secret), now, lives, settled);
        if what != Step::Keep {
            authorities += usize::from(what == Step::Authority);
            secret = apply(what, Some(&secret), now, lives, &[]);
        }
        if bundles.last().expect("one").1 != secret.trusted(now) {
            bundles.push((now, secret.trusted(now)));
        }
        // The replicas read the Secret every few seconds, one behind the other.
        if now % 5 == 0 {
            served[usize::from(now % 10 == 0)] = secret.clone();
        }
        assert!(secret.trusted(now).len() <= 3, "the bundle does not grow");
    }
    assert!(authorities >= 12, "{authorities}");
}

fn registration(authorities: &[Certificate]) -> Value {
    let ca = base64::engine::general_purpose::STANDARD.encode(bundle(authorities));
    json!({
        "metadata": {"resourceVersion": "7"},
        "webhooks": [{
            "clientConfig": {
                "service": {"name": "leasehold-webhook", "namespace": "leasehold", "path": "/mutate"}, "caBundle": ca,
            },
            "rules": [{"operations": ["CREATE"], "resources": ["pods"]}],
        }],
    })
}

#[test]
fn a_registration_is_patched_where_its_bundle_differs() {
    let held = begun(Lives::default());
    let authority = held.authority.certificate.clone();
    let mut object = registration(&[]);
    let read = Registration(object.clone());
    assert_eq!(read.hosts(), hosts());
    assert_eq!(read.fault(), None);
    assert!(!read.trusts(&authority));
    let patch = read.patch(std::slice::from_ref(&authority)).expect("it differs");
    assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/resourceVersion", "value": "7"}));
    json_patch::patch(&mut object, &serde_json::from_value::<json_patch::Patch>(patch).expect("a patch"))
        .expect("applies");
    let read = Registration(object);
    assert!(read.trusts(&authority));
    assert_eq!(read.bundle(), std::slice::from_ref(&authority));
    assert_eq!(read.patch(&[authority]), None);
}

#[test]
fn a_registration_that_would_not_inject_is_named() {
    let fault = |change: &dyn Fn(&mut Value)| {
        let mut object = registration(&[]);
        change(&mut object["webhooks"]);
        Registration(object).fault().unwrap_or_default()
    };
    assert_eq!(fault(&|webhooks| *webhooks = json!([])), "it has no webhooks");
    assert_eq!(fault(&|webhooks| *webhooks = json!(null)), "it has no webhooks");
    assert_eq!(
        fault(&|webhooks| webhooks[0]["clientConfig"]["service"]["path"] = json!("/")),
        "its path is not /mutate"
    );
    assert_eq!(
        fault(&|webhooks| webhooks[0]["rules"][0]["resources"] = json!(["services"])),
        "no rule of it is about the CREATE of pods"
    );
    assert_eq!(
        fault(&|webhooks| webhooks[0]["clientConfig"] = json!({"url": "https://127.0.0.1:1/mutate"})),
        ""
    );
}
