//! Where the server speaks HTTP/2, one connection carries everything.

use futures_util::StreamExt as _;
use futures_util::stream;
use leasehold::observe::clock;

use super::*;
use crate::link::Link;
use crate::support::OpenBao;

fn linked(server: &OpenBao) -> (Link, VaultPlan) {
    let port = server.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let link = Link::to(port);
    let plan = VaultPlan { ca_file: Some(server.ca_file()), ..plan(&link.url()) };
    (link, plan)
}

#[test]
fn a_burst_goes_over_the_connection_that_is_there_and_a_long_one_opens_more() {
    let server = OpenBao::start();
    let (link, plan) = linked(&server);
    let (client, plan) = (&client(&plan), &plan);
    run(async {
        client.health().await.expect("it is there");
        let burst = |count| async move {
            let asks = stream::iter(0..count).map(|_| client.health());
            let answers: Vec<_> = asks.buffer_unordered(plan.max_in_flight).collect().await;
            assert!(answers.iter().all(Result::is_ok));
        };
        burst(100).await;
        assert_eq!(link.connections(), 1);
        burst(300).await;
        // A request that waits for its own connection takes one that becomes free meanwhile, and leaves its own to the
        // next. How often that happens is the machine's, but few of the requests have a connection of their own.
        let opened = link.connections();
        assert!((2..100).contains(&opened), "{opened}: many in a row share some");
    });
}

#[test]
fn a_server_name_keeps_to_http_1_whose_host_is_the_servers_own() {
    let server = OpenBao::start();
    let (link, plan) = linked(&server);
    let plan = VaultPlan { server_name: Some("localhost".to_owned()), ..plan };
    let client = client(&plan);
    run(async {
        let asks = stream::iter(0..50).map(|_| client.health());
        let answers: Vec<_> = asks.buffer_unordered(plan.max_in_flight).collect().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    });
    assert!(link.connections() > 1, "HTTP/1 takes one for each request under way");
}

#[test]
fn a_connection_that_died_without_a_word_is_given_up_before_a_request_s_time_is_over() {
    let server = OpenBao::start();
    let (link, plan) = linked(&server);
    let client = client(&plan);
    run(async {
        client.health().await.expect("it is there");
        link.die();
        let asked = clock::moment();
        let failure = client.health().await.expect_err("nothing comes back");
        assert_eq!(failure.kind, FailureKind::Unheard, "{failure}");
        let took = asked.until(clock::moment());
        assert!(took < plan.timeout.mul_f64(0.7), "{took:?}");
        client.health().await.expect("over a new connection");
    });
    assert_eq!(link.connections(), 2);
}
