//! The shipped units under a real systemd: what waits for what, reloads, the watchdog, credentials, the end.

pub(crate) mod machine;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{CANARY, Child, Lives, OpenBao, SOON, Stage, Workspace, guide, wait_until};
use machine::{Machine, possible, shipped};
use serde_json::Value;

const UNIT: &str = "leasehold@web.service";
const PASSWORD: &str = "/run/leasehold-web/secrets/password";

/// An application that shows what it found when it was started, and what it can see of ours.
const APPLICATION: &str = "
[Service]
User=daemon
RuntimeDirectory=web
ExecStart=/bin/sh -c 'cat /run/leasehold-web/secrets/password >/run/web/seen; \
    ls /run/leasehold-web/handoff >/run/web/handoff 2>&1; exec sleep infinity'
";

/// The part of a configuration that stays the same.
fn config(stage: &Stage, role_id: &str, files: &str) -> String {
    format!(
        "vault: {{address: '{}', ca_file: /etc/leasehold/ca.pem, timeout: 5s}}\n\
         auth: {{method: approle, role_id: '{role_id}', \
                 secret_id_file: /run/credentials/leasehold@web.service/secret-id}}\n\
         secrets_dir: /run/leasehold-web/secrets\n\
         handoff: {{file: /run/leasehold-web/handoff/state}}\n\
         files:\n- {{path: password, secret: 'secret/web#password', refresh: 1s}}\n{files}",
        stage.server.address()
    )
}

/// A machine with the application and an identity for it; answers the role's id too.
fn boot(stage: &Stage, drop_in: &str) -> (Machine, String) {
    let (role_id, secret_id) = stage.server.approle("web", &["web"], "1h");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    let users = text(shipped("leasehold.sysusers")) + "u leasehold-web -\n";
    let files = [
        ("/usr/lib/sysusers.d/leasehold.conf", 0o644, users),
        ("/etc/leasehold/web.yaml", 0o644, config(stage, &role_id, "")),
        ("/etc/leasehold/web.secret-id", 0o600, secret_id),
        ("/etc/systemd/system/web.service", 0o644, APPLICATION.to_owned()),
        ("/etc/systemd/system/web.service.d/leasehold.conf", 0o644, text(shipped("application.conf"))),
        ("/etc/systemd/system/leasehold@.service.d/test.conf", 0o644, drop_in.to_owned()),
    ];
    (Machine::boot(&stage.server, &files), role_id)
}

fn seen(machine: &Machine) -> Option<String> {
    machine.read("/run/web/seen")
}

#[test]
fn an_application_starts_when_its_secrets_are_there_and_a_stop_leaves_nothing() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let (machine, role_id) = boot(&stage, "");
    let canary = format!("{CANARY}-one");

    // The secret is not there yet, so the service is not ready, and who is ordered after it waits.
    machine.systemctl(&["start", "--no-block", "web.service"]);
    wait_until("the secret to be asked for", SOON, || stage.server.requests("secret/data/web") > 0);
    wait_until("the reason to be told", SOON, || {
        machine.show(UNIT, "StatusText").starts_with("not yet rendered: password")
    });
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("activating".into(), "inactive".into()));
    assert_eq!(machine.read(PASSWORD), None);
    stage.put_password("one");
    wait_until("the application to read it", SOON, || seen(&machine).as_ref() == Some(&canary));
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("active".into(), "active".into()));
    assert_eq!(machine.show(UNIT, "StatusText"), "ready");
    // It logged in with what only root can read, as somebody who is not root.
    let pid = machine.show(UNIT, "MainPID");
    let owner = machine.path(&format!("/proc/{pid}")).metadata().expect("it runs").uid();
    assert_ne!(owner, 0);
    assert_ne!(machine.path(PASSWORD).metadata().expect("published").mode() & 0o777, 0o444);
    // The application reads its files, and not the token.
    let handoff = machine.read("/run/web/handoff").expect("the application looked");
    assert!(handoff.contains("Permission denied"), "{handoff}");

    // A reload is over when the new file is there, in the same process.
    let file = "- {path: copy, secret: 'secret/web#password'}\n";
    std::fs::write(machine.path("/etc/leasehold/web.yaml"), config(&stage, &role_id, file))
        .expect("root may");
    machine.systemctl(&["reload", UNIT]);
    wait_until("the new file", SOON, || machine.read("/run/leasehold-web/secrets/copy").is_some());
    wait_until("the end of the reload", SOON, || machine.state(UNIT) == "active");
    assert_eq!(machine.show(UNIT, "MainPID"), pid);

    the_journal_has_priorities_and_no_secret(&machine);

    // Stopped, it takes the application along, revokes, and its folder is gone.
    machine.systemctl(&["stop", UNIT]);
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("inactive".into(), "inactive".into()));
    assert_eq!(machine.show(UNIT, "Result"), "success");
    assert!(!machine.path("/run/leasehold-web").exists());
    stage.assert_nothing_left();
}

#[test]
fn a_unit_whose_secret_does_not_come_fails_with_the_reason() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    let (machine, _) = boot(&stage, "");
    let began = Instant::now();
    let (said, started) = machine.run(&["systemctl", "start", UNIT]);
    let took = began.elapsed();
    assert!(!started, "its secret is missing: {said}");
    assert!(took >= Duration::from_secs(29) && took < Duration::from_secs(120), "half a minute: {took:?}");
    let (journal, _) = machine.run(&["journalctl", "--no-pager", "--unit", UNIT]);
    for told in ["password: secret/web does not exist (404); create it", "status=66"] {
        assert!(journal.contains(told), "{told}: {journal}");
    }
    // It is started again by itself, and then nothing is missing.
    stage.put_password("one");
    wait_until("the secret", SOON * 2, || machine.read(PASSWORD).is_some());
}

#[test]
fn a_secret_id_that_is_not_there_is_named_at_once_and_another_login_needs_none() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let (machine, role_id) = boot(&stage, "");
    std::fs::remove_file(machine.path("/etc/leasehold/web.secret-id")).expect("root may");
    let (said, started) = machine.run(&["systemctl", "start", UNIT]);
    assert!(!started, "its credential is missing: {said}");
    let (journal, _) = machine.run(&["journalctl", "--no-pager", "--unit", UNIT]);
    for told in [
        "secret-id is empty; put it where LoadCredential= of leasehold@web.service says, and restart that unit",
        "status=77",
    ] {
        assert!(journal.contains(told), "{told}: {journal}");
    }

    let token = stage.server.token(&["web"], "1h").token;
    let text = config(&stage, &role_id, "");
    let (before, rest) = text.split_once("auth: ").expect("it has a login");
    let (_, rest) = rest.split_once('\n').expect("it is a line");
    let with_a_token =
        format!("{before}auth: {{method: token_file, token_file: /etc/leasehold/token}}\n{rest}");
    std::fs::write(machine.path("/etc/leasehold/web.yaml"), with_a_token).expect("root may");
    std::fs::write(machine.path("/etc/leasehold/token"), token).expect("root may");
    assert!(machine.run(&["chown", "leasehold-web:", "/etc/leasehold/token"]).1);
    machine.systemctl(&["restart", UNIT]);
    assert_eq!(machine.read(PASSWORD), Some(format!("{CANARY}-one")));
}

fn the_journal_has_priorities_and_no_secret(machine: &Machine) {
    let (journal, _) = machine.run(&["journalctl", "--no-pager", "--output=json", "--unit", UNIT]);
    assert!(!journal.contains(CANARY));
    let lines: Vec<Value> = journal.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ours: Vec<&Value> = lines.iter().filter(|line| line["_COMM"] == "leasehold").collect();
    // The secret was missing at first, and then everything was well.
    for priority in ["4", "6"] {
        assert!(ours.iter().any(|line| line["PRIORITY"] == priority), "no priority {priority}: {journal}");
    }
    for line in ours {
        let message = line["MESSAGE"].as_str().expect("text");
        assert!(!message.starts_with(['{', '<']) && !message.starts_with("20"), "{message}");
    }
}

/// The guide's two places: the admin's terminal, and the machine.
struct Terminals<'m> {
    machine: &'m Machine,
    /// The folder at the admin's terminal, and how a shell begins there.
    desk: Workspace,
    admin: String,
}

impl Terminals<'_> {
    /// Runs a block where its heading says.
    fn run(&self, block: &guide::Block, text: &str) -> String {
        if block.heading.starts_with("On the VM") {
            let script = format!("set -euo pipefail\ncd /root/clone\n{text}");
            std::fs::write(self.machine.path("/root/guide.sh"), script).expect("root may");
            let (said, success) = self.machine.run(&["bash", "/root/guide.sh"]);
            let journal = self.machine.run(&["journalctl", "--no-pager", "-n", "40"]).0;
            assert!(success, "{}: {said}\n{journal}", block.heading);
            return said;
        }
        assert!(block.heading.starts_with("At the admin's terminal"), "{}", block.heading);
        let script = self.desk.file("guide.sh", format!("set -euo pipefail\n{}{text}", self.admin));
        let mut shell = Child::start(Path::new("bash"), "admin", self.desk.path(), |shell| {
            shell.arg(script).current_dir(self.desk.path());
        });
        let status = shell.wait(SOON * 2);
        assert!(status.success(), "{}{}", shell.stdout(), shell.stderr());
        shell.stdout()
    }
}

#[test]
fn the_guide_to_a_vm_is_walked_as_printed_on_a_machine_that_has_nothing() {
    if !possible() {
        return;
    }
    let server = OpenBao::start();
    let text = |name| String::from_utf8(shipped(name)).expect("it is text");
    let clone = |name: &str| format!("/root/clone/manifests/systemd/{name}");
    let [unit, users, drop_in] = ["leasehold@.service", "leasehold.sysusers", "application.conf"]
        .map(|name| (clone(name), text(name)));
    let machine = Machine::boot(
        &server,
        &[
            (&unit.0, 0o644, unit.1),
            (&users.0, 0o644, users.1),
            (&drop_in.0, 0o644, drop_in.1),
            ("/etc/systemd/system/web.service", 0o644, APPLICATION.to_owned()),
        ],
    );
    // The clone has been built, and nothing is installed yet.
    let (said, success) = machine.run(&[
        "bash",
        "-euc",
        "cd /root/clone; release=target/$(uname -m)-unknown-linux-gnu/release; mkdir -p $release
         mv /usr/local/bin/leasehold $release/; rm -rf /etc/systemd/system/leasehold* /etc/leasehold",
    ]);
    assert!(success, "{said}");
    let desk = Workspace::new();
    desk.file("ca.pem", server.ca_pem());
    let admin = format!(
        "export BAO_ADDR='{}' BAO_TOKEN='{}' BAO_CACERT=ca.pem PATH=$PATH:'{}' HOME=$PWD\n\
         scp() {{ cp \"${{@:1:$#-1}}\" '{}'; }}\n",
        server.address(),
        server.root_token(),
        OpenBao::program().parent().expect("it is in a folder").display(),
        machine.path("/root").display()
    );
    let terminals = Terminals { machine: &machine, desk, admin };
    let page = guide::page("docs/guides/vm.md");
    let mut said = String::new();
    for block in guide::blocks(&page) {
        let text = block.text.replace("https://vault.example.com:8200", &server.address());
        match block.language.as_str() {
            "sh" => said.push_str(&terminals.run(&block, &text)),
            "text" => assert!(said.contains(&text), "{text} is not in:\n{said}"),
            _ => {}
        }
    }
    for part in ["correct-horse", "leasehold 0", ": ready", "password"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("inactive".into(), "inactive".into()));
}

#[test]
fn a_server_that_goes_away_and_comes_back_changes_nothing_for_the_application() {
    if !possible() {
        return;
    }
    let mut stage = Stage::with(Lives { durable: true, ..Lives::default() });
    stage.put_password("one");
    let (machine, _) = boot(&stage, "");
    machine.systemctl(&["start", "web.service"]);
    let pids = || (machine.show(UNIT, "MainPID"), machine.show("web.service", "MainPID"));
    let before = pids();

    stage.server.kill();
    wait_until("the outage to be told", SOON, || machine.show(UNIT, "StatusText").contains("down"));
    assert_eq!((machine.state(UNIT), machine.state("web.service")), ("active".into(), "active".into()));
    assert_eq!(machine.read(PASSWORD), Some(format!("{CANARY}-one")));

    stage.server.restart();
    stage.put_password("two");
    wait_until("the new password", SOON, || machine.read(PASSWORD) == Some(format!("{CANARY}-two")));
    assert_eq!(pids(), before);
    assert_eq!(machine.show(UNIT, "NRestarts"), "0");
}

#[test]
fn a_service_that_stands_still_is_ended_by_the_watchdog_and_goes_on_from_its_handoff() {
    if !possible() {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    // The shipped half a minute is too long for a test.
    let (machine, _) = boot(&stage, "[Service]\nWatchdogSec=2s\n");
    machine.systemctl(&["start", "web.service"]);
    let logins = stage.server.requests("auth/approle/login");
    let inode = || machine.path(PASSWORD).metadata().map(|meta| meta.ino()).ok();
    let (before, pid) = (inode(), machine.show(UNIT, "MainPID"));

    let (stopped, success) = machine.run(&["kill", "-STOP", &pid]);
    assert!(success, "{stopped}");
    wait_until("the watchdog", 2 * SOON, || machine.show(UNIT, "NRestarts") == "1");
    wait_until("the service to be ready again", SOON, || machine.state(UNIT) == "active");
    wait_until("the application to be back", SOON, || machine.state("web.service") == "active");
    assert_ne!(machine.show(UNIT, "MainPID"), pid);
    let (journal, _) = machine.run(&["journalctl", "--no-pager", "--unit", UNIT]);
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    // One login and the same files: the next one took up what the first had left.
    assert_eq!(stage.server.requests("auth/approle/login"), logins);
    assert_eq!(inode(), before);
    machine.systemctl(&["stop", UNIT]);
    stage.assert_nothing_left();
}
