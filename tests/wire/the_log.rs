//! What a person reads at the lowest level.

use std::cell::RefCell;
use std::sync::Once;

use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

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

/// What we ourselves log at the lowest level; the log shows no library's events.
fn of(work: impl FnOnce()) -> String {
    static START: Once = Once::new();
    START.call_once(|| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Lines);
        let ours = tracing_subscriber::filter::Targets::new();
        let ours = ours.with_target("leasehold", tracing::Level::TRACE);
        let all = tracing_subscriber::registry().with(layer).with(ours);
        tracing::subscriber::set_global_default(all).expect("the only one");
    });
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
    for part in ["cubbyhole/web", "status=200", "7eb9", "cubbyhole/none", "status=403", "Unreachable"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("CANARY"), "{log}");
}
