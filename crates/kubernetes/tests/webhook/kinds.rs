//! Ten kinds of annotated pods go through a real API server and the webhook, run under podman, and have the files that a
//! real `bao agent` writes for the same annotations. The guide's way over from vault-k8s is walked beside it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::demo::{agent, pods_possible, webhook};
use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::need::{have, need};
use crate::support::script::{repository, script};
use crate::support::workspace::Workspace;

/// A quiet machine takes half a minute.
const LIMIT: Duration = Duration::from_secs(400);

#[test]
fn pods_of_ten_kinds_have_the_files_that_a_real_agent_writes() {
    let postgres =
        Command::new(repository().join("scripts/postgres")).output().is_ok_and(|it| it.status.success());
    if !pods_possible() || !need("PostgreSQL's server", "apt-get install postgresql", postgres) {
        return;
    }
    let tests = repository().join("crates/kubernetes/tests/kinds/run.py");
    let (bao, cluster, postgres) =
        (script("openbao", &[]), script("kube-apiserver", &[]), script("postgres", &[]));
    let space = Workspace::new();
    // Mounts of podman's end with it.
    let mut run = Child::start(Path::new("unshare"), "kinds", space.path(), |command| {
        command.args(["--mount", "--propagation", "private"]);
        command.arg(repository().join("scripts/lab-python")).arg(tests).args([bao, cluster, postgres]);
        command.arg(agent()).arg(webhook());
    });
    let status = run.wait(LIMIT);
    assert!(status.success(), "{}{}", run.stdout(), run.stderr());
    assert!(run.stdout().ends_with("\n10 of 10 kinds\n"), "{}", run.stdout());
}

#[test]
fn the_guide_from_vault_k8s_is_walked_as_printed() {
    if !api_server_possible() || !need("kubectl", "apt-get install kubernetes-client", have("kubectl")) {
        return;
    }
    let space = Workspace::new();
    let tests = repository().join("crates/kubernetes/tests/kinds/walk.py");
    let mut walk = Child::start(&repository().join("scripts/lab-python"), "walk", space.path(), |command| {
        command.arg(tests).arg(script("kube-apiserver", &[])).arg(webhook());
    });
    let status = walk.wait(LIMIT);
    assert!(status.success(), "{}{}", walk.stdout(), walk.stderr());
    assert!(walk.stdout().ends_with("\nThe guide was walked.\n"), "{}", walk.stdout());
}
