//! Every block of commands in the README and the guides is run by a test as it is printed, or there is a reason why not.

use std::fs;
use std::process::Command;

use crate::support::guide::{Block, blocks, page, typed};
use crate::support::repository;

/// What becomes of a block.
enum How {
    /// The test that runs it: its file and its name.
    Walked(&'static str, &'static str),
    /// Why no test here can.
    Not(&'static str),
}
use How::{Not, Walked};

/// Blocks of a page: under this heading, or under any where that is empty; whose first command begins so.
type Row = (&'static str, &'static str, &'static str, How);

const WALKS: &str = "tests/machine/walks.rs";
const SHOWN: &str = "tests/server/shown.rs";
const PODS: &str = "crates/kubernetes/tests/webhook/shown.rs";
const SYNC: &str = "crates/kubernetes/tests/sync/shown.rs";
const INSTALLED: &str = "tests/machine/packages/page.rs";
const ELSEWHERE: &str = "what_the_guides_from_elsewhere_run_on_a_server_runs_as_printed";
const MAKE: How = Walked("tests/pure/blocks.rs", "every_target_of_make_that_a_page_names_is_there");
const ACCOUNT: How = Not("it asks the cloud itself, and needs an account there");
const BUILD: How = Not(
    "docker builds it from an image that a registry has; the packages' own image is run by tests/machine/pods",
);

const THEIRS: How = Not(
    "it reads another operator's objects, whose definitions are not here; its tests give `convert` such objects",
);

const ROWS: &[Row] = &[
    ("README.md", "Install", "make ", MAKE),
    (
        "README.md",
        "Sixty seconds on a development server",
        "",
        Walked(WALKS, "the_sixty_seconds_of_the_readme_are_walked_as_printed"),
    ),
    ("clouds.md", "", "aws ", ACCOUNT),
    ("clouds.md", "", "az ", ACCOUNT),
    ("clouds.md", "", "gcloud ", ACCOUNT),
    (
        "clouds.md",
        "",
        "bao write auth/jwt/role/web ",
        Not("its bounds are an account at Google; the login itself is tested in tests/server/clouds"),
    ),
    ("configuration.md", "", "", Walked(WALKS, "guides_on_a_development_server_are_walked_as_printed")),
    ("exec.md", "", "leasehold exec ", Walked(SHOWN, "the_parent_of_a_process_is_started_as_printed")),
    ("first-secret.md", "", "", Walked(WALKS, "a_newcomer_gets_from_nothing_to_a_secret_of_their_own")),
    ("from-consul-template.md", "", "leasehold ", Walked(SHOWN, ELSEWHERE)),
    ("from-envconsul.md", "", "leasehold ", Walked(SHOWN, ELSEWHERE)),
    ("from-external-secrets.md", "", "kubectl get ", THEIRS),
    ("from-secrets-manager.md", "Swap the image", "docker build ", BUILD),
    ("from-vault-agent.md", "", "leasehold ", Walked(SHOWN, ELSEWHERE)),
    (
        "from-vault-k8s.md",
        "Look at what your pods would become",
        "",
        Walked(PODS, "what_annotated_pods_would_become_is_shown_as_printed"),
    ),
    ("from-vault-k8s.md", "With the webhook", "docker build ", BUILD),
    (
        "from-vault-k8s.md",
        "With the webhook",
        "kubectl ",
        Walked("crates/kubernetes/tests/webhook/kinds.rs", "the_guide_from_vault_k8s_is_walked_as_printed"),
    ),
    (
        "from-vault-k8s.md",
        "With the webhook",
        "helm upgrade ",
        Not(
            "HashiCorp's chart is in a registry; crates/kubernetes/tests/webhook/dropin.rs starts what it makes",
        ),
    ),
    (
        "from-vault-k8s.md",
        "Or with a manifest of your own",
        "kubectl get ",
        Walked(PODS, "the_configuration_of_a_pod_that_runs_is_taken_over_as_printed"),
    ),
    ("from-vault-secrets-operator.md", "", "kubectl get ", THEIRS),
    ("install.md", "", "make ", MAKE),
    (
        "install.md",
        "Verify",
        "",
        Walked(INSTALLED, "a_stranger_verifies_signature_checksums_and_bill_of_materials_as_the_page_says"),
    ),
    (
        "install.md",
        "Debian and Ubuntu",
        "",
        Walked(INSTALLED, "the_commands_of_the_page_install_and_remove_on_an_empty_debian"),
    ),
    (
        "install.md",
        "The clouds",
        "apt install ",
        Walked(INSTALLED, "the_commands_of_the_page_install_and_remove_on_an_empty_debian"),
    ),
    (
        "install.md",
        "Any Linux",
        "",
        Walked(INSTALLED, "the_commands_of_the_page_install_and_remove_on_an_empty_debian"),
    ),
    (
        "install.md",
        "Fedora, RHEL and SUSE",
        "dnf ",
        Not(
            "no Fedora can be made from Debian's mirror; tests/machine/packages/formats.rs has rpm install it",
        ),
    ),
    (
        "install.md",
        "Images",
        "podman ",
        Walked("tests/machine/pods/mod.rs", "an_engine_loads_and_runs_the_image_as_the_page_says"),
    ),
    ("install.md", "Images", "skopeo ", Not("it takes a registry")),
    (
        "install.md",
        "Sign",
        "minisign ",
        Not(
            "all packages take half an hour to build; tests/machine/packages/made.rs makes such a key and signs those of this machine",
        ),
    ),
    (
        "kubernetes.md",
        "",
        "",
        Walked("tests/machine/shims.rs", "every_name_in_the_guide_to_kubernetes_is_one_that_it_has_applied"),
    ),
    ("nginx.md", "", "", Walked(WALKS, "the_guide_to_nginx_is_walked_as_printed")),
    ("playground.md", "", "make ", MAKE),
    ("postgresql.md", "", "", Walked(WALKS, "the_guide_to_postgresql_is_walked_as_printed")),
    (
        "sensu.md",
        "On the server",
        "bao ",
        Not(
            "roles as nginx.md makes them, which is walked; tests/machine/guides.rs compares the files with what Sensu reads",
        ),
    ),
    ("spring.md", "", "", Walked(WALKS, "the_guide_to_spring_boot_is_walked_as_printed")),
    ("synced-secrets.md", "Install it", "", Walked(SYNC, "the_guide_to_synced_secrets_is_walked_as_printed")),
    (
        "synced-secrets.md",
        "Keep leases when the leader changes",
        "",
        Walked(SYNC, "the_guide_to_synced_secrets_is_walked_as_printed"),
    ),
    (
        "synced-secrets.md",
        "Define a Secret",
        "",
        Walked(SYNC, "the_guide_to_synced_secrets_is_walked_as_printed"),
    ),
    (
        "troubleshooting.md",
        "The chain, one command a link",
        "kubectl ",
        Walked(PODS, "a_pod_that_does_not_start_is_looked_at_as_printed"),
    ),
    (
        "troubleshooting.md",
        "The chain, one command a link",
        "",
        Walked(WALKS, "the_chain_of_troubles_is_gone_along_as_printed"),
    ),
    (
        "troubleshooting.md",
        "At night: what to look at, in which order",
        "",
        Walked(SHOWN, "what_is_to_be_looked_at_in_the_night_is_shown_as_printed"),
    ),
    (
        "troubleshooting.md",
        "The alerts",
        "leasehold ",
        Walked("tests/server/incidents/mod.rs", "every_alert_has_a_page_with_numbered_steps_and_leads_to_it"),
    ),
    (
        "troubleshooting.md",
        "A key or a password has leaked",
        "curl ",
        Walked(SHOWN, "what_has_leaked_is_minted_anew_by_the_commands_of_the_page"),
    ),
    (
        "backends.md",
        "From the environment to a Vault in three steps",
        "",
        Walked(WALKS, "guides_on_a_development_server_are_walked_as_printed"),
    ),
    (
        "upgrade.md",
        "What an upgrade does",
        "leasehold check ",
        Walked(SHOWN, "a_configuration_is_checked_before_an_upgrade_as_printed"),
    ),
    (
        "vm.md",
        "",
        "",
        Walked(
            "tests/machine/systemd/mod.rs",
            "the_guide_to_a_vm_is_walked_as_printed_on_a_machine_that_has_nothing",
        ),
    ),
    (
        "watching.md",
        "Status",
        "leasehold status ",
        Walked(SHOWN, "the_status_on_the_page_about_watching_is_shown_as_printed"),
    ),
];

/// The README and the guides, by their names.
fn pages() -> Vec<(String, String)> {
    let guides = fs::read_dir(repository().join("docs/guides")).expect("a folder of ours");
    let names =
        guides.map(|entry| entry.expect("it can be listed").file_name().into_string().expect("plain names"));
    let mut pages: Vec<(String, String)> =
        names.map(|name| (name.clone(), page(&format!("docs/guides/{name}")))).collect();
    pages.push(("README.md".to_owned(), page("README.md")));
    pages
}

/// The first command of a block.
fn first(block: &Block) -> String {
    let typed = if block.language == "console" { block.typed() } else { vec![block.text.clone()] };
    typed.first().map(|text| text.trim_start().to_owned()).unwrap_or_default()
}

#[test]
fn every_block_of_commands_is_walked_by_a_test_or_has_a_reason_why_not() {
    let mut used = vec![false; ROWS.len()];
    for (name, text) in pages() {
        for block in blocks(&text) {
            match block.language.as_str() {
                "sh" | "console" => {}
                "yaml" | "yml" | "text" | "json" | "hcl" | "properties" => continue,
                other => panic!("{name}:{}: what is {other:?}? Commands are `sh` or `console`", block.line),
            }
            let row = ROWS.iter().position(|(page, heading, begins, _)| {
                *page == name
                    && (heading.is_empty() || *heading == block.heading)
                    && first(&block).starts_with(begins)
            });
            let row = row.unwrap_or_else(|| {
                panic!(
                    "{name}:{}: no test runs {:?}; walk it, or give a reason here",
                    block.line,
                    first(&block)
                )
            });
            used[row] = true;
        }
    }
    for ((page, heading, begins, how), used) in ROWS.iter().zip(used) {
        assert!(used, "{page} has no block of commands under {heading:?} that begins with {begins:?}");
        match how {
            Walked(file, test) => {
                let source = fs::read_to_string(repository().join(file)).unwrap_or_default();
                assert!(
                    source.contains(&format!("#[test]\nfn {test}()")),
                    "{page}: {file} has no test {test}"
                );
            }
            Not(why) => assert!(why.len() > 10, "{page}: {why}"),
        }
    }
}

#[test]
fn every_target_of_make_that_a_page_names_is_there() {
    let commands = pages().into_iter().flat_map(|(_, text)| typed(&text, ""));
    let targets: Vec<String> = commands
        .filter_map(|command| {
            command.strip_prefix("make ").and_then(|rest| rest.split(' ').next()).map(str::to_owned)
        })
        .collect();
    assert!(targets.len() >= 5, "{targets:?}");
    for target in targets {
        let output = Command::new("make").args(["--dry-run", &target]).current_dir(repository()).output();
        let output = output.expect("make is there");
        assert!(output.status.success(), "make {target}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
