//! The guide to Kubernetes, whose commands ask a cluster: they are run as printed with a `kubectl`, a `docker` and a `bao` that
//! write down what they are asked, and every name in them is one that the applied objects have. (What the objects do is seen in
//! tests/machine/pods and tests/machine/kubernetes.)

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use crate::support::guide::{blocks, page, typed};
use crate::support::{Child, Workspace, repository};
use serde_yaml::Value;

const LIMIT: Duration = Duration::from_secs(60);

/// Writes its arguments down, and what the files hold that it is to apply.
const SHIM: &str = r#"#!/bin/sh
echo "${0##*/} $*" >>"$SPACE/calls"
while [ $# -gt 0 ]; do
    case $1 in
    -f) shift; cat "$1" >>"$SPACE/applied" || exit 1; echo --- >>"$SPACE/applied" ;;
    --from-file=*) [ -f "${1#--from-file=}" ] || { echo "no file $1" >&2; exit 1; } ;;
    esac
    shift
done
"#;

/// The commands of the `console` blocks, with the lines that go on.
fn commands(page: &str) -> String {
    format!("set -euo pipefail\n{}\n", typed(page, "").join("\n"))
}

fn run(page: &str) -> (Vec<String>, Vec<Value>) {
    let space = Workspace::new();
    let bin = space.dir("bin");
    for name in ["kubectl", "docker", "bao"] {
        let path = space.file(&format!("bin/{name}"), SHIM);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    for name in ["manifests", "Dockerfile"] {
        symlink(repository().join(name), space.join(name)).expect("a fresh folder");
    }
    space.file("ca.pem", "an authority");
    let map = blocks(page).into_iter().find(|block| block.text.contains("kind: ConfigMap"));
    space.file("web-leasehold.yaml", map.expect("the page has a ConfigMap").text);
    let script = space.file("guide.sh", commands(page));
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let mut shell = Child::start(Path::new("bash"), "shell", space.path(), |command| {
        command.arg(script).current_dir(space.path()).env("PATH", path).env("SPACE", space.path());
    });
    assert!(shell.wait(LIMIT).success(), "{}{}", shell.stdout(), shell.stderr());
    let calls = space.read("calls").expect("something was asked").lines().map(str::to_owned).collect();
    let applied = space.read("applied").expect("something was applied");
    let documents = serde_yaml::Deserializer::from_str(&applied)
        .map(|document| serde::Deserialize::deserialize(document).expect("YAML"))
        .filter(|document: &Value| !document.is_null());
    (calls, documents.collect())
}

fn named<'v>(documents: &'v [Value], kind: &str, name: &str) -> &'v Value {
    let mut found = documents.iter().filter(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} {name} is applied"));
    assert!(found.next().is_none(), "{kind} {name} is applied twice");
    object
}

#[test]
fn every_name_in_the_guide_to_kubernetes_is_one_that_it_has_applied() {
    let text = page("docs/guides/kubernetes.md");
    let (calls, documents) = run(&text);
    let pod = named(&documents, "Pod", "web");
    named(&documents, "ServiceAccount", pod["spec"]["serviceAccountName"].as_str().expect("a name"));
    let map = named(&documents, "ConfigMap", "web-leasehold");

    // Every ConfigMap of the pod is applied or created.
    let made = |name: &str| calls.iter().any(|call| call.contains(&format!("create configmap {name} ")));
    let volumes = pod["spec"]["volumes"].as_sequence().expect("a list");
    let sources = volumes.iter().filter_map(|volume| volume["projected"]["sources"].as_sequence()).flatten();
    let maps: Vec<&str> = sources.filter_map(|source| source["configMap"]["name"].as_str()).collect();
    assert_eq!(maps, ["web-leasehold", "vault-ca"]);
    assert!(made("vault-ca") && !made("web-leasehold"));

    // Every pod and every container that a command names is there.
    let containers: Vec<&str> = ["initContainers", "containers"]
        .iter()
        .flat_map(|list| pod["spec"][*list].as_sequence().expect("a list"))
        .filter_map(|container| container["name"].as_str())
        .collect();
    let asks: Vec<&String> = calls
        .iter()
        .filter(|call| ["exec ", "logs ", "wait ", "describe "].iter().any(|verb| call.contains(verb)))
        .collect();
    assert!(asks.len() >= 5, "{calls:?}");
    for call in &asks {
        assert!(call.contains(" web ") || call.contains("pod/web") || call.ends_with("pod web"), "{call}");
        if let Some((_, rest)) = call.split_once(" -c ") {
            let container = rest.split(' ').next().unwrap_or_default();
            assert!(containers.contains(&container), "{container} is not in {containers:?}");
        }
    }

    // The image that was built is the one that runs, and the file that is shown is in the configuration.
    let pushed = calls.iter().find_map(|call| call.strip_prefix("docker push ")).expect("it is pushed");
    assert_eq!(pod["spec"]["initContainers"][0]["image"].as_str(), Some(pushed));
    let config: Value =
        serde_yaml::from_str(map["data"]["leasehold.yaml"].as_str().expect("a text")).expect("YAML");
    let file = config["files"][0]["path"].as_str().expect("a path");
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_sequence().expect("a list");
    let mount = mounts.iter().find(|mount| mount["name"] == "secrets").expect("it has its secrets");
    let shown = format!("cat {}/{file}", mount["mountPath"].as_str().expect("a path"));
    assert!(calls.iter().any(|call| call.ends_with(&shown)), "{shown}: {calls:?}");
}
