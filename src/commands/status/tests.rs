//! Against the real listener, in a thread of its own.

use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::core::view::{Readiness, View};
use crate::observe::http::{Ask, Server};
use crate::observe::metrics::Besides;
use crate::observe::sample;

/// A daemon that shows one view until it is dropped.
struct Shown {
    listen: Listen,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    fn start(listen: Listen, view: View) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let server = Server::bind(&listen).expect("bound");
                bound.send(server.address()).expect("the test waits");
                let (sender, asks) = mpsc::channel(8);
                tokio::select! {
                    never = server.serve(sender) => match never {},
                    () = show(view, asks) => {}
                    _ = stopped => {}
                }
            });
        });
        let listen = address.recv().expect("bound");
        Self { listen, stop: Some(stop), thread: Some(thread) }
    }

    fn on_loopback(view: View) -> Self {
        Self::start(Listen::Tcp(([127, 0, 0, 1], 0).into()), view)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(matches!(ended, Some(Ok(()))) || std::thread::panicking(), "the daemon failed");
    }
}

async fn show(view: View, mut asks: mpsc::Receiver<Ask>) {
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Ready(reply) => reply.send(view.outlook()).expect("it was asked"),
            Ask::Scrape(reply) => reply.send((view.clone(), Besides::default())).expect("somebody asked"),
            Ask::Alive(reply) => reply.send(()).expect("somebody asked"),
            Ask::Log(..) | Ask::Refresh(..) | Ask::Renew(..) | Ask::Quit(_) => {
                panic!("a status only looks")
            }
        }
    }
}

fn asked_at(listen: &Listen) -> Daemon {
    Daemon { listen: listen.clone(), tls: None, set: None, alone: vec![] }
}

fn shown(listen: &Listen, show: Show) -> (Result<ExitCode, Ending>, String) {
    let mut output = Vec::new();
    let daemon = asked_at(listen);
    let result = once(&daemon, &show, Palette::PLAIN, &mut output);
    (result, String::from_utf8(output).expect("UTF-8"))
}

fn unready() -> View {
    let readiness = Readiness::NotRendered { file: "api-key".into(), why: "denied".into() };
    View { readiness, ..sample::view() }
}

#[test]
fn the_probes_print_one_line_and_tell_by_their_code() {
    let daemon = Shown::on_loopback(sample::view());
    let said = |line: &str, code| (Ok(code), format!("{line}\n"));
    let ready = "ready, 1 of 1 notifier failing";
    assert_eq!(shown(&daemon.listen, Show::Ready), said(ready, ExitCode::SUCCESS));
    assert_eq!(shown(&daemon.listen, Show::Live), said("alive", ExitCode::SUCCESS));
    let daemon = Shown::on_loopback(unready());
    let why = "not yet rendered: api-key: denied; 1 of 1 notifier failing";
    assert_eq!(shown(&daemon.listen, Show::Ready), said(why, ExitCode::FAILURE));
    assert_eq!(shown(&daemon.listen, Show::Live), said("alive", ExitCode::SUCCESS));
}

#[test]
fn the_whole_status_comes_as_a_table_or_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let daemon = Shown::start(Listen::Unix(folder.path().join("status")), unready());
    let (result, text) = shown(&daemon.listen, Show::Table);
    assert_eq!(result, Ok(ExitCode::FAILURE), "something is wrong");
    assert!(text.contains("FILE     GENERATION") && text.contains("not yet rendered: api-key"), "{text}");
    let (result, text) = shown(&daemon.listen, Show::Json);
    assert_eq!(result, Ok(ExitCode::FAILURE));
    assert_eq!(text.lines().count(), 1);
    let status: Status = serde_json::from_str(&text).expect("JSON");
    assert_eq!(status, Status::of(&unready(), &Besides::default()));
}

#[test]
fn the_code_says_whether_anything_is_wrong_and_a_name_chooses_what_is_shown() {
    let daemon = Shown::on_loopback(sample::view_of_the_well());
    for show in [Show::Table, Show::Json, Show::Named("db.env".into()), Show::Explained(None)] {
        assert_eq!(shown(&daemon.listen, show).0, Ok(ExitCode::SUCCESS));
    }
    let (_, text) = shown(&daemon.listen, Show::Named("4e5f6a7b".into()));
    assert!(
        text.contains("api-key") && !text.contains("db.env"),
        "the secret and the file that it is in: {text}"
    );
    let (_, text) = shown(&daemon.listen, Show::Explained(Some("db.env".into())));
    assert!(text.contains("no link is broken"), "{text}");
    for show in [Show::Named("none".into()), Show::Explained(Some("none".into()))] {
        let ending = shown(&daemon.listen, show).0.expect_err("there is no such thing");
        assert_eq!(ending.cause, Cause::Missing);
        assert!(ending.hint.contains("db.env, api-key"), "{ending}");
    }
    // Its notifier failed last.
    let daemon = Shown::on_loopback(sample::view());
    assert_eq!(shown(&daemon.listen, Show::Table).0, Ok(ExitCode::FAILURE));
    assert_eq!(shown(&daemon.listen, Show::Ready).0, Ok(ExitCode::SUCCESS), "the files are there");
}

#[test]
fn where_nobody_answers_probes_fail_and_the_status_says_what_to_do() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = Listen::Tcp(free.local_addr().expect("bound"));
    drop(free);
    for show in [Show::Ready, Show::Live] {
        let (result, line) = shown(&listen, show);
        assert_eq!(result, Ok(ExitCode::FAILURE));
        assert!(
            line.starts_with("no leasehold answers at 127.0.0.1:") && line.lines().count() == 1,
            "{line}"
        );
    }
    let nowhere = Listen::Unix("/no/such/socket".into());
    for (listen, why) in [(listen, "nobody listens there"), (nowhere, "there is no such socket")] {
        let (result, line) = shown(&listen, Show::Table);
        let ending = result.expect_err("nobody answers");
        assert_eq!((ending.cause, line.as_str()), (Cause::Unavailable, ""));
        assert!(ending.what.contains(why) && ending.hint.contains("start it"), "{ending}");
    }
}

#[test]
fn something_else_that_listens_there_is_not_taken_for_the_daemon() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = Listen::Tcp(other.local_addr().expect("bound"));
    let answers = ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"];
    let thread = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = other.accept().expect("a connection");
            let mut request = [0; 256];
            let _request = io::Read::read(&mut stream, &mut request).expect("read");
            stream.write_all(answer.as_bytes()).expect("written");
        }
    });
    for _ in answers {
        let ending = shown(&listen, Show::Json).0.expect_err("not a daemon");
        assert_eq!(ending.cause, Cause::Unavailable);
    }
    thread.join().expect("answered");
}

#[test]
fn output_that_nobody_reads_is_an_error_and_not_a_panic() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let daemon = Shown::on_loopback(sample::view());
    let daemon = asked_at(&daemon.listen);
    let ending = once(&daemon, &Show::Json, Palette::PLAIN, &mut Closed).expect_err("closed");
    assert_eq!(ending.cause, Cause::Destination);
}
