//! The guide to SyncedSecrets: its commands are run as printed, with the real kubectl on a real API server and a real OpenBao.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::json;

use crate::stage::{SOON, Stage};
use crate::support::api_server::api_server_possible;
use crate::support::child::Child;
use crate::support::guide::{blocks, page, typed};
use crate::support::need::{have, need};
use crate::support::openbao::OpenBao;
use crate::support::script::repository;
use crate::support::wait::{wait_for, wait_until};
use crate::support::workspace::Workspace;
use crate::synced::with_accounts;

const PAGE: &str = "docs/guides/synced-secrets.md";

/// Kubernetes 1.20 knows disruption budgets in an older version only, and no rules in the schema of a definition.
const KUBECTL: &str = r#"#!/bin/bash
set -euo pipefail
case "$*" in
"apply -f manifests/"*) awk -v RS='---\n' '!/kind: PodDisruptionBudget/ { printf "---\n%s", $0 }' "$3" | "$REAL_KUBECTL" apply -f - ;;
"apply -f -") exec "$REAL_KUBECTL" apply --validate=false -f - ;;
*) exec "$REAL_KUBECTL" "$@" ;;
esac
"#;

/// A desk with the repository's manifests, and the programs that the page takes as given.
struct Desk<'s> {
    stage: &'s Stage,
    space: Workspace,
}

impl<'s> Desk<'s> {
    fn new(stage: &'s Stage) -> Self {
        let space = Workspace::new();
        symlink(repository().join("manifests"), space.join("manifests")).expect("a fresh folder");
        space.dir("bin");
        let kubectl = space.file("bin/kubectl", KUBECTL);
        fs::set_permissions(kubectl, fs::Permissions::from_mode(0o755)).expect("it is ours");
        for program in [OpenBao::program(), env!("CARGO_BIN_EXE_leasehold-kubernetes").into()] {
            let name = program.file_name().expect("it has a name").to_owned();
            symlink(program, space.join("bin").join(name)).expect("a fresh folder");
        }
        Self { stage, space }
    }

    #[track_caller]
    fn run(&self, commands: &[String]) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let real = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|it| it.exists());
        let script = format!("set -euo pipefail\n{}\n", commands.join("\n"));
        let vault = &self.stage.vault;
        let mut shell = Child::start(Path::new("bash"), "walk", self.space.path(), |shell| {
            shell.args(["-c", &script]).current_dir(self.space.path()).env("HOME", self.space.path());
            shell.env("PATH", format!("{}:{path}", self.space.join("bin").display()));
            shell.env("REAL_KUBECTL", real.expect("it was asked for"));
            shell.env("KUBECONFIG", self.stage.api.kubeconfig()).env("BAO_ADDR", vault.address());
            shell.env("BAO_CACERT", vault.ca_file()).env("BAO_TOKEN", vault.root_token());
        });
        let status = shell.wait(SOON);
        assert!(status.success(), "{script}{}{}", shell.stdout(), shell.stderr());
        shell.stdout()
    }
}

#[test]
fn the_guide_to_synced_secrets_is_walked_as_printed() {
    if !api_server_possible() || !need("kubectl", "apt-get install kubernetes-client", have("kubectl")) {
        return;
    }
    let stage = Stage::bare();
    with_accounts(&stage);
    // What stands for a database: the page's paths and keys, without a lease.
    let vault = &stage.vault;
    vault.ask("POST", "sys/mounts/database", Some(json!({"type": "kv", "options": {"version": "1"}}))).ok();
    let credentials = json!({"username": "web", "password": "hunter2"});
    wait_until("the mount", SOON, || {
        vault.ask("POST", "database/creds/web", Some(credentials.clone())).status == 204
    });
    let policy = "path \"database/creds/web\" { capabilities = [\"read\"] }";
    vault.ask("PUT", "sys/policies/acl/web", Some(json!({"policy": policy}))).ok();

    let (desk, text) = (Desk::new(&stage), page(PAGE));
    let said = desk.run(&typed(&text, "Install it"));
    assert!(said.contains("serviceaccount/leasehold-sync created"), "{said}");
    // Nothing runs the Deployment's pod here.
    let _controller = stage.controller(&["-vault.auth-method=none"]);
    let define = "Define a Secret";
    let object = blocks(&text).into_iter().find(|block| block.heading == define && block.language == "yaml");
    desk.space.file("web-db.yaml", object.expect("the page has one").text);
    let commands = typed(&text, define);
    desk.run(&commands[..1]);
    let secret = "/api/v1/namespaces/shop/secrets/web-db";
    let _made = wait_for("the Secret", SOON, || stage.get(secret));
    let shown =
        blocks(&text).into_iter().find(|block| block.heading == define && block.language == "console");
    let shown = shown.expect("the page has one").text;
    let [head, row] = ["NAME ", "web-db "].map(|begin| {
        let line = shown.lines().find(|line| line.starts_with(begin)).expect("the page shows it");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    desk.run(&typed(&text, "Keep leases when the leader changes"));
    let policy = stage.vault.ask("GET", "sys/policies/acl/leasehold-sync", None).ok().text;
    assert!(
        policy.contains("transit/encrypt/leasehold-sync") && policy.contains("transit/decrypt/"),
        "{policy}"
    );
    // Its age and its end are of that run.
    wait_until("what the page shows", SOON, || {
        let said = desk.run(&commands[1..]);
        let line =
            |begin: &str| said.lines().find(|line| line.starts_with(begin)).unwrap_or_default().to_owned();
        let words = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        words(line("NAME ")) == head && words(line("web-db ")).starts_with(&row[..4])
    });
}
