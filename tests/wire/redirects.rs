//! Where the token may follow.

use super::*;
use leasehold_testkit::evidence;

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
    let fault = evidence!(21, Wire);
    let thief = Server::plain(|_, wire| reply(wire, 200, &[], b"{}"));
    let home = leading_to(&(thief.url_as("localhost") + "/v1/cubbyhole/web"));
    refused(&plan(&home.url()), "redirect_hosts");
    let user = thief.url_as("x@127.0.0.1") + "/v1/cubbyhole/web";
    refused(&plan(&leading_to(&user).url()), "a user name or password");
    let likeness = VaultPlan { redirect_hosts: vec!["host".to_owned()], ..plan(&home.url()) };
    refused(&likeness, "localhost");
    assert_eq!(thief.connections(), 0);
    fault.holds("the other host is not even connected to");
}

#[test]
fn to_a_host_that_repeats_what_was_sent_are_not_quoted() {
    let encoded: String = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let value = "a-value-that-is-written";
    for host in [TOKEN, &encoded, value] {
        for user in ["", "x:y@"] {
            let home = leading_to(&format!("http://{user}{host}.example/v1/{PATH}"));
            let args = BTreeMap::from([("k".to_owned(), Secret::from(value))]);
            let failure = ask(&plan(&home.url()), &Request::write(PATH, args).expect("a good path"));
            let failure = failure.expect_err("a failure");
            assert_eq!(failure.kind, FailureKind::Redirected, "{failure}");
            assert!(failure.why.contains("redirects to a host that repeats what was sent"), "{failure}");
            assert!(!failure.why.to_lowercase().contains(&host.to_lowercase()), "{failure}");
        }
    }
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
    let fault = evidence!(21, Wire);
    let home = leading_to("/v1/cubbyhole/web");
    refused(&plan(&home.url()), "redirects once more");
    let lines: Vec<_> = home.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /v1/cubbyhole/web HTTP/1.1"; 2]);
    fault.holds("followed once");
}

#[test]
fn never_leave_tls() {
    let fault = evidence!(21, Wire);
    let thief = Server::plain(|_, wire| reply(wire, 200, &[], b"{}"));
    let authority = Authority::new("home");
    let to = thief.url() + "/v1/cubbyhole/web";
    let home = Server::tls(authority.server("127.0.0.1", Dates::Now), move |_, wire| {
        reply(wire, 307, &[("Location", &to)], b"")
    });
    let plan = VaultPlan { ca_file: Some(authority.ca_file()), ..plan(&home.url()) };
    refused(&plan, "another scheme");
    assert_eq!((home.connections(), thief.connections()), (1, 0));
    fault.holds("never from https to http");
}

#[test]
fn without_a_place_or_as_a_303_are_refused() {
    for (status, headers) in
        [(307, &[][..]), (307, &[("Location", "http://")]), (303, &[("Location", "/v1/x")])]
    {
        assert_eq!(answers(status, headers, b"").kind, FailureKind::Redirected);
    }
}

#[test]
fn to_another_path_or_query_bring_nothing_there() {
    let fault = evidence!(51, Wire);
    let other = Server::plain(|_, wire| reply(wire, 200, &[], br#"{"lease_id":"x"}"#));
    for to in [
        "/v1/cubbyhole/other",
        "/v1/cubbyhole/web/",
        "/v1/cubbyhole//web",
        "/v1/cubbyhole/web/../web2",
        "/v1/cubbyhole/web?list=true",
        "/cubbyhole/web",
        "",
        "/login?next=/v1/cubbyhole/web",
    ] {
        let home = leading_to(&(other.url() + to));
        refused(&plan(&home.url()), "another path or query");
    }
    assert_eq!(other.connections(), 0);
    fault.holds("what Vault never does is refused with its cause, and nothing is asked there");
}

#[test]
fn to_another_port_of_the_same_host_are_followed_for_what_was_asked_for_however_it_is_spelled() {
    for (asked, path_of_the_address, to) in [
        ("cubbyhole/web", "", "/v1/cubbyhole/web"),
        ("cubbyhole/web", "", "/v1/cubbyhole/./web"),
        ("cubbyhole/web", "", "/v1/cubbyhole/%77eb#fragment"),
        ("cubbyhole/web?version=2", "", "/v1/cubbyhole/web?version=2"),
        ("cubbyhole/we b", "", "/v1/cubbyhole/we%20b"),
        // A proxy took the address's own path off before Vault saw the request.
        ("cubbyhole/web", "/vault", "/v1/cubbyhole/web"),
    ] {
        let leader = Server::plain(|_, wire| reply(wire, 200, &[], br#"{"lease_id":"x","data":{}}"#));
        let home = leading_to(&(leader.url() + to));
        let plan = plan(&(home.url() + path_of_the_address));
        let answer = ask(&plan, &Request::read(asked).expect("a good path")).expect("an answer");
        assert_eq!(answer.lease_id, "x");
        let (ours, theirs) = (&home.asked()[0].line, &leader.asked()[0].line);
        assert_eq!(theirs, &ours.replacen(path_of_the_address, "", 1), "{to}");
        assert_eq!(leader.asked()[0].header("x-vault-token"), Some(TOKEN));
    }
}
