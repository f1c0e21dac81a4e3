//! A running sidecar whose certificates change, end, or are for another server than it asks for.

#![allow(clippy::disallowed_methods, reason = "certificates end by the wall clock")]

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;

use super::certificates::Shown;
use super::running::sidecar;
use super::*;
use crate::support::{SOON, Workspace, wait_until};
use leasehold_testkit::evidence;

/// What `cubbyhole/good` holds, as a number that the test counts up.
type Version = Arc<AtomicUsize>;

/// Answers as a good server does, with the version that holds now.
fn serving(
    version: &Version,
) -> impl Fn(&server::Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static {
    let version = Arc::clone(version);
    move |asked, wire| {
        if !asked.line.contains("/v1/cubbyhole/good") {
            return super::running::good(asked, wire);
        }
        let body = format!(r#"{{"data":{{"value":"v{}"}}}}"#, version.load(Ordering::SeqCst));
        reply(wire, 200, &[], body.as_bytes())
    }
}

/// The next version, and whether it has been published.
fn next(version: &Version, space: &Workspace) -> impl Fn() -> bool {
    let text = format!("v{}", version.fetch_add(1, Ordering::SeqCst) + 1);
    let space = space.path().to_owned();
    move || std::fs::read_to_string(space.join("secrets/good")).is_ok_and(|found| found == text)
}

fn copy(from: &[PathBuf], to: &[&PathBuf]) {
    from.iter().zip(to).for_each(|(from, to)| {
        std::fs::copy(from, to).expect("the test's own folder takes files");
    });
}

/// Every connection shakes hands in full, so that certificates are looked at each time.
fn forgetful(mut config: ServerConfig) -> ServerConfig {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

/// Waits until the clock is past the end of a certificate, which is good for the whole of its last second.
fn wait_past(end: SystemTime) {
    wait_until("the certificate's end", SOON, || SystemTime::now() > end + Duration::from_secs(1));
}

/// In so many seconds, as whole ones: certificates know no others.
fn in_seconds(seconds: u64) -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    UNIX_EPOCH + Duration::from_secs(now + seconds)
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test writes its own input")]
fn an_authority_is_replaced_in_place_and_half_a_file_leaves_the_old_one_in_force() {
    let fault = evidence!(54, Wire);
    let (ours, theirs, version) = (Authority::new("ours"), Authority::new("theirs"), Version::default());
    let shown = Shown::new(&ours, "127.0.0.1", Dates::Now);
    let server = Server::tls(forgetful(shown.server()), serving(&version));
    let space = Workspace::new();
    let ca = space.path().join("ca.pem");
    copy(&[ours.ca_file()], &[&ca]);
    let vault = format!("address: '{}', ca_file: '{}'", server.url(), ca.display());
    let sidecar = sidecar(&space, &vault, "", &[]);
    wait_until("the first version", SOON, next(&version, &space));
    let whole = std::fs::read_to_string(theirs.ca_file()).expect("it is there");
    std::fs::write(&ca, &whole[..whole.len() / 2]).expect("the test's own folder takes files");
    wait_until("half a file", SOON, || sidecar.stderr().contains("the old ones stay"));
    wait_until("a version over the old authority", SOON, next(&version, &space));
    shown.show(&theirs, "127.0.0.1", Dates::Now);
    wait_until("the other authority's server", SOON, || sidecar.stderr().contains("unknown authority"));
    std::fs::write(&ca, &whole).expect("the test's own folder takes files");
    wait_until("a version over the new authority", 2 * SOON, next(&version, &space));
    sidecar.stop().expect_code(0);
    fault.holds("a new authority is in force within seconds; half a file, or none of its certificates, changes nothing");
}

#[test]
fn a_client_certificate_that_ends_is_named_and_its_successor_taken_without_a_restart() {
    let fault = evidence!(54, Wire);
    let (authority, version) = (Authority::new("ours"), Version::default());
    let server = Server::tls(forgetful(authority.mutual("127.0.0.1")), serving(&version));
    let space = Workspace::new();
    let [cert, key] = ["tls.crt", "tls.key"].map(|name| space.path().join(name));
    let end = in_seconds(6);
    let files = |dates| {
        let (new_cert, new_key) = authority.client_until(dates);
        // The key last: a certificate without its key is a half-written pair, and the old one stays.
        copy(&[new_cert, new_key], &[&cert, &key]);
    };
    files(Dates::Until(end));
    let vault = format!(
        "address: '{}', ca_file: '{}', client_cert_file: '{}', client_key_file: '{}'",
        server.url(),
        authority.ca_file().display(),
        cert.display(),
        key.display()
    );
    let sidecar = sidecar(&space, &vault, "", &[]);
    wait_until("the first version", SOON, next(&version, &space));
    let says = |what: &str| {
        let certificate = format!("the certificate {} (`vault.client_cert_file`) {what}", cert.display());
        sidecar.stderr().matches(&certificate).count()
    };
    assert_eq!(says("ends at"), 1, "it is in the last tenth of its life: {}", sidecar.stderr());
    wait_past(end);
    // The minute is long for a test. The same look comes with a change beside the watched files.
    let mut changes = 0;
    wait_until("the end to be said", SOON, || {
        changes += 1;
        space.file("beside", changes.to_string());
        says("has ended at") == 1
    });
    let later = next(&version, &space);
    wait_until("the end in words", SOON, || {
        sidecar.stderr().contains("it refuses our client certificate; check vault.client_cert_file")
    });
    assert!(!later() && space.read("secrets/good").is_some(), "the last good file stays");
    files(Dates::Now);
    wait_until("a version with the new one", SOON, later);
    wait_until("the good end to be said", SOON, || says("is good until 2100-01-01T00:00:00Z") == 1);
    assert_eq!((says("ends at"), says("has ended at")), (1, 1), "{}", sidecar.stderr());
    sidecar.stop().expect_code(0);
    fault.holds("a client certificate is named before its end and after, files stay, and a new one is used without a restart");
}

#[test]
fn a_server_certificate_that_ends_mid_run_is_named_and_its_successor_accepted() {
    let fault = evidence!(54, Wire);
    let (authority, version) = (Authority::new("ours"), Version::default());
    let end = in_seconds(6);
    let shown = Shown::new(&authority, "127.0.0.1", Dates::Until(end));
    let server = Server::tls(forgetful(shown.server()), serving(&version));
    let space = Workspace::new();
    let vault = format!("address: '{}', ca_file: '{}'", server.url(), authority.ca_file().display());
    let sidecar = sidecar(&space, &vault, "", &[]);
    wait_until("the first version", SOON, next(&version, &space));
    wait_past(end);
    let later = next(&version, &space);
    wait_until("the end in words", SOON, || sidecar.stderr().contains("its certificate has expired"));
    assert!(!later() && space.read("secrets/good").is_some(), "the last good file stays");
    shown.show(&authority, "127.0.0.1", Dates::Now);
    wait_until("a version over the new one", SOON, later);
    sidecar.stop().expect_code(0);
    fault.holds(
        "an ended server certificate is an outage in words; files stay, and its successor is accepted",
    );
}

#[test]
fn resumed_sessions_go_on_over_the_end_of_the_servers_certificate() {
    let (authority, version) = (Authority::new("ours"), Version::default());
    let end = in_seconds(5);
    let shown = Shown::new(&authority, "127.0.0.1", Dates::Until(end));
    let server = Server::tls(shown.server(), serving(&version));
    let space = Workspace::new();
    let vault = format!("address: '{}', ca_file: '{}'", server.url(), authority.ca_file().display());
    let sidecar = sidecar(&space, &vault, "", &[]);
    wait_until("the first version", SOON, next(&version, &space));
    wait_past(end);
    wait_until("a version over a resumed session", SOON, next(&version, &space));
    assert!(!sidecar.stderr().contains("expired"), "{}", sidecar.stderr());
    sidecar.stop().expect_code(0);
}

#[test]
fn servers_of_tls_1_2_alone_and_of_1_3_alone_are_spoken_to_with_and_without_a_client_certificate() {
    let authority = Authority::new("ours");
    let (cert_file, key_file) = authority.client();
    let client_cert = ClientCert { cert_file, key_file };
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let kinds = [
            (authority.of_version(version, false), None),
            (authority.of_version(version, true), Some(client_cert.clone())),
        ];
        for (config, client_cert) in kinds {
            let server = Server::tls(config, |_, wire| reply(wire, 200, &[], br#"{"data":{}}"#));
            let plan = VaultPlan { ca_file: Some(authority.ca_file()), client_cert, ..plan(&server.url()) };
            let client = client(&plan);
            // The second connection resumes the first one's session.
            for _ in 0..2 {
                let request = Request::read(PATH).expect("a good path");
                run(client.read(&request, &Secret::from(TOKEN))).expect("an answer");
            }
            assert_eq!(server.asked().len(), 2, "{version:?}");
        }
    }
}

#[test]
fn a_server_that_does_not_know_the_name_it_is_asked_for_says_so_and_the_right_server_name_helps() {
    let fault = evidence!(54, Wire);
    let authority = Authority::new("ours");
    let shown = Shown::new(&authority, "vault.example", Dates::Now);
    shown.for_its_name_only();
    let server = Server::tls(shown.server(), |_, wire| reply(wire, 200, &[], br#"{"data":{}}"#));
    let named = |name: &str| VaultPlan {
        ca_file: Some(authority.ca_file()),
        server_name: Some(name.to_owned()),
        ..plan(&server.url())
    };
    let failure = read(&named("other.example")).expect_err("a failure");
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    assert!(failure.why.contains("it broke the TLS handshake off"), "{failure}");
    assert!(server.asked().is_empty());
    read(&named("vault.example")).expect("an answer");
    fault.holds("another name than the server has is an outage in words, and nothing is asked");
}
