//! What guides show at a terminal where a server is asked, or where a process stays: each command is run as it is printed.
//! Only addresses and folders are the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::guide::{blocks, page, typed};
use crate::support::{CANARY, Child, Leasehold, OpenBao, SOON, Stage, have, need, wait_until};

const TWO_FILES: &str = "files:\n- {path: password, secret: 'secret/web#password', refresh: 1h}\n\
                         - {path: db.env, secret: 'rabbitmq/creds/app#username'}\n";

/// A shell in the stage's folder, and what stands there in the place of what the page names.
struct Desk<'s> {
    stage: &'s Stage,
    places: Vec<(&'static str, String)>,
}

impl<'s> Desk<'s> {
    fn at(stage: &'s Stage) -> Self {
        stage.put_password("one");
        Self { stage, places: Vec::new() }
    }

    fn with(mut self, theirs: &'static str, ours: impl Into<String>) -> Self {
        self.places.push((theirs, ours.into()));
        self
    }

    fn start(&self, command: &str) -> Child {
        let command =
            self.places.iter().fold(command.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
        let folders = [Leasehold::binary(), &OpenBao::program()]
            .map(|program| program.parent().expect("it is in a folder").display().to_string());
        let path = format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap_or_default());
        // A signal is to reach the program and not the shell.
        let script = if command.contains(" | ") { command } else { format!("exec {command}") };
        Child::start(Path::new("bash"), "typed", self.stage.space.path(), |shell| {
            shell.args(["-euo", "pipefail", "-c", &script]).env_clear().env("PATH", path);
            shell.env("VAULT_TOKEN", self.stage.server.root_token()).current_dir(self.stage.space.path());
        })
    }

    /// Runs a command that ends by itself, and returns what it said.
    #[track_caller]
    fn run(&self, command: &str) -> String {
        let mut shell = self.start(command);
        let status = shell.wait(SOON);
        let said = shell.stdout() + &shell.stderr();
        assert!(status.success(), "{command}: {status}: {said}");
        said
    }

    /// Runs a command that stays until something is seen of it, and ends it as a person does.
    #[track_caller]
    fn stays(&self, command: &str, seen: impl Fn(&str) -> bool) {
        let mut shell = self.start(command);
        wait_until(command, SOON, || {
            assert!(shell.ended().is_none(), "{command}: {}{}", shell.stdout(), shell.stderr());
            seen(&shell.stdout())
        });
        shell.signal(Signal::SIGINT);
        shell.wait(SOON);
    }
}

#[test]
fn the_status_on_the_page_about_watching_is_shown_as_printed() {
    let stage = Stage::new();
    let desk = Desk::at(&stage);
    let sidecar = stage.sidecar(&stage.config(TWO_FILES));
    let commands = typed(&page("docs/guides/watching.md"), "Status");
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in &commands {
        if command.contains("--watch") {
            desk.stays(command, |screen| screen.matches("db.env").count() >= 2);
        } else {
            let said = desk.run(command);
            let one = command.contains("status db.env");
            assert!(said.contains("db.env") != command.contains("--explain"), "{command}: {said}");
            assert!(said.contains("password") != (one || command.contains("--explain")), "{command}: {said}");
        }
    }
    sidecar.stop().expect_code(0);
}

#[test]
fn what_is_to_be_looked_at_in_the_night_is_shown_as_printed() {
    let stage = Stage::new();
    let desk = Desk::at(&stage);
    let sidecar = stage.sidecar(&stage.config(TWO_FILES));
    let commands =
        typed(&page("docs/guides/troubleshooting.md"), "At night: what to look at, in which order");
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in &commands {
        desk.run(command);
    }
    sidecar.stop().expect_code(0);
}

#[test]
fn what_has_leaked_is_minted_anew_by_the_commands_of_the_page() {
    if !need("curl", "apt-get install curl", have("curl")) {
        return;
    }
    let stage = Stage::new();
    let socket = format!("--unix-socket {}/status.sock", stage.space.path().display());
    let desk = Desk::at(&stage)
        .with("--unix-socket /run/leasehold/status.sock", &socket)
        // The same listener stands for the one on a port.
        .with("curl -X POST 'http://127.0.0.1:9110/", format!("curl {socket} -X POST 'http://localhost/"));
    let certificate = "- {path: tls.pem, template: '{{ with pkiCert \"pki/issue/web\" \"common_name=web.example.com\" }}{{ .Cert }}{{ end }}'}\n";
    let sidecar = stage.sidecar(&stage.config(&format!("{TWO_FILES}{certificate}")));
    let before = ["db.env", "tls.pem"].map(|file| stage.read(file).expect("it is published"));
    let commands = typed(&page("docs/guides/troubleshooting.md"), "A key or a password has leaked");
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in &commands {
        desk.run(command);
    }
    wait_until("new ones", SOON, || {
        let now = ["db.env", "tls.pem"].map(|file| stage.read(file).expect("it stays"));
        now[0] != before[0] && now[1] != before[1]
    });
    sidecar.stop().expect_code(0);
}

#[test]
fn the_parent_of_a_process_is_started_as_printed() {
    let stage = Stage::new();
    let server =
        stage.space.file("server", "#!/bin/sh\necho \"$*, $PASSWORD, $(cat secrets/password)\" >seen\n");
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let desk = Desk::at(&stage).with("/usr/local/bin/server", server.display().to_string());
    let rest = "files: [{path: password, secret: 'secret/web#password'}]\n\
                exec: {env: {PASSWORD: {secret: 'secret/web#password'}}}\n";
    stage.space.file("exec.yaml", stage.config(rest));
    let page = page("docs/guides/exec.md");
    let commands: Vec<_> = blocks(&page).into_iter().filter(|block| block.language == "sh").collect();
    for block in &commands {
        desk.run(block.text.trim());
    }
    let seen = format!("--port 8080, {CANARY}-one, {CANARY}-one\n");
    assert_eq!((commands.len(), stage.space.read("seen")), (1, Some(seen)));
}

#[test]
fn a_configuration_is_checked_before_an_upgrade_as_printed() {
    let stage = Stage::new();
    let path = stage.space.file("web.yaml", stage.config(TWO_FILES));
    let desk = Desk::at(&stage).with("/etc/leasehold/web.yaml", path.display().to_string());
    let commands = typed(&page("docs/guides/upgrade.md"), "What an upgrade does");
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(desk.run(&commands[0]).contains("good: 2 files"));
}

/// What the guides from elsewhere call the configurations that somebody brings, for this server.
fn bring(stage: &Stage) {
    let (address, ca, folder) =
        (stage.server.address(), stage.server.ca_file(), stage.space.path().display());
    let ca = ca.display();
    let template = format!(
        "template {{\n  contents = \"{{{{ with secret \\\"secret/web\\\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}\"\n  \
         destination = \"{folder}/brought\"\n}}\n"
    );
    let login = format!(
        "auto_auth {{\n  method \"kubernetes\" {{\n    config = {{\n      role = \"web\"\n      \
         token_path = \"{folder}/serviceaccount/token\"\n    }}\n  }}\n}}\n"
    );
    let vault = format!("vault {{\n  address = \"{address}\"\n  ca_cert = \"{ca}\"\n}}\n");
    stage.space.file("agent.hcl", format!("{vault}{login}{template}"));
    let vault = format!("vault {{\n  address = \"{address}\"\n  ssl {{\n    ca_cert = \"{ca}\"\n  }}\n}}\n");
    stage.space.file("consul-template.hcl", format!("{vault}{template}"));
    let secret = "secret {\n  path = \"secret/web\"\n  no_prefix = true\n}\n";
    let command = format!("sh -c 'printf %s \\\"$password\\\" >{folder}/brought'");
    stage.space.file("envconsul.hcl", format!("{vault}{secret}exec {{\n  command = \"{command}\"\n}}\n"));
}

#[test]
fn what_the_guides_from_elsewhere_run_on_a_server_runs_as_printed() {
    let stage = Stage::new();
    let desk = Desk::at(&stage);
    bring(&stage);
    let brought = || stage.space.read("brought").is_some_and(|text| text == format!("{CANARY}-one"));
    let (mut stayed, mut ended) = (0, 0);
    for name in ["vault-agent", "consul-template", "envconsul"] {
        for command in typed(&page(&format!("docs/guides/from-{name}.md")), "") {
            let _not_there_yet = fs::remove_file(stage.space.join("brought"));
            if command.starts_with("leasehold sidecar ") {
                desk.stays(&command, |_| brought());
                stayed += 1;
            } else if command.starts_with("leasehold exec ") {
                desk.run(&command);
                assert!(brought(), "{command}");
                ended += 1;
            } else if command.contains("--from-server") {
                desk.run(&command);
                let made = stage.space.read("leasehold.yaml").expect("it is written");
                assert!(made.contains("secret/web#password") && !made.contains(CANARY), "{made}");
                ended += 1;
            } else {
                // The others ask no server: tests/machine/guides.rs runs them.
                assert!(command.starts_with("leasehold check ") || command.starts_with("leasehold convert "));
            }
        }
    }
    assert_eq!((stayed, ended), (2, 2));
}
