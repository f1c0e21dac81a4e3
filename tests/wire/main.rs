//! What the client makes of servers that are wrong, slow, hostile or not what they say: every answer is
//! bounded, every wait has an end, and the token goes to nobody else.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod burst;
mod certificates;
mod connections;
mod intercepted;
mod kills;
mod link;
mod memory;
mod nonsense;
mod redirects;
mod requests;
mod running;
mod server;
mod sharing;
mod the_log;
mod tls;
mod waits;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use certificates::{Authority, Dates};
use leasehold::config::plan::{AuthMethod, AuthPlan, ClientCert, Credential, VaultPlan};
use leasehold::core::ids::LeaseId;
use leasehold::secret::Secret;
use leasehold::vault::client::Client;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use server::{Server, Wire, reply, until_gone};
use support::{auth_plan, run, vault_plan};
use tokio::net::TcpSocket;

/// What must reach nobody but the server.
const TOKEN: &str = "s.canaryCANARYcanary";

/// A path whose mount is never asked about, so that one read is one request.
const PATH: &str = "cubbyhole/web";

/// A good answer to a read, a look-up and a question about the health.
const FINE: &[u8] = br#"{"initialized":true,"sealed":false,"data":{"ttl":9}}"#;

fn fine(wire: &mut dyn Wire) -> io::Result<()> {
    reply(wire, 200, &[], FINE)
}

fn plan(url: &str) -> VaultPlan {
    VaultPlan { timeout: Duration::from_secs(20), ..vault_plan(url, None) }
}

fn client(plan: &VaultPlan) -> Client {
    let method = AuthMethod::Token { token_env: "X".to_owned(), token: Some(Secret::from(TOKEN)) };
    Client::new(plan, &auth_plan("token", method)).expect("a client")
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
