//! The running daemon, where the wiring counts and not the client alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Condvar, Mutex};

use crate::support::{Leasehold, Running, SOON, Workspace, wait_until};

use super::*;
use leasehold_testkit::evidence;

/// What a server that does well answers.
pub(crate) fn good(asked: &server::Asked, wire: &mut dyn Wire) -> io::Result<()> {
    let body: &[u8] = match asked.line.split([' ', '?']).nth(1).unwrap_or_default() {
        "/v1/auth/token/lookup-self" => {
            br#"{"data":{"id":"x","ttl":3600,"expire_time":"2100-01-01T00:00:00Z"}}"#
        }
        "/v1/sys/health" => br#"{"initialized":true,"sealed":false,"standby":false}"#,
        "/v1/cubbyhole/good" => br#"{"data":{"value":"good"}}"#,
        _ => return reply(wire, 404, &[], br#"{"errors":[]}"#),
    };
    reply(wire, 200, &[], body)
}

/// A sidecar that keeps `cubbyhole/good`, with more about the server in `vault` and more `files`.
pub(crate) fn sidecar(space: &Workspace, vault: &str, files: &str, env: &[(&str, &str)]) -> Running {
    let config = format!(
        "vault: {{{vault}}}\nauth: {{method: token, token_env: TOKEN}}\nsecrets_dir: '{}'\nfiles:\n  - {{path: good, secret: 'cubbyhole/good#value', refresh: 1s}}\n{files}",
        space.dir("secrets").display()
    );
    let config = space.file("leasehold.yaml", config);
    let arguments = ["sidecar", "--config", config.to_str().expect("UTF-8")];
    let leasehold = Leasehold::new(space).env("TOKEN", TOKEN);
    env.iter().fold(leasehold, |leasehold, (name, value)| leasehold.env(name, value)).spawn(&arguments)
}

fn published(space: &Workspace) -> bool {
    space.read("secrets/good").as_deref() == Some("good")
}

#[test]
fn uses_no_proxy_that_only_the_environment_names() {
    let (server, proxy) = (Server::plain(good), Server::plain(good));
    let space = Workspace::new();
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    let url = proxy.url();
    let env = names.map(|name| (name, url.as_str()));
    let sidecar = sidecar(&space, &format!("address: '{}'", server.url()), "", &env);
    wait_until("the file", SOON, || published(&space));
    sidecar.stop();
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn plan_asks_about_as_many_mounts_at_once_as_may_be_under_way() {
    /// How many ask now, and the most that ever did.
    type Crowd = (Mutex<(usize, usize)>, Condvar);
    const MOST: usize = 4;
    let crowd: Arc<Crowd> = Arc::default();
    let inside = Arc::clone(&crowd);
    let server = Server::plain(move |asked, wire| {
        if !asked.line.contains("/internal/ui/mounts/") {
            return good(asked, wire);
        }
        let (count, more) = &*inside;
        let mut now = count.lock().expect("not poisoned");
        *now = (now.0 + 1, now.1.max(now.0 + 1));
        more.notify_all();
        // Nobody is answered before so many have asked; one after the other they never would.
        let (mut now, _) = more.wait_timeout_while(now, SOON, |now| now.1 < MOST).expect("not poisoned");
        now.0 -= 1;
        drop(now);
        reply(wire, 403, &[], br#"{"errors":["permission denied"]}"#)
    });
    let space = Workspace::new();
    let file = |n| format!("  - {{path: f{n}, secret: mount{n}/web}}\n");
    let files: String = (0..3 * MOST).map(file).collect();
    let config = format!(
        "vault: {{address: '{}', max_in_flight: {MOST}}}\nauth: {{method: token, token_env: TOKEN}}\nsecrets_dir: '{}'\nfiles:\n{files}",
        server.url(),
        space.dir("secrets").display()
    );
    let config = space.file("leasehold.yaml", config).to_string_lossy().into_owned();
    let finished = Leasehold::new(&space).env("TOKEN", TOKEN).run(&["plan", "--config", &config]);
    assert!(
        finished.last_line().contains("could not ask about sys/capabilities-self"),
        "{}",
        finished.stderr
    );
    assert_eq!(crowd.0.lock().expect("not poisoned").1, MOST);
}

#[test]
fn a_redirect_to_a_port_that_the_sandbox_does_not_know_is_named_at_once() {
    let fault = evidence!(51, Wire);
    let leader = Server::plain(good);
    let to = leader.url() + "/v1/cubbyhole/elsewhere";
    let home = Server::plain(move |asked, wire| match asked.line.contains("elsewhere") {
        true => reply(wire, 307, &[("Location", &to)], b""),
        false => good(asked, wire),
    });
    let space = Workspace::new();
    let elsewhere = "  - {path: elsewhere, secret: 'cubbyhole/elsewhere#value'}\n";
    let sidecar = sidecar(&space, &format!("address: '{}'", home.url()), elsewhere, &[]);
    let advice = leader.url().replace("http://", "add ") + " to vault.redirect_hosts";
    wait_until("the cause", SOON, || sidecar.stderr().contains(&advice));
    assert_eq!(leader.connections(), 0);
    // It was never ready, and ends with the code of the cause.
    sidecar.stop().expect_code(69);
    fault.holds("a port that the sandbox does not know is named with what opens it");
}

/// A folder as the kubelet writes it: `..data` leads to the files, and each name leads through it.
fn project(volume: &Path, version: &str, files: &[(&str, &Path)]) {
    let folder = volume.join(version);
    fs::create_dir(&folder).expect("made");
    for (name, from) in files {
        fs::copy(from, folder.join(name)).expect("copied");
        let visible = volume.join(name);
        if !visible.is_symlink() {
            symlink(Path::new("..data").join(name), visible).expect("linked");
        }
    }
    symlink(version, volume.join("..data_tmp")).expect("linked");
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("swapped");
}

#[test]
fn takes_authority_and_client_certificate_of_a_volume_whose_data_link_is_swapped() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let server = Server::tls(ours.mutual("127.0.0.1"), good);
    let space = Workspace::new();
    let volume = space.dir("tls");
    let project = |version: &str, ca: &Authority, client: &Authority| {
        let (cert, key) = client.client();
        project(&volume, version, &[("ca.pem", &ca.ca_file()), ("tls.crt", &cert), ("tls.key", &key)]);
    };
    project("..1", &theirs, &theirs);
    let at = volume.display();
    let vault = format!(
        "address: '{}', ca_file: '{at}/ca.pem', client_cert_file: '{at}/tls.crt', client_key_file: '{at}/tls.key'",
        server.url()
    );
    let sidecar = sidecar(&space, &vault, "", &[]);
    wait_until("the wrong authority", SOON, || sidecar.stderr().contains("unknown authority"));
    project("..2", &ours, &theirs);
    wait_until("the change", SOON, || sidecar.stderr().contains("TLS files changed"));
    // The authority is right now, and the server hangs up on the certificate.
    let before = server.connections();
    wait_until("another attempt", SOON, || server.connections() > before);
    assert!(server.asked().is_empty() && !published(&space));
    project("..3", &ours, &ours);
    wait_until("the file", SOON, || published(&space));
    sidecar.stop();
}
