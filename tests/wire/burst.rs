//! How many connections a burst of reads takes, and how many it leaves.

use futures_util::StreamExt as _;
use futures_util::stream;

use super::*;

/// Answers one request after another on a connection, as servers do, until the client closes it.
fn keeps_answering(wire: &mut dyn Wire) -> io::Result<()> {
    loop {
        write!(wire, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", FINE.len())?;
        wire.write_all(FINE)?;
        wire.flush()?;
        let mut last = [0; 4];
        while last != *b"\r\n\r\n" {
            let mut byte = [0];
            if wire.read(&mut byte)? == 0 {
                return Ok(());
            }
            last.rotate_left(1);
            last[3] = byte[0];
        }
    }
}

#[test]
fn a_burst_opens_a_connection_for_each_request_under_way_and_leaves_two() {
    let open = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&open);
    let server = Server::plain(move |_, wire| {
        seen.fetch_add(1, Ordering::SeqCst);
        let end = keeps_answering(wire);
        seen.fetch_sub(1, Ordering::SeqCst);
        end
    });
    let plan = plan(&server.url());
    let client = client(&plan);
    let (request, token) = (Request::read(PATH).expect("a good path"), Secret::from(TOKEN));
    run(async {
        let reads = stream::iter(0..200).map(|_| client.read(&request, &token));
        let answers: Vec<_> = reads.buffer_unordered(plan.max_in_flight).collect().await;
        assert!(answers.iter().all(Result::is_ok));
        assert!(server.connections() <= plan.max_in_flight, "{} connections", server.connections());
        // The pools close what has been idle for too long from inside the runtime.
        let left = async {
            while open.load(Ordering::SeqCst) > 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), left)
            .await
            .expect("the burst's connections are closed");
        client.read(&request, &token).await.expect("one that was kept");
        assert!(server.connections() <= plan.max_in_flight, "opened anew");
    });
}
