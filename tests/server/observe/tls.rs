//! A listener with TLS: asked over it and by our own probes, and with new certificates when the files change.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use crate::support::{Leasehold, Reply, SOON, Stage, free_address, request, request_tls, wait_until};

/// Writes a certificate for 127.0.0.1 that is its own authority, and its key; the key last.
fn write(folder: &Path) {
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    write_as(folder, &params);
}

fn write_as(folder: &Path, params: &CertificateParams) {
    let key = KeyPair::generate().expect("ring makes keys");
    let certificate = params.self_signed(&key).expect("a valid certificate");
    std::fs::write(folder.join("tls.crt"), certificate.pem()).expect("the test's own folder");
    std::fs::write(folder.join("tls.key"), key.serialize_pem()).expect("the test's own folder");
}

fn get(address: SocketAddr, ca: &Path, path: &str) -> Option<Reply> {
    request_tls(address, ca, "GET", path, &[], None).ok()
}

#[test]
fn a_listener_with_tls_serves_probes_and_scrapes_and_follows_its_files() {
    let stage = Stage::new();
    stage.put_password("one");
    let (address, folder) = (free_address(), stage.space.dir("tls"));
    write(&folder);
    let (cert, at) = (folder.join("tls.crt"), folder.display());
    let socket = format!("unix:{}/status.sock", stage.space.path().display());
    let tls = format!(
        "files: [{{path: password, secret: 'secret/web#password'}}]\n\
         listen_tls: {{cert_file: '{at}/tls.crt', key_file: '{at}/tls.key'}}\n"
    );
    let config = stage.config(&tls).replace(&socket, &address.to_string());
    let path = stage.space.file("leasehold.yaml", config).display().to_string();
    let leasehold = Leasehold::new(&stage.space);
    let sidecar = leasehold.spawn(&["sidecar", "--config", &path]);
    wait_until("it to be ready", SOON, || {
        get(address, &cert, "/readyz").is_some_and(|reply| reply.status == 200)
    });
    assert!(get(address, &cert, "/metrics").expect("it answers").text.ends_with("# EOF\n"));
    request(address, "GET", "/readyz", &[], None)
        .map(|reply| reply.status)
        .expect_err("TLS and nothing else");

    // The probe knows whom to trust by the configuration.
    let probe = || leasehold.run(&["status", "--ready", "--config", &path]).expect_code(0).stdout;
    assert_eq!(probe(), "ready\n");
    let old = folder.join("old.crt");
    std::fs::copy(&cert, &old).expect("the test's own folder");
    write(&folder);
    wait_until("the new certificate", SOON, || get(address, &cert, "/livez").is_some());
    assert!(get(address, &old, "/livez").is_none(), "the old one is not shown any more");
    assert_eq!(probe(), "ready\n");

    // A key that does not fit is told, and changes nothing.
    std::fs::copy(&cert, &old).expect("the test's own folder");
    std::fs::write(folder.join("tls.key"), "rubbish").expect("the test's own folder");
    wait_until("the complaint", SOON, || sidecar.stderr().contains("the old ones stay"));
    assert!(get(address, &cert, "/livez").is_some());
    // Who shows another certificate than the configuration names is not our daemon.
    let other = stage.space.dir("other");
    write(&other);
    let strange = stage
        .space
        .read("leasehold.yaml")
        .expect("it is there")
        .replace(&format!("{at}/"), &format!("{}/", other.display()));
    let strange = stage.space.file("strange.yaml", strange).display().to_string();
    let refused = leasehold.run(&["status", "--ready", "--config", &strange]).expect_code(1);
    assert!(refused.stdout.contains("another certificate"), "{}", refused.stdout);
    sidecar.stop().expect_code(0);
}

#[test]
fn a_certificate_of_the_listener_that_is_about_to_end_is_in_the_log_in_status_and_in_a_metric() {
    let stage = Stage::new();
    stage.put_password("one");
    let (address, folder) = (free_address(), stage.space.dir("tls"));
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    (params.not_before, params.not_after) =
        (date_time_ymd(2000, 1, 1), date_time_ymd(1970, 1, 1) + now + Duration::from_secs(3600));
    write_as(&folder, &params);
    let (cert, at) = (folder.join("tls.crt"), folder.display());
    let socket = format!("unix:{}/status.sock", stage.space.path().display());
    let tls = format!(
        "files: [{{path: password, secret: 'secret/web#password'}}]\n\
         listen_tls: {{cert_file: '{at}/tls.crt', key_file: '{at}/tls.key'}}\n"
    );
    let config = stage.config(&tls).replace(&socket, &address.to_string());
    let path = stage.space.file("leasehold.yaml", config).display().to_string();
    let leasehold = Leasehold::new(&stage.space);
    let sidecar = leasehold.spawn(&["sidecar", "--config", &path]);
    let ask = |path: &str| get(address, &cert, path).map(|reply| reply.text).unwrap_or_default();
    wait_until("it to be ready", SOON, || ask("/readyz") == "ready\n");
    let words = format!("the certificate {} (`listen_tls.cert_file`) ends at", cert.display());
    let left = |metrics: &str| {
        let line = metrics.lines().find(|line| line.starts_with("leasehold_certificate_expiry_seconds{"));
        line.and_then(|line| {
            line.strip_prefix("leasehold_certificate_expiry_seconds{key=\"listen_tls.cert_file\"} ")
        })
        .and_then(|left| left.parse::<i64>().ok())
        .unwrap_or_else(|| panic!("no such metric: {line:?}"))
    };
    let status: serde_json::Value = serde_json::from_str(&ask("/status")).expect("JSON");
    let certificate = &status["certificates"][0];
    assert_eq!(certificate["key"], "listen_tls.cert_file");
    assert!(certificate["error"].as_str().is_some_and(|error| error.starts_with(&words)), "{certificate}");
    assert!((3000..=3600).contains(&left(&ask("/metrics"))));
    let shown = leasehold.run(&["status", "--config", &path]).expect_code(0).stdout;
    assert!(shown.contains(&format!("cert    {words}")), "{shown}");
    assert!(sidecar.stderr().contains(&words), "{}", sidecar.stderr());
    // Its successor is far from its end.
    write(&folder);
    wait_until("the new certificate", SOON, || sidecar.stderr().contains("is good until"));
    let status: serde_json::Value = serde_json::from_str(&ask("/status")).expect("JSON");
    assert_eq!(status["certificates"][0]["error"], serde_json::Value::Null);
    assert!(left(&ask("/metrics")) > 3600);
    sidecar.stop().expect_code(0);
}
