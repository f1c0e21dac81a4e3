//! What the client makes of servers that are wrong, slow, hostile or not what they say: every answer is
//! bounded, every wait has an end, and the token goes to nobody else.

mod certificates;
mod server;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certificates::{Authority, Dates};
use leasehold::config::plan::{AuthMethod, AuthPlan, ClientCert, VaultPlan};
use leasehold::secret::Secret;
use leasehold::vault::client::Client;
use leasehold::vault::failure::{Failure, FailureKind};
use leasehold::vault::request::Request;
use leasehold::vault::response::Response;
use server::{Server, Wire, reply, until_gone};
use tokio::net::TcpSocket;

/// What must reach nobody but the server.
const TOKEN: &str = "s.canaryCANARYcanary";

/// A path whose mount is never asked about, so that one read is one request.
const PATH: &str = "cubbyhole/web";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn plan(url: &str) -> VaultPlan {
    VaultPlan {
        address: url.parse().expect("an address"),
        namespace: None,
        ca_file: None,
        ca_dir: None,
        client_cert: None,
        server_name: None,
        redirect_hosts: Vec::new(),
        proxy: None,
        timeout: Duration::from_secs(20),
        rate_limit: None,
        max_in_flight: 8,
    }
}

fn client(plan: &VaultPlan) -> Client {
    let method = AuthMethod::Token { token_env: "X".to_owned(), token: Secret::from(TOKEN) };
    Client::new(plan, &AuthPlan { mount: "token".to_owned(), namespace: None, method }).expect("a client")
}

fn ask(plan: &VaultPlan, request: &Request) -> Result<Response, Failure> {
    let answer = run(client(plan).read(request, &Secret::from(TOKEN)));
    if let Err(failure) = &answer {
        assert!(!failure.why.contains("CANARY") && !failure.why.contains('\n'), "{failure}");
    }
    answer
}

fn read(plan: &VaultPlan) -> Result<Response, Failure> {
    ask(plan, &Request::read(PATH).expect("a good path"))
}

/// The failure that a server brings which answers `script`.
fn fails(script: impl Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync + 'static) -> Failure {
    let server = Server::plain(move |_, wire| script(wire));
    read(&plan(&server.url())).expect_err("a failure")
}

fn answers(status: u16, headers: &'static [(&'static str, &'static str)], body: &'static [u8]) -> Failure {
    fails(move |wire| reply(wire, status, headers, body))
}

mod requests {
    use super::*;

    #[test]
    fn carry_the_headers_that_the_server_wants_and_no_others() {
        let server = Server::plain(|_, wire| reply(wire, 200, &[], br#"{"data":{"a":1}}"#));
        let plan = VaultPlan { namespace: Some("team-a".to_owned()), ..plan(&server.url()) };
        read(&plan).expect("an answer");
        let asked = &server.asked()[0];
        assert_eq!(asked.line, "GET /v1/cubbyhole/web HTTP/1.1");
        let host = server.url().replace("http://", "");
        for (name, value) in [
            ("x-vault-token", TOKEN),
            ("x-vault-namespace", "team-a"),
            ("x-vault-request", "true"),
            ("host", &host),
        ] {
            assert_eq!(asked.header(name), Some(value), "{name}");
        }
        // Nothing that would bring a compressed body, which could be a bomb.
        assert_eq!((asked.header("accept-encoding"), asked.header("referer")), (None, None));
    }

    #[test]
    fn keep_a_prefix_of_the_address() {
        let server = Server::plain(|_, wire| reply(wire, 204, &[], b""));
        for address in [server.url() + "/vault", server.url() + "/vault/"] {
            assert_eq!(read(&plan(&address)), Ok(Response::default()));
        }
        run(client(&plan(&(server.url() + "/vault"))).health()).expect("healthy");
        let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(
            lines[..2],
            ["GET /v1/cubbyhole/web HTTP/1.1".replace("/v1", "/vault/v1"), lines[0].clone()]
        );
        assert_eq!(lines[2], "GET /vault/v1/sys/health?standbyok=true&perfstandbyok=true HTTP/1.1");
    }

    #[test]
    fn of_tokens_go_to_the_namespace_that_made_them_and_health_to_none() {
        let server = Server::plain(|_, wire| reply(wire, 200, &[], b"{}"));
        let vault = VaultPlan { namespace: Some("a/b".to_owned()), ..plan(&server.url()) };
        let method = AuthMethod::Token { token_env: "X".to_owned(), token: Secret::from(TOKEN) };
        let auth = AuthPlan { mount: "token".to_owned(), namespace: Some("a".to_owned()), method };
        let client = Client::new(&vault, &auth).expect("a client");
        run(async {
            client.lookup_self(&Secret::from(TOKEN)).await.expect("looked up");
            client.health().await.expect("healthy");
        });
        let asked = server.asked();
        assert_eq!(asked[0].line, "GET /v1/auth/token/lookup-self HTTP/1.1");
        assert_eq!(asked[0].header("x-vault-namespace"), Some("a"));
        assert_eq!((asked[1].header("x-vault-namespace"), asked[1].header("x-vault-token")), (None, None));
    }

    #[test]
    fn go_through_a_proxy_only_where_one_is_configured() {
        let proxy = Server::plain(|_, wire| reply(wire, 204, &[], b""));
        let plan = VaultPlan {
            proxy: Some(proxy.url().parse().expect("a URL")),
            ..plan("http://vault.invalid:8200")
        };
        read(&plan).expect("an answer");
        assert_eq!(proxy.asked()[0].line, "GET http://vault.invalid:8200/v1/cubbyhole/web HTTP/1.1");
    }
}

mod redirects {
    use super::*;

    /// A server that redirects everything to `to`.
    fn leading_to(to: &str) -> Server {
        let to = to.to_owned();
        Server::plain(move |_, wire| reply(wire, 307, &[("Location", &to)], b""))
    }

    fn refused(plan: &VaultPlan, named: &str) {
        let failure = read(plan).expect_err("a failure");
        assert_eq!(failure.kind, FailureKind::Redirected, "{failure}");
        assert!(failure.why.contains(named), "{failure}");
    }

    #[test]
    fn to_another_host_bring_the_token_nowhere() {
        let thief = Server::plain(|_, wire| reply(wire, 200, &[], b"{}"));
        let home = leading_to(&(thief.url_as("localhost") + "/v1/cubbyhole/web"));
        refused(&plan(&home.url()), "redirect_hosts");
        let user = thief.url_as("x@127.0.0.1");
        refused(&plan(&leading_to(&user).url()), "redirect_hosts");
        let likeness = VaultPlan { redirect_hosts: vec!["host".to_owned()], ..plan(&home.url()) };
        refused(&likeness, "localhost");
        assert_eq!(thief.connections(), 0);
    }

    #[test]
    fn to_a_host_that_is_allowed_are_followed_with_method_and_body() {
        for allowed in ["localhost", "LOCALHOST"] {
            let leader = Server::plain(|_, wire| reply(wire, 200, &[], br#"{"lease_id":"x"}"#));
            let home = leading_to(&(leader.url_as("localhost") + "/v1/cubbyhole/web"));
            let plan = VaultPlan { redirect_hosts: vec![allowed.to_owned()], ..plan(&home.url()) };
            let args = BTreeMap::from([("k".to_owned(), Secret::from("value"))]);
            let answer = ask(&plan, &Request::write(PATH, args).expect("a good path")).expect("an answer");
            assert_eq!(answer.lease_id, "x");
            let asked = &leader.asked()[0];
            assert_eq!(asked.line, "PUT /v1/cubbyhole/web HTTP/1.1");
            assert_eq!(asked.body, br#"{"k":"value"}"#);
            assert_eq!(asked.header("x-vault-token"), Some(TOKEN));
            assert!(asked.header("host").is_some_and(|host| host.starts_with("localhost:")));
        }
    }

    #[test]
    fn are_followed_once() {
        let home = leading_to("/v1/cubbyhole/other");
        refused(&plan(&home.url()), "redirects once more");
        let lines: Vec<_> = home.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(lines, ["GET /v1/cubbyhole/web HTTP/1.1", "GET /v1/cubbyhole/other HTTP/1.1"]);
    }

    #[test]
    fn never_leave_tls() {
        let thief = Server::plain(|_, wire| reply(wire, 200, &[], b"{}"));
        let authority = Authority::new("home");
        let to = thief.url() + "/v1/cubbyhole/web";
        let home = Server::tls(authority.server("127.0.0.1", Dates::Now), move |_, wire| {
            reply(wire, 307, &[("Location", &to)], b"")
        });
        let plan = VaultPlan { ca_file: Some(authority.ca_file()), ..plan(&home.url()) };
        refused(&plan, "another scheme");
        assert_eq!((home.connections(), thief.connections()), (1, 0));
    }

    #[test]
    fn without_a_place_or_as_a_303_are_refused() {
        for (status, headers) in
            [(307, &[][..]), (307, &[("Location", "http://")]), (303, &[("Location", "/v1/x")])]
        {
            assert_eq!(answers(status, headers, b"").kind, FailureKind::Redirected);
        }
    }
}

mod answers {
    use super::*;

    /// Writes until the client has had enough.
    fn flood(wire: &mut dyn Wire, sent: &AtomicUsize) -> io::Result<()> {
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
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let failure = fails(move |wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            flood(wire, &count)
        });
        assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
        assert!(failure.why.contains("larger than 8 MiB"), "{failure}");
        // What the sockets hold comes on top of what was read.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    }

    #[test]
    fn that_announce_a_gibibyte_are_not_waited_for() {
        let failure = fails(|wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
            wire.flush()?;
            until_gone(wire);
            Ok(())
        });
        assert!(failure.why.contains("larger than 8 MiB"), "{failure}");
    }

    #[test]
    fn that_are_compressed_unasked_are_not_unpacked() {
        // The beginning of a gzip stream.
        let failure = answers(200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
        assert_eq!(failure.kind, FailureKind::Nonsense, "{failure}");
    }

    #[test]
    fn that_are_not_the_apis_are_nonsense_and_never_quoted() {
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
        let failure =
            fails(|wire| wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":"));
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
        assert!(failure.why.contains("broke off"), "{failure}");
        assert_eq!(fails(|_| Ok(())).kind, FailureKind::Unreachable);
    }

    #[test]
    fn of_failures_carry_the_servers_words_and_its_wish_to_be_left_alone() {
        let said = br#"{"errors":["1 error occurred:\n\t* quota \u001b[1mexceeded\n\n"]}"#;
        let failure = answers(429, &[("Retry-After", "7")], said);
        assert_eq!(failure.kind, FailureKind::Overloaded(Some(Duration::from_secs(7))));
        assert_eq!(failure.why, "too many requests: quota [1mexceeded (429)");
        let dates =
            &[("Retry-After", "Sun, 06 Nov 1994 08:00:09 GMT"), ("Date", "Sun, 06 Nov 1994 08:00:00 GMT")];
        assert_eq!(answers(503, dates, b"").kind, FailureKind::Overloaded(Some(Duration::from_secs(9))));
    }

    #[test]
    fn of_proxies_and_enterprise_standbys_have_their_kind() {
        for status in [472, 473, 502, 504] {
            let failure = answers(status, &[], b"<html>CANARY</html>");
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
}

mod the_log {
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
}

mod waits {
    use super::*;

    fn given_up(script: impl Fn(&mut dyn Wire) -> io::Result<()> + Send + Sync + 'static) {
        let server = Server::plain(move |_, wire| script(wire));
        let plan = VaultPlan { timeout: Duration::from_millis(300), ..plan(&server.url()) };
        let failure = read(&plan).expect_err("a failure");
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
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
        given_up(|wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
            wire.flush()?;
            until_gone(wire);
            Ok(())
        });
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
        let server = Server::plain(|asked, wire| match asked.line.contains("/slow") {
            true => {
                until_gone(wire);
                Ok(())
            }
            false => reply(wire, 204, &[], b""),
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
    }
}

mod connections {
    use super::*;

    #[test]
    fn that_are_refused_or_have_no_name_say_so() {
        // Bound and not listening: the port refuses, and nobody else can take it.
        let closed = TcpSocket::new_v4().expect("a socket");
        closed.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        let port = closed.local_addr().expect("it is bound").port();
        // A label that is too long: no resolver has to be asked.
        let nowhere = "a".repeat(64);
        for (url, why) in [
            (format!("http://127.0.0.1:{port}"), "refuses the connection"),
            (format!("http://{nowhere}.invalid:8200"), "does not resolve"),
        ] {
            let failure = read(&plan(&url)).expect_err("a failure");
            assert_eq!(failure.kind, FailureKind::Unreachable);
            assert!(failure.why.contains(why) && failure.why.starts_with(&url), "{failure}");
        }
    }

    #[test]
    fn to_what_does_not_speak_tls_say_so() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let url = format!("https://{}", listener.local_addr().expect("it is bound"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").expect("it listens");
            until_gone(&mut stream);
        });
        let authority = Authority::new("none");
        let failure = read(&VaultPlan { ca_file: Some(authority.ca_file()), ..plan(&url) });
        let failure = failure.expect_err("a failure");
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.why.contains("does not speak TLS"), "{failure}");
        server.join().expect("it ends when the client has gone");
    }

    #[test]
    fn that_cannot_be_trusted_say_why() {
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        for (config, why) in [
            (theirs.server("127.0.0.1", Dates::Now), "unknown authority"),
            (ours.server("vault.example", Dates::Now), "for another name"),
            (ours.server("127.0.0.1", Dates::Past), "has expired"),
            (ours.server("127.0.0.1", Dates::Future), "not valid yet"),
            (ours.mutual("127.0.0.1"), "wants a client certificate"),
        ] {
            let server = Server::tls(config, |_, wire| reply(wire, 200, &[], b"{}"));
            let failure = read(&VaultPlan { ca_file: Some(ours.ca_file()), ..plan(&server.url()) });
            let failure = failure.expect_err("a failure");
            assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
            assert!(failure.why.contains(why), "{failure}");
            assert!(server.asked().is_empty());
        }
    }

    #[test]
    fn with_an_own_authority_do_not_trust_the_systems() {
        // Without one, the system's are loaded, or their lack is named.
        let server = Authority::new("ours").server("127.0.0.1", Dates::Now);
        let server = Server::tls(server, |_, wire| reply(wire, 200, &[], b"{}"));
        let method = AuthMethod::Token { token_env: "X".to_owned(), token: Secret::from(TOKEN) };
        let auth = AuthPlan { mount: "token".to_owned(), namespace: None, method };
        match Client::new(&plan(&server.url()), &auth) {
            Ok(client) => {
                assert!(run(client.health()).expect_err("a failure").why.contains("unknown authority"))
            }
            Err(failure) => assert!(failure.why.contains("set vault.ca_file"), "{failure}"),
        }
    }

    #[test]
    fn show_our_certificate_where_there_is_one() {
        let authority = Authority::new("ours");
        let server = Server::tls(authority.mutual("127.0.0.1"), |_, wire| reply(wire, 204, &[], b""));
        let (cert_file, key_file) = authority.client();
        let plan = VaultPlan {
            ca_file: Some(authority.ca_file()),
            client_cert: Some(ClientCert { cert_file, key_file }),
            ..plan(&server.url())
        };
        read(&plan).expect("an answer");

        let stranger = Authority::new("theirs");
        let (cert_file, key_file) = stranger.client();
        let plan = VaultPlan { client_cert: Some(ClientCert { cert_file, key_file }), ..plan };
        let failure = read(&plan).expect_err("a failure");
        assert!(failure.why.contains("client certificate"), "{failure}");
    }

    #[test]
    fn ask_for_server_name_and_check_it_wherever_they_lead() {
        let authority = Authority::new("ours");
        let leader =
            Server::tls(authority.server("vault.example", Dates::Now), |_, wire| reply(wire, 204, &[], b""));
        let to = leader.url_as("localhost") + "/v1/cubbyhole/web";
        let home = Server::tls(authority.server("vault.example", Dates::Now), move |_, wire| {
            reply(wire, 307, &[("Location", &to)], b"")
        });
        let plan = VaultPlan {
            ca_file: Some(authority.ca_file()),
            server_name: Some("vault.example".to_owned()),
            redirect_hosts: vec!["localhost".to_owned()],
            ..plan(&home.url())
        };
        read(&plan).expect("an answer");
        for (server, host) in [(&home, home.url()), (&leader, leader.url_as("localhost"))] {
            let asked = &server.asked()[0];
            assert_eq!(asked.sni.as_deref(), Some("vault.example"));
            assert_eq!(asked.header("host"), host.strip_prefix("https://"));
        }

        let wrong = VaultPlan { server_name: Some("other.example".to_owned()), ..plan };
        assert!(read(&wrong).expect_err("a failure").why.contains("for another name"));
    }
}
