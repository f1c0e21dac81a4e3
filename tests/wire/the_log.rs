//! What a person reads at the lowest level, and what the libraries would say if they were heard.

use std::cell::RefCell;
use std::sync::Once;

use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::support::OpenBao;

thread_local! {
    /// What this test's thread logged: the others share the process's one subscriber.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that is said at the lowest level: by us, and by every library with its spans and their
/// fields, which the real log never shows.
fn of(work: impl FnOnce()) -> String {
    static START: Once = Once::new();
    START.call_once(|| {
        let spans = FmtSpan::NEW | FmtSpan::CLOSE;
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_span_events(spans);
        let all = tracing_subscriber::registry().with(layer.with_writer(|| Lines));
        tracing::subscriber::set_global_default(all).expect("the only one");
    });
    LINES.take();
    work();
    String::from_utf8_lossy(&LINES.take()).into_owned()
}

#[test]
fn names_each_request_and_never_what_it_carried() {
    let log = of(|| {
        let server = Server::plain(|asked, wire| match asked.line.contains("web") {
            true => reply(wire, 200, &[], br#"{"request_id":"7eb9","data":{"password":"CANARY"}}"#),
            false => reply(wire, 403, &[], br#"{"errors":["no"],"data":{"password":"CANARY"}}"#),
        });
        let args = BTreeMap::from([("key".to_owned(), Secret::from("CANARY"))]);
        let plan = plan(&server.url());
        ask(&plan, &Request::write(PATH, args).expect("a good path")).expect("an answer");
        let query = Request::read("cubbyhole/none?key=CANARY").expect("a good path");
        ask(&plan, &query).expect_err("denied");
        drop(server);
        read(&plan).expect_err("gone");
    });
    let ours: String = log.lines().filter(|line| line.contains("leasehold_vault::")).collect();
    for part in ["cubbyhole/web", "status=200", "7eb9", "cubbyhole/none", "status=403", "Unreachable"] {
        assert!(ours.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("CANARY"), "{log}");
}

/// Every kind of request with every kind of answer that vaultrs, rustify and their errors would quote:
/// bodies that are no JSON or of other types, refusals and redirects, all of them full of secrets.
#[test]
fn of_every_library_at_its_loudest_shows_no_token_credential_or_body() {
    const BODIES: [(u16, &[u8]); 8] = [
        (200, br#"{"auth":{"client_token":"CANARY with a space"},"data":{"id":"CANARY"}}"#),
        (200, br#"{"auth":"CANARY","data":"CANARY","lease_id":7}"#),
        (200, b"CANARY is no JSON"),
        (200, b"CANARY \xff is no text"),
        (400, br#"{"errors":[{"CANARY":"CANARY"}],"data":"CANARY"}"#),
        (403, b"<html>CANARY</html>"),
        (307, br#"{"data":"CANARY"}"#),
        (473, b"CANARY"),
    ];
    let log = of(|| {
        for (status, body) in BODIES {
            let server = Server::plain(move |_, wire| reply(wire, status, &[], body));
            let said = run(everything(&plan(&server.url())));
            assert!(!said.contains("CANARY"), "{status}: {said}");
        }
    });
    assert!(!log.contains("CANARY"), "{log}");
    // They do speak: otherwise their silence would prove nothing.
    for library in ["rustify", "hyper_util"] {
        assert!(log.contains(library), "{library} says nothing in {log}");
    }
}

#[test]
fn of_every_library_at_its_loudest_shows_nothing_over_http_2_either() {
    let server = OpenBao::start();
    let vault = VaultPlan { ca_file: Some(server.ca_file()), ..plan(&server.address()) };
    let root = Secret::from(server.root_token());
    let log = of(|| {
        let said = run(everything(&vault));
        assert!(!said.contains("CANARY"), "{said}");
        let client = client(&vault);
        let args = BTreeMap::from([("key".to_owned(), Secret::from("CANARY"))]);
        run(client.read(&Request::write(PATH, args).expect("a good path"), &root)).expect("written");
        let back = run(client.read(&Request::read(PATH).expect("a good path"), &root)).expect("read");
        assert!(back.data.get("key").is_some());
    });
    assert!(!log.contains("CANARY") && !log.contains(server.root_token()), "{log}");
    assert!(log.contains("h2::"), "it says nothing in {log}");
}

/// Asks everything that the client can ask; what came of it as `Debug` prints it.
async fn everything(vault: &VaultPlan) -> String {
    let token = Secret::from(TOKEN);
    let secret = || Credential::Given(Secret::from(TOKEN));
    let method = AuthMethod::AppRole { role_id: secret(), secret_id: Some(secret()), wrapped_by: None };
    let auth = AuthPlan { mount: "approle".to_owned(), namespace: None, method, wrap_ttl: None };
    let client = Client::new(vault, &auth).expect("a client");
    let args = BTreeMap::from([("key".to_owned(), Secret::from("CANARY"))]);
    let write = Request::write(PATH, args).expect("a good path");
    let lease = LeaseId("a/lease".to_owned());
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {write:?} {auth:?}",
        client.login().await,
        client.read(&write, &token).await.map(|response| response.data),
        client.mount_of("secret/web", &token).await,
        client.lookup_self(&token).await,
        client.renew_self(&token).await,
        client.revoke_self(&token).await,
        client.renew_lease(&lease, Duration::from_secs(1), &token).await,
        client.revoke_lease(&lease, &token).await,
        client.health().await,
    )
}
