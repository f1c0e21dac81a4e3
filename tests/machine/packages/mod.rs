//! What `make packages` makes: installed on an empty Debian that has booted, and looked at by Debian's own checker.

mod formats;
pub(crate) mod made;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{CANARY, OpenBao, SOON, have, need, script, wait_until};
use crate::systemd::machine::{Machine, possible, shipped};
use made::{NEXT, VERSION, deb};
use nix::unistd::geteuid;
use serde_json::json;

const UNIT: &str = "leasehold@web.service";
const PASSWORD: &str = "/run/leasehold-web/secrets/password";

/// An application that only has to go on.
const APPLICATION: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\n";

/// An empty Debian, which is made on first use.
fn debian() -> Option<PathBuf> {
    let available = geteuid().is_root() && have("mmdebstrap");
    let there = need("root and mmdebstrap", "apt-get install mmdebstrap", available)
        && possible()
        && made::possible();
    there.then(|| PathBuf::from(script("debian-root", &[])))
}

/// The configuration of an application, whose login outlives a restart of the service.
fn configuration(server: &OpenBao, role_id: &str) -> String {
    format!(
        "vault: {{address: '{}', ca_file: /etc/leasehold/ca.pem}}\n\
         auth: {{method: approle, role_id: '{role_id}', \
                 secret_id_file: /run/credentials/leasehold@web.service/secret-id}}\n\
         secrets_dir: /run/leasehold-web/secrets\n\
         handoff: {{file: /run/leasehold-web/handoff/state}}\n\
         shutdown: {{revoke: false}}\n\
         files: [{{path: password, secret: 'secret/web#password'}}]\n",
        server.address()
    )
}

/// Every path of the machine's disk, but for what the package manager and the journal keep of their own work.
fn paths(machine: &Machine) -> BTreeSet<String> {
    let kept = ["/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/root", "/tmp", "/var/tmp"];
    let mut find = vec!["find", "/", "-xdev", "("];
    for path in kept {
        find.extend(["-path", path, "-o"]);
    }
    find.extend(["-false", ")", "-prune", "-o", "-print"]);
    let (said, success) = machine.run(&find);
    assert!(success, "{said}");
    // Copies of the user database that its tools leave.
    said.lines()
        .filter(|path| !path.starts_with("/etc/") || !path.ends_with('-'))
        .map(str::to_owned)
        .collect()
}

/// `apt-get` that has to succeed; returns what it said.
#[track_caller]
fn apt(machine: &Machine, arguments: &[&str]) -> String {
    let command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes", "--quiet"];
    in_the_machine(machine, &[&command[..], arguments].concat())
}

/// A command that has to succeed in the machine; returns what it said.
#[track_caller]
fn in_the_machine(machine: &Machine, command: &[&str]) -> String {
    let (said, success) = machine.run(command);
    assert!(success, "{command:?}: {said}");
    said
}

/// Puts the configuration of the application there, as an administrator does, and starts it.
fn serve(machine: &Machine, server: &OpenBao) {
    let (role_id, secret_id) = server.approle("web", &["web"], "1h");
    let drop_in = String::from_utf8(shipped("application.conf")).expect("it is text");
    for (path, text) in [
        ("/etc/leasehold/web.yaml", configuration(server, &role_id)),
        ("/etc/leasehold/web.secret-id", secret_id),
        ("/etc/leasehold/ca.pem", server.ca_pem()),
        ("/etc/sysusers.d/leasehold-web.conf", "u leasehold-web -\n".to_owned()),
        ("/etc/systemd/system/web.service", APPLICATION.to_owned()),
        ("/etc/systemd/system/web.service.d/leasehold.conf", drop_in),
    ] {
        let path = machine.path(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("root may");
        fs::write(path, text).expect("root may");
    }
    assert!(machine.run(&["systemd-sysusers"]).1);
    machine.systemctl(&["daemon-reload"]);
    machine.systemctl(&["enable", UNIT]);
    machine.systemctl(&["start", "web.service"]);
    assert_eq!(machine.read(PASSWORD), Some(format!("{CANARY}-one")));
}

#[test]
fn a_debian_package_is_installed_upgraded_under_a_running_service_and_purged_without_a_trace() {
    let Some(root) = debian() else { return };
    let server = OpenBao::start();
    server.kv2("secret");
    server.put("secret", "web", json!({ "password": format!("{CANARY}-one") }));
    server.policy("web", r#"path "secret/data/web" { capabilities = ["read"] }"#);
    let at = |version: &str| format!("/root/leasehold_{version}.deb");
    let files = [VERSION, NEXT].map(|version| {
        let package = fs::read(deb(version)).expect("it was just made");
        (at(version), 0o644, package)
    });
    let machine = Machine::boot_on(&root, &files, &[]);
    let before = paths(&machine);

    // Nothing runs where nothing is configured, and nothing beside it is installed.
    let said = apt(&machine, &["install", &at(VERSION)]);
    assert!(said.contains("1 newly installed"), "{said}");
    let (said, success) = machine.run(&["leasehold", "--version"]);
    assert!(success && said.starts_with("leasehold "), "{said}");
    assert_eq!(machine.state("leasehold.service"), "inactive");
    assert!(machine.run(&["getent", "passwd", "leasehold"]).1);

    serve(&machine, &server);
    let logins = || server.requests("auth/approle/login");
    let (ours, theirs) = (machine.show(UNIT, "MainPID"), machine.show("web.service", "MainPID"));
    assert_eq!(logins(), 1);

    // The service goes on as another process with the same login, and the application does not notice.
    apt(&machine, &["install", &at(NEXT)]);
    wait_until("the service to be restarted", SOON, || {
        machine.show(UNIT, "MainPID") != ours && machine.state(UNIT) == "active"
    });
    let (said, _) = machine.run(&["dpkg-query", "--show", "--showformat=${Version}", "leasehold"]);
    assert_eq!(said, NEXT);
    let program = fs::read_link(machine.path(&format!("/proc/{}/exe", machine.show(UNIT, "MainPID"))));
    assert_eq!(program.expect("it runs"), Path::new("/usr/bin/leasehold"));
    assert_eq!((logins(), machine.show("web.service", "MainPID")), (1, theirs));
    assert_eq!(machine.read(PASSWORD), Some(format!("{CANARY}-one")));

    // Removed, it keeps what is the administrator's; purged, it leaves nothing but what is not its own.
    apt(&machine, &["remove", "leasehold"]);
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("inactive".into(), "inactive".into()));
    assert!(machine.path("/etc/leasehold/web.yaml").exists() && !machine.path("/usr/bin/leasehold").exists());
    apt(&machine, &["purge", "leasehold"]);
    let left: Vec<String> = paths(&machine).difference(&before).cloned().collect();
    assert_eq!(
        left,
        [
            "/etc/systemd/system/web.service",
            "/etc/systemd/system/web.service.d",
            "/etc/systemd/system/web.service.d/leasehold.conf",
            "/etc/sysusers.d",
            "/etc/sysusers.d/leasehold-web.conf",
        ]
    );
    assert!(!machine.run(&["getent", "passwd", "leasehold"]).1);
    assert!(!machine.run(&["getent", "group", "leasehold"]).1);
}

#[test]
fn the_units_go_on_with_the_program_that_has_the_clouds_and_back_without_it() {
    let Some(root) = debian() else { return };
    let server = OpenBao::start();
    server.kv2("secret");
    server.put("secret", "web", json!({ "password": format!("{CANARY}-one") }));
    server.policy("web", r#"path "secret/data/web" { capabilities = ["read"] }"#);
    let files = [("/root/leasehold.deb", deb(VERSION)), ("/root/leasehold-clouds.deb", made::clouds())]
        .map(|(at, package)| (at.to_owned(), 0o644, fs::read(package).expect("it was just made")));
    let machine = Machine::boot_on(&root, &files, &[]);
    apt(&machine, &["install", "/root/leasehold.deb"]);
    serve(&machine, &server);
    let runs = |program: &str| {
        let link = machine.path(&format!("/proc/{}/exe", machine.show(UNIT, "MainPID")));
        machine.state(UNIT) == "active" && fs::read_link(link).is_ok_and(|it| it == Path::new(program))
    };
    assert!(runs("/usr/bin/leasehold"));
    let theirs = machine.show("web.service", "MainPID");
    apt(&machine, &["install", "/root/leasehold-clouds.deb"]);
    wait_until("the program with the clouds", SOON, || runs("/usr/bin/leasehold-clouds"));
    apt(&machine, &["remove", "leasehold-clouds"]);
    wait_until("the program without", SOON, || runs("/usr/bin/leasehold"));
    // One login for all of them, and the application went on.
    assert_eq!((server.requests("auth/approle/login"), machine.show("web.service", "MainPID")), (1, theirs));
}

#[test]
fn debians_checker_finds_nothing_in_the_packages() {
    if !need("lintian", "apt-get install lintian", have("lintian")) || !made::possible() {
        return;
    }
    let output = Command::new("lintian")
        .args(["--allow-root", "--fail-on=error,warning"])
        .args([deb(VERSION), made::clouds()])
        .output()
        .expect("it is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
