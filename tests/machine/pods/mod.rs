//! The shipped manifests as real pods with the images of the packages, and the image as the Dockerfile makes it.

mod podman;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::packages::made::VERSION;
use crate::program::release;
use crate::support::guide::{page, typed};
use crate::support::{Cluster, Identity, OpenBao, Rabbit, SOON, Workspace, need, set_up_vault, wait_until};
use podman::{IMAGE, Podman, possible};
use serde_json::{Value, json};

/// Pods here share the host's network, and so the port that the shipped configurations listen on.
static PORT: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    PORT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the shipped manifests expect of a Vault, set up by the shipped script with the shipped policy.
struct Stage {
    server: OpenBao,
    cluster: Cluster,
    rabbit: Rabbit,
}

impl Stage {
    fn new() -> Self {
        let (server, cluster, rabbit) = (OpenBao::start(), Cluster::start(), Rabbit::start());
        set_up_vault(&server, &cluster.address(), &server.ca_file(), &cluster.reviewer_token());
        server.kv2("secret");
        server.pki("pki", "web", "1h");
        // Any engine that leases a user and a password will do.
        let hour = Duration::from_secs(3600);
        server.rabbit("database", &rabbit, "web", hour, hour);
        Self { server, cluster, rabbit }
    }

    fn put(&self, key: &str) {
        self.server.put("secret", "web", json!({ "api_key": key }));
    }

    fn podman(&self) -> Podman {
        Podman::start(&self.server, &self.cluster.token(&Identity::default()))
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.server.accessors(), [""; 0], "a token is left");
        wait_until("the leased users to be gone", SOON, || self.rabbit.users().is_empty());
    }
}

#[test]
fn an_init_container_comes_first_and_the_sidecar_tells_the_application_and_revokes_at_the_end() {
    if !possible() {
        return;
    }
    let _alone = alone();
    let stage = Stage::new();
    let podman = stage.podman();

    // Without a secret init fails, the application is never started, and nothing is left on the server.
    let pod = podman.pod("pod.yaml");
    podman.play(&pod).expect_err("init cannot have rendered what is not there");
    assert_eq!(podman.state("web-web").as_deref().unwrap_or("created"), "created");
    assert!(
        podman.logs("web-leasehold-init").contains("secret/web"),
        "{}",
        podman.logs("web-leasehold-init")
    );
    stage.assert_nothing_left();
    podman.remove("web");

    stage.put("one");
    podman.play(&pod).expect("it starts");
    let all = ["web-web", "web-leasehold"];
    podman.wait_for("web-web", "started: ", &all);
    assert_eq!(podman.logs("web-web").lines().next(), Some("started: one"), "its files were there before it");
    // One login, and one user, for init and sidecar together.
    wait_until("the sidecar to be ready", SOON, || podman.probe("web-leasehold", "--ready"));
    assert!(podman.probe("web-leasehold", "--live"));
    assert_eq!(
        stage.server.requests("auth/kubernetes/login"),
        2,
        "that of the pod that failed, and this one"
    );
    assert_eq!(stage.rabbit.users().len(), 1);

    // Across the shared pid namespace, with the same user and without any capability.
    stage.put("two");
    podman.refresh();
    podman.wait_for("web-web", "told: two", &all);
    for container in ["web-web", "web-leasehold"] {
        assert_eq!(podman.user(container), "65532");
    }
    let log = podman.logs("web-leasehold");
    assert!(!log.contains("two") && !log.contains("one\""), "{log}");

    // SIGTERM, as the kubelet sends it.
    assert_eq!(podman.stop("web-leasehold"), 0);
    stage.assert_nothing_left();
}

#[test]
fn a_program_that_copied_itself_is_the_parent_of_the_application_and_gives_it_its_environment() {
    if !possible() {
        return;
    }
    let _alone = alone();
    let stage = Stage::new();
    stage.put("one");
    let podman = stage.podman();
    podman.play(&podman.pod("pod-exec.yaml")).expect("it starts");
    podman.wait_for("web-exec-web", "started: one", &["web-exec-web"]);
    wait_until("the probe to succeed", SOON, || {
        podman.run_in("web-exec-web", &["/leasehold/bin/leasehold", "status", "--ready"])
    });
    assert_eq!(podman.user("web-exec-web"), "65532");

    stage.put("two");
    podman.refresh();
    podman.wait_for("web-exec-web", "started: two", &["web-exec-web"]);
    assert_eq!(stage.server.requests("auth/kubernetes/login"), 1);

    assert_eq!(podman.stop("web-exec-web"), 0);
    stage.assert_nothing_left();
}

#[test]
fn the_image_of_a_release_is_one_small_program_that_runs_as_nobody() {
    let program = release("leasehold");
    let fresh = need("a release build as new as the sources", "make release", program.is_some());
    if !fresh || !possible() {
        return;
    }
    let podman = Podman::bare();
    podman.image(&program.expect("it was looked for"));
    let told: Value = serde_json::from_str(&podman.expect(&["image", "inspect", IMAGE])).expect("JSON");
    let image = &told[0];
    let size = image["Size"].as_u64().expect("a size");
    assert!(size < 8_000_000, "the image has {size} bytes");
    assert_eq!(image["RootFS"]["Layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(image["Config"]["User"], "65532:65532");
    assert_eq!(image["Config"]["Entrypoint"], json!(["/usr/local/bin/leasehold"]));
    let run = ["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", IMAGE, "--version"];
    assert!(podman.expect(&run).starts_with("leasehold "));
}

#[test]
fn the_images_of_the_packages_have_one_layer_with_one_file_that_runs_as_nobody() {
    if !possible() {
        return;
    }
    let podman = Podman::bare();
    for program in ["leasehold", "leasehold-kubernetes"] {
        podman.load(program);
        let image = format!("localhost/{program}:{VERSION}");
        let told: Value = serde_json::from_str(&podman.expect(&["image", "inspect", &image])).expect("JSON");
        assert_eq!(told[0]["RootFS"]["Layers"].as_array().map(Vec::len), Some(1));
        assert_eq!(told[0]["Config"]["User"], "65532:65532");
        let labels = &told[0]["Labels"];
        assert_eq!(labels["org.opencontainers.image.version"], VERSION);
        assert_eq!(labels["org.opencontainers.image.title"], program);
        assert_eq!(podman.files(&image), [format!("usr/local/bin/{program}")]);
        let run = ["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL", &image, "--version"];
        assert!(podman.expect(&run).starts_with(&format!("{program} {VERSION}")));
    }
}

#[test]
fn an_engine_loads_and_runs_the_image_as_the_page_says() {
    if !possible() {
        return;
    }
    let podman = Podman::bare();
    podman.load("leasehold");
    let commands = typed(&page("docs/guides/install.md"), "Images");
    let commands: Vec<&str> = commands.iter().filter_map(|line| line.strip_prefix("podman ")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    let layout = format!("leasehold-{VERSION}.oci.tar");
    let last = commands.iter().fold(String::new(), |_, command| {
        // The folder that the files are in.
        let command = command.replace(&layout, "/mnt/build/leasehold.oci.tar");
        // A machine of the tests may have no networks.
        let command = command.replace("run --rm", "run --rm --network=none");
        podman.expect(&command.split(' ').collect::<Vec<_>>())
    });
    assert_eq!(last, format!("leasehold {VERSION}\n"));
}

#[test]
fn the_program_of_a_release_names_the_one_that_has_the_clouds() {
    let program = release("leasehold");
    if !need("a release build as new as the sources", "make release", program.is_some()) {
        return;
    }
    let space = Workspace::new();
    let text = "backends: {aws: {aws_secrets_manager: {region: eu-central-1}}}\nsecrets_dir: /run/app/secrets\n\
                files: [{path: a, secret: aws/a}]\n";
    let config = space.file("leasehold.yaml", text);
    let mut command = Command::new(program.expect("it was looked for"));
    let output = command.arg("check").arg("--config").arg(&config).output().expect("it runs");
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("this binary has no clouds; take the binary leasehold-clouds"), "{said}");
}
