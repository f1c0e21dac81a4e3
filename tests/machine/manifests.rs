//! The manifests, the kustomize base and the chart are valid, as restricted as they claim to be, carry
//! configurations that Leasehold takes, and their set-up script lets a pod log in.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::{
    Cluster, Identity, Leasehold, OpenBao, Workspace, have, need, repository, script, set_up_vault,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The kinds that have pods.
const WORKLOADS: [&str; 5] = ["Pod", "Deployment", "StatefulSet", "Job", "CronJob"];

/// What only Leasehold's own containers may see.
const OURS: [&str; 3] = ["handoff", "leasehold", "vault-token"];

/// The manifests of pods that log in to no Vault.
const CLOUDS: &str = "manifests/clouds";

/// A shipped set of manifests as the API server gets it.
#[derive(Debug)]
struct Shipped {
    /// The file, the overlay, or the chart with its values.
    name: String,
    text: String,
}

impl Shipped {
    fn documents(&self) -> Vec<Value> {
        serde_yaml::Deserializer::from_str(&self.text)
            .map(|document| Value::deserialize(document).expect("valid YAML"))
            .filter(|document| !document.is_null())
            .collect()
    }

    /// The pod's spec, whatever kind of workload it is in.
    fn pod(&self) -> Option<Value> {
        let documents = self.documents();
        let workload =
            documents.iter().find(|object| WORKLOADS.iter().any(|kind| object["kind"] == *kind))?;
        let spec = &workload["spec"];
        Some(match workload["kind"].as_str() {
            Some("Pod") => spec.clone(),
            Some("CronJob") => spec["jobTemplate"]["spec"]["template"]["spec"].clone(),
            _ => spec["template"]["spec"].clone(),
        })
    }

    /// The configuration that the pod reads.
    fn config(&self) -> String {
        let documents = self.documents();
        let map = documents.iter().find(|object| object["kind"] == "ConfigMap").expect("it has one");
        map["data"]["leasehold.yaml"].as_str().expect("the configuration").to_owned()
    }
}

/// Everything that is shipped for Kubernetes.
fn shipped() -> &'static [Shipped] {
    static SHIPPED: OnceLock<Vec<Shipped>> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let folders = [kubernetes(""), repository().join(CLOUDS)];
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("it is in the repository"));
        let mut all: Vec<Shipped> = files
            .map(|entry| entry.expect("it can be listed").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .map(|path| Shipped {
                name: path.file_name().expect("it has a name").to_string_lossy().into_owned(),
                text: fs::read_to_string(path).expect("a manifest of ours"),
            })
            .collect();
        for folder in ["base", "overlays/production"] {
            let path = repository().join("manifests/kustomize").join(folder);
            let text = script("kustomize", &[&path.to_string_lossy()]);
            all.push(Shipped { name: format!("kustomize {folder}"), text });
        }
        for kind in ["Deployment", "StatefulSet", "Job", "CronJob"] {
            for sidecar in ["native", "classic"] {
                let rendered = chart(&json!({ "kind": kind, "sidecar": sidecar }));
                if sidecar == "classic" && kind.ends_with("Job") {
                    let refused = rendered.expect_err("a classic sidecar keeps a Job from ending");
                    assert!(refused.contains("sidecar must be native"), "{refused}");
                } else {
                    let text = rendered.expect("the chart renders");
                    all.push(Shipped { name: format!("chart {kind} {sidecar}"), text });
                }
            }
        }
        all
    })
}

/// All that have a pod, with it.
fn pods() -> impl Iterator<Item = (&'static Shipped, Value)> {
    shipped().iter().filter_map(|shipped| Some((shipped, shipped.pod()?)))
}

fn kubernetes(name: &str) -> PathBuf {
    repository().join("manifests/kubernetes").join(name)
}

/// The chart with these values: its manifests, or why not.
fn chart(values: &Value) -> Result<String, String> {
    let mut helm = Command::new(repository().join("scripts/helm"))
        .arg("template")
        .arg(repository().join("manifests/helm/leasehold"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script is in the repository");
    serde_json::to_writer(helm.stdin.take().expect("a pipe"), values).expect("it reads its values");
    let output = helm.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn containers(pod: &Value) -> Vec<Value> {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|kind| pod[kind].as_array().cloned().unwrap_or_default())
        .collect()
}

fn is_ours(container: &Value) -> bool {
    container["name"].as_str().is_some_and(|name| name.starts_with("leasehold"))
}

/// Whether an application runs below Leasehold, and so with all that Leasehold needs.
fn is_child(container: &Value) -> bool {
    container["command"][1] == "exec"
}

/// Whether a container only copies the program.
fn installs(container: &Value) -> bool {
    container["args"][0] == "install"
}

/// Whether a container stays: a second container, or an init container that is a native sidecar.
fn stays(container: &Value) -> bool {
    container["args"][0] == "sidecar"
}

#[test]
fn everything_is_valid_for_its_api_version() {
    let env = script("python-env", &["kubernetes-validate-1.37.0", "kubernetes-validate==1.37.0"]);
    let space = Workspace::new();
    let files: Vec<PathBuf> = shipped()
        .iter()
        .map(|shipped| space.file(&format!("{}.yaml", shipped.name.replace('/', "-")), &shipped.text))
        .collect();
    let output = Command::new(format!("{env}/bin/python"))
        .args(["-m", "kubernetes_validate", "-k", "1.32", "--strict"])
        .args(&files)
        .output()
        .expect("the environment has a python");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // Every document was looked at, not only every file.
    let documents: usize = shipped().iter().map(|shipped| shipped.documents().len()).sum();
    assert_eq!(said.matches(" passed for resource ").count(), documents, "{said}");
    // Every kind of workload is there as a file.
    for kind in WORKLOADS {
        let plain = format!("\nkind: {kind}\n");
        assert!(
            shipped().iter().any(|shipped| shipped.name.ends_with(".yaml") && shipped.text.contains(&plain))
        );
    }
}

#[test]
fn the_chart_lints_and_refuses_values_that_it_does_not_know() {
    script("helm", &["lint", &repository().join("manifests/helm/leasehold").to_string_lossy()]);
    for values in [
        json!({ "sidecar": "both" }),
        json!({ "kind": "DaemonSet" }),
        json!({ "vault": { "adress": "https://vault" } }),
        json!({ "user": 0 }),
        json!({ "config": { "files": [] } }),
    ] {
        assert!(chart(&values).is_err(), "{values}");
    }
}

#[test]
fn a_changed_configuration_is_rolled_out() {
    let other = json!({ "config": { "files": [{ "path": "other", "secret": "secret/web#other" }] } });
    let annotation = |values: &Value| {
        let text = chart(values).expect("the chart renders");
        text.lines().find(|line| line.contains("leasehold/config:")).expect("it is there").to_owned()
    };
    assert_ne!(annotation(&json!({})), annotation(&other));
    // Kustomize names the map after its content, and the volume follows.
    let base = shipped().iter().find(|shipped| shipped.name == "kustomize base").expect("it is shipped");
    let documents = base.documents();
    let map = documents.iter().find(|object| object["kind"] == "ConfigMap").expect("it has one");
    let name = map["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("leasehold-"));
    assert!(base.pod().expect("it has a pod").to_string().contains(name));
}

#[test]
fn every_pod_keeps_to_the_restricted_profile_with_a_read_only_root() {
    for (Shipped { name: file, .. }, pod) in pods() {
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{file}");
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{file}");
        assert!(pod["securityContext"]["fsGroup"].is_u64(), "{file}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{file}");
        for container in containers(&pod) {
            let (name, context) = (&container["name"], &container["securityContext"]);
            assert_eq!(context["allowPrivilegeEscalation"], false, "{file} {name}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{file} {name}");
            assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }), "{file} {name}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{file} {name}");
            assert!(container["resources"]["requests"].is_object(), "{file} {name}");
        }
    }
}

#[test]
fn an_application_sees_its_secrets_read_only_and_nothing_of_ours() {
    for (Shipped { name: file, .. }, pod) in pods() {
        for container in containers(&pod).iter().filter(|one| !is_ours(one) && !is_child(one)) {
            let mounts = container["volumeMounts"].as_array().expect("it has mounts");
            let secrets = mounts.iter().find(|mount| mount["name"] == "secrets").expect("it has its secrets");
            assert_eq!(secrets["readOnly"], true, "{file}");
            for mount in mounts {
                assert!(!OURS.iter().any(|name| mount["name"] == *name), "{file}: {mount}");
                // A subPath is a bind mount of one generation and never follows.
                assert!(mount["subPath"].is_null(), "{file}: {mount}");
            }
        }
    }
}

#[test]
fn secrets_and_handoff_are_separate_memory_volumes_and_the_token_is_for_vault_only() {
    for (shipped, pod) in pods() {
        let file = &shipped.name;
        let volume = |name: &str| {
            let volumes = pod["volumes"].as_array().expect("it has volumes").iter();
            volumes.clone().find(|volume| volume["name"] == name).expect("it has this volume").clone()
        };
        let child = containers(&pod).iter().any(is_child);
        let config: Value = serde_yaml::from_str(&shipped.config()).expect("valid YAML");
        if config["auth"].is_null() {
            // Nothing is leased, and nothing is to be handed over.
            assert_eq!(volume("secrets")["emptyDir"]["medium"], "Memory", "{file}");
            continue;
        }
        for name in if child { &["handoff"][..] } else { &["secrets", "handoff"] } {
            assert_eq!(volume(name)["emptyDir"]["medium"], "Memory", "{file} {name}");
            assert!(volume(name)["emptyDir"]["sizeLimit"].is_string(), "{file} {name}");
        }
        let sources = volume("vault-token")["projected"]["sources"].clone();
        assert_eq!(sources[0]["serviceAccountToken"]["audience"], "vault", "{file}");
        for container in containers(&pod).iter().filter(|one| is_ours(one) && !installs(one)) {
            let mounts = container["volumeMounts"].as_array().expect("it has mounts");
            for name in OURS.iter().chain(&["secrets"]) {
                assert!(mounts.iter().any(|mount| mount["name"] == *name), "{file} {name}");
            }
        }
    }
}

#[test]
fn nothing_of_ours_needs_a_shell() {
    for (Shipped { name: file, .. }, pod) in pods() {
        for container in containers(&pod).iter().filter(|container| is_ours(container)) {
            assert!(container["command"].is_null(), "the image's own entry point: {container}");
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let probe = &container[probe];
                let command = &probe["exec"]["command"];
                assert!(command.is_null() || command[0] == "/usr/local/bin/leasehold", "{file}: {command}");
                // Kubernetes would wait for a second. A machine under load starts no program in that time, nor answers.
                let patience = probe["timeoutSeconds"].as_u64();
                assert!(
                    probe.is_null() || patience.is_some_and(|seconds| seconds >= 3),
                    "{file}: {patience:?}"
                );
            }
            assert_eq!(container["startupProbe"].is_object(), stays(container), "{file}");
        }
    }
}

#[test]
fn a_parent_of_the_application_is_the_copied_program_and_stops_it_in_time() {
    let parents: Vec<_> = pods().filter(|(_, pod)| containers(pod).iter().any(is_child)).collect();
    let [(shipped, pod)] = parents.as_slice() else { panic!("there is one such pod") };
    let (install, child) = (&pod["initContainers"][0], &pod["containers"][0]);
    assert!(installs(install));
    assert_eq!(install["args"][1], child["command"][0]);
    assert_eq!(child["startupProbe"]["exec"]["command"][0], child["command"][0]);
    // It cannot change the program that it is run by.
    let mount = &child["volumeMounts"][0];
    assert_eq!((mount["name"].as_str(), &mount["readOnly"]), (Some("bin"), &json!(true)));
    let config: Value = serde_yaml::from_str(&shipped.config()).expect("valid YAML");
    let stop =
        config["exec"]["stop_timeout"].as_str().expect("it is said").trim_end_matches('s').parse::<u64>();
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("it is said");
    assert!(stop.expect("seconds") < grace);
}

#[test]
fn a_classic_sidecar_outlives_the_applications_draining_and_a_native_one_need_not() {
    for (shipped, pod) in pods().filter(|(_, pod)| !containers(pod).iter().any(is_child)) {
        let file = &shipped.name;
        let config: Value = serde_yaml::from_str(&shipped.config()).expect("valid YAML");
        let second = pod["containers"].as_array().expect("it has containers").iter().any(stays);
        let first =
            pod["initContainers"].as_array().expect("it has them").iter().filter(|one| stays(one)).count();
        assert_ne!(second, first == 1, "{file}: one sidecar, of one sort");
        let grace = pod["terminationGracePeriodSeconds"].as_u64().or((!second).then_some(30));
        let delay = config["shutdown"]["delay"].as_str().unwrap_or("0s");
        let delay = delay.trim_end_matches('s').parse::<u64>().expect("seconds");
        assert_eq!(second, delay > 0, "{file}");
        assert!(grace.is_some_and(|grace| grace > delay), "{file}: killed before it can revoke");
    }
}

#[test]
fn every_configuration_in_a_manifest_is_taken() {
    for (shipped, _) in pods() {
        let space = Workspace::new();
        let path = space.file("leasehold.yaml", shipped.config());
        Leasehold::new(&space).run(&["check", "--config", &path.to_string_lossy()]).expect_code(0);
    }
}

#[test]
fn the_account_of_the_kustomize_base_is_the_one_that_the_script_lets_in() {
    let account =
        |path: &str| fs::read_to_string(repository().join("manifests").join(path)).expect("it is ours");
    assert_eq!(account("kustomize/base/serviceaccount.yaml"), account("kubernetes/serviceaccount.yaml"));
}

#[test]
fn the_set_up_script_lets_the_pods_account_log_in_and_no_other() {
    let (server, cluster) = (OpenBao::start(), Cluster::start());
    // Twice, since it may be run again.
    for _ in 0..2 {
        set_up_vault(&server, &cluster.address(), &server.ca_file(), &cluster.reviewer_token());
    }
    let login = |identity: &Identity| {
        let body = json!({ "role": "web", "jwt": cluster.token(identity) });
        server.ask_as("", "POST", "auth/kubernetes/login", Some(body))
    };
    let web = Identity::default();
    let answer = login(&web).ok().json();
    assert_eq!(answer["auth"]["token_policies"], json!(["default", "web"]));
    for stranger in [
        Identity { account: "other".into(), ..web.clone() },
        Identity { namespace: "other".into(), ..web.clone() },
        Identity { audiences: vec!["https://kubernetes.default.svc".into()], ..web.clone() },
    ] {
        assert_eq!(login(&stranger).status / 100, 4, "{stranger:?}");
    }
    // The policy is enough for the KV secret, and for nothing beside it.
    server.kv2("secret");
    server.put("secret", "web", json!({ "api_key": "k" }));
    let token = answer["auth"]["client_token"].as_str().expect("a token");
    server.ask_as(token, "GET", "secret/data/web", None).ok();
    assert_eq!(server.ask_as(token, "GET", "secret/data/other", None).status, 403);
}

#[test]
fn the_systemd_units_are_valid_and_hardened() {
    if !need("systemd-analyze", "apt-get install systemd", have("systemd-analyze")) {
        return;
    }
    for name in ["leasehold.service", "leasehold@.service"] {
        let space = Workspace::new();
        let unit = systemd(name);
        assert!(unit.contains("\nExecStart=/usr/local/bin/leasehold "), "{name}");
        // The program has to be there to be verified.
        let unit = unit.replace("/usr/local/bin/leasehold", &Leasehold::binary().to_string_lossy());
        let unit = space.file(name, unit);
        // It exits 0 whatever it finds, and says what is wrong on standard error.
        // Its manual page is installed beside it, and not here.
        let verify = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&unit)
            .output()
            .expect("it is there");
        assert_eq!(String::from_utf8_lossy(&verify.stderr), "", "{name}");
        // An exposure of 1.5 of 10.
        let security = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=15"])
            .arg(&unit)
            .output()
            .expect("it is there");
        assert!(security.status.success(), "{}", String::from_utf8_lossy(&security.stdout));
    }
}

#[test]
fn the_template_unit_differs_from_the_plain_one_by_its_instance_only() {
    let settings = |name: &str| -> Vec<String> {
        let text = systemd(name).replace("leasehold-%i", "leasehold").replace("%i.secret-id", "secret-id");
        let text = text.replace("%i.yaml", "leasehold.yaml").replace("for %i, ", "");
        let (_, unit) = text.split_once("[Unit]").expect("it begins with this");
        let unit = unit.split_once("[Install]").map_or(unit, |(unit, _)| unit);
        unit.lines()
            .filter(|line| !line.is_empty())
            .map(|line| line.replace("Leasehold, ", "Leasehold "))
            .collect()
    };
    assert_eq!(settings("leasehold@.service"), settings("leasehold.service"));
}

fn systemd(name: &str) -> String {
    fs::read_to_string(repository().join("manifests/systemd").join(name)).expect("it is ours")
}
