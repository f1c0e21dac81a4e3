//! Any bytes from any client of the listener: an answer of HTTP or none, and nothing done that this
//! client may not ask for.

use std::net::SocketAddr;
use std::time::Duration;

use leasehold::core::view::{BreakerView, Counters, Readiness, View};
use leasehold::observe::http::{Ask, converse};
use leasehold::observe::metrics::Besides;
use leasehold_base::time::Moment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// More than is read of a request, and than any answer is long.
const ROOM: usize = 64 * 1024;

/// What of the main loop a request reached.
#[derive(Default)]
struct Reached {
    looks: usize,
    deeds: usize,
}

/// One byte for who asks, the rest is what he says.
pub fn run(input: &[u8]) {
    let Some((who, said)) = input.split_first() else { return };
    let said = &said[..said.len().min(ROOM / 2)];
    let from: Option<SocketAddr> = match who % 3 {
        0 => Some(([127, 0, 0, 1], 9).into()),
        1 => Some(([192, 0, 2, 1], 9).into()),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (answer, reached) = runtime.block_on(exchange(from, said));
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "HTTP or nothing");
    assert!(reached.looks + reached.deeds <= 1, "one connection, one request");
    if who % 3 == 1 {
        assert_eq!(reached.deeds, 0, "deeds are for this machine only");
    }
    if reached.deeds > 0 {
        assert!(
            said.starts_with(b"POST ") || said.starts_with(b"\r") || said.starts_with(b"\n"),
            "POSTs only"
        );
    }
}

async fn exchange(from: Option<SocketAddr>, said: &[u8]) -> (Vec<u8>, Reached) {
    let (client, server) = tokio::io::duplex(ROOM);
    let (sender, mut asks) = mpsc::channel(1);
    let mut reached = Reached::default();
    let main_loop = async {
        while let Some(ask) = asks.recv().await {
            match ask {
                Ask::Alive(reply) => {
                    reached.looks += 1;
                    let _ = reply.send(());
                }
                Ask::Ready(reply) => {
                    reached.looks += 1;
                    let _ = reply.send(view().outlook());
                }
                Ask::Scrape(reply) => {
                    reached.looks += 1;
                    let _ = reply.send((view(), Besides::default()));
                }
                Ask::Renew(_, reply) | Ask::Refresh(_, reply) => {
                    reached.deeds += 1;
                    let _ = reply.send(true);
                }
                Ask::Quit(reply) | Ask::Log(_, reply) => {
                    reached.deeds += 1;
                    let _ = reply.send(());
                }
            }
        }
    };
    let talk = async {
        let (mut reader, mut writer) = tokio::io::split(client);
        // It may close before all is said.
        let _ = writer.write_all(said).await;
        let _ = writer.shutdown().await;
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        answer
    };
    let (answer, (), ()) = tokio::join!(talk, converse(server, from, sender), main_loop);
    (answer, reached)
}

/// A sidecar that has nothing yet.
fn view() -> View {
    View {
        now: Moment::new(Duration::from_secs(10_000)),
        readiness: Readiness::Ready,
        token: None,
        logged_out: None,
        login: None,
        used_up: false,
        outage: None,
        silence: None,
        breaker: BreakerView::default(),
        files: Vec::new(),
        secrets: Vec::new(),
        notifiers: Vec::new(),
        counters: Counters::default(),
    }
}
