//! The demo sees every step: an annotated Deployment goes through a real API server and the webhook, and its pod runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::geteuid;

use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::need::{have, need};
use crate::support::script::{repository, script};
use crate::support::workspace::Workspace;

/// The demo gives itself five minutes; a quiet machine takes half of one.
const LIMIT: Duration = Duration::from_secs(320);

/// Returns whether there can be a real API server, and pods beside it.
pub(crate) fn pods_possible() -> bool {
    let programs = ["podman", "runc", "catatonit", "bash-static", "openssl"];
    let available = geteuid().is_root() && programs.iter().all(|program| have(program));
    let how = "apt-get install podman runc catatonit bash-static openssl";
    api_server_possible() && need("root and podman", how, available)
}

pub(crate) fn webhook() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_leasehold-kubernetes"))
}

/// Links the debug build of the agent as one file that needs no libraries, and returns the file's path.
pub(crate) fn agent() -> PathBuf {
    let profile = webhook().parent().expect("it is in a folder");
    let target = profile.parent().expect("the profile's folder is in one").to_string_lossy();
    let profile = profile.file_name().expect("it has a name").to_string_lossy();
    script("static-binary", &[&target, &profile]).into()
}

#[test]
fn the_demo_of_the_webhook_sees_every_step() {
    if !pods_possible() {
        return;
    }
    let space = Workspace::new();
    let mut demo =
        Child::start(&repository().join("scripts/demo-kubernetes"), "demo", space.path(), |command| {
            command.arg(agent()).arg(webhook());
        });
    let status = demo.wait(LIMIT);
    assert!(status.success(), "{}{}", demo.stdout(), demo.stderr());
    assert!(demo.stdout().ends_with("\nEvery step was seen.\n"), "{}", demo.stdout());
}
