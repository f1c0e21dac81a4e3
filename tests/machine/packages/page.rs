//! docs/guides/install.md, as a stranger follows it: the commands as they are printed, with a key made for the test.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::made::{self, VERSION, architecture};
use super::{debian, in_the_machine, paths};
use crate::support::guide::{blocks, page};
use crate::support::{OpenBao, Workspace, have, need, script};
use crate::systemd::machine::Machine;

const PAGE: &str = "docs/guides/install.md";

/// The commands of a section of a page.
fn commands(path: &str, heading: &str) -> String {
    let page = page(path);
    let shown = blocks(&page).into_iter().filter(|block| block.language == "sh" && block.heading == heading);
    let commands: String = shown.map(|block| block.text).collect();
    assert!(!commands.is_empty(), "{path} has no commands under {heading}");
    commands.replace("amd64", architecture())
}

fn bash(folder: &Path, script: &str) -> Output {
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .current_dir(folder)
        .output()
        .expect("bash is there")
}

/// A copy of a folder's files.
fn copied(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it was just made") {
        let path = entry.expect("it can be listed").path();
        fs::copy(&path, to.join(path.file_name().expect("it has a name"))).expect("a fresh folder");
    }
}

#[test]
fn a_stranger_verifies_signature_checksums_and_bill_of_materials_as_the_page_says() {
    let available = ["minisign", "jq", "objcopy", "python3"].iter().all(|program| have(program));
    if !need("minisign, jq and binutils", "apt-get install minisign jq binutils", available) {
        return;
    }
    if !made::possible() {
        return;
    }
    let space = Workspace::new();
    let folder = space.dir("files");
    copied(made::packages(), &folder);

    let verified = bash(&folder, &commands(PAGE, "Verify"));
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success(), "{verified:?}");
    assert!(said.contains(&format!("Trusted comment: leasehold {VERSION}")), "{said}");
    // The last line of the page's output is of the checksums: the bill names nothing that is not inside.
    assert!(said.trim_end().ends_with(": OK"), "{said}");
    let listed = fs::read_to_string(folder.join("listed")).expect("the page made it");
    assert!(listed.contains("rustls 0.23") && listed.lines().count() > 100, "{listed}");
    let bill = folder.join(format!("leasehold-{VERSION}-linux-{}.cdx.json", architecture()));
    script("sbom-schema", &[&bill.to_string_lossy()]);

    // A file that is another than the one that was signed, and then also its checksum.
    let package = format!("leasehold_{VERSION}_{}.deb", architecture());
    fs::write(folder.join(&package), "something else").expect("it is ours");
    assert!(!bash(&folder, &commands(PAGE, "Verify")).status.success());
    assert!(bash(&folder, &format!("sha256sum {package} >SHA256SUMS")).status.success());
    let refused = bash(&folder, &commands(PAGE, "Verify"));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Signature verification failed"),
        "{refused:?}"
    );
}

/// A machine with the packages in root's folder.
fn machine(root: &Path, options: &[&str]) -> Machine {
    let packages = fs::read_dir(made::packages()).expect("it was just made");
    let packages = packages.map(|entry| entry.expect("it can be listed").path());
    let mut files: Vec<(String, u32, Vec<u8>)> = packages
        .chain([made::clouds()])
        .map(|path| {
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            (format!("/root/{name}"), 0o644, fs::read(&path).expect("it was just made"))
        })
        .collect();
    // A person answers with yes.
    files.push(("/etc/apt/apt.conf.d/yes".to_owned(), 0o644, b"APT::Get::Assume-Yes \"true\";\n".to_vec()));
    // With a network of its own a machine never comes online: a unit that wants that would wait for two minutes.
    let online = "/etc/systemd/system/systemd-networkd-wait-online.service.d/never.conf";
    files.push((online.to_owned(), 0o644, b"[Service]\nExecStart=\nExecStart=/bin/true\n".to_vec()));
    Machine::boot_on(root, &files, options)
}

/// Runs commands of a page in root's folder.
#[track_caller]
fn walked(machine: &Machine, commands: &str) -> String {
    in_the_machine(machine, &["bash", "-c", &format!("cd /root\nset -euo pipefail\n{commands}")])
}

#[test]
fn the_commands_of_the_page_install_and_remove_on_an_empty_debian() {
    let Some(root) = debian() else { return };
    let machine = machine(&root, &[]);
    walked(&machine, &commands(PAGE, "Debian and Ubuntu"));
    assert!(!machine.path("/usr/bin/leasehold").exists() && !machine.path("/etc/leasehold").exists());
    let said = walked(&machine, &commands(PAGE, "The clouds"));
    assert!(said.contains(&format!("leasehold {VERSION}")), "{said}");
    walked(&machine, "apt purge leasehold leasehold-clouds");
    let said = walked(&machine, &commands(PAGE, "Any Linux"));
    assert!(said.contains(&format!("leasehold {VERSION}")), "{said}");
}

#[test]
fn the_sixty_seconds_of_the_readme_pass_on_an_empty_debian_and_purge_leaves_nothing() {
    let Some(root) = debian() else { return };
    // Its own loopback, so that the ports of the page are free; and OpenBao's client and server.
    let bao = format!("--bind-ro={}:/usr/local/bin/bao", OpenBao::program().display());
    let machine = machine(&root, &["--private-network", &bao]);
    let before = paths(&machine);
    let install = commands(PAGE, "Debian and Ubuntu");
    let (install, rest) = install.split_once("apt remove").expect("the page removes it, too");
    assert!(rest.contains("apt purge leasehold"));
    walked(&machine, install);
    let said = walked(&machine, &commands("README.md", "Sixty seconds on a development server"));
    for part in ["correct-horse", ": ready", "secret/data/web"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    walked(&machine, "apt purge leasehold");
    assert_eq!(paths(&machine), before);
}

/// A server with what a role needs, and an application that only has to go on.
const BEFORE_NEW: &str = "
export BAO_ADDR=http://127.0.0.1:8200 BAO_TOKEN=only-for-development
systemd-run --quiet --setenv=HOME=/root bao server -dev -dev-root-token-id=$BAO_TOKEN -dev-listen-address=127.0.0.1:8200
until bao status >/dev/null 2>&1; do sleep 0.1; done
bao kv put secret/web password=correct-horse >/dev/null
bao auth enable approle >/dev/null
printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\n' >/etc/systemd/system/web.service
leasehold new web --for machine --address $BAO_ADDR --method approle --secret secret/web#password >said
sed '1,/^Next$/d' said >next.sh
. ./next.sh
cat /run/leasehold-web/secrets/password
";

#[test]
fn what_leasehold_new_says_to_do_next_ends_with_a_secret_on_an_empty_debian() {
    let Some(root) = debian() else { return };
    let bao = format!("--bind-ro={}:/usr/local/bin/bao", OpenBao::program().display());
    let machine = machine(&root, &["--private-network", &bao]);
    let install = commands(PAGE, "Debian and Ubuntu");
    walked(&machine, install.split_once("apt remove").expect("the page removes it, too").0);
    let said = walked(&machine, BEFORE_NEW);
    assert!(said.ends_with("correct-horse"), "{said}");
    assert_eq!(machine.state("web.service"), "active");
}
