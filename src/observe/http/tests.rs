//! Over real sockets.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::{JoinSet, LocalSet};

use super::*;
use crate::core::view::{FileView, Readiness};
use crate::observe::sample;

/// A server with a main loop behind it that answers with one view and counts the requests to the loop.
struct Running {
    tasks: JoinSet<()>,
    address: Listen,
    refreshed: Rc<Cell<u32>>,
    quit: Rc<Cell<u32>>,
    level: Rc<Cell<Option<Level>>>,
}

impl Running {
    fn start(view: View, limits: Limits) -> Self {
        Self::on(&Listen::Tcp(([127, 0, 0, 1], 0).into()), view, limits)
    }

    fn on(listen: &Listen, view: View, limits: Limits) -> Self {
        let server = Server { limits, ..Server::bind(listen).expect("bound") };
        let address = server.address();
        let (sender, mut asks) = mpsc::channel(8);
        let (refreshed, quit) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let mut tasks = JoinSet::new();
        tasks.spawn_local(async move { match server.serve(sender).await {} });
        let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
        let (refreshes, quits) = (Rc::clone(&refreshed), Rc::clone(&quit));
        let level = Rc::new(Cell::new(None));
        let logged = Rc::clone(&level);
        tasks.spawn_local(async move {
            while let Some(ask) = asks.recv().await {
                // A client that is gone does not want its answer.
                let _delivered = match ask {
                    Ask::Alive(reply) => reply.send(()).is_ok(),
                    Ask::Ready(reply) => reply.send(view.outlook()).is_ok(),
                    Ask::Scrape(reply) => reply.send((view.clone(), sample::besides())).is_ok(),
                    Ask::Log(level, reply) => {
                        logged.set(Some(level));
                        reply.send(()).is_ok()
                    }
                    Ask::Refresh(wanted, reply) => {
                        count(&refreshes);
                        reply.send(wanted != Some(Wanted::File("no.env".into()))).is_ok()
                    }
                    Ask::Renew(wanted, reply) => reply.send(wanted == Wanted::File("db.env".into())).is_ok(),
                    Ask::Quit(reply) => {
                        count(&quits);
                        reply.send(()).is_ok()
                    }
                };
            }
        });
        Self { tasks, address, refreshed, quit, level }
    }

    fn tcp(&self) -> SocketAddr {
        match self.address {
            Listen::Tcp(address) => address,
            Listen::Unix(_) => panic!("listens on a Unix socket"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp()).await.expect("connects")
    }

    /// Returns everything that comes back for these bytes.
    async fn say(&self, bytes: &[u8]) -> String {
        exchange(self.connect().await, bytes).await
    }

    async fn get(&self, path: &str) -> String {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.tcp()).as_bytes()).await
    }

    async fn post(&self, path: &str) -> String {
        self.say(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    // The server may have answered and closed before it read everything; then the rest of what
    // we say fails, and what it said before counts.
    let _cut_short = stream.write_all(bytes).await;
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("UTF-8")
}

fn has_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a header and a body").1
}

/// Runs a test where `spawn_local` works.
fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(test));
}

#[test]
fn every_endpoint_answers_what_it_is_for() {
    local(async {
        let server = Running::start(sample::view(), LIMITS);
        let live = server.get("/livez").await;
        has_status(&live, 200);
        assert_eq!(body(&live), "alive\n");
        assert!(
            live.contains("\r\nconnection: close\r\n") && live.contains("\r\ncache-control: no-store\r\n")
        );
        let ready = server.get("/readyz").await;
        has_status(&ready, 200);
        assert_eq!(body(&ready), "ready, 1 of 1 notifier failing\n");
        let status = server.get("/status").await;
        has_status(&status, 200);
        let parsed: Status = serde_json::from_str(body(&status)).expect("JSON");
        assert_eq!(parsed, Status::of(&sample::view(), &sample::besides()));
        let metrics = server.get("/metrics").await;
        has_status(&metrics, 200);
        assert!(metrics.contains(metrics::CONTENT_TYPE) && metrics.ends_with("# EOF\n"));
        let head = server.say(b"HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        has_status(&head, 200);
        assert_eq!(body(&head), "");
    });
}

#[test]
fn not_ready_is_503_and_says_why_while_livez_stays_200() {
    local(async {
        let readiness = Readiness::Expired { file: "db.env".into(), why: "the server is sealed".into() };
        let server = Running::start(View { readiness, ..sample::view_of_the_well() }, LIMITS);
        let answer = server.get("/readyz").await;
        has_status(&answer, 503);
        assert_eq!(body(&answer), "expired: db.env: the server is sealed\n");
        has_status(&server.get("/livez").await, 200);
        let readiness = Readiness::ReadyWithoutServer { until: None };
        let server = Running::start(View { readiness, ..sample::view() }, LIMITS);
        has_status(&server.get("/readyz").await, 200);
    });
}

#[test]
fn refresh_and_quit_reach_the_main_loop_once() {
    local(async {
        let server = Running::start(sample::view(), LIMITS);
        has_status(&server.post("/refresh").await, 202);
        assert_eq!((server.refreshed.get(), server.quit.get()), (1, 0));
        has_status(&server.post("/quit").await, 202);
        assert_eq!((server.refreshed.get(), server.quit.get()), (1, 1));
    });
}

#[test]
fn a_level_of_the_log_reaches_the_main_loop_and_anything_else_does_not() {
    local(async {
        let server = Running::start(sample::view(), LIMITS);
        for wrong in ["/log", "/log?level=", "/log?level=loud", "/log?level=debug&x=y", "/log?debug"] {
            has_status(&server.post(wrong).await, 400);
        }
        has_status(&server.get("/log?level=debug").await, 405);
        assert_eq!(server.level.get(), None);
        let answer = server.post("/log?level=debug").await;
        has_status(&answer, 200);
        assert_eq!(body(&answer), "logging debug\n");
        assert_eq!(server.level.get(), Some(Level::DEBUG));
    });
}

#[test]
fn wrong_methods_paths_and_web_pages_do_nothing() {
    local(async {
        let server = Running::start(sample::view(), LIMITS);
        let answer = server.get("/quit").await;
        has_status(&answer, 405);
        assert!(answer.contains("\r\nallow: POST\r\n"), "{answer}");
        let answer = server.post("/status").await;
        has_status(&answer, 405);
        assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
        has_status(&server.get("/").await, 404);
        has_status(&server.say(b"POST /quit HTTP/1.1\r\nHost: evil.example\r\n\r\n").await, 403);
        let origin = b"POST /quit HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n";
        has_status(&server.say(origin).await, 403);
        assert_eq!((server.refreshed.get(), server.quit.get()), (0, 0));
    });
}

#[test]
fn huge_headers_and_rubbish_are_refused_and_bodies_are_not_read() {
    local(async {
        let server = Running::start(sample::view(), LIMITS);
        let long = format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(10 << 20));
        has_status(&server.say(long.as_bytes()).await, 431);
        let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(100));
        has_status(&server.say(many.as_bytes()).await, 431);
        let path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20));
        assert!(!server.say(path.as_bytes()).await.contains(" 200 "));
        for rubbish in
            [&b"\0\0\0\0\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\0\r\n\r\n"]
        {
            let answer = server.say(rubbish).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        let endless = b"POST /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nxxxx";
        has_status(&server.say(endless).await, 202);
        has_status(&server.get("/livez").await, 200);
    });
}

#[test]
fn clients_that_say_nothing_do_not_keep_the_others_out() {
    local(async {
        let limits = Limits {
            header_time: Duration::from_millis(100),
            places: Places { local: 4, ..LIMITS.places },
            ..LIMITS
        };
        let server = Running::start(sample::view(), limits);
        let mut silent = Vec::new();
        for _ in 0..8 {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: local").await.expect("written");
            silent.push(stream);
        }
        has_status(&server.get("/livez").await, 200);
    });
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    local(async {
        let limits = Limits {
            life: Duration::from_millis(200),
            places: Places { local: 1, ..LIMITS.places },
            ..LIMITS
        };
        let file = sample::view().files[0].clone();
        let name = |number| FileView { name: format!("{number}-{}", "x".repeat(2_000)), ..file.clone() };
        let view = View { files: (0..20_000).map(name).collect(), ..sample::view() };
        let server = Running::start(view, limits);
        // More than the kernel buffers for a connection is waiting for this one.
        let mut slow = server.connect().await;
        slow.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("written");
        slow.readable().await.expect("answered");
        has_status(&server.get("/livez").await, 200);
        let mut answer = Vec::new();
        let _reset = slow.read_to_end(&mut answer).await;
        assert!(!answer.ends_with(b"}"), "cut off");
    });
}

#[test]
fn a_thousand_quick_scrapes_are_all_answered() {
    local(async {
        // All clients are tasks of this one thread: on a loaded machine some come to write their header late.
        let patient = Duration::from_secs(60);
        let places = Places { silent: patient, slow: patient, ..LIMITS.places };
        let limits = Limits { places, header_time: patient, life: patient, loop_time: patient, ..LIMITS };
        let server = Running::start(sample::view(), limits);
        let scrapes = stream::iter(0..1000).map(|_| server.get("/metrics")).buffer_unordered(200);
        let complete = scrapes.filter(|answer| std::future::ready(answer.ends_with("# EOF\n"))).count().await;
        assert_eq!(complete, 1000);
    });
}

#[test]
fn a_main_loop_that_stands_still_or_has_ended_is_503() {
    local(async {
        let limits = Limits { loop_time: Duration::from_millis(50), ..LIMITS };
        let mut server = Running::start(sample::view(), limits);
        let (sender, asks) = mpsc::channel(1);
        let stuck =
            Server { limits, ..Server::bind(&Listen::Tcp(([127, 0, 0, 1], 0).into())).expect("bound") };
        server.address = stuck.address();
        server.tasks.spawn_local(async move { match stuck.serve(sender).await {} });
        for _ in 0..3 {
            let answer = server.get("/livez").await;
            has_status(&answer, 503);
            assert_eq!(body(&answer), "the main loop does not answer\n");
        }
        drop(asks);
        let answer = server.get("/livez").await;
        has_status(&answer, 503);
        assert_eq!(body(&answer), "shutting down\n");
    });
}

#[test]
fn a_unix_socket_serves_all_of_it() {
    local(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("status");
        let server = Running::on(&Listen::Unix(path.clone()), sample::view(), LIMITS);
        let connect = || async { UnixStream::connect(&path).await.expect("connects") };
        let request = b"GET /readyz HTTP/1.1\r\nHost: leasehold\r\n\r\n";
        has_status(&exchange(connect().await, request).await, 200);
        let request = b"POST /quit HTTP/1.1\r\nHost: leasehold\r\n\r\n";
        has_status(&exchange(connect().await, request).await, 202);
        assert_eq!(server.quit.get(), 1);
    });
}
