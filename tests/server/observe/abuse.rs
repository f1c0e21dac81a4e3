//! A listener that is asked too much, too slowly, and at the wrong time: memory stays bounded, and what
//! the sidecar is for goes on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::observe::sidecar_on;
use crate::support::{Lives, Running, SOON, Stage, free_address, wait_until};

/// What all of it together may cost, in KiB.
const MOST: u64 = 8 * 1024;

const SCRAPES: usize = 1000;

/// A sidecar on a TCP port that keeps a lease of a few seconds.
fn sidecar(stage: &Stage) -> (Running, SocketAddr) {
    let address = free_address();
    let running =
        sidecar_on(stage, address, "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n");
    wait_until("the sidecar to be ready", SOON, || get(address, "/readyz").starts_with("HTTP/1.1 200"));
    (running, address)
}

/// The whole answer, or what came of it.
fn get(address: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = asked(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    else {
        return String::new();
    };
    let mut answer = String::new();
    let _cut_short = stream.read_to_string(&mut answer);
    answer
}

fn asked(address: SocketAddr, words: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(words)?;
    Ok(stream)
}

fn metric(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    line.trim().parse().expect("a number")
}

#[test]
fn a_thousand_scrapes_at_once_slow_readers_and_rubbish_cost_little_and_the_lease_is_renewed() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("it can be asked");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(4096).min(hard), hard).expect("up to the hard limit");
    let stage = Stage::with(Lives { lease: (4, 600), ..Lives::default() });
    let (mut running, address) = sidecar(&stage);
    let calm = running.child().peak_kib();
    let before = metric(&get(address, "/metrics"), "leasehold_renewals_total ");

    // They stay for the whole test: as many as are served at once never read a byte, and as many never
    // finish their request.
    let hello = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    let slow: Vec<TcpStream> = (0..64)
        .map(|number| {
            let words: &[u8] =
                if number % 2 == 0 { hello } else { b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n" };
            asked(address, words).expect("connected")
        })
        .collect();
    let oversized = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    for words in [
        oversized.as_bytes(),
        b"\x16\x03\x01\x02\0\r\n\r\n",
        b"DELETE /quit HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        if let Ok(mut stream) = asked(address, words) {
            let mut answer = Vec::new();
            let _reset = stream.read_to_end(&mut answer);
            assert!(
                answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
                "{:?}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let all: Vec<TcpStream> = (0..SCRAPES).map(|_| asked(address, request).expect("connected")).collect();
    let complete = all.into_iter().filter(|stream| {
        let (mut stream, mut answer) = (stream, String::new());
        stream.read_to_string(&mut answer).is_ok() && answer.ends_with("# EOF\n")
    });
    assert_eq!(complete.count(), SCRAPES);
    drop(slow);

    wait_until("the lease to be renewed all the same", SOON, || {
        metric(&get(address, "/metrics"), "leasehold_renewals_total ") > before + 1
    });
    let metrics = get(address, "/metrics");
    assert_eq!(metric(&metrics, "leasehold_replacements_total "), 0, "none was lost");
    let more = running.child().peak_kib().saturating_sub(calm);
    assert!(more < MOST, "{more} KiB more than the {calm} KiB before");
    running.stop().expect_code(0);
    stage.assert_nothing_left();
}

#[test]
fn scrapes_while_it_stops_get_an_answer_or_a_closed_connection_and_everything_is_revoked() {
    let stage = Stage::new();
    let (running, address) = sidecar(&stage);
    running.signal(nix::sys::signal::Signal::SIGTERM);
    let mut answers = Vec::new();
    // Until nobody is there any more.
    wait_until("the end of the listener", SOON, || {
        let answer = get(address, "/metrics");
        answers.push(answer);
        TcpStream::connect(address).is_err()
    });
    for answer in answers {
        let whole = answer.is_empty() || answer.ends_with("# EOF\n") || answer.ends_with("shutting down\n");
        assert!(whole, "{answer}");
    }
    running.wait(SOON).expect_code(0);
    stage.assert_nothing_left();
}
