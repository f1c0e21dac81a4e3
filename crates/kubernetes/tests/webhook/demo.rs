//! The demo sees every step: an annotated Deployment goes through a real API server and the webhook, and its pod runs.

use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::need::{have, need};
use crate::support::script::{repository, script};
use crate::support::workspace::Workspace;

/// The demo gives itself five minutes; a quiet machine takes half of one.
const LIMIT: Duration = Duration::from_secs(320);

#[test]
fn the_demo_of_the_webhook_sees_every_step() {
    let programs = ["podman", "runc", "catatonit", "bash-static", "openssl"];
    let available = geteuid().is_root() && programs.iter().all(|program| have(program));
    let how = "apt-get install podman runc catatonit bash-static openssl";
    if !api_server_possible() || !need("root and podman", how, available) {
        return;
    }
    let webhook = Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"));
    let profile = webhook.parent().expect("it is in a folder");
    let target = profile.parent().expect("the profile's folder is in one").to_string_lossy();
    let profile = profile.file_name().expect("it has a name").to_string_lossy();
    // The debug build as one file that needs no libraries.
    let agent = script("static-binary", &[&target, &profile]);
    let space = Workspace::new();
    let mut demo =
        Child::start(&repository().join("scripts/demo-kubernetes"), "demo", space.path(), |command| {
            command.arg(&agent).arg(webhook);
        });
    let status = demo.wait(LIMIT);
    assert!(status.success(), "{}{}", demo.stdout(), demo.stderr());
    assert!(demo.stdout().ends_with("\nEvery step was seen.\n"), "{}", demo.stdout());
}
