//! TLS and what keeps a connection from standing.

use std::io::Read as _;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use leasehold_testkit::evidence;

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
        (with_http_2(ours.mutual("127.0.0.1")), "wants a client certificate"),
    ] {
        let server = Server::tls(config, |_, wire| fine(wire));
        let failure = read(&VaultPlan { ca_file: Some(ours.ca_file()), ..plan(&server.url()) });
        let failure = failure.expect_err("a failure");
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
        assert!(failure.why.contains(why), "{failure}");
        assert!(server.asked().is_empty());
    }
}

/// The same server, which would rather speak HTTP/2.
fn with_http_2(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

#[test]
fn that_break_tls_behind_a_request_may_have_brought_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("https://{}", listener.local_addr().expect("it is bound"));
    let authority = Authority::new("ours");
    let config = Arc::new(authority.server("127.0.0.1", Dates::Now));
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a server"), stream);
        assert_ne!(stream.read(&mut [0; 4096]).expect("a request"), 0);
        stream.sock.write_all(b"this is no record of TLS").expect("it listens");
        until_gone(&mut stream.sock);
    });
    let failure = read(&VaultPlan { ca_file: Some(authority.ca_file()), ..plan(&url) });
    let failure = failure.expect_err("a failure");
    assert_eq!(failure.kind, FailureKind::Unheard, "{failure}");
    assert!(failure.why.contains("broke off"), "{failure}");
    server.join().expect("it ends when the client has gone");
}

#[test]
fn with_an_own_authority_do_not_trust_the_systems() {
    // Without one, the system's are loaded, or their lack is named.
    let server = Authority::new("ours").server("127.0.0.1", Dates::Now);
    let server = Server::tls(server, |_, wire| fine(wire));
    let method = AuthMethod::Token { token_env: "X".to_owned(), token: Some(Secret::from(TOKEN)) };
    let auth = AuthPlan { mount: "token".to_owned(), namespace: None, method, wrap_ttl: None };
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
    let server = Server::tls(authority.mutual("127.0.0.1"), |_, wire| fine(wire));
    let sharing = Server::tls(with_http_2(authority.mutual("127.0.0.1")), |_, wire| fine(wire));
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
    for (server, why) in [(server, "refuses our client certificate"), (sharing, "client certificate")] {
        let address = server.url().parse().expect("a URL");
        let failure = read(&VaultPlan { address, ..plan.clone() }).expect_err("a failure");
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
        assert!(failure.why.contains(why), "{failure}");
    }
}

#[test]
fn ask_for_server_name_and_check_it_wherever_they_lead() {
    let authority = Authority::new("ours");
    let leader = Server::tls(authority.server("vault.example", Dates::Now), |_, wire| fine(wire));
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

#[test]
fn for_a_server_name_that_is_an_address_go_where_the_url_says_and_check_the_certificate_for_the_address() {
    let fault = evidence!(51, Wire);
    let authority = Authority::new("ours");
    for (name, certified) in [("127.0.0.2", "127.0.0.2"), ("::1", "::1"), ("[::1]", "::1")] {
        let config = || authority.server(certified, Dates::Now);
        let home = Server::tls(config(), |_, wire| reply(wire, 200, &[], br#"{"data":{}}"#));
        let named = home.beside("127.0.0.2", config(), |_, wire| reply(wire, 200, &[], br#"{"data":{}}"#));
        for url in [home.url(), home.url_as("localhost")] {
            let plan = VaultPlan {
                ca_file: Some(authority.ca_file()),
                server_name: Some(name.to_owned()),
                ..plan(&url)
            };
            read(&plan).expect("an answer");
            let wrong = VaultPlan { server_name: Some("127.0.0.3".to_owned()), ..plan };
            let failure = read(&wrong).expect_err("a failure");
            assert!(failure.why.contains("for another name"), "{failure}");
        }
        assert_eq!(named.connections(), 0);
        let asked = home.asked();
        assert!(asked.iter().all(|asked| asked.sni.is_none()), "an address is never asked for");
        assert_eq!(asked.len(), 2);
    }
    fault.holds("a server_name that is an address is looked for in the certificate, and not connected to");
}

#[test]
fn for_a_server_name_that_is_an_address_trust_no_other_authority_and_no_end_of_days() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    for (config, why) in [
        (theirs.server("127.0.0.2", Dates::Now), "unknown authority"),
        (ours.server("127.0.0.2", Dates::Past), "has expired"),
        (ours.server("127.0.0.1", Dates::Now), "for another name"),
    ] {
        let server = Server::tls(config, |_, wire| reply(wire, 200, &[], br#"{"data":{}}"#));
        let (ca_file, server_name) = (Some(ours.ca_file()), Some("127.0.0.2".to_owned()));
        let failure = read(&VaultPlan { ca_file, server_name, ..plan(&server.url()) });
        let failure = failure.expect_err("a failure");
        assert!(failure.why.contains(why), "{failure}");
        assert!(server.asked().is_empty());
    }
}
