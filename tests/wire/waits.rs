//! Every wait has an end.

use super::*;
use leasehold_testkit::evidence;

fn given_up(script: impl Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync + 'static) {
    let server = Server::plain(move |_, wire| script(wire));
    let plan = VaultPlan { timeout: Duration::from_millis(300), ..plan(&server.url()) };
    let failure = read(&plan).expect_err("a failure");
    assert_eq!(failure.kind, FailureKind::Unheard, "{failure}");
    assert!(failure.why.contains("within 300ms"), "{failure}");
}

#[test]
fn for_a_server_that_says_nothing_end() {
    given_up(|wire| {
        until_gone(wire);
        Ok(())
    });
}

#[test]
fn after_the_headers_end() {
    let fault = evidence!(17, Wire);
    given_up(|wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
        wire.flush()?;
        until_gone(wire);
        Ok(())
    });
    fault.holds("given up at the deadline");
}

#[test]
fn on_a_trickle_end() {
    given_up(|wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        // Ends when the client breaks off: the pace is the fault itself.
        loop {
            wire.write_all(b"1\r\n \r\n")?;
            wire.flush()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

#[test]
fn do_not_hold_up_other_requests() {
    let fault = evidence!(17, Wire);
    let server = Server::plain(|asked, wire| match asked.line.contains("/slow") {
        true => {
            until_gone(wire);
            Ok(())
        }
        false => fine(wire),
    });
    let client = client(&VaultPlan { timeout: Duration::from_secs(2), ..plan(&server.url()) });
    let token = Secret::from(TOKEN);
    let (slow, quick) = (Request::read("cubbyhole/slow"), Request::read(PATH));
    let (slow, quick) = (slow.expect("a good path"), quick.expect("a good path"));
    run(async {
        tokio::select! {
            biased;
            _ = client.read(&slow, &token) => panic!("it hangs"),
            answer = client.read(&quick, &token) => { answer.expect("an answer"); }
        }
    });
    fault.holds("other requests are answered meanwhile");
}
