//! What the formats promise besides Debian's: the same bytes again, and a package that rpm takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::made::{self, VERSION};
use crate::support::{Workspace, have, need, repository};
use nix::unistd::geteuid;

/// The files of a folder that were packed, by name.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries =
        fs::read_dir(folder).expect("it was just made").map(|entry| entry.expect("it can be listed"));
    let packed = entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
    packed
        .filter(|(name, _)| !name.starts_with("SHA256SUMS") && name != "leasehold.pub")
        .map(|(name, path)| (name, fs::read(path).expect("it can be read")))
        .collect()
}

#[test]
fn packing_the_same_program_again_makes_the_same_bytes() {
    if !made::possible() {
        return;
    }
    let (first, again) = (bytes(made::packages()), bytes(&made::packed_again()));
    assert!(first.len() >= 3, "{:?}", first.keys());
    for (name, content) in &first {
        assert!(again.get(name) == Some(content), "{name} differs");
    }
}

fn json(folder: &Path, name: &str) -> serde_json::Value {
    let text = fs::read(folder.join(format!("leasehold-{VERSION}.{name}"))).expect("it was made");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn the_provenance_names_each_package_with_its_checksum_and_the_commit() {
    if !made::possible() {
        return;
    }
    let statement = json(made::packages(), "intoto.jsonl");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let subjects = statement["subject"].as_array().expect("a list");
    let mut named: Vec<String> = subjects
        .iter()
        .map(|subject| {
            let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
            format!("{}  {}", text(&subject["digest"]["sha256"]), text(&subject["name"]))
        })
        .collect();
    named.sort();
    let sums = fs::read_to_string(made::packages().join("SHA256SUMS")).expect("it was made");
    let of_package = |line: &&str| !line.ends_with(".intoto.jsonl") && !line.ends_with(".pub");
    let mut sums: Vec<&str> = sums.lines().filter(of_package).collect();
    sums.sort_unstable();
    assert!(named.len() >= 4 && named == sums, "{named:?} {sums:?}");
    let source = &statement["predicate"]["buildDefinition"]["externalParameters"];
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(repository()).output();
    let head = head.expect("git");
    assert_eq!(source["commit"], String::from_utf8_lossy(&head.stdout).trim());
}

#[test]
fn the_vex_document_names_vulnerabilities_with_the_version_that_is_in_the_program() {
    if !made::possible() {
        return;
    }
    let document = json(made::packages(), "openvex.json");
    assert_eq!(document["@context"], "https://openvex.dev/ns/v0.2.0");
    let bill = format!("leasehold-{VERSION}-linux-{}.cdx.json", made::architecture());
    let bill = fs::read_to_string(made::packages().join(bill)).expect("it was made");
    let statements = document["statements"].as_array().expect("a list");
    assert!(!statements.is_empty());
    for statement in statements {
        let present = statement["products"][0]["subcomponents"][0]["@id"].as_str();
        match statement["status"].as_str() {
            Some("fixed") => assert!(bill.contains(present.expect("a part")), "{statement}"),
            Some("not_affected") => assert!(statement["justification"].is_string(), "{statement}"),
            _ => panic!("{statement}"),
        }
    }
}

#[test]
fn a_program_with_a_part_from_before_its_fix_is_not_packed() {
    const OLD: &str = "import vex; from graph import Package; \
        part = Package('h2', '0.4.2', 'MIT', None, None, True, ()); \
        print(vex.openvex('1', {'leasehold': [part]}, 0))";
    let output = Command::new("python3")
        .args(["-B", "-c", OLD])
        .env("PYTHONPATH", repository().join("packaging"))
        .output()
        .expect("python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("leasehold has h2 0.4.2, and RUSTSEC-2026-0258 was fixed in 0.4.16"), "{said}");
}

#[test]
fn rpm_installs_its_package_with_the_files_of_debians() {
    let available = geteuid().is_root() && have("rpmbuild");
    if !need("root and rpm", "apt-get install rpm", available) || !made::possible() {
        return;
    }
    let (space, package) = (Workspace::new(), made::rpm());
    let rpm = |arguments: &[&str]| {
        let output = Command::new("rpm").args(arguments).arg(&package).output().expect("it is there");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let root = format!("--root={}", space.dir("root").display());
    // Without the scripts: there is no shell in an empty folder.
    rpm(&[&root, "--dbpath=/var/lib/rpm", "--install", "--noscripts", "--nodeps", "--nosignature"]);
    for path in [
        "usr/bin/leasehold",
        "usr/lib/systemd/system/leasehold@.service",
        "usr/lib/sysusers.d/leasehold.conf",
        "usr/share/man/man1/leasehold.1.gz",
        "usr/share/bash-completion/completions/leasehold",
        "etc/leasehold",
    ] {
        assert!(space.join("root").join(path).exists(), "{path}");
    }
    let version =
        Command::new(space.join("root/usr/bin/leasehold")).arg("--version").output().expect("it runs");
    assert!(String::from_utf8_lossy(&version.stdout).starts_with(&format!("leasehold {VERSION}")));
    let scripts = rpm(&["--query", "--package", "--scripts"]);
    for part in ["systemd-sysusers leasehold.conf", "--job-mode=ignore-dependencies", "systemctl stop"] {
        assert!(scripts.contains(part), "{part}: {scripts}");
    }
    assert_eq!(rpm(&["--query", "--package", "--requires"]).matches("libc.so").count(), 0);
}
