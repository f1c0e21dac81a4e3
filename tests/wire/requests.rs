//! What is sent.

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
    let server = Server::plain(|_, wire| fine(wire));
    for address in [server.url() + "/vault", server.url() + "/vault/"] {
        read(&plan(&address)).expect("an answer");
    }
    run(client(&plan(&(server.url() + "/vault"))).health()).expect("healthy");
    let lines: Vec<_> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines[..2], ["GET /v1/cubbyhole/web HTTP/1.1".replace("/v1", "/vault/v1"), lines[0].clone()]);
    assert_eq!(lines[2], "GET /vault/v1/sys/health?standbyok=true&perfstandbyok=true HTTP/1.1");
}

#[test]
fn of_tokens_go_to_the_namespace_that_made_them_and_health_to_none() {
    let server = Server::plain(|_, wire| fine(wire));
    let vault = VaultPlan { namespace: Some("a/b".to_owned()), ..plan(&server.url()) };
    let method = AuthMethod::Token { token_env: "X".to_owned(), token: Some(Secret::from(TOKEN)) };
    let auth =
        AuthPlan { mount: "token".to_owned(), namespace: Some("a".to_owned()), method, wrap_ttl: None };
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
    let proxy = Server::plain(|_, wire| fine(wire));
    let plan =
        VaultPlan { proxy: Some(proxy.url().parse().expect("a URL")), ..plan("http://vault.invalid:8200") };
    read(&plan).expect("an answer");
    assert_eq!(proxy.asked()[0].line, "GET http://vault.invalid:8200/v1/cubbyhole/web HTTP/1.1");
}

#[test]
fn that_a_proxy_may_have_failed_say_so() {
    let closed = TcpSocket::new_v4().expect("a socket");
    closed.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
    let proxy = format!("http://{}", closed.local_addr().expect("it is bound"));
    let plan = VaultPlan { proxy: Some(proxy.parse().expect("a URL")), ..plan("http://vault.invalid:8200") };
    let failure = read(&plan).expect_err("a failure");
    assert!(failure.why.starts_with("http://vault.invalid:8200 by way of vault.proxy: "), "{failure}");
}
