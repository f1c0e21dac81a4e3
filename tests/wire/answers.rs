//! What comes back is bounded, judged, and never quoted beyond what the server says for itself.

use super::*;
use leasehold_testkit::evidence;

/// Writes until the client has had enough.
pub(crate) fn flood(wire: &mut dyn Wire, sent: &AtomicUsize) -> io::Result<()> {
    let chunk = [b'x'; 64 * 1024];
    let mut left = 1 << 30;
    while left > 0 {
        write!(wire, "{:x}\r\n", chunk.len())?;
        wire.write_all(&chunk)?;
        wire.write_all(b"\r\n")?;
        sent.fetch_add(chunk.len(), Ordering::SeqCst);
        left -= chunk.len();
    }
    wire.write_all(b"0\r\n\r\n")
}

#[test]
fn of_a_gibibyte_are_cut_off() {
    let fault = evidence!(19, Wire);
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let failure = fails(move |wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        flood(wire, &count)
    });
    assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
    assert!(failure.why.contains("larger than 4 MiB"), "{failure}");
    // What the sockets hold comes on top of what was read.
    assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    fault.holds("cut off at 4 MiB");
}

#[test]
fn that_announce_a_gibibyte_are_not_waited_for() {
    let failure = fails(|wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
        wire.flush()?;
        until_gone(wire);
        Ok(())
    });
    assert!(failure.why.contains("larger than 4 MiB"), "{failure}");
}

#[test]
fn that_are_compressed_unasked_are_not_unpacked() {
    let fault = evidence!(19, Wire);
    // The beginning of a gzip stream.
    let failure = answers(200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
    fault.holds("not unpacked");
}

#[test]
fn that_are_not_the_apis_are_nonsense_and_never_quoted() {
    let fault = evidence!(20, Wire);
    let deep: &'static [u8] = "[".repeat(100_000).leak().as_bytes();
    for body in [
        &b"<html>CANARY</html>"[..],
        br#"{"data":{"password":"CANARY"#,
        b"{\"data\":\"CANARY\xff\"}",
        b"\0\0\0\0",
        br#""CANARY""#,
        br#"{"lease_duration":-1}"#,
        deep,
    ] {
        let failure = answers(200, &[], body);
        assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
    }
    fault.holds("an error that quotes nothing");
}

#[test]
fn with_ten_thousand_headers_are_nonsense() {
    let failure = fails(|wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\n")?;
        for number in 0..10_000 {
            write!(wire, "X-{number}: CANARY\r\n")?;
        }
        wire.write_all(b"\r\n{}")
    });
    assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
}

#[test]
fn that_break_off_are_told_from_wrong_ones() {
    let fault = evidence!(18, Wire);
    let failure = fails(|wire| wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":"));
    assert_eq!(failure.kind, FailureKind::Unheard, "{failure}");
    assert!(failure.why.contains("broke off"), "{failure}");
    assert_eq!(fails(|_| Ok(())).kind, FailureKind::Unheard);
    fault.holds(
        "an outage where the connection breaks off, nonsense where the text does; nothing of it is used",
    );
}

#[test]
fn of_failures_carry_the_servers_words_and_its_wish_to_be_left_alone() {
    let fault = evidence!(15, Wire);
    let said = br#"{"errors":["1 error occurred:\n\t* quota \u001b[1mexceeded\n\n"]}"#;
    let failure = answers(429, &[("Retry-After", "7")], said);
    assert_eq!(failure.kind, FailureKind::Overloaded(Some(Duration::from_secs(7))));
    assert_eq!(failure.why, "too many requests: quota [1mexceeded (429)");
    let dates =
        &[("Retry-After", "Sun, 06 Nov 1994 08:00:09 GMT"), ("Date", "Sun, 06 Nov 1994 08:00:00 GMT")];
    assert_eq!(answers(503, dates, b"").kind, FailureKind::Overloaded(Some(Duration::from_secs(9))));
    fault.holds("Retry-After in seconds or as a date is heard");
}

#[test]
fn of_proxies_are_told_from_those_of_standbys() {
    for status in [400, 403, 404, 405, 472, 473, 500, 502, 503, 504] {
        let failure = answers(status, &[], b"<html>CANARY</html>");
        assert_eq!(failure.kind, FailureKind::Intercepted, "{failure}");
        assert!(failure.why.contains(&format!("a proxy answered for Vault: {status} with an HTML page")));
    }
    for status in [472, 473, 502, 504] {
        let failure = answers(status, &[], br#"{"errors":["no"]}"#);
        assert_eq!(failure.kind, FailureKind::Unavailable, "{failure}");
    }
}

#[test]
fn that_repeat_the_token_or_what_was_written_are_withheld() {
    let server = Server::plain(|asked, wire| {
        let token = asked.header("x-vault-token").unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&asked.body).replace('"', "'");
        reply(wire, 400, &[], format!(r#"{{"errors":["bad {token}{body}"]}}"#).as_bytes())
    });
    let failure = read(&plan(&server.url())).expect_err("a failure");
    assert!(failure.why.contains("withheld"), "{failure}");
    let args = BTreeMap::from([("plaintext".to_owned(), Secret::from("anotherCANARY"))]);
    let failure = ask(&plan(&server.url()), &Request::write(PATH, args).expect("a good path"));
    assert!(failure.expect_err("a failure").why.contains("withheld"));
}
