//! Pods without a cluster: podman in a cell of its own, where images, containers and mounts end with the test.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use serde::Deserialize;
use serde_json::Value;

use crate::packages::made;
use crate::support::{Cell, OpenBao, SOON, Workspace, have, need, repository, request, script, wait_until};

/// The user of the shipped pods, and the group that fsGroup gives their volumes.
const USER: u32 = 65532;

/// What the shipped manifests call our image, as podman names one that comes from no registry.
pub(crate) const IMAGE: &str = concat!("localhost/leasehold:", env!("CARGO_PKG_VERSION"));

/// Everything below /mnt is the cell's own: what a node has for its pods, and podman's store.
const SCRIPT: &str = "
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/secrets /mnt/handoff /mnt/leasehold /mnt/vault-token /mnt/bin /mnt/store /mnt/build
exec catatonit -P
";

/// Limits that need not be raised, which an unprivileged machine may not; no service of systemd's.
const CONFIG: &str = r#"
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=8192:8192"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
"#;

/// Far more than podman takes for anything, also on a machine where every core is busy.
const LONG: Duration = Duration::from_secs(60);

/// A node.
#[derive(Debug)]
pub(crate) struct Podman {
    cell: Cell,
    space: Workspace,
}

/// Whether there can be one here.
pub(crate) fn possible() -> bool {
    let programs = ["podman", "runc", "catatonit", "bash-static"];
    let available = geteuid().is_root() && programs.iter().all(|program| have(program));
    need("root and podman", "apt-get install podman runc catatonit bash-static", available)
}

impl Podman {
    /// A node without anything.
    pub(crate) fn bare() -> Self {
        let space = Workspace::new();
        space.file("containers.conf", CONFIG);
        let cell = Cell::start(space.path(), "podman", SCRIPT, &[]);
        let podman = Self { cell, space };
        wait_until("the node's folders", SOON, || {
            podman.cell.assert_lives();
            podman.path("build").exists()
        });
        podman
    }

    /// A node with the images, and a pod's volumes: `token` for Vault, and what is needed to reach it.
    pub(crate) fn start(server: &OpenBao, token: &str) -> Self {
        let podman = Self::bare();
        for folder in ["secrets", "handoff", "bin"] {
            // What fsGroup does to a volume.
            let path = podman.path(folder);
            chown(&path, Some(0), Some(USER)).expect("root may");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o2775)).expect("root may");
        }
        podman.put("vault-token/token", token.as_bytes());
        podman.put("leasehold/ca.pem", server.ca_pem().as_bytes());
        podman.put("address", server.address().as_bytes());
        podman.images();
        podman
    }

    /// A shipped manifest, made fit for this node by the overlay: fills the volume of its ConfigMap, and
    /// answers the path of its Pod.
    pub(crate) fn pod(&self, manifest: &str) -> PathBuf {
        let overlay = repository().join("tests/machine/pods/overlay/kustomization.yaml");
        let folder = self.space.dir("overlay");
        fs::copy(overlay, folder.join("kustomization.yaml")).expect("it is ours");
        fs::copy(repository().join("manifests/kubernetes").join(manifest), folder.join("pod.yaml"))
            .expect("it is ours");
        let text = script("kustomize", &[&folder.to_string_lossy()]);
        let mut pod = None;
        for document in serde_yaml::Deserializer::from_str(&text) {
            let object = Value::deserialize(document).expect("valid YAML");
            if object["kind"] == "ConfigMap" {
                let config = object["data"]["leasehold.yaml"].as_str().expect("a configuration");
                self.put("leasehold/leasehold.yaml", self.local(config).as_bytes());
            } else {
                pod = Some(self.space.file("pod.json", object.to_string()));
            }
        }
        pod.expect("the manifest has a pod")
    }

    /// The shipped configuration, with the test's server for the cluster's; half a minute of draining is
    /// too long for a test.
    fn local(&self, config: &str) -> String {
        let address = fs::read_to_string(self.path("address")).expect("written at the start");
        assert!(config.contains("https://vault.vault.svc:8200"), "{config}");
        config.replace("https://vault.vault.svc:8200", &address).replace("delay: 25s", "delay: 1s")
    }

    /// Starts a pod, or says why not.
    pub(crate) fn play(&self, pod: &Path) -> Result<(), String> {
        let output = self.podman(&[OsStr::new("kube"), OsStr::new("play"), pod.as_os_str()]);
        if output.status.success() { Ok(()) } else { Err(text(&output.stderr) + &text(&output.stdout)) }
    }

    /// Removes a pod with all its containers.
    pub(crate) fn remove(&self, pod: &str) {
        self.expect(&["pod", "rm", "--force", "--time", "0", pod]);
    }

    /// A container's state: `created`, `running`, `exited`; nothing where there is none.
    pub(crate) fn state(&self, container: &str) -> Option<String> {
        let output = self.podman(&["inspect", "--format", "{{.State.Status}}", container]);
        output.status.success().then(|| text(&output.stdout).trim().to_owned())
    }

    /// What a container has written.
    pub(crate) fn logs(&self, container: &str) -> String {
        let output = self.podman(&["logs", container]);
        text(&output.stdout) + &text(&output.stderr)
    }

    /// What a container has written, the processes that it sees, and what our program in it shows of itself.
    fn said(&self, container: &str) -> String {
        let status = ["exec", container, "/usr/local/bin/leasehold", "status", "--json"];
        let top = ["top", container, "pid", "ppid", "user", "state", "comm", "args"];
        let shown = [&top[..], &status[..]].map(|command| text(&self.podman(command).stdout));
        format!("{}{}{}", self.logs(container), shown[0], shown[1])
    }

    /// Waits until a container has written this; panics with what all of these containers have written.
    #[track_caller]
    pub(crate) fn wait_for(&self, container: &str, words: &str, all: &[&str]) {
        let start = Instant::now();
        while !self.logs(container).contains(words) {
            let said =
                || all.iter().map(|name| format!("{name}:\n{}\n", self.said(name))).collect::<String>();
            assert!(start.elapsed() < LONG, "{container} does not say {words:?} within {LONG:?}\n{}", said());
            // Each look is a process that takes podman's locks.
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Whether a probe of the shipped manifests succeeds in a container.
    pub(crate) fn probe(&self, container: &str, which: &str) -> bool {
        self.run_in(container, &["/usr/local/bin/leasehold", "status", which])
    }

    /// Whether a program succeeds in a container.
    pub(crate) fn run_in(&self, container: &str, command: &[&str]) -> bool {
        self.podman(&[&["exec", container], command].concat()).status.success()
    }

    /// The user that a container's first process runs as, without a capability.
    pub(crate) fn user(&self, container: &str) -> String {
        let pid = self.expect(&["inspect", "--format", "{{.State.Pid}}", container]);
        // A pid of the cell: to be looked at from there.
        let output = self.cell.run(["cat", &format!("/proc/{}/status", pid.trim())]);
        let status = text(&output.stdout);
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel says so");
            line.split_whitespace().next().expect("it has a value").to_owned()
        };
        assert_eq!(field("CapEff:").trim_start_matches('0'), "", "{container} has capabilities");
        field("Uid:")
    }

    /// Asks the sidecar to look at its secrets now, as `listen` of the shipped manifests lets the pod do.
    pub(crate) fn refresh(&self) {
        let address = "127.0.0.1:9110".parse().expect("an address");
        request(address, "POST", "/refresh", &[], None).expect("the sidecar listens").ok();
    }

    /// Sends SIGTERM, waits as the kubelet does, and answers the exit code.
    pub(crate) fn stop(&self, container: &str) -> i32 {
        self.expect(&["stop", "--time", "40", container]);
        let code = self.expect(&["inspect", "--format", "{{.State.ExitCode}}", container]);
        code.trim().parse().expect("a number")
    }

    /// The image of a program, from the layout that is shipped.
    pub(crate) fn load(&self, program: &str) {
        let layout = fs::read(made::image(program)).expect("it was just made");
        self.put(&format!("build/{program}.oci.tar"), &layout);
        self.expect(&["load", "--quiet", "--input", &format!("/mnt/build/{program}.oci.tar")]);
    }

    /// Our image, by the last stage of the Dockerfile around this program.
    pub(crate) fn image(&self, program: &Path) {
        let dockerfile = fs::read_to_string(repository().join("Dockerfile")).expect("it is ours");
        let last = &dockerfile[dockerfile.rfind("\nFROM ").expect("it has stages")..];
        self.put("build/leasehold/Dockerfile", last.as_bytes());
        let program = fs::read(program).expect("it was built");
        let binary = self.put("build/stage/image/usr/local/bin/leasehold", &program);
        fs::set_permissions(binary, fs::Permissions::from_mode(0o755)).expect("root may");
        // What the first stage leaves stands in a folder.
        let stage = "--build-context=build=/mnt/build/stage";
        self.expect(&["build", "-q", stage, "-t", IMAGE, "/mnt/build/leasehold"]);
    }

    /// The files of an image's layers, without their folders.
    pub(crate) fn files(&self, image: &str) -> Vec<String> {
        let listed = "for layer in $(tar -xOf \"$1\" manifest.json | grep -o '[0-9a-f]*\\.tar'); do \
                      tar -xOf \"$1\" $layer | tar -t; done";
        self.expect(&["save", "--quiet", "--output", "/mnt/build/saved.tar", image]);
        let output = self.cell.run(["sh", "-ec", listed, "list", "/mnt/build/saved.tar"]);
        let files = text(&output.stdout);
        self.cell.run(["rm", "/mnt/build/saved.tar"]);
        files.lines().filter(|path| !path.ends_with('/')).map(str::to_owned).collect()
    }

    /// The images of the pods: ours, and a small application.
    fn images(&self) {
        self.load("leasehold");
        for (file, from) in
            [("Dockerfile", None), ("server", None), ("bash-static", Some("/bin/bash-static"))]
        {
            let ours = repository().join("tests/machine/pods/application").join(file);
            let bytes = fs::read(from.map_or(ours, PathBuf::from)).expect("it is there");
            let copy = self.put(&format!("build/application/{file}"), &bytes);
            fs::set_permissions(copy, fs::Permissions::from_mode(0o755)).expect("root may");
        }
        self.expect(&["build", "-q", "-t", "localhost/web:1.0", "/mnt/build/application"]);
    }

    /// Writes a file below the node's /mnt that everybody may read.
    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("root may");
        fs::write(&path, bytes).expect("root may");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("root may");
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/mnt", self.cell.first())).join(name)
    }

    #[track_caller]
    pub(crate) fn expect(&self, arguments: &[&str]) -> String {
        let output = self.podman(arguments);
        assert!(output.status.success(), "podman {arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn podman<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Output {
        let config = format!("CONTAINERS_CONF={}", self.space.join("containers.conf").display());
        let program = ["env", &config, "podman", "--root=/mnt/store/root", "--runroot=/mnt/store/run"];
        let program = program.into_iter().chain(["--tmpdir=/mnt/store/tmp"]).map(OsStr::new);
        self.cell.run(program.chain(arguments.iter().map(AsRef::as_ref)))
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // The cell would kill them too, but podman also removes their cgroups.
        self.podman(&["pod", "rm", "--all", "--force", "--time", "0"]);
        for entry in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            // Where nobody else's pods are in them.
            let _ = fs::remove_dir(entry.path().join("libpod_parent/conmon"));
            let _ = fs::remove_dir(entry.path().join("libpod_parent"));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
