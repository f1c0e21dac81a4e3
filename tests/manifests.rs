//! The manifests are valid, as restricted as they claim to be, carry configurations that Leasehold takes,
//! and their set-up script lets a pod log in.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use support::{
    Cluster, Identity, Leasehold, OpenBao, Workspace, have, need, repository, script, set_up_vault,
};

const PODS: [&str; 3] = ["pod.yaml", "pod-native-sidecar.yaml", "job.yaml"];

/// What only Leasehold's own containers may see.
const OURS: [&str; 3] = ["handoff", "leasehold", "vault-token"];

fn kubernetes(name: &str) -> PathBuf {
    repository().join("manifests/kubernetes").join(name)
}

fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(kubernetes(name)).expect("a manifest of ours");
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).expect("valid YAML"))
        .collect()
}

/// The pod's spec of a file, be it a Pod or a Job.
fn pod(name: &str) -> Value {
    let workload = documents(name).pop().expect("the workload comes last");
    let spec = &workload["spec"];
    if workload["kind"] == "Job" { spec["template"]["spec"].clone() } else { spec.clone() }
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

#[test]
fn every_manifest_is_valid_for_its_api_version() {
    let env = script("python-env", &["kubernetes-validate-1.37.0", "kubernetes-validate==1.37.0"]);
    let mut files: Vec<PathBuf> = fs::read_dir(kubernetes(""))
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= PODS.len());
    let output = Command::new(format!("{env}/bin/python"))
        .args(["-m", "kubernetes_validate", "-k", "1.32", "--strict"])
        .args(&files)
        .output()
        .expect("the environment has a python");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // Every document was looked at, not only every file.
    let documents: usize = files.iter().map(|file| documents(&file.to_string_lossy()).len()).sum();
    assert_eq!(said.matches(" passed for resource ").count(), documents, "{said}");
}

#[test]
fn every_pod_keeps_to_the_restricted_profile_with_a_read_only_root() {
    for file in PODS {
        let pod = pod(file);
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
    for file in PODS {
        for container in containers(&pod(file)).iter().filter(|container| !is_ours(container)) {
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
    for file in PODS {
        let pod = pod(file);
        let volume = |name: &str| {
            let volumes = pod["volumes"].as_array().expect("it has volumes").iter();
            volumes.clone().find(|volume| volume["name"] == name).expect("it has this volume").clone()
        };
        for name in ["secrets", "handoff"] {
            assert_eq!(volume(name)["emptyDir"]["medium"], "Memory", "{file} {name}");
            assert!(volume(name)["emptyDir"]["sizeLimit"].is_string(), "{file} {name}");
        }
        let sources = volume("vault-token")["projected"]["sources"].clone();
        assert_eq!(sources[0]["serviceAccountToken"]["audience"], "vault", "{file}");
        for container in containers(&pod).iter().filter(|container| is_ours(container)) {
            let mounts = container["volumeMounts"].as_array().expect("it has mounts");
            for name in OURS.iter().chain(&["secrets"]) {
                assert!(mounts.iter().any(|mount| mount["name"] == *name), "{file} {name}");
            }
        }
    }
}

#[test]
fn nothing_of_ours_needs_a_shell() {
    for file in PODS {
        for container in containers(&pod(file)).iter().filter(|container| is_ours(container)) {
            assert!(container["command"].is_null(), "the image's own entry point: {container}");
            for probe in ["startupProbe", "livenessProbe"] {
                let command = &container[probe]["exec"]["command"];
                assert!(command.is_null() || command[0] == "/usr/local/bin/leasehold", "{file}: {command}");
            }
            let stays = container["args"][0] == "sidecar";
            assert_eq!(container["startupProbe"].is_object(), stays, "{file}");
        }
    }
}

#[test]
fn every_configuration_in_a_manifest_is_taken() {
    for file in PODS {
        let map = documents(file).remove(0);
        assert_eq!(map["kind"], "ConfigMap", "{file}");
        let space = Workspace::new();
        let config = map["data"]["leasehold.yaml"].as_str().expect("the configuration");
        let path = space.file("leasehold.yaml", config);
        Leasehold::new(&space).run(&["check", "--config", &path.to_string_lossy()]).expect_code(0);
    }
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
        let verify = Command::new("systemd-analyze").arg("verify").arg(&unit).output().expect("it is there");
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
